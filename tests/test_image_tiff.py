"""TIFF files: pages come back byte for byte, or written anew with all that they say."""

import io

import numpy as np
import pytest
import tifffile
from image_files import joined, numbers, tiff_bytes
from numpy.testing import assert_array_equal
from PIL import Image

from sklearn_dae.images._image_file import Unreadable
from sklearn_dae.images._raw import Raw
from sklearn_dae.images._tiff import Tiff
from sklearn_dae.images._wrappers import unwrap
from sklearn_dae.images.readers import open_file

#: What else a page may say, in ways that this package does not choose.
TAGS = {
    "iccprofile": b"a profile of colours",
    "description": "What is seen",
    "software": "A camera",
    "datetime": "2024:02:29 12:00:00",
    "resolution": ((3000, 10), (7, 2)),
    "resolutionunit": "CENTIMETER",
    "metadata": None,
    "extratags": [
        (274, "H", 1, 6, True),
        (315, "s", 0, "Somebody", True),
        (318, "2I", 2, (3127, 10000, 3290, 10000), True),
        (700, "B", 5, b"<xmp>", True),
        (33550, "d", 3, (1.5, 2.5, 0.0), True),
    ],
}


def _said(path):
    """All tags of all pages, but for where pixels are and how they are compressed."""
    elsewhere = {273, 278, 279, 324, 325}
    with tifffile.TiffFile(path) as file:
        return file.byteorder, [
            {
                tag.code: (tag.dtype, str(tag.value))
                for tag in page.tags
                if tag.code not in elsewhere
            }
            for page in file.pages
        ]


@pytest.mark.parametrize("byteorder", "<>")
@pytest.mark.parametrize(
    "stored",
    [
        {"compression": "lzw", "predictor": True},
        {"compression": "zlib", "tile": (16, 16)},
        {"compression": "zstd", "rowsperstrip": 3},
        {"tile": (32, 16)},
    ],
    ids=str,
)
def test_all_that_pages_say_comes_back(tmp_path, rng, stored, byteorder):
    pixels = numbers(rng, 19, 33, 4, bits=16)
    path, copy = tmp_path / "a.tif", tmp_path / "copy.tif"
    options = {"photometric": "rgb", "extrasamples": ["assocalpha"]}
    tifffile.imwrite(path, pixels, byteorder=byteorder, **options, **stored, **TAGS)
    file = open_file(path)
    wrapper = file.wrap()
    assert isinstance(wrapper, Tiff)
    assert unwrap(wrapper.to_bytes()) == wrapper
    copy.write_bytes(joined(file))
    assert _said(copy) == _said(path)
    assert_array_equal(tifffile.imread(copy), pixels)
    assert copy.stat().st_size < 2 * path.stat().st_size


def test_pages_of_many_kinds_come_back(tmp_path, rng):
    path, copy = tmp_path / "a.tif", tmp_path / "copy.tif"
    pages = [numbers(rng, 9, 7), numbers(rng, 5, 6, 3), numbers(rng, 8, 8, bits=16)]
    with tifffile.TiffWriter(path) as writer:
        for number, page in enumerate(pages):
            writer.write(
                page,
                photometric="rgb" if page.ndim == 3 else "minisblack",
                compression="zlib" if number != 1 else None,
                description=f"page {number}",
                metadata=None,
            )
    file = open_file(path)
    copy.write_bytes(joined(file))
    for one, other, page in zip(
        file.images(), open_file(copy).images(), pages, strict=True
    ):
        assert_array_equal(one, page)
        assert_array_equal(other, page)
    assert _said(copy) == _said(path)


@pytest.mark.parametrize("options", [{}, {"rowsperstrip": 4}, {"bigtiff": True}])
def test_plain_pages_stand_in_the_file_with_others_between_them(tmp_path, rng, options):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path, bigtiff=options.pop("bigtiff", False)) as writer:
        for number in range(4):
            page = numbers(rng, 9, 7 + number)
            writer.write(page, photometric="minisblack", **options)
    wrapper = open_file(path).wrap()
    assert isinstance(wrapper, Raw)
    assert len(wrapper.gaps) >= 3
    assert unwrap(wrapper.to_bytes()) == wrapper
    assert joined(open_file(path)) == path.read_bytes()


