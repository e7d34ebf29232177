"""Images and options -> a fitted codec.

What the options leave open is chosen for somebody who has not trained a network before:
its sizes by what makes the decoder and all codes smallest together.
"""

import argparse
import math
import warnings

from sklearn_dae.cli._progress import progress_of
from sklearn_dae.codecs import TransformCodec
from sklearn_dae.codecs._measured import peak_of
from sklearn_dae.codecs._sizes import Sizes, SizeSearch, usual_units, usual_values
from sklearn_dae.codecs._step import floor_of, relative_to
from sklearn_dae.compressor import DeepAutoencoderCompressor
from sklearn_dae.images import ImageSet

#: Most parameters of a network.
_MOST_PARAMETERS = 30_000_000

#: Most epochs of the trainings by which sizes are chosen.
_TRIAL_EPOCHS = 20

#: How often a network gets more values where it is not good enough after all.
_MOST_ENLARGED = 5


def fit_codec(images: ImageSet, arguments: argparse.Namespace) -> TransformCodec:
    """Train an autoencoder on images, and a codec around it.

    Parameters
    ----------
    images : ImageSet
        The images.

    arguments : Namespace
        The options of `add_training`.

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
    # Qualities relative to the range of the images, as codecs take them.
    span, worst_psnr = peak_of(images), arguments.worst_psnr
    if arguments.psnr is not None and worst_psnr is None:
        worst_psnr = floor_of(arguments.psnr)
    psnr, worst_psnr = (
        None if each is None else relative_to(span, each, arguments.peak or span)
        for each in (arguments.psnr, worst_psnr)
    )
    codec = TransformCodec(
        None,
        target_psnr=psnr,
        target_bits_per_sample=arguments.bits_per_image,
        worst_psnr=worst_psnr,
    )
    sizes = _first_sizes(images, psnr, span, arguments)
    may_grow = psnr is not None and arguments.n_components is None
    for _ in range(_MOST_ENLARGED if may_grow else 0):
        autoencoder = _make_autoencoder(sizes, images, arguments)
        try:
            return _fitted(codec, autoencoder, images)
        except ValueError:
            # It learned less than in trials, from all images or with another penalty.
            sizes = sizes.with_more_values(images.spec.n_numbers)
    return _fitted(codec, _make_autoencoder(sizes, images, arguments), images)


def _check_images(images: ImageSet) -> None:
    """Refuse, before long work, images that a network cannot learn from."""
    # Both ends are NaN where any pixel is.
    ends = [float(images.data.min()), float(images.data.max())]
    if not all(map(math.isfinite, ends)):
        raise ValueError(
            f"{images.source} holds NaN or infinity; replace these pixels."
        )


def _first_sizes(
    images: ImageSet, psnr: float | None, span: float, arguments: argparse.Namespace
) -> Sizes:
    """Return the sizes that options ask for, or else those that pay."""
    n_pixels, n_values = images.spec.n_numbers, arguments.n_components
    if n_values is not None and n_values > n_pixels:
        raise ValueError(
            f"--n-components is {n_values}, but an image has {n_pixels} pixels: a code "
            "larger than the image compresses nothing."
        )
    if psnr is None or n_values is not None:
        n_values = n_values or usual_values(len(images), n_pixels)
        return Sizes(n_values, usual_units(len(images), n_pixels))
    search = SizeSearch.of(
        images,
        len(images),
        psnr,
        span,
        max_iter=min(_TRIAL_EPOCHS, arguments.max_iter or _TRIAL_EPOCHS),
        random_state=arguments.random_state or 0,
    )
    has_units = arguments.hidden_layer_sizes is not None
    sizes = search.first(len(images)) if has_units else search.deep()
    if sizes is None:
        raise ValueError(
            f"No network restores these images with {arguments.psnr:g} dB; "
            f"'sklearn-dae compress --psnr {arguments.psnr:g}' alone takes whatever "
            "does."
        )
    return sizes


def _fitted(
    codec: TransformCodec, autoencoder: DeepAutoencoderCompressor, images: ImageSet
) -> TransformCodec:
    _train(autoencoder, images)
    return codec.set_params(transformer=autoencoder).fit(images.stack())


def _make_autoencoder(
    sizes: Sizes, images: ImageSet, arguments: argparse.Namespace
) -> DeepAutoencoderCompressor:
    autoencoder = DeepAutoencoderCompressor(
        sizes.n_values,
        hidden_layer_sizes=arguments.hidden_layer_sizes or (sizes.n_units,),
        max_iter=arguments.max_iter,
        random_state=arguments.random_state or 0,
    )
    layout = autoencoder.layout_for(images.spec.n_numbers)
    if layout.n_parameters > _MOST_PARAMETERS:
        raise ValueError(
            f"The network would have {layout.n_parameters:,} parameters, more than "
            f"{_MOST_PARAMETERS:,}: give a smaller --n-components or "
            "--hidden-layer-sizes, or none of these: --psnr alone, and --lossless, "
            "take images of any size."
        )
    return autoencoder


def _train(autoencoder: DeepAutoencoderCompressor, images: ImageSet) -> None:
    with progress_of(autoencoder), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Fine-tuning was interrupted")
        autoencoder.fit(images.data)
    if autoencoder.interrupted_:
        # The compressor would go on with what it has, which nobody asked for here.
        raise KeyboardInterrupt
