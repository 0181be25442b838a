"""Optimal transport between two weighted clouds of rows: the cost, and the entropic plan as two vectors.

A plan is never stored: with potentials f (n,), g (m,) it is ``P_ij = a_i b_j exp((f_i + g_j - C_ij) / reg)``, and its
rows are made again, a block at a time, where they are needed. Only the iteration holds one n x m kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

Array = np.ndarray[Any, np.dtype[Any]]

BLOCK = 1 << 19  # entries at a time: 4 MB, which caches hold
SMALL = 4_000_000  # entries up to which a kernel in float64 costs little
_FLOOR = -60.0  # exp of it is far below any tolerance, and still no subnormal number, which would be slow
_DRIFT = 10.0  # logarithm of the scalings at which they go into the potentials
_STEP = 4.0  # by which the regularisation falls from stage to stage
_PLAIN = 5  # scaling steps before the first Newton step
_NOTHING = 1e-12  # a share of a row's mass that may be left out
_SPARSE = 0.05  # of the kernel's entries: a sparse array of fewer is quicker


class Cost(NamedTuple):
    """``C_ij = |xs_i - xt_j|^2 + table[codes_i, j]`` for rows Xs (n, d), Xt (m, d), codes (n,), table (classes, m).

    ``codes`` and ``table`` are None where there is no such price.
    """

    Xs: Array
    Xt: Array
    codes: Any = None
    table: Any = None


class Potentials(NamedTuple):
    """f (n,), g (m,), the marginals' error (l1, both sides together) when it stopped, and how many steps it took."""

    f: Array
    g: Array
    error: float
    steps: int


def distinct(X: Array) -> tuple[Array, Array, Array]:
    """The different rows of X (n, d) in lexicographic order, each one's share of the n rows, and the place of each row.

    Examples
    --------
    >>> rows, share, place = distinct(np.array([[2.0], [1.0], [2.0], [2.0]]))
    >>> rows.tolist(), share.tolist(), place.tolist()
    ([[1.0], [2.0]], [0.25, 0.75], [1, 0, 1, 1])
    """
    X = X + 0.0  # -0.0 becomes 0.0
    order = np.argsort(X[:, 0])
    if not (np.diff(X[order, 0]) > 0).all():  # only where the first column has ties do the others matter
        order = np.lexsort(X.T[::-1])
    new = np.r_[True, (X[order][1:] != X[order][:-1]).any(axis=1)]
    place = np.empty(len(X), dtype=np.int64)
    place[order] = np.cumsum(new) - 1
    return X[order][new], np.bincount(place) / len(X), place


def squared_distance_scale(Xs: Array, Xt: Array, which: str) -> float:
    """Median or largest squared distance between rows of Xs and Xt, 1 where it is 0 and for "none".

    The median is over at most 1,000 rows a side, evenly spaced in the order given.
    """
    if which == "none":
        return 1.0
    if which == "median":
        Xs, Xt = (X[np.linspace(0, len(X) - 1, min(len(X), 1000)).astype(int)] for X in (Xs, Xt))
        values = np.concatenate([-S.ravel() for _, S in score_blocks(centred(Xs, Xt))])
        scale = float(np.median(values))
    else:
        # a score is minus the cost where both potentials are 0
        scale = max(float(-S.min()) for _, S in score_blocks(centred(Xs, Xt)))
    spread = max(float(np.abs(X).max()) for X in (Xs, Xt)) ** 2
    # equal rows leave the rounding of |x|^2 + |y|^2 - 2xy, not 0
    return scale if scale > 1e-14 * spread else 1.0


def centred(Xs: Array, Xt: Array, scale: float = 1.0) -> Cost:
    """The cost |xs - xt|^2 / scale, about the target's mean, so that rows far from 0 lose no digits."""
    mean, by = Xt.mean(axis=0), np.sqrt(scale)
    return Cost((Xs - mean) / by, (Xt - mean) / by)


def mean_cost(cost: Cost, a: Array, b: Array) -> float:
    """The cost of the plan a b', in closed form."""
    squares = a @ (cost.Xs**2).sum(axis=1) + b @ (cost.Xt**2).sum(axis=1)
    mean = float(squares - 2 * (a @ cost.Xs) @ (b @ cost.Xt))
    if cost.table is not None:
        mean += float(np.bincount(cost.codes, a, len(cost.table)) @ cost.table @ b)
    return mean


