"""The bytes of archives, which every later version must read."""

import io
import json
from hashlib import sha256
from pathlib import Path

import numpy as np
from archive_checks import assert_same
from numpy.testing import assert_array_equal

from sklearn_dae.archive import _writer as writer
from sklearn_dae.archive import open_archive, write_archive
from sklearn_dae.codecs import HuffmanCodec
from sklearn_dae.datasets import load_digits
from sklearn_dae.images import ImageSpec
from sklearn_dae.models import load_model
from sklearn_dae.models._phrases import lengthen

GOLDEN = Path(__file__).parent / "golden"


def test_every_byte_of_a_golden_archive():
    data = (GOLDEN / "archive-tiny.dae").read_bytes()
    model = data[0x58:0xC3]
    assert model.startswith(b"\x89DAEM\r\n\x1a\n")
    digest = "51c610da3796e574ecbfa6e4b6fab1f63fa3370d7965aa9f78c9555e1389860d"
    assert sha256(model).hexdigest() == digest
    header = (
        b'{"created_by":"sklearn-dae 0.1.0",'
        b'"metadata":{"from":"the format\'s documentation"},'
        b'"model":{"class":"HuffmanCodec","inside":true,"sha256":"51c610da3796e574",'
        b'"size":107}}'
    )
    # References have a first byte from 0x80 on; all others stand for themselves.
    shortened = bytes.fromhex(
        "97 00 00  30 2e 31  8c 1e 00  22 66 72 6f 6d 22 3a  80 ac 05  20  82 83 31"
        "27 73 20 64 6f 63 75  80 0f 08  82 e7 00  90 2e 00  8b f1 1e  93 53 00"
        "35 31 63 36 31 30 64 61 33 37 39 36 65 35 37  80 8d 00  82 6d 00"
        "31 30 37 7d 7d"
    )
    assert lengthen(shortened, 1000) == header
    expected = [
        bytes.fromhex("89 44 41 45 0d 0a 1a 0a  01  47 00 00 00  51 77 82 db"),
        shortened,
        model,
        # Chunk 0: images; ten bytes that describe them, two of pixels.
        bytes.fromhex("da 43 48 4b  00  00 00 00 00"),
        bytes.fromhex("0a 00 00 00  c1 5f 3c 15  02 00 00 00  42 f8 70 fb"),
        bytes.fromhex("b5 12 a5 a7"),
        # A kind of six bytes: u1, 2 x 2 x 1, no range; one run, from 0 on, of two.
        bytes.fromhex("06  75 31  02 02 01  00  01  00 02"),
        bytes.fromhex("09 50"),
        # Chunk 1: the third image.
        bytes.fromhex("da 43 48 4b  00  01 00 00 00"),
        bytes.fromhex("0a 00 00 00  f9 6c 03 be  02 00 00 00  17 25 25 30"),
        bytes.fromhex("4a 6a 9e 2c"),
        bytes.fromhex("06  75 31  02 02 01  00  01  02 01"),
        bytes.fromhex("60 1c"),
        # Chunk 2: files; from 0 on, three; from image 0 on, three; 13 bytes unpacked.
        bytes.fromhex("da 43 48 4b  01  02 00 00 00"),
        bytes.fromhex("05 00 00 00  8d 77 0b 81  0e 00 00 00  0c 09 70 af"),
        bytes.fromhex("46 28 5f 9c"),
        bytes.fromhex("00 03  00 03  0d"),
        # 13 bytes, as they are: ways, numbers of images, lengths of names, names.
        bytes.fromhex("0d  00 00 00  01 01 01  01 01 02  61 62 c3bc"),
        # The index: three chunks; of each its kind, its size, and its description.
        bytes.fromhex("03"),
        bytes.fromhex("00  29  0a  06 75 31 02 02 01 00 01 00 02"),
        bytes.fromhex("00  29  0a  06 75 31 02 02 01 00 01 02 01"),
        bytes.fromhex("01  30  05  00 03 00 03 0d"),
        # Where the index begins, its checksum, and the end.
        bytes.fromhex("45 01 00 00 00 00 00 00  09 8b 9d c6"),
        bytes.fromhex("89 44 41 45 65 6e 64 0a"),
    ]
    assert data == b"".join(expected)
    archive = open_archive(io.BytesIO(data))
    pixels = json.loads((GOLDEN / "archive-tiny.json").read_text())
    assert_array_equal(archive[:], pixels)
    assert archive.spec == ImageSpec(2, 2)
    assert [*archive.names] == ["a", "b", "ü"]
    assert archive.info().created_by == "sklearn-dae 0.1.0"


