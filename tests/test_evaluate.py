"""The comparison of codecs: its verdict, its page, and the command that makes it."""

import argparse
import base64
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import joblib
import numpy as np
import pytest
from PIL import Image
from sklearn.decomposition import PCA

from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.cli import main
from sklearn_dae.cli._evaluate import _images
from sklearn_dae.codecs import PixelCodec, TransformCodec
from sklearn_dae.datasets import ImageSplit, load_digits
from sklearn_dae.evaluation import (
    Measurement,
    RateDistortionCurve,
    evaluate,
    write_report,
)
from sklearn_dae.evaluation.report import _bounded, _experiment
from sklearn_dae.evaluation.report._bounded import (
    BOUND,
    bound_of,
    bounded_trials,
    formats_left_out,
)
from sklearn_dae.evaluation.report._contenders import (
    TARGET,
    VALUES,
    Trial,
    _below_limit,
    trial_at_rate,
)
from sklearn_dae.evaluation.report._experiment import _smallest_of_each, _Tasks
from sklearn_dae.evaluation.report._findings import (
    Cost,
    Standing,
    break_even,
    judge,
    judge_bounded,
    round_qualities,
    standings,
)
from sklearn_dae.evaluation.report._outcome import (
    Outcome,
    carry_out,
    carry_out_on_all,
)
from sklearn_dae.evaluation.report._pictures import strip, tones_for
from sklearn_dae.evaluation.report._templates import (
    bounded_verdict,
    humane_bytes,
    round_up,
    verdict,
)
from sklearn_dae.images import ImageSet, ImageSpec

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

QUICK = (
    "--n-components",
    "8",
    "--max-iter",
    "3",
    "--qualities",
    "2",
    "--hidden-layer-sizes",
    "20",
)


def curve_of(name, rates, psnrs, model_bytes=0):
    points = [
        Measurement(
            name,
            {},
            1000,
            64,
            round(1000 * rate),
            model_bytes,
            mse=10 ** (-quality / 10),
        )
        for rate, quality in zip(rates, psnrs, strict=True)
    ]
    return RateDistortionCurve(name, tuple(points))


def bounded(name, n_bytes, model_bytes=0, bound=0):
    setting = {BOUND: bound} if bound else {}
    return Measurement(name, setting, 1000, 64, n_bytes, model_bytes, mse=bound / 9)


# Words.


def test_the_break_even_is_where_totals_are_equal():
    ours = Cost("ours", 10, 1_000_000, 20)
    pca = Cost("PCA", 30, 200_000, 20)
    jpeg = Cost("JPEG", 60, 0, 20)
    # 10 n + 1,000,000 = 30 n + 200,000
    assert break_even(ours, [pca, jpeg]) == 40_000
    assert break_even(ours, [jpeg]) == 20_000
    assert break_even(pca, [ours]) == np.inf
    assert break_even(ours, [Cost("larger", 20, 2_000_000, 20)]) == 0
    assert break_even(ours, []) == 0


def test_costs_are_compared_at_round_qualities_that_we_have():
    ours = curve_of("autoencoder", [4, 8, 16], [15.5, 20.5, 25.5], 1000)
    jpeg = curve_of("JPEG", [30, 60], [20, 30], 400)
    coarse = curve_of("coarse", [1], [12])
    found = standings([ours, jpeg, coarse])
    assert [standing.psnr for standing in found] == [16, 18, 20, 22, 24]
    first, *_, last = found
    # JPEG has nothing as small as 16 dB: what it has is better, and counts.
    assert [cost.codec for cost in first.others] == ["JPEG"]
    assert first.best.bytes_per_image == 30
    assert first.best.psnr == pytest.approx(20)
    assert last.best.psnr == 24
    assert last.ratio == pytest.approx(
        last.ours.bytes_per_image / (30 * 2**0.4), rel=1e-6
    )


def test_the_model_that_counts_is_that_of_the_branch_that_is_taken():
    small = [measurement(4, 12, 20.5, 500), measurement(4, 2, 15, 500)]
    large = [measurement(8, 5, 19, 9000), measurement(8, 10, 29, 9000)]
    curve = RateDistortionCurve("autoencoder", (*small, *large), branch_by="values")
    # The small one has 20 dB for about 11 bytes, the large one for 5 to 6.
    (cost,) = (standing.ours for standing in standings([curve]) if standing.psnr == 20)
    assert cost.model_bytes == 9000
    assert 5 < cost.bytes_per_image < 6


def measurement(n_values, rate, psnr, model_bytes):
    return Measurement(
        "autoencoder",
        {"values": n_values},
        *(1000, 64, 1000 * rate, model_bytes),
        mse=10 ** (-psnr / 10),
    )


