"""Subspace distribution alignment: turn the source's main axes onto the target's, and match what varies along them."""

from __future__ import annotations

from typing import Literal

import numpy as np

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array, axes_for_share, principal_axes
from transfermap.roles import Adapter


def distribution_map(Ps: Array, Pt: Array, spread_s: Array, spread_t: Array, order: Literal["whiten", "turn"]) -> Array:
    """The map (d, k) of centred source rows: onto ``Ps`` (d, k), turned to ``Pt``, with the target's variances (k,)."""
    M = Ps.T @ Pt
    if order == "whiten":
        # variances belong to axes: the source's are taken out before its axes are turned, the target's put in after
        return (Ps / np.sqrt(spread_s)) @ M * np.sqrt(spread_t)
    return Ps @ M * np.sqrt(spread_t / spread_s)


@method(
    Card(
        name="Subspace distribution alignment",
        year=2015,
        setting="transductive",
        transfers="features",
        objective="min_M ||Ps M - Pt||_F^2,  then the variances along the axes are matched too",
        steps=(
            "Find the main axes of each domain about its own mean, and the variance along each.",
            "Write the target in its own axes.",
            "Even out the source's variances, turn its axes onto the target's, and give them the target's variances.",
        ),
        solver="closed form, two symmetric eigendecompositions",
        cost="time n d min(n, d), memory n d + min(n, d)^2",
        assumes=(
            "the label shows in the main axes of both domains",
            "the domains differ by a turn and a stretch of these axes",
            "class shares are about equal in both domains",
        ),
        fails_when=(
            "the label shows in directions of little variance",
            "the two subspaces are almost at right angles: the turned source shrinks to nothing",
            "class shares differ: they change the variances that are matched",
        ),
        reference="Sun and Saenko, Subspace Distribution Alignment for Unsupervised Domain Adaptation, BMVC 2015",
        doi="10.5244/C.29.24",
        toy="subspace_shift",
    )
)
class SDA(Adapter):
    r"""Turn the source's main axes onto the target's, and give them the target's variances.

    .. math:: x_s \mapsto (x_s - \mu_s) P_s E_s^{-1/2} M E_t^{1/2}, \qquad x_t \mapsto (x_t - \mu_t) P_t, \qquad
              M = P_s^\top P_t

    with :math:`P` the ``n_components`` leading principal axes of each domain about its own mean, and :math:`E` the
    variances along them. It is subspace alignment with the source's variances evened out before the turn and the
    target's put in after it: where the subspaces coincide, the moved source has exactly the target's covariance.

    Columns should be on comparable scales: principal axes follow the columns with the largest numbers.

    Fails when the label shows in directions of little variance, or when the subspaces are almost at right angles.

    Parameters
    ----------
    n_components : int or None, default=None
        Number of axes; None takes the fewest that explain 90 % of the variance in both domains. Fewer where a domain
        has fewer.
    reg : float, default=0.01
        Added to all variances, in units of their mean over the axes of both domains; the paper has none.
    order : {"whiten", "turn"}, default="whiten"
        "turn" is the paper's product M E_s^(-1/2) E_t^(1/2), which turns first and then stretches each of the target's
        axes by what the source's axis of the same rank lacks; the covariances then agree only where the axes do.

    Attributes
    ----------
    source_mean_, target_mean_ : ndarray of shape (d,)
    source_map_, target_map_ : ndarray of shape (d, n_components)

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> Xs, Xt = rng.normal(size=(99, 3)) * [5, 3, 0.1], rng.normal(size=(99, 3)) * [9, 1, 0.1] + 7
    >>> sda = SDA(n_components=2, reg=0)
    >>> Z = sda.fit_transform(np.r_[Xs, Xt], sample_domain=np.repeat([1, -1], 99))
    >>> bool(np.allclose(np.cov(Z[:99].T), np.cov(Z[99:].T), rtol=0.01, atol=0.1))
    True

    References
    ----------
    Sun and Saenko, Subspace Distribution Alignment for Unsupervised Domain Adaptation, BMVC 2015. doi:10.5244/C.29.24
    """

    n_components: int | None = param(default=None, low=1, none=True)
    reg: float = param(default=0.01, low=0)
    order: Literal["whiten", "turn"] = param(default="whiten", choices=("whiten", "turn"))

    def _fit(self, Xs: Array, ys: Array | None, Xt: Array) -> None:
        k = self.n_components
        (ms, Ps, shares_s), (mt, Pt, shares_t) = principal_axes(Xs, k), principal_axes(Xt, k)
        k = k or max(axes_for_share(shares_s, 0.9), axes_for_share(shares_t, 0.9))
        k = min(k, Ps.shape[1], Pt.shape[1])
        Ps, Pt = Ps[:, :k], Pt[:, :k]
        spreads = [((X - m) @ P).var(axis=0, ddof=1) for X, m, P in ((Xs, ms, Ps), (Xt, mt, Pt))]
        # one for both domains, so that equal variances stay equal; an axis without variance would be divided by 0
        ridge = max(self.reg * np.mean(spreads), float(np.finfo(np.float64).tiny))
        source_map = distribution_map(Ps, Pt, spreads[0] + ridge, spreads[1] + ridge, self.order)
        self.source_mean_, self.target_mean_ = ms.astype(Xs.dtype), mt.astype(Xs.dtype)
        self.source_map_, self.target_map_ = source_map.astype(Xs.dtype), Pt.astype(Xs.dtype)

    def _map_source(self, X: Array) -> Array:
        return (X - self.source_mean_) @ self.source_map_

    def _map_target(self, X: Array) -> Array:
        return (X - self.target_mean_) @ self.target_map_
