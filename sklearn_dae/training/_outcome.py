"""How a minimisation ended."""

from typing import NamedTuple


class Outcome(NamedTuple):
    """How a minimisation ended."""

    message: str
    n_evaluations: int
    interrupted: bool
