"""Which rows lie where no row has been seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator

from transfermap.measure.inputs import rows

Array = NDArray[np.float64]
_CHUNK = 500


class Support(BaseEstimator):
    """Remembers where rows have been seen; a new row is *far* if its neighbours are further than nearly all rows' are.

    :math:`D_k(x)=\\|x-x_{(k)}\\|` is the distance, in columns of unit spread, to the k-th nearest reference row. The
    threshold is the :math:`\\lceil(m+1)q\\rceil`-th smallest of the m reference rows' own :math:`D_k`, each with
    itself left out. A fresh row of the same distribution is exchangeable with these, so about :math:`1-q` of such
    rows are far, in any number of columns.

    Parameters
    ----------
    k : int
        Which neighbour counts.
    quantile : float
        q in (0, 1].
    most : int
        Reference rows kept (a seeded subsample).
    seed : int

    Attributes
    ----------
    reference_ : (m, d) array
        Standardised reference rows.
    centre_, spread_ : (d,) arrays
        Of all rows seen in fit; the spread of a constant column counts as 1.
    threshold_ : float
        In units of the standardised columns, >= 0.

    References
    ----------
    Ramaswamy, Rastogi and Shim, SIGMOD 2000, 427-438, doi:10.1145/342009.335437. Threshold: Laxhammar and Falkman,
    conformal anomaly detection, doi:10.1007/s10472-013-9381-7.

    Examples
    --------
    >>> seen = np.random.default_rng(0).normal(size=(500, 2))
    >>> Support().fit(seen).far([[0.0, 0.0], [9.0, 9.0]]).tolist()
    [False, True]
    """

    def __init__(self, k: int = 5, quantile: float = 0.99, most: int = 2000, seed: int = 0) -> None:
        self.k = k
        self.quantile = quantile
        self.most = most
        self.seed = seed

    def fit(self, X: ArrayLike, y: object = None) -> Support:
        """Learn where rows lie.

        Parameters
        ----------
        X : (n, d) array
            At least two rows.
        y : object
            Not used.
        """
        X = rows(X, "X", least=2)
        if self.k < 1 or self.most < 2 or not 0 < self.quantile <= 1:
            raise ValueError(f"expected k >= 1, most >= 2 and 0 < quantile <= 1, got {self!r}")
        self.n_features_in_ = X.shape[1]
        self.centre_ = X.mean(axis=0)
        self.spread_ = np.where(np.ptp(X, axis=0) > 0, X.std(axis=0), 1.0)
        # mean and spread are those of all rows; only the search among neighbours is limited, as its cost is n * most
        chosen = np.random.default_rng(self.seed).permutation(len(X))[: self.most]
        self.reference_ = (X[chosen] - self.centre_) / self.spread_
        # One more neighbour, since every reference row finds itself first.
        own = np.sort(self._neighbour(self.reference_, min(self.k + 1, len(chosen))))
        self.threshold_ = float(own[min(int(np.ceil((len(own) + 1) * self.quantile)), len(own)) - 1])
        return self

    def distance(self, X: ArrayLike) -> Array:
        """Distance to the k-th nearest reference row.

        Parameters
        ----------
        X : (n, d) array

        Returns
        -------
        (n,) array
            >= 0, in units of the standardised columns; a row's value does not depend on the other rows.
        """
        if not hasattr(self, "reference_"):
            raise ValueError("expected a fitted Support; call fit first")
        X = rows(X, "X")
        if X.shape[1] != self.n_features_in_:
            raise ValueError(f"expected X to have {self.n_features_in_} columns, got {X.shape[1]}")
        # One fewer than in fit where the reference is tiny: there, rows left themselves out.
        return self._neighbour((X - self.centre_) / self.spread_, min(self.k, max(len(self.reference_) - 1, 1)))

    def far(self, X: ArrayLike) -> NDArray[np.bool_]:
        """Whether each row is further from what was seen than the threshold; (n,) array of bool."""
        # strictly: a row at the threshold is as far as one that was seen
        found: NDArray[np.bool_] = self.distance(X) > self.threshold_
        return found

    def _neighbour(self, Z: Array, k: int) -> Array:
        """Distance of each row to its k-th nearest reference row, in blocks of rows, each pair on its own."""
        blocks = [_kth_distance(Z[a : a + _CHUNK], self.reference_, k) for a in range(0, len(Z), _CHUNK)]
        return np.concatenate(blocks) if blocks else np.zeros(0)


def _kth_distance(Z: Array, R: Array, k: int) -> Array:
    """Distance of each row of Z (n, d) to the k-th nearest row of R (m, d).

    Products of matrices say quickly which rows come into question. Their last digits depend on which rows stand in a
    block, so the distances themselves are cdist's, and rows that rounding could have put out of the running are in it.
    """
    squares = (Z**2).sum(axis=1)[:, None] + (R**2).sum(axis=1)
    rough = squares - 2 * Z @ R.T
    # of a sum of d products, with room to spare (Higham, Accuracy and Stability of Numerical Algorithms, 2002, 3.1)
    slack = 8 * (R.shape[1] + 8) * np.finfo(float).eps * squares.max(axis=1, keepdims=True)
    near = rough <= np.partition(rough, k - 1, axis=1)[:, k - 1 : k] + slack
    return np.array([_kth(cdist(z[None], R[some])[0], k) for z, some in zip(Z, near, strict=True)])


def _kth(distances: Array, k: int) -> float:
    return float(np.partition(distances, k - 1)[k - 1])
