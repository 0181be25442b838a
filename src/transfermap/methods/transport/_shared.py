"""What the transport methods share: rows and masses, room for a plan, and where rows never seen go."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import pairwise_distances_argmin

from transfermap.math.earthmover import exact_plan
from transfermap.math.transport import Array, Cost, centred, distinct, squared_distance_scale

SCALES = ("median", "max", "none")


class Clouds(NamedTuple):
    """The different rows of both domains in a fixed order, with each one's share and the place of each row given.

    ``codes`` are the source's classes 0 ... C - 1, where rows differ by them too. Shapes: Xs (n, d), a (n,), from_s
    (n_source,), Xt (m, d), b (m,), from_t (n_target,), codes (n,).
    """

    Xs: Array
    a: Array
    from_s: Array
    Xt: Array
    b: Array
    from_t: Array
    codes: Array | None


def clouds(Xs: Array, Xt: Array, codes: Array | None = None) -> Clouds:
    """Rows of both domains in float64, equal ones taken together, in an order that theirs does not change."""
    Xs, Xt = Xs.astype(np.float64, copy=False), Xt.astype(np.float64, copy=False)
    if codes is None:
        return Clouds(*distinct(Xs), *distinct(Xt), None)
    # equal rows of two classes must stay two: each carries its own label
    rows, a, place = distinct(np.column_stack([Xs, codes]))
    return Clouds(rows[:, :-1], a, place, *distinct(Xt), rows[:, -1].astype(np.int64))


def scaled_cost(both: Clouds, which: str) -> Cost:
    """Squared distances in units of their median or largest one."""
    cost = centred(both.Xs, both.Xt, squared_distance_scale(both.Xs, both.Xt, which))
    return cost._replace(codes=both.codes)


def check_room(owner: str, both: Clouds, needed: int, max_gb: float, way_out: str) -> None:
    """Refuse at once what would not fit, and say what would."""
    if needed > max_gb * 2**30:
        raise ValueError(
            f"{owner}: a plan between {len(both.a)} and {len(both.b)} different rows needs {needed / 2**30:.1f} GiB, "
            f"more than max_gb={max_gb:g}; {way_out} or raise max_gb"
        )


def warn_if_short(owner: str, error: float, tol: float, steps: int) -> None:
    """Say that the iteration ended before the plan had its marginals."""
    if error >= tol:
        warnings.warn(
            f"{owner}: the plan's column sums are off by {error:.1g} after {steps} steps, wanted {tol:.1g}; raise "
            "max_iter, tol or reg",
            ConvergenceWarning,
            stacklevel=3,
        )


def exact_images(Xs: Array, Xt: Array) -> tuple[Clouds, Array]:
    """The different rows, and where the exact plan between them takes each source one, (n, d)."""
    both = clouds(Xs, Xt)
    plan, _ = exact_plan(centred(both.Xs, both.Xt), both.a, both.b)
    # a row of the plan sums to a_i: divided by it, it is a mean
    return both, (plan @ both.Xt) / both.a[:, None]


def displacements(both: Clouds, images: Array, dtype: np.dtype[np.floating]) -> tuple[Array, Array]:
    """Each different source row (n, d) and how far it goes (n, d), the mean over classes where it has several."""
    # rows that come later have no class by which to choose
    rows, _, place = distinct(both.Xs)
    mass = np.bincount(place, both.a)
    shifts = np.column_stack([np.bincount(place, both.a * column) for column in (images - both.Xs).T]) / mass[:, None]
    return rows.astype(dtype), shifts.astype(dtype)


def moved(X: Array, rows: Array, shifts: Array) -> Array:
    """Each row of X (n, d) moved as the nearest of ``rows`` is."""
    X = X + X.dtype.type(0)  # -0.0 becomes 0.0, as in ``rows``
    # by their bytes: rows of fit must find themselves also where another one is as near to rounding
    known = {row.tobytes(): i for i, row in enumerate(rows.astype(X.dtype, copy=False))}
    nearest = np.array([known.get(row.tobytes(), -1) for row in X], dtype=np.int64)
    new = nearest < 0
    if new.any():
        mean = rows.mean(axis=0, dtype=np.float64)
        nearest[new] = pairwise_distances_argmin(X[new] - mean, rows - mean)
    return X + shifts[nearest]


def batches(n: int, m: int, size: int, rng: np.random.Generator) -> list[tuple[Array, Array]]:
    """Pairs of at most ``size`` source and target rows that hold every row of n and of m at least once.

    The smaller domain's rows are dealt out anew as often as it takes.
    """
    s, t = (-(-k // size) for k in (n, m))
    return list(zip(_dealt(n, s, max(s, t), rng), _dealt(m, t, max(s, t), rng), strict=True))


def _dealt(n: int, parts: int, wanted: int, rng: np.random.Generator) -> list[Array]:
    dealt: list[Array] = []
    while len(dealt) < wanted:
        # of nearly equal size: a last batch of three rows would look like no domain
        dealt += np.array_split(rng.permutation(n), parts)
    return [np.sort(part) for part in dealt[:wanted]]
