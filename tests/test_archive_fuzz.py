"""Thousands of damaged archives: no wrong pixel, no surprise, no absurd allocation."""

import io

import numpy as np
import pytest
from archive_damage import examine, mutate, specimens
from archive_forging import chunk_bytes, forge, joined, sign_chunk, sign_index

from sklearn_dae.archive import open_archive
from sklearn_dae.archive._container import pack_chunk
from sklearn_dae.exceptions import BitstreamError

SPECIMENS = specimens()

#: Bytes that damaged archives of a few kilobytes may take.
MOST_BYTES = 64e6

#: What networks of pixels read takes longest: pixels, and the weights of a transformer.
SLOW = ("PCA", "PCA, named set", "floats by reference", "pixels")


def test_what_is_whole_is_read_without_an_error():
    for name, sample in SPECIMENS.items():
        outcome = examine(sample.data, sample)
        assert outcome.n_wrong == outcome.n_errors == 0, name
        assert not outcome.unexpected, name
        assert outcome.n_right > 2 or name == "no image"


def test_chunks_are_written_as_the_package_does():
    assert chunk_bytes(1, 5, b"about", b"data") == pack_chunk(1, 5, b"about", b"data")
    sample = SPECIMENS["Huffman"]
    assert len(joined(b"abc", [])) == 3 + 1 + 20
    assert sample.data[sample.chunk_begins[2] :].startswith(b"\xdaCHK\0\x02\0\0\0")


@pytest.mark.parametrize("name", SPECIMENS)
def test_damage_is_told_and_no_wrong_image_comes_back(name):
    rng, sample = np.random.default_rng(0), SPECIMENS[name]
    n_errors = 0
    n = 60 if name in SLOW else 250
    for i in range(n):
        data, kind = mutate(sample, rng)
        if data == sample.data:
            continue
        outcome = examine(data, sample)
        assert not outcome.unexpected, (i, kind, outcome.unexpected)
        assert not outcome.n_wrong, (i, kind)
        n_errors += outcome.n_errors > 0
    assert n_errors > 0.6 * n


@pytest.mark.parametrize("name", SPECIMENS)
def test_false_claims_are_refused_before_memory_is_taken(name):
    rng, sample = np.random.default_rng(0), SPECIMENS[name]
    for i in range(15 if name in SLOW else 60):
        data, kind = forge(sample, rng)
        outcome = examine(data, sample, measure=True)
        assert not outcome.unexpected, (i, kind, outcome.unexpected)
        assert outcome.peak_bytes < MOST_BYTES, (i, kind)


@pytest.mark.parametrize("place", [5, 9, 17])
def test_a_chunk_that_claims_absurd_sizes_is_refused(place):
    sample = SPECIMENS["Huffman, named"]
    data = bytearray(sample.data)
    begin = sample.chunk_begins[2]
    data[begin + place : begin + place + 4] = b"\xff" * 4
    sign_chunk(data, begin)
    archive = open_archive(io.BytesIO(data))
    with pytest.raises(BitstreamError, match="Chunk 2"):
        archive[:]
    # Without the index too, where a chunk of an absurd number is one more.
    archive = open_archive(io.BytesIO(data[:-1]), salvage=True)
    salvaged = [
        len(piece.numbers) for piece in archive.salvage() if piece.error is None
    ]
    assert sum(salvaged) == (40 if place == 5 else 33)
    assert archive.verify().n_lost == 40 - sum(salvaged)


def test_an_index_that_claims_absurd_sizes_is_refused():
    data = bytearray(SPECIMENS["Huffman"].data)
    data[-20:-12] = b"\xff" * 8
    sign_index(data, len(data) - 20)
    with pytest.raises(BitstreamError, match="not where it should be"):
        open_archive(io.BytesIO(data))
