"""What the display classes draw: the numbers, images and labels in the picture."""

import re
import sys

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sklearn_dae import PAPER_SETTINGS, BernoulliRBM, DeepAutoencoderCompressor
from sklearn_dae.codecs import HuffmanCodec, TransformCodec
from sklearn_dae.compressor._pretraining import default_rbm
from sklearn_dae.evaluation import (
    FilterDisplay,
    LossCurveDisplay,
    Measurement,
    RateDistortionCurve,
    RateDistortionDisplay,
    ReconstructionDisplay,
    psnr,
)

plt = pytest.importorskip("matplotlib.pyplot")
Figure = pytest.importorskip("matplotlib.figure").Figure


@pytest.fixture(autouse=True)
def no_screen():
    """Draw without a screen, and leave no figure open."""
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def pca(digits):
    """PCA of digits. Tests must not change it."""
    return PCA(8, random_state=0).fit(digits)


@pytest.fixture(scope="module")
def paper(digits):
    """A small network of the paper, with two RBMs. Tests must not change it."""
    return DeepAutoencoderCompressor(
        8,
        **PAPER_SETTINGS,
        hidden_layer_sizes=(20,),
        pretraining=default_rbm(1797).set_params(n_iter=3),
        max_iter=4,
        early_stopping=True,
        random_state=0,
    ).fit(digits[:300])


def pixels(images):
    """Arrays of the images of a line."""
    return [np.asarray(image.get_array()) for image in images]


def texts(ax):
    """Labels of the lines of images."""
    return [label.get_text() for label in ax.get_yticklabels()]


# Reconstructions.


def test_originals_stand_above_what_a_transformer_restores(pca, digits):
    display = ReconstructionDisplay.from_estimator(pca, digits, n_images=5)
    shown = digits[:5]
    restored = np.clip(pca.inverse_transform(pca.transform(shown)), 0, 16)
    for line, expected in zip(display.images_, (shown, restored), strict=True):
        np.testing.assert_allclose(pixels(line), expected.reshape(5, 8, 8))
        assert {image.get_clim() for image in line} == {(0, 16)}
    assert texts(display.ax_) == ["original", "PCA"]
    assert display.figure_ is display.ax_.figure


def test_a_codec_shows_what_comes_back_from_its_bytes(pca, digits):
    codec = TransformCodec(pca, target_psnr=12).fit(digits)
    display = ReconstructionDisplay.from_estimator(codec, digits, n_images=3)
    restored = codec.decode(codec.encode(digits[:3]))
    np.testing.assert_array_equal(pixels(display.images_[1]), restored.reshape(3, 8, 8))
    assert not np.allclose(restored, pca.inverse_transform(pca.transform(digits[:3])))


def test_several_estimators_get_a_line_each(pca, fitted, digits):
    display = ReconstructionDisplay.from_estimator(
        {"linear": pca, "deep": fitted}, digits, n_images=2
    )
    assert texts(display.ax_) == ["original", "linear", "deep"]
    assert display.images_.shape == (3, 2)


def test_images_do_not_overlap_and_keep_their_proportions(rng):
    images = rng.uniform(0, 1, (4, 15))
    display = ReconstructionDisplay(images, {"same": images}, image_shape=(3, 5)).plot()
    boxes = [image.get_window_extent() for image in display.images_.flat]
    for index, box in enumerate(boxes):
        assert box.width / box.height == pytest.approx(5 / 3)
        assert not any(box.overlaps(other) for other in boxes[:index])
    # Labels, title and images are all within the figure, without much around them.
    display.plot(title="A heading that is wider than both of the images together")
    display.figure_.draw_without_rendering()
    tight, whole = display.figure_.get_tightbbox(), display.figure_.bbox_inches
    assert whole.x0 <= tight.x0 < tight.x1 <= whole.x1
    assert whole.y0 <= tight.y0 < tight.y1 <= whole.y1
    assert tight.width > 0.9 * whole.width


