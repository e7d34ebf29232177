"""The network as pure functions on one flat parameter vector."""

from sklearn_dae.network._curvature import BLOCK_SIZE, Blocks, kronecker_factors
from sklearn_dae.network._forward import forward, propagate
from sklearn_dae.network._layout import Layer, Layout
from sklearn_dae.network._losses import LOSSES
from sklearn_dae.network._objective import (
    Objective,
    error_and_slope,
    loss_and_gradient,
    reconstruction_loss,
)
from sklearn_dae.network._units import BOUNDED_UNITS, UNITS

__all__ = [
    "BLOCK_SIZE",
    "BOUNDED_UNITS",
    "LOSSES",
    "UNITS",
    "Blocks",
    "Layer",
    "Layout",
    "Objective",
    "error_and_slope",
    "forward",
    "kronecker_factors",
    "loss_and_gradient",
    "propagate",
    "reconstruction_loss",
]
