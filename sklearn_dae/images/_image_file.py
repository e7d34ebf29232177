"""A file that was opened: what is in it, read when asked for."""

import errno
import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_dae.images._appearance import PLAIN, Appearance
from sklearn_dae.images._spec import ImageSpec
from sklearn_dae.images._wrapper import MOST_BYTES, Wrapper, are_same

#: Most pixels of an image by default. A small file may claim any number of them.
MAX_PIXELS = 2**28


class Unreadable(ValueError):
    """A file cannot be read as an image.

    Parameters
    ----------
    reason : str
        In a word or two, the same for all files of the kind: "damaged".

    detail : str, default=""
        What is wrong with this one.

    path : str, default=""
        Which file it is, where nobody else says it.
    """

    def __init__(self, reason: str, detail: str = "", path: str = "") -> None:
        self.reason, self.detail = reason, detail
        super().__init__(f"{path}: {self.what}" if path else self.what)

    @property
    def what(self) -> str:
        """The reason and the detail, without the path."""
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


@contextmanager
def naming_damage() -> Iterator[None]:
    """Raise `Unreadable` for damage, whatever a library raises.

    Raises
    ------
    Unreadable
        For whatever is wrong with a file.

    OSError
        If the system cannot read it.
    """
    try:
        with warnings.catch_warnings():
            # Libraries warn of files that they read only in part.
            warnings.simplefilter("error")
            yield
    except (Unreadable, MemoryError):
        raise
    except Exception as error:
        # Those of the system have numbers: that is no damage, unless a damaged file led
        # to a place that there cannot be.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise Unreadable("damaged", str(error) or type(error).__name__) from error


#: The tag by which EXIF and TIFF say how an image is turned.
ORIENTATION_TAG = 0x0112


def orientation_of(value: Any) -> int:
    """Return how an image is turned, 1 to 8: 1, upright, if nothing is known."""
    return int(value) if value in range(1, 9) else 1


@dataclass(frozen=True)
class Options:
    """What a reader must be told, as a file does not say it.

    Parameters
    ----------
    max_pixels : int
        Most pixels of an image; a larger one is refused.

    image_shape : tuple of (height, width[, channels]), default=None
        What the rows of an array are.

    key : str, default=None
        Which of several arrays to take.
    """

    max_pixels: int = MAX_PIXELS
    image_shape: tuple[int, ...] | None = None
    key: str | None = None

    def check_size(self, n_pixels: int) -> None:
        """Refuse an image that is too large, before its pixels take memory.

        Raises
        ------
        Unreadable
            If it is.
        """
        if n_pixels > self.max_pixels:
            raise Unreadable(
                "too large",
                f"it claims {n_pixels:,} pixels, more than {self.max_pixels:,}: pass "
                "max_pixels=... if it is to be trusted",
            )


@lru_cache(maxsize=4096)
def _shared(spec: ImageSpec) -> tuple[ImageSpec]:
    return (spec,)


def same_specs(spec: ImageSpec, n_images: int = 1) -> tuple[ImageSpec, ...]:
    """Return the spec of each of some images that are alike.

    Specs that are equal are one object, as a folder may hold 100,000 files of one kind.
    """
    one = _shared(spec)
    return one if n_images == 1 else one * n_images


def are_equal(specs: Sequence[ImageSpec]) -> bool:
    """Whether all are of one kind, which is quick where they are one object."""
    return len(specs) > 0 and specs.count(specs[0]) == len(specs)


class Reader(ABC):
    """Reads the images of a file of one format, again and again.

    A subclass holds what it has to know of one file, or nothing; it keeps no file open.
    """

    __slots__ = ()

    @abstractmethod
    def read(self, file: "ImageFile", number: int) -> np.ndarray:
        """Return the pixels of an image."""

    def images(self, file: "ImageFile") -> Iterator[np.ndarray]:
        """Yield the pixels of all images."""
        return (self.read(file, number) for number in range(len(file)))

    def wrappers(self, file: "ImageFile") -> Iterable[Wrapper | None]:
        """Return ways in which the file may be made again, the best one first.

        `ImageFile.wrap` compares what exact ones make with the file. Others must have
        been tried where a library writes pixels in one of many ways, as for TIFF; PNG
        has one way for each kind of pixels, and this package writes it. None, and
        nothing, mean that pixels alone do not restore the file.
        """
        return ()

    def array(self, file: "ImageFile") -> np.ndarray | None:
        """Return all images as one array, where the file holds them so."""
        return None


