"""Restricted Boltzmann machines, the layers that a deep autoencoder is made of.

In: rows of numbers, dense or sparse. Out: fitted estimators with weights and biases,
which `compressor/` unrolls into a network. `_divergence.py` has the phases that they
learn by; one more kind of unit is a line of `KINDS` in `_units.py`.
"""

from sklearn_dae.rbm._bernoulli import BernoulliRBM
from sklearn_dae.rbm._gaussian import GaussianRBM

__all__ = ["BernoulliRBM", "GaussianRBM"]
