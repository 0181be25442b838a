"""Pivot predictors of SCL: many linear rules on the same rows, learnt together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

from transfermap.math.linalg import Array

Loss = Literal["squared", "huber"]
LOSSES: tuple[Loss, ...] = ("squared", "huber")
_DIRECT = 4000  # up to so many columns, or rows, the squared loss is solved by factoring; else by conjugate gradients
_TOGETHER = 64  # rules learnt at a time
_TOL, _ROUNDS, _INNER, _HALVINGS = 1e-3, 30, 100, 12  # directions need few digits


def pivot_predictors(X: Any, on: Any, reg: float, loss: Loss) -> Array:
    r"""For each pivot the w of min_{w,b} mean_i L(y_i (x_i'w + b)) + reg v |w|^2, with y = 1 where it is on, else -1.

    v is the mean variance of the columns, so that ``reg`` means the same at every scale of X.

    Parameters
    ----------
    X : ndarray or csr matrix of shape (n, p)
        The rows without their pivots.
    on : ndarray or csr matrix of bool of shape (n, m)
    reg : float
        > 0.
    loss : {"squared", "huber"}
        L(a) = (1 - a)^2, or the modified Huber loss: max(0, 1 - a)^2, and -4a where a < -1.

    Returns
    -------
    ndarray of shape (p, m)
    """
    rows, variance = _with_intercept(X)
    # times the mean variance; nothing on the intercept, the last
    penalty = np.append(np.full(X.shape[1], reg * (variance or 1.0)), 0.0)
    solve = _newton_rules(rows, penalty) if loss == "huber" else _squared_rules(rows, penalty)
    # in parts, as the signs of all pivots would be a dense n x m table
    W = np.empty((X.shape[1], on.shape[1]))
    for start in range(0, on.shape[1], _TOGETHER):
        part = slice(start, start + _TOGETHER)
        W[:, part] = solve(np.where(_dense(on[:, part]), 1.0, -1.0))
    return W


def _with_intercept(X: Any) -> tuple[Any, float]:
    """Rows in float64 with a column of ones at the end, centred unless sparse; and the columns' mean variance."""
    mean = np.asarray(X.mean(axis=0, dtype=np.float64)).ravel()
    if sparse.issparse(X):
        ones = sparse.csr_matrix(np.ones((X.shape[0], 1)))
        squares = (X.data.astype(np.float64) ** 2).sum() / X.shape[0]
        return sparse.hstack([X.astype(np.float64), ones], format="csr"), float(squares - (mean**2).sum()) / X.shape[1]
    rows = np.ones((len(X), X.shape[1] + 1))
    np.subtract(X, mean, out=rows[:, :-1])
    return rows, float(np.einsum("np,np->", rows[:, :-1], rows[:, :-1])) / max(X.size, 1)


def _squared_rules(X: Any, penalty: Array) -> Callable[[Array], Array]:
    n, p = X.shape
    if p <= _DIRECT:
        factor = cho_factor(_dense(X.T @ X) / n + np.diag(penalty))
        return lambda Y: np.asarray(cho_solve(factor, X.T @ Y / n)[:-1])
    if n <= _DIRECT:
        return _dual_rules(X, penalty[0])
    return _iterated_rules(X, penalty)


def _iterated_rules(X: Any, penalty: Array) -> Callable[[Array], Array]:
    """The same rules to three digits, which single precision holds, at less than half the time."""
    diagonal = (2 * (_squares(X) / X.shape[0] + penalty)).astype(np.float32)[:, None]
    X, ridge, every = X.astype(np.float32), penalty.astype(np.float32)[:, None], np.ones((X.shape[0], 1), np.float32)
    return lambda Y: conjugate_gradients(
        _curvature(X, every, ridge), X.T @ (Y * (2 / len(Y))).astype(np.float32), diagonal
    )[:-1]


def _dual_rules(X: Any, reg: float) -> Callable[[Array], Array]:
    """The same rules by way of the rows' products, (n, n): w = X'a, (K + n reg I) a = y, K and y centred."""
    n, X = X.shape[0], X[:, :-1]
    K = _dense(X @ X.T)
    # centred on both sides: that is the intercept without a penalty
    K -= K.mean(axis=0)
    K -= K.mean(axis=1, keepdims=True)
    K[np.diag_indices(n)] += n * reg
    factor = cho_factor(K, overwrite_a=True)
    return lambda Y: np.asarray(X.T @ cho_solve(factor, Y - Y.mean(axis=0)))


def _newton_rules(X: Any, penalty: Array) -> Callable[[Array], Array]:
    # a hair on the intercept too: beyond the hinge the loss is straight, and its curvature 0
    return lambda Y: _newton(X, Y, np.maximum(penalty, 1e-9))[:-1]


def _newton(X: Any, Y: Array, penalty: Array) -> Array:
    """The modified Huber rules for signs ``Y`` (n, m), by Newton steps that are halved until they help."""
    n, ridge = X.shape[0], penalty[:, None]
    diagonal = (_squares(X) / n + penalty)[:, None]
    W, margins = np.zeros((X.shape[1], Y.shape[1])), np.zeros_like(Y)
    goal = _TOL * np.linalg.norm(2 * X.T @ Y / n, axis=0)
    for _ in range(_ROUNDS):
        slope = X.T @ (Y * _huber_slope(margins)) / n + 2 * ridge * W
        if (np.linalg.norm(slope, axis=0) <= goal).all():
            break
        # the loss is curved between -1 and 1 only; two digits do, as the step is checked
        step = conjugate_gradients(_curvature(X, np.abs(margins) < 1, ridge), -slope, 2 * diagonal, tol=1e-2)
        along = Y * (X @ step)
        share = _helpful_share(margins, along, W, step, ridge, (slope * step).sum(axis=0))
        W, margins = W + share * step, margins + share * along
    return W


def _curvature(X: Any, curved: Array, ridge: Array) -> Callable[[Array], Array]:
    return lambda V: 2 * (X.T @ (curved * (X @ V)) / X.shape[0] + ridge * V)


def _helpful_share(margins: Array, along: Array, W: Array, step: Array, ridge: Array, slope: Array) -> Array:
    """For each rule the largest of 1, 1/2, 1/4, ... of its step that lowers its loss enough (Armijo), (m,)."""
    share = np.ones(margins.shape[1])
    before = _huber(margins).mean(axis=0) + (ridge * W**2).sum(axis=0)
    for _ in range(_HALVINGS):
        after = _huber(margins + share * along).mean(axis=0) + (ridge * (W + share * step) ** 2).sum(axis=0)
        poor = after > before + 1e-4 * share * slope
        if not poor.any():
            break
        share[poor] /= 2
    return share


def _huber(a: Array) -> Array:
    return np.where(a >= -1, np.maximum(1 - a, 0) ** 2, -4 * a)


def _huber_slope(a: Array) -> Array:
    return np.where(a >= -1, -2 * np.maximum(1 - a, 0), -4.0)


def conjugate_gradients(
    apply: Callable[[Array], Array], B: Array, diagonal: Array, tol: float = _TOL, most: int = _INNER
) -> Array:
    """Solve H V = B for many right sides (p, m) at once, H symmetric positive definite, given as V -> H V.

    Stops when each residual is below ``tol`` of its right side, or after ``most`` rounds; ``diagonal`` (p, 1) is H's.
    """
    V, residual = np.zeros_like(B), B.copy()
    scaled = residual / diagonal
    direction, fall = scaled, (residual * scaled).sum(axis=0)
    goal = tol * np.linalg.norm(B, axis=0)
    for _ in range(most):
        if (np.linalg.norm(residual, axis=0) <= goal).all():
            break
        moved = apply(direction)
        length = _ratio(fall, (direction * moved).sum(axis=0))
        V += length * direction
        residual -= length * moved
        scaled = residual / diagonal
        fall, last = (residual * scaled).sum(axis=0), fall
        direction = scaled + _ratio(fall, last) * direction
    return V


def _ratio(a: Array, b: Array) -> Array:
    # a rule that is solved already has no direction left while the others go on
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)


def _dense(A: Any) -> Array:
    return np.asarray(A.toarray() if sparse.issparse(A) else A)


def _squares(X: Any) -> Array:
    return np.asarray((X.multiply(X) if sparse.issparse(X) else X**2).sum(axis=0)).ravel()