@dataclass(frozen=True, slots=True, eq=False)
class ImageFile:
    """A file with images in it.

    Parameters
    ----------
    location : str
        Path of the file; empty for an array that is in none.

    format : str
        What it is, such as "PNG".

    specs : sequence of ImageSpec
        Each of its images.

    reader : Reader
        What reads its format.

    size : int, default=0
        Its bytes, when it was opened.

    appearances : sequence of Appearance, default=(PLAIN,)
        How each of its images is to be shown; one for all that look alike.

    names : sequence of str, default=()
        A name for each image, if the file has them.
    """

    location: str
    format: str
    specs: Sequence[ImageSpec]
    reader: Reader
    size: int = 0
    appearances: Sequence[Appearance] = (PLAIN,)
    names: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.specs)

    def appearance_of(self, number: int) -> Appearance:
        """Return how an image is to be shown."""
        return self.appearances[number if len(self.appearances) > 1 else 0]

    @property
    def path(self) -> Path:
        """Where it is; ``Path()`` for an array that is in no file."""
        return Path(self.location)

    @property
    def array(self) -> np.ndarray | None:
        """All images as one array, where the file holds them so, or None.

        It has the shape (n, height, width[, channels]), and may be memory-mapped.
        """
        with self._naming_itself():
            return self.reader.array(self)

    def read(self, number: int) -> np.ndarray:
        """Return the pixels of an image.

        Raises
        ------
        Unreadable
            If the file is damaged, or is not what it was when it was opened.

        OSError
            If it cannot be read.
        """
        with self._naming_itself():
            return self._checked(self.reader.read(self, number), number)

    def images(self) -> Iterator[np.ndarray]:
        """Yield the pixels of all images in order; raises what `read` does."""
        with self._naming_itself():
            images = self.reader.images(self)
        for number in range(len(self)):
            with self._naming_itself():
                image = self._checked(next(images), number)
            yield image

    def wrap(self) -> Wrapper | None:
        """Return how the file is made again from its pixels.

        Returns
        -------
        Wrapper or None
            None where pixels alone do not restore the file, or take more around them
            than they save: who stores it keeps its bytes. One that is exact has been
            compared with the file.

        Raises
        ------
        Unreadable, OSError
            As `read` does.
        """
        with self._naming_itself():
            for wrapper in self.reader.wrappers(self):
                if wrapper is not None and self._is_made_by(wrapper):
                    return wrapper
        return None

    def _is_made_by(self, wrapper: Wrapper) -> bool:
        if len(wrapper.to_bytes()) > MOST_BYTES:
            return False
        if not wrapper.is_exact:
            return True
        with open(self.location, "rb") as file:
            return are_same(wrapper.rebuild(self.images()), file)

    def _checked(self, pixels: np.ndarray, number: int) -> np.ndarray:
        spec = self.specs[number]
        if pixels.shape != spec.shape or pixels.dtype != spec.dtype:
            raise Unreadable(
                "changed",
                f"it held an image of {spec} when it was opened, and now holds "
                f"{pixels.dtype} of shape {pixels.shape}",
            )
        return pixels

    @contextmanager
    def _naming_itself(self) -> Iterator[None]:
        """Name the file, and what happened to it, in what is raised for damage."""
        if not self.location:
            yield
            return
        try:
            with naming_damage():
                yield
        except Unreadable as error:
            reason, detail = error.reason, error.detail
            size = os.stat(self.location).st_size
            if size != self.size and reason != "changed":
                reason = "changed"
                detail = (
                    f"it had {self.size:,} bytes when it was opened, and has {size:,} "
                    f"now ({error.what})"
                )
            raise Unreadable(reason, detail, self.location) from error
