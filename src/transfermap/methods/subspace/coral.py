"""Correlation alignment: whiten the source, colour it with the target's covariance, move it to the target's mean."""

from __future__ import annotations

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array, coral_map
from transfermap.roles import Adapter


@method(
    Card(
        name="Correlation alignment",
        year=2016,
        setting="transductive",
        transfers="features",
        objective="min_A ||A' Cs A - Ct||_F^2,  Cs, Ct with a ridge; then the means are matched",
        steps=(
            "Estimate mean and covariance of both domains, with a ridge.",
            "Whiten the source, colour it with the target's covariance, move it to the target's mean.",
            "Train on the moved source; target rows stay as they are.",
        ),
        solver="closed form, two symmetric eigendecompositions",
        cost="time n d^2 + d^3, memory n d + d^2",
        assumes=(
            "the domains differ by an affine change of the features",
            "class shares are about equal in both domains",
        ),
        fails_when=(
            "class shares differ: matching means then moves the classes over the boundary",
            "there are fewer rows than columns: the covariance is mostly the ridge",
        ),
        reference="Sun, Feng and Saenko, Return of Frustratingly Easy Domain Adaptation, AAAI 2016",
        doi="10.1609/aaai.v30i1.10306",
        toy="rotation_and_scale",
        by_default=True,
    )
)
class CORAL(Adapter):
    r"""Give the source the target's mean and covariance.

    .. math:: \min_A \lVert A^\top C_s A - C_t\rVert_F^2, \qquad A = C_s^{-1/2} C_t^{1/2}, \qquad
              x \mapsto (x - \mu_s) A + \mu_t

    with :math:`C = \operatorname{cov}(X) + \lambda \bar v I`, with the features' mean variance :math:`\bar v`.

    The paper assumes z-scored features, that is, equal means. Matching covariances but not means is harmful on features
    that are not centred (the whitening also turns the source's mean), so the means are matched here, always. With
    ``reg=1`` on z-scored data this is the paper's map.

    Fails when class shares differ between the domains, or when there are fewer rows than columns.

    Parameters
    ----------
    reg : float, default=0.01
        Ridge on both covariances, in units of the mean variance; the paper's value is 1.

    Attributes
    ----------
    map_ : ndarray of shape (d, d)
    shift_ : ndarray of shape (d,)

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> Xs, Xt = rng.normal(size=(500, 2)), 5 + rng.normal(size=(500, 2)) * [3, 1]
    >>> Z = CORAL(reg=0).fit_transform(np.r_[Xs, Xt], sample_domain=np.repeat([1, -1], 500))
    >>> bool(np.allclose(np.cov(Z[:500].T), np.cov(Xt.T)) and np.allclose(Z[:500].mean(0), Xt.mean(0)))
    True

    References
    ----------
    Sun, Feng and Saenko, Return of Frustratingly Easy Domain Adaptation, AAAI 2016. doi:10.1609/aaai.v30i1.10306
    """

    reg: float = param(default=0.01, low=0)

    def _fit(self, Xs: Array, ys: Array | None, Xt: Array) -> None:
        A, b = coral_map(Xs, Xt, self.reg)
        # found in float64, applied in the rows' own type. Rows are mapped, and any estimator is trained on them: the
        # authors' program trains a machine on Xs A Xs', which is no kernel, as it is not symmetric (docs/errors.md)
        self.map_, self.shift_ = A.astype(Xs.dtype), b.astype(Xs.dtype)

    def _map_source(self, X: Array) -> Array:
        return X @ self.map_ + self.shift_
