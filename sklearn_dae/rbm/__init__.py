"""Restricted Boltzmann machines, the layers that a deep autoencoder is made of."""

from sklearn_dae.rbm._bernoulli import BernoulliRBM
from sklearn_dae.rbm._gaussian import GaussianRBM

__all__ = ["BernoulliRBM", "GaussianRBM"]
