"""The comparison of codecs: its verdict, its page, and the command that makes it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import joblib
import numpy as np
import pytest
from PIL import Image
from sklearn.decomposition import PCA

from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.cli import main
from sklearn_dae.codecs import TransformCodec
from sklearn_dae.datasets import ImageSplit, load_digits
from sklearn_dae.evaluation import (
    Measurement,
    RateDistortionCurve,
    evaluate,
    write_report,
)
from sklearn_dae.evaluation.report import _experiment
from sklearn_dae.evaluation.report._contenders import (
    TARGET,
    VALUES,
    Trial,
    _below_limit,
    lossless_trials,
    trial_at_rate,
)
from sklearn_dae.evaluation.report._experiment import _smallest_of_each, _Tasks
from sklearn_dae.evaluation.report._findings import (
    Cost,
    Standing,
    break_even,
    judge,
    judge_lossless,
    round_qualities,
    standings,
)
from sklearn_dae.evaluation.report._outcome import Outcome, carry_out
from sklearn_dae.evaluation.report._templates import (
    humane_bytes,
    lossless_verdict,
    round_up,
    verdict,
)

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


def lossless(name, n_bytes, model_bytes=0):
    return Measurement(name, {}, 1000, 64, n_bytes, model_bytes, mse=0.0)


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
    assert judge_lossless([]) is None


def test_qualities_that_nobody_else_has_are_no_part_of_the_verdict():
    ours = curve_of("autoencoder", [5, 10], [20, 30], 100_000)
    other = curve_of("JPEG", [10, 14], [20, 24])
    words = verdict(standings([ours, other]), 10**6)
    assert words.startswith("Yes: at equal quality the autoencoder takes 47 to 50% of")


def test_without_measurements_there_is_no_verdict():
    nothing = standings([RateDistortionCurve("autoencoder", ())])
    assert "nothing to compare" in verdict(nothing, 10)
    assert "nothing to compare" in lossless_verdict([])


def test_the_lossless_verdict_names_the_smallest():
    ours, other = lossless("pixel model", 8000, 10_000), lossless("PNG", 16_000)
    assert lossless_verdict([ours, other]).startswith(
        "Without loss, the pixel model takes 1.000 bits a pixel, 50% of the best other "
        "codec (PNG); its model of 10 kB is paid for from 1,300 images on"
    )
    small = lossless("LZMA", 4000)
    words = lossless_verdict([ours, other, small])
    assert "LZMA takes the fewest bytes: 0.500" in words
    failed = Measurement.failed("pixel model", {}, (9, 64), ValueError("floats"))
    assert lossless_verdict([failed, other, small]) == words


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
    assert {"pixel model", "Huffman", "PNG", "LZMA", "Centroid"} <= exact
    points = [*record["lossy"], *record["lossless"]]
    assert [point["error"] for point in points if point["error"]] == []
    assert all(point["mse"] == 0 for point in record["lossless"])
    for standing in record["equal_quality"]:
        ours, *others = standing["costs"]
        least = min(other["bytes_per_image"] for other in others)
        assert ours["codec"] == "autoencoder"
        assert standing["ratio"] == pytest.approx(ours["bytes_per_image"] / least)
    rates = {entry["codec"]: entry["rate"] for entry in record["bjontegaard"]}
    assert set(rates) == lossy - {"autoencoder"}
    assert (record["n_training"], record["n_test"]) == (150, 50)
    assert record["verdict"] in output
    assert record["lossless_verdict"] in output
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
        *("curves", "quality", "bd", "images", "worst", "lossless", "bytes", "time"),
        *("set", "reproduce"),
    ]
    words = " ".join(page.words)
    record = json.loads(paths["json"].read_text())
    assert record["verdict"] in words
    assert "sklearn-dae evaluate" in words
    assert "--max-iter 3" in words
    assert text.count("<svg") == 2
    assert len(page.images) == 1 + 2 * 7
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
        for point in [*record["lossy"], *record["lossless"]]
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
        tasks = _Tasks(memory, some_digits, 2, lambda line: None)
        return tasks.train({n_values: networks[n_values] for n_values in sizes})

    before = train(4)
    trained = train(2, 4, 8)
    assert list(trained) == [2, 4, 8]
    assert [each.transformer.n_components for each in trained.values()] == [2, 4, 8]
    assert trained[4].seconds == before[4].seconds
    again = train(2, 4, 8)
    assert [again[n].seconds for n in again] == [trained[n].seconds for n in trained]


@pytest.fixture(scope="module")
def carried_out(some_digits):
    """Carry out a trial on some digits, unless that has been done before."""
    outcomes = {}

    def carry_out_once(trial, split, shown):
        assert split is some_digits
        key = str(trial), repr(trial.codec), tuple(shown)
        if key not in outcomes:
            outcomes[key] = carry_out(trial, split, shown)
        return outcomes[key]

    return carry_out_once


@pytest.fixture
def failing(carried_out, monkeypatch):
    """Let the trials fail that a function says."""

    def let_fail(fails):
        def some_fail(trial, split, shown):
            if not fails(trial):
                return carried_out(trial, split, shown)
            error = ValueError("cannot <do> it")
            shape = split.test.shape
            return Outcome(
                Measurement.failed(trial.contender, trial.setting, shape, error)
            )

        monkeypatch.setattr(_experiment, "carry_out", some_fail)

    return let_fail


QUICKEST = {"n_components": [2, 4], "parameters": TINY, "n_qualities": 2}


@pytest.mark.parametrize(
    ("codec", "verdict_start", "has_archive"),
    [
        ("autoencoder", "The autoencoder could not be measured", False),
        ("PCA", "Only for more images than these: at equal quality", True),
        ("all but the autoencoder", "No other codec reaches the qualities", True),
    ],
)
def test_a_page_is_written_whoever_fails(
    some_digits, failing, tmp_path, codec, verdict_start, has_archive
):
    def fails(trial):
        if codec == "all but the autoencoder":
            return trial.setting and trial.contender != "autoencoder"
        return trial.contender == codec

    failing(fails)
    evaluation = evaluate(some_digits, **QUICKEST)
    assert evaluation.verdict.startswith(verdict_start)
    assert bool(evaluation.file_bytes) == has_archive
    write_report(evaluation, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "cannot &lt;do&gt; it" in text
    # Nobody else's archive is called the autoencoder's.
    assert ("bytes" in Page(text).sections) == has_archive
    shown = re.sub(r"data:\S+|<svg.*?</svg>", "", text, flags=re.DOTALL)
    assert not re.search(r"\b(nan|inf)\b", shown)


def test_where_all_with_loss_fail_the_reasons_are_told(some_digits, failing):
    failing(lambda trial: bool(trial.setting))
    with pytest.raises(ValueError, match=r"measured\. autoencoder: ValueError: cannot"):
        evaluate(some_digits, **QUICKEST)


def test_an_archive_is_left_out_that_cannot_be_made(some_digits, failing):
    lossless_seen = []

    def fails(trial):
        # What comes behind the lossless trials is the one at the rate to show.
        if not trial.setting:
            lossless_seen.append(trial)
        return lossless_seen and trial.contender == "autoencoder"

    failing(fails)
    evaluation = evaluate(some_digits, **QUICKEST)
    assert evaluation.matched[0].measurement.error
    assert evaluation.file_bytes == {}


def test_a_curve_of_one_point_is_refused_before_the_work(some_digits):
    with pytest.raises(ValueError, match="n_qualities == 1"):
        evaluate(some_digits, n_qualities=1)


# Single trials.


@pytest.fixture(scope="module")
def some_digits():
    images = load_digits().data
    return ImageSplit(images[:100], images[100:130], (8, 8), "some digits")


def test_a_missing_package_makes_a_row_that_names_the_extra(some_digits, monkeypatch):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    trials = [t for t in lossless_trials(some_digits) if t.contender == "JPEG XL"]
    for trial in trials:
        outcome = carry_out(trial, some_digits, np.arange(2))
        assert "sklearn-dae[full]" in outcome.measurement.error
        assert outcome.shown is None


def test_of_several_settings_without_loss_the_smallest_counts(some_digits):
    codecs = [trial.contender for trial in lossless_trials(some_digits)]
    assert codecs[0] == "pixel model"
    assert codecs.count("JPEG XL") == 2
    points = [lossless("ours", 9), *(lossless("theirs", n) for n in (7, 5, 6))]
    points.append(Measurement.failed("theirs", {}, (9, 64), ValueError("no")))
    outcomes = [Outcome(point) for point in points]
    assert list(_smallest_of_each(outcomes)) == [points[0], points[2]]
    assert list(_smallest_of_each(outcomes[-1:])) == points[-1:]


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