def test_what_is_not_square_is_a_line_unless_said_otherwise(rng):
    images = rng.uniform(0, 1, (2, 6))
    as_line = ReconstructionDisplay(images, {}).plot()
    assert as_line.images_[0, 0].get_array().shape == (1, 6)
    shaped = ReconstructionDisplay(images, {}, image_shape=(2, 3)).plot()
    np.testing.assert_array_equal(pixels(shaped.images_[0]), images.reshape(2, 2, 3))


def test_drawing_into_given_axes_leaves_their_figure_alone(pca, digits):
    figure, (left, right) = plt.subplots(1, 2, figsize=(4, 3))
    display = ReconstructionDisplay.from_estimator(pca, digits, ax=right)
    assert display.ax_ is right
    assert display.figure_ is figure
    assert tuple(figure.get_size_inches()) == (4, 3)
    assert not left.images
    assert len(right.images) == 24


def test_a_figure_of_a_program_without_a_screen_needs_no_pyplot(rng):
    images, restored = rng.uniform(0, 255, (2, 4, 6))
    display = ReconstructionDisplay(
        images, {"PCA": restored}, image_shape=(2, 3), pixel_range=(0, 255)
    ).plot(Figure().subplots(), title="T")
    (ax,) = display.figure_.axes
    expected = np.concatenate([images, restored]).reshape(8, 2, 3)
    np.testing.assert_array_equal(pixels(ax.images), expected)
    assert {image.get_clim() for image in ax.images} == {(0, 255)}
    assert (texts(ax), ax.get_title("left")) == (["original", "PCA"], "T")
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((2, 4)), {"bad": np.zeros((3, 4))}), "(3, 4)"),
        ((np.zeros((0, 4)), {}), "(0, 4)"),
        ((np.zeros(4), {}), "(4,)"),
    ],
)
def test_images_of_other_shapes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        ReconstructionDisplay(*arguments)


def test_image_shape_must_fit(pca, digits):
    with pytest.raises(ValueError, match="63 values"):
        ReconstructionDisplay.from_estimator(pca, digits, image_shape=(7, 9))
    with pytest.raises(ValueError, match="63 values"):
        FilterDisplay.from_estimator(pca, image_shape=(7, 9))


# Filters.


def test_filters_of_a_network_are_columns_of_its_first_weights(fitted):
    display = FilterDisplay.from_estimator(fitted, n_filters=6, order=None)
    weights = fitted.coefs_[0].T[:6]
    scaled = weights / np.abs(weights).max(axis=1, keepdims=True)
    shown = pixels(display.images_[0, :6])
    np.testing.assert_allclose(shown, scaled.reshape(6, 8, 8), rtol=1e-6)
    assert {image.get_clim() for image in display.images_[0, :6]} == {(-1, 1)}


def test_filters_with_large_weights_come_first(digits):
    rbm = BernoulliRBM(12, n_iter=2, random_state=0).fit(digits / 16)
    display = FilterDisplay.from_estimator(rbm, n_filters=5)
    norms = np.sort(np.linalg.norm(rbm.components_, axis=1))[::-1]
    np.testing.assert_allclose(
        np.linalg.norm(display.filters, axis=1), norms[:5], rtol=1e-4
    )


def test_principal_axes_keep_their_order_within_pipelines_and_codecs(pca, digits):
    codec = TransformCodec(pca).fit(digits)
    pipeline = make_pipeline(MinMaxScaler(), PCA(8, random_state=0)).fit(digits)
    for estimator, axes in ((codec, pca), (pipeline, pipeline[-1])):
        display = FilterDisplay.from_estimator(estimator)
        np.testing.assert_array_equal(display.filters, axes.components_)


