"""Sampled geodesic flow: rows as seen in a few subspaces on the way from the source's to the target's."""

from __future__ import annotations

import numpy as np

from transfermap.card import Card, method, param
from transfermap.math.geodesic import domain_flow, flow_factor, sampled_moments
from transfermap.math.linalg import Array, axes_for_share, principal_axes
from transfermap.roles import Adapter


@method(
    Card(
        name="Sampled geodesic flow",
        year=2011,
        setting="transductive",
        transfers="features",
        objective="x -> [Phi(t_1)'x, ..., Phi(t_N)'x] / sqrt(N), then PCA;  Phi the shortest path from Ps to Pt",
        steps=(
            "Find the main axes of each domain, and the shortest path that turns the one subspace into the other.",
            "Stop at a few points of the path, and write each row in all of these subspaces, side by side.",
            "Keep the main axes of what results; train on the source's rows.",
        ),
        solver="closed form: principal angles by singular values, one 2 x 2 Cholesky factor an angle, then PCA",
        cost="time n d min(n, d), memory n d + min(n, d)^2 + d k, k components, whatever the number of points",
        assumes=(
            "the label shows in the main axes of both domains",
            "the domains differ by a gradual turn of these axes",
        ),
        fails_when=(
            "the label shows in directions of little variance",
            "the subspaces agree: it is then plain projection onto the main axes",
        ),
        reference="Gopalan, Li and Chellappa, Domain Adaptation for Object Recognition: An Unsupervised Approach, "
        "IEEE ICCV 2011",
        doi="10.1109/ICCV.2011.6126344",
        toy="subspace_shift",
    )
)
class SGF(Adapter):
    r"""Write rows in several subspaces between the source's and the target's, side by side.

    .. math:: x \mapsto V^\top\, \tfrac{1}{\sqrt N} \bigl[\Phi(t_1), \ldots, \Phi(t_N)\bigr]^\top (x - \mu), \qquad
              \Phi(0) = P_s, \; \Phi(1) = P_t, \; t_j = \tfrac{j - 1}{N - 1}

    with :math:`\Phi` the shortest path between the subspaces of the ``n_components`` leading principal axes of each
    domain, and :math:`V` the main axes of all rows so written. The N k columns hold only 2 k different ones, so they
    are never written out; the more points, the nearer the inner products come to the geodesic flow kernel's.

    Columns should be on comparable scales: principal axes follow the columns with the largest numbers.

    Fails when the label shows in directions of little variance; where the subspaces agree it only projects onto them.

    Parameters
    ----------
    n_components : int or None, default=None
        Number of axes of each domain; fewer where one has fewer. None takes the fewest with which the domains have
        parted (see GFK), and where they never do, the fewest that explain 90 % of the variance in both.
    n_points : int, default=10
        Number N of subspaces, the source's and the target's own among them.
    n_kept : int or None, default=None
        Number of columns that come out; None keeps all but 0.0001 % of the variance.
    centre : bool, default=True
        Whether to take each domain's own mean off its rows.

    Attributes
    ----------
    source_mean_, target_mean_ : ndarray of shape (d,)
        What is taken off; zeros without ``centre``.
    map_ : ndarray of shape (d, n_kept)
    angles_ : ndarray of shape (n_components,)
        Principal angles in radians, least first.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> Xs, Xt = rng.normal(size=(99, 3)) * [5, 3, 0.1], rng.normal(size=(99, 3)) * [5, 0.1, 3]
    >>> sgf = SGF(n_components=2, n_kept=2).fit(np.r_[Xs, Xt], sample_domain=np.repeat([1, -1], 99))
    >>> sgf.transform(Xt).shape
    (99, 2)

    References
    ----------
    Gopalan, Li and Chellappa, Domain Adaptation for Object Recognition: An Unsupervised Approach, IEEE ICCV 2011.
    doi:10.1109/ICCV.2011.6126344
    """

    n_components: int | None = param(default=None, low=1, none=True)
    n_points: int = param(default=10, low=2)
    n_kept: int | None = param(default=None, low=1, none=True)
    centre: bool = param(default=True, choices=(True, False))

    def _fit(self, Xs: Array, ys: Array | None, Xt: Array) -> None:
        ms, mt, flow = domain_flow(Xs, Xt, self.n_components)
        if not self.centre:
            ms = mt = np.zeros_like(ms)
        # N subspaces side by side have the inner products of these 2k columns, so N never costs anything
        F = flow_factor(flow, sampled_moments(flow.angles, self.n_points))
        _, V, shares = principal_axes(np.concatenate([(Xs - ms) @ F, (Xt - mt) @ F]))
        # at small angles the 2k columns are nearly dependent: what they add there is left out
        kept = self.n_kept or axes_for_share(shares, 1 - 1e-6)
        self.source_mean_, self.target_mean_ = ms.astype(Xs.dtype), mt.astype(Xs.dtype)
        self.map_ = (F @ V[:, :kept]).astype(Xs.dtype)
        self.angles_ = flow.angles

    def _map_source(self, X: Array) -> Array:
        return (X - self.source_mean_) @ self.map_

    def _map_target(self, X: Array) -> Array:
        return (X - self.target_mean_) @ self.map_
