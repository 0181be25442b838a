"""How much more common a row is in the target than in the source, from a rule that tells the two apart."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from transfermap.math.linalg import Array


def log_ratio(Xs: Array, Xt: Array, C: float = 1.0, folds: int = 5) -> Array:
    """``log p_t(x) / p_s(x)`` at every source row, by logistic rules that never saw the row; (n_source,).

    Parameters
    ----------
    Xs, Xt : ndarray or sparse matrix of shape (n_source, d), (n_target, d)
    C : float
        Inverse penalty of the logistic rule, on columns of variance one.
    folds : int
        At least 2; fewer are used where a domain has fewer rows.
    """
    X = sparse.vstack([Xs, Xt], format="csr") if sparse.issparse(Xs) else np.concatenate([Xs, Xt])
    side = np.repeat([0, 1], [Xs.shape[0], Xt.shape[0]])
    count = min(folds, Xs.shape[0], Xt.shape[0])
    fold = np.concatenate([_stripes(Xs, count), _stripes(Xt, count)])
    odds = np.empty(Xs.shape[0])
    for k in range(count):
        rule = make_pipeline(StandardScaler(with_mean=not sparse.issparse(X)), LogisticRegression(C=C, max_iter=1000))
        with warnings.catch_warnings():
            # a fit that stopped early is still a rule that never saw the rows it judges
            warnings.simplefilter("ignore", ConvergenceWarning)
            rule.fit(X[fold != k], side[fold != k])
        odds[fold[: len(odds)] == k] = rule.decision_function(Xs[fold[: len(odds)] == k])
    return odds + np.log(Xs.shape[0] / Xt.shape[0])


def ratio_weights(logs: Array, tau: float = 1.0, clip: float = 1.0) -> Array:
    """Weights ``exp(tau * logs)``, cut at their quantile ``clip`` and scaled to mean 1."""
    # only ratios of weights count: taking out the largest keeps exp from overflowing
    w = np.exp(tau * (logs - logs.max()))
    w = np.minimum(w, np.quantile(w, clip))
    return w / w.mean()


def _stripes(X: Array, count: int) -> Array:
    """A fold for each row, by its rank along a fixed direction.

    The folds then depend on what the rows hold, not on their order, and where both domains hold the same rows, equal
    rows fall into the same fold: none is learnt from and judged at once.
    """
    along = X @ np.random.default_rng(0).normal(size=X.shape[1])
    rank = np.argsort(np.argsort(along, kind="stable"), kind="stable")
    return rank % count
