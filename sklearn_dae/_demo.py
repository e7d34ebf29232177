"""The demonstration: train, compress held-out images, show a table and a picture.

In: the name of a set of images. Out: a fitted autoencoder for each code size, PCA
with the same number of values, and what both make of images they have not seen.
"""

import copy
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from sklearn_dae._callbacks import progress_bar
from sklearn_dae._demo_table import Comparison, compare
from sklearn_dae.codecs import SmallestCodec
from sklearn_dae.compressor import PAPER_SETTINGS, DeepAutoencoderCompressor
from sklearn_dae.datasets import ImageSplit, load_split
from sklearn_dae.datasets._split import check_can_learn
from sklearn_dae.evaluation import ReconstructionDisplay
from sklearn_dae.evaluation._drawing import fit_figure, new_figure

#: Images in a row of the picture.
N_SHOWN = 12

#: Files whose sizes are told.
_N_TOTALS = 8

#: Most parameters of a network that still trains on an ordinary machine. L-BFGS keeps
#: some twenty double-precision vectors of this length.
MOST_PARAMETERS = 30_000_000

Say = Callable[[str], object]


@dataclass(frozen=True)
class Experiment:
    """Images to learn from and to compress, and the settings for them.

    ``networks`` maps names to parameters of the autoencoder; ``thresholded`` names the
    one whose output is also reduced to black and white. At ``target_psnr``, in
    decibels, files of all images are compared, if it is not None.
    """

    split: ImageSplit
    n_components: Sequence[int | None]
    networks: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {"autoencoder": {}}
    )
    thresholded: str | None = None
    target_psnr: float | None = None


def paper_experiment() -> Experiment:
    """Set up the experiment of the paper, and the default network for comparison."""
    mnist = load_split("mnist")
    return Experiment(
        ImageSplit(
            mnist.training[:20000],
            mnist.test[:1000],
            mnist.shape,
            "MNIST, as in the paper",
        ),
        (196,),
        {"paper": dict(PAPER_SETTINGS), "autoencoder": {}},
        thresholded="paper",
    )


def experiment_on(source: str, *, grey: bool = False) -> Experiment:
    """Set up digits, compressed to 16 and to 8 values, or a user's own images."""
    split = load_split(source, grey=grey)
    if source == "digits":
        return Experiment(split, (16, 8), target_psnr=20)
    return Experiment(split, (None,))


def run(
    experiment: Experiment,
    output: Path,
    *,
    settings: dict[str, Any],
    interactive: bool,
    say: Say,
) -> Comparison:
    """Train, compare, print, and write the picture.

    Parameters
    ----------
    experiment : Experiment
        What to do.

    output : Path
        Where to write the picture.

    settings : dict
        Parameters of the autoencoder, which override those of the experiment.

    interactive : bool
        Whether to show progress bars rather than a line now and then.

    say : callable
        Prints a line of text.

    Returns
    -------
    Comparison
        The table.
    """
    split = experiment.split
    check_can_learn(split)
    autoencoders = [
        (name, _make(experiment, n_components, {**own_settings, **settings}))
        for name, own_settings in experiment.networks.items()
        for n_components in experiment.n_components
    ]
    draws = _can_draw(output, say)
    height, width = split.shape
    low, high = split.pixel_range
    say(
        f"{split.source}: {len(split.training):,} images to learn from, "
        f"{len(split.test):,} held out, {width} x {height} pixels from {low:g} "
        f"to {high:g}\n"
    )
    methods: dict[str, Any] = {}
    for name, dae in autoencoders:
        methods |= _fit(experiment, name, dae, interactive, say)
    comparison = compare(methods, split.training, split.test, split.pixel_range)
    say(f"{comparison}\n")
    say(
        "Errors are squared errors an image, with pixels scaled to [0, 1]. "
        "A value is counted as 32 bits."
    )
    if experiment.target_psnr is not None:
        say(_totals(split, experiment.target_psnr))
    if draws:
        _draw(split, comparison, output)
        say(f"\nPicture: {output}")
    return comparison


def _totals(split: ImageSplit, target_psnr: float) -> str:
    """Say what files of all images take at one quality, models and all."""
    images = np.concatenate([split.training, split.test]).reshape(-1, *split.shape)
    low, high = split.pixel_range
    codec = SmallestCodec(target_psnr, peak=high - low, effort=2)
    tried = codec.fit(images).candidates_
    lines = [
        f"\nFiles of all {len(images):,} images at {target_psnr:g} dB, with everything "
        "in them, such as weights:"
    ]
    for each in tried[:_N_TOTALS]:
        lines.append(f"  {each.name:32}  {each.n_bytes:>10,.0f} bytes")
    return "\n".join(lines)


