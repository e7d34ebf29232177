"""How fitting goes on, stops, and reports; and what it refuses."""

import re
import signal
import threading
from copy import deepcopy

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.callback import ProgressBar
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from sklearn_dae import (
    PAPER_SETTINGS,
    BernoulliRBM,
    DeepAutoencoderCompressor,
    GaussianRBM,
)
from sklearn_dae.compressor._pretraining import default_rbm, make_rbm
from sklearn_dae.network import Dense, Network
from sklearn_dae.network._objective import reconstruction_loss

QUICK = {
    **PAPER_SETTINGS,
    "n_components": 6,
    "pretraining": default_rbm(700).set_params(n_iter=3),
    "max_iter": 5,
    "random_state": 0,
}


class Recorder:
    """A callback that keeps what it is told, and may act on an iteration."""

    def __init__(self, on_iteration=None):
        self.tasks = []
        self.on_iteration = on_iteration

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.tasks.append((context.task_name, context.task_id))
        if context.task_name == "iteration" and self.on_iteration:
            return self.on_iteration(context.task_id, fitted_estimator)
        return False


def test_warm_start_goes_on(few_digits):
    dae = DeepAutoencoderCompressor(**QUICK, warm_start=True).fit(few_digits)
    errors, first_loss = dae.pretraining_errors_, dae.loss_curve_[-1]
    dae.fit(few_digits)
    assert dae.loss_curve_[0] < first_loss
    assert dae.pretraining_errors_ is errors


def test_warm_start_refuses_another_network(few_digits):
    dae = DeepAutoencoderCompressor(**QUICK, warm_start=True).fit(few_digits)
    theta = dae.network_.theta.copy()
    dae.set_params(hidden_layer_sizes=(10,))
    with pytest.raises(ValueError, match=r"64-400-200-6.*64-10-6.*warm_start=False"):
        dae.fit(few_digits)
    assert_array_equal(dae.network_.theta, theta)
    assert dae.transform(few_digits).shape == (700, 6)


def _fail_in(stage, monkeypatch):
    """Make a fit end with Ctrl-C while pretraining, or with a loss that overflows."""
    if stage == "pretraining":

        def press(*_args, **_kwargs):
            raise KeyboardInterrupt

        monkeypatch.setattr("sklearn_dae.rbm._base.BaseRBM._sweep", press)
        return KeyboardInterrupt

    def overflow(theta, *_args):
        return np.inf, theta

    path = "sklearn_dae.training._problem.loss_and_gradient"
    monkeypatch.setattr(path, overflow)
    return ValueError


@pytest.fixture(scope="module")
def quick(few_digits):
    """A quick fit. Tests must not change it."""
    return DeepAutoencoderCompressor(**QUICK).fit(few_digits)


@pytest.mark.parametrize("stage", ["pretraining", "fine-tuning"])
@pytest.mark.parametrize(
    ("settings", "n_features"),
    [({}, 64), ({"n_components": 3}, 64), ({"hidden_layer_sizes": (9,)}, 30)],
)
def test_a_fit_that_fails_leaves_the_previous_one(
    few_digits, quick, monkeypatch, stage, settings, n_features
):
    dae = deepcopy(quick)
    codes = dae.transform(few_digits)
    expected = dae.inverse_transform(codes)
    error = _fail_in(stage, monkeypatch)
    with pytest.raises(error):
        dae.set_params(**settings).fit(100.0 + few_digits[:, :n_features])
    assert_array_equal(dae.transform(few_digits), codes)
    assert_array_equal(dae.inverse_transform(codes), expected)
    assert dae.n_features_in_ == 64


def test_warm_start_after_a_first_fit_that_failed(few_digits, monkeypatch):
    dae = DeepAutoencoderCompressor(**QUICK, warm_start=True)
    with monkeypatch.context() as patch:
        error = _fail_in("pretraining", patch)
        with pytest.raises(error):
            dae.fit(few_digits)
    with pytest.raises(NotFittedError):
        dae.transform(few_digits)
    assert dae.fit(few_digits).n_iter_ == 5


