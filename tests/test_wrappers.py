"""What stands around pixels: bytes and back, and files that are made from it."""

import gzip
import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_files import files_of_all_formats, idx_bytes, joined, npz_bytes, numbers
from numpy.testing import assert_array_equal

from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec, read_images
from sklearn_dae.images._raw import Layout, Raw
from sklearn_dae.images._wrappers import unwrap
from sklearn_dae.images._zipped import Gzipped, Zipped
from sklearn_dae.images.readers import open_file

FORMATS = files_of_all_formats(np.random.default_rng(0))


@st.composite
def _images_in_bytes(draw):
    """Images, how they are stored, and the bytes between their pieces."""
    bits = draw(st.sampled_from([0, 0, 1, 4, 12]))
    dtype = "<u2" if bits > 8 else draw(st.sampled_from(["|u1", ">u2", "<i4", ">f8"]))
    dtype = "|u1" if 0 < bits <= 8 else dtype
    layout = Layout(
        dtype,
        upwards=draw(st.booleans()),
        reversed_colours=draw(st.booleans()),
        planes=draw(st.booleans()),
        multiple=draw(st.sampled_from([1, 2, 4])),
        bits=bits,
        inverted=bits == 1 and draw(st.booleans()),
    )
    height, width, channels = (draw(st.integers(1, 5)) for _ in range(3))
    native = np.dtype(dtype).newbyteorder("=")
    spec = ImageSpec(height, width, min(channels, 4), native)
    shape = draw(st.integers(1, 3)), *spec.shape
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    images = rng.integers(0, 1 << (bits or 7), shape).astype(native)
    n_bytes = len(images) * layout.size(spec)
    cuts = sorted(draw(st.lists(st.integers(0, n_bytes), max_size=4)))
    sizes = np.diff([0, *cuts]).tolist()
    gaps = tuple((size, draw(st.binary(max_size=3))) for size in sizes)
    return spec, images, Raw(layout, b"before", b"after", gaps)


@given(_images_in_bytes())
def test_pixels_are_stored_as_a_layout_says(drawn):
    spec, images, wrapper = drawn
    assert unwrap(wrapper.to_bytes()) == wrapper
    data = b"".join(wrapper.rebuild(iter(images)))
    stored = b"".join(map(wrapper.layout.stored, images))
    assert len(stored) == len(images) * wrapper.layout.size(spec)
    expected, at = b"before", 0
    for size, gap in wrapper.gaps:
        expected += stored[at : at + size] + gap
        at += size
    assert data == expected + stored[at:] + b"after"
    if not wrapper.layout.bits:
        pieces = np.frombuffer(stored, np.uint8).reshape(len(images), -1)
        for image, piece in zip(images, pieces, strict=True):
            assert_array_equal(wrapper.layout.cut(piece.tobytes(), spec), image)


def test_images_that_are_too_few_are_refused():
    wrapper = Raw(Layout("|u1"), gaps=((20, b"x"), (20, b"y")))
    with pytest.raises(ValueError, match="1 pieces of it are still to come"):
        list(wrapper.rebuild([np.zeros((4, 5), np.uint8)]))


@pytest.mark.parametrize("name", ["stack.tif", "frames.dcm", "stack.npy", "stack.npz"])
def test_images_are_taken_one_at_a_time(tmp_path, name):
    (tmp_path / name).write_bytes(FORMATS[name][0])
    file = open_file(tmp_path / name)
    taken, seen = 0, []

    def images():
        nonlocal taken
        for image in file.images():
            taken += 1
            yield image

    for _ in file.wrap().rebuild(images()):
        seen.append(taken)
    assert {0, 1, 2, 3} == set(seen)


@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        lambda images: images,
        lambda images: images.astype(">u2"),
        np.asfortranarray,
        lambda images: images.reshape(3, -1),
        lambda images: images.astype(bool),
    ],
    ids=["plain", "big-endian", "by columns", "rows", "booleans"],
)
def test_npz_files_load_with_equal_arrays(tmp_path, rng, change, deflated):
    arrays = {
        "names": np.array(["a", "bcd", ""]),
        "images": change(numbers(rng, 3, 4, 4)),
    }
    path, copy = tmp_path / "a.npz", tmp_path / "copy.npz"
    path.write_bytes(npz_bytes(arrays, deflated))
    file = open_file(path)
    assert isinstance(file.wrap(), Zipped)
    copy.write_bytes(joined(file))
    with np.load(copy) as loaded:
        assert list(loaded) == ["names", "images"]
        for name, array in arrays.items():
            assert (loaded[name].dtype, loaded[name].shape) == (
                array.dtype,
                array.shape,
            )
            assert loaded[name].flags.f_contiguous == array.flags.f_contiguous
            assert_array_equal(loaded[name], array)
    with zipfile.ZipFile(path) as one, zipfile.ZipFile(copy) as other:
        assert [i.compress_type for i in one.infolist()] == [
            i.compress_type for i in other.infolist()
        ]


def test_an_npz_file_of_which_one_array_was_taken_is_kept(tmp_path, rng):
    path = tmp_path / "a.npz"
    path.write_bytes(
        npz_bytes({"train": numbers(rng, 3, 4, 4), "labels": np.arange(3)})
    )
    (file,) = read_images(path, key="train").files
    assert file.wrap() is None


def test_gzipped_idx_files_have_the_same_content_and_no_time(tmp_path, rng):
    for dtype in ("u1", ">i2", ">f8"):
        content = idx_bytes(numbers(rng, 3, 4, 4).astype(dtype))
        path = tmp_path / "images.gz"
        path.write_bytes(gzip.compress(content, 1))
        file = open_file(path)
        assert isinstance(file.wrap(), Gzipped)
        again = joined(file)
        assert gzip.decompress(again) == content
        assert again[4:8] == bytes(4)
        with gzip.GzipFile(fileobj=io.BytesIO(again)) as opened:
            opened.read()
            assert opened.mtime == 0


@pytest.mark.parametrize("name", FORMATS)
def test_what_does_not_wrap_a_file_is_refused_or_harmless(tmp_path, rng, name):
    (tmp_path / "file").write_bytes(FORMATS[name][0])
    file = open_file(tmp_path / "file")
    wrapper = file.wrap()
    if wrapper is None:
        return
    data, images = wrapper.to_bytes(), list(file.images())
    for _ in range(40):
        damaged = bytearray(data)
        damaged[rng.integers(len(data))] ^= 1 << rng.integers(8)
        try:
            again = unwrap(bytes(damaged))
        except BitstreamError:
            continue
        try:
            n_bytes = sum(map(len, again.rebuild(images)))
        except ValueError:
            continue
        assert n_bytes < 2**20


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"X\0",
        b"R\1",
        b"R\1\1",
        Raw(Layout("|u1")).to_bytes()[:-1],
        Raw(Layout("|u1", multiple=3)).to_bytes(),
        Raw(Layout("<f4", bits=12)).to_bytes(),
        Raw(Layout("|S3")).to_bytes(),
        b"P\3\1\0\0x",
        b"G\1\0",
        b"Z\2\0\0",
        b"T\3\2\1\0\0\0\0",
    ],
)
def test_what_does_not_wrap_a_file_is_refused(data):
    with pytest.raises(BitstreamError):
        unwrap(data)
