"""Time and memory of one checkout over those of another, to see that none is lost.

Each job runs in a process of its own, in turn with the code of either checkout, several
times. Only what the job is about is timed, after imports and with data and models
loaded; memory is the peak of the whole process. What is printed are the median ratios
of pairs of neighbouring runs, the smallest and the largest, and the seconds and
megabytes of the second checkout. Jobs whose median is above 1.03 are marked, and end
the program with status 1. Single runs vary by some percent, so repeat what is marked:
``--jobs NAME --repeats 15``. Give the cores nothing else to do.

    python -m benchmarks.paired ../before . [--repeats 5] [--jobs NAME ...]

Jobs use the first 5,000 images of MNIST, in the folder named by SKLEARN_DAE_DATA, and
scikit-learn's digits. All of them take a quarter of an hour on two cores.
"""

# Imports of whatever is not Python's own are inside functions: one job is the import.
import argparse
import json
import os
import pickle
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: The median ratio from which on a job is marked.
LIMIT = 1.03

#: A job that takes less is repeated within its process, after a call that is not
#: counted, and the median counts.
SECONDS, MOST_CALLS = 2.0, 50

#: Rows that networks and codecs learn from, that are coded, and that are coded without
#: loss.
N_ROWS, N_CODED_ROWS, N_LOSSLESS_ROWS = 5000, 2000, 500

#: The function to be timed.
Call = Callable[[], object]


def prepare(folder: Path) -> Call:
    """Return a function that saves the images and fitted models that jobs need."""
    import numpy as np

    from sklearn_dae import DeepAutoencoderCompressor
    from sklearn_dae.codecs import PixelCodec, TransformCodec
    from sklearn_dae.datasets import load_mnist

    def save() -> None:
        X = load_mnist().data[:N_ROWS]
        np.save(folder / "rows.npy", X)
        dae = DeepAutoencoderCompressor(30, alpha=1e-4, max_iter=1, random_state=0)
        models = {
            "dae": dae.fit(X),
            "codec": TransformCodec(dae).fit(X),
            "lossless": PixelCodec(effort=2).fit(X),
        }
        for name, model in models.items():
            (folder / f"{name}.pickle").write_bytes(pickle.dumps(model))

    return save


def rows(folder: Path, n_rows: int = N_ROWS) -> Any:
    """Return rows of pixels, uint8."""
    import numpy as np

    return np.load(folder / "rows.npy")[:n_rows]


def model(folder: Path, name: str) -> Any:
    """Return a model that `prepare` has fitted."""
    return pickle.loads((folder / f"{name}.pickle").read_bytes())


# Each of these gets ready, and returns the function to be timed.


def fit(solver: str, n_iter: int) -> Callable[[Path], Call]:
    """Make the job of fitting the network with its default layers."""

    def ready(folder: Path) -> Call:
        from sklearn_dae import DeepAutoencoderCompressor

        X = rows(folder)
        dae = DeepAutoencoderCompressor(
            30, solver=solver, max_iter=n_iter, alpha=1e-4, random_state=0
        )
        return lambda: dae.fit(X)

    return ready


def fit_by_default(folder: Path) -> Call:
    """Fit digits, which includes the trial of alpha."""
    from sklearn_dae import DeepAutoencoderCompressor
    from sklearn_dae.datasets import load_digits

    X = load_digits().data
    dae = DeepAutoencoderCompressor(8, max_iter=12, random_state=0)
    return lambda: dae.fit(X)


def binary_rbm(folder: Path) -> Call:
    import numpy as np

    from sklearn_dae import BernoulliRBM

    X = rows(folder).astype(np.float32) / 255
    rbm = BernoulliRBM(1000, batch_size=100, n_iter=1, random_state=0)
    return lambda: rbm.fit(X)


def gaussian_rbm(folder: Path) -> Call:
    import numpy as np

    from sklearn_dae import GaussianRBM

    X = rows(folder).astype(np.float32) / 255
    rbm = GaussianRBM(
        1000,
        visible_units="bernoulli",
        hidden_units="gaussian",
        n_iter=1,
        random_state=0,
    )
    return lambda: rbm.fit(X)


def transform(folder: Path) -> Call:
    dae, X = model(folder, "dae"), rows(folder, N_CODED_ROWS)
    return lambda: dae.transform(X)


def inverse_transform(folder: Path) -> Call:
    dae = model(folder, "dae")
    codes = dae.set_params(transform_max_iter=0).transform(rows(folder))
    return lambda: dae.inverse_transform(codes)


def fit_codec(folder: Path) -> Call:
    from sklearn.decomposition import PCA

    from sklearn_dae.codecs import TransformCodec

    X = rows(folder)
    codec = TransformCodec(PCA(64).fit(X), target_psnr=20)
    return lambda: codec.fit(X)


def encode(folder: Path) -> Call:
    codec, X = model(folder, "codec"), rows(folder, N_CODED_ROWS)
    return lambda: codec.encode(X)


def decode(folder: Path) -> Call:
    codec = model(folder, "codec")
    data = codec.encode(rows(folder, N_CODED_ROWS))
    return lambda: codec.decode(data)