@pytest.mark.parametrize(
    ("settings", "n_features"), [({"n_components": 3}, 64), ({}, 30)]
)
def test_warm_start_that_is_refused_leaves_the_previous_fit(
    few_digits, quick, settings, n_features
):
    dae = deepcopy(quick).set_params(warm_start=True)
    codes = dae.transform(few_digits)
    with pytest.raises(ValueError, match="warm_start=False"):
        dae.set_params(**settings).fit(7.0 * few_digits[:, :n_features])
    assert_array_equal(dae.transform(few_digits), codes)
    assert dae.inverse_transform(codes).shape == few_digits.shape


def test_early_stopping_never_keeps_worse_weights_than_it_started_with(few_digits):
    dae = DeepAutoencoderCompressor(
        **QUICK | {"max_iter": 40}, early_stopping=True, warm_start=True
    ).fit(few_digits)
    best = min(dae.validation_loss_curve_)
    dae.set_params(alpha=10.0).fit(few_digits)  # which only makes things worse
    assert min(dae.validation_loss_curve_) > best
    held_out = np.sort(np.random.RandomState(0).permutation(700)[:70])
    rows = dae.network_.scaler.to_unit(few_digits[held_out])
    kept = reconstruction_loss(dae.network_.theta, rows, dae.network_.layout, dae.loss)
    assert kept == pytest.approx(best, rel=1e-6)


def test_a_callback_may_use_other_compressors_in_threads(few_digits, fitted):
    codes = []

    def use_a_thread(*_):
        thread = threading.Thread(
            target=lambda: codes.append(fitted.transform(few_digits))
        )
        thread.start()
        thread.join(20)

    dae = DeepAutoencoderCompressor(**QUICK).set_callbacks(Recorder(use_a_thread))
    dae.fit(few_digits)
    assert len(codes) == 5


def test_early_stopping_keeps_the_best_weights(few_digits):
    X = few_digits[:150]
    dae = DeepAutoencoderCompressor(
        20,
        **PAPER_SETTINGS,
        early_stopping=True,
        validation_fraction=0.3,
        n_iter_no_change=3,
        max_iter=300,
        random_state=0,
    ).fit(X)
    curve = dae.validation_loss_curve_
    assert len(curve) == dae.n_iter_ < 300
    assert "did not improve for 3 iterations" in dae.message_
    assert min(curve[:-3]) <= min(curve[-3:])
    held_out = np.sort(np.random.RandomState(0).permutation(150)[:45])
    rows = dae.network_.scaler.to_unit(X[held_out])
    kept = reconstruction_loss(dae.network_.theta, rows, dae.network_.layout, dae.loss)
    assert kept == pytest.approx(min(curve), rel=1e-6)


@pytest.mark.parametrize("method", ["fit", "fit_transform"])
def test_ctrl_c_keeps_the_best_weights(few_digits, method):
    kept = []

    def press(number, fitted):
        kept.append(fitted.network_.theta.copy())
        if number == 3:
            signal.raise_signal(signal.SIGINT)

    dae = DeepAutoencoderCompressor(**QUICK | {"max_iter": 50})
    dae.set_callbacks(Recorder(press))
    match = "interrupted after 4 iterations; the best"
    with pytest.warns(UserWarning, match=match) as warnings:
        getattr(dae, method)(few_digits)
    assert len(warnings) == 1
    assert dae.n_iter_ == 4
    assert dae.interrupted_
    assert "interrupted" in dae.message_
    assert_array_equal(dae.network_.theta, kept[-1])
    assert np.isfinite(dae.score(few_digits))


def test_ctrl_c_before_the_first_iteration_keeps_the_pretrained_weights(
    few_digits, monkeypatch
):
    def press(*_args, **_kwargs):
        signal.raise_signal(signal.SIGINT)

    pretrained = DeepAutoencoderCompressor(**QUICK | {"max_iter": 0}).fit(few_digits)
    monkeypatch.setattr("sklearn_dae.training._problem.loss_and_gradient", press)
    dae = DeepAutoencoderCompressor(**QUICK)
    with pytest.warns(UserWarning, match="interrupted after 0 iterations"):
        dae.fit(few_digits)
    assert_array_equal(dae.network_.theta, pretrained.network_.theta)


