"""Images: whatever a person has is read exactly, or named."""

import gzip
import hashlib
import os
import re
import socket

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from image_files import (
    IDX_CODES,
    dicom_bytes,
    files_of_all_formats,
    idx_bytes,
    npy_bytes,
    numbers,
    palette_bytes,
    pillow_bytes,
    tiff_bytes,
)
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image, ImageOps

from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import Account, ImageSet, ImageSpec, read_images
from sklearn_dae.images._idx import read_idx
from sklearn_dae.images._image_file import Options, Unreadable
from sklearn_dae.images._png import SIGNATURE, Png, read_head
from sklearn_dae.images._wrapper import Raw
from sklearn_dae.images._wrappers import unwrap
from sklearn_dae.images.readers import open_file

#: Damaged files of each format that are tried.
N_DAMAGED = int(os.environ.get("SKLEARN_DAE_DAMAGED", "60"))

FORMATS = files_of_all_formats(np.random.default_rng(0))


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 256, (3, 4, 5)).astype(np.uint8)


# What an image is


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


# Files of all formats


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
    if expected is not None and file.palette is None:
        assert_array_equal(np.squeeze(images), expected)
    elif expected is not None:
        assert_array_equal(file.palette[images[0]][..., 0], expected)
    wrapper = file.wrap()
    assert unwrap(wrapper.to_bytes()) == wrapper
    again = wrapper.rebuild(images)
    if wrapper.is_exact:
        assert again == data
        return
    copy = tmp_path / "copy"
    copy.write_bytes(again)
    restored = open_file(copy)
    assert restored.specs == file.specs
    assert_array_equal(restored.read(0), images[0])
    # All else that was in the file is still there.
    assert restored.wrap() == wrapper
    with Image.open(path) as before, Image.open(copy) as after:
        assert (before.mode, before.info) == (after.mode, after.info)


@pytest.mark.parametrize("name", ["bmp", "pgm", "ppm", "dcm", "npy"])
def test_formats_that_hold_pixels_as_they_are_keep_nothing_twice(tmp_path, name):
    for file_name, (data, _) in FORMATS.items():
        if file_name.endswith(name) and "bits" not in file_name:
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
    path.write_bytes(file.wrap().rebuild([file.read(0)]))
    assert_array_equal(open_file(path).read(0), np.asarray(image))
    assert_array_equal(open_file(path).palette, file.palette)


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
        assert (file.orientation, file.read(0).shape) == (6, (4, 5))
        path.write_bytes(file.wrap().rebuild([file.read(0)]))
        with Image.open(path) as image:
            assert image.getexif()[0x0112] == 6
            assert image.info["icc_profile"] == b"profile"
    assert (tmp_path / "turned.jpg").read_bytes()[:2] == b"\xff\xd8"
    plain = Png.plain(ImageSpec(4, 5), orientation=6).rebuild([pixels[0]])
    (tmp_path / "plain.png").write_bytes(plain)
    assert open_file(tmp_path / "plain.png").orientation == 6


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pixels_of_any_shape_become_png_files(tmp_path, rng, channels, dtype):
    for height, width in ((1, 1), (3, 1), (2, 50), (40, 31)):
        spec = ImageSpec(height, width, channels, np.dtype(dtype))
        smooth = np.add.outer(np.arange(height), 3 * np.arange(width))
        image = np.repeat(smooth[..., np.newaxis], channels, 2).reshape(spec.shape)
        image = (image * 7 + rng.integers(0, 3, spec.shape)).astype(dtype)
        (tmp_path / "file.png").write_bytes(Png.plain(spec).rebuild([image]))
        assert_array_equal(open_file(tmp_path / "file.png").read(0), image)


def test_pixels_that_png_files_cannot_hold_are_refused():
    with pytest.raises(ValueError, match="PNG files hold unsigned integers"):
        Png.plain(ImageSpec(4, 5, dtype=np.dtype(np.int16)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"X\0",
        b"K\1",
        b"K\1\1",
        b"R\4\0\0\3\5|u1\0\0\0\3\0",
        b"R\4\0\0\3\5abc\0\0\0\1\0",
        b"P\3\1\0\0x",
    ],
)
def test_what_does_not_wrap_a_file_is_refused(data):
    with pytest.raises(BitstreamError):
        unwrap(data)


# Damage


def _read_all(path):
    file = open_file(path)
    return [file.read(i) for i in range(len(file))]


