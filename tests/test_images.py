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
from scipy import sparse

from sklearn_dae._bytes import ByteReader
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSet, ImageSpec, read_images
from sklearn_dae.images._image_file import Options, Unreadable
from sklearn_dae.images._shown import shown_file
from sklearn_dae.images._spec_bytes import pack_spec, unpack_spec
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


@pytest.mark.parametrize(
    ("dtype", "limits"),
    [
        (np.uint8, (0, 256)),
        (np.uint8, (-1, 255)),
        (np.uint8, (9, 8)),
        (np.uint8, (0.5, 8)),
        (np.uint8, (0, 2**99)),
        (np.uint8, (0, np.nan)),
        (np.uint8, (0, 1, 2)),
        (np.uint8, 255),
        (bool, (0, 2)),
        (np.int16, (-40000, 0)),
        (np.uint64, (0, 2**64)),
        (np.float32, (0, np.inf)),
        (np.float32, (np.nan, 1)),
        (np.float16, (0, 70000)),
        (np.float64, (1, 0)),
    ],
)
def test_a_range_that_there_cannot_be_is_refused(dtype, limits):
    with pytest.raises(ValueError, match=r"have the range .*; expected \(low, high\)"):
        ImageSpec(4, 5, dtype=np.dtype(dtype), range=limits)


@pytest.mark.parametrize(
    ("dtype", "limits", "depth"),
    [
        (np.uint8, (7, 7), 1),
        (np.uint64, (0, 2**64 - 1), 64),
        (np.int64, (-(2**63), 2**63 - 1), 64),
        (np.uint8, (np.uint8(1), np.uint8(200)), 8),
        (np.int8, np.array([-128, 127], np.int8), 8),
        (np.float64, (-1.7e308, 1.7e308), 64),
        (np.float32, (0, 1), 32),
        (bool, None, 1),
    ],
)
def test_every_range_has_a_depth(dtype, limits, depth):
    spec = ImageSpec(4, 5, dtype=np.dtype(dtype), range=limits)
    assert spec.depth == depth
    assert unpack_spec(ByteReader(pack_spec(spec))) == spec


def test_bytes_of_a_range_that_there_cannot_be_are_refused():
    spec = ImageSpec(4, 5, dtype=np.dtype(np.float64), range=(0, 1))
    data = bytearray(pack_spec(spec))
    data[-8:] = np.array(np.inf).tobytes()
    with pytest.raises(BitstreamError, match=r"pixels from 0\.0 to inf"):
        unpack_spec(ByteReader(bytes(data)))


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
        try:
            shown = shown_file(file)
            assert [image.shape for image in shown.images()] == [
                spec.shape for spec in shown.specs
            ]
        except Unreadable as error:
            assert "unknown kind of colours" in str(error)  # noqa: PT017
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


@pytest.mark.parametrize("bits_stored", [0, 20, 65535, None])
@pytest.mark.parametrize("packed", [False, True])
def test_a_wrong_number_of_bits_means_that_all_may_be_used(
    tmp_path, rng, bits_stored, packed
):
    pixels = numbers(rng, 5, 7, bits=16)
    (tmp_path / "a.dcm").write_bytes(dicom_bytes(pixels))
    data = dicom_bytes(pixels, packed=packed, BitsStored=bits_stored, HighBit=0)
    (tmp_path / "b.dcm").write_bytes(data)
    images = read_images(tmp_path)
    if packed and "b.dcm" not in images.names:
        # pydicom may want to know it.
        assert list(images.account.left_out) == ["unknown kind of pixels"]
        return
    assert images.spec == ImageSpec(5, 7, dtype=np.dtype(np.uint16))
    assert_array_equal(images[1], pixels)
    assert images.spec.depth == 16


@pytest.mark.parametrize("n_frames", ["0", "-1"])
@pytest.mark.parametrize("packed", [False, True])
def test_dicom_of_less_than_one_image_is_damaged(tmp_path, rng, n_frames, packed):
    pixels = numbers(rng, 5, 7)
    data = dicom_bytes(pixels, packed=packed, NumberOfFrames=n_frames)
    (tmp_path / "a.dcm").write_bytes(data)
    with pytest.raises(
        ValueError, match=f"damaged: DICOM: it claims {n_frames} images"
    ):
        read_images(tmp_path / "a.dcm")


def test_dicom_that_does_not_say_how_many_images_it_has_has_one(tmp_path, rng):
    pixels = numbers(rng, 5, 7)
    (tmp_path / "a.dcm").write_bytes(dicom_bytes(pixels, NumberOfFrames=None))
    assert_array_equal(read_images(tmp_path).stack(), [pixels])


def test_a_file_without_an_image_is_refused(tmp_path, pixels):
    (tmp_path / "a.tif").write_bytes(b"II*\0" + bytes(4))
    with pytest.raises(ValueError, match="no image: TIFF without images"):
        read_images(tmp_path / "a.tif")
    # An array of no image is meant to be one.
    np.save(tmp_path / "a.npy", pixels[:0])
    images = read_images(tmp_path / "a.npy")
    assert (len(images), images.image_shape) == (0, (4, 5))


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


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (sparse.csr_array(np.eye(9)), r"a csr_array, which is sparse.*\.toarray\(\)"),
        (sparse.coo_matrix(np.eye(9)), r"a coo_matrix, which is sparse"),
        (np.array([np.eye(2), np.eye(3), None], object), r"Python objects.*np\.stack"),
        (np.eye(9).astype(object), r"Python objects.*\.astype\(np\.float64\)"),
        ([[1, 2], [3]], r"a list that is no array"),
        (np.ma.masked_equal(np.eye(9), 1), r"a masked array.*\.filled\(0\)"),
        (np.eye(9).astype(str), r"array of <U32; expected integers or real"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused_with_a_remedy(array, message):
    with pytest.raises(ValueError, match=f"^test: .*{message}"):
        ImageSet.from_array(array, "test")


def test_a_list_of_images_is_an_array(pixels):
    assert_array_equal(ImageSet.from_array(list(pixels)).stack(), pixels)


def test_names_are_as_many_as_images(pixels):
    with pytest.raises(ValueError, match="test has 3 images, but 2 names"):
        ImageSet.from_array(pixels, "test", names=["a", "b"])