def test_ctrl_c_before_fine_tuning_leaves_the_compressor_as_it_was(
    few_digits, monkeypatch
):
    def press(*_args, **_kwargs):
        signal.raise_signal(signal.SIGINT)

    dae = DeepAutoencoderCompressor(4, max_iter=12, random_state=0).fit(few_digits)
    theta = dae.network_.theta
    # The first gradient is one of the trial of alpha.
    monkeypatch.setattr("sklearn_dae.training._problem.loss_and_gradient", press)
    with pytest.raises(KeyboardInterrupt):
        dae.fit(few_digits[:500])
    assert dae.network_.theta is theta


def test_a_callback_can_stop(few_digits):
    recorder = Recorder(lambda number, _: number == 2)
    dae = DeepAutoencoderCompressor(**QUICK | {"max_iter": 50})
    dae.set_callbacks(recorder).fit(few_digits)
    assert dae.n_iter_ == 3
    assert "callback" in dae.message_


def test_callbacks_see_every_stage(few_digits):
    recorder = Recorder()
    dae = DeepAutoencoderCompressor(**QUICK).set_callbacks(recorder).fit(few_digits)
    tasks = [name for name, _ in recorder.tasks]
    assert tasks == [
        *(f"layer {a} -> {b}" for a, b in ((64, 400), (400, 200), (200, 6))),
        "pretrain",
        *["iteration"] * dae.n_iter_,
        "fine-tune",
        "fit",
    ]


def test_a_callback_sees_the_score_rise(few_digits):
    scores = []
    recorder = Recorder(lambda _, fitted: scores.append(fitted.score(few_digits)))
    dae = DeepAutoencoderCompressor(**QUICK).set_callbacks(recorder).fit(few_digits)
    assert len(scores) == 5
    assert scores[-1] > scores[0]
    assert scores[-1] == dae.score(few_digits)


def test_a_progress_bar_shows_epochs_and_iterations(few_digits, capsys):
    dae = DeepAutoencoderCompressor(**QUICK).set_callbacks(ProgressBar())
    dae.fit(few_digits)
    shown = capsys.readouterr().out
    for stage in ("pretrain", "layer 64 -> 400", "BernoulliRBM", "fine-tune"):
        assert stage in shown
    assert "100%" in shown


def test_verbose_says_how_it_goes(few_digits, capsys):
    DeepAutoencoderCompressor(**QUICK | {"max_iter": 20}, verbose=1).fit(few_digits)
    lines = capsys.readouterr().out.splitlines()
    assert sum("Layer" in line for line in lines) == 3
    assert sum("Iteration" in line for line in lines) == 10
    number = r"[\d.]+"
    assert re.fullmatch(
        rf"\[DeepAutoencoderCompressor\] Iteration 20, loss = {number}, "
        rf"time = {number}s",
        lines[-1],
    )
    settings = QUICK | {"pretraining": "rbm", "n_components": 2, "max_iter": 5}
    DeepAutoencoderCompressor(**settings, verbose=2).fit(few_digits[:100])
    lines = capsys.readouterr().out.splitlines()
    assert sum("BernoulliRBM] Iteration" in line for line in lines) == 60
    assert sum("Compressor] Iteration" in line for line in lines) == 5


def test_silent_by_default(few_digits, capsys):
    DeepAutoencoderCompressor(**QUICK).fit(few_digits)
    assert capsys.readouterr() == ("", "")


# Bad input.


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (np.empty((0, 64)), r"0 sample\(s\)"),
        (np.empty((10, 0)), r"0 feature\(s\)"),
        (np.full((10, 4), np.nan), "NaN"),
        (np.full((10, 4), np.inf), "infinity"),
        (np.ones(10), "Expected 2D array"),
        (np.ones((10, 8, 8)), "dim 3"),
        ([["a", "b"], ["c", "d"]], "Convert your data to numeric"),
        (np.array([["a", "b"]], object), "could not convert string to float"),
        (np.ones((4, 4), complex), "Complex data not supported"),
    ],
)
def test_bad_training_data(X, match):
    with pytest.raises(ValueError, match=match):
        DeepAutoencoderCompressor(2).fit(X)


@pytest.mark.parametrize("method", ["transform", "score", "reconstruction_error"])
def test_bad_data_after_fit(fitted, method):
    use = getattr(fitted, method)
    with pytest.raises(ValueError, match=r"63 features, but .* is expecting 64"):
        use(np.ones((3, 63)))
    with pytest.raises(ValueError, match="NaN"):
        use(np.full((3, 64), np.nan))
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        use(np.empty((0, 64)))


