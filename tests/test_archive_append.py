"""Archives: more images into one that is there."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest
from archive_checks import (
    ANY_SIZE,
    CODEC,
    IMAGES,
    NAMES,
    assert_same,
    mixed,
    written,
)
from numpy.testing import assert_array_equal
from sklearn.decomposition import PCA

from sklearn_dae.archive import append_to_archive, open_archive, write_archive
from sklearn_dae.codecs import TransformCodec
from sklearn_dae.datasets import load_digits
from sklearn_dae.exceptions import BitstreamError, OutOfDomainWarning
from sklearn_dae.images import ImageSet
from sklearn_dae.models import model_to_bytes


@pytest.fixture
def path(tmp_path):
    """An archive of forty images without names."""
    path = tmp_path / "a.dae"
    path.write_bytes(written(IMAGES[:40]))
    return path


def test_images_are_added_again_and_again(path):
    before = path.read_bytes()
    seen = []
    info = append_to_archive(path, IMAGES[40:70], chunk_size=9, progress=seen.append)
    assert seen == [49, 58, 67, 70]
    with open_archive(path) as archive:
        assert archive.info() == info
        assert info.n_images == 70
        assert info.parts.total == path.stat().st_size
        # What was there stays as it was.
        n_before = len(before) - open_archive(io.BytesIO(before)).info().parts.index
        assert path.read_bytes()[:n_before] == before[:n_before]
    append_to_archive(path, (image for image in IMAGES[70:]), image_shape=(3, 4))
    append_to_archive(path, [])
    with open_archive(path) as archive:
        assert_array_equal(archive[:], IMAGES)
        assert archive.verify().ok
        assert len(archive.names) == 0
    assert os.listdir(path.parent) == ["a.dae"]


def test_images_without_an_index_are_still_found(path):
    append_to_archive(path, IMAGES[40:])
    archive = open_archive(io.BytesIO(path.read_bytes()[:-1]), salvage=True)
    assert_array_equal(archive[:], IMAGES)


def test_images_of_other_kinds_are_added(tmp_path):
    path, images = tmp_path / "a.dae", mixed()
    write_archive(path, images[:20], ANY_SIZE, names=NAMES[:20], chunk_size=3)
    info = append_to_archive(path, images[20:], names=NAMES[20:40], chunk_size=4)
    assert sum(info.kinds.values()) == 40
    with open_archive(path) as archive:
        assert archive.info() == info
        assert_same(archive[:], images)
        assert [*archive.names] == NAMES[:40]
        assert archive.names.find(NAMES[35]) == 35
        assert archive.verify().ok


def test_an_archive_may_begin_with_no_image(tmp_path):
    path = tmp_path / "a.dae"
    write_archive(path, [], CODEC)
    append_to_archive(path, IMAGES[:5], names=NAMES[:5])
    with open_archive(path) as archive:
        assert [*archive.names] == NAMES[:5]
        assert_array_equal(archive[:], IMAGES[:5])


def test_names_must_go_on_as_they_began(path, tmp_path):
    named = tmp_path / "named.dae"
    named.write_bytes(written(IMAGES[:40], names=NAMES[:40]))
    for archive, parameters, message in (
        (path, {"names": NAMES[40:50]}, "have no names, and the new ones do"),
        (named, {}, "pass names"),
    ):
        before = archive.read_bytes()
        with pytest.raises(ValueError, match=message):
            append_to_archive(archive, IMAGES[40:50], **parameters)
        assert archive.read_bytes() == before
    images = ImageSet.from_array(IMAGES[40:50], names=NAMES[40:50])
    append_to_archive(named, images)
    # Files without images have names in any case.
    (tmp_path / "notes").write_bytes(b"abc")
    for archive in (path, named):
        append_to_archive(archive, [], others=[("notes", tmp_path / "notes")])
    with open_archive(named) as archive:
        assert [*archive.names] == NAMES[:50]
    with open_archive(path) as archive:
        assert len(archive.names) == 0
        (file,) = archive.files()
        assert b"".join(archive.read_file(file)) == b"abc"


def test_the_model_may_be_elsewhere(tmp_path):
    path = tmp_path / "a.dae"
    path.write_bytes(written(IMAGES[:40], model="reference"))
    with pytest.raises(ValueError, match="holds no model"):
        append_to_archive(path, IMAGES[40:])
    append_to_archive(path, IMAGES[40:], model=model_to_bytes(CODEC))
    with open_archive(path, CODEC) as archive:
        assert_array_equal(archive[:], IMAGES)
        assert not archive.info().model_inside


def test_new_images_unlike_the_others_are_told_of(tmp_path):
    digits = load_digits().data
    path, codec = tmp_path / "a.dae", TransformCodec(PCA(16)).fit(digits)
    write_archive(path, digits[:25], codec)
    odd = np.random.default_rng(0).integers(0, 256, (2, 64), dtype=np.uint8)
    with pytest.warns(OutOfDomainWarning, match="images 25, 26"):
        info = append_to_archive(path, odd)
    assert info.images_apart == (25, 26)


def test_a_link_remains_one(path, tmp_path):
    link = tmp_path / "link.dae"
    link.symlink_to(path)
    append_to_archive(link, IMAGES[40:])
    assert link.is_symlink()
    with open_archive(path) as archive:
        assert len(archive) == 100


# What is refused


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, MemoryError])
def test_what_is_interrupted_leaves_the_old_file(error, path):
    def batches():
        yield from IMAGES[40:60]
        raise error

    before = path.read_bytes()
    with pytest.raises(error):
        append_to_archive(path, batches(), image_shape=(3, 4), chunk_size=5)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["a.dae"]
    append_to_archive(path, IMAGES[40:])


def test_images_that_do_not_fit_leave_the_old_file(path):
    before = path.read_bytes()
    for images, message in (
        (IMAGES + 0.5, "that uint8 cannot hold"),
        (IMAGES.reshape(200, 6), "image_shape"),
        (np.zeros((1, 2, 3, 9), np.uint8), "expected"),
    ):
        with pytest.raises(ValueError, match=message):
            append_to_archive(path, images)
    assert path.read_bytes() == before


def test_what_is_no_whole_archive_is_refused(path, tmp_path):
    with pytest.raises(FileNotFoundError):
        append_to_archive(tmp_path / "b.dae", IMAGES)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(BitstreamError, match="cut off"):
        append_to_archive(path, IMAGES)
    path.write_bytes(b"abc")
    with pytest.raises(BitstreamError):
        append_to_archive(path, IMAGES)
    assert path.read_bytes() == b"abc"


HOLD = """
import fcntl, sys
file = open(sys.argv[1], "rb")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_another_process_that_appends_is_waited_for_by_nobody(path):
    pytest.importorskip("fcntl")
    command = [sys.executable, "-c", HOLD, str(path)]
    before = path.read_bytes()
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError, match=r"adding images to it: .*a\.dae"):
            append_to_archive(path, IMAGES[40:])
        holder.communicate()
    assert path.read_bytes() == before
    append_to_archive(path, IMAGES[40:])
    with open_archive(path) as archive:
        assert_array_equal(archive[:], IMAGES)


def test_two_that_append_at_once_do_not_lose_each_others_images(path):
    pytest.importorskip("fcntl")

    def append_too(n_images):
        with pytest.raises(BlockingIOError):
            append_to_archive(path, IMAGES[:3])

    append_to_archive(path, IMAGES[40:], progress=append_too)
    with open_archive(path) as archive:
        assert_array_equal(archive[:], IMAGES)
