"""Archives: files that come back, kept or made again, and what was taken in."""

import io
import json

import numpy as np
import pytest
from archive_checks import (
    CODEC,
    IMAGES,
    all_of,
    assert_same,
    codec_of,
    files_of,
    made,
    opened,
    small_folder,
    written,
)
from image_files import (
    files_of_all_formats,
    npy_bytes,
    npz_bytes,
    numbers,
    palette_bytes,
    pillow_bytes,
    pnm_bytes,
)

from sklearn_dae.archive import _chunk_writer as writer
from sklearn_dae.archive import _files as files_module
from sklearn_dae.archive import append_to_archive, open_archive, write_archive
from sklearn_dae.images import Account, read_images


def test_a_folder_comes_back(tmp_path, rng):
    contents = small_folder(rng)
    images, archive = all_of(made(tmp_path, contents), chunk_size=3)
    with archive:
        assert_same(list(archive), list(images))
        assert_same(archive[:], list(images))
        assert [*archive.names] == [*images.names]
        assert archive.names[4:7] == [f"b/stack.npy[{i}]" for i in range(3)]
        back = files_of(archive)
        assert list(back) == [*images.file_names, "notes.txt", "nothing"]
        exact = {file.name for file in archive.files() if file.is_exact}
        assert set(contents) - exact == {"a/grey.png", "b/palette.png"}
        for name in exact:
            assert back[name] == contents[name]
        places = [i for file in archive.files() for i in file.images]
        assert places == list(range(len(images)))
        assert archive.verify(files=True).ok
        assert archive.account() == images.account
        info = archive.info()
        assert (info.n_files, info.n_images) == (11, len(images))
        kept = [p.end - p.begin for p in archive.places if p.contents.kind == 2]
        assert info.parts.kept == sum(kept)
        assert len(kept) == 4
        assert info.kinds == {s: len(n) for s, n in images.groups().items()}
    # A file that holds the same images, and what else was in it.
    made(tmp_path / "again", {name: back[name] for name in contents if back[name]})
    assert_same(list(read_images(tmp_path / "again")), list(images))


def test_files_of_all_formats_come_back(tmp_path):
    rng = np.random.default_rng(0)
    contents = {name: data for name, (data, _) in files_of_all_formats(rng).items()}
    # Codecs take real numbers or integers, not both.
    real = {name: data for name, data in contents.items() if "real" in name}
    whole = {name: data for name, data in contents.items() if "real" not in name}
    for part, chosen in (("real", real), ("whole", whole)):
        images, archive = all_of(made(tmp_path / part, chosen))
        with archive:
            assert_same(list(archive), list(images))
            back = files_of(archive)
            for file in archive.files():
                assert not file.is_exact or back[file.name] == chosen[file.name]
            assert len(back) == len(chosen)
            assert archive.verify(files=True).ok
            made(tmp_path / f"{part}-again", back)
        assert_same(list(read_images(tmp_path / f"{part}-again")), list(images))


def test_names_that_are_no_text_come_back(tmp_path, rng):
    name = "a\udcff.pgm"
    try:
        made(tmp_path, {name: pnm_bytes(numbers(rng, 4, 4), 255)})
    except (OSError, UnicodeError):
        pytest.skip("the file system takes no such name")
    _, archive = all_of(tmp_path)
    assert [file.name for file in archive.files()] == [name]
    assert archive[name].shape == (4, 4)


def test_a_single_file_comes_back(tmp_path, rng):
    data = npy_bytes(numbers(rng, 3, 5, 7))
    made(tmp_path, {"stack.npy": data})
    images, archive = all_of(tmp_path / "stack.npy")
    assert files_of(archive) == {"stack.npy": data}
    assert_same(list(archive), list(images))
    assert archive.verify(files=True).ok