def test_round_qualities_are_few():
    assert round_qualities(np.array([])) == []
    assert round_qualities(np.array([20.2, 22.1])) == [20.5, 21, 21.5, 22]
    for high in (21, 25, 30, 50, 70):
        assert 1 <= len(round_qualities(np.array([15.0, high]))) <= 6


@pytest.mark.parametrize(
    ("rates", "n_images", "expected"),
    [
        ([5, 10], 10**6, "Yes: at equal quality the autoencoder takes 50% of"),
        ([5, 10], 10, "Only for more images than these: at equal quality"),
        ([5, 40], 10**6, "In part: at equal quality"),
        ([20, 40], 10**6, "No: at equal quality the autoencoder takes 200% of"),
        ([10, 20], 10**6, "No: the autoencoder takes as many bytes as"),
    ],
)
def test_the_verdict_follows_the_numbers(rates, n_images, expected):
    curves = [
        curve_of("autoencoder", rates, [20, 30], 100_000),
        curve_of("PCA", [10, 20], [20, 30], 5_000),
        curve_of("JPEG", [50, 70], [20, 30]),
    ]
    words = verdict(standings(curves), n_images)
    assert words.startswith(expected)
    assert "(PCA)" in words
    if n_images == 10:
        assert "paid for from" in words
        assert "this set has 10" in words


def test_a_verdict_is_a_record_before_it_is_words():
    jpeg = Cost("JPEG", 10, 0, 20)
    small, large, worse = (
        Standing(psnr, Cost("autoencoder", n_bytes, 1000, psnr), (jpeg,))
        for psnr, n_bytes in ((20, 5), (24, 9), (22, 12))
    )
    found = judge([small, worse, large], 500)
    assert (found.kind, found.rivals) == ("in part", ["JPEG"])
    assert (found.standings, found.losses) == ((small, large), (worse,))
    assert (found.ratios, found.break_evens) == ((0.5, 0.9), (200, 1000))
    assert verdict([small, worse, large], 500) == (
        "In part: at equal quality the autoencoder takes 50 to 90% of the bytes of the "
        "best other codec (JPEG) at 20 and 24 dB, but not at 22 dB. Its model of 1 kB "
        "is paid for from 200 to 1,000 images on, depending on the quality (this set "
        "has 500)."
    )
    assert judge([], 500).kind == "unmeasured"
    assert judge_bounded([]) == []


def test_qualities_that_nobody_else_has_are_no_part_of_the_verdict():
    ours = curve_of("autoencoder", [5, 10], [20, 30], 100_000)
    other = curve_of("JPEG", [10, 14], [20, 24])
    words = verdict(standings([ours, other]), 10**6)
    assert words.startswith("Yes: at equal quality the autoencoder takes 47 to 50% of")


def test_without_measurements_there_is_no_verdict():
    nothing = standings([RateDistortionCurve("autoencoder", ())])
    assert "nothing to compare" in verdict(nothing, 10)
    assert "nothing to compare" in bounded_verdict([])


def test_the_verdict_on_bounds_counts_models_and_names_the_best():
    ours, png = bounded("PixelCodec", 8000, 2000), bounded("PNG", 20_000)
    assert bounded_verdict([ours, png]) == (
        "Without loss, PixelCodec takes 10,000 bytes, its model included, 50% of the "
        "bytes of the best other codec (PNG)."
    )
    # Without its model, ours would be smaller.
    lzma = bounded("LZMA", 9000)
    words = (
        "Without loss, LZMA takes the fewest bytes, 9,000; PixelCodec takes 111% of "
        "that, its model included."
    )
    assert bounded_verdict([ours, png, lzma]) == words
    near = [
        bounded(name, n_bytes, bound=bound)
        for bound, sizes in ((1, (6000, 8000)), (2, (5000, 4000)))
        for name, n_bytes in zip(("PixelCodec", "JPEG-LS"), sizes, strict=True)
    ]
    assert bounded_verdict([ours, png, lzma, *near]) == words + (
        " With errors of at most 1 and 2, it takes 75% and 125% of the bytes of "
        "JPEG-LS."
    )
    failed = Measurement.failed("PixelCodec", {}, (9, 64), ValueError("floats"))
    assert bounded_verdict([failed, png]) == (
        "Without loss, PNG takes the fewest bytes, 20,000; PixelCodec cannot store "
        "these images."
    )
    assert bounded_verdict(near[:2]) == (
        "With errors of at most 1, PixelCodec takes 75% of the bytes of JPEG-LS."
    )


