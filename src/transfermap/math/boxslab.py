"""Convex quadratic problems over a box cut by a slab, by an interior-point method.

    min_b  b'Kb / 2 - c'b    s.t.  0 <= b_i <= high,  low_sum <= sum b <= high_sum

Its Newton steps need only solutions with K + diag(d) + r 11', which :func:`dense` and :func:`low_rank` make.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from transfermap.math.linalg import Array

Solver = Callable[[Array], Array]
_RIDGE = 1e-8  # of the mean diagonal: Gram matrices of near rows are singular to rounding, and Cholesky needs more
_ASTRAY = 1e3  # times the least error so far


class BoxSlab(NamedTuple):
    """The set of b (n,) with ``0 <= b <= high`` and ``low_sum <= sum(b) <= high_sum``; b = 1 lies in its inside."""

    high: float
    low_sum: float
    high_sum: float

    def slack(self, b: Array) -> Array:
        """How far b is from each bound, (2 n + 2,)."""
        return np.concatenate([b, self.high - b, [self.high_sum - b.sum(), b.sum() - self.low_sum]])


class Quadratic(NamedTuple):
    """``times``: b -> Kb; ``solver``: (d, r) -> the function that solves with K + diag(d) + r 11'."""

    times: Solver
    solver: Callable[[Array, float], Solver]


def dense(K: Array) -> Quadratic:
    """K (n, n) itself, with a ridge of 1e-8 of its mean diagonal."""
    K = K + _RIDGE * np.trace(K) / len(K) * np.eye(len(K))

    def solver(d: Array, r: float) -> Solver:
        M = K + r
        M.flat[:: len(M) + 1] += d
        # M is this call's own copy: written over, so that only one n x n array is held
        factor = cho_factor(M, overwrite_a=True)
        return lambda v: cho_solve(factor, v)

    return Quadratic(K.__matmul__, solver)


def low_rank(Phi: Array, rest: Array | float = 0.0) -> Quadratic:
    """K = Phi Phi' + diag(rest) from features (n, k), with the same ridge: time n k^2 a step, memory n k."""
    ridge = _RIDGE * float((Phi**2).sum()) / len(Phi) + rest

    def solver(d: Array, r: float) -> Solver:
        # r 11' is one more feature, sqrt(r) 1; by Woodbury's identity the system then has k + 1 unknowns, not n
        d, wide = d + ridge, np.column_stack([Phi, np.full(len(Phi), np.sqrt(r))])
        scaled = wide / d[:, None]
        factor = cho_factor(np.eye(wide.shape[1]) + wide.T @ scaled)
        return lambda v: v / d - scaled @ cho_solve(factor, scaled.T @ v)

    return Quadratic(lambda b: Phi @ (Phi.T @ b) + ridge * b, solver)


def minimize_quadratic(problem: Quadratic, c: Array, within: BoxSlab, tol: float, max_iter: int) -> tuple[Array, float]:
    """The minimiser b (n,), and the larger of duality gap and n times the stationarity error that was reached.

    Mehrotra's predictor-corrector steps from b = 1; stops when that number is at most ``tol``.

    References
    ----------
    Nocedal and Wright, Numerical Optimization, 2nd ed., Springer 2006, section 16.6. doi:10.1007/978-0-387-40065-5
    """
    n = len(c)
    b, best = np.ones(n), (np.ones(n), np.inf)
    slack = within.slack(b)
    # equal products slack * force: as near the central path as a start can be
    force = np.abs(problem.times(b) - c).max() / slack
    for _ in range(max_iter):
        stationary = problem.times(b) - c + _pushed(force)
        # n times, since the b sum to about n: so much can an error of the gradient add to the objective
        error = max(float(slack @ force), n * float(np.abs(stationary).max()))
        if error < best[1]:
            best = b, error
        # beyond what rounding leaves of the steps they lead away again
        if error <= tol or error > _ASTRAY * best[1]:
            break
        b, slack, force = _newton(problem, b, slack, force, stationary)
    return best


def _newton(problem: Quadratic, b: Array, slack: Array, force: Array, stationary: Array) -> tuple[Array, Array, Array]:
    stiff, n, centre = force / slack, len(b), slack @ force / len(slack)
    solve = problem.solver(stiff[:n] + stiff[n : 2 * n], float(stiff[2 * n :].sum()))

    def step(complement: Array) -> tuple[Array, Array, Array]:
        db = solve(_pushed(complement / slack) - stationary)
        d_slack = np.concatenate([db, -db, [-db.sum(), db.sum()]])
        return db, d_slack, -(complement + force * d_slack) / slack

    _, d_slack, d_force = step(slack * force)
    size = min(_room(slack, d_slack), _room(force, d_force))
    ahead = (slack + size * d_slack) @ (force + size * d_force) / len(slack)
    # Mehrotra's centring, sigma = (mu ahead / mu)^3 (Nocedal and Wright, algorithm 16.4), and his second-order term
    db, d_slack, d_force = step(slack * force + d_slack * d_force - (ahead / centre) ** 3 * centre)
    # short of the boundary, where slack is 0 and the next system infinite
    size = 0.99 * min(_room(slack, d_slack), _room(force, d_force))
    # bounds - b would round to 0 before the end; following the slack's own change keeps it positive
    return b + size * db, slack + size * d_slack, force + size * d_force


def _pushed(force: Array) -> Array:
    """What the bounds' forces (2 n + 2,) add to the gradient, (n,)."""
    n = len(force) // 2 - 1
    return -force[:n] + force[n : 2 * n] + force[2 * n] - force[2 * n + 1]


def _room(value: Array, change: Array) -> float:
    """The longest step in (0, 1 / 0.99] that keeps ``value`` non-negative."""
    falling = change < 0
    return float(min(1 / 0.99, (-value[falling] / change[falling]).min(initial=np.inf)))