def test_fax_is_written_anew_with_another_compression(tmp_path, rng):
    path, copy = tmp_path / "a.tif", tmp_path / "copy.tif"
    bits = numbers(rng, 20, 30, bits=1)
    Image.fromarray(bits.astype(bool)).save(path, compression="group4")
    file = open_file(path)
    assert_array_equal(file.read(0), bits)
    copy.write_bytes(joined(file))
    with Image.open(copy) as image:
        assert image.info["compression"] == "tiff_adobe_deflate"
        assert_array_equal(np.asarray(image), bits)


def _sub_directories(pixels):
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(pixels, subifds=1, compression="zlib", photometric="minisblack")
        writer.write(pixels[::2, ::2], compression="zlib", photometric="minisblack")
    return file.getvalue()


def _exif(pixels):
    """Write a tag that says where others are: those of the page itself."""
    data = tiff_bytes(pixels, compression="lzw", extratags=[(34664, "I", 1, 8, True)])
    code, exif = ((n).to_bytes(2, "little") + b"\4\0\1\0\0\0" for n in (34664, 34665))
    assert data.count(code) == 1
    return data.replace(code, exif)


@pytest.mark.parametrize(
    "make",
    [
        lambda pixels: tiff_bytes(np.stack([pixels] * 3, 2), compression="jpeg"),
        lambda pixels: tiff_bytes(pixels, compression="jpeg2000"),
        lambda pixels: tiff_bytes(
            pixels, compression="zlib", extratags=[(65111, "B", 3, b"abc", True)]
        ),
        lambda pixels: tiff_bytes(
            np.stack([pixels] * 3),
            imagej=True,
            compression="zlib",
            metadata={"axes": "ZYX", "Labels": ["a", "b", "c"]},
        ),
        _sub_directories,
        _exif,
    ],
    ids=["jpeg", "jpeg2000", "private", "imagej", "subifd", "exif"],
)
def test_what_tifffile_may_not_write_as_it_was_is_kept(tmp_path, rng, make):
    path = tmp_path / "a.tif"
    path.write_bytes(make(numbers(rng, 32, 32)))
    file = open_file(path)
    assert len([*file.images()]) == len(file)
    assert file.wrap() is None


def test_square_images_of_three_colours_are_not_turned(tmp_path, rng):
    pixels = numbers(rng, 3, 3, 3)
    (tmp_path / "a.tif").write_bytes(tiff_bytes(pixels, photometric="rgb"))
    assert_array_equal(open_file(tmp_path / "a.tif").read(0), pixels)


def test_a_tall_stack_is_read_and_made_again_page_by_page(tmp_path, rng):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for page in numbers(rng, 200, 8, 9):
            writer.write(page, contiguous=False, photometric="minisblack")
    file = open_file(path)
    assert len(file) == 200
    n_taken = 0

    def pages():
        nonlocal n_taken
        for page in file.images():
            n_taken += 1
            yield page

    n_bytes = 0
    for piece in file.wrap().rebuild(pages()):
        n_bytes += len(piece)
        assert n_taken <= 2 + n_bytes // 72
    assert n_bytes == path.stat().st_size


def test_a_tile_that_claims_too_much_takes_no_memory(tmp_path, rng):
    data = tiff_bytes(numbers(rng, 20, 20), tile=(16, 16), compression="zlib")
    # The width of a tile: tag 322, a long number.
    width = (322).to_bytes(2, "little") + b"\4\0\1\0\0\0"
    assert data.count(width + b"\x10\0\0\0") == 1
    large = data.replace(width + b"\x10\0\0\0", width + b"\x10\0\0\x40")
    (tmp_path / "a.tif").write_bytes(large)
    with pytest.raises(Unreadable, match="too large: it claims 17,179,869,440 pixels"):
        open_file(tmp_path / "a.tif")