@pytest.mark.parametrize(
    "options",
    [{"image_shape": (2, 6)}, {"max_pixels": 2**30}, {"image_shape": (1, 12)}],
)
def test_what_readers_were_told_of_a_kept_file_is_known(options, tmp_path):
    # Rows by columns are no images in order, so that the file is kept.
    data = npy_bytes(np.asfortranarray(IMAGES.reshape(100, 12)))
    made(tmp_path, {"rows.npy": data})
    options = {"image_shape": (3, 4)} | options
    images, file = read_images(tmp_path, **options), io.BytesIO()
    info = write_archive(file, images, None, files=True)
    assert info.parts.kept > 0 == info.parts.images
    with open_archive(file) as archive:
        assert_same(list(archive), list(images))
        assert files_of(archive) == {"rows.npy": data}
        assert archive.verify(files=True).ok


def test_images_that_a_kept_file_does_not_tell_of_are_coded_too(tmp_path, rng):
    arrays = {"a": numbers(rng, 3, 5, 7), "b": numbers(rng, 2, 4, 4)}
    made(tmp_path, {"two.npz": npz_bytes(arrays)})
    images, file = read_images(tmp_path / "two.npz", key="a"), io.BytesIO()
    write_archive(file, images, codec_of(images), files=True)
    with open_archive(file) as archive:
        assert_same(list(archive), list(images))
        assert files_of(archive) == {"two.npz": (tmp_path / "two.npz").read_bytes()}
        assert archive.verify(files=True).ok


def test_images_that_were_turned_to_grey_are_coded_and_their_files_kept(tmp_path, rng):
    contents = {
        "a.jpg": pillow_bytes(numbers(rng, 9, 9, 3), "JPEG"),
        "b.png": palette_bytes(rng, "PNG"),
        "c.ppm": pnm_bytes(numbers(rng, 4, 4, 3), 255),
    }
    images, file = read_images(made(tmp_path, contents), grey=True), io.BytesIO()
    write_archive(file, images, codec_of(images), files=True)
    with open_archive(file) as archive:
        assert_same(list(archive), list(images))
        assert files_of(archive) == contents
        assert [*archive.names] == list(contents)
        assert archive.verify(files=True).ok


def test_only_whole_files_can_come_back(tmp_path, rng):
    images = read_images(made(tmp_path, small_folder(rng)))
    for part in (images[1:], images[::-1], images[[0, 0]]):
        with pytest.raises(ValueError, match=r"files=True: .* some images"):
            write_archive(io.BytesIO(), part, codec_of(images), files=True)
    with pytest.raises(ValueError, match="names of the files"):
        write_archive(
            io.BytesIO(), images, codec_of(images), files=True, names=images.names
        )


def test_a_file_that_becomes_another_meanwhile_leaves_no_archive(tmp_path, rng):
    folder = made(tmp_path / "images", {"a.png": small_folder(rng)["a/grey.png"]})
    images = read_images(folder)
    codec = codec_of(images)
    made(folder, {"a.png": pillow_bytes(numbers(rng, 9, 9), "PNG")})
    with pytest.raises(ValueError, match="changed"):
        write_archive(tmp_path / "a.dae", images, codec, files=True)
    assert not (tmp_path / "a.dae").exists()


def test_folders_are_added_to_an_archive(tmp_path, rng):
    first, second = small_folder(rng), small_folder(rng)
    parts = [made(tmp_path / str(i), c) for i, c in enumerate((first, second))]
    one, two = map(read_images, parts)
    path = tmp_path / "a.dae"
    write_archive(path, one, codec_of(one), files=True, others=one.others)
    append_to_archive(path, two, files=True, others=two.others)
    with open_archive(path) as archive:
        assert_same(list(archive), [*one, *two])
        files = list(archive.files())
        assert [file.number for file in files] == list(range(22))
        back = [b"".join(archive.read_file(file)) for file in files]
        for file, data in zip(files, back, strict=True):
            source = (first, second)[file.number >= 11]
            assert not file.is_exact or data == source[file.name]
        assert archive.account() == one.account + two.account
        assert archive.verify(files=True).ok
        with pytest.raises(KeyError, match="2 images"):
            archive["c.gif"]


# Files without images


