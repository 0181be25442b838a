"""Subspace alignment: turn the source's main axes onto the target's."""

from __future__ import annotations

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array, axes_for_share, principal_axes
from transfermap.roles import Adapter


@method(
    Card(
        name="Subspace alignment",
        year=2013,
        setting="transductive",
        transfers="features",
        objective="min_M ||Ps M - Pt||_F^2,  Ps and Pt the k leading principal axes of each domain",
        steps=(
            "Find the main axes of each domain about its own mean.",
            "Write the target in its own axes, and the source in its own axes turned onto the target's.",
            "Train on the turned source.",
        ),
        solver="closed form, M = Ps'Pt, two symmetric eigendecompositions",
        cost="time n d min(n, d), memory n d + min(n, d)^2",
        assumes=(
            "the label shows in the main axes of both domains",
            "the two subspaces are near enough to be matched axis by axis",
        ),
        fails_when=(
            "the label shows in directions of little variance",
            "the two subspaces are almost at right angles: the turned source shrinks to nothing",
        ),
        reference="Fernando, Habrard, Sebban and Tuytelaars, Unsupervised Visual Domain Adaptation Using Subspace "
        "Alignment, ICCV 2013",
        doi="10.1109/ICCV.2013.368",
        toy="subspace_shift",
        by_default=True,
    )
)
class SA(Adapter):
    r"""Turn the source's main axes onto the target's, and drop all other directions.

    .. math:: \min_M \lVert P_s M - P_t\rVert_F^2, \qquad M = P_s^\top P_t, \qquad
              x_s \mapsto (x_s - \mu_s) P_s P_s^\top P_t, \quad x_t \mapsto (x_t - \mu_t) P_t

    with :math:`P` the ``n_components`` leading principal axes of each domain about its own mean.

    Columns should be on comparable scales: principal axes follow the columns with the largest numbers.

    Fails when the label shows in directions of little variance, or when the subspaces are almost at right angles.

    Parameters
    ----------
    n_components : int or None, default=None
        Number of axes; None takes the fewest that explain 90 % of the variance in both domains. Fewer where a domain
        has fewer.

    Attributes
    ----------
    source_mean_, target_mean_ : ndarray of shape (d,)
    source_map_, target_map_ : ndarray of shape (d, n_components)

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> Xs, Xt = rng.normal(size=(99, 3)) * [5, 3, 0.1], rng.normal(size=(99, 3)) * [5, 0.1, 3] + 7
    >>> sa = SA().fit(np.r_[Xs, Xt], sample_domain=np.repeat([1, -1], 99))
    >>> sa.transform(Xt).shape, bool(np.allclose(sa.transform(Xt).mean(axis=0), 0))
    ((99, 2), True)

    References
    ----------
    Fernando, Habrard, Sebban and Tuytelaars, Unsupervised Visual Domain Adaptation Using Subspace Alignment, ICCV 2013.
    doi:10.1109/ICCV.2013.368
    """

    n_components: int | None = param(default=None, low=1, none=True)

    def _fit(self, Xs: Array, ys: Array | None, Xt: Array) -> None:
        k = self.n_components
        (ms, Ps, shares_s), (mt, Pt, shares_t) = principal_axes(Xs, k), principal_axes(Xt, k)
        # the same number for both, as M is square; of the two needs the larger
        k = k or max(axes_for_share(shares_s, 0.9), axes_for_share(shares_t, 0.9))
        k = min(k, Ps.shape[1], Pt.shape[1])
        Ps, Pt = Ps[:, :k], Pt[:, :k]
        self.source_mean_, self.target_mean_ = ms.astype(Xs.dtype), mt.astype(Xs.dtype)
        # each domain about its own mean. As features, not as the similarity Xs A Xt' that the authors' program hands to
        # a machine as if it were a kernel: it is not symmetric (docs/errors.md)
        self.source_map_, self.target_map_ = (Ps @ (Ps.T @ Pt)).astype(Xs.dtype), Pt.astype(Xs.dtype)

    def _map_source(self, X: Array) -> Array:
        return (X - self.source_mean_) @ self.source_map_

    def _map_target(self, X: Array) -> Array:
        return (X - self.target_mean_) @ self.target_map_
