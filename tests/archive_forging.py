"""Archives that claim what is not so, under checksums that are right.

Used by the tests and by ``benchmarks/archive_fuzz.py``. The sizes of the format stand
here by themselves: the package must not change them unnoticed.
"""

import hashlib
import io
import struct
import zlib

import numpy as np

from sklearn_dae._bytes import leb128
from sklearn_dae.archive import write_archive
from sklearn_dae.archive._files import squeeze, unsqueeze
from sklearn_dae.models._phrases import lengthen, shorten

PREAMBLE, CHUNK_HEAD, FOOTER = 17, 29, 20

FILES_KIND = 1

#: How often a header is changed until it is as long as before.
_MOST_TRIED = 20


def forge(sample, rng):
    """Return bytes that claim what is not so, under checksums that are right."""
    forgers = [
        forge_header,
        forge_model,
        forge_contents,
        forge_description,
        forge_claim,
        forge_head,
        forge_files,
        forge_index,
    ]
    forger = forgers[rng.integers(len(forgers))]
    if not sample.chunk_begins and forger not in (forge_header, forge_model):
        forger = forge_index
    return bytes(forger(sample, bytearray(sample.data), rng)), forger.__name__


def _odd_number(rng, limit, near):
    """Draw a number that may be absurd, or just off."""
    choices = [0, 1, near + 1, max(near - 1, 0), 2 * near, limit - 1, limit // 2]
    return min(int(rng.choice(np.array(choices, dtype=object))), limit - 1)


def index_begin(data):
    return struct.unpack_from("<Q", data, len(data) - FOOTER)[0]


def sign_header(data):
    """Make the checksum of the header right."""
    size = struct.unpack_from("<I", data, 9)[0]
    header = bytes(data[:13]) + bytes(data[PREAMBLE : PREAMBLE + size])
    struct.pack_into("<I", data, 13, zlib.crc32(header))


def sign_chunk(data, begin):
    """Make the checksum of a chunk's head right."""
    struct.pack_into("<I", data, begin + 25, zlib.crc32(data[begin : begin + 25]))


def sign_index(data, begin=None):
    """Make the checksum of the index, which begins at some byte, right."""
    begin = index_begin(data) if begin is None else begin
    covered = bytes(data[begin : len(data) - FOOTER]) + bytes(data[-FOOTER:-12])
    struct.pack_into("<I", data, len(data) - 12, zlib.crc32(covered))


def chunk_bytes(kind, number, about, contents):
    """Write a chunk, with checksums that are right."""
    parts = len(about), zlib.crc32(about), len(contents), zlib.crc32(contents)
    chunk = bytearray(struct.pack("<4sB6I", b"\xdaCHK", kind, number, *parts, 0))
    sign_chunk(chunk, 0)
    return bytes(chunk) + about + contents


def _chunks(sample):
    """Return what each chunk is: its kind, description and contents."""
    chunks = []
    for begin in sample.chunk_begins:
        kind, _, about, _, size, _ = struct.unpack_from("<B5I", sample.data, begin + 4)
        at = begin + CHUNK_HEAD
        data = sample.data[at : at + about + size]
        chunks.append((kind, data[:about], data[about:]))
    return chunks


def joined(start, chunks):
    """Write an archive of chunks, with an index that says the same."""
    written = [chunk_bytes(chunk[0], i, *chunk[1:]) for i, chunk in enumerate(chunks)]
    index = [leb128(len(chunks))]
    for (kind, about, _), chunk in zip(chunks, written, strict=True):
        index += [bytes([kind]), leb128(len(chunk)), leb128(len(about)), about]
    body = bytes(start) + b"".join(written)
    end = b"".join(index) + struct.pack("<Q4s8s", len(body), b"", b"\x89DAEend\n")
    data = bytearray(body + end)
    sign_index(data)
    return data


def forged(chunks, codec):
    """Write an archive of chunks, given by what they claim and what is in them."""
    file = io.BytesIO()
    write_archive(file, [], codec)
    start = file.getvalue()[: index_begin(file.getvalue())]
    parts = [(claim.kind, claim.to_bytes(), data) for claim, data in chunks]
    return bytes(joined(start, parts))


def forge_header(sample, data, rng):
    """Change the header, of which the size must stay."""
    size = struct.unpack_from("<I", data, 9)[0]
    header = bytearray(lengthen(bytes(data[PREAMBLE : PREAMBLE + size]), 2**20))
    for _ in range(_MOST_TRIED):
        forged = shorten(bytes(_changed_header(header, rng)))
        if len(forged) == size:
            data[PREAMBLE : PREAMBLE + size] = forged
            sign_header(data)
            break
    return data


def _changed_header(header, rng):
    """Change digits of a header, and maybe a word."""
    header = header.copy()
    digits = [i for i, byte in enumerate(header) if chr(byte).isdigit()]
    for place in rng.choice(digits, rng.integers(1, 4)):
        header[place] = ord("0") + rng.integers(10)
    swaps = [
        (b"true", b"null"),
        (b"model", b"modem"),
        (b"Codec", b"Kodak"),
        (b'"size"', b'"sise"'),
        (b"[1,2.5,null]", b"[[[[[[[[[[[["),
    ]
    if rng.integers(2):
        header = header.replace(*swaps[rng.integers(len(swaps))])
    return header


def forge_model(sample, data, rng):
    """Change the model, and sign it by its own and the header's checksums."""
    begin, end = sample.model_begin, sample.chunks_begin
    if end == begin:
        return forge_index(sample, data, rng)
    old = hashlib.sha256(data[begin:end]).hexdigest()[:16].encode()
    for place in rng.integers(begin, end - 32, size=rng.integers(1, 4)):
        data[place] = rng.integers(256)
    data[end - 32 : end] = hashlib.sha256(data[begin : end - 32]).digest()
    new = hashlib.sha256(data[begin:end]).hexdigest()[:16].encode()
    data = data.replace(old, new)
    sign_header(data)
    return data


def _changed(data, rng):
    """Change some bytes."""
    data = bytearray(data)
    for place in rng.integers(len(data), size=rng.integers(1, 4)) if data else ():
        data[place] = rng.integers(256)
    return bytes(data)


def _with_chunk(sample, rng, change, kinds=range(4)):
    """Change one chunk of some kinds, and what the index says of it."""
    chunks = _chunks(sample)
    some = [i for i, (kind, _, _) in enumerate(chunks) if kind in kinds]
    place = int(rng.choice(some))
    chunks[place] = change(*chunks[place])
    return joined(sample.data[: sample.chunks_begin], chunks)


def forge_contents(sample, data, rng):
    """Change what is in a chunk."""
    return _with_chunk(sample, rng, lambda k, about, d: (k, about, _changed(d, rng)))


def forge_description(sample, data, rng):
    """Change what a chunk, and the index, say that it holds; or of which kind it is."""
    if rng.integers(4):
        return _with_chunk(sample, rng, lambda k, a, d: (k, _changed(a, rng), d))
    return _with_chunk(sample, rng, lambda k, a, d: (int(rng.integers(5)), a, d))


def forge_claim(sample, data, rng):
    """Have a chunk, and the index, claim another number of something."""

    def change(kind, about, contents):
        at = int(rng.integers(len(about)))
        number = leb128(_odd_number(rng, 2**63, about[at]))
        return kind, about[:at] + number + about[at + 1 :], contents

    return _with_chunk(sample, rng, change)


def forge_head(sample, data, rng):
    """Change a number in the head of a chunk."""
    begin = int(rng.choice(sample.chunk_begins))
    place = begin + int(rng.choice([5, 9, 17]))
    near = struct.unpack_from("<I", data, place)[0]
    struct.pack_into("<I", data, place, _odd_number(rng, 2**32, near))
    sign_chunk(data, begin)
    return data


def forge_files(sample, data, rng):
    """Change names, or what stood around pixels."""
    if not sample.names:
        return forge_contents(sample, data, rng)

    def change(kind, about, contents):
        *_, size = _numbers(about)
        unpacked, digests = unsqueeze(contents, size)
        return kind, about, squeeze(_changed(unpacked, rng)) + digests

    return _with_chunk(sample, rng, change, kinds=[FILES_KIND])


def _numbers(about):
    """Read numbers up to the end of some bytes."""
    numbers, number, shift = [], 0, 0
    for byte in about:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(number)
            number = shift = 0
    return numbers


def forge_index(sample, data, rng):
    """Change the index, or where it is said to begin."""
    begin = index_begin(data)
    if rng.integers(4):
        end = len(data) - FOOTER
        data[begin:end] = _changed(data[begin:end], rng)
    else:
        place = len(data) - FOOTER
        struct.pack_into("<Q", data, place, _odd_number(rng, 2**64, begin))
    sign_index(data, begin)
    return data
