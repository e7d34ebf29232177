"""Folders of images: all that is in them is read, or named."""

import os
import pickle
import socket
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image_files import (
    files_of_all_formats,
    joined,
    npy_bytes,
    read_all,
    save,
)
from numpy.testing import assert_array_equal
from PIL import Image

from sklearn_dae.images import Account, ImageSet, read_images
from sklearn_dae.images._image_file import Unreadable

FORMATS = files_of_all_formats(np.random.default_rng(0))


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 256, (3, 4, 5)).astype(np.uint8)


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
    save(tmp_path / "good.png", pixels[0])
    save(tmp_path / ".hidden.png", pixels[0])
    save(tmp_path / "cut.png", pixels[0])
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
    save(tmp_path / "a.png", pixels[0])
    images = read_images(tmp_path / "a.png")
    assert (len(images), list(images.names)) == (1, ["a.png"])
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    with pytest.raises(ValueError, match=r"a\.png cannot be read as images: damaged"):
        read_images(tmp_path / "a.png")


def test_names_that_are_no_text_are_kept(tmp_path, pixels):
    save(tmp_path / "a.png", pixels[0])
    os.rename(tmp_path / "a.png", os.fsencode(tmp_path) + b"/r\xe9s\n.png")
    (name,) = read_images(tmp_path).names
    assert os.fsencode(name) == b"r\xe9s\n.png"


def test_a_file_that_vanishes_is_named(tmp_path, pixels):
    save(tmp_path / "a.png", pixels[0])
    images = read_images(tmp_path)
    (tmp_path / "a.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.png"):
        images[0]


@pytest.mark.parametrize("name", [n for n in FORMATS if n[-3:] not in ("npz", ".gz")])
def test_a_file_that_becomes_shorter_is_named_with_what_happened(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(FORMATS[name][0])
    images = read_images(tmp_path)
    size = path.stat().st_size
    os.truncate(path, size // 2)
    with pytest.raises(Unreadable, match=f"changed: it had {size:,} bytes") as caught:
        list(images)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_file_that_becomes_another_is_named(tmp_path, pixels):
    save(tmp_path / "a.png", pixels[0])
    images = read_images(tmp_path)
    save(tmp_path / "a.png", pixels[0, :2])
    with pytest.raises(Unreadable, match=r"a\.png: changed: it held .* 5 x 4 pixels"):
        images[0]


def test_a_mapped_file_that_becomes_shorter_ends_no_process(tmp_path, pixels):
    np.save(tmp_path / "a.npy", np.tile(pixels, (9, 99, 99)))
    images = read_images(tmp_path / "a.npy")
    os.truncate(tmp_path / "a.npy", 4096)
    for read in (lambda: images[20], images.stack):
        with pytest.raises(Unreadable, match=r"a\.npy: changed: it had .* 4,096 now"):
            read()


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", "/dev/null"):
        with pytest.raises(ValueError, match="no regular file"):
            read_images(path)


def test_all_other_files_are_named_to_be_kept(tmp_path, pixels):
    save(tmp_path / "a/good.png", pixels[0])
    for name, data in (
        ("notes\n.txt", b"not an image"),
        ("empty", b""),
        ("a/cut.png", b"\x89PNG\r\n\x1a\n"),
        (".hidden", b"x"),
        (".git/config", b"x"),
        (".git/.deep/.er", b"x"),
        ("a/.cache/b/c", b"x"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    os.symlink(tmp_path / "empty", tmp_path / "link")
    os.symlink(tmp_path / "empty", tmp_path / ".hidden-link")
    os.mkfifo(tmp_path / "pipe")
    images = read_images(tmp_path)
    assert [name for name, _ in images.others] == [
        *(".git/.deep/.er", ".git/config", ".hidden", "a/.cache/b/c", "a/cut.png"),
        *("empty", "notes\n.txt"),
    ]
    assert all(path == tmp_path / name for name, path in images.others)
    # A hidden folder is told as one.
    hidden = images.account.left_out["hidden"]
    assert sorted(hidden) == [".git", ".hidden", ".hidden-link", "a/.cache"]
    assert images[:1].others == images.others


def test_a_set_is_whole_with_all_images_of_its_files_in_order(tmp_path, pixels):
    for name in "abc":
        np.save(tmp_path / f"{name}.npy", pixels)
    images = read_images(tmp_path)
    assert images.is_whole
    assert images[:].is_whole
    assert images[np.arange(9)].is_whole
    assert not images[1:].is_whole
    assert not images[::-1].is_whole
    assert images.file_names
    array = ImageSet.from_array(pixels)
    assert array.is_whole
    assert not array[1:].is_whole
    assert not array.file_names
    assert images[3:6].names[1] == "b.npy[1]"


def _make_deep(folder, name, n_levels):
    """Make folders in folders, whose path may be longer than the system takes."""
    place = os.open(folder, os.O_RDONLY)
    for _ in range(n_levels):
        os.mkdir(name, dir_fd=place)
        below = os.open(name, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(place)


def test_folders_may_be_many_levels_deep(tmp_path, pixels):
    save(tmp_path / "a.png", pixels[0])
    _make_deep(tmp_path, "d", 1200)
    try:
        images = read_images(tmp_path)
    finally:
        # Python's removal of folders may not be as deep.
        while (tmp_path / "d/d").exists():
            os.rename(tmp_path / "d/d", tmp_path / "e")
            os.rmdir(tmp_path / "d")
            os.rename(tmp_path / "e", tmp_path / "d")
    assert (list(images.names), images.account.n_left_out) == (["a.png"], 0)


def test_a_folder_whose_path_is_too_long_is_named(tmp_path, pixels):
    save(tmp_path / "a.png", pixels[0])
    _make_deep(tmp_path, 100 * "d", 45)
    images = read_images(tmp_path)
    assert list(images.names) == ["a.png"]
    assert list(images.account.left_out) == ["File name too long"]


def test_many_files_take_little_memory(tmp_path):
    for number in range(500):
        (tmp_path / f"{number:05}.pgm").write_bytes(b"P5 2 2 255\nabcd")
    read_images(tmp_path)
    tracemalloc.start()
    try:
        images = read_images(tmp_path)
        n_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert n_bytes < 700 * len(images)


def test_a_folder_of_many_files_is_read(tmp_path):
    for number in range(3000):
        kind = number % 3 + 1
        data = b"P5 %d 1 255\n%s" % (kind, bytes([number % 251] * kind))
        (tmp_path / f"{number:05}.pgm").write_bytes(data)
    images = read_images(tmp_path)
    assert len(images) == 3000
    assert len({id(file.specs) for file in images.files}) == 3
    assert [images.names[i] for i in (0, 1, -1)] == [
        *("00000.pgm", "00001.pgm", "02999.pgm")
    ]
    assert list(images.names[5:2:-1]) == ["00005.pgm", "00004.pgm", "00003.pgm"]
    groups = images.groups()
    assert [spec.width for spec in groups] == [1, 2, 3]
    for kind, numbers in enumerate(groups.values()):
        assert_array_equal(numbers, np.arange(kind, 3000, 3))
        assert_array_equal(images[numbers].data[:, 0], numbers % 251)
    again = pickle.loads(pickle.dumps(images))
    assert list(again.names) == list(images.names)
    assert_array_equal(again[7], images[7])


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
        if file.wrap() is None:
            continue
        (folder / "again").write_bytes(joined(file))
        for one, other in zip(pixels, read_all(folder / "again"), strict=True):
            assert_array_equal(one, other)
    assert len(images) == images.account.n_images == sum(map(len, images.files))
