"""The exact transport plan: a network simplex on the few pairs that can matter, and a check of all the others."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from transfermap.math.transport import Array, Cost, Potentials, mean_cost, score_blocks, sinkhorn

_DENSE = 40_000  # pairs up to which the simplex takes all of them
_NEAR = 10  # pairs a row, and a column, to begin with
_WORST = 5  # pairs a row that join in a round
_SLACK = 1e-10  # of the mean cost: a reduced cost above minus this is none
_PIVOTS = 1_000_000_000  # POT's own limit of 100,000 ends the simplex early on long tables
_PATIENCE = 200  # steps after which an entropic plan that is still far off starts again from the exact one
_STUCK = 1e-3  # an error below this is near enough to go on from as it is


def exact_plan(cost: Cost, a: Array, b: Array, start: Array | None = None) -> tuple[sparse.csr_array, Array]:
    r"""An optimal plan :math:`\arg\min_{P \ge 0} \langle P, C\rangle` s.t. :math:`P1=a,\ P^\top 1=b`, and its dual g.

    The entropic potentials at a small regularisation tell which pairs are near to being used. A network simplex finds
    the best plan on those; then the reduced costs :math:`C_{ij} - f_i - g_j` of all pairs are looked at, in blocks, and
    pairs with a negative one join, until there is none: the plan is then optimal over all n m pairs.

    Parameters
    ----------
    cost : Cost of (n, m) pairs
    a, b : (n,), (m,) arrays, > 0, each of sum 1
    start : (m,) array, optional
        A guess of g.

    Returns
    -------
    (n, m) sparse array with at most n + m - 1 entries, and (m,) array

    Examples
    --------
    >>> cost = Cost(np.array([[0.0], [1.0]]), np.array([[5.0], [9.0]]))
    >>> exact_plan(cost, np.array([0.5, 0.5]), np.array([0.5, 0.5]))[0].toarray().tolist()
    [[0.5, 0.0], [0.0, 0.5]]

    References
    ----------
    Bonneel, van de Panne, Paris and Heidrich, Displacement Interpolation Using Lagrangian Mass Transport, ACM
    Transactions on Graphics 30(6), 2011. doi:10.1145/2070781.2024192
    """
    n, m = len(a), len(b)
    # 1e-300: all costs may be 0
    slack = _SLACK * max(mean_cost(cost, a, b), 1e-300)
    if n * m <= _DENSE:
        return _simplex(cost, a, b, np.arange(n * m))[::2]
    g = _near_potentials(cost, a, b, start)
    # the nearest pairs alone need not carry both marginals; with the staircase some plan always exists
    arcs = np.unique(np.concatenate([staircase(a, b), *_nearest(cost, g)]))
    while True:
        plan, f, g = _simplex(cost, a, b, arcs)
        wanted = _violators(cost, f, g, slack)
        if not len(wanted):
            return plan, g
        grown = np.union1d(arcs, wanted)
        if len(grown) == len(arcs):  # only rounding is left
            return plan, g
        arcs = grown


def entropic_plan(
    cost: Cost, a: Array, b: Array, reg: float, tol: float = 1e-6, max_iter: int = 1000, start: Array | None = None
) -> Potentials:
    """As :func:`~transfermap.math.transport.sinkhorn`, also before outliers, whose potentials lie far out.

    A step moves a potential by a few times ``reg``, and an outlier's may have to go a million times that. The exact
    plan's dual is out there already.
    """
    found = sinkhorn(cost, a, b, reg, tol, min(max_iter, _PATIENCE), start)
    if found.error < tol or max_iter <= found.steps:
        return found
    g = found.g if found.error < _STUCK else exact_plan(cost, a, b)[1]
    again = sinkhorn(cost, a, b, reg, tol, max_iter - found.steps, g)
    return again._replace(steps=found.steps + again.steps)


def staircase(a: Array, b: Array) -> Array:
    """Pairs (n + m - 1 flat indices) of the plan that fills both marginals in the order given: one is always there."""
    steps = np.union1d(np.r_[0.0, np.cumsum(a)[:-1]], np.cumsum(b)[:-1])
    i = np.searchsorted(np.cumsum(a)[:-1], steps, side="right")
    j = np.searchsorted(np.cumsum(b)[:-1], steps, side="right")
    corners = np.r_[i[1:] * len(b) + j[:-1], i[:-1] * len(b) + j[1:]]
    return np.unique(np.r_[i * len(b) + j, corners])


def _near_potentials(cost: Cost, a: Array, b: Array, start: Array | None) -> Array:
    """g (m,) of the entropic plan at a hundredth of the mean cost."""
    reg = max(mean_cost(cost, a, b) / 100, 1e-300)
    # rough on purpose: it only ranks pairs, and a pair that was missed is found by the check of all
    return sinkhorn(cost, a, b, reg, tol=1e-3, max_iter=60, start=start).g


def _nearest(cost: Cost, g: Array) -> tuple[Array, Array]:
    """Flat indices of the pairs of least reduced cost of each row, and of each column."""
    n, m = len(cost.Xs), len(g)
    rows, f, best = [], np.empty(n), np.full((_NEAR, m), -np.inf)
    where = np.zeros((_NEAR, m), dtype=np.int64)
    for block, S in score_blocks(cost, g=g):
        k = min(_NEAR, m)
        j = np.argpartition(S, m - k, axis=1)[:, m - k :]
        rows.append((np.arange(block.start, block.stop)[:, None] * m + j).ravel())
        f[block] = -S.max(axis=1)
        # reduced costs: without f a row far from everything would never be near to any column
        S += f[block, None]
        both = np.concatenate([best, S])
        index = np.concatenate([where, np.broadcast_to(np.arange(block.start, block.stop)[:, None], S.shape)])
        top = np.argpartition(both, len(both) - _NEAR, axis=0)[len(both) - _NEAR :]
        best, where = np.take_along_axis(both, top, axis=0), np.take_along_axis(index, top, axis=0)
    return np.concatenate(rows), (where * m + np.arange(m))[best > -np.inf]


def _violators(cost: Cost, f: Array, g: Array, slack: float) -> Array:
    """Flat indices of pairs with a reduced cost below ``-slack``, the worst few of each row."""
    m, found = len(g), [np.empty(0, dtype=np.int64)]
    for block, S in score_blocks(cost, f, g):
        rows = np.flatnonzero(S.max(axis=1) > slack)
        if len(rows):
            T = S[rows]
            k = min(_WORST, m)
            j = np.argpartition(T, m - k, axis=1)[:, m - k :]
            bad = np.take_along_axis(T, j, axis=1) > slack
            found.append((((rows + block.start)[:, None] * m) + j)[bad])
    return np.concatenate(found)


def _simplex(cost: Cost, a: Array, b: Array, arcs: Array) -> tuple[sparse.csr_array, Array, Array]:
    """The best plan on some pairs, and its dual potentials."""
    # importing POT takes a second, which only transport should pay (docs/decisions/0010)
    from ot.lp import emd  # type: ignore[import-untyped]

    # all weights are > 0, so the simplex's duals are right; centring would shift f against g, which changes nothing
    params = {"numItermax": _PIVOTS, "log": True, "center_dual": False}
    i, j = np.divmod(arcs, len(b))
    C = _pair_costs(cost, i, j)
    if len(arcs) == len(a) * len(b):
        G, log = emd(a, b, C.reshape(len(a), len(b)), **params)
        return sparse.csr_array(G), log["u"], log["v"]
    # a cost of 0 would drop out of a sparse array as if the pair were not there
    shift = 1.0 + np.abs(C).max()
    G, log = emd(a, b, sparse.coo_array((C + shift, (i, j)), (len(a), len(b))), **params)
    return sparse.csr_array(G), log["u"] - shift, log["v"]


def _pair_costs(cost: Cost, i: Array, j: Array) -> Array:
    C = np.empty(len(i))
    # 8 MB of differences at a time. Differences, not products: near pairs must not cancel
    size = max(1, (1 << 20) // cost.Xs.shape[1])
    for start in range(0, len(i), size):
        part = slice(start, start + size)
        C[part] = ((cost.Xs[i[part]] - cost.Xt[j[part]]) ** 2).sum(axis=1)
    if cost.table is not None:
        C += cost.table[cost.codes[i], j]
    return C
