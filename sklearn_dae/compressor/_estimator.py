"""The compressor as users have it: its parameters, and what they call."""

from collections.abc import Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils import check_array
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from sklearn_dae import _fields as fields
from sklearn_dae._callbacks import CallbackSupportMixin, with_callbacks
from sklearn_dae._validation import check_integer
from sklearn_dae._warnings import warn
from sklearn_dae.compressor._fitting import Start, fit_network, forecast
from sklearn_dae.compressor._parameters import (
    CONSTRAINTS,
    check_together,
    choose_layout,
)
from sklearn_dae.compressor._report import FitReport
from sklearn_dae.network import Layout, Network
from sklearn_dae.rbm import BernoulliRBM
from sklearn_dae.rows import RowBlocks
from sklearn_dae.training import FitCost

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
    n_components : int or float, default=None
        Number of values an image is compressed to. By default a quarter of the number
        of features, the paper's 4:1. A float between 0 and 1 means as many as principal
        axes need to explain that share of the variance, as in ``PCA``.

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
        those of the linear path, is added to the mean cost per image. "auto" guesses it
        from the error of PCA and tries the guess on held-out images; where training
        does not help with those, the network is left as PCA. See the guide,
        docs/solvers.md. Without a linear path "auto" is 0.

    sparsity : float, default=0.0
        Weight of the sparsity penalty: the Kullback-Leibler divergence of each
        unit's mean activation from a twentieth of its range, summed over the units of
        every layer with bounded units, except the output.

    pretraining : {"auto", "rbm"}, BernoulliRBM or None, default="auto"
        Whether the hidden layers start from a stack of RBMs or from small random
        weights. "auto" uses RBMs where there is no linear path and the units are
        those of RBMs: logistic hidden units, and a logistic or identity code. An
        unfitted `BernoulliRBM` gives the parameters of the RBMs, except sizes and
        random numbers; a linear code layer learns at a tenth of its learning rate.

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

    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, RBM samples, the validation split, the order of
        rows in mini-batches and the targets that curvature is measured with.

    verbose : int, default=0
        When positive, print a line for each RBM, for the alpha chosen and for each
        tenth of ``max_iter``; when above 1, for each epoch and each iteration.

    Attributes
    ----------
    network_ : Network
        The trained network: its layers, all parameters in single precision, and the
        range of pixels.

    coefs_, intercepts_ : list of ndarray
        Weights, of shape (n_in, n_out), and biases of each layer: views of the
        parameters.

    pretraining_errors_ : list of list of float
        For each RBM, its squared reconstruction error per row after each epoch; empty
        without pretraining. A warm start keeps those of the fit before.

    alpha_ : float
        Weight of the L2 penalty that was used; 0 for a network left as PCA.

    is_linear_ : bool
        Whether ``alpha="auto"`` has left the network as PCA: linear, and not trained.

    interrupted_ : bool
        Whether fine-tuning was ended by Ctrl-C.

    solver_ : str
        Solver that was used.

    loss_curve_ : list of float
        The objective after each iteration; for a mini-batch solver, its mean over the
        mini-batches of each epoch, up to where the epoch was undone, if it was.

    validation_loss_curve_ : list of float
        The loss of the held-out rows after each iteration; empty without
        ``early_stopping``.

    n_iter_ : int
        Number of iterations, or of epochs; at least 1, which PCA counts as.

    n_evaluations_ : int
        Number of gradients computed, over all rows or over mini-batches.

    message_ : str
        Why fine-tuning ended, in SciPy's words where SciPy ended it.

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
    ``interrupted_`` is True. Before that, during pretraining or a trial of ``alpha``,
    it raises KeyboardInterrupt and leaves the compressor as it was.

    The result depends on ``random_state``, but not on ``n_jobs``, on the number of
    cores or on the number of BLAS threads.

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

    network_: Network

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS

    _stored_fields: ClassVar[fields.Fields] = {
        "network_": fields.instance(Network),
        "alpha_": fields.number(),
        "is_linear_": fields.FLAG,
        "interrupted_": fields.FLAG,
        "solver_": fields.TEXT,
        "pretraining_errors_": fields.each(fields.each(fields.number(finite=False))),
        "loss_curve_": fields.each(fields.number(finite=False)),
        "validation_loss_curve_": fields.each(fields.number(finite=False)),
        "n_iter_": fields.count(1),
        "n_evaluations_": fields.count(),
        "message_": fields.TEXT,
    }

    def _check_stored(self) -> None:
        self._check_parameters()
        # No file may make `transform` hang.
        check_integer("transform_max_iter", self.transform_max_iter, 0, 10_000)
        n_features = self.network_.layout.n_features
        fields.expect_equal("Inputs of the network", n_features, self.n_features_in_)

    def __init__(
        self,
        n_components: int | float | None = None,
        *,
        hidden_layer_sizes: Sequence[int] | None = None,
        activation: str = "relu",
        code_activation: str = "identity",
        output_activation: str = "clipped",
        linear_path: bool | str = "auto",
        loss: str = "squared_error",
        alpha: float | str = "auto",
        sparsity: float = 0.0,
        pretraining: str | BernoulliRBM | None = "auto",
        solver: str = "auto",
        max_iter: int | None = None,
        tol: float = 1e-7,
        batch_size: int | str = "auto",
        learning_rate_init: float | str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        transform_max_iter: int = 10,
        pixel_range: tuple[float, float] | None = None,
        threshold: float | None = None,
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
        self.pretraining = pretraining
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.transform_max_iter = transform_max_iter
        self.pixel_range = pixel_range
        self.threshold = threshold
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
        self._fit(X)
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
        return self._encode(self._fit(X))

    def _fit(self, X: Any) -> np.ndarray:
        """Fit to X; return it validated. A fit that fails changes nothing."""
        self._check_parameters()
        seen = clone(self)
        X = validate_data(seen, X, dtype="numeric")
        of_input = {
            name: getattr(seen, name)
            for name in ("n_features_in_", "feature_names_in_")
            if hasattr(seen, name)
        }
        fitted = fit_network(self, X, FitReport(self, X, of_input), self._before())
        if fitted.trained.interrupted:
            warn(
                f"Fine-tuning was interrupted after {fitted.trained.n_iter} "
                "iterations; the best weights so far are kept."
            )
        self.__dict__.pop("feature_names_in_", None)
        self.__dict__.update(of_input)
        self.network_ = fitted.network
        self.pretraining_errors_ = fitted.pretraining_errors
        self.alpha_ = fitted.alpha
        self.is_linear_ = fitted.is_linear
        self.solver_ = fitted.solver
        self.loss_curve_ = fitted.trained.loss_curve
        self.validation_loss_curve_ = fitted.trained.validation_loss_curve
        self.n_iter_ = max(1, fitted.trained.n_iter)
        self.n_evaluations_ = fitted.trained.n_evaluations
        self.message_ = fitted.trained.message
        self.interrupted_ = fitted.trained.interrupted
        return X

    def _check_parameters(self) -> None:
        self._validate_params()
        check_together(self)

    def _before(self) -> Start | None:
        """Return what a warm start goes on from."""
        # A network that was left as PCA has no hidden layers to go on with.
        if not self.warm_start or not hasattr(self, "network_") or self.is_linear_:
            return None
        return Start(self.network_, self.alpha_, self.pretraining_errors_)

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
        self._check_parameters()
        if isinstance(self.n_components, float):
            raise ValueError(
                f"n_components={self.n_components} is a share of the variance of "
                "images, whose number of values only fit can tell; give an integer."
            )
        return choose_layout(self, n_features, self.n_components)

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
        trial._check_parameters()
        return forecast(trial, validate_data(trial, X, dtype="numeric"))

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
            In the units and the range of the training images, and of the dtype of the
            codes.
        """
        check_is_fitted(self)
        codes = check_array(X, dtype=(np.float64, np.float32), input_name="X")
        if codes.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {codes.shape[1]} columns, but the codes of this "
                f"{type(self).__name__} have {self._n_features_out} values; pass what "
                "transform returned."
            )
        network = self.network_.astype(codes.dtype)
        return RowBlocks(codes).map(partial(network.decode, threshold=self.threshold))

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
        return RowBlocks(X).map(
            partial(
                self._network_for(X).squared_errors,
                n_refining=self.transform_max_iter,
                threshold=self.threshold,
            )
        )

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Negative mean of the squared errors of reconstructed images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Images, one per row.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the images in the mean. All are equal by default.

        Returns
        -------
        score : float
            Minus the mean of `reconstruction_error`. Higher is better.
        """
        errors = self.reconstruction_error(X)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, errors, ensure_non_negative=True
            )
        return -float(np.average(errors, weights=sample_weight))

    def activations(self, X: Any, layer: int) -> np.ndarray:
        """Activations of one layer of the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Images, one per row.

        layer : int
            0 is the image scaled to [0, 1], the layout's ``n_encoder_layers`` the code,
            and -1 the output; negative numbers count from the output.

        Returns
        -------
        activations : ndarray of shape (n_samples, n_units)
            Activations of the layer's units.
        """
        X = self._validate(X)
        network = self._network_for(X)
        n_layers = len(network.layout.layers)
        check_integer("layer", layer, -n_layers - 1, n_layers)
        n_through = layer if layer >= 0 else n_layers + 1 + layer
        return RowBlocks(X).map(partial(network.activations, n_layers=n_through))

    @property
    def _n_features_out(self) -> int:
        return self.network_.layout.n_components

    @property
    def coefs_(self) -> list[np.ndarray]:
        """Weights of each layer, views of the network's parameters."""
        return [weights for weights, _ in self._weights_and_biases()]

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """Biases of each layer, views of the network's parameters."""
        return [biases for _, biases in self._weights_and_biases()]

    def _weights_and_biases(self) -> list[tuple[np.ndarray, np.ndarray]]:
        layout, theta = self.network_.layout, self.network_.theta
        return [
            layer.weights_and_biases(parameters)
            for layer, parameters in zip(
                layout.layers, layout.split(theta), strict=True
            )
        ]

    def _validate(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return validate_data(self, X, dtype="numeric", reset=False)

    def _network_for(self, X: np.ndarray) -> Network:
        """Return the network in the precision that X asks for."""
        dtype = np.dtype(np.float64 if X.dtype == np.float64 else np.float32)
        return self.network_.astype(dtype)

    def _encode(self, X: np.ndarray) -> np.ndarray:
        network, n_refining = self._network_for(X), self.transform_max_iter
        return RowBlocks(X).map(partial(network.encode, n_refining=n_refining))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
