"""A ratio of two densities from a logistic rule that tells the domains apart, judged at rows that it never saw.

Leaving out row i of the source and its partner j in the target moves the rule's coefficients b by

    (H - v_i x_i x_i' - v_j x_j x_j')^-1 (r_i x_i + r_j x_j),   v = C p (1 - p),   r = C (p - side),

one Newton step of the problem that is left, with H the Hessian at b. So one fit does for all rows.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import expit
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from transfermap.math.linalg import Array
from transfermap.math.ratio import along, stripes

_FOLDS = 5  # where leaving out pairs in closed form would cost too much
_WIDE = 2000  # columns: up to there the Hessian takes 32 MB
_SMALL = 20_000_000  # numbers of a sparse table that may be written out: 160 MB


def log_ratio(Xs: Any, Xt: Any, C: float = 1.0, folds: int | None = None, squares: bool = False) -> Array:
    """``log p_t(x) / p_s(x)`` at every source row, by logistic rules that never saw the row; (n_source,).

    Parameters
    ----------
    Xs, Xt : ndarray or sparse matrix of shape (n_source, d), (n_target, d)
    C : float
        Inverse penalty of the logistic rule, on columns of variance one.
    folds : int or None
        None leaves out one row of each domain at a time, in closed form; a number, at least 2, refits without each of
        that many folds (fewer where a domain has fewer rows). Wide tables, whose Hessian would be too large, and large
        sparse ones take five where None is asked for.
    squares : bool
        Whether the rule also sees the columns' squares, as it must where the domains differ in spread.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> Xs, Xt = rng.normal(size=(300, 2)), rng.normal(loc=1, size=(300, 2))
    >>> closed, refitted = log_ratio(Xs, Xt), log_ratio(Xs, Xt, folds=150)
    >>> bool(np.abs(closed - refitted).max() < 0.05)
    True
    """
    if sparse.issparse(Xs) and (Xs.shape[0] + Xt.shape[0]) * Xs.shape[1] <= _SMALL:
        Xs, Xt = Xs.toarray(), Xt.toarray()
    thin = sparse.issparse(Xs)
    X = sparse.vstack([Xs, Xt], format="csr") if thin else np.concatenate([Xs, Xt])
    side = np.repeat([0, 1], [Xs.shape[0], Xt.shape[0]])
    if folds is None and not thin and X.shape[1] * (1 + squares) <= _WIDE:
        # scaling has seen the row too, but a mean and a deviation over all rows give nothing away of one
        odds = _pair_by_pair(_scaler(squares, thin).fit_transform(X), side, C, _partners(Xs, Xt))
    else:
        count = min(folds or _FOLDS, Xs.shape[0], Xt.shape[0])
        fold = np.concatenate([stripes(Xs, count), stripes(Xt, count)])
        odds = _fold_by_fold(X, side, fold, make_pipeline(_scaler(squares, thin), _rule(C)))
    # the rule's odds count rows, densities do not: p_t / p_s = odds * n_s / n_t. skada has it upside down
    return odds + np.log(Xs.shape[0] / Xt.shape[0])


def _pair_by_pair(X: Array, side: Array, C: float, partner: Array) -> Array:
    """Log odds of each source row without it and its ``partner`` (n_source,), a row of the target; (n_source,)."""
    rule = _fitted(_rule(C), X, side)
    odds = rule.decision_function(X)
    p = expit(odds)
    # scikit-learn's C multiplies the loss, not the penalty
    v, r = C * p * (1 - p), C * (p - side)
    X = np.column_stack([X, np.ones(len(X))])
    H = (X * v[:, None]).T @ X
    # the penalty's share, which the intercept, last, has none of
    H.flat[: -1 : len(H) + 1] += 1
    # with H^-1 = L^-T L^-1, products of these rows are the x_i'H^-1 x_j
    half = X @ np.linalg.inv(np.linalg.cholesky(H)).T
    i, j = slice(len(partner)), len(partner) + partner
    own, other = half[i], half[j]
    ii, jj, ij = (np.einsum("im,im->i", a, b) for a, b in ((own, own), (other, other), (own, other)))
    # (1 - h V)^-1 h applied to (r_i, r_j), of which the first entry: h the pair's 2 x 2 block of X H^-1 X'
    det = (1 - v[i] * ii) * (1 - v[j] * jj) - v[i] * v[j] * ij**2
    change = ((ii - v[j] * (ii * jj - ij**2)) * r[i] + ij * r[j]) / det
    return np.asarray(odds[i] + change)


def _fold_by_fold(X: Any, side: Array, fold: Array, rule: Pipeline) -> Array:
    """Log odds of each source row by the rule learnt without its fold; (n_source,)."""
    own = fold[: int((side == 0).sum())]
    odds = np.empty(len(own))
    for k in range(int(own.max()) + 1):
        odds[own == k] = _fitted(rule, X[fold != k], side[fold != k]).decision_function(X[: len(own)][own == k])
    return odds


def _partners(Xs: Array, Xt: Array) -> Array:
    """For each source row the target row of the same rank along a fixed direction: equal rows, in equal tables."""
    rank = np.argsort(np.argsort(along(Xs), kind="stable"), kind="stable")
    return np.argsort(along(Xt), kind="stable")[rank * len(Xt) // len(Xs)]


def _fitted(rule: Any, X: Any, side: Array) -> Any:
    with warnings.catch_warnings():
        # a fit that stopped early is still a rule that never saw the rows it judges
        warnings.simplefilter("ignore", ConvergenceWarning)
        return rule.fit(X, side)


def _rule(C: float) -> LogisticRegression:
    return LogisticRegression(C=C, max_iter=1000)


def _scaler(squares: bool, thin: bool) -> Pipeline:
    # centring would fill a sparse table
    scale = StandardScaler(with_mean=not thin)
    wider = (scale, FunctionTransformer(_with_squares, accept_sparse=True)) if squares else ()
    # squares of centred columns are not of variance one: scaled once more, or the penalty would bear on them unequally
    return make_pipeline(*wider, clone(scale))


def _with_squares(X: Any) -> Any:
    return sparse.hstack([X, X.multiply(X)], format="csr") if sparse.issparse(X) else np.hstack([X, X**2])
