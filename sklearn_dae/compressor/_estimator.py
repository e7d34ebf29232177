"""The deep autoencoder: scale, pretrain, unroll, fine-tune.

In: rows of pixels, of any numeric dtype and range. Out: codes of a few values per
image, and images restored from codes.
"""

import math
import time
import warnings
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_dae import _fields as fields
from sklearn_dae._callbacks import CallbackSupportMixin, with_callbacks
from sklearn_dae._scaling import PixelScaler, cast
from sklearn_dae._validation import check_integer
from sklearn_dae.blocks import RowBlocks
from sklearn_dae.compressor._cost import FitCost, measure_cost
from sklearn_dae.compressor._defaults import (
    choose_layout,
    choose_settings,
    choose_solver,
)
from sklearn_dae.compressor._fine_tuning import fine_tune
from sklearn_dae.compressor._initialization import (
    make_rbm,
    pca_alone,
    random_parameters,
    start_as_pca,
    unroll,
)
from sklearn_dae.compressor._parameters import (
    check_parameters,
    takes_linear_path,
    takes_rbms,
)
from sklearn_dae.compressor._penalty import choose_alpha
from sklearn_dae.compressor._principal_axes import PrincipalAxes, principal_axes
from sklearn_dae.compressor._refinement import refine_codes
from sklearn_dae.network import Layout, Objective, propagate
from sklearn_dae.training import Problem, Progress

#: The paper's network and training: ``DeepAutoencoderCompressor(**PAPER_SETTINGS)``.
PAPER_SETTINGS = MappingProxyType(
    {
        "activation": "logistic",
        "code_activation": "logistic",
        "output_activation": "logistic",
        "linear_path": False,
        "loss": "log_loss",
        "solver": "lbfgs",
        "transform_max_iter": 0,
    }
)