def test_filters_stand_in_lines_and_one_of_zeros_is_grey():
    filters = np.zeros((5, 4))
    filters[1] = [2, -4, 0, 1]
    display = FilterDisplay(filters).plot(n_columns=3, cmap="RdBu_r", title="five")
    assert display.images_.shape == (2, 3)
    assert display.images_[1, 2] is None
    assert not display.images_[0, 0].get_array().any()
    expected = [[0.5, -1], [0, 0.25]]
    np.testing.assert_array_equal(display.images_[0, 1].get_array(), expected)
    assert display.images_[0, 1].get_cmap().name == "RdBu_r"
    assert display.ax_.get_title("left") == "five"


# Loss curves.


def test_loss_curves_of_the_paper_and_of_its_rbms(paper):
    display = LossCurveDisplay.from_estimator(paper)
    assert display.line_.get_ydata().tolist() == paper.loss_curve_
    assert display.line_.get_xdata().tolist() == [1, 2, 3, 4]
    validation = display.validation_line_.get_ydata().tolist()
    assert validation == paper.validation_loss_curve_
    drawn = [line.get_ydata().tolist() for line in display.pretraining_lines_]
    assert drawn == paper.pretraining_errors_
    legend = display.pretraining_ax_.get_legend().get_texts()
    assert [text.get_text() for text in legend] == ["1: 64 → 20", "2: 20 → 8"]
    assert display.ax_.get_ylabel() == "cross-entropy of an image"
    assert display.ax_.get_xlabel() == "iteration"
    assert display.figure_.axes == [display.pretraining_ax_, display.ax_]


def test_without_pretraining_there_is_one_curve(fitted):
    display = LossCurveDisplay.from_estimator(fitted)
    assert display.figure_.axes == [display.ax_]
    assert display.pretraining_ax_ is None
    assert display.validation_line_ is None
    assert display.ax_.get_xlabel() == "epoch"
    assert display.ax_.get_ylabel() == "squared error of an image, with penalty"
    assert all(float(tick).is_integer() for tick in display.ax_.get_xticks())


def test_only_what_has_axes_is_drawn(paper):
    _, (left, right) = plt.subplots(1, 2)
    display = LossCurveDisplay.from_estimator(paper, ax=left)
    assert (display.pretraining_ax_, display.pretraining_lines_) == (None, [])
    assert len(left.lines) == 2
    display = display.plot(pretraining_ax=right)
    assert (display.ax_, display.line_) == (None, None)
    assert len(right.lines) == 2
    assert len(left.lines) == 2


def test_rbm_without_iterations_of_a_network(digits):
    rbm = BernoulliRBM(12, n_iter=3, random_state=0).fit(digits / 16)
    display = LossCurveDisplay.from_estimator(rbm)
    (line,) = display.pretraining_lines_
    assert line.get_ydata().tolist() == rbm.reconstruction_errors_
    assert display.ax_ is None


def test_loss_of_a_network_of_scikit_learn(digits):
    X = digits[:50] / 16.0
    mlp = MLPRegressor(hidden_layer_sizes=4, max_iter=5, tol=1e9, n_iter_no_change=3)
    display = LossCurveDisplay.from_estimator(mlp.fit(X, X))
    assert display.line_.get_ydata().tolist() == mlp.loss_curve_


def test_large_falls_are_drawn_on_a_logarithmic_scale_in_plain_numbers():
    display = LossCurveDisplay([1000.0, 90.0, 8.0, 1.0]).plot()
    display.figure_.draw_without_rendering()
    assert display.ax_.get_yscale() == "log"
    ticks = {label.get_text() for label in display.ax_.get_yticklabels()}
    assert {"1", "10", "1,000"} <= ticks
    assert LossCurveDisplay([4.0, 2.0]).plot().ax_.get_yscale() == "linear"
    assert LossCurveDisplay([4.0, -2.0]).plot().ax_.get_yscale() == "linear"


def test_nothing_to_draw_is_an_error():
    with pytest.raises(ValueError, match="no iteration"):
        LossCurveDisplay([], pretraining_errors={"RBM": []})


# Rate and distortion.


