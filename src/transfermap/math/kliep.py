"""A ratio of two densities that makes the target's rows most likely: the convex problem of KLIEP, solved to the end.

    max_a  mean_j log r(x_j^t)   s.t.  mean_i r(x_i^s) = 1,  a >= 0,      r(x) = sum_l a_l exp(-gamma |x - c_l|^2)

In b_l = a_l mean_i k(x_i^s, c_l) the constraint is the simplex, and the problem that of mixing given densities. All of
it is done with logarithms of kernels, so narrow kernels and distant domains do not underflow.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from transfermap.math.linalg import Array
from transfermap.math.ratio import KernelRatio, draw_rows, log_coefficients, log_sum, stripes

HeldOut = Literal["both", "target"]
_ROUGH, _STEPS, _ROWS = 1e-5, 50, 2000  # while kernels are compared: gap, steps, and rows a side
_STEP = 0.995  # of the way to the boundary, where the next system would be infinite


def kliep_ratio(
    Ds: Array, Dt: Array, centres: Array, gamma: float, tol: float, max_iter: int
) -> tuple[KernelRatio, float]:
    """The best r for one kernel, and how much larger the mean log likelihood could at most be.

    Parameters
    ----------
    Ds, Dt : ndarray of shape (n_source, m), (n_target, m)
        Squared distances of the rows to ``centres`` (m, d).
    gamma : float
        Of the kernel, in 1 / squared units.
    tol, max_iter : float, int
        Of :func:`likeliest_mixture`.
    """
    level = log_mean_kernel(Ds, gamma)
    b, gap = likeliest_mixture(-gamma * Dt - level, tol, max_iter)
    return KernelRatio(centres, gamma, log_coefficients(b) - level), gap


def held_out_score(
    Ds: Array, Dt: Array, fold_s: Array, fold_t: Array, gamma: float, held_out: HeldOut = "both"
) -> float:
    """How well r, fitted without them, does on rows that were left out; cross-validated, larger is better.

    "target" is the paper's score: target rows are left out, and the mean of log r at them is taken. Nothing then speaks
    against an r whose mean is 1 over the very source rows that it was fitted to and which is huge everywhere else, as
    narrow kernels make it. "both" leaves out rows of both domains and scores how well r tells them apart: the mean log
    probability of each row's domain, r / (1 + r) for target and 1 / (1 + r) for source rows, whose expectation is
    largest for the true ratio.

    Parameters
    ----------
    Ds, Dt : ndarray of shape (n_source, m), (n_target, m)
        Squared distances to the centres.
    fold_s, fold_t : ndarray of shape (n_source,), (n_target,)
        The fold of each row, 0 ... count - 1; each domain has rows in every fold.
    gamma : float
    held_out : {"both", "target"}
    """
    scores = []
    for k in range(int(fold_t.max()) + 1):
        level = log_mean_kernel(Ds[fold_s != k] if held_out == "both" else Ds, gamma)
        # scores of kernels differ by far more than this gap
        b, _ = likeliest_mixture(-gamma * Dt[fold_t != k] - level, _ROUGH, _STEPS)
        logs_s, logs_t = (
            log_sum(-gamma * D[fold == k] + (log_coefficients(b) - level), axis=1)
            for D, fold in ((Ds, fold_s), (Dt, fold_t))
        )
        predicted = -np.logaddexp(0, -logs_t).mean() - np.logaddexp(0, logs_s).mean()
        scores.append(predicted if held_out == "both" else logs_t.mean())
    return float(np.mean(scores))


def choose_gamma(
    Xs: Array, Xt: Array, Ds: Array, Dt: Array, gammas: tuple[float, ...], folds: int, held_out: HeldOut
) -> float:
    """That one of ``gammas`` with the largest :func:`held_out_score`, over at most 2,000 rows a side.

    The folds, fewer than ``folds`` where a domain has fewer rows, depend on what the rows hold, not on their order.
    """
    s, t = draw_rows(Xs, _ROWS), draw_rows(Xt, _ROWS)
    count = min(folds, len(s), len(t))
    fold_s, fold_t = stripes(Xs[s], count), stripes(Xt[t], count)
    # of equals the first, which is the widest kernel
    return max(gammas, key=lambda gamma: held_out_score(Ds[s], Dt[t], fold_s, fold_t, gamma, held_out))


def log_mean_kernel(D: Array, gamma: float) -> Array:
    """``log mean_i exp(-gamma D_il)`` for each column of ``D`` (n, m), (m,)."""
    return log_sum(-gamma * D, axis=0) - np.log(len(D))


def likeliest_mixture(L: Array, tol: float, max_iter: int) -> tuple[Array, float]:
    """The b (m,) on the simplex with the largest ``mean_j log sum_l b_l exp(L_jl)``, and a bound on what it lacks.

    Predictor-corrector steps on ``min 1'b - mean log(Ab), b >= 0``, whose minimiser sums to one by itself. With the
    slopes g = A'(1 / Ab) / n no point of the simplex can be better than b by more than ``log max_l g_l``, which is the
    bound returned; the steps end when it is at most ``tol``. What is zero at the optimum is then set to zero.

    Examples
    --------
    >>> b, gap = likeliest_mixture(np.log([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9]]), 1e-9, 50)
    >>> b.round(4).tolist(), gap <= 1e-9
    ([0.7083, 0.2917], True)

    References
    ----------
    Koenker and Mizera, Convex Optimization, Shape Constraints, Compound Decisions, and Empirical Bayes Rules, JASA
    109(506), 2014. doi:10.1080/01621459.2013.869224
    """
    # a factor of a whole row adds a constant to the objective: with 1 as its largest entry no row underflows to zeros
    A = np.exp(L - L.max(axis=1, keepdims=True))
    b, force = np.full(A.shape[1], 1 / A.shape[1]), np.ones(A.shape[1])
    for _ in range(max_iter):
        scaled, slope, gap = _slopes(A, b)
        if gap <= tol:
            break
        b, force = _newton(scaled.T @ scaled / len(A), 1 - slope, b, force)
    *_, gap = _slopes(A, b)
    # in each product b_l * force_l, driven to 0, the smaller factor is the one that vanishes;
    # an interior point never reaches 0, so it is set, and kept if the bound allows it
    purged = np.where(b > force, b, 0)
    *_, rival = _slopes(A, purged)
    b, gap = (purged, rival) if rival <= max(gap, tol) else (b, gap)
    return b / b.sum(), gap


def _slopes(A: Array, b: Array) -> tuple[Array, Array, float]:
    """A's rows over their (Ab)_j, the slopes g (m,), and the bound log(sum(b) max g): inf where Ab has a 0."""
    mixed = A @ b
    if not mixed.all():
        return A, b, np.inf
    scaled = A / mixed[:, None]
    slope = scaled.sum(axis=0) / len(A)
    return scaled, slope, max(float(np.log(b.sum() * slope.max())), 0.0)


def _newton(H: Array, gradient: Array, b: Array, force: Array) -> tuple[Array, Array]:
    """One predictor-corrector step towards ``gradient = force``, ``b * force = 0``."""
    H.flat[:: len(b) + 1] += force / b
    factor, centre = cho_factor(H, overwrite_a=True), b @ force / len(b)

    def step(complement: Array) -> tuple[Array, Array]:
        db = cho_solve(factor, -gradient + force - complement / b)
        return db, -(complement + force * db) / b

    db, d_force = step(b * force)
    ahead = (b + _room(b, db) * db) @ (force + _room(force, d_force) * d_force) / len(b)
    # Mehrotra's predictor-corrector step, as in boxslab.py
    db, d_force = step(b * force + db * d_force - (ahead / centre) ** 3 * centre)
    return b + _STEP * _room(b, db) * db, force + _STEP * _room(force, d_force) * d_force


def _room(value: Array, change: Array) -> float:
    """The longest step in (0, 1 / 0.995] that keeps ``value`` non-negative."""
    falling = change < 0
    return float(min(1 / _STEP, (-value[falling] / change[falling]).min(initial=np.inf)))
