"""The shortest path between two subspaces, and the features that take in every subspace along it.

The path turns the source's subspace into the target's, one pair of principal vectors at a time. In the basis of a pair
(where it starts, and the direction that it turns to) everything reduces to 2 x 2 matrices, so no d x d matrix is made.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from transfermap.math.linalg import Array, axes_for_share, principal_axes

_SMALL = 1e-2  # radians; below it a series is more exact than the closed form
_STILL = 1e-6  # radians; what turns less than this has no direction of its own, only rounding
_MOST = 100  # axes for which the disagreement is computed: one small SVD a domain each


class Flow(NamedTuple):
    """Principal vectors ``start`` (d, k), the directions ``ahead`` (d, k) they turn to, by which ``angles`` (k,)."""

    start: Array
    ahead: Array
    angles: Array


def geodesic_flow(Ps: Array, Pt: Array) -> Flow:
    """The shortest path between the spans of ``Ps`` and ``Pt`` (d, k), orthonormal; angles in radians, least first.

    The angles come from sines and cosines together: an arc cosine alone loses half of the digits of a small one.
    """
    U, _, Vt = np.linalg.svd(Ps.T @ Pt)
    start, end = Ps @ U, Pt @ Vt.T
    cosines = np.einsum("dk,dk->k", start, end)
    beside = end - Ps @ (Ps.T @ end)
    sines = np.linalg.norm(beside, axis=0)
    # a cosine of 0 may come out as -1e-17, and principal angles end at pi / 2
    angles = np.arctan2(sines, np.maximum(cosines, 0))
    largest = np.argmax(np.abs(start), axis=0)
    # an SVD's signs are anybody's choice; both ends turn together, so the path stays the same
    signs = np.where(start[largest, np.arange(start.shape[1])] < 0, -1, 1)
    return Flow(start * signs, beside / np.where(sines > 0, sines, 1) * signs, angles)


def point(flow: Flow, t: float) -> Array:
    """The basis (d, k) at time ``t`` of the path: the source's subspace at 0, the target's at 1."""
    return flow.start * np.cos(t * flow.angles) + flow.ahead * np.sin(t * flow.angles)


def kernel_moments(angles: Array) -> Array:
    """The means over the path of cos^2, cos sin and sin^2 of what each pair has turned by, (3, k).

    Closed forms of the integrals over t in [0, 1], with their limits 1, 0, 0 at an angle of 0.
    """
    # numpy's sinc(x) is sin(pi x) / (pi x), 1 at 0; the authors' GFK.m gives one half at an angle of 0 (docs/errors.md)
    turned = np.sinc(2 * angles / np.pi)
    series = angles**2 / 3 * (1 - angles**2 / 5 + 2 * angles**4 / 105)
    last = np.where(angles < _SMALL, series, (1 - turned) / 2)
    return np.stack([(1 + turned) / 2, angles / 2 * np.sinc(angles / np.pi) ** 2, last])


def sampled_moments(angles: Array, n_points: int) -> Array:
    """The same means over ``n_points`` times, evenly spaced from 0 to 1, (3, k)."""
    turned = np.outer(np.linspace(0, 1, n_points), angles)
    cos, sin = np.cos(turned), np.sin(turned)
    return np.stack([(cos**2).mean(axis=0), (cos * sin).mean(axis=0), (sin**2).mean(axis=0)])


def flow_factor(flow: Flow, moments: Array) -> Array:
    """The F (d, r), r <= 2k, with F F' the mean over the path of the projections onto its subspaces.

    Each pair's 2 x 2 matrix of ``moments`` is split by Cholesky. A pair that hardly turns has one column, not two.
    """
    first, cross, last = moments
    root = np.sqrt(first)
    # a Schur complement, >= 0 up to rounding; first >= 1/2, so nothing is divided by 0
    rest = np.sqrt(np.maximum(last - cross**2 / first, 0))
    turns = flow.angles > _STILL
    return np.concatenate([flow.start * root + flow.ahead * (cross / root), (flow.ahead * rest)[:, turns]], axis=1)


def disagreement_size(Ps: Array, Pt: Array, Pp: Array) -> int | None:
    """The fewest leading axes with which source and target have parted, seen from the pooled rows; None: never.

    The smallest k <= d / 2 for which the mean sine of the largest angles between the k leading axes of the pooled rows
    ``Pp`` (d, r) and those of each domain is 1 to two digits.
    """
    # two subspaces of more than d / 2 dimensions must share directions
    most = min(len(Pp) // 2, Ps.shape[1], Pt.shape[1], Pp.shape[1], _MOST)
    overlaps = [P[:, :most].T @ Pp[:, :most] for P in (Ps, Pt)]
    for k in range(1, most + 1):
        least = [np.linalg.svd(overlap[:k, :k], compute_uv=False)[-1] for overlap in overlaps]
        # as in the authors' getGFKDim.m, round(100 D) = 100: in real data D nears 1 and does not reach it
        if np.mean(np.sqrt(np.maximum(1 - np.square(least), 0))) >= 0.995:
            return k
    return None


def domain_flow(Xs: Array, Xt: Array, k: int | None) -> tuple[Array, Array, Flow]:
    """Both means (d,), and the path between the ``k`` leading principal axes of each domain, fewer where one has fewer.

    None takes :func:`disagreement_size`, and where they never part, the fewest axes that explain 90 % of both.
    """
    (ms, Ps, shares_s), (mt, Pt, shares_t) = principal_axes(Xs, k), principal_axes(Xt, k)
    if k is None:
        k = disagreement_size(Ps, Pt, principal_axes(np.concatenate([Xs, Xt]))[1])
        k = k or max(axes_for_share(shares_s, 0.9), axes_for_share(shares_t, 0.9))
    k = min(k, Ps.shape[1], Pt.shape[1])
    return ms, mt, geodesic_flow(_orthonormal(Ps[:, :k]), _orthonormal(Pt[:, :k]))


def _orthonormal(P: Array) -> Array:
    """Axes of little variance, found through a Gram matrix, are at right angles only roughly."""
    return np.linalg.qr(P)[0]