def curve(name, *points):
    """Make a curve of pairs of bytes an image and decibels; infinity is lossless."""
    return RateDistortionCurve(
        name,
        tuple(
            Measurement(name, {}, 100, 64, n_bytes=100 * rate, mse=10 ** (-psnr / 10))
            for rate, psnr in points
        ),
    )


def failed(name):
    """Make a curve without a measurement."""
    return RateDistortionCurve(name, (Measurement(name, {}, 1, 1, error="no extra"),))


DEEP = curve("deep", (6, 19), (19, 24), (11, 22))
LINEAR = curve("linear", (50, 26), (20, 21), (35, 24))
EXACT = curve("exact", (190, np.inf))


def test_curves_are_drawn_from_the_fewest_bytes_on():
    display = RateDistortionDisplay([DEEP, LINEAR, EXACT]).plot()
    assert display.lines_["deep"].get_xdata().tolist() == [6, 11, 19]
    np.testing.assert_allclose(display.lines_["deep"].get_ydata(), [19, 22, 24])
    assert display.lines_["linear"].get_xdata().tolist() == [20, 35, 50]
    assert list(display.lossless_lines_) == ["exact"]
    assert display.lossless_lines_["exact"].get_xdata() == [190, 190]
    assert display.ax_.get_xscale() == "log"
    assert display.ax_.get_xlabel().startswith("bytes an image")
    assert display.ax_.get_ylabel() == "PSNR (dB)"


def test_no_line_leads_from_one_branch_to_another():
    points = [
        Measurement("nets", {"n": n}, 1, 64, n_bytes=rate, mse=10 ** (-psnr / 10))
        for n, rate, psnr in ((4, 1, 10), (4, 5, 16), (8, 2, 9), (8, 8, 25))
    ]
    nets = RateDistortionCurve("nets", tuple(points), branch_by="n")
    display = RateDistortionDisplay([nets]).plot()
    line = display.lines_["nets"]
    np.testing.assert_array_equal(line.get_xdata(), [1, 5, np.nan, 2, 8])
    np.testing.assert_allclose(line.get_ydata(), [10, 16, np.nan, 9, 25])


def test_curves_differ_in_colour_and_marker():
    curves = [curve(str(index), (index + 1, 20), (index + 2, 30)) for index in range(9)]
    lines = RateDistortionDisplay(curves).plot().lines_.values()
    looks = [(line.get_color(), line.get_marker()) for line in lines]
    assert len(set(looks)) == 9
    for first_seven in zip(*looks[:7], strict=True):
        assert len(set(first_seven)) == 7


def named(display):
    return [text.get_text() for text in display.legend_.get_texts()]


@pytest.mark.parametrize("size", [(8, 5), (4.4, 5)])
def test_the_legend_names_everything_and_covers_nothing(size):
    crowd = [curve(f"codec {index}", (10, 20), (20, 30)) for index in range(7)]
    figure = Figure(figsize=size, layout="constrained")
    curves = [*crowd, failed("JPEG XL"), EXACT]
    display = RateDistortionDisplay(curves).plot(figure.subplots())
    assert named(display) == [
        *(f"codec {index}" for index in range(7)),
        "exact: lossless, 190 bytes",
        "JPEG XL: failed",
    ]
    figure.draw_without_rendering()
    box, axes = display.legend_.get_window_extent(), display.ax_
    assert not box.overlaps(axes.get_window_extent())
    assert not box.overlaps(axes.xaxis.label.get_window_extent())
    assert figure.bbox.containsx(box.x0)
    assert figure.bbox.containsx(box.x1)
    assert figure.bbox.containsy(box.y0)


def test_without_a_layout_the_legend_stands_among_the_curves():
    _, ax = plt.subplots()
    display = RateDistortionDisplay([DEEP, LINEAR]).plot(ax)
    assert named(display) == ["deep", "linear"]
    display.figure_.draw_without_rendering()
    frame, box = ax.get_window_extent(), display.legend_.get_window_extent()
    assert frame.x0 <= box.x0 < box.x1 <= frame.x1