def _make(
    experiment: Experiment, n_components: int | None, settings: dict[str, Any]
) -> DeepAutoencoderCompressor:
    """Make an autoencoder; refuse one that would be too large to train."""
    dae = DeepAutoencoderCompressor(n_components, **{"random_state": 0, **settings})
    n_parameters = dae.layout_for(experiment.split.training.shape[1]).n_parameters
    if n_parameters > MOST_PARAMETERS:
        raise ValueError(
            f"The network would have {n_parameters:,} parameters, more than "
            f"{MOST_PARAMETERS:,}: make the images smaller, or give smaller "
            "--hidden-layer-sizes."
        )
    return dae


def _fit(
    experiment: Experiment,
    name: str,
    dae: DeepAutoencoderCompressor,
    interactive: bool,
    say: Say,
) -> dict[str, Any]:
    """Fit the autoencoder and PCA with the same number of values."""
    bar = progress_bar() if interactive else None
    if bar is None:
        dae.set_params(verbose=1)
    else:
        dae.set_callbacks(bar)
    begin = time.perf_counter()
    dae.fit(experiment.split.training)
    seconds = time.perf_counter() - begin
    dae.set_callbacks()
    n_values = dae.network_.layout.n_components
    say(
        f"{name.capitalize()} {dae.network_.layout}: {dae.n_iter_} iterations of "
        f"{dae.solver_}, {seconds:.0f} s. {dae.message_}"
    )
    pretraining = zip(dae.network_.layout.layers, dae.pretraining_errors_, strict=False)
    for layer, errors in pretraining:
        if errors:
            say(
                f"  RBM {layer.n_below} -> {layer.n_out}: squared error a row "
                f"{errors[0]:.3f} after 1 epoch, {errors[-1]:.3f} after {len(errors)}"
            )
    say("")
    methods: dict[str, Any] = {f"{name} {n_values}": dae}
    if experiment.thresholded == name:
        two_valued = copy.copy(dae).set_params(threshold=0.5)
        methods[f"thresholded {n_values}"] = two_valued
    most = min(experiment.split.training.shape)
    pca = PCA(min(n_values, most), random_state=0)
    methods[f"PCA {pca.n_components}"] = pca.fit(experiment.split.training)
    return methods


def _can_draw(output: Path, say: Say) -> bool:
    """Check, before the long work, whether a picture can be made and written."""
    try:
        import matplotlib
        import matplotlib.backend_bases
    except ImportError:
        say(
            "No picture will be made: that needs matplotlib "
            "(pip install 'sklearn-dae[full]').\n"
        )
        return False
    if output.is_dir():
        raise IsADirectoryError(f"--output {output} is a folder; name a file in it.")
    canvas = matplotlib.backend_bases.FigureCanvasBase
    formats = canvas.get_supported_filetypes()
    if output.suffix.lower().removeprefix(".") not in formats:
        raise ValueError(
            f"--output {output}: expected a name that ends in one of "
            f"{', '.join(sorted(formats))}."
        )
    if output.exists() and not output.is_file():
        raise ValueError(f"--output {output} is not a file that can be replaced.")
    if not output.parent.is_dir():
        raise FileNotFoundError(f"--output {output}: there is no folder for it.")
    if not os.access(output.parent, os.W_OK):
        raise PermissionError(f"--output {output}: its folder cannot be written to.")
    return True


def _draw(split: ImageSplit, comparison: Comparison, output: Path) -> None:
    shown = split.test[:N_SHOWN]
    errors = {row.method: row.test_error for row in comparison.rows}
    reconstructions = {
        f"{method}\nerror {errors[method]:.2f}": images[:N_SHOWN]
        for method, images in comparison.reconstructions.items()
    }
    figure = new_figure()
    display = ReconstructionDisplay(
        shown, reconstructions, image_shape=split.shape, pixel_range=split.pixel_range
    ).plot(figure.subplots())
    title = f"Held-out images and their reconstructions: {split.source}"
    fit_figure(display.ax_, title)
    target = output.resolve()  # what a link points to is replaced, not the link
    handle, unfinished = tempfile.mkstemp(suffix=target.suffix, dir=target.parent)
    os.close(handle)
    try:
        figure.savefig(unfinished)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(unfinished, 0o666 & ~umask)
        os.replace(unfinished, target)
    except BaseException:
        os.unlink(unfinished)
        raise