class DeepAutoencoderCompressor(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Compress similar images to a few values each with a deep autoencoder.

    The encoder and the decoder each add the contribution of a stack of hidden layers to
    a linear map of their input. The linear maps start as PCA and the contributions at
    zero, so the autoencoder starts as good as PCA; fine-tuning lowers the
    reconstruction cost from there, in coordinates that even out its curvature.

    With ``**PAPER_SETTINGS`` it is the network of logistic units that *Image
    compression using deep autoencoder* describes: restricted Boltzmann machines,
    trained layer by layer and unrolled, are fine-tuned by plain L-BFGS.

    Parameters
    ----------
    n_components : int, default=None
        Number of values an image is compressed to. By default a quarter of the number
        of features, the paper's 4:1.

    hidden_layer_sizes : sequence of int, default=None
        Number of units in each of the encoder's layers between the image and the code;
        the decoder mirrors them. By default two layers in the paper's proportions, 1000
        and 500 for 784 pixels, at least 400 and 200, at most 2000 and 1000, and no
        smaller than the code. With none, ``()``, and the default units, the
        autoencoder is linear and starts as PCA.

    activation : {"relu", "logistic", "tanh", "identity"}, default="relu"
        Units of the hidden layers.

    code_activation : {"identity", "logistic", "relu", "tanh"}, default="identity"
        Units of the code layer.

    output_activation : {"clipped", "identity", "logistic", "relu", "tanh"}, \
            default="clipped"
        Units of the output, which reconstructs pixels scaled to [0, 1]. "clipped" is
        linear within that range, and an output below 0 costs nothing where the pixel
        is 0, nor does one above 1 where it is 1. ``loss="log_loss"`` needs "logistic".

    linear_path : bool or "auto", default="auto"
        Whether the code sees the image, and the output the code, directly as well as
        through the hidden layers. "auto" means True if it is possible: if the code is
        "identity" and the output "identity" or "clipped".

    loss : {"squared_error", "log_loss"}, default="squared_error"
        Reconstruction cost, summed over the pixels of an image (scaled to [0, 1])
        and averaged over images.

    alpha : float or "auto", default="auto"
        Weight of the L2 penalty: ``alpha / 2`` times the sum of squared weights, except
        those of the linear path, is added to the mean cost per image. "auto" is an
        eighth of the squared error per image that PCA leaves, times ``n_components``,
        over the number of rows; above 784 pixels it grows with the square root of their
        number. With 20 to 10,000 rows and at least 12 iterations, that guess is tried
        first: a fifth of the rows is held out, and a network is trained on the others,
        without RBMs, for a quarter of the iterations. With 300 rows or fewer, each
        fifth is held out in turn. If the guess does not restore held-out rows clearly
        better than PCA does, 64 times the guess is tried. If that does not either, the
        network is left as PCA, without hidden layers. Without a linear path "auto"
        is 0.

    sparsity : float, default=0.0
        Weight of the sparsity penalty: the Kullback-Leibler divergence of each
        unit's mean activation from ``target_activation``, summed over the units of
        every layer with bounded units, except the output.

    target_activation : float, default=0.05
        Mean activation desired of each unit, as a fraction of its range.

    pretraining : {"auto", "rbm", None}, default="auto"
        Whether the hidden layers start from a stack of RBMs or from small random
        weights. "auto" uses RBMs where there is no linear path and the units are
        those of RBMs: logistic hidden units, and a logistic or identity code.

    pretrain_epochs : int, default=20
        Number of sweeps over the data for each RBM.

    pretrain_learning_rate : float, default=0.1
        Learning rate of the RBMs; a linear code layer uses a tenth of it.

    pretrain_batch_size : int or "auto", default="auto"
        Rows in a mini-batch of the RBMs. "auto" is a hundredth of the training
        rows, but at least 10 and at most 100: an RBM needs enough updates.

    solver : {"auto", "kfac-lbfgs", "kfac", "adam", "lbfgs"}, default="auto"
        How to fine-tune.

        - "kfac-lbfgs": SciPy's L-BFGS over all rows, in coordinates whitened by the
          Kronecker factors of the curvature.
        - "kfac": natural gradient on mini-batches, with the same factors.
        - "adam": Adam on mini-batches.
        - "lbfgs": SciPy's L-BFGS over all rows, in the parameters themselves.

        "auto" is "kfac".

    max_iter : int, default=None
        Maximum number of iterations of L-BFGS, or of epochs of a mini-batch solver. By
        default 200 iterations, or 40 epochs. This is a budget, which training a deep
        network usually uses up; doing so raises no warning.

    max_fun : int, default=15000
        Maximum number of gradient evaluations by L-BFGS.

    tol : float, default=1e-7
        L-BFGS stops when an iteration lowers the objective by less than this
        fraction of it (of 1, if the objective is below 1). Early stopping does not
        count a gain below this fraction of the validation loss as an improvement.

    batch_size : int or "auto", default="auto"
        Rows in a mini-batch of fine-tuning. "auto" is a tenth of the rows, but at
        least 100, or half of them if that is less, and at most 1,000.

    learning_rate_init : float or "auto", default="auto"
        Initial learning rate of a mini-batch solver, which falls to zero along half
        a cosine. "auto" is 0.2 for "kfac" and 0.001 for "adam".

    damping : float or "auto", default="auto"
        Fraction of the mean curvature of a layer that "kfac" and "kfac-lbfgs" add to
        its curvature. More makes steps shorter and safer. "auto" is 0.1 for "kfac"
        and 0.03 for "kfac-lbfgs".

    early_stopping : bool, default=False
        Whether to hold ``validation_fraction`` of the rows out of training, to stop
        when their loss no longer falls, and to keep the weights that were best for
        them.

    validation_fraction : float, default=0.1
        Fraction of the rows held out with ``early_stopping=True``.

    n_iter_no_change : int, default=10
        Number of consecutive iterations without a lower validation loss after which to
        stop.

    warm_start : bool, default=False
        Whether `fit` continues from the weights of the previous fit, without
        pretraining, and with its ``alpha_`` if alpha is "auto". The pixel range is
        that of the new rows, unless ``pixel_range`` fixes it. A network that was left
        as PCA starts afresh.

    transform_max_iter : int, default=10
        Number of steps by which `transform` improves the code that the encoder gives an
        image, lowering the squared error of the image with the decoder fixed. 0 leaves
        the code to the encoder, which is some twenty times as fast, and worse.

    pixel_range : tuple of (low, high), default=None
        Range of the pixel values. By default that of the training data, which with few
        images may be too narrow for others. Values outside it are clipped at transform
        time.

    threshold : float, default=None
        Value between 0 and 1 at which to threshold the output to the two ends of the
        pixel range: 0.5 makes black-and-white images, as the paper does. By default
        images stay grey.

    restore_dtype : bool, default=False
        Whether `inverse_transform` returns the dtype seen during fit, rounding if it is
        an integer one, instead of floating-point numbers.

    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, RBM samples, the validation split, the order of
        rows in mini-batches and the targets that curvature is measured with.

    verbose : int, default=0
        When positive, print a line for each RBM, for the alpha chosen and for each
        tenth of ``max_iter``; when above 1, for each epoch and each iteration.

    Attributes
    ----------
    theta_ : ndarray of shape (n_parameters,)
        All weights and biases, in single precision.

    layout_ : Layout
        Sizes and units of the network.

    coefs_, intercepts_ : list of ndarray
        Weights, of shape (n_in, n_out), and biases of each layer: views of
        ``theta_``.

    scaler_ : PixelScaler
        The pixel range.

    pretraining_errors_ : list of list of float
        For each RBM, its squared reconstruction error per row after each epoch; empty
        without pretraining. A warm start keeps those of the fit before.

    alpha_ : float
        Weight of the L2 penalty that was used; infinite if "auto" has left the
        network as PCA.

    solver_ : str
        Solver that was used.

    loss_curve_ : list of float
        The objective after each iteration; for a mini-batch solver, its mean over the
        mini-batches of each epoch, up to where the epoch was undone, if it was.

    validation_loss_curve_ : list of float
        The loss of the held-out rows after each iteration; empty without
        ``early_stopping``.

    n_iter_ : int
        Number of iterations, or of epochs.

    n_evaluations_ : int
        Number of gradients computed, over all rows or over mini-batches.

    message_ : str
        Why fine-tuning ended, in SciPy's words where SciPy ended it.

    dtype_in_ : dtype
        Type of the pixels seen during fit.

    n_features_in_ : int
        Number of pixels seen during fit.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen during fit. Defined only if X has feature names that are
        all strings.

    See Also
    --------
    sklearn.decomposition.PCA : The best linear code.
    BernoulliRBM : The layer that is stacked.

    Notes
    -----
    Training works in single precision whatever the dtype of X. Fine-tuning scales
    rows a block at a time, so X may be ``uint8`` and memory-mapped; pretraining of
    RBMs holds the scaled rows, and then the activations of one hidden layer, in memory.
    `transform` and `inverse_transform` compute in double precision for
    double-precision input.

    Ctrl-C ends fine-tuning with a warning: the best weights so far are kept, and
    ``message_`` says so. Before that, during pretraining or a trial of ``alpha``, it
    raises KeyboardInterrupt and leaves the compressor as it was.

    The result depends on ``random_state`` and on the number of cores that the process
    may use, but not on ``n_jobs`` or the number of BLAS threads.

    References
    ----------
    Hinton, G. E. and Salakhutdinov, R. R. (2006). Reducing the dimensionality of
    data with neural networks. Science 313, 504-507.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_dae import DeepAutoencoderCompressor
    >>> X = load_digits().data
    >>> dae = DeepAutoencoderCompressor(8, max_iter=20, random_state=0).fit(X)
    >>> codes = dae.transform(X)
    >>> codes.shape
    (1797, 8)
    >>> dae.inverse_transform(codes).shape
    (1797, 64)
    """

    theta_: np.ndarray
    layout_: Layout

    _stored_fields: ClassVar[fields.Fields] = {
        "theta_": fields.array("parameters"),
        "layout_": fields.instance(Layout),
        "scaler_": fields.instance(PixelScaler),
        "dtype_in_": fields.dtype,
        "alpha_": fields.number(finite=False),
        "solver_": fields.TEXT,
        "pretraining_errors_": fields.each(fields.each(fields.number(finite=False))),
        "loss_curve_": fields.each(fields.number(finite=False)),
        "validation_loss_curve_": fields.each(fields.number(finite=False)),
        "n_iter_": fields.count(),
        "n_evaluations_": fields.count(),
        "message_": fields.TEXT,
    }

    def _check_stored(self) -> None:
        self.layout_for(self.n_features_in_)
        # No file may make `transform` hang.
        check_integer("transform_max_iter", self.transform_max_iter, 0, 10_000)
        layout = self.layout_
        n_parameters = layout.n_parameters
        fields.expect_equal(
            "Length of the parameter vector", len(self.theta_), n_parameters
        )
        fields.expect_equal(
            "Inputs of the network", layout.layers[0].n_in, self.n_features_in_
        )
        is_pca = self.alpha_ == np.inf and len(layout.layers) == 2
        if not (is_pca or np.isfinite(self.alpha_)):
            raise ValueError(
                f"alpha_ is {self.alpha_}, must be finite; inf, of PCA without hidden "
                "layers"
            )

    def __init__(
        self,
        n_components: int | None = None,
        *,
        hidden_layer_sizes: Sequence[int] | None = None,
        activation: str = "relu",
        code_activation: str = "identity",
        output_activation: str = "clipped",
        linear_path: bool | str = "auto",
        loss: str = "squared_error",
        alpha: float | str = "auto",
        sparsity: float = 0.0,
        target_activation: float = 0.05,
        pretraining: str | None = "auto",
        pretrain_epochs: int = 20,
        pretrain_learning_rate: float = 0.1,
        pretrain_batch_size: int | str = "auto",
        solver: str = "auto",
        max_iter: int | None = None,
        max_fun: int = 15000,
        tol: float = 1e-7,
        batch_size: int | str = "auto",
        learning_rate_init: float | str = "auto",
        damping: float | str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        transform_max_iter: int = 10,
        pixel_range: tuple[float, float] | None = None,
        threshold: float | None = None,
        restore_dtype: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.code_activation = code_activation
        self.output_activation = output_activation
        self.linear_path = linear_path
        self.loss = loss
        self.alpha = alpha
        self.sparsity = sparsity
        self.target_activation = target_activation
        self.pretraining = pretraining
        self.pretrain_epochs = pretrain_epochs
        self.pretrain_learning_rate = pretrain_learning_rate
        self.pretrain_batch_size = pretrain_batch_size
        self.solver = solver
        self.max_iter = max_iter
        self.max_fun = max_fun
        self.tol = tol
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.damping = damping
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.transform_max_iter = transform_max_iter
        self.pixel_range = pixel_range
        self.threshold = threshold
        self.restore_dtype = restore_dtype
        self.random_state = random_state
        self.verbose = verbose

    # Fitting.

    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn to compress images like the rows of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training images, one per row.

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            The fitted compressor.

        Raises
        ------
        ValueError
            If a parameter is out of its range, X holds NaN, infinity or values
            outside ``pixel_range``, or the loss stops being finite.

        TypeError
            If a parameter has the wrong type.
        """
        self._fit(X, stacklevel=4)
        return self

    @with_callbacks
    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Learn to compress the rows of X, and compress them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training images, one per row.

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        codes : ndarray of shape (n_samples, n_components)
            The same as ``fit(X).transform(X)``; X is checked only once.
        """
        return self._encode(self._fit(X, stacklevel=5))

    def _fit(self, X: Any, stacklevel: int) -> np.ndarray:
        """Fit to X; return it validated. A fit that fails leaves no trace.

        ``stacklevel`` is that of the caller's caller, counting decorators in between.
        """
        before = self._fitted_attributes()
        try:
            X, interrupted = self._fit_or_fail(X)
        except BaseException:
            for name in self._fitted_attributes():
                delattr(self, name)
            self.__dict__.update(before)
            raise
        if interrupted:
            warnings.warn(
                f"Fine-tuning was interrupted after {self.n_iter_} iterations; "
                "the best weights so far are kept.",
                stacklevel=stacklevel,
            )
        return X

    def _fitted_attributes(self) -> dict[str, Any]:
        names = (name for name in vars(self) if name.endswith("_") and name[0] != "_")
        return {name: getattr(self, name) for name in names}

    def _fit_or_fail(self, X: Any) -> tuple[np.ndarray, bool]:
        """Return X validated, and whether the user interrupted fine-tuning."""
        check_parameters(self)
        X = validate_data(self, X, dtype="numeric")
        rng = check_random_state(self.random_state)
        # A network that was left as PCA has no hidden layers to go on with.
        is_pca = math.isinf(getattr(self, "alpha_", 0.0))
        goes_on = self.warm_start and hasattr(self, "theta_") and not is_pca
        previous = self.layout_ if goes_on else None

        self.scaler_ = self._learn_range(X)
        self.dtype_in_ = X.dtype
        self.layout_ = self.layout_for(X.shape[1])
        training, validation = self._split(X, rng)

        pretrained = previous is None and takes_rbms(self)
        context = self._init_callback_context(max_subtasks=1 + pretrained)
        context.call_on_fit_task_begin(estimator=self, X=X)
        if previous not in (None, self.layout_):
            raise ValueError(
                f"warm_start=True goes on with the network {previous}, but the "
                f"parameters and X now ask for {self.layout_}, or for other units; "
                "use warm_start=False."
            )
        if previous is not None:
            theta = self.theta_
            if not isinstance(self.alpha, str):
                self.alpha_ = self.alpha
        else:
            theta = self._begin(training, pretrained, rng, context)
        interrupted = self._fine_tune(theta, training, validation, rng, context)
        context.call_on_fit_task_end(
            estimator=self, X=X, reconstruction_attributes={"theta_": self.theta_}
        )
        return X, interrupted

    def _begin(
        self, training: RowBlocks, pretrained: bool, rng: Any, context: Any
    ) -> np.ndarray:
        """Set the penalty; return the parameters that fine-tuning starts from."""
        self.pretraining_errors_: list[list[float]] = []
        pca = None
        if self.layout_.has_linear_path or (takes_linear_path(self) and not pretrained):
            pca = principal_axes(training, self._n_features_out)
        self.alpha_ = self._choose_alpha(training, pca)
        if pca is not None and math.isinf(self.alpha_):
            self.layout_, theta = pca_alone(self.layout_, pca)
            return theta
        rbms = self._pretrain(training, rng, context) if pretrained else []
        theta = random_parameters(self.layout_, rng)
        unroll(rbms, theta, self.layout_)
        if pca is not None:
            start_as_pca(theta, self.layout_, pca)
        return theta

    def _pretrain(self, blocks: RowBlocks, rng: Any, context: Any) -> list[Any]:
        """Learn a stack of RBMs, each on the hidden units of the one below."""
        layers = [self.layout_.layers[index] for index in self.layout_.encoder]
        if self.layout_.has_linear_path:
            layers.pop()  # The code layer starts as PCA.
        stage = context.subcontext("pretrain", max_subtasks=len(layers))
        stage.call_on_fit_task_begin(estimator=self)
        rows = blocks.map(lambda x: x)
        rbms = []
        for number, layer in enumerate(layers, start=1):
            rbm = make_rbm(
                layer,
                len(rows),
                n_iter=self.pretrain_epochs,
                learning_rate=self.pretrain_learning_rate,
                batch_size=self.pretrain_batch_size,
                random_state=rng.randint(np.iinfo(np.int32).max),
                verbose=self.verbose > 1,
            )
            step = stage.subcontext(f"layer {layer.n_in} -> {layer.n_out}")
            begin = time.perf_counter()
            with step.propagate_callback_context(rbm):
                step.call_on_fit_task_begin(estimator=self)
                try:
                    rbm.fit(rows)
                except ValueError as error:
                    raise ValueError(
                        f"Pretraining of layer {number} ({layer}) failed with "
                        f"pretrain_learning_rate={self.pretrain_learning_rate}: "
                        f"lower it. {error}"
                    ) from error
                step.call_on_fit_task_end(estimator=self)
            rows = rbm.transform(rows)
            rbms.append(rbm)
            self.pretraining_errors_.append(rbm.reconstruction_errors_)
            if self.verbose and rbm.reconstruction_errors_:
                print(
                    f"[{type(self).__name__}] Layer {layer.n_in} -> {layer.n_out}, "
                    f"reconstruction error = {rbm.reconstruction_errors_[-1]:.4g}, "
                    f"time = {time.perf_counter() - begin:.2f}s"
                )
        stage.call_on_fit_task_end(estimator=self)
        return rbms

    def _choose_alpha(self, training: RowBlocks, pca: PrincipalAxes | None) -> float:
        """Return the weight of the L2 penalty, by a trial where it is "auto"."""
        if not isinstance(self.alpha, str):
            return self.alpha
        if pca is None or not self.layout_.has_linear_path:
            return 0.0
        solver = choose_solver(self)
        alpha = choose_alpha(
            training,
            pca,
            self.layout_,
            self._objective(alpha=0.0),
            lambda n_rows: choose_settings(self, solver, n_rows, seed=0),
            self.transform_max_iter,
        )
        if self.verbose:
            print(f"[{type(self).__name__}] alpha = {alpha:.3g}")
        return alpha

    def _fine_tune(
        self,
        theta: np.ndarray,
        training: RowBlocks,
        validation: RowBlocks | None,
        rng: Any,
        context: Any,
    ) -> bool:
        """Set the results of fine-tuning; return whether the user interrupted it."""
        problem = self._problem(training)
        seed = rng.randint(np.iinfo(np.int32).max)
        self.solver_ = choose_solver(self)
        settings = choose_settings(self, self.solver_, training.n_rows, seed)
        stage = context.subcontext("fine-tune", max_subtasks=settings.max_iter)
        stage.call_on_fit_task_begin(estimator=self, X=training.X)
        begin = time.perf_counter()

        def on_iteration(progress: Progress) -> bool:
            every = 1 if self.verbose > 1 else max(1, settings.max_iter // 10)
            if self.verbose and progress.n_iter % every == 0:
                print(self._report(progress, time.perf_counter() - begin))
            iteration = stage.subcontext("iteration")
            iteration.call_on_fit_task_begin(estimator=self, X=training.X)
            return iteration.call_on_fit_task_end(
                estimator=self,
                X=training.X,
                reconstruction_attributes={"theta_": progress.best_theta},
            )

        progress, outcome = fine_tune(
            problem, theta, validation, settings, on_iteration
        )
        self.theta_ = progress.best_theta
        self.loss_curve_ = progress.loss_curve
        self.validation_loss_curve_ = progress.validation_loss_curve
        self.n_iter_ = progress.n_iter
        self.n_evaluations_ = outcome.n_evaluations
        self.message_ = outcome.message
        stage.call_on_fit_task_end(
            estimator=self,
            X=training.X,
            reconstruction_attributes={"theta_": self.theta_},
        )
        return outcome.interrupted

    def _problem(self, rows: RowBlocks) -> Problem:
        return Problem(rows, self.layout_, self._objective(self.alpha_))

    def _objective(self, alpha: float) -> Objective:
        return Objective(self.loss, alpha, self.sparsity, self.target_activation)

    def _report(self, progress: Progress, seconds: float) -> str:
        line = (
            f"[{type(self).__name__}] Iteration {progress.n_iter}, "
            f"loss = {progress.loss_curve[-1]:.5g}"
        )
        if progress.validation_loss_curve:
            line += f", validation loss = {progress.validation_loss_curve[-1]:.5g}"
        return f"{line}, time = {seconds:.1f}s"

    # What fitting needs to know first.

    def layout_for(self, n_features: int) -> Layout:
        """Lay out the network that `fit` would train on images of a given size.

        Parameters
        ----------
        n_features : int
            Number of pixels of an image.

        Returns
        -------
        Layout
            Sizes, units and the number of parameters.

        Raises
        ------
        ValueError
            If the code would be larger than the image.

        Examples
        --------
        >>> from sklearn_dae import DeepAutoencoderCompressor
        >>> layout = DeepAutoencoderCompressor().layout_for(784)
        >>> print(layout, f"{layout.n_parameters:,}")
        784-1000-500-196-500-1000-784 with a linear path 3,075,308
        """
        check_parameters(self)
        return choose_layout(self, n_features)

    def fit_cost(self, X: Any) -> FitCost:
        """Estimate what `fit` would cost, by a trial of a few seconds.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training images, one per row.

        Returns
        -------
        FitCost
            Number of parameters, iterations, seconds and memory of fine-tuning.
            Pretraining by RBMs and the trial of ``alpha`` are not included. A fitted
            compressor stays as it is.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from sklearn_dae import DeepAutoencoderCompressor
        >>> cost = DeepAutoencoderCompressor(8).fit_cost(load_digits().data)
        >>> cost.n_parameters, cost.n_iter, cost.seconds < 60
        (216696, 40, True)
        """
        trial = clone(self)
        check_parameters(trial)
        X = validate_data(trial, X, dtype="numeric")
        trial.scaler_ = trial._learn_range(X)
        trial.layout_ = trial.layout_for(X.shape[1])
        rng = check_random_state(trial.random_state)
        training, _ = trial._split(X, rng)
        trial.alpha_ = 0.0 if isinstance(trial.alpha, str) else trial.alpha
        theta = random_parameters(trial.layout_, rng)
        solver = choose_solver(trial)
        settings = choose_settings(trial, solver, training.n_rows, seed=0)
        return measure_cost(trial._problem(training), theta, settings)

    def _learn_range(self, X: np.ndarray) -> PixelScaler:
        learned = PixelScaler.from_data(X)
        if self.pixel_range is None:
            return learned
        low, high = (float(end) for end in self.pixel_range)
        if learned.low < low or learned.high > high:
            raise ValueError(
                f"X has values in [{learned.low:g}, {learned.high:g}], outside "
                f"pixel_range=({low:g}, {high:g}); widen it, or leave it None to "
                "learn it from X."
            )
        return PixelScaler(low, high)

    def _split(self, X: np.ndarray, rng: Any) -> tuple[RowBlocks, RowBlocks | None]:
        """Return training and, with early stopping, validation rows, both scaled."""
        if not self.early_stopping:
            return RowBlocks(X, convert=self.scaler_.to_unit), None
        n_validation = max(1, round(self.validation_fraction * len(X)))
        if n_validation >= len(X):
            raise ValueError(
                f"early_stopping=True with validation_fraction="
                f"{self.validation_fraction} leaves no training row of n_samples="
                f"{len(X)}; give more rows, or a smaller fraction."
            )
        order = rng.permutation(len(X))
        # In the order of X, so that reading from a file goes forwards.
        held_out, kept = np.sort(order[:n_validation]), np.sort(order[n_validation:])
        return (
            RowBlocks(X, rows=kept, convert=self.scaler_.to_unit),
            RowBlocks(X, rows=held_out, convert=self.scaler_.to_unit),
        )

    # Using a fitted compressor.

    def transform(self, X: Any) -> np.ndarray:
        """Compress images to codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Images, one per row. Values outside the pixel range are clipped to it.

        Returns
        -------
        codes : ndarray of shape (n_samples, n_components)
            Double precision for double-precision X, else single.
        """
        return self._encode(self._validate(X))

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Reconstruct images from codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes, as `transform` returned them.

        Returns
        -------
        images : ndarray of shape (n_samples, n_features)
            In the units and the range of the training images; of their dtype with
            ``restore_dtype=True``.
        """
        check_is_fitted(self)
        codes = check_array(X, dtype=(np.float64, np.float32), input_name="X")
        if codes.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {codes.shape[1]} columns, but the codes of this "
                f"{type(self).__name__} have {self._n_features_out} values; pass what "
                "transform returned."
            )
        return self._decode(codes)

    def reconstruction_error(self, X: Any) -> np.ndarray:
        """Squared error of each reconstructed image.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Images, one per row.

        Returns
        -------
        errors : ndarray of shape (n_samples,)
            Squared differences between X and its reconstruction, in squared units
            of X, summed over the pixels of each image.
        """
        X = self._validate(X)
        dtype = _precision(X)
        encode, decode = self._encoder(dtype), self._decoder(dtype)

        def errors(rows: np.ndarray) -> np.ndarray:
            restored = decode(encode(rows))
            return np.square(np.subtract(rows, restored, dtype=np.float64)).sum(axis=1)

        return RowBlocks(X).map(errors)

    def score(self, X: Any, y: Any = None) -> float:
        """Negative mean of the squared errors of reconstructed images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Images, one per row.

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        score : float
            Minus the mean of `reconstruction_error`. Higher is better.
        """
        return -float(self.reconstruction_error(X).mean())

    def activations(self, X: Any, layer: int) -> np.ndarray:
        """Activations of one layer of the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Images, one per row.

        layer : int
            0 is the image scaled to [0, 1], ``layout_.n_encoder_layers`` the code,
            and -1 the output; negative numbers count from the output.

        Returns
        -------
        activations : ndarray of shape (n_samples, n_units)
            Activations of the layer's units.
        """
        check_is_fitted(self)
        n_layers = len(self.layout_.layers)
        check_integer("layer", layer, -n_layers - 1, n_layers)
        layers = range(layer if layer >= 0 else n_layers + 1 + layer)
        X = self._validate(X)
        dtype = _precision(X)
        theta = self._parameters(dtype)

        def activations(rows: np.ndarray) -> np.ndarray:
            x = self.scaler_.to_unit(rows, dtype)
            return propagate(theta, x, self.layout_, layers)

        return RowBlocks(X).map(activations)

    @property
    def _n_features_out(self) -> int:
        return self.layout_.widths[self.layout_.encoder[-1]]

    @property
    def coefs_(self) -> list[np.ndarray]:
        """Weights of each layer, views of ``theta_``."""
        return [parameters[:-1] for parameters in self.layout_.split(self.theta_)]

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """Biases of each layer, views of ``theta_``."""
        return [parameters[-1] for parameters in self.layout_.split(self.theta_)]

    def _validate(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return validate_data(self, X, dtype="numeric", reset=False)

    def _encode(self, X: np.ndarray) -> np.ndarray:
        return RowBlocks(X).map(self._encoder(_precision(X)))

    def _decode(self, codes: np.ndarray) -> np.ndarray:
        return RowBlocks(codes).map(self._decoder(codes.dtype))

    def _encoder(self, dtype: np.dtype) -> Callable[[np.ndarray], np.ndarray]:
        """Return a function from rows of X to codes, computing in a given precision."""
        layout, theta = self.layout_, self._parameters(dtype)

        def encode(rows: np.ndarray) -> np.ndarray:
            x = self.scaler_.to_unit(rows, dtype)
            codes = propagate(theta, x, layout, layout.encoder)
            return refine_codes(theta, codes, x, layout, self.transform_max_iter)

        return encode

    def _decoder(self, dtype: np.dtype) -> Callable[[np.ndarray], np.ndarray]:
        """Return a function from codes to images, computing in a given precision."""
        layout, theta = self.layout_, self._parameters(dtype)

        def decode(codes: np.ndarray) -> np.ndarray:
            output = propagate(theta, codes, layout, layout.decoder)
            if self.threshold is not None:
                output = (output >= self.threshold).astype(output.dtype)
            images = self.scaler_.from_unit(output)
            return cast(images, self.dtype_in_ if self.restore_dtype else codes.dtype)

        return decode

    def _parameters(self, dtype: np.dtype) -> np.ndarray:
        return self.theta_.astype(dtype, copy=False)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "theta_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _precision(X: np.ndarray) -> np.dtype:
    """Return the floating-point type that is used to compute with X."""
    return np.dtype(np.float64 if X.dtype == np.float64 else np.float32)
