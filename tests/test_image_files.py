"""Files of images of all formats: read exactly, and made again."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from image_files import files_of_all_formats, gif_bytes, joined, numbers
from numpy.testing import assert_array_equal
from PIL import Image

from sklearn_dae.images import ImageSpec
from sklearn_dae.images._image_file import Options, Unreadable
from sklearn_dae.images._png import Png
from sklearn_dae.images._raw import Raw
from sklearn_dae.images._wrappers import unwrap
from sklearn_dae.images.readers import open_file

FORMATS = files_of_all_formats(np.random.default_rng(0))

#: Files that are not made again from their pixels: text, and what may lose pixels.
KEPT = [
    *("grey.jpg", "colour.jpg", "cmyk.jpg", "colour.webp", "grey.gif", "frames.gif"),
    *("grey-text.pgm", "colour-text.ppm", "bits-text.pbm"),
    *("packed.dcm", "packed-frames.dcm"),
]

#: Files that come back with the same pixels, not byte for byte.
REWRITTEN = [
    *("packed.tif", "tiles.tif", "tiled-planes.tif", "lzw.tif", "packbits.tif"),
    *("zstd.tif", "palette.tif", "deflated-planes.tif", "deflated-bits.tif"),
    *("deflated-signed.tif", "deflated-real.tif", "deflated-stack.tif"),
    *("stack.npz", "stored.npz", "named.npz", "stack-idx3-ubyte.gz"),
]


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 256, (3, 4, 5)).astype(np.uint8)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_is_read_exactly_and_made_again(tmp_path, name):
    data, expected = FORMATS[name]
    path = tmp_path / "file.without-a-true-ending"
    path.write_bytes(data)
    file = open_file(path)
    images = [file.read(i) for i in range(len(file))]
    for image, spec in zip(images, file.specs, strict=True):
        assert (image.shape, image.dtype) == (spec.shape, spec.dtype)
        if spec.range is not None:
            assert spec.range[0] <= image.min() <= image.max() <= spec.range[1]
    for image, other in zip(images, file.images(), strict=True):
        assert_array_equal(image, other)
    if expected is not None and file.appearance_of(0).palette is None:
        assert_array_equal(np.squeeze(images), expected)
    elif expected is not None:
        assert_array_equal(file.appearance_of(0).palette[images[0]][..., 0], expected)
    wrapper = file.wrap()
    assert (wrapper is None) == (name in KEPT)
    if wrapper is None:
        return
    assert unwrap(wrapper.to_bytes()) == wrapper
    again = b"".join(wrapper.rebuild(iter(images)))
    assert wrapper.is_exact == (name not in REWRITTEN and not name.endswith("png"))
    if wrapper.is_exact:
        assert again == data
        return
    copy = tmp_path / "copy"
    copy.write_bytes(again)
    restored = open_file(copy)
    assert restored.specs == file.specs
    assert_array_equal([*restored.images()], images)
    # All else that was in the file is still there.
    assert restored.wrap() == wrapper


def test_what_else_is_in_png_files_comes_back(tmp_path):
    for name in (name for name in FORMATS if name.endswith("png")):
        (tmp_path / name).write_bytes(FORMATS[name][0])
        (tmp_path / "copy.png").write_bytes(joined(open_file(tmp_path / name)))
        with (
            Image.open(tmp_path / name) as one,
            Image.open(tmp_path / "copy.png") as two,
        ):
            assert (one.mode, one.info) == (two.mode, two.info)


def test_an_animated_png_is_kept_as_only_one_image_is_read(tmp_path, pixels):
    frames = [Image.fromarray(frame) for frame in pixels]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    file = open_file(tmp_path / "a.png")
    assert (len(file), file.wrap()) == (1, None)


@pytest.mark.parametrize("format", ["GIF", "WEBP"])
def test_each_frame_of_an_animation_may_have_all_pixels(tmp_path, rng, format):  # noqa: A002
    path, frames = tmp_path / "a", numbers(rng, 5, 7, 9, 3)
    first, *others = map(Image.fromarray, frames)
    options = {"lossless": True} if format == "WEBP" else {}
    first.save(path, format, save_all=True, append_images=others, **options)
    file = open_file(path, Options(max_pixels=63))
    with Image.open(path) as image:
        for number, frame in enumerate(file.images()):
            image.seek(number)
            assert_array_equal(frame, np.asarray(image.convert("RGBA")))
            assert_array_equal(file.read(number), frame)
    assert len(file) == 5
    with pytest.raises(Unreadable, match="too large: it claims 63 pixels"):
        open_file(path, Options(max_pixels=62))


def test_a_frame_that_claims_more_than_the_first_one_takes_no_memory(tmp_path, rng):
    data = gif_bytes(numbers(rng, 2, 40, 50))
    # A frame begins with a comma, its place and its size.
    size = b",\0\0\0\0" + (50).to_bytes(2, "little") + (40).to_bytes(2, "little")
    before, _, after = data.rpartition(size)
    path = tmp_path / "a.gif"
    path.write_bytes(before + b",\0\0\0\0\xff\xff\xff\xff" + after)
    file = open_file(path)
    for read in (lambda: file.read(1), lambda: [*file.images()]):
        with pytest.raises(Unreadable, match=r"damaged: Image size \(4294836225"):
            read()


def test_frames_are_read_while_other_files_are(tmp_path, rng):
    path = tmp_path / "a.gif"
    path.write_bytes(FORMATS["frames.gif"][0])
    one, other = open_file(path), open_file(path)
    for frame, again in zip(one.images(), other.images(), strict=True):
        assert_array_equal(frame, again)
    limit, begun = Image.MAX_IMAGE_PIXELS, one.images()
    next(begun)
    assert Image.MAX_IMAGE_PIXELS == limit
    with ThreadPoolExecutor(1) as threads:
        assert len(threads.submit(lambda: [*other.images()]).result(timeout=60)) == 3


def test_a_palette_is_read_with_the_numbers_of_its_colours(tmp_path):
    for name in ("palette.png", "palette.bmp", "palette.tif"):
        (tmp_path / name).write_bytes(FORMATS[name][0])
        file = open_file(tmp_path / name)
        with Image.open(tmp_path / name) as image:
            expected = np.asarray(image.convert("RGB"))
        assert_array_equal(file.appearance_of(0).palette[file.read(0)], expected)


def test_rows_of_bmp_files_may_come_from_the_top(tmp_path):
    data, _ = FORMATS["grey.bmp"]
    (tmp_path / "a.bmp").write_bytes(data)
    pixels = open_file(tmp_path / "a.bmp").read(0)
    head, rows = data[:-84], [data[-84:][i : i + 12] for i in range(0, 84, 12)]
    turned = head[:22] + (-7).to_bytes(4, "little", signed=True) + head[26:]
    (tmp_path / "a.bmp").write_bytes(turned + b"".join(rows[::-1]))
    file = open_file(tmp_path / "a.bmp")
    assert_array_equal(file.read(0), pixels)
    assert joined(file) == (tmp_path / "a.bmp").read_bytes()


def test_bits_that_fill_a_row_up_may_be_anything_but_are_not_made_up(tmp_path):
    path = tmp_path / "a.pbm"
    path.write_bytes(b"P4 3 2\n\xa0\x40")
    assert_array_equal(open_file(path).read(0), [[0, 1, 0], [1, 0, 1]])
    assert joined(open_file(path)) == path.read_bytes()
    path.write_bytes(b"P4 3 2\n\xa1\x40")
    assert_array_equal(open_file(path).read(0), [[0, 1, 0], [1, 0, 1]])
    assert open_file(path).wrap() is None


def test_what_takes_too_much_around_its_pixels_is_kept(tmp_path, monkeypatch):
    path = tmp_path / "a.pgm"
    path.write_bytes(FORMATS["grey.pgm"][0] + bytes(2000))
    assert open_file(path).wrap() is not None
    for module in ("_raw", "_image_file"):
        monkeypatch.setattr(f"sklearn_dae.images.{module}.MOST_BYTES", 1000)
        assert open_file(path).wrap() is None
        monkeypatch.undo()


@pytest.mark.parametrize("name", ["bmp", "pgm", "ppm", "dcm", "npy"])
def test_formats_that_hold_pixels_as_they_are_keep_nothing_twice(tmp_path, name):
    for file_name, (data, _) in FORMATS.items():
        if file_name.endswith(name) and file_name not in KEPT:
            (tmp_path / "file").write_bytes(data)
            assert isinstance(open_file(tmp_path / "file").wrap(), Raw), file_name


def test_all_bits_of_a_number_are_read(tmp_path):
    path = tmp_path / "file"
    for name, depth in (("twelve.pgm", 12), ("twelve.dcm", 12), ("deep.png", 16)):
        path.write_bytes(FORMATS[name][0])
        assert open_file(path).specs[0].depth == depth
    path.write_bytes(FORMATS["deep-colour.png"][0])
    file = open_file(path)
    assert file.specs[0] == ImageSpec(7, 9, 3, np.dtype(np.uint16))
    assert len(np.unique(file.read(0) & 255)) > 100


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_grey_and_palettes_of_few_bits_come_back_so(tmp_path, rng, depth):
    path = tmp_path / "few.png"
    image = Image.fromarray(numbers(rng, 5, 7, bits=depth), "P")
    image.putpalette(rng.integers(0, 256, 3 << depth, dtype=np.uint8).tobytes())
    image.save(path, bits=depth)
    file = open_file(path)
    assert file.specs[0].depth == depth
    assert_array_equal(file.read(0), np.asarray(image))
    path.write_bytes(joined(file))
    assert_array_equal(open_file(path).read(0), np.asarray(image))
    assert_array_equal(
        open_file(path).appearance_of(0).palette, file.appearance_of(0).palette
    )


def test_text_in_pnm_files_is_read(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"P2 # words\n3 2\n4095\n0 1 2\n4095 5 # more\n 6\n")
    assert_array_equal(open_file(path).read(0), [[0, 1, 2], [4095, 5, 6]])
    path.write_bytes(b"P1\n3 2\n010\n1 1 0")
    assert_array_equal(open_file(path).read(0), [[1, 0, 1], [0, 0, 1]])
    for bad in (b"P2 3 2 9 1 2 3", b"P2 3 2 9 1 2 3 4 5 x", b"P2 3 2 9 1 2 3 4 5 10"):
        path.write_bytes(bad)
        with pytest.raises(Unreadable, match="damaged"):
            open_file(path).read(0)


def test_how_an_image_is_turned_and_coloured_is_kept(tmp_path, pixels):
    exif = Image.Exif()
    exif[0x0112] = 6
    for suffix in ("png", "jpg"):
        path = tmp_path / f"turned.{suffix}"
        Image.fromarray(pixels[0]).save(path, exif=exif, icc_profile=b"profile")
        file = open_file(path)
        assert (file.appearance_of(0).orientation, file.read(0).shape) == (6, (4, 5))
    path = tmp_path / "turned.png"
    path.write_bytes(joined(open_file(path)))
    with Image.open(path) as image:
        assert image.getexif()[0x0112] == 6
        assert image.info["icc_profile"] == b"profile"
    plain = b"".join(Png.plain(ImageSpec(4, 5), orientation=6).rebuild([pixels[0]]))
    (tmp_path / "plain.png").write_bytes(plain)
    assert open_file(tmp_path / "plain.png").appearance_of(0).orientation == 6


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pixels_of_any_shape_become_png_files(tmp_path, rng, channels, dtype):
    for height, width in ((1, 1), (3, 1), (2, 50), (40, 31)):
        spec = ImageSpec(height, width, channels, np.dtype(dtype))
        smooth = np.add.outer(np.arange(height), 3 * np.arange(width))
        image = np.repeat(smooth[..., np.newaxis], channels, 2).reshape(spec.shape)
        image = (image * 7 + rng.integers(0, 3, spec.shape)).astype(dtype)
        (tmp_path / "file.png").write_bytes(b"".join(Png.plain(spec).rebuild([image])))
        assert_array_equal(open_file(tmp_path / "file.png").read(0), image)


def test_pixels_that_png_files_cannot_hold_are_refused():
    with pytest.raises(ValueError, match="PNG files hold unsigned integers"):
        Png.plain(ImageSpec(4, 5, dtype=np.dtype(np.int16)))