def score_blocks(
    cost: Cost, f: Array | float = 0.0, g: Array | float = 0.0, reg: float = 1.0
) -> Iterator[tuple[slice, Array]]:
    """Blocks of rows of ``(f_i + g_j - C_ij) / reg``, float64, with their place; potentials ride in the product."""
    (n, d), m = cost.Xs.shape, len(cost.Xt)
    left, right = np.empty((n, d + 2)), np.empty((m, d + 2))
    left[:, :d], left[:, d], left[:, d + 1] = cost.Xs * (2 / reg), (f - (cost.Xs**2).sum(axis=1)) / reg, 1
    right[:, :d], right[:, d], right[:, d + 1] = cost.Xt, 1, (g - (cost.Xt**2).sum(axis=1)) / reg
    table = None if cost.table is None else cost.table / reg
    size = max(1, BLOCK // m)
    for start in range(0, n, size):
        block = slice(start, min(start + size, n))
        S = left[block] @ right.T
        if table is not None:
            S -= table[cost.codes[block]]
        yield block, S


def kernel_type(n: int, m: int, tol: float) -> type[np.floating[Any]]:
    """float32 where the kernel is large and the tolerance leaves room for its rounding; float64 otherwise."""
    return np.float32 if n * m > SMALL and tol >= 1e-6 else np.float64


def kernel_bytes(n: int, m: int, tol: float) -> int:
    """Memory of the one n x m array that :func:`sinkhorn` holds."""
    return n * m * np.dtype(kernel_type(n, m, tol)).itemsize


def sinkhorn(
    cost: Cost,
    a: Array,
    b: Array,
    reg: float,
    tol: float = 1e-6,
    max_iter: int = 1000,
    start: Array | None = None,
    stage_steps: int = 30,
) -> Potentials:
    r"""The entropic plan :math:`\arg\min_{P1=a, P^\top 1=b} \langle P, C\rangle + \lambda\,\mathrm{KL}(P \| ab^\top)`.

    The regularisation falls to its value in stages, each of which starts from the last one's potentials. A stage takes
    a few scaling steps, then Newton steps on the concave dual, whose systems conjugate gradients solve. Where the
    regularisation is small, nearly all of the kernel is 0 to any precision, and the rest is kept as a sparse array.

    Parameters
    ----------
    cost : Cost
    a, b : (n,), (m,) arrays, > 0, each of sum 1
    reg : float
        The weight lambda of the entropy, > 0, in units of the cost.
    tol : float
        Largest l1 error of the column sums; the rows' are exact.
    max_iter : int
        Most steps at ``reg``; a step reads the kernel twice.
    start : (m,) array, optional
        A guess of g: it then begins at ``reg`` itself.
    stage_steps : int
        Most steps of each stage before.

    References
    ----------
    Schmitzer, Stabilized Sparse Scaling Algorithms for Entropy Regularized Transport Problems, SIAM Journal on
    Scientific Computing 41(3), 2019. doi:10.1137/16M1106018

    Brauer, Clason, Lorenz and Wirth, A Sinkhorn-Newton method for entropic optimal transport, 2017.
    doi:10.48550/arXiv.1710.06635
    """
    room: Array = np.empty((len(a), len(b)), kernel_type(len(a), len(b), tol))
    g = np.zeros(len(b)) if start is None else start
    # where the plan is still near a b', and a few steps are enough
    top = mean_cost(cost, a, b) / 10
    stages = 0 if start is not None or top <= reg else int(np.ceil(np.log(top / reg) / np.log(_STEP)))
    for stage in range(stages, 0, -1):
        # only a start for the next stage: a rough plan gives it as well
        g = _stage(room, cost, a, b, g, reg * _STEP**stage, max(tol, 1e-2), stage_steps).g
    return _stage(room, cost, a, b, g, reg, tol, max_iter)


def _stage(room: Array, cost: Cost, a: Array, b: Array, g: Array, reg: float, tol: float, max_iter: int) -> Potentials:
    """Solve at one regularisation, taking the scaling into the potentials whenever it has grown large."""
    done = 0
    while True:
        f = _fill(room, cost, b, g, reg)
        u, v, error, steps = _scale(_thin(room, b), a, b, tol, max_iter - done)
        f, g, done = f + reg * np.log(u), g + reg * np.log(v), done + steps
        if error < tol or done >= max_iter:
            return Potentials(f, g, error, done)


def _fill(K: Array, cost: Cost, b: Array, g: Array, reg: float) -> Array:
    """Write exp((f + g - C) / reg) into K, with the f (n,) for which every row of K b is 1, and return f."""
    f, weights = np.empty(len(K)), b.astype(K.dtype)
    for block, S in score_blocks(cost, g=g, reg=reg):
        top = S.max(axis=1)
        S -= top[:, None]
        np.maximum(S, _FLOOR, out=S)
        rows = K[block]
        rows[:] = S
        np.exp(rows, out=rows)
        sums = rows @ weights
        rows /= sums[:, None]
        f[block] = -reg * (top + np.log(sums))
    return f


def _thin(K: Array, b: Array) -> Any:
    """K itself, or where nearly all of it is 0 to any precision, the rest as a sparse array."""
    # K times b is the mass: small targets count by what they receive, not by the kernel's entry
    least, size = (_NOTHING / b).astype(K.dtype), max(1, BLOCK // len(b))
    kept = 0
    for start in range(0, len(K), size):
        kept += int(np.count_nonzero(K[start : start + size] > least))
        if kept > _SPARSE * K.size:
            return K
    return _sparse(K, least, size)


def _sparse(K: Array, least: Array, size: int) -> Any:
    parts = []
    for start in range(0, len(K), size):
        rows = K[start : start + size]
        parts.append(sparse.csr_array(np.where(rows > least, rows, 0), dtype=np.float64))
    return sparse.vstack(parts, format="csr")


def _scale(K: Any, a: Array, b: Array, tol: float, max_iter: int) -> tuple[Array, Array, float, int]:
    """Scalings u (n,), v (m,) with u (K b v) = 1 and, until they drift, v (K' a u) = 1; the latter's error; steps."""
    v, steps, scaled = np.ones(len(b)), 0, 0
    p = _times(K, b)
    while True:
        # rows exactly, then columns until the error is small: so the error is that of the columns alone
        u = 1 / p
        q, steps = v * _times(K.T, a * u), steps + 1
        error = float(b @ np.abs(q - 1))
        if error < tol or steps >= max_iter or np.abs(np.log(v)).max() > _DRIFT:
            return u, v, error, steps
        # far from the solution Newton's quadratic model misleads, and plain scaling never does
        if scaled < _PLAIN or error > 0.1:
            v, scaled = v / q, scaled + 1
            p = _times(K, b * v)
        else:
            toward, used = _newton_step(K, a * u**2, b * v, b * q, b * (1 - q), error, max_iter - steps)
            v, p = _climb(K, a, b, v, p, toward, float((b * (1 - q)) @ toward))
            steps += used


def _times(K: Any, x: Array) -> Array:
    """K x; of a kernel in float32 the sums over a thousand columns at a time are added up in float64."""
    if K.dtype == np.float64:
        return K @ x
    total, x = np.zeros(K.shape[0]), x.astype(K.dtype)
    for start in range(0, K.shape[1], 1000):
        total += K[:, start : start + 1000] @ x[start : start + 1000]
    return total


def _newton_step(
    K: Any, inner: Array, outer: Array, diagonal: Array, gradient: Array, error: float, most: int
) -> tuple[Array, int]:
    """Solve (diag(diagonal) - outer K' inner K outer) x = gradient, by conjugate gradients scaled to diagonal 1."""
    root = np.sqrt(diagonal)
    r = gradient / root
    r -= root * (root @ r) / (root @ root)  # a constant x changes nothing
    x, z, rr = np.zeros_like(r), r.copy(), float(r @ r)
    # solved as exactly as the error is small, which keeps Newton's pace without exact solutions far off
    enough, side = min(0.01, error) * rr, outer / root
    for step in range(1, most + 1):  # noqa: B007
        Az = z - side * (K.T @ (inner * (K @ (side * z).astype(K.dtype))).astype(K.dtype))
        curvature = float(z @ Az)
        # a semidefinite matrix whose kernel was rounded to float32
        if curvature <= 0:
            break
        x += rr / curvature * z
        r -= rr / curvature * Az
        before, rr = rr, float(r @ r)
        if rr <= enough:
            break
        z = r + rr / before * z
    return x / root, step


def _climb(K: Any, a: Array, b: Array, v: Array, p: Array, toward: Array, slope: float) -> tuple[Array, Array]:
    """Go toward the maximum of the dual b'log v - a'log K(b v), half as far until it rises; the new v and K (b v)."""
    value, noise = b @ np.log(v) - a @ np.log(p), 10 * float(np.finfo(K.dtype).eps)
    # no scaling may change by more than exp(5) at once: float32 ends at exp(88)
    far = min(1.0, _DRIFT / 2 / max(float(np.abs(toward).max()), 1e-300))
    while True:
        new = v * np.exp(far * toward)
        q = _times(K, b * new)
        # Armijo's rule, less the rounding of the sums: at the top a strict rule would halve without end
        if far < 1e-6 or b @ np.log(new) - a @ np.log(q) >= value + 1e-4 * far * slope - noise:
            return new, q
        far /= 2


def plan_blocks(cost: Cost, a: Array, b: Array, found: Potentials, reg: float) -> Iterator[tuple[slice, Array]]:
    """Blocks of rows of the entropic plan, float64, each row of sum a_i."""
    for block, S in score_blocks(cost, found.f, found.g, reg):
        P = np.exp(S, out=S)
        P *= b
        # the iteration ended on one marginal, and to a tolerance: rows are made exact, as barycentres divide by them
        P *= (a[block] / P.sum(axis=1))[:, None]
        yield block, P


def barycentres(cost: Cost, a: Array, b: Array, found: Potentials, reg: float, V: Array) -> tuple[Array, float]:
    """Where each source row goes, ``diag(a)^-1 P V`` for V (m, k), and the l1 error of the plan's column sums."""
    images, sums = np.empty((len(a), V.shape[1])), np.zeros(len(b))
    for block, P in plan_blocks(cost, a, b, found, reg):
        images[block] = (P @ V) / a[block, None]
        sums += P.sum(axis=0)
    return images, float(np.abs(sums - b).sum())


def class_shares(cost: Cost, a: Array, b: Array, found: Potentials, reg: float, codes: Array) -> Array:
    """What share of each target row's mass comes from each class, (classes, m), for source classes codes (n,)."""
    members = np.eye(codes.max() + 1)[codes]
    shares = np.zeros((members.shape[1], len(b)))
    for block, P in plan_blocks(cost, a, b, found, reg):
        shares += members[block].T @ P
    return shares / shares.sum(axis=0)
