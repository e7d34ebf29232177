"""RBM with real-valued units."""

from typing import Any, ClassVar

from sklearn.utils._param_validation import StrOptions

from sklearn_dae._fields import Fields
from sklearn_dae.rbm._base import BaseRBM
from sklearn_dae.rbm._units import KINDS


class GaussianRBM(BaseRBM):
    """Restricted Boltzmann machine with real-valued visible or hidden units.

    Real-valued units are linear with Gaussian noise of unit variance. With
    ``visible_units="gaussian"`` the machine models real data, which should be
    standardised first; with ``hidden_units="gaussian"`` it makes the linear code
    at the top of a stack, as in Hinton and Salakhutdinov (2006).

    Parameters
    ----------
    n_components : int, default=256
        Number of hidden units.

    visible_units, hidden_units : {"gaussian", "bernoulli"}
        Kinds of units, by default Gaussian visible and Bernoulli hidden ones. At
        least one of them must be Gaussian.

    learning_rate : float, default=0.001
        Step size of the updates. Linear units are unbounded, so it must be ten to
        a hundred times smaller than for binary units.

    batch_size : int, default=100
        Number of rows in a mini-batch, and of persistent chains.

    n_iter : int, default=10
        Number of sweeps over the training data.

    n_gibbs_steps : int, default=1
        Gibbs steps between data and model samples: the k of CD-k.

    persistent : bool, default=False
        Whether the chains continue from one mini-batch to the next (persistent
        contrastive divergence) or restart at the data (contrastive divergence).

    sample_visible : bool, default=False
        Whether the model's visible units are sampled. Otherwise their means are used,
        which is less noisy.

    momentum : float, default=0.9
        Momentum of the updates.

    initial_momentum : float, default=0.5
        Upper bound on the momentum in the first ``momentum_switch`` epochs.

    momentum_switch : int, default=5
        Number of epochs before the full ``momentum`` is used.

    weight_decay : float, default=0.0002
        L2 penalty on the weights.

    shuffle : bool, default=True
        Whether to go through the rows in a new order each epoch.

    verbose : int, default=0
        When positive, print a line per epoch.

    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, the order of the rows and the samples.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        Weights.

    intercept_hidden_ : ndarray of shape (n_components,)
        Biases of the hidden units.

    intercept_visible_ : ndarray of shape (n_features,)
        Biases of the visible units.

    h_samples_ : ndarray of shape (batch_size, n_components)
        The persistent chains' hidden units; only with ``persistent=True``.

    reconstruction_errors_ : list of float
        Squared error per row, after each epoch, of the mean-field reconstruction of at
        most 500 training rows.

    n_iter_ : int
        Number of epochs run.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen during fit. Defined only if X has feature names that are
        all strings.

    See Also
    --------
    BernoulliRBM : Binary visible and hidden units.

    References
    ----------
    Hinton, G. E. and Salakhutdinov, R. R. (2006). Reducing the dimensionality of
    data with neural networks. Science 313, 504-507.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae import GaussianRBM
    >>> X = np.random.RandomState(0).normal(size=(200, 6))
    >>> rbm = GaussianRBM(n_components=3, random_state=0).fit(X)
    >>> rbm.inverse_transform(rbm.transform(X)).shape
    (200, 6)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseRBM._parameter_constraints,
        "visible_units": [StrOptions(set(KINDS))],
        "hidden_units": [StrOptions(set(KINDS))],
    }
    _stored_fields: ClassVar[Fields] = {}

    def __init__(
        self,
        n_components: int = 256,
        *,
        visible_units: str = "gaussian",
        hidden_units: str = "bernoulli",
        learning_rate: float = 0.001,
        batch_size: int = 100,
        n_iter: int = 10,
        n_gibbs_steps: int = 1,
        persistent: bool = False,
        sample_visible: bool = False,
        momentum: float = 0.9,
        initial_momentum: float = 0.5,
        momentum_switch: int = 5,
        weight_decay: float = 2e-4,
        shuffle: bool = True,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.visible_units = visible_units
        self.hidden_units = hidden_units
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.n_gibbs_steps = n_gibbs_steps
        self.persistent = persistent
        self.sample_visible = sample_visible
        self.momentum = momentum
        self.initial_momentum = initial_momentum
        self.momentum_switch = momentum_switch
        self.weight_decay = weight_decay
        self.shuffle = shuffle
        self.verbose = verbose
        self.random_state = random_state

    @property
    def _units(self) -> tuple[str, str]:
        return self.visible_units, self.hidden_units

    def _validate_params(self) -> None:
        super()._validate_params()
        if "gaussian" not in self._units:
            raise ValueError(
                "GaussianRBM needs visible_units='gaussian' or "
                "hidden_units='gaussian'; for binary units use BernoulliRBM."
            )
