"""What was taken in of a folder or a file, and what was not, and why."""

from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class Account:
    """What was taken in, and what was left out.

    Parameters
    ----------
    n_files, n_images, n_bytes : int
        Files that were read, the images in them, and the bytes of these files.

    left_out : dict of str to dict of str to str
        For each reason, such as "damaged", the names of the files that were left out
        for it, and what is wrong with each.

    Examples
    --------
    >>> from sklearn_dae.images import Account
    >>> account = Account(3, 3, 999, {"empty": {"b.png": ""}})
    >>> print(account)
    3 files, 3 images, 999 bytes; left out: 1 empty
    """

    n_files: int = 0
    n_images: int = 0
    n_bytes: int = 0
    left_out: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def n_left_out(self) -> int:
        """Number of files that were left out."""
        return sum(map(len, self.left_out.values()))

    def __add__(self, other: Self) -> Self:
        """Return what was taken in, and left out, at two times."""
        left_out = {reason: dict(named) for reason, named in self.left_out.items()}
        for reason, named in other.left_out.items():
            left_out.setdefault(reason, {}).update(named)
        return type(self)(
            self.n_files + other.n_files,
            self.n_images + other.n_images,
            self.n_bytes + other.n_bytes,
            left_out,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers and names, ready for JSON."""
        return {
            "files": self.n_files,
            "images": self.n_images,
            "bytes": self.n_bytes,
            "left_out": self.left_out,
        }

    @classmethod
    def from_dict(cls, content: Any) -> Self:
        """Read what `to_dict` returned.

        Raises
        ------
        ValueError
            If it is something else.
        """
        try:
            files, images, n_bytes = (
                int(content[name]) for name in ("files", "images", "bytes")
            )
            left_out = {
                str(reason): {str(name): str(detail) for name, detail in named.items()}
                for reason, named in content["left_out"].items()
            }
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"not an account of files: {error}") from None
        return cls(files, images, n_bytes, left_out)

    def __str__(self) -> str:
        said = ", ".join(
            f"{n:,} {what}{'' if n == 1 else 's'}"
            for n, what in (
                (self.n_files, "file"),
                (self.n_images, "image"),
                (self.n_bytes, "byte"),
            )
        )
        if not self.left_out:
            return said
        counts = [f"{len(files):,} {why}" for why, files in self.left_out.items()]
        return f"{said}; left out: {', '.join(counts)}"
