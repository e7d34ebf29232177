"""Squared errors, bytes and verdicts, to see that a refactoring loses nothing.

Everything that computes a figure runs once, on digits, the first 20,000 images of MNIST
and the X-rays of 28 x 28 pixels, always from the same seeds: the compressor as it is
by default, as the paper has it, and by each solver; the RBMs; every codec; an archive;
the forecast; the evaluation. Each figure is a line with a key that stays the same:
``digits/default/error-held-out 0.17281``. Errors are squared errors an image, pixels
scaled to [0, 1], for rows that were learned from and for others; bytes are totals.

    python -m benchmarks.figures new.txt
    python -m benchmarks.figures --compare old.txt new.txt

The first takes eight minutes on two cores; name sets, ``--sets digits xray``, or say
``--quick``, for fewer. For the figures of another checkout, run this file by its path:

    PYTHONPATH=../before python benchmarks/figures.py old.txt

The second prints both side by side, with their relative difference, and marks what
differs by more than the order of sums explains: errors by 0.1%, bytes by 0.3%, words at
all. It ends with status 1 if there is any.

Training amplifies what differs at random. Those solvers that measure curvature draw
random numbers for it, and where a change draws others, however right it is, networks
differ by percents. How much that is, the old checkout itself shows with other draws;
such files lift the tolerance of what differs in them:

    PYTHONPATH=../before python benchmarks/figures.py other.txt --seed 1
    python -m benchmarks.figures --compare old.txt new.txt --noise other.txt

So that this does not blur everything else, codecs, archive and evaluation get networks
trained by Adam or by plain L-BFGS, which draw no more than the order of rows.

MNIST and the X-rays need the folder named by SKLEARN_DAE_DATA.
"""

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

import sklearn_dae
from sklearn_dae import (
    PAPER_SETTINGS,
    BernoulliRBM,
    DeepAutoencoderCompressor,
    GaussianRBM,
    HuffmanCoder,
    KMeansQuantizer,
    UniformQuantizer,
)
from sklearn_dae.archive import open_archive, write_archive
from sklearn_dae.codecs import (
    GeneralCodec,
    HuffmanCodec,
    JpegXLCodec,
    PillowCodec,
    PixelCodec,
    SetRedundancyCodec,
    TransformCodec,
)
from sklearn_dae.datasets import ImageSplit, load_digits, load_mnist
from sklearn_dae.evaluation import evaluate, set_similarity
from sklearn_dae.exceptions import OutOfDomainWarning

#: The largest relative difference that is not marked, by how a key ends.
TOLERANCES = {"bytes": 3e-3}
TOLERANCE = 1e-3

#: How many times the largest difference that noise makes counts as noise too: it is
#: known from a few files only.
NOISE = 2

#: Training rows whose error is measured, and from which codecs learn.
N_ERROR_ROWS, N_CODEC_ROWS = 1000, 5000

#: The name of a figure, and the figure.
Figure = tuple[str, float | int | str]