def test_bad_codes(fitted):
    with pytest.raises(ValueError, match=r"X has 7 columns, .* have 8 values"):
        fitted.inverse_transform(np.ones((3, 7)))
    with pytest.raises(ValueError, match="NaN"):
        fitted.inverse_transform(np.full((3, 8), np.nan))


@pytest.mark.parametrize(
    "method", ["transform", "inverse_transform", "score", "reconstruction_error"]
)
def test_not_fitted(few_digits, method):
    with pytest.raises(NotFittedError):
        getattr(DeepAutoencoderCompressor(), method)(few_digits)


@pytest.mark.parametrize(
    ("parameter", "value", "error"),
    [
        ("n_components", 0, ValueError),
        ("n_components", 65, ValueError),
        ("n_components", 2.0, ValueError),
        ("n_components", 0.0, ValueError),
        ("n_components", 1.0, ValueError),
        ("n_components", "mle", TypeError),
        ("hidden_layer_sizes", (0,), ValueError),
        ("hidden_layer_sizes", (10, -3), ValueError),
        ("hidden_layer_sizes", (10.5,), TypeError),
        ("hidden_layer_sizes", ("10",), TypeError),
        ("hidden_layer_sizes", 10, TypeError),
        ("hidden_layer_sizes", "100", TypeError),
        ("activation", "sigmoid", ValueError),
        ("activation", None, ValueError),
        ("code_activation", "linear", ValueError),
        ("output_activation", 3, ValueError),
        ("loss", "mse", ValueError),
        ("alpha", -1.0, ValueError),
        ("sparsity", -0.5, ValueError),
        ("sparsity", None, TypeError),
        ("pretraining", "dbn", ValueError),
        ("pretraining", True, ValueError),
        ("pretraining", GaussianRBM(), TypeError),
        ("pretraining", PCA(), TypeError),
        ("pretraining", BernoulliRBM, TypeError),
        ("batch_size", 0, ValueError),
        ("batch_size", "all", TypeError),
        ("solver", "sgd", ValueError),
        ("linear_path", "yes", TypeError),
        ("alpha", "small", TypeError),
        ("learning_rate_init", 0, ValueError),
        ("max_iter", -1, ValueError),
        ("max_iter", "many", TypeError),
        ("tol", -1e-3, ValueError),
        ("tol", np.nan, ValueError),
        ("tol", None, TypeError),
        ("early_stopping", 1, TypeError),
        ("validation_fraction", 0.0, ValueError),
        ("validation_fraction", 1.0, ValueError),
        ("validation_fraction", "10%", TypeError),
        ("n_iter_no_change", 0, ValueError),
        ("n_iter_no_change", 2.5, TypeError),
        ("warm_start", "yes", TypeError),
        ("pixel_range", (0, 0), ValueError),
        ("pixel_range", (255, 0), ValueError),
        ("pixel_range", (0, np.inf), ValueError),
        ("pixel_range", (0, 10), ValueError),
        ("pixel_range", 255, TypeError),
        ("pixel_range", (0, 1, 2), TypeError),
        ("pixel_range", ("0", "255"), TypeError),
        ("threshold", 0.0, ValueError),
        ("threshold", 127, ValueError),
        ("threshold", "half", TypeError),
        ("random_state", "seed", ValueError),
        ("verbose", "loud", TypeError),
        ("verbose", -1, ValueError),
    ],
)
def test_bad_parameters_are_named(few_digits, parameter, value, error):
    dae = DeepAutoencoderCompressor(**{parameter: value})
    what = "seed" if parameter == "random_state" else parameter
    with pytest.raises(error, match=what):
        dae.fit(few_digits[:20])


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"loss": "log_loss"}, "use that, or loss='squared_error'"),
        ({"activation": "relu", "pretraining": "rbm"}, "use those, or pretraining="),
        (
            {"activation": "relu", "pretraining": BernoulliRBM()},
            r"BernoulliRBM\(.*use those, or pretraining=",
        ),
        (
            {"activation": "relu", "code_activation": "identity", "sparsity": 0.1},
            "bounded activation",
        ),
        (
            {"activation": "logistic", "hidden_layer_sizes": (), "sparsity": 0.1},
            "bounded activation",
        ),
        *(
            (
                {"linear_path": value, "code_activation": "tanh"},
                "code_activation='identity' and output_activation='clipped' or",
            )
            for value in (True, np.True_)
        ),
        ({"code_activation": "clipped"}, "code_activation"),
        ({"early_stopping": True, "validation_fraction": 0.99}, "no training row"),
    ],
)
def test_settings_that_contradict_each_other(few_digits, settings, match):
    with pytest.raises(ValueError, match=match):
        DeepAutoencoderCompressor(**settings).fit(few_digits[:20])


