"""Images and options -> a fitted codec.

What the options leave open is chosen for somebody who has not trained a network before:
its size by what it may take in a file.
"""

import argparse
import math
import warnings

from sklearn_dae.cli._progress import progress_of
from sklearn_dae.codecs import TransformCodec
from sklearn_dae.compressor import DeepAutoencoderCompressor
from sklearn_dae.images import ImageSet

#: Most values of a code by default: enough for the error of a network on handwritten
#: digits, few enough for the linear maps of large images.
_MOST_COMPONENTS = 32

#: Most parameters of a network chosen here, and of one that the user wants.
_MOST_CHOSEN, _MOST_WANTED = 10_000_000, 30_000_000

#: Bytes of a parameter, as trained; those of a decoder are stored in a few bits.
_PARAMETER_BYTES = 4

#: What a network may take, as trained, as a fraction of the pixels, a byte each.
_MODEL_SHARE = 1 / 4

#: A layer of fewer units is left out.
_FEWEST_UNITS = 4


def parameters_beside(images: ImageSet) -> int:
    """Return how many parameters of a network may stand beside images in a file."""
    return min(_MOST_CHOSEN, int(images.data.size * _MODEL_SHARE / _PARAMETER_BYTES))


def fit_codec(
    images: ImageSet,
    arguments: argparse.Namespace,
    most_parameters: int = _MOST_CHOSEN,
) -> TransformCodec:
    """Train an autoencoder on images, and a codec around it.

    Parameters
    ----------
    images : ImageSet
        The images.

    arguments : Namespace
        The options of `add_training`.

    most_parameters : int, default=10,000,000
        Most parameters of the network, where its size is chosen here.

    Returns
    -------
    TransformCodec
        The fitted codec.

    Raises
    ------
    ValueError
        If the images or the options do not allow it.

    KeyboardInterrupt
        If the user interrupts the training.
    """
    _check_images(images)
    autoencoder = _make_autoencoder(images, arguments, most_parameters)
    codec = TransformCodec(
        autoencoder,
        target_psnr=arguments.psnr,
        target_bits_per_sample=arguments.bits_per_image,
    )
    _train(autoencoder, images)
    return codec.fit(images.stack())


def _check_images(images: ImageSet) -> None:
    """Refuse, before long work, images that a network cannot learn from."""
    # Both ends are NaN where any pixel is.
    ends = [float(images.data.min()), float(images.data.max())]
    if not all(map(math.isfinite, ends)):
        raise ValueError(
            f"{images.source} holds NaN or infinity; replace these pixels."
        )


def _make_autoencoder(
    images: ImageSet, arguments: argparse.Namespace, most_parameters: int
) -> DeepAutoencoderCompressor:
    n_pixels = images.data.shape[1]
    n_components = arguments.n_components
    if n_components is None:
        # The direct way from image to code and back takes half of the parameters.
        affordable = most_parameters // (4 * n_pixels)
        n_components = max(1, min(n_pixels // 4, _MOST_COMPONENTS, affordable))
    elif n_components > n_pixels:
        raise ValueError(
            f"--n-components is {n_components}, but an image has {n_pixels} pixels: "
            "a code larger than the image compresses nothing."
        )
    autoencoder = DeepAutoencoderCompressor(
        n_components,
        hidden_layer_sizes=arguments.hidden_layer_sizes,
        max_iter=arguments.max_iter,
        random_state=arguments.random_state or 0,
    )
    if arguments.hidden_layer_sizes is None:
        sizes = _hidden_layer_sizes(autoencoder, n_pixels, most_parameters)
        autoencoder.set_params(hidden_layer_sizes=sizes)
    n_parameters = autoencoder.layout_for(n_pixels).n_parameters
    if n_parameters > _MOST_WANTED:
        raise ValueError(
            f"The network would have {n_parameters:,} parameters, more than "
            f"{_MOST_WANTED:,}: make the images smaller, or give a smaller "
            "--n-components or --hidden-layer-sizes."
        )
    return autoencoder


def _hidden_layer_sizes(
    autoencoder: DeepAutoencoderCompressor, n_pixels: int, most_parameters: int
) -> list[int]:
    """Return the default sizes of hidden layers, or smaller ones; at worst none."""
    layout = autoencoder.layout_for(n_pixels)
    sizes = [int(width) for width in layout.widths[: layout.encoder[-1]]]
    while sizes and layout.n_parameters > most_parameters:
        sizes = [int(0.9 * size) for size in sizes]
        if min(sizes) < _FEWEST_UNITS:
            sizes = []
        trial = DeepAutoencoderCompressor(
            autoencoder.n_components, hidden_layer_sizes=sizes
        )
        layout = trial.layout_for(n_pixels)
    return sizes


def _train(autoencoder: DeepAutoencoderCompressor, images: ImageSet) -> None:
    with progress_of(autoencoder), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Fine-tuning was interrupted")
        autoencoder.fit(images.data)
    if autoencoder.interrupted_:
        # The compressor would go on with what it has, which nobody asked for here.
        raise KeyboardInterrupt