@dataclass(frozen=True)
class Images:
    """Images, and how much is done with them.

    Parameters
    ----------
    training, test : ndarray of uint8 of shape (n_images, n_pixels)
        Images to learn from, and others.

    high : int
        The largest value that a pixel may have.

    n_values : int
        Values of a code.

    psnr : float
        Quality that codecs are asked for, in decibels below 255.

    default_epochs : int or None
        Epochs of the network as it is by default; None for as many as by default.

    paper_hidden : tuple of int
        Hidden layers of the paper's network.

    solver_hidden : tuple of int
        Hidden layers of the network that each solver trains.

    n_epochs, n_iter : int
        Epochs of mini-batch solvers and of RBMs, and iterations of L-BFGS.

    seed : int
        What `random_state` is everywhere.
    """

    training: np.ndarray
    test: np.ndarray
    high: int
    n_values: int
    psnr: float
    default_epochs: int | None
    paper_hidden: tuple[int, ...]
    solver_hidden: tuple[int, ...]
    n_epochs: int
    n_iter: int
    seed: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of an image."""
        side = int(self.training.shape[1] ** 0.5)
        return side, side

    @property
    def are_small(self) -> bool:
        """Whether images are so small that everything can be done with them."""
        return self.training.shape[1] <= 64

    def error(self, X: np.ndarray, restored: np.ndarray) -> float:
        """Return the squared error an image."""
        difference = np.subtract(restored, X, dtype=np.float64) / self.high
        return float(np.square(difference).sum(axis=1).mean())

    def errors(self, name: str, transformer: Any) -> Iterator[Figure]:
        """Yield the errors of a transformer."""
        known = self.training[:N_ERROR_ROWS]
        for which, X in (("training", known), ("held-out", self.test)):
            restored = transformer.inverse_transform(transformer.transform(X))
            yield f"{name}/error-{which}", self.error(X, restored)


def digits(quick: bool, seed: int) -> Images:
    data = load_digits().data
    return Images(
        training=data[:1500],
        test=data[1500:],
        high=16,
        n_values=8,
        psnr=43.0,
        default_epochs=10 if quick else None,
        paper_hidden=(100, 50),
        solver_hidden=(60, 30),
        n_epochs=5 if quick else 10,
        n_iter=5 if quick else 15,
        seed=seed,
    )


def xray(quick: bool, seed: int) -> Images:
    path = Path(os.environ["SKLEARN_DAE_DATA"], "xray", "chest_xray_28.npz")
    with np.load(path) as arrays:
        training, test = (arrays[part].reshape(-1, 784) for part in ("train", "test"))
    return Images(
        training=training[: 1000 if quick else None],
        test=test[: 300 if quick else None],
        high=255,
        n_values=32,
        psnr=28.0,
        default_epochs=12,
        paper_hidden=(400, 200) if quick else (1000, 500),
        solver_hidden=(200, 100),
        n_epochs=2 if quick else 5,
        n_iter=5 if quick else 10,
        seed=seed,
    )


def mnist(quick: bool, seed: int) -> Images:
    return Images(
        training=load_mnist().data[: 2000 if quick else 20_000],
        test=load_mnist("test").data[: 500 if quick else 1000],
        high=255,
        n_values=30,
        psnr=19.0,
        default_epochs=2 if quick else 3,
        paper_hidden=(400, 200) if quick else (1000, 500),
        solver_hidden=(200, 100),
        n_epochs=2,
        n_iter=5,
        seed=seed,
    )


SETS = {"digits": digits, "xray": xray, "mnist": mnist}


# What is spelt differently in checkouts that are to be compared.


def rbm_parameters(n_epochs: int, batch_size: int) -> dict[str, Any]:
    """Return the compressor's parameters for RBMs with so many epochs.

    They are Hinton's, which the compressor's own RBMs have: mean visible units,
    momentum, weight decay.
    """
    if "pretrain_epochs" in DeepAutoencoderCompressor().get_params(deep=False):
        return {
            "pretraining": "rbm",
            "pretrain_epochs": n_epochs,
            "pretrain_batch_size": batch_size,
        }
    rbm = BernoulliRBM(
        n_iter=n_epochs,
        batch_size=batch_size,
        persistent=False,
        sample_visible=False,
        momentum=0.9,
        weight_decay=2e-4,
    )
    return {"pretraining": rbm}


def load_and_save() -> tuple[Callable[[bytes], Any], Callable[[Any], bytes]]:
    """Return the functions that make a fitted model from bytes, and bytes from it."""
    try:
        from sklearn_dae import models
    except ImportError:
        from sklearn_dae import archive as models
    return models.model_from_bytes, models.model_to_bytes


# The figures.


def compressors(images: Images, shared: dict[str, Any]) -> Iterator[Figure]:
    """Yield errors of the network as it is by default, and as the paper has it."""
    default = DeepAutoencoderCompressor(
        images.n_values, max_iter=images.default_epochs, random_state=images.seed
    ).fit(images.training)
    yield from fitted("default", default, images)
    encoder_alone = DeepAutoencoderCompressor(**default.get_params())
    encoder_alone.set_params(transform_max_iter=0, solver="lbfgs", max_iter=0)
    yield from fitted("start", encoder_alone.fit(images.training), images)
    paper = DeepAutoencoderCompressor(
        images.training.shape[1] // 4,
        hidden_layer_sizes=images.paper_hidden,
        max_iter=images.n_iter,
        random_state=images.seed,
        **{**PAPER_SETTINGS, **rbm_parameters(images.n_epochs, batch_size=50)},
    )
    yield from fitted("paper", paper.fit(images.training), images)


def fitted(
    name: str, compressor: DeepAutoencoderCompressor, images: Images
) -> Iterator[Figure]:
    """Yield what there is to know of a compressor."""
    yield from images.errors(name, compressor)
    if compressor.loss_curve_:
        yield f"{name}/loss", compressor.loss_curve_[-1]


def solvers(images: Images, shared: dict[str, Any]) -> Iterator[Figure]:
    """Yield errors of each solver, and of other choices that training has."""
    mini_batches = {"max_iter": images.n_epochs}
    all_rows = {"max_iter": images.n_iter}
    logistic = {"activation": "logistic", "linear_path": False, "pretraining": None}
    choices: dict[str, dict[str, Any]] = {
        "kfac": mini_batches,
        "adam": mini_batches,
        "kfac-lbfgs": all_rows,
        "lbfgs": all_rows,
        "early-stopping": {"solver": "adam", "early_stopping": True} | mini_batches,
    }
    if images.are_small:
        choices |= {
            "rbms": {**PAPER_SETTINGS, "solver": "kfac", **mini_batches},
            "rbms-linear-code": {
                **PAPER_SETTINGS,
                "code_activation": "identity",
                **all_rows,
            },
            "sparse": {"solver": "lbfgs", "sparsity": 0.1, **logistic, **all_rows},
            "tanh": {"solver": "lbfgs", **logistic, "activation": "tanh", **all_rows},
            "linear": {"solver": "kfac", "hidden_layer_sizes": (), **mini_batches},
            "one-value": {"n_components": 1, "solver": "kfac", **mini_batches},
        }
    for name, parameters in choices.items():
        compressor = DeepAutoencoderCompressor(
            **{
                "n_components": images.n_values,
                "hidden_layer_sizes": images.solver_hidden,
                "alpha": 1e-4,
                "solver": name,
                "random_state": images.seed,
            }
            | parameters
        )
        yield from fitted(f"solver-{name}", compressor.fit(images.training), images)
        if name == "adam":
            shared["network"] = compressor


def rbms(images: Images, shared: dict[str, Any]) -> Iterator[Figure]:
    """Yield errors of RBMs of all kinds, and the pseudo-likelihood of binary ones."""
    X, test = (
        (rows / images.high).astype(np.float32)
        for rows in (images.training, images.test)
    )
    shape = {"n_components": 64, "n_iter": images.n_epochs, "random_state": images.seed}
    layers = {
        "persistent": BernoulliRBM(**shape),
        "divergence": BernoulliRBM(
            batch_size=50, persistent=False, sample_visible=False, momentum=0.9, **shape
        ),
        "gaussian": GaussianRBM(**shape),
        "linear-code": GaussianRBM(
            visible_units="bernoulli",
            hidden_units="gaussian",
            learning_rate=0.01,
            **shape,
        ),
    }
    for name, rbm in layers.items():
        rbm.fit(X)
        restored = rbm.inverse_transform(rbm.transform(test))
        difference = np.square(np.subtract(restored, test, dtype=np.float64))
        yield f"rbm-{name}/error-held-out", float(difference.sum(axis=1).mean())
        yield f"rbm-{name}/weights", float(np.linalg.norm(rbm.components_))
        if hasattr(rbm, "score_samples"):
            score = float(rbm.score_samples(test).mean())
            yield f"rbm-{name}/pseudo-likelihood", score


def quantizers(images: Images, shared: dict[str, Any]) -> Iterator[Figure]:
    """Yield errors of quantised codes, and their bytes by a Huffman code."""
    dae = shared["network"]
    codes = dae.transform(images.training[:N_CODEC_ROWS])
    held_out = dae.transform(images.test)
    choices = {
        "step": UniformQuantizer(step=0.25),
        "mse": UniformQuantizer(target_mse=0.01),
        "k-means": KMeansQuantizer(),
        "k-means-shared": KMeansQuantizer(shared=True),
    }
    for name, quantizer in choices.items():
        symbols = quantizer.fit(codes).transform(held_out)
        restored = dae.inverse_transform(quantizer.inverse_transform(symbols))
        yield (
            f"quantizer-{name}/error-held-out",
            images.error(images.test, restored),
        )
        coder = HuffmanCoder().fit(quantizer.transform(codes))
        yield f"quantizer-{name}/huffman-bytes", sum(map(len, coder.encode(symbols)))


def transform_codecs(images: Images, shared: dict[str, Any]) -> Iterator[Figure]:
    """Yield bytes and errors of codecs around networks and PCA."""
    dae = shared["network"]
    pca = PCA(2 * images.n_values, svd_solver="covariance_eigh").fit(images.training)
    psnr = {"target_psnr": images.psnr}
    choices: dict[str, tuple[Any, dict[str, Any]]] = {
        "pca-psnr": (pca, psnr),
        "pca-bits": (pca, {"target_bits_per_sample": 2.0 * images.n_values}),
        "pca-plain": (pca, {"rotate": False, "fallback": False}),
        "pca-k-means": (pca, {"quantizer": KMeansQuantizer(8)}),
        "autoencoder": (dae, {}),
        "autoencoder-psnr": (dae, {"target_psnr": images.psnr - 3}),
    }
    for name, (transformer, parameters) in choices.items():
        codec = TransformCodec(transformer, **parameters)
        codec.fit(images.training[:N_CODEC_ROWS])
        yield from coded(f"codec-{name}", codec, images)
        if name == "autoencoder":
            yield from archived(codec, images)


def coded(name: str, codec: Any, images: Images) -> Iterator[Figure]:
    """Yield what a fitted codec makes of images that it does not know."""
    data = codec.encode(images.test)
    yield f"{name}/bytes", len(data)
    yield f"{name}/error-held-out", images.error(images.test, codec.decode(data))


def archived(codec: TransformCodec, images: Images) -> Iterator[Figure]:
    """Yield the bytes of an archive and of a model."""
    from_bytes, to_bytes = load_and_save()
    model = to_bytes(codec)
    yield "model/bytes", len(model)
    same = from_bytes(model).encode(images.test) == codec.encode(images.test)
    yield "model/encodes-the-same", str(same)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "images.dae")
        write_archive(path, images.test.reshape(-1, *images.shape), codec)
        yield "archive/bytes", os.path.getsize(path)
        yield "archive/without-model-bytes", os.path.getsize(path) - len(model)
        with open_archive(path) as archive:
            restored = archive[:]
        restored = restored.reshape(len(images.test), -1)
        yield "archive/error-held-out", images.error(images.test, restored)


def other_codecs(images: Images, shared: dict[str, Any]) -> Iterator[Figure]:
    """Yield bytes and errors of codecs without networks."""
    choices = {
        "huffman": HuffmanCodec(),
        "min-max-differential": SetRedundancyCodec("min_max_differential"),
        "min-max-predictive": SetRedundancyCodec("min_max_predictive"),
        "centroid": SetRedundancyCodec("centroid"),
        "lzma": GeneralCodec("lzma"),
        "bz2": GeneralCodec("bz2"),
        "gzip": GeneralCodec("gzip"),
        "zstd": GeneralCodec("zstd"),
        "jpeg": PillowCodec("jpeg", quality=50),
        "jpeg-files": PillowCodec("jpeg", quality=50, layout="files"),
        "png": PillowCodec("png"),
        "webp": PillowCodec("webp", quality=50),
        "jpeg2000": PillowCodec("jpeg2000", quality=30),
        "avif": PillowCodec("avif", quality=50),
        "jpegxl": JpegXLCodec(distance=2.0),
        "pixels": PixelCodec(effort=2, random_state=images.seed),
        "pixels-generic": PixelCodec(effort=1),
        "pixels-bounded": PixelCodec(2, effort=2, random_state=images.seed),
    }
    for name, codec in choices.items():
        yield from coded(f"codec-{name}", codec.fit(images.training), images)


def similarity(images: Images, shared: dict[str, Any]) -> Iterator[Figure]:
    """Yield what is forecast."""
    found = set_similarity(images.training, image_shape=images.shape)
    yield "similarity/correlation", found.mean_correlation
    yield "similarity/redundancy", found.redundancy
    yield "similarity/set-bytes", found.forecast_set_bytes
    yield "similarity/image-bytes", found.forecast_image_bytes
    yield "similarity/verdict", found.verdict


def evaluation(images: Images, shared: dict[str, Any]) -> Iterator[Figure]:
    """Yield verdicts, and the bytes and errors behind them; on small images only."""
    if not images.are_small:
        return
    split = ImageSplit(images.training, images.test, images.shape, "digits")
    found = evaluate(
        split,
        n_components=[4, 8],
        parameters={"solver": "lbfgs", "max_iter": images.n_iter},
        n_qualities=4,
        random_state=images.seed,
    )
    yield "evaluate/verdict", found.verdict
    yield "evaluate/bounded-verdict", found.bounded_verdict
    for curve in found.curves:
        for number, point in enumerate(curve.points):
            name = f"evaluate/{curve.codec}-{number}".replace(" ", "-")
            yield f"{name}/bytes", point.bytes_per_image
            yield f"{name}/error-held-out", 64 * 10 ** (-point.psnr / 10)
    for point in found.lossless:
        name = f"evaluate/{point.codec}-lossless".replace(" ", "-")
        yield f"{name}/bytes", point.bytes_per_image


#: In this order: later parts use what earlier ones have put into ``shared``.
PARTS = (
    compressors,
    solvers,
    rbms,
    quantizers,
    transform_codecs,
    other_codecs,
    similarity,
    evaluation,
)


def write(path: str, sets: list[str], quick: bool, seed: int) -> None:
    """Compute figures and write them as they come."""
    warnings.simplefilter("ignore", OutOfDomainWarning)
    print(f"sklearn_dae of {Path(sklearn_dae.__file__).parent.parent}", flush=True)
    with open(path, "w", encoding="utf-8") as file:
        for name in sets:
            images, shared = SETS[name](quick, seed), {}
            for part in PARTS:
                begin = time.perf_counter()
                for key, value in part(images, shared):
                    text = f"{value:.6g}" if isinstance(value, float) else str(value)
                    print(f"{name}/{key} {text}", file=file, flush=True)
                seconds = time.perf_counter() - begin
                print(f"{name}, {part.__name__}: {seconds:.1f} s", flush=True)


# Two of them side by side.


def read(path: str) -> dict[str, str]:
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return dict(line.split(" ", 1) for line in lines)


def difference(old: str, new: str) -> float:
    """Return the relative difference of two figures; of words, 0 or infinity."""
    if old == new:
        return 0.0
    try:
        before, after = float(old), float(new)
    except ValueError:
        return float("inf")
    return (after - before) / abs(before) if before else float("inf")


def compare(old_path: str, new_path: str, noise_paths: list[str]) -> bool:
    """Print figures side by side; return whether none differs too much."""
    old, new = read(old_path), read(new_path)
    others = [read(path) for path in noise_paths]
    n_same = n_noise = n_marked = 0
    for key in old | new:
        before, after = old.get(key, "missing"), new.get(key, "missing")
        relative = difference(before, after)
        kind = key.rpartition("/")[2].rpartition("-")[2]
        spread = [abs(difference(before, each.get(key, before))) for each in others]
        mark = ""
        if not relative:
            n_same += 1
        elif abs(relative) > TOLERANCES.get(kind, TOLERANCE):
            is_noise = abs(relative) <= NOISE * max(spread, default=0.0)
            mark = "  as noise" if is_noise else "  <-- differs"
            n_noise += is_noise
            n_marked += not is_noise
        change = f"{relative:+.1e}" if relative else "the same"
        print(f"{key:48s} {before:>12s} {after:>12s} {change:>9s}{mark}")
    print(
        f"\n{len(old | new)} figures: {n_same} the same; {n_noise + n_marked} differ "
        f"by more than {TOLERANCE:.1%} (bytes: {TOLERANCES['bytes']:.1%}), "
        f"{n_noise} of them no more than noise does."
    )
    return not n_marked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", nargs="?", help="file to write figures to")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--quick", action="store_true", help="fewer rows and epochs")
    parser.add_argument("--seed", type=int, default=0, help="of all random draws")
    parser.add_argument("--compare", nargs=2, metavar=("OLD", "NEW"))
    parser.add_argument("--noise", nargs="+", default=[], metavar="FILE")
    arguments = parser.parse_args()
    if arguments.compare:
        sys.exit(not compare(*arguments.compare, arguments.noise))
    if not arguments.out:
        parser.error("name a file to write figures to, or two to --compare")
    write(arguments.out, arguments.sets, arguments.quick, arguments.seed)


if __name__ == "__main__":
    main()
