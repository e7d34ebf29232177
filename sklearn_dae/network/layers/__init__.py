"""Kinds of layers, one file each: parameters, forward, backward, curvature.

In: a slice of the parameter vector and the activations of the layer below. Out: the
layer's activations and, on the way back, gradients and curvature. Another kind of layer
is a frozen dataclass in a file of its own that derives from `Layer`; training, saving
and `Network` need to know nothing else of it.
"""
