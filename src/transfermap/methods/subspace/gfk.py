"""Geodesic flow kernel: features that take in every subspace on the way from the source's to the target's."""

from __future__ import annotations

import numpy as np

from transfermap.card import Card, method, param
from transfermap.math.geodesic import domain_flow, flow_factor, kernel_moments
from transfermap.math.linalg import Array
from transfermap.roles import Adapter


@method(
    Card(
        name="Geodesic flow kernel",
        year=2012,
        setting="transductive",
        transfers="features",
        objective="G = int_0^1 Phi(t) Phi(t)' dt,  Phi(0) = Ps, Phi(1) = Pt, Phi the shortest path between them",
        steps=(
            "Find the main axes of each domain, and the shortest path that turns the one subspace into the other.",
            "Average the inner products of rows over all subspaces on the path, in closed form.",
            "Write rows in features whose inner products are that average; train on the source's.",
        ),
        solver="closed form: principal angles by singular values, then one 2 x 2 Cholesky factor an angle",
        cost="time n d min(n, d), memory n d + min(n, d)^2 + d k, k components",
        assumes=(
            "the label shows in the main axes of both domains",
            "the domains differ by a gradual turn of these axes",
        ),
        fails_when=(
            "the label shows in directions of little variance",
            "the subspaces agree: it is then plain projection onto the main axes",
        ),
        reference="Gong, Shi, Sha and Grauman, Geodesic Flow Kernel for Unsupervised Domain Adaptation, IEEE CVPR 2012",
        doi="10.1109/CVPR.2012.6247911",
        by_default=True,
        toy="subspace_shift",
    )
)
class GFK(Adapter):
    r"""Compare rows in all subspaces between the source's and the target's at once.

    .. math:: G = \int_0^1 \Phi(t)\Phi(t)^\top dt = F F^\top, \qquad x \mapsto F^\top (x - \mu),
              \qquad \Phi(0) = P_s, \; \Phi(1) = P_t

    with :math:`\Phi` the shortest path between the subspaces of the ``n_components`` leading principal axes of each
    domain. Inner products and distances of the features are those of the kernel :math:`x^\top G y`. With principal
    angles :math:`\theta_i`, where a pair starts :math:`a_i` and where it turns to :math:`q_i`,

    .. math:: G = \sum_i [a_i\, q_i] \begin{bmatrix} \tfrac12 + \tfrac{\sin 2\theta_i}{4\theta_i} &
              \tfrac{1 - \cos 2\theta_i}{4\theta_i} \\ \tfrac{1 - \cos 2\theta_i}{4\theta_i} &
              \tfrac12 - \tfrac{\sin 2\theta_i}{4\theta_i} \end{bmatrix} [a_i\, q_i]^\top .

    Columns should be on comparable scales: principal axes follow the columns with the largest numbers.

    Fails when the label shows in directions of little variance; where the subspaces agree it only projects onto them.

    Parameters
    ----------
    n_components : int or None, default=None
        Number of axes of each domain; fewer where one has fewer. None takes the fewest with which the domains have
        parted (the paper's subspace disagreement, at most half the columns), and where they never do, the fewest that
        explain 90 % of the variance in both.
    centre : bool, default=True
        Whether to take each domain's own mean off its rows. The paper's rows are z-scored, so that it has no effect.

    Attributes
    ----------
    source_mean_, target_mean_ : ndarray of shape (d,)
        What is taken off; zeros without ``centre``.
    factor_ : ndarray of shape (d, r)
        F, at most two columns a component.
    angles_ : ndarray of shape (n_components,)
        Principal angles in radians, least first.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> Xs, Xt = rng.normal(size=(99, 3)) * [5, 3, 0.1], rng.normal(size=(99, 3)) * [5, 0.1, 3]
    >>> gfk = GFK(n_components=2).fit(np.r_[Xs, Xt], sample_domain=np.repeat([1, -1], 99))
    >>> gfk.transform(Xt).shape, (gfk.angles_ * 180 / np.pi).round().tolist()
    ((99, 3), [0.0, 90.0])

    References
    ----------
    Gong, Shi, Sha and Grauman, Geodesic Flow Kernel for Unsupervised Domain Adaptation, IEEE CVPR 2012.
    doi:10.1109/CVPR.2012.6247911
    """

    n_components: int | None = param(default=None, low=1, none=True)
    centre: bool = param(default=True, choices=(True, False))

    def _fit(self, Xs: Array, ys: Array | None, Xt: Array) -> None:
        # in factors F with G = FF', not G itself: d x 2k in place of d x d, and no root of a singular matrix
        ms, mt, flow = domain_flow(Xs, Xt, self.n_components)
        if not self.centre:
            ms = mt = np.zeros_like(ms)
        self.source_mean_, self.target_mean_ = ms.astype(Xs.dtype), mt.astype(Xs.dtype)
        self.factor_ = flow_factor(flow, kernel_moments(flow.angles)).astype(Xs.dtype)
        self.angles_ = flow.angles

    def _map_source(self, X: Array) -> Array:
        return (X - self.source_mean_) @ self.factor_

    def _map_target(self, X: Array) -> Array:
        return (X - self.target_mean_) @ self.factor_