def lossless_encode(folder: Path) -> Call:
    codec, X = model(folder, "lossless"), rows(folder, N_LOSSLESS_ROWS)
    return lambda: codec.encode(X)


def lossless_decode(folder: Path) -> Call:
    codec = model(folder, "lossless")
    data = codec.encode(rows(folder, N_LOSSLESS_ROWS))
    return lambda: codec.decode(data)


def evaluate_digits(folder: Path) -> Call:
    from sklearn_dae.datasets import ImageSplit, load_digits
    from sklearn_dae.evaluation import evaluate

    X = load_digits().data
    split = ImageSplit(X[:400], X[400:500], (8, 8), "digits")
    parameters = {"max_iter": 5}
    return lambda: evaluate(
        split, n_components=[4], parameters=parameters, n_qualities=3
    )


def import_package(folder: Path) -> Call:
    def load() -> None:
        import sklearn_dae  # noqa: F401

    return load


JOBS: dict[str, Callable[[Path], Call]] = {
    "fit-kfac": fit("kfac", 1),
    "fit-adam": fit("adam", 1),
    "fit-kfac-lbfgs": fit("kfac-lbfgs", 1),
    "fit-lbfgs": fit("lbfgs", 2),
    "fit-by-default": fit_by_default,
    "rbm-epoch": binary_rbm,
    "rbm-epoch-linear-code": gaussian_rbm,
    "transform": transform,
    "inverse-transform": inverse_transform,
    "codec-fit": fit_codec,
    "codec-encode": encode,
    "codec-decode": decode,
    "lossless-encode": lossless_encode,
    "lossless-decode": lossless_decode,
    "evaluate-digits": evaluate_digits,
    "import": import_package,
}


# In a process of its own.


def clock(call: Call) -> float:
    """Call a function and time it."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def run_job(name: str, folder: Path) -> None:
    """Run a job and print what it took."""
    call = prepare(folder) if name == "prepare" else JOBS[name](folder)
    seconds = clock(call)
    if seconds < SECONDS and name != "import":
        n_calls = min(MOST_CALLS, 1 + int(SECONDS / seconds))
        seconds = statistics.median(clock(call) for _ in range(n_calls))
    # Kilobytes on Linux, bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    package = str(Path(sys.modules["sklearn_dae"].__file__ or "").parent.parent)
    print(json.dumps({"seconds": seconds, "peak": peak, "package": package}))


# Side by side.


@dataclass
class Side:
    """A checkout, the folder of what it has prepared, and what its runs took."""

    checkout: Path
    folder: Path

    def run(self, name: str) -> dict[str, Any]:
        """Run a job with the code of the checkout; return what it took."""
        command = [sys.executable, __file__, "--child", name, str(self.folder)]
        environment = os.environ | {"PYTHONPATH": str(self.checkout)}
        output = subprocess.run(
            command, env=environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout
        result = json.loads(output)
        if Path(result["package"]) != self.checkout:
            raise RuntimeError(
                f"{name} was to run with the code of {self.checkout}, but imported "
                f"sklearn_dae from {result['package']}."
            )
        return result


def in_pairs(name: str, old: Side, new: Side, n_repeats: int) -> bool:
    """Run a job and print its ratios; return whether they are small enough."""
    pairs = []
    for repeat in range(n_repeats):
        # Each is first as often as the other.
        if repeat % 2:
            after = new.run(name)
            before = old.run(name)
        else:
            before = old.run(name)
            after = new.run(name)
        pairs.append((before, after))
    line, is_fine = f"{name:22s}", True
    for what in ("seconds", "peak"):
        ratios = [after[what] / before[what] for before, after in pairs]
        middle = statistics.median(ratios)
        line += f" {middle:7.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
        is_fine &= middle <= LIMIT
    seconds, peak = (
        statistics.median(after[what] for _, after in pairs)
        for what in ("seconds", "peak")
    )
    line += f" {seconds:8.3f} s {peak / 1e6:6.0f} MB"
    print(line + ("" if is_fine else "  <-- more"), flush=True)
    return is_fine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path, help="checkout to compare with")
    parser.add_argument("new", type=Path, help="checkout to be judged")
    parser.add_argument("--repeats", type=int, default=5, help="pairs of runs of a job")
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS))
    arguments = parser.parse_args()
    checkouts = [path.resolve() for path in (arguments.old, arguments.new)]
    print(f"{checkouts[1]} over {checkouts[0]}, {arguments.repeats} pairs\n")
    print(f"{'':22s} {'time':>7s} {'':16s} {'memory':>7s}")
    with tempfile.TemporaryDirectory() as folder:
        old, new = (
            Side(checkout, Path(folder, name))
            for name, checkout in zip(("old", "new"), checkouts, strict=True)
        )
        for side in (old, new):
            side.folder.mkdir()
            side.run("prepare")
        fine = [in_pairs(name, old, new, arguments.repeats) for name in arguments.jobs]
    sys.exit(not all(fine))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        job, at = sys.argv[2:]
        run_job(job, Path(at))
    else:
        main()
