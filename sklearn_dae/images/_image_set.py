"""Images with their names, read when they are asked for."""

from collections.abc import Iterator, Sequence
from copy import copy
from pathlib import Path
from typing import Any, Self, overload

import numpy as np

from sklearn_dae.images._account import Account
from sklearn_dae.images._held import Held, Names
from sklearn_dae.images._image_file import ImageFile
from sklearn_dae.images._shown import grey_file, shown_file
from sklearn_dae.images._spec import ImageSpec
from sklearn_dae.images.readers._arrays import array_file, as_images, dense


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

    others : sequence of (str, Path), default=()
        The files that were left out but can be read: their names, and where they are.

    images_are_named : bool, default=True
        Whether the names of files are names of the images in them, too. Images that
        have names of their own in a file are called so in any case.

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
        others: Sequence[tuple[str, Path]] = (),
        *,
        images_are_named: bool = True,
    ) -> None:
        self.source = source
        self.account = Account() if account is None else account
        self.others = tuple(others)
        self._images_are_named = images_are_named
        self._held = Held(files, names)
        self._numbers: Sequence[int] | np.ndarray = range(self._held.n_images)

    @property
    def files(self) -> Sequence[ImageFile]:
        """What holds the images, and perhaps others that are not in this set."""
        return self._held.files

    @property
    def file_names(self) -> Sequence[str]:
        """A name for each file; empty if images are in no files, but in an array."""
        return self._held.names

    @property
    def is_whole(self) -> bool:
        """Whether the set has all images of its files, or of its array, in order.

        Files can be made again from such a set; `file_names` says whether there are
        any.
        """
        return np.array_equal(self._number_array, np.arange(self._held.n_images))

    @property
    def _number_array(self) -> np.ndarray:
        numbers = self._numbers
        if isinstance(numbers, range):
            return np.arange(numbers.start, numbers.stop, numbers.step)
        return np.asarray(numbers, np.intp)

    @classmethod
    def from_array(
        cls,
        array: Any,
        source: str = "array",
        *,
        image_shape: tuple[int, ...] | None = None,
        names: Sequence[str] = (),
    ) -> Self:
        """Take the images of an array.

        Parameters
        ----------
        array : array-like of shape (n, height, width[, channels]) or (n, n_numbers)
            The images, or rows of their numbers. An array is not copied.

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
            images = as_images(dense(array), image_shape)
        except ValueError as error:
            raise ValueError(f"{source}: {error}.") from error
        if len(names) not in (0, len(images)):
            raise ValueError(
                f"{source} has {len(images)} images, but {len(names)} names."
            )
        return cls([array_file(images, names)], source)

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, key: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, key: slice | np.ndarray) -> Self: ...

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, slice | np.ndarray | list):
            file, number = self._held.place(self._numbers[key])
            return file.read(number)
        chosen = copy(self)
        if isinstance(key, slice):
            chosen._numbers = self._numbers[key]
        else:
            chosen._numbers = self._number_array[key]
        return chosen

    def __repr__(self) -> str:
        return f"<ImageSet of {len(self)} images: {self.source}>"

    def spec_of(self, i: int) -> ImageSpec:
        """Describe an image, without reading its pixels."""
        file, number = self._held.place(self._numbers[i])
        return file.specs[number]

    def groups(self) -> dict[ImageSpec, np.ndarray]:
        """Return, for each kind of images, the positions of those of the kind."""
        specs, kinds = self._held.kinds
        found, first, kind = np.unique(
            kinds[self._number_array], return_index=True, return_inverse=True
        )
        order = np.argsort(first)
        return {specs[found[i]]: np.flatnonzero(kind == i) for i in order}

    @property
    def spec(self) -> ImageSpec:
        """What all images are.

        Raises
        ------
        ValueError
            If there are several kinds of images, or none.
        """
        specs, numbers = self._held.kinds
        kinds = [specs[i] for i in np.unique(numbers[self._number_array])]
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
        array = self.files[0].array if len(self.files) == 1 else None
        if array is not None:
            numbers = self._numbers
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

        Images have the names that their file has for them. Others have the name of
        their file, with their number in it if it holds several; but those that were
        read from one file with an array have none.
        """
        have_own = len(self.files) > 0 and len(self.files[0].names) > 0
        if have_own or (self.file_names and self._images_are_named):
            return Names(self._held, self._numbers)
        return ()

    def as_shown(self) -> Self:
        """Return the same images as pixels that are shown without anything else.

        Numbers of a palette become its colours, CMYK and YCbCr RGB, a colour that
        stands for transparency a channel of opacity; grey of which zero is white is
        turned round, and images upright; all when they are read.

        Raises
        ------
        ValueError
            If a file has colours of another kind, such as CIELAB.
        """
        return self._with_files([shown_file(file) for file in self.files])

    def to_grey(self) -> Self:
        """Return the same images as they are shown, in shades of grey.

        Raises
        ------
        ValueError
            If there are images of real or signed numbers in several channels, or
            colours that cannot be shown.
        """
        return self._with_files([grey_file(shown_file(file)) for file in self.files])

    def _with_files(self, files: Sequence[ImageFile]) -> Self:
        changed = copy(self)
        changed._held = Held(files, self.file_names)
        return changed

    def file_bytes(self, i: int) -> bytes:
        """Return the file that an image is in, as it is.

        Raises
        ------
        ValueError
            If it is in none.

        OSError
            If the file cannot be read.
        """
        file, _ = self._held.place(self._numbers[i])
        if not file.location:
            raise ValueError(f"Image {i} of {self.source} is in no file.")
        return file.path.read_bytes()
