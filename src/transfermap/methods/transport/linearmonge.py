"""Linear Monge mapping: move the source's Gaussian onto the target's with the least displacement."""

from __future__ import annotations

import numpy as np

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array, moments, spd_power
from transfermap.roles import Adapter


def monge_map(Xs: Array, Xt: Array, reg: float) -> tuple[Array, Array]:
    """The affine map ``x -> x A + b`` that carries the source's Gaussian to the target's at the least squared cost."""
    (ms, Cs), (mt, Ct) = moments(Xs), moments(Xt)
    # one for both, relative to the mean variance: reg means the same in any unit, equal domains stay where they are
    ridge = reg * np.trace(Cs + Ct) / (2 * len(Cs)) * np.eye(len(Cs))
    half, inverse = spd_power(Cs + ridge, 0.5), spd_power(Cs + ridge, -0.5)
    A = inverse @ spd_power(half @ (Ct + ridge) @ half, 0.5) @ inverse
    # symmetric on paper: of all maps with these moments the least displacement has no turn in it
    A = (A + A.T) / 2
    return A, mt - ms @ A


@method(
    Card(
        name="Linear Monge mapping",
        year=2019,
        setting="transductive",
        transfers="features",
        objective="min_T E||x - T(x)||^2  s.t.  T carries N(ms, Cs) to N(mt, Ct)",
        steps=(
            "Estimate mean and covariance of both domains, with a ridge.",
            "Move the source by the affine map that gives it the target's mean and covariance and moves rows least.",
            "Train on the moved source; target rows stay as they are.",
        ),
        solver="closed form, three symmetric eigendecompositions",
        cost="time n d^2 + d^3, memory n d + d^2",
        assumes=(
            "the domains differ by an affine change of the features that does not turn them over",
            "class shares are about equal in both domains",
        ),
        fails_when=(
            "class shares differ: matching means then moves the classes over the boundary",
            "there are fewer rows than columns: the covariance is mostly the ridge",
        ),
        reference="Flamary, Lounici and Ferrari, Concentration bounds for linear Monge mapping estimation and optimal "
        "transport domain adaptation, arXiv:1905.10155, 2019",
        doi="10.48550/arXiv.1905.10155",
        toy="rotation_and_scale",
        by_default=True,
    )
)
class LinearMonge(Adapter):
    r"""Move the source onto the target's mean and covariance with the least displacement.

    .. math:: \min_T \mathbb{E}\lVert x - T(x)\rVert^2 \quad\text{s.t.}\quad T_\#N(\mu_s, C_s) = N(\mu_t, C_t), \qquad
              T(x) = (x - \mu_s) A + \mu_t, \quad A = C_s^{-1/2} (C_s^{1/2} C_t C_s^{1/2})^{1/2} C_s^{-1/2}

    with :math:`C = \operatorname{cov}(X) + \lambda \bar v I`, with the features' mean variance :math:`\bar v`.
    It matches the same two moments as CORAL; of all maps that do, it is the one that moves rows least.

    Fails when class shares differ between the domains, or when there are fewer rows than columns.

    Parameters
    ----------
    reg : float, default=0.001
        Ridge on both covariances, in units of the mean variance.

    Attributes
    ----------
    map_ : ndarray of shape (d, d), symmetric and positive
    shift_ : ndarray of shape (d,)

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> Xs, Xt = rng.normal(size=(500, 2)), 5 + rng.normal(size=(500, 2)) * [3, 1]
    >>> Z = LinearMonge(reg=0).fit_transform(np.r_[Xs, Xt], sample_domain=np.repeat([1, -1], 500))
    >>> bool(np.allclose(np.cov(Z[:500].T), np.cov(Xt.T)) and np.allclose(Z[:500].mean(0), Xt.mean(0)))
    True

    References
    ----------
    Flamary, Lounici and Ferrari, Concentration bounds for linear Monge mapping estimation and optimal transport domain
    adaptation, 2019. doi:10.48550/arXiv.1905.10155
    """

    reg: float = param(default=0.001, low=0)

    def _fit(self, Xs: Array, ys: Array | None, Xt: Array) -> None:
        A, b = monge_map(Xs, Xt, self.reg)
        self.map_, self.shift_ = A.astype(Xs.dtype), b.astype(Xs.dtype)

    def _map_source(self, X: Array) -> Array:
        return X @ self.map_ + self.shift_