@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_file_is_read_or_named(tmp_path, rng, name):
    data, _ = FORMATS[name]
    path = tmp_path / name
    path.write_bytes(data)
    whole = _read_all(path)
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
            images = _read_all(path)
        except Unreadable:
            n_named += 1
            continue
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


# Folders


def _save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_a_folder_is_read_with_all_that_is_below_it(tmp_path, pixels):
    for name in ("b10.png", "b9.bmp", "a/z.tif", "a/b/c.webp", "A.pgm"):
        kwargs = {"lossless": True} if name.endswith("webp") else {}
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[0]).save(path, **kwargs)
    images = read_images(tmp_path)
    assert list(images.names) == ["A.pgm", "a/b/c.webp", "a/z.tif", "b10.png", "b9.bmp"]
    assert images.account == Account(
        5, 5, sum(path.stat().st_size for path in tmp_path.rglob("*.*"))
    )
    for i in (0, 2, 3, 4):
        assert_array_equal(images[i], pixels[0])
    assert images.file_bytes(3) == (tmp_path / "b10.png").read_bytes()
    assert len(images[1:3]) == 2
    assert list(images[np.array([4, 0])].names) == ["b9.bmp", "A.pgm"]


def test_what_is_left_out_is_named_by_its_reason(tmp_path, pixels):
    _save(tmp_path / "good.png", pixels[0])
    _save(tmp_path / ".hidden.png", pixels[0])
    _save(tmp_path / "cut.png", pixels[0])
    cut = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(cut[:-20])
    (tmp_path / "empty.png").touch()
    (tmp_path / "z.png").write_bytes(b"%!PS-Adobe-3.0\n%%BoundingBox: 0 0 1 1\n")
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "two.npy").write_bytes(2 * npy_bytes(pixels))
    (tmp_path / "labels.npy").write_bytes(npy_bytes(np.arange(5)))
    os.symlink(tmp_path / "good.png", tmp_path / "link.png")
    os.symlink(tmp_path, tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket.png"))
        images = read_images(tmp_path)
    assert list(images.names) == ["good.png"]
    account = images.account
    left_out = {why: sorted(names) for why, names in account.left_out.items()}
    assert left_out == {
        "hidden": [".hidden.png"],
        "damaged": ["cut.png"],
        "empty": ["empty.png"],
        "unknown format": ["notes.txt", "z.png"],
        "goes on after its array": ["two.npy"],
        "not images": ["labels.npy"],
        "link": ["link.png", "loop"],
        "FIFO": ["pipe.png"],
        "socket": ["socket.png"],
    }
    assert account.n_left_out == 11
    assert Account.from_dict(account.to_dict()) == account


def test_a_folder_without_images_says_what_was_found(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing here")
    with pytest.raises(ValueError, match=r"no image.*1 unknown format.*expected PNG"):
        read_images(tmp_path)


def test_a_file_that_cannot_be_read_is_refused_alone(tmp_path, pixels):
    _save(tmp_path / "a.png", pixels[0])
    images = read_images(tmp_path / "a.png")
    assert (len(images), list(images.names)) == (1, ["a.png"])
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    with pytest.raises(ValueError, match=r"a\.png cannot be read as images: damaged"):
        read_images(tmp_path / "a.png")


def test_names_that_are_no_text_are_kept(tmp_path, pixels):
    _save(tmp_path / "a.png", pixels[0])
    os.rename(tmp_path / "a.png", os.fsencode(tmp_path) + b"/r\xe9s\n.png")
    (name,) = read_images(tmp_path).names
    assert os.fsencode(name) == b"r\xe9s\n.png"


def test_a_file_that_vanishes_is_named(tmp_path, pixels):
    _save(tmp_path / "a.png", pixels[0])
    images = read_images(tmp_path)
    (tmp_path / "a.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.png"):
        images[0]


_JUNK = {
    "text": b"not an image",
    "empty": b"",
    "script": b"%!PS-Adobe-3.0",
    "cut": b"\x89PNG\r\n\x1a\n",
    "noise": bytes(range(256)),
}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_files=st.integers(1, 12))
def test_all_of_any_folder_comes_back_or_is_named(tmp_path_factory, seed, n_files):
    rng = np.random.default_rng(seed)
    folder = tmp_path_factory.mktemp("folder")
    sound, junk = {}, set()
    letters = [*"ab \n\u00e9\u5199'*", "\udcff", "\x1b[31m"]
    for number in range(n_files):
        stem = "".join(rng.choice(letters, rng.integers(1, 5)))
        above = "/".join(f"d{i}" for i in range(rng.integers(3)))
        ending = rng.choice([".png", ".jpg", ".dcm", "", ".PNG"])
        name = f"{above}/{number}{stem}{ending}".lstrip("/")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if rng.random() < 0.3:
            (folder / name).write_bytes(_JUNK[rng.choice(list(_JUNK))])
            junk.add(name)
        else:
            sound[name] = FORMATS[rng.choice(list(FORMATS))][0]
            (folder / name).write_bytes(sound[name])
    if not sound:
        with pytest.raises(ValueError, match="no image that can be read"):
            read_images(folder)
        return
    images = read_images(folder)
    left_out = {name for names in images.account.left_out.values() for name in names}
    assert left_out == junk
    found = dict(zip(images.file_names, images.files, strict=True))
    assert found.keys() == sound.keys()
    for name, file in found.items():
        assert file.path.read_bytes() == sound[name]
        pixels = [file.read(i) for i in range(len(file))]
        again = file.wrap().rebuild(pixels)
        (folder / "again").write_bytes(again)
        for one, other in zip(pixels, _read_all(folder / "again"), strict=True):
            assert_array_equal(one, other)
    assert len(images) == images.account.n_images == sum(map(len, images.files))


# Sets


def test_images_of_many_kinds_are_a_set(tmp_path, rng):
    first, second = numbers(rng, 7, 9), numbers(rng, 4, 5, 3)
    for i in range(3):
        _save(tmp_path / f"{2 * i}.png", first)
        _save(tmp_path / f"{2 * i + 1}.png", second)
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


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "P, transparent"])
def test_colours_become_grey(tmp_path, rng, mode):
    colours = rng.integers(0, 256, (4, 5, 3)).astype(np.uint8)
    image = Image.fromarray(colours).convert(mode.split(",")[0])
    options = {"transparency": b"\0\x80"} if "transparent" in mode else {}
    image.save(tmp_path / "a.png", **options)
    with Image.open(tmp_path / "a.png") as image:
        image.apply_transparency() if "P" in mode else None
        shown = np.asarray(image.convert("RGBA"), float)
    luminance = shown[..., :3] @ [0.299, 0.587, 0.114]
    opacity = shown[..., 3] / 255
    expected = luminance * opacity + 255 * (1 - opacity)
    images = read_images(tmp_path, grey=True)
    assert images.spec == ImageSpec(4, 5)
    assert_allclose(images[0], expected, atol=1)


