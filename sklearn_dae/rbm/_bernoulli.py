"""RBM with binary units."""

from typing import Any, ClassVar

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_dae._fields import Fields
from sklearn_dae.rbm._base import FLOATS, BaseRBM
from sklearn_dae.rbm._units import dense


class BernoulliRBM(BaseRBM):
    """Restricted Boltzmann machine with binary visible and hidden units.

    A drop-in replacement for :class:`sklearn.neural_network.BernoulliRBM`, with
    the same parameters, defaults, attributes and methods, plus contrastive
    divergence, momentum and weight decay. It draws several times faster, so the same
    ``random_state`` gives other samples.

    Parameters
    ----------
    n_components : int, default=256
        Number of binary hidden units.

    learning_rate : float, default=0.1
        Step size of the updates. Reasonable values are in 10**[0., -3.].

    batch_size : int, default=10
        Number of rows in a mini-batch, and of persistent chains.

    n_iter : int, default=10
        Number of sweeps over the training data.

    n_gibbs_steps : int, default=1
        Gibbs steps between data and model samples: the k of CD-k.

    persistent : bool, default=True
        Whether the chains continue from one mini-batch to the next (persistent
        contrastive divergence) or restart at the data (contrastive divergence).

    sample_visible : bool, default=True
        Whether the model's visible units are sampled. Otherwise their means are used,
        which is less noisy, and right for grey values taken as probabilities.

    momentum : float, default=0.0
        Momentum of the updates.

    initial_momentum : float, default=0.5
        Upper bound on the momentum in the first ``momentum_switch`` epochs.

    momentum_switch : int, default=5
        Number of epochs before the full ``momentum`` is used.

    weight_decay : float, default=0.0
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
    GaussianRBM : Real-valued visible or hidden units.
    DeepAutoencoderCompressor : A deep autoencoder unrolled from a stack of these.

    References
    ----------
    Hinton, G. E. (2010). A practical guide to training restricted Boltzmann
    machines. University of Toronto, UTML TR 2010-003.

    Tieleman, T. (2008). Training restricted Boltzmann machines using
    approximations to the likelihood gradient. ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae import BernoulliRBM
    >>> X = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    >>> rbm = BernoulliRBM(n_components=2, random_state=0).fit(X)
    >>> rbm.transform(X).shape
    (4, 2)
    """

    _units = ("bernoulli", "bernoulli")

    _stored_fields: ClassVar[Fields] = {}

    def __init__(
        self,
        n_components: int = 256,
        *,
        learning_rate: float = 0.1,
        batch_size: int = 10,
        n_iter: int = 10,
        n_gibbs_steps: int = 1,
        persistent: bool = True,
        sample_visible: bool = True,
        momentum: float = 0.0,
        initial_momentum: float = 0.5,
        momentum_switch: int = 5,
        weight_decay: float = 0.0,
        shuffle: bool = True,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
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

    def _free_energy(self, v: Any) -> np.ndarray:
        """Free energy -log sum_h exp(-E(v, h)) of each row."""
        hidden_input = v @ self.components_.T + self.intercept_hidden_
        return -(v @ self.intercept_visible_) - np.logaddexp(0, hidden_input).sum(
            axis=1
        )

    def score_samples(self, X: Any) -> np.ndarray:
        """Compute the pseudo-likelihood of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible units, all 0 or 1 (not checked).

        Returns
        -------
        pseudo_likelihood : ndarray of shape (n_samples,)
            A proxy for the log-likelihood of each row, in nats: that of one of its
            features given the others, times the number of features. Which feature
            depends on the row and on ``random_state``, but not on the other rows, so
            equal rows have equal scores.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", reset=False, dtype=FLOATS)
        return self._score_samples(X)

    def _score_samples(self, X: Any) -> np.ndarray:
        rng = check_random_state(self.random_state)
        keys = np.frombuffer(rng.bytes(8 * (X.shape[1] + 1)), np.uint64)
        return np.concatenate(
            [
                self._pseudo_likelihood(dense(X[start : start + 1024]), keys)
                for start in range(0, X.shape[0], 1024)
            ]
        )

    def _pseudo_likelihood(self, v: np.ndarray, keys: np.ndarray) -> np.ndarray:
        n_features = v.shape[1]
        at = np.arange(len(v)), _hash_rows(v, keys) % np.uint64(n_features)
        corrupted = v.copy()
        corrupted[at] = 1 - corrupted[at]
        gain = self._free_energy(corrupted) - self._free_energy(v)
        return -n_features * np.logaddexp(0, -gain)

    def _report(self, epoch: int, X: Any, seconds: float) -> str:
        return (
            f"[{type(self).__name__}] Iteration {epoch}, "
            f"pseudo-likelihood = {self._score_samples(X).mean():.2f}, "
            f"time = {seconds:.2f}s, "
            f"reconstruction error = {self.reconstruction_errors_[-1]:.4g}"
        )


def _hash_rows(v: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Hash each row to 64 well-mixed bits.

    The bit patterns of the numbers are multiplied by random keys and summed, together
    with the last key; the mixing is that of Appleby's MurmurHash3.
    """
    patterns = v.astype(np.float64).view(np.uint64)
    # The set bits of round numbers are all at the upper end.
    patterns ^= patterns >> np.uint64(32)
    hashes = (patterns * (keys[:-1] | np.uint64(1))).sum(axis=1) + keys[-1]
    for multiplier in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        hashes ^= hashes >> np.uint64(33)
        hashes *= np.uint64(multiplier)
    return hashes ^ (hashes >> np.uint64(33))