def test_numbers_are_written_for_people():
    assert humane_bytes(999) == "999 bytes"
    assert humane_bytes(1_234_567) == "1.23 MB"
    assert humane_bytes(999_700) == "1 MB"
    assert round_up(0) == 0
    assert round_up(7) == 7
    assert round_up(12_345) == 13_000


# The command.


@pytest.fixture(scope="module")
def digits_file(tmp_path_factory):
    """Two hundred digits, split."""
    path = tmp_path_factory.mktemp("digits") / "digits.npz"
    images = load_digits().data.reshape(-1, 8, 8)
    np.savez(path, train=images[:150], test=images[150:200])
    return str(path)


@pytest.fixture(scope="module")
def evaluated(digits_file, tmp_path_factory):
    """What the command wrote and printed."""
    folder = tmp_path_factory.mktemp("report")
    paths = {kind: folder / f"report.{kind}" for kind in ("html", "json", "csv")}
    result = subprocess.run(
        [
            *(sys.executable, "-m", "sklearn_dae", "evaluate", digits_file, *QUICK),
            *("--report", paths["html"], "--json", paths["json"]),
            *("--csv", paths["csv"]),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return folder, result.stdout, paths


class Page(HTMLParser):
    """Sections, links to elsewhere, images, and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.sections, self.outside, self.images, self.words = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "section":
            self.sections.append(attributes["id"])
        if tag == "img":
            self.images.append(attributes["src"])
            assert attributes["alt"]
        for name in ("src", "href"):
            if attributes.get(name, "data:").startswith(("http", "/", "file")):
                self.outside.append(attributes[name])

    def handle_data(self, data):
        self.words.append(data)


def test_the_command_compares_all_codecs(evaluated):
    folder, output, paths = evaluated
    record = json.loads(paths["json"].read_text())
    lossy = {point["codec"] for point in record["lossy"]}
    assert {"autoencoder", "PCA", "JPEG", "JPEG 2000", "WebP", "AVIF"} <= lossy
    exact = {point["codec"] for point in record["lossless"]}
    assert {"PixelCodec", "JPEG XL", "JPEG-LS", "JPEG 2000", "WebP", "PNG"} <= exact
    assert {"Huffman", "LZMA", "Centroid"} <= exact
    near = [(each["setting"], each["codec"]) for each in record["near_lossless"]]
    assert near == [
        ({"max_abs_error": bound}, codec)
        for bound in (1, 2, 4)
        for codec in ("PixelCodec", "JPEG-LS")
    ]
    points = [*record["lossy"], *record["lossless"], *record["near_lossless"]]
    assert [point["error"] for point in points if point["error"]] == []
    assert all(point["mse"] == 0 for point in record["lossless"])
    for standing in record["equal_quality"]:
        ours, *others = standing["costs"]
        least = min(other["bytes_per_image"] for other in others)
        assert ours["codec"] == "autoencoder"
        assert standing["ratio"] == pytest.approx(ours["bytes_per_image"] / least)
    rates = {entry["codec"]: entry["rate"] for entry in record["bjontegaard"]}
    assert set(rates) == lossy - {"autoencoder"}
    split = record["split"]
    assert (split["n_training"], split["n_test"], record["n_images"]) == (150, 50, 200)
    # Nothing is held out where models are counted.
    assert {point["n_images"] for point in record["lossless"]} == {200}
    assert record["verdict"] in output
    assert record["bounded_verdict"] in output
    n_lines = len(paths["csv"].read_text().splitlines())
    assert n_lines == 1 + len(points)
    # Nothing else is left.
    assert sorted(path.name for path in folder.iterdir()) == [
        *("report.csv", "report.html", "report.json")
    ]


def test_the_page_stands_alone_and_says_it_all(evaluated):
    _, _, paths = evaluated
    text = paths["html"].read_text()
    page = Page(text)
    assert page.outside == []
    assert page.sections == [
        *("curves", "quality", "bd", "images", "worst", "lossless", "bounded"),
        *("bytes", "time", "set", "reproduce"),
    ]
    words = " ".join(page.words)
    record = json.loads(paths["json"].read_text())
    assert record["verdict"] in words
    assert "sklearn-dae evaluate" in words
    assert "--max-iter 3" in words
    assert text.count("<svg") == 2
    assert len(page.images) == 1 + 2 * 7 + 2
    assert all(image.startswith("data:image/png;base64,") for image in page.images)
    assert "nan" not in re.sub(r"data:\S+|<svg.*?</svg>", "", text, flags=re.DOTALL)


def test_an_existing_report_is_kept(evaluated, digits_file, capsys):
    _, _, paths = evaluated
    before = paths["html"].read_bytes()
    assert main(["evaluate", digits_file, "--report", str(paths["html"])]) == 1
    assert "--force replaces it" in capsys.readouterr().err
    assert paths["html"].read_bytes() == before


def test_where_a_report_cannot_be_written_is_found_first(tmp_path, digits_file, capsys):
    begin = time.monotonic()
    path = str(tmp_path / "missing" / "report.html")
    assert main(["evaluate", digits_file, "--report", path]) == 1
    output, errors = capsys.readouterr()
    assert output == ""
    assert "There is no folder" in errors
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((3, 4, 4), np.uint8), "holds 3 images; at least 5"),
        (np.full((20, 4, 4), 7, np.uint8), "are 7: there is nothing to compress"),
        (np.full((20, 4, 4), np.nan), "holds NaN or infinity"),
    ],
)
def test_images_that_teach_nothing_are_refused(images, message, tmp_path, capsys):
    np.save(tmp_path / "x.npy", images)
    report = tmp_path / "report.html"
    status = main(["evaluate", str(tmp_path / "x.npy"), "--report", str(report)])
    assert status == 1
    assert message in capsys.readouterr().err
    assert not report.exists()


def test_an_interrupted_run_goes_on_where_it_was(digits_file, tmp_path):
    report = tmp_path / "report.html"
    command = [
        *(sys.executable, "-m", "sklearn_dae", "evaluate", digits_file, *QUICK),
        *("--report", str(report), "--jobs", "1"),
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if line.startswith("[9/"):
            process.send_signal(signal.SIGINT)
            break
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from there" in errors
    assert not report.exists()
    unfinished = Path(f"{report}.unfinished")
    assert unfinished.is_dir()
    kept = [joblib.load(path) for path in unfinished.rglob("output.pkl")]
    times = {
        outcome.measurement.encode_seconds
        for outcome in kept
        if isinstance(outcome, Outcome)
    }
    assert len(times) >= 9
    table = tmp_path / "report.json"
    assert main([*command[3:], "--json", str(table)]) == 0
    assert report.exists()
    assert not unfinished.exists()
    # No measurement was made anew.
    record = json.loads(table.read_text())
    assert times <= {point["encode_seconds"] for point in record["lossy"]}


@pytest.mark.skipif(sys.platform == "win32", reason="signals to groups are POSIX's")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupted_training_is_not_taken_for_finished(tmp_path, jobs):
    report = tmp_path / "report.html"
    # More than 10,000 training images, of which no brief trial is made before.
    images = np.tile(load_digits().data.reshape(-1, 8, 8), (7, 1, 1))
    np.save(tmp_path / "digits.npy", images)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "sklearn_dae", "evaluate", tmp_path / "digits.npy"),
            *("--max-iter", "1000000", "--n-components", "4", "8", "--jobs", jobs),
            *("--report", str(report)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for line in process.stdout:
        if line.startswith("Training"):
            # Processes start; a network of that many steps takes hours.
            time.sleep(1 if jobs == "1" else 3)
            # As a terminal does: all processes are told.
            os.killpg(process.pid, signal.SIGINT)
            break
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from there" in errors
    assert list(Path(f"{report}.unfinished").rglob("output.pkl")) == []


def test_tasks_kept_where_others_can_write_are_not_loaded(
    digits_file, tmp_path, capsys
):
    folder = tmp_path / "report.html.unfinished"
    folder.mkdir()
    folder.chmod(0o777)
    status = main(["evaluate", digits_file, "--report", str(tmp_path / "report.html")])
    assert status == 1
    assert "Others can write to this folder" in capsys.readouterr().err


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium to render the page")
@pytest.mark.parametrize("width", [1200, 500])
def test_a_browser_shows_the_page_without_scrolling_sideways(
    evaluated, tmp_path, width
):
    _, _, paths = evaluated
    picture = tmp_path / "page.png"
    probe = tmp_path / "page.html"
    # The page tells in its title how much wider than the window it is.
    probe.write_text(
        paths["html"].read_text()
        + "<script>document.title = 'overflow ' + (document.documentElement.scrollWidth"
        " - window.innerWidth)</script>"
    )
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    size = f"--window-size={width},3000"
    subprocess.run(
        [CHROMIUM, *flags, size, f"--screenshot={picture}", probe.as_uri()],
        check=True,
        capture_output=True,
        timeout=120,
    )
    dom = subprocess.run(
        [CHROMIUM, *flags, size, "--dump-dom", probe.as_uri()],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout
    assert int(re.search(r"<title>overflow (-?\d+)", dom).group(1)) <= 0
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("L"))
    assert pixels.shape[1] == width
    # Text and plots from top to bottom, on a light page.
    bands = np.array_split(pixels, 10)
    assert all((band < 128).mean() > 0.001 for band in bands)
    assert np.median(pixels) > 240


# Many trials.

TINY = {"hidden_layer_sizes": (10,), "max_iter": 3}


def numbers(evaluation):
    """All that was measured but times."""
    record = evaluation.to_dict()
    return [
        {name: value for name, value in point.items() if not name.endswith("seconds")}
        for name in ("lossy", "lossless", "near_lossless")
        for point in record[name]
    ]


def test_jobs_change_no_result_and_the_largest_networks_are_first(some_digits):
    lines = []
    options = {"n_components": [2, 4, 8], "parameters": TINY, "n_qualities": 2}
    alone = evaluate(some_digits, **options)
    together = evaluate(some_digits, **options, n_jobs=2, say=lines.append)
    assert numbers(alone) == numbers(together)
    told = [re.search(r"64-10-\d+|\d values", line).group() for line in lines[:6]]
    assert told == ["64-10-8", "64-10-4", "8 values", "4 values", "64-10-2", "2 values"]


def test_what_is_trained_is_not_trained_again(some_digits, tmp_path):
    networks = {
        n_values: DeepAutoencoderCompressor(n_values, random_state=0, **TINY)
        for n_values in (2, 4, 8)
    }

    def train(*sizes):
        memory = joblib.Memory(tmp_path, verbose=0)
        tasks = _Tasks(memory, 2, lambda line: None)
        chosen = {n_values: networks[n_values] for n_values in sizes}
        return tasks.train(chosen, some_digits.training)

    before = train(4)
    trained = train(2, 4, 8)
    assert list(trained) == [2, 4, 8]
    assert [each.transformer.n_components for each in trained.values()] == [2, 4, 8]
    assert trained[4].seconds == before[4].seconds
    again = train(2, 4, 8)
    assert [again[n].seconds for n in again] == [trained[n].seconds for n in trained]


@pytest.fixture(scope="module")
def carried_out():
    """Carry out trials on some digits, unless that has been done before."""
    outcomes = {}

    def once(function, trial, *others):
        key = function.__name__, str(trial), repr(trial.codec)
        if key not in outcomes:
            outcomes[key] = function(trial, *others)
        return outcomes[key]

    return once


@pytest.fixture
def failing(carried_out, monkeypatch):
    """Let the trials fail that a function says."""

    def let_fail(fails):
        def unless_it_fails(function):
            def some_fail(trial, *others):
                if not fails(trial):
                    return carried_out(function, trial, *others)
                error = ValueError("cannot <do> it")
                point = Measurement.failed(
                    trial.contender, trial.setting, (30, 64), error
                )
                return Outcome(point)

            return some_fail

        for function in (carry_out, carry_out_on_all):
            monkeypatch.setattr(
                _experiment, function.__name__, unless_it_fails(function)
            )

    return let_fail


QUICKEST = {"n_components": [2, 4], "parameters": TINY, "n_qualities": 2}


@pytest.mark.parametrize(
    ("codec", "verdict_start", "has_archive"),
    [
        ("autoencoder", "The autoencoder could not be measured", False),
        ("PCA", "Yes: at equal quality the autoencoder takes", True),
        ("all but the autoencoder", "No other codec reaches the qualities", True),
        ("PixelCodec", "Only for more images than these: at equal quality", True),
    ],
)
def test_a_page_is_written_whoever_fails(
    some_digits, failing, tmp_path, codec, verdict_start, has_archive
):
    def fails(trial):
        if codec == "all but the autoencoder":
            others = trial.setting.keys() & {TARGET, "quality", "distance"}
            return others and trial.contender != "autoencoder"
        return trial.contender == codec

    failing(fails)
    evaluation = evaluate(some_digits, **QUICKEST)
    assert evaluation.verdict.startswith(verdict_start)
    assert bool(evaluation.with_loss.file_bytes) == has_archive
    write_report(evaluation, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "cannot &lt;do&gt; it" in text
    # Nobody else's archive is called the autoencoder's.
    assert ("bytes" in Page(text).sections) == has_archive
    shown = re.sub(r"data:\S+|<svg.*?</svg>", "", text, flags=re.DOTALL)
    assert not re.search(r"\b(nan|inf)\b", shown)


def test_where_all_with_loss_fail_the_reasons_are_told(some_digits, failing):
    failing(lambda trial: BOUND not in trial.setting)
    with pytest.raises(ValueError, match=r"measured\. autoencoder: ValueError: cannot"):
        evaluate(some_digits, **QUICKEST)


def test_an_archive_is_left_out_that_cannot_be_made(some_digits, failing):
    names = []

    def fails(trial):
        names.append(trial.contender)
        # What comes behind the curves is the trial at the rate to show.
        return trial.contender == "autoencoder" and "JPEG XL" in names

    failing(fails)
    with_loss = evaluate(some_digits, **QUICKEST).with_loss
    assert with_loss.matched[0].measurement.error
    assert with_loss.file_bytes == {}


def test_a_curve_of_one_point_is_refused_before_the_work(some_digits):
    with pytest.raises(ValueError, match="n_qualities == 1"):
        evaluate(some_digits, n_qualities=1)


# Single trials.


@pytest.fixture(scope="module")
def some_digits():
    images = load_digits().data
    return ImageSplit(images[:100], images[100:130], (8, 8), "some digits")


GREY, DEEP = ImageSpec(8, 8), ImageSpec(512, 512, 1, np.int16)


def contenders(*kinds):
    return list(dict.fromkeys(trial.contender for trial in bounded_trials(kinds)))


def test_a_missing_package_makes_a_row_that_names_the_extra(some_digits, monkeypatch):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    images = some_digits.images.stack()
    trials = [
        trial
        for trial in bounded_trials([GREY])
        if trial.contender in ("JPEG XL", "JPEG-LS")
    ]
    assert len(trials) == 2 + 4
    for trial in trials:
        outcome = carry_out_on_all(trial, images)
        assert "sklearn-dae[full]" in outcome.measurement.error
        assert outcome.shown is None


def test_of_several_settings_without_loss_the_smallest_counts():
    trials = [trial for trial in bounded_trials([GREY]) if not bound_of(trial)]
    assert trials[0].contender == "PixelCodec"
    assert [t.setting for t in trials if t.contender == "JPEG XL"] == [
        {"effort": 7},
        {"effort": 9},
    ]
    points = [bounded("ours", 9), *(bounded("theirs", n) for n in (7, 5, 6))]
    points.append(Measurement.failed("theirs", {}, (9, 64), ValueError("no")))
    outcomes = [Outcome(point) for point in points]
    assert list(_smallest_of_each(outcomes)) == [outcomes[0], outcomes[2]]
    assert list(_smallest_of_each(outcomes[-1:])) == outcomes[-1:]


def test_who_is_compared_follows_from_what_images_are():
    formats = ["JPEG XL", "JPEG-LS", "JPEG 2000", "WebP", "PNG"]
    general = ["LZMA", "Zstandard", "bzip2", "gzip"]
    assert contenders(GREY) == [
        *("PixelCodec", *formats, *general, "Huffman"),
        *("Min-Max Differential", "Min-Max Predictive", "Centroid"),
    ]
    assert contenders(DEEP) == ["PixelCodec", *formats[:3], "PNG", *general]
    assert formats_left_out([DEEP]) == ["WebP"]
    # A folder of several kinds goes into what holds them all.
    colours = ImageSpec(300, 200, 3, np.uint16)
    assert contenders(DEEP, colours) == ["PixelCodec", *formats[:2], *general]
    layouts = {
        trial.codec.layout
        for trial in bounded_trials([DEEP])
        if trial.contender in formats
    }
    assert layouts == {"files"}


@pytest.mark.parametrize(
    ("shape", "dtype"), [((40, 30), np.int16), ((20, 30, 3), np.uint8)]
)
def test_bounds_are_kept_at_any_depth_and_colour(shape, dtype):
    rng = np.random.default_rng(0)
    images = np.cumsum(rng.integers(-3, 4, (3, *shape)), axis=2).astype(dtype)
    for trial in bounded_trials([ImageSpec.of_shape(shape, dtype)]):
        outcome = carry_out_on_all(trial, images)
        point = outcome.measurement
        assert point.error is None, str(trial)
        span = 255 if dtype == np.uint8 else np.ptp(images.astype(int))
        assert round(point.largest_error * span) == bound_of(trial)
        assert outcome.shown.shape == shape
        off = np.abs(outcome.shown.astype(int) - images[1]).max()
        assert off <= bound_of(trial)


def natural(rng, shape, dtype=np.uint8):
    steps = rng.integers(-3, 4, shape)
    return (np.abs(np.cumsum(steps, axis=1)) % 100).astype(dtype)


@pytest.fixture
def native(tmp_path, rng):
    """A folder of images as people have them: several sizes, grey and in colours."""
    folder = tmp_path / "native"
    folder.mkdir()
    for i, shape in enumerate([(150, 130), (150, 130), (90, 170, 3)]):
        Image.fromarray(natural(rng, shape)).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def briefly(monkeypatch):
    """No networks of pixels are trained: those of the package do."""
    monkeypatch.setattr(_bounded, "PixelCodec", partial(PixelCodec, effort=1))


def test_images_of_native_size_are_compared_without_the_autoencoder(
    native, tmp_path, briefly, capsys
):
    report, table = tmp_path / "report.html", tmp_path / "report.json"
    command = ["evaluate", str(native), "--report", str(report), "--json", str(table)]
    assert main([*command, "--jobs", "1"]) == 0
    output = capsys.readouterr().out
    assert (
        "3 images, of 2 kinds\nThe autoencoder and other codecs with loss are" in output
    )
    record = json.loads(table.read_text())
    assert (record["verdict"], record["lossy"], record["split"]) == ("", [], None)
    assert record["bounded_verdict"] in output
    ours, *others = record["lossless"]
    assert (ours["codec"], ours["n_images"], ours["mse"]) == ("PixelCodec", 3, 0)
    assert ours["n_pixels"] == (2 * 150 * 130 + 3 * 90 * 170) / 3
    assert all(point["error"] is None for point in others)
    page = Page(report.read_text())
    assert page.sections == ["lossless", "bounded", "time", "reproduce"]
    words = " ".join(" ".join(page.words).split())
    assert record["bounded_verdict"] in words
    assert "one file an image" in words
    assert "2 sizes, up to 150" not in words
    assert "2 sizes, up to 130" in words
    # What it looks like, and a detail of each codec with a bound.
    assert len(page.images) == 1 + 2


def test_the_page_says_what_a_format_cannot_hold_and_where_we_lose(
    tmp_path, briefly, rng
):
    noise = rng.integers(-999, 999, (2, 300, 40)).astype(np.int16)
    evaluation = evaluate(ImageSet.from_array(noise, "noise"))
    write_report(evaluation, tmp_path / "report.html")
    words = " ".join(Page((tmp_path / "report.html").read_text()).words)
    assert "WebP cannot hold such images" in " ".join(words.split())
    ours, *others = evaluation.lossless
    best = min(others, key=lambda point: point.total_bytes)
    if best.total_bytes < ours.total_bytes:
        assert f"{best.codec} takes the fewest bytes" in evaluation.bounded_verdict
        assert f"{ours.total_bytes / best.total_bytes:.1%}" in words


def test_fractions_go_into_general_compressors_only(tmp_path, rng):
    evaluation = evaluate(ImageSet.from_array(rng.random((2, 150, 120)), "fractions"))
    assert "; PixelCodec cannot store these images." in evaluation.bounded_verdict
    assert evaluation.near_lossless == []
    write_report(evaluation, tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text())
    words = " ".join(" ".join(page.words).split())
    assert "bounded" not in page.sections
    assert "JPEG 2000, WebP and PNG cannot hold such images" in words
    assert words.count("PixelCodec (ValueError: X holds float64 numbers") == 1


@pytest.mark.parametrize("value", [7, np.nan])
def test_large_images_of_nothing_are_refused(value):
    images = ImageSet.from_array(np.full((2, 150, 120), value), "plain")
    with pytest.raises(
        ValueError, match=r"^(All pixels of plain are 7|plain holds NaN)"
    ):
        evaluate(images)


def test_more_images_than_can_be_waited_for_are_told_of(
    tmp_path, briefly, monkeypatch, rng
):
    monkeypatch.setattr(_experiment, "_MOST_NUMBERS", 5000)
    images = ImageSet.from_array(natural(rng, (9, 200, 10)), "many")
    evaluation = evaluate(images)
    assert (len(evaluation.images), evaluation.n_left_out) == (2, 7)
    assert evaluation.n_images == 9
    write_report(evaluation, tmp_path / "report.html")
    words = " ".join(Page((tmp_path / "report.html").read_text()).words)
    assert "7 more were left out" in " ".join(words.split())
    with pytest.raises(ValueError, match="nothing holds no image"):
        evaluate(ImageSet.from_array(np.zeros((0, 3, 4)), "nothing"))


@pytest.mark.parametrize(
    ("shape", "n_components", "is_split"),
    [
        ((128, 128), None, True),
        ((129, 128), None, False),
        ((129, 128), [4], True),
        ((8, 8, 3), None, False),
    ],
)
def test_images_are_held_out_where_the_autoencoder_is_for_them_or_asked_for(
    shape, n_components, is_split, tmp_path, rng
):
    np.save(tmp_path / "x.npy", natural(rng, (6, *shape)))
    arguments = argparse.Namespace(
        images=str(tmp_path / "x.npy"),
        n_components=n_components,
        **dict.fromkeys(["key", "test_size", "random_state"]),
        grey=False,
    )
    images = _images(arguments)
    assert isinstance(images, ImageSplit if is_split else ImageSet)
    everything = images.images if is_split else images
    # In their order, whatever was held out.
    np.testing.assert_array_equal(everything.stack(), np.load(tmp_path / "x.npy"))


# What a page shows.


def test_deep_images_are_shown_with_contrast_where_their_pixels_are():
    image = np.full((100, 100), -1500, np.int16)
    image[20:80, 20:80] = 30 + np.arange(60) // 6
    image[30:32, 30:32] = 2000
    shown = tones_for([image])(image)
    tissue = shown[50, 20:80]
    # From -1500 to 2000, ten levels would be one level of grey.
    assert tissue.max() - tissue.min() > 60
    assert shown[0, 0] == 0
    assert shown[30, 30] == 255
    assert (np.diff(tissue.astype(int)) >= 0).all()


def test_bytes_are_shown_as_they_are_if_not_all_are_dark():
    image = np.array([[0, 50, 200]], np.uint8)
    assert tones_for([image])(image).tolist() == [[0, 50, 200]]
    dark = np.array([[0, 8, 16]], np.uint8)
    assert tones_for([dark])(dark).tolist() == [[0, 128, 255]]
    flat = np.full((3, 4), 1000, np.uint16)
    assert tones_for([flat])(flat).dtype == np.uint8


def test_a_strip_holds_images_of_any_colours_side_by_side():
    grey, red = np.full((4, 3), 90, np.uint8), np.zeros((2, 5, 3), np.uint8)
    red[..., 0] = 255
    data = strip([[grey, red]])
    encoded = data.removeprefix("data:image/png;base64,")
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (4, 3 + 1 + 5, 4)
    assert pixels[0, 0].tolist() == [90, 90, 90, 255]
    assert pixels[0, -1].tolist() == [255, 0, 0, 255]
    assert pixels[3, -1, 3] == pixels[0, 3, 3] == 0


def test_a_setting_that_fails_makes_a_row_that_says_why(some_digits):
    trial = Trial("PCA", {"quality": 99}, TransformCodec(PCA(2), target_psnr=99))
    outcome = carry_out(trial, some_digits, np.arange(2))
    assert "ask for less" in outcome.measurement.error


def test_an_outcome_shows_what_was_asked_for_and_the_worst(some_digits):
    trial = Trial("PCA", {}, TransformCodec(PCA(2), fallback=False))
    outcome = carry_out(trial, some_digits, np.array([3, 5]))
    codec = TransformCodec(PCA(2), fallback=False).fit(some_digits.training)
    restored = codec.decode(codec.encode(some_digits.test))
    np.testing.assert_array_equal(outcome.shown, restored[[3, 5]])
    errors = np.square(restored.astype(float) - some_digits.test).sum(axis=1)
    assert errors[outcome.worst_rows[0]] == errors.max()
    assert list(errors[outcome.worst_rows]) == sorted(errors)[:-6:-1]
    np.testing.assert_array_equal(outcome.worst, restored[outcome.worst_rows])


def test_qualities_are_closer_where_the_rate_rises_fast():
    qualities = _below_limit(12.0, 24.0, 6)
    added = 10 ** (-qualities / 10) - 10**-2.4
    np.testing.assert_allclose(added[1:] / added[:-1], added[1] / added[0])
    assert qualities[0] == pytest.approx(12)
    assert 23.7 < qualities[-1] < 24
    # A transformer that is worse than that, or makes no error.
    assert _below_limit(12.0, 11.0, 6) == pytest.approx([10.75], abs=0.01)
    assert 58 < _below_limit(12.0, np.inf, 6)[-1] < 59


def test_pca_has_the_components_that_a_quality_needs(some_digits):
    curve = RateDistortionCurve(
        "PCA",
        tuple(
            Measurement("PCA", {TARGET: quality}, 30, 64, n_bytes, mse=mse)
            for quality, n_bytes, mse in ((12, 30, 0.06), (20, 300, 0.01))
        ),
    )
    few, many = (trial_at_rate(some_digits, {}, curve, rate) for rate in (1, 10))
    assert few.setting[TARGET] == 12
    assert many.setting[TARGET] == 20
    assert few.setting[VALUES] < many.setting[VALUES] <= 64
    for trial in (few, many):
        point = carry_out(trial, some_digits, np.arange(1)).measurement
        assert point.error is None
        assert point.psnr == pytest.approx(trial.setting[TARGET], abs=2)