def test_deep_colours_become_deep_grey(tmp_path, rng):
    colours = numbers(rng, 2, 4, 5, 3, bits=16)
    grey = ImageSet.from_array(colours).to_grey()
    assert grey.spec == ImageSpec(4, 5, 1, np.dtype(np.uint16))
    expected = colours @ np.array([0.299, 0.587, 0.114])
    assert_allclose(grey.stack(), expected, atol=2)
    with pytest.raises(ValueError, match="cannot be turned to grey"):
        ImageSet.from_array(colours.astype(float)).to_grey()


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_numbers_of_few_bits_become_bytes(tmp_path, rng, depth):
    pixels = numbers(rng, 5, 7, bits=depth)
    spec = ImageSpec(5, 7, range=(0, (1 << depth) - 1))
    path = tmp_path / "a.png"
    if depth == 1:
        path.write_bytes(Png.plain(spec).rebuild([pixels]))
    else:
        head = Png.plain(spec).before
        head = SIGNATURE + head
        few = read_head(head)._replace(depth=depth)
        path.write_bytes(Png(few.to_chunk(), b"", b"").rebuild([pixels]))
    images = read_images(tmp_path)
    assert images.spec == spec
    assert_array_equal(images[0], pixels)
    with Image.open(path) as image:
        expected = np.asarray(image.convert("L"))
    assert images.as_shown().spec == ImageSpec(5, 7)
    assert_array_equal(images.as_shown()[0], expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_exif_says(tmp_path, pixels, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels[0]).save(tmp_path / "a.png", exif=exif)
    images = read_images(tmp_path)
    assert_array_equal(images[0], pixels[0])
    with Image.open(tmp_path / "a.png") as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    shown = images.as_shown()
    assert shown.image_shape == expected.shape
    assert_array_equal(shown[0], expected)


@pytest.mark.parametrize("value", [0, 3, 99])
def test_tiff_files_are_turned_where_they_say_how(tmp_path, pixels, value):
    data = tiff_bytes(pixels[0], extratags=[(0x0112, "H", 1, value, True)])
    (tmp_path / "a.tif").write_bytes(data)
    expected = pixels[0][::-1, ::-1] if value == 3 else pixels[0]
    assert_array_equal(read_images(tmp_path).as_shown()[0], expected)


@pytest.mark.parametrize("kind", ["1", "L", "RGB", "I;16", "P", "P, transparent"])
def test_colours_that_are_transparent_become_opacity(tmp_path, rng, kind):
    if kind.startswith("P"):
        options = {"transparency": b"\0\x80"} if "transparent" in kind else {}
        (tmp_path / "a.png").write_bytes(palette_bytes(rng, "PNG", **options))
    else:
        shape = (4, 5, 3) if kind == "RGB" else (4, 5)
        bits = {"1": 1, "I;16": 16}.get(kind, 8)
        image = numbers(rng, *shape, bits=bits)
        image = image.astype(bool) if kind == "1" else image
        colour = tuple(map(int, image[1, 1])) if kind == "RGB" else int(image[1, 1])
        colour = 255 * colour if kind == "1" else colour
        Image.fromarray(image).save(tmp_path / "a.png", transparency=colour)
    images = read_images(tmp_path).as_shown()
    assert images[0].shape == images.image_shape
    if kind == "I;16":
        assert images[0][1, 1, 1] == 0
        assert_array_equal(images[0][..., 0], image)
        assert images[0][..., 1].max() == 65535
        return
    with Image.open(tmp_path / "a.png") as picture:
        expected = np.asarray(picture.convert("RGBA"))
    shown = images[0]
    rows = shown[..., :1] if images.spec.channels == 2 else shown[..., :3]
    assert_array_equal(np.broadcast_to(rows, (*shown.shape[:2], 3)), expected[..., :3])
    if images.spec.channels in (2, 4):
        assert_array_equal(shown[..., -1], expected[..., 3])


# Arrays


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "images", "images.gz"])
def test_arrays_of_all_kinds_are_read(tmp_path, pixels, name):
    path = tmp_path / name
    if name == "x.npy":
        np.save(path, pixels)
    elif name == "x.npz":
        np.savez(path, pixels)
    else:
        content = idx_bytes(pixels)
        path.write_bytes(gzip.compress(content) if path.suffix else content)
    images = read_images(str(path))
    assert (len(images), images.image_shape) == (3, (4, 5))
    assert images.source == str(path)
    assert_array_equal(images.data, pixels.reshape(3, 20))
    assert len(images.names) == 0


