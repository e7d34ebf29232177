"""The network: layers in one flat parameter vector, and what they do with images.

In: a parameter vector and rows of pixels. Out: codes and images (`Network`), and for
training the objective, its gradient and its curvature, as pure functions. Another kind
of layer goes into `layers`.
"""

from sklearn_dae.network._layout import Layout
from sklearn_dae.network._network import Network
from sklearn_dae.network._objective import Objective
from sklearn_dae.network.layers._dense import Dense
from sklearn_dae.network.layers._layer import Layer

__all__ = ["Dense", "Layer", "Layout", "Network", "Objective"]
