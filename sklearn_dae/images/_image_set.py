"""Images with their names, read when they are asked for."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from copy import copy
from itertools import accumulate
from pathlib import Path
from typing import Any, Self, overload

import numpy as np

from sklearn_dae.images._account import Account
from sklearn_dae.images._image_file import ImageFile, Options
from sklearn_dae.images._shown import grey_file, shown_file
from sklearn_dae.images._spec import ImageSpec
from sklearn_dae.images.readers._arrays import array_file, as_images


class ImageSet(Sequence[np.ndarray]):
    """Images of one shape or of many, read when they are asked for.

    ``len(images)`` is their number, ``images[i]`` the pixels of one of them, of shape
    (height, width) or (height, width, channels); a slice or an array of numbers makes a
    smaller set of them, without reading any.

    Parameters
    ----------
    files : sequence of ImageFile
        What holds the images.

    source : str
        Where they came from, for people to read.

    names : sequence of str, default=()
        A name for each file; empty if they have none.

    account : Account, default=None
        What was taken in, and what was not.

    Examples
    --------
    >>> from sklearn_dae.datasets import load_digits
    >>> digits = load_digits()
    >>> digits
    <ImageSet of 1797 images: digits>
    >>> print(digits.spec)
    8 x 8 pixels, grey, uint8
    >>> digits[0].shape, digits[10:20].data.shape
    ((8, 8), (10, 64))
    """

    def __init__(
        self,
        files: Sequence[ImageFile],
        source: str,
        names: Sequence[str] = (),
        account: Account | None = None,
    ) -> None:
        self.files = files
        self.source = source
        self.account = Account() if account is None else account
        self.file_names = names
        self._ends = list(accumulate(len(file) for file in files))
        n_images = self._ends[-1] if self._ends else 0
        self._numbers: Sequence[int] | np.ndarray = range(n_images)

    @classmethod
    def from_array(
        cls,
        array: np.ndarray,
        source: str = "array",
        *,
        image_shape: tuple[int, ...] | None = None,
        names: Sequence[str] = (),
    ) -> Self:
        """Take the images of an array.

        Parameters
        ----------
        array : ndarray of shape (n, height, width[, channels]) or (n, n_numbers)
            The images, or rows of their numbers. It is not copied.

        source : str, default="array"
            What to call it.

        image_shape : tuple of (height, width[, channels]), default=None
            What a row is. None takes rows of a square number of values as square
            images, and refuses others.

        names : sequence of str, default=()
            A name for each image.

        Raises
        ------
        ValueError
            If it holds no images.
        """
        try:
            images = as_images(array, image_shape)
        except ValueError as error:
            raise ValueError(f"{source}: {error}.") from error
        if len(names) not in (0, len(images)):
            raise ValueError(
                f"{source} has {len(images)} images, but {len(names)} names."
            )
        file = array_file(Path(), "array", images, Options(), names=names)
        return cls([file], source)

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, key: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, key: slice | np.ndarray) -> Self: ...

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, slice | np.ndarray | list):
            file, number = self._place(self._numbers[key])
            return file.read(number)
        chosen = copy(self)
        if isinstance(key, slice):
            chosen._numbers = self._numbers[key]
        else:
            chosen._numbers = np.asarray(self._numbers)[key]
        return chosen

    def __repr__(self) -> str:
        return f"<ImageSet of {len(self)} images: {self.source}>"

    def _place(self, number: int) -> tuple[ImageFile, int]:
        """Return the file that an image is in, and which of its images it is."""
        at = bisect_right(self._ends, number)
        return self.files[at], int(number) - (self._ends[at - 1] if at else 0)

    def spec_of(self, i: int) -> ImageSpec:
        """Describe an image, without reading its pixels."""
        file, number = self._place(self._numbers[i])
        return file.specs[number]

    def groups(self) -> dict[ImageSpec, np.ndarray]:
        """Return, for each kind of images, the positions of those of the kind."""
        if len(self.files) == 1 and self.files[0].array is not None and len(self):
            return {self.files[0].specs[0]: np.arange(len(self))}
        groups: dict[ImageSpec, list[int]] = {}
        for i in range(len(self)):
            groups.setdefault(self.spec_of(i), []).append(i)
        return {spec: np.array(places) for spec, places in groups.items()}

    @property
    def spec(self) -> ImageSpec:
        """What all images are.

        Raises
        ------
        ValueError
            If there are several kinds of images, or none.
        """
        kinds = list(self.groups())
        if len(kinds) == 1:
            return kinds[0]
        if not kinds:
            array = self.files[0].array if self.files else None
            if array is None:
                raise ValueError(f"{self.source} holds no image.")
            return ImageSpec.of_shape(array.shape[1:], array.dtype)
        raise ValueError(
            f"{self.source} holds images of {len(kinds)} kinds, such as {kinds[0]} and "
            f"{kinds[1]}; expected one: take the images of one kind, images[numbers] "
            "for numbers in images.groups().values()."
        )

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of each image: (height, width) or (height, width, channels)."""
        return self.spec.shape

    def stack(self) -> np.ndarray:
        """Read all images, which must be of one kind, into one array.

        Returns
        -------
        ndarray of shape (n_images, height, width[, channels])
            A view of the array that the images are in, where there is one.
        """
        spec = self.spec
        if len(self.files) == 1 and self.files[0].array is not None:
            array, numbers = self.files[0].array, self._numbers
            if isinstance(numbers, range) and numbers.step == 1:
                array = array[numbers.start : numbers.stop]
            else:
                array = array[np.asarray(numbers)]
            return array.astype(spec.dtype, copy=False)
        images = np.empty((len(self), *spec.shape), spec.dtype)
        for image, place in zip(images, self, strict=True):
            image[...] = place
        return images

    @property
    def data(self) -> np.ndarray:
        """All images, which must be of one kind, as rows of their numbers.

        An array of shape (n_images, n_numbers), as scikit-learn takes it.
        """
        images = self.stack()
        return images.reshape(len(images), self.spec.n_numbers)

    def blocks(self, n_images: int) -> Iterator[Self]:
        """Yield the images, ``n_images`` at a time; the last block may have fewer."""
        for start in range(0, len(self), n_images):
            yield self[start : start + n_images]

    @property
    def names(self) -> Sequence[str]:
        """A name for each image; empty if they have none.

        Images of a file that holds several have its name and their number in it.
        """
        if not self.file_names and not (self.files and len(self.files[0].names)):
            return ()
        return [self._name(number) for number in self._numbers]

    def _name(self, number: int) -> str:
        file, place = self._place(number)
        if len(file.names):
            return str(file.names[place])
        name = self.file_names[bisect_right(self._ends, number)]
        return name if len(file) == 1 else f"{name}[{place}]"

    def as_shown(self) -> Self:
        """Return the same images as pixels that are shown without anything else.

        Numbers of a palette become its colours, a colour that stands for transparency
        a channel of opacity, and images are turned upright; all when they are read.
        """
        shown = copy(self)
        shown.files = [shown_file(file) for file in self.files]
        return shown

    def to_grey(self) -> Self:
        """Return the same images as they are shown, in shades of grey.

        Raises
        ------
        ValueError
            If there are images of real or signed numbers in several channels.
        """
        grey = copy(self)
        grey.files = [grey_file(shown_file(file)) for file in self.files]
        return grey

    def file_bytes(self, i: int) -> bytes:
        """Return the file that an image is in, as it is.

        Raises
        ------
        ValueError
            If it is in none.

        OSError
            If the file cannot be read.
        """
        file, _ = self._place(self._numbers[i])
        if file.path == Path():
            raise ValueError(f"Image {i} of {self.source} is in no file.")
        return file.path.read_bytes()
