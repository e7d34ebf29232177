"""Images: what they are, sets of them, and files that are damaged."""

import os

import numpy as np
import pytest
from image_files import (
    dicom_bytes,
    files_of_all_formats,
    joined,
    numbers,
    pillow_bytes,
    read_all,
    save,
    tiff_bytes,
)
from numpy.testing import assert_array_equal

from sklearn_dae.images import ImageSet, ImageSpec, read_images
from sklearn_dae.images._image_file import Options, Unreadable
from sklearn_dae.images.readers import open_file

#: Damaged files of each format that are tried.
N_DAMAGED = int(os.environ.get("SKLEARN_DAE_DAMAGED", "60"))

FORMATS = files_of_all_formats(np.random.default_rng(0))


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 256, (3, 4, 5)).astype(np.uint8)


def test_a_spec_says_what_an_image_is():
    spec = ImageSpec(4, 5, 3, np.dtype(">u2"), (0, 4095))
    assert (spec.shape, spec.n_pixels, spec.n_numbers) == ((4, 5, 3), 20, 60)
    assert (spec.n_bytes, spec.depth, spec.dtype.isnative) == (120, 12, True)
    assert str(spec) == "5 x 4 pixels, RGB, uint16, 12 bits"
    assert ImageSpec.of_shape((4, 5)) == ImageSpec(4, 5)
    assert ImageSpec(4, 5).range == (0, 255)
    assert ImageSpec(4, 5, dtype=np.dtype(np.float32)).range is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ImageSpec(0, 5), "height == 0"),
        (lambda: ImageSpec(4, 5.0), "width must be an instance of int"),
        (lambda: ImageSpec(4, 5, dtype=np.dtype(np.longdouble)), "at most 64 bits"),
        (lambda: ImageSpec(4, 5, dtype=np.dtype(complex)), "expected integers or real"),
        (lambda: ImageSpec.of_shape((4,)), r"shape \(4,\); expected \(height, width"),
        (lambda: ImageSpec.of_shape((4, 0)), "there is no pixel"),
    ],
)
def test_what_is_no_image_is_refused(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_file_is_read_or_named(tmp_path, rng, name):
    data, _ = FORMATS[name]
    path = tmp_path / name
    path.write_bytes(data)
    whole = read_all(path)
    n_named = 0
    for _ in range(N_DAMAGED):
        damaged = bytearray(data)
        if rng.random() < 0.3:
            del damaged[rng.integers(len(data)) :]
        else:
            for place in rng.integers(len(data), size=rng.integers(1, 4)):
                damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            images = read_all(path)
        except Unreadable:
            n_named += 1
            continue
        file = open_file(path)
        if (wrapper := file.wrap()) is not None and wrapper.is_exact:
            assert joined(file) == damaged
        # PNG has checksums.
        if name.endswith("png"):
            assert all(map(np.array_equal, images, whole))
    assert n_named > N_DAMAGED / 12


def test_a_file_that_claims_too_much_takes_no_memory(tmp_path):
    path = tmp_path / "bomb"
    bombs = {
        "png": pillow_bytes(np.zeros((2, 2), np.uint8), "PNG"),
        "pgm": b"P5 60000 60000 255\n",
    }
    head = bytearray(bombs["png"])
    head[16:24] = (60000).to_bytes(4, "big") * 2
    for data in (bytes(head), bombs["pgm"]):
        path.write_bytes(data)
        with pytest.raises(Unreadable, match="too large: it claims 3,600,000,000"):
            open_file(path)
    with pytest.raises(Unreadable, match="damaged"):
        open_file(path, Options(max_pixels=2**32)).read(0)


def test_what_needs_a_library_says_which(tmp_path, monkeypatch, pixels):
    import sys

    needed = {
        "x.png": ("PIL", pillow_bytes(pixels[0], "PNG")),
        "x.tif": ("tifffile", tiff_bytes(pixels[0])),
        "x.dcm": ("pydicom", dicom_bytes(pixels[0])),
    }
    for name, (library, data) in needed.items():
        (tmp_path / name).write_bytes(data)
        monkeypatch.setitem(sys.modules, library, None)
        with pytest.raises(ValueError, match=r"pip install 'sklearn-dae\[full\]'"):
            read_images(tmp_path / name)


def test_images_of_many_kinds_are_a_set(tmp_path, rng):
    first, second = numbers(rng, 7, 9), numbers(rng, 4, 5, 3)
    for i in range(3):
        save(tmp_path / f"{2 * i}.png", first)
        save(tmp_path / f"{2 * i + 1}.png", second)
    images = read_images(tmp_path)
    groups = images.groups()
    assert [str(spec) for spec in groups] == [
        "9 x 7 pixels, grey, uint8",
        "5 x 4 pixels, RGB, uint8",
    ]
    assert_array_equal(groups[ImageSpec(7, 9)], [0, 2, 4])
    some = images[groups[ImageSpec(4, 5, 3)]]
    assert some.stack().shape == (3, 4, 5, 3)
    assert_array_equal(some.data[1], second.ravel())
    with pytest.raises(ValueError, match=r"2 kinds, such as 9 x 7 .* and 5 x 4"):
        _ = images.spec


def test_blocks_of_images_are_sets(pixels):
    images = ImageSet.from_array(pixels, "test", names=["a", "b", "c"])
    blocks = list(images.blocks(2))
    assert [list(block.names) for block in blocks] == [["a", "b"], ["c"]]
    assert_array_equal(np.concatenate([block.stack() for block in blocks]), pixels)
    assert np.shares_memory(blocks[0].data, pixels)
    with pytest.raises(ValueError, match="is in no file"):
        images.file_bytes(0)


def test_rows_need_their_shape_where_they_may_be_anything():
    rows = np.zeros((4, 12), np.uint8)
    with pytest.raises(ValueError, match=r"lines of one picture.*image_shape=\(height"):
        ImageSet.from_array(rows)
    for shape in ((3, 4), (1, 12), (2, 2, 3)):
        assert ImageSet.from_array(rows, image_shape=shape).image_shape == shape
    with pytest.raises(ValueError, match=r"image_shape is \(5, 4\)"):
        ImageSet.from_array(rows, image_shape=(5, 4))
    assert ImageSet.from_array(np.zeros((4, 9))).image_shape == (3, 3)


def test_names_are_as_many_as_images(pixels):
    with pytest.raises(ValueError, match="test has 3 images, but 2 names"):
        ImageSet.from_array(pixels, "test", names=["a", "b"])