def test_a_codec_with_settings_with_and_without_loss_is_drawn_as_both():
    both = curve("both", (30, 25), (60, 30), (200, np.inf), (300, np.inf))
    display = RateDistortionDisplay([both]).plot()
    assert display.lines_["both"].get_xdata().tolist() == [30, 60]
    assert display.lossless_lines_["both"].get_xdata() == [200, 200]


def test_without_any_loss_there_is_no_quality_axis():
    display = RateDistortionDisplay([EXACT]).plot()
    assert display.ax_.get_ylabel() == "restored exactly"
    assert not len(display.ax_.get_yticks())


def test_curves_are_drawn_into_given_axes_and_drawn_again():
    figure, ax = plt.subplots()
    display = RateDistortionDisplay([DEEP, LINEAR]).plot(ax)
    assert (display.ax_, display.figure_) == (ax, figure)
    assert len(ax.lines) == 2
    again = display.plot()
    assert again is display
    assert again.ax_ is not ax


def test_curves_that_cannot_be_drawn_are_refused():
    with pytest.raises(ValueError, match="JPEG XL: no extra"):
        RateDistortionDisplay([failed("JPEG XL")])
    with pytest.raises(ValueError, match="no measurement"):
        RateDistortionDisplay([])
    with pytest.raises(ValueError, match="called deep"):
        RateDistortionDisplay([DEEP, LINEAR, DEEP])


def test_codecs_are_measured_in_real_bytes(digits_split):
    training, test = digits_split
    display = RateDistortionDisplay.from_codecs(
        {
            "PCA": (TransformCodec(PCA(16)), "target_psnr", [42, 38]),
            "Huffman": HuffmanCodec(),
        },
        test,
        X_train=training,
    )
    expected = []
    for target_psnr in (38, 42):
        codec = TransformCodec(PCA(16), target_psnr=target_psnr).fit(training)
        data = codec.encode(test)
        quality = psnr(test, codec.decode(data), (0, 16))
        expected.append((len(data) / len(test), quality))
    np.testing.assert_allclose(display.lines_["PCA"].get_xydata(), expected)
    huffman = HuffmanCodec().fit(training)
    rate = len(huffman.encode(test)) / len(test)
    assert display.lossless_lines_["Huffman"].get_xdata() == [rate, rate]


# What all have in common.


@pytest.mark.parametrize(
    "draw",
    [
        FilterDisplay.from_estimator,
        LossCurveDisplay.from_estimator,
        lambda estimator: ReconstructionDisplay.from_estimator(
            estimator, np.zeros((2, 64))
        ),
    ],
)
def test_unfitted_estimators_are_refused(draw):
    for estimator in (DeepAutoencoderCompressor(4), BernoulliRBM(4)):
        with pytest.raises(NotFittedError):
            draw(estimator)


def test_estimators_without_what_is_drawn_are_refused(digits, pca):
    scaler = MinMaxScaler().fit(digits)
    with pytest.raises(TypeError, match="MinMaxScaler has no coefs_ or components_"):
        FilterDisplay.from_estimator(scaler)
    with pytest.raises(TypeError, match="PCA has no loss_curve_"):
        LossCurveDisplay.from_estimator(pca)
    mlp = MLPRegressor(hidden_layer_sizes=4, max_iter=5, tol=1e9, n_iter_no_change=3)
    mlp.fit(digits[:50] / 16, digits[:50] / 16)
    with pytest.raises(TypeError, match="MLPRegressor restores no images"):
        ReconstructionDisplay.from_estimator(mlp, digits)


def test_without_matplotlib_the_extra_is_named(monkeypatch, pca, digits):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for draw in (
        lambda: ReconstructionDisplay.from_estimator(pca, digits),
        lambda: FilterDisplay.from_estimator(pca),
        lambda: LossCurveDisplay([1.0]).plot(),
        lambda: RateDistortionDisplay([DEEP]).plot(),
    ):
        with pytest.raises(ImportError, match=re.escape("sklearn-dae[full]")):
            draw()