def test_images_of_npz_files_have_their_names(tmp_path, pixels):
    np.savez(tmp_path / "x.npz", images=pixels, names=["a", "b", "c"])
    assert list(read_images(tmp_path / "x.npz").names) == ["a", "b", "c"]
    np.savez(tmp_path / "x.npz", images=pixels, names=["a", "b"])
    with pytest.raises(ValueError, match="3 images, but 2 names"):
        read_images(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("shape", "expected"), [((2, 3, 7), (3, 7)), ((2, 16), (4, 4))]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, bool, np.float64])
def test_array_file_is_mapped_and_takes_images_or_rows(
    tmp_path, shape, expected, dtype
):
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    np.save(tmp_path / "x.npy", array)
    images = read_images(tmp_path / "x.npy")
    assert isinstance(images.data, np.memmap)
    assert (images.image_shape, images.data.dtype) == (expected, array.dtype)
    assert_array_equal(images.data, array.reshape(2, -1))


def test_one_of_several_arrays_is_chosen_by_its_key(tmp_path, pixels):
    path = tmp_path / "x.npz"
    np.savez(path, train=pixels, labels=np.arange(3))
    images = read_images(path, key="train")
    assert_array_equal(images.data, pixels.reshape(3, 20))
    for key in (None, "test"):
        with pytest.raises(ValueError, match=rf"train, labels; .*key={key!r}"):
            read_images(path, key=key)
    np.save(tmp_path / "x.npy", pixels)
    with pytest.raises(ValueError, match=r"is no \.npz file, so it has no array"):
        read_images(tmp_path / "x.npy", key="train")