def test_every_byte_of_a_kept_file_and_of_an_account():
    data = (GOLDEN / "archive-files.dae").read_bytes()
    archive = open_archive(io.BytesIO(data))
    kept, account = archive.places[0], archive.places[5]
    text = b"P2 3 2 9\n0 1 2\n3  4 5\n"
    assert data[kept.begin : kept.end] == b"".join(
        [
            # Chunk 0: a kept file; 15 bytes that describe it, 22 of its own.
            bytes.fromhex("da 43 48 4b  02  00 00 00 00"),
            bytes.fromhex("0f 00 00 00  49 ae c2 e0  16 00 00 00  bf 23 b1 c2"),
            bytes.fromhex("ee 10 9f 45"),
            # File 1, from its byte 0 on, of 22; from image 1 on, of one kind.
            bytes.fromhex("01 00 16  01 01"),
            # A kind of eight bytes: u1, 2 x 3 x 1, from 0 to 9; one image of it.
            bytes.fromhex("08  75 31  02 03 01  02 00 09  01"),
            text,
        ]
    )
    # An account of 142 bytes, in 130.
    head = bytes.fromhex("da 43 48 4b  03  05 00 00 00  02 00 00 00")
    assert data[account.begin :].startswith(head)
    assert data[account.begin + 29 :].startswith(bytes.fromhex("8e 01  82 01"))
    empty = archive.places[7]
    assert data[empty.begin + 29 : empty.end] == bytes.fromhex("05 00 00 05 00")


def test_a_golden_archive_of_files():
    expected = json.loads((GOLDEN / "archive-files.json").read_text())
    with open_archive(GOLDEN / "archive-files.dae") as archive:
        got = {f.name: b"".join(archive.read_file(f)).hex() for f in archive.files()}
        assert got == expected["files"]
        images = expected["images"]
        dtypes = ["u1", "u1", "u1", "u1", "u2"]
        assert_same(list(archive), [*map(np.array, images, dtypes)])
        assert [*archive.names] == [
            "b.ppm",
            "c.pgm",
            "d.gif[0]",
            "d.gif[1]",
            "deep/a.pgm",
        ]
        assert archive.spec_of(4).range == (0, 4095)
        assert archive.verify(files=True).ok
        assert archive.account().to_dict() == {
            "files": 4,
            "images": 5,
            "bytes": 170,
            "left_out": {
                "unknown format": {
                    "notes.txt": "it begins with 46 6f 75 72 20 66 69 6c"
                },
                "empty": {"nothing": ""},
            },
        }


def test_what_is_written_today_is_the_golden_archive(tmp_path, monkeypatch):
    golden = GOLDEN / "archive-tiny.dae"
    monkeypatch.setattr(writer, "package_version", lambda: "sklearn-dae 0.1.0")
    with open_archive(golden) as archive:
        write_archive(
            tmp_path / "tiny.dae",
            archive[:],
            archive.codec,
            names=archive.names,
            chunk_size=2,
            metadata=archive.metadata,
        )
    assert (tmp_path / "tiny.dae").read_bytes() == golden.read_bytes()


def test_a_golden_archive_of_a_transformer():
    # Floating-point sums may differ in their last bits between machines.
    pixels = np.array(json.loads((GOLDEN / "archive-digits.json").read_text()))
    with open_archive(GOLDEN / "archive-digits.dae") as archive:
        assert archive.spec == ImageSpec(8, 8)
        assert archive[:].shape == (30, 8, 8)
        assert abs(archive[:].astype(int) - pixels).max() <= 1
        assert archive.verify().ok


def test_a_golden_archive_of_pixels_by_the_networks_of_the_package():
    # So these can never change: whatever was coded by them must still be decoded.
    pixels = json.loads((GOLDEN / "archive-pixels.json").read_text())
    dtypes = ["u1", "u1", "u1", "u1", "u2", "i2", "u1"]
    with open_archive(GOLDEN / "archive-pixels.dae") as archive:
        assert_same(list(archive), [*map(np.array, pixels, dtypes)])
        assert archive.verify().ok
        assert archive.codec.models_ == []


def test_a_golden_archive_with_a_bound_by_a_trained_network():
    # Predicted by a network, and yet the same pixels on every machine.
    pixels = np.array(json.loads((GOLDEN / "archive-bounded.json").read_text()))
    with open_archive(GOLDEN / "archive-bounded.dae") as archive:
        assert_array_equal(archive[:], pixels)
        assert len(archive.codec.models_) == 1
    digits = load_digits().data[:30].reshape(-1, 8, 8)
    assert abs(pixels - digits).max() == 1


def test_the_model_of_an_archive_is_a_model_file(tmp_path):
    with open_archive(GOLDEN / "archive-tiny.dae") as archive:
        (tmp_path / "a.daem").write_bytes(archive.read_model())
    assert isinstance(load_model(tmp_path / "a.daem"), HuffmanCodec)
