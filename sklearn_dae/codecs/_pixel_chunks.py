"""Chunks of images <-> bytes, by networks of pixels.

In: the images of chunks, or their bytes, and which networks there are. Chunks with the
same number of channels go through the networks in lockstep, in several groups where
processes share the work. Each can be decoded without the others.

Bytes of a chunk: a zero, and the numbers as they are; or their `Form`, and what
`encode_stacks` makes of their planes.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import BrokenExecutor
from functools import partial
from typing import Any

import joblib
import numpy as np

from sklearn_dae._bytes import ByteReader
from sklearn_dae.codecs._chunk import CodedChunk
from sklearn_dae.codecs._planes import Form, limits_of, whole
from sklearn_dae.entropy import PixelModel, Stack
from sklearn_dae.entropy._pixel_coder import stacks_of
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec

#: The first byte of a chunk whose numbers follow as they are; no form begins so.
_PLAIN = b"\0"

#: A false claim can take no more memory than that of so many samples, and so many more
#: for each byte.
_FREE_SAMPLES, _SAMPLES_OF_BYTE = 2**22, 2**16

#: Numbers that a process codes at once: more take more memory, and make nothing much
#: faster; fewer are so slow that another process is not worth it.
_MOST_AT_ONCE, _FEWEST_AT_ONCE = 2**22, 2**20

#: Steps of all chunks of a group, at most, each as many as the longest takes.
_MOST_STEPS = 2**20


def most_at_once() -> int:
    """Return how many numbers are best coded at once: enough for all processes."""
    return joblib.effective_n_jobs(None) * _MOST_AT_ONCE


def encode_chunks(
    chunks: Sequence[tuple[np.ndarray, ImageSpec]],
    model_for: Callable[[int], PixelModel],
    max_error: int,
) -> list[CodedChunk]:
    """Code chunks.

    Parameters
    ----------
    chunks : sequence of (rows, spec)
        The images of each chunk, as rows, and what they are.

    model_for : callable
        Returns the networks for a number of channels.

    max_error : int
        How far a number may be off.
    """
    coded = [CodedChunk(b"", 0)] * len(chunks)
    groups = _groups([(len(rows), spec) for rows, spec in chunks])
    results = _in_processes(
        _encode_together, groups, chunks, model_for, max_error=max_error
    )
    for group, of_group in zip(groups, results, strict=True):
        for i, (data, n_bits) in zip(group, of_group, strict=True):
            own_bits = None if n_bits is None else partial(np.asarray, n_bits)
            coded[i] = CodedChunk(data, len(chunks[i][0]), own_bits=own_bits)
    return coded


def decode_chunks(
    chunks: Sequence[tuple[bytes, int, ImageSpec]],
    model_for: Callable[[int], PixelModel],
    max_error: int,
    *,
    means: bool,
) -> list[np.ndarray]:
    """Decode chunks, of each of which the number of images is known, and their kind.

    With ``means``, numbers are those expected within the bound, not those in its
    middle.

    Raises
    ------
    BitstreamError
        If the bytes of a chunk cannot be those of such images.
    """
    for data, n_images, spec in chunks:
        if len(data) < _least_bytes(n_images * spec.n_numbers):
            raise BitstreamError(
                f"{len(data)} bytes cannot hold {n_images} images of {spec}."
            )
    decoded = [_read_plain(*chunk) for chunk in chunks]
    groups = _groups(
        [
            (n_images if rows is None else 0, spec)
            for rows, (_, n_images, spec) in zip(decoded, chunks, strict=True)
        ]
    )
    results = _in_processes(
        _decode_together, groups, chunks, model_for, max_error=max_error, means=means
    )
    for group, of_group in zip(groups, results, strict=True):
        for i, rows in zip(group, of_group, strict=True):
            decoded[i] = rows
    return [rows for rows in decoded if rows is not None]


def _groups(kinds: Sequence[tuple[int, ImageSpec]]) -> list[list[int]]:
    """Return which chunks are coded in lockstep, if they have any images.

    Of each chunk, ``kinds`` has how many images it has, and of what kind. Groups are
    about alike in size, and mostly as many for each process.
    """
    n_jobs = joblib.effective_n_jobs(None)
    by_channels: dict[int, list[int]] = {}
    for i, (n_images, spec) in enumerate(kinds):
        if n_images:
            by_channels.setdefault(spec.channels, []).append(i)

    def n_steps(i: int) -> int:
        n_images, spec = kinds[i]
        return Stack(n_images, spec.height, spec.width, spec.channels).n_steps

    groups: list[list[int]] = []
    for chosen in by_channels.values():
        # Those that take about as many steps go together.
        chosen.sort(key=n_steps)
        sizes = np.array([kinds[i][0] * kinds[i][1].n_numbers for i in chosen])
        n_groups = -(-sizes.sum() // _MOST_AT_ONCE)
        if n_groups > 1:
            n_groups = -(-n_groups // n_jobs) * n_jobs
        n_groups = max(n_groups, min(n_jobs, sizes.sum() // _FEWEST_AT_ONCE))
        middles = np.cumsum(sizes) - sizes / 2
        numbers = (middles * n_groups / max(sizes.sum(), 1)).astype(int)
        for number in np.unique(numbers):
            group: list[int] = []
            for place in np.flatnonzero(numbers == number).tolist():
                chunk = chosen[place]
                if group and n_steps(chunk) * (len(group) + 1) > _MOST_STEPS:
                    groups.append(group)
                    group = []
                group.append(chunk)
            groups.append(group)
    return groups


def _in_processes(
    function: Callable[..., Any],
    groups: Sequence[list[int]],
    chunks: Sequence[tuple[Any, ...]],
    model_for: Callable[[int], PixelModel],
    **options: Any,
) -> Iterable[Any]:
    """Call a function for each group, in processes where joblib is told to."""
    tasks = [
        joblib.delayed(function)(
            model_for(chunks[group[0]][-1].channels),
            [chunks[i] for i in group],
            **options,
        )
        for group in groups
    ]
    # A single one is not worth a process.
    n_jobs = None if len(tasks) > 1 else 1
    try:
        return joblib.Parallel(n_jobs)(tasks)
    except BrokenExecutor as error:
        raise MemoryError(
            "A process was killed, perhaps for lack of memory: let fewer work at the "
            "same time, by joblib.parallel_config(n_jobs=1) or --jobs 1."
        ) from error


def _encode_together(
    model: PixelModel, chunks: Sequence[tuple[np.ndarray, ImageSpec]], max_error: int
) -> list[tuple[bytes, np.ndarray | None]]:
    """Return the bytes of chunks, and, where they are known, the bits of each image."""
    forms, planes = [], []
    for rows, spec in chunks:
        numbers = whole(rows)
        forms.append(Form.of(numbers, spec, is_exact=not max_error))
        planes.append(forms[-1].planes(numbers, spec))
    results = model.encode(planes, limits_of(forms, stacks_of(planes)), max_error)
    coded: list[tuple[bytes, np.ndarray | None]] = []
    for (rows, _), form, result in zip(chunks, forms, results, strict=True):
        data = form.to_bytes() + result.data
        # Zeros may follow a stream, in pairs.
        missing = max(0, _least_bytes(rows.size) - len(data))
        data += bytes(missing + missing % 2)
        if len(data) < len(_PLAIN) + rows.nbytes:
            coded.append((data, result.n_bits))
        else:
            little_endian = rows.dtype.newbyteorder("<")
            plain = rows.astype(little_endian, copy=False).tobytes()
            coded.append((_PLAIN + plain, None))
    return coded


def _decode_together(
    model: PixelModel,
    chunks: Sequence[tuple[bytes, int, ImageSpec]],
    max_error: int,
    means: bool,
) -> list[np.ndarray]:
    """Return the images of chunks."""
    readers = [ByteReader(data) for data, _, _ in chunks]
    forms = [Form.read(reader, is_exact=not max_error) for reader in readers]
    stacks = [
        form.stack(n_images, spec)
        for form, (_, n_images, spec) in zip(forms, chunks, strict=True)
    ]
    planes = model.decode(
        [reader.take(reader.n_left) for reader in readers],
        stacks,
        limits_of(forms, stacks),
        max_error,
        means=means,
    )
    return [form.rows(of) for form, of in zip(forms, planes, strict=True)]


def _read_plain(data: bytes, n_images: int, spec: ImageSpec) -> np.ndarray | None:
    """Return images that are stored as they are; None if they are coded."""
    if n_images and data[:1] != _PLAIN:
        return None
    numbers = data[len(_PLAIN) * bool(n_images) :]
    if len(numbers) != n_images * spec.n_bytes:
        raise BitstreamError(f"{len(data)} bytes for {n_images} images of {spec}.")
    rows = np.frombuffer(numbers, spec.dtype.newbyteorder("<"))
    return rows.reshape(n_images, spec.n_numbers)


def _least_bytes(n_samples: int) -> int:
    """Return the least bytes that so many samples are coded in."""
    return max(0, n_samples - _FREE_SAMPLES) // _SAMPLES_OF_BYTE