@pytest.mark.parametrize("save", [np.save, np.savez, np.savez_compressed])
@pytest.mark.parametrize("kept", [0.0, 0.05, 0.5, 0.99])
def test_truncated_array_file_is_refused(tmp_path, pixels, save, kept):
    path = tmp_path / ("x.npy" if save is np.save else "x.npz")
    save(path, np.tile(pixels, (1, 9, 9)))
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ValueError, match=re.escape(f"{path} cannot be read")):
        read_images(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_array_in_an_archive_is_refused(tmp_path, pixels, save):
    path = tmp_path / "x.npz"
    save(path, pixels)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 - 40] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(f"{path} cannot be read")):
        read_images(path)


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(4), r"shape \(4,\); expected \(n_images, height, width\)"),
        (np.zeros((2, 4, 4, 5)), r"shape \(2, 4, 4, 5\); expected .*four channels"),
        (np.zeros((2, 0, 4)), r"shape \(2, 0, 4\) has no pixels"),
        (np.array([["a", "b"]]), "array of <U1; expected integers or real numbers"),
        (np.array([[1j, 2]]), "complex128; expected integers or real"),
        (np.array([["2020-01-01"]], "M8[D]"), "array of datetime64"),
        (np.array([[{"code": "is run"}]], object), r"[Oo]bject"),
        (np.zeros((2, 4, 4), np.longdouble), "at most 64 bits"),
    ],
)
def test_array_that_holds_no_images_is_refused(tmp_path, name, array, message):
    path = tmp_path / name
    (np.save if name == "x.npy" else np.savez)(path, array)
    with pytest.raises(ValueError, match=message) as caught:
        read_images(path)
    assert str(path) in str(caught.value)
    assert "damaged" not in str(caught.value)


# IDX


@settings(max_examples=60)
@given(
    array=st.sampled_from(list(IDX_CODES)).flatmap(
        lambda dtype: arrays(dtype, array_shapes(min_dims=0, max_dims=4, min_side=0))
    ),
    zipped=st.booleans(),
)
def test_idx_round_trip(tmp_path_factory, array, zipped):
    content = idx_bytes(array)
    path = tmp_path_factory.getbasetemp() / "round-trip"
    path.write_bytes(gzip.compress(content) if zipped else content)
    read = read_idx(path, md5=hashlib.md5(content).hexdigest())
    assert (read.dtype, read.shape) == (array.dtype, array.shape)
    assert read.tobytes() == array.tobytes()


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_idx_cut_short_anywhere_is_refused(tmp_path, pixels, pack):
    path, content = tmp_path / "short", pack(idx_bytes(pixels))
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"truncated|is not an IDX") as caught:
            read_idx(path)
        assert str(path) in str(caught.value)


def test_damaged_gzip_never_gives_other_pixels(tmp_path, pixels):
    path, content = tmp_path / "damaged.gz", gzip.compress(idx_bytes(pixels))
    messages = []
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 0x55
        path.write_bytes(damaged)
        try:
            assert_array_equal(read_idx(path), pixels)
        except ValueError as error:
            messages.append(str(error))
    assert len(messages) > 60  # Only some bytes of the gzip header do not matter.
    assert all(str(path) in message for message in messages)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content: content + b"\0", "is too long"),
        (lambda content: content[:-1], "is truncated"),
        (lambda content: content[:9], "truncated within its header"),
        (lambda content: b"\x89PNG" + content, "is not an IDX file: .*89 50 4e 47"),
        (lambda content: b"\0\0\x07" + content[3:], "is not an IDX file"),
        (lambda content: b"", "is not an IDX file"),
    ],
)
def test_what_is_no_whole_idx_file_is_refused(tmp_path, pixels, spoil, message):
    path = tmp_path / "spoilt"
    path.write_bytes(spoil(idx_bytes(pixels)))
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("load", [read_idx, read_images])
def test_missing_path_is_named(tmp_path, load):
    with pytest.raises(FileNotFoundError, match=re.escape("nowhere.npy")):
        load(tmp_path / "nowhere.npy")


def test_idx_of_labels_holds_no_images(tmp_path):
    (tmp_path / "labels").write_bytes(idx_bytes(np.arange(5, dtype=np.uint8)))
    with pytest.raises(ValueError, match=r"shape \(5,\).*\(n_images, height, width\)"):
        read_images(tmp_path / "labels")


def test_names_are_as_many_as_images(pixels):
    with pytest.raises(ValueError, match="test has 3 images, but 2 names"):
        ImageSet.from_array(pixels, "test", names=["a", "b"])