def test_files_without_images_are_kept(tmp_path, rng, monkeypatch):
    # The bounds of pieces, on both sides of each.
    monkeypatch.setattr(writer, "_PIECE_SIZE", 100)
    sizes = [0, 1, 99, 100, 101, 200, 250]
    contents = {f"{size}.bin": rng.bytes(size) for size in sizes}
    made(tmp_path, contents)
    others = [(name, tmp_path / name) for name in contents]
    for images, codec in ((IMAGES, CODEC), ([], None)):
        archive = opened(images, codec, others=others)
        assert files_of(archive) == contents
        assert [list(file.images) for file in archive.files()] == [[]] * 7
        assert archive.info().n_files == 7
        assert len(archive.names) == 0
        assert_same(archive[:], images)
        assert archive.verify(files=True).ok
        assert archive.info().parts.kept > sum(sizes)


def test_large_files_are_kept_in_pieces(tmp_path, rng):
    data = rng.bytes(2**23 + 2**22 + 5)
    made(tmp_path, {"large": data})
    archive = opened([], None, others=[("large", tmp_path / "large")])
    (file,) = archive.files()
    pieces = list(archive.read_file(file))
    assert [len(piece) for piece in pieces] == [2**23, 2**22 + 5]
    assert b"".join(pieces) == data


def test_a_file_that_grows_while_it_is_kept_is_refused(tmp_path, rng, monkeypatch):
    path = tmp_path / "growing"
    path.write_bytes(rng.bytes(150))
    monkeypatch.setattr(writer, "_PIECE_SIZE", 100)

    def grow(contents, data):
        path.write_bytes(bytes(400))
        return original(contents, data)

    kept = writer.ArchiveWriter(io.BytesIO(), None)
    original, kept._chunk = kept._chunk, grow
    with pytest.raises(OSError, match="changed while it was read"):
        kept.keep_others([("growing", path)])


# The account


def test_the_account_of_many_files_is_stored_in_parts(tmp_path, rng, monkeypatch):
    monkeypatch.setattr(files_module, "_ACCOUNT_SIZE", 1000)
    folder = made(tmp_path, {"a.pgm": pnm_bytes(numbers(rng, 4, 4), 255)})
    left_out = {
        "empty": {f"empty {i}\udcff": "" for i in range(100)},
        "damaged": {f"ü{i}": "why" for i in range(100)},
    }
    images = read_images(folder)
    images.account = Account(5, 9, 99, left_out)
    archive = opened(images, codec_of(images))
    assert archive.account() == images.account
    assert json.dumps(archive.account().to_dict())
    assert sum(place.contents.kind == 3 for place in archive.places) > 5
    assert archive.verify().ok


def test_without_files_there_is_no_account():
    assert opened().account() == Account()
    assert written() == written(IMAGES, others=[])


def test_without_an_index_files_are_found_too(tmp_path, rng):
    contents = small_folder(rng)
    images, archive = all_of(made(tmp_path, contents))
    data = archive._store.file._file.getvalue()[:-1]
    archive.close()
    with open_archive(io.BytesIO(data), salvage=True) as archive:
        assert_same(list(archive), list(images))
        assert files_of(archive)["c.jpg"] == contents["c.jpg"]
        assert archive.account() == images.account
        assert not archive.verify(files=True).damages


def test_more_images_than_a_kept_file_can_tell_of_are_refused(tmp_path):
    # Rows by columns, all the same: some bytes for thousands of images.
    for n_images, is_refused in ((2**16, True), (2**10, False)):
        rows = np.asfortranarray(np.zeros((n_images, 12), np.uint8))
        made(tmp_path, {"blank.npz": npz_bytes({"images": rows})})
        images = read_images(tmp_path / "blank.npz", image_shape=(3, 4))
        file = io.BytesIO()
        if is_refused:
            with pytest.raises(ValueError, match="more than can be kept as a file"):
                write_archive(file, images, None, files=True)
            continue
        write_archive(file, images, None, files=True)
        with open_archive(file) as archive:
            assert_same(archive[:], images.stack())
            assert archive.verify(files=True).ok