def test_pretraining_that_diverges_names_its_layer(few_digits):
    rbm = default_rbm(len(few_digits)).set_params(learning_rate=1e36)
    settings = {"code_activation": "identity", "pretraining": rbm}
    dae = DeepAutoencoderCompressor(**QUICK | settings)
    with pytest.raises(ValueError, match=r"layer 1 \(64 -> 400, logistic\).*lower it"):
        dae.fit(few_digits)


def test_pretraining_by_an_rbm_that_is_fitted_already_is_refused(few_digits):
    rbm = BernoulliRBM(5, n_iter=1).fit(few_digits / 16)
    dae = DeepAutoencoderCompressor(**QUICK | {"pretraining": rbm})
    with pytest.raises(ValueError, match=r"fitted already.*pass an unfitted one"):
        dae.fit(few_digits)


@pytest.mark.parametrize(
    "parameter", [{"n_iter": -1}, {"batch_size": "x"}, {"learning_rate": "x"}]
)
def test_bad_parameters_of_the_rbms_are_named_before_any_is_fitted(
    few_digits, parameter
):
    settings = QUICK | {"pretraining": BernoulliRBM(**parameter)}
    with pytest.raises(ValueError, match=f"'{next(iter(parameter))}' parameter"):
        DeepAutoencoderCompressor(**settings).fit(few_digits)


def test_parameters_of_the_rbms_can_be_set_and_are_used(few_digits):
    rbm = BernoulliRBM(n_iter=1, momentum=0.5, n_gibbs_steps=2, random_state=3)
    settings = QUICK | {"pretraining": rbm, "code_activation": "identity"}
    dae = DeepAutoencoderCompressor(**settings).set_params(pretraining__n_iter=3)
    assert [len(errors) for errors in dae.fit(few_digits).pretraining_errors_] == [
        3
    ] * 3
    assert rbm.n_components == 256
    assert not hasattr(rbm, "components_")
    code = make_rbm(Dense(9, 4, "identity"), rbm)
    assert isinstance(code, GaussianRBM)
    for name in ("n_iter", "momentum", "n_gibbs_steps"):
        assert getattr(code, name) == getattr(rbm, name)
    assert (code.n_components, code.learning_rate) == (4, rbm.learning_rate / 10)


def test_a_loss_that_overflows_names_the_layer_and_the_remedy(few_digits):
    units = {"activation": "relu", "code_activation": "relu", "pretraining": None}
    dae = DeepAutoencoderCompressor(
        **QUICK | units, hidden_layer_sizes=(9,), warm_start=True
    ).fit(few_digits)
    network = dae.network_
    theta = np.abs(network.theta) * np.float32(1e30)
    dae.network_ = Network(network.layout, theta, network.scaler)
    with pytest.raises(ValueError, match=r"layer 2 \(9 -> 6, relu\).*larger alpha"):
        dae.fit(few_digits)
    late = np.zeros((3000, 64), np.uint8)
    late[0, 0] = late[-1, 1:] = 16
    with pytest.raises(ValueError, match=r"layer 2 \(9 -> 6, relu\)"):
        dae.fit(late)


def test_a_network_that_restores_nothing_is_warned_of(few_digits):
    dae = DeepAutoencoderCompressor(
        8,
        solver="adam",
        learning_rate_init=10,
        linear_path=False,
        output_activation="logistic",
        max_iter=10,
        random_state=0,
    )
    message = r"all images into the same one, with 2\.\d* times the error"
    with pytest.warns(ConvergenceWarning, match=message) as caught:
        dae.fit(few_digits)
    assert caught[0].filename == __file__
    # No other warning comes of it.
    assert np.isfinite(dae.transform(few_digits)).all()
