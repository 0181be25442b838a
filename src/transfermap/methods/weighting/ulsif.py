"""uLSIF: the weight function nearest to the ratio of densities in least squares, in closed form."""

from __future__ import annotations

import numpy as np

from transfermap.card import Card, method, param
from transfermap.math.leastratio import REGS, least_ratio
from transfermap.math.linalg import Array
from transfermap.math.ratio import draw_rows, ratio_weights, try_gammas
from transfermap.roles import Weigher


@method(
    Card(
        name="Unconstrained least-squares importance fitting",
        year=2009,
        setting="transductive",
        transfers="instances",
        objective="min_a  mean_i w(x_i^s)^2 / 2 - mean_j w(x_j^t) + reg |a|^2 / 2,   w(x) = sum_l a_l k(x, c_l)",
        steps=(
            "Put Gaussian bumps on some of the target's rows.",
            "Solve one linear system for the heights whose sum is nearest to the ratio of densities; cut them at zero.",
            "Take the bumps' width and the penalty that do best on rows left out one by one, which costs no refitting.",
            "Train on the source weighted by the sum.",
        ),
        solver="closed form, as is the leave-one-out error",
        cost="time n m d + 8 n_s m^2, memory n m, with m centres; leaving out looks at 1,000 pairs of rows",
        assumes=(
            "the same row means the same label in both domains (covariate shift)",
            "the source has rows wherever the target has",
            "columns are on comparable scales",
        ),
        fails_when=(
            "the domains hardly overlap: the ratio has no bound, and a few rows decide",
            "there are many columns: the ratio is then flattened towards equal weights",
        ),
        reference="Kanamori, Hido and Sugiyama, A Least-squares Approach to Direct Importance Estimation, JMLR 10, "
        "2009",
        doi="https://jmlr.org/papers/v10/kanamori09a.html",
        toy="covariate_shift",
    )
)
class ULSIF(Weigher):
    r"""Weigh source rows by the least-squares fit to the ratio of the two densities.

    .. math:: \min_{\alpha} \frac{1}{2 n_s}\sum_i w(x^s_i)^2 - \frac{1}{n_t}\sum_j w(x^t_j)
              + \frac{\lambda}{2}\lVert\alpha\rVert^2, \qquad
              w(x) = \sum_l \alpha_l\, e^{-\gamma \lVert x - c_l \rVert^2}

    with centres :math:`c_l` among the target's rows; negative :math:`\alpha_l` are then set to 0. Columns should be on
    comparable scales.

    Fails when the domains hardly overlap, and in many columns.

    Parameters
    ----------
    centres : int, default=100
        Number of centres, drawn from the target's rows; all of them where there are fewer.
    gamma : float or None, default=None
        Of the kernel, in 1 / squared units of X; None takes that of eight with the least leave-one-out error.
    reg : float or None, default=None
        The paper's lambda, > 0; None takes, by the same error, that of nine between 0.001 and 10.
    random_state : int, default=0
        Draws the centres.

    Attributes
    ----------
    weights_ : ndarray of shape (n_source,), mean 1
    centres_ : ndarray of shape (n_centres, d)
    gamma_, reg_ : float
    log_coef_ : ndarray of shape (n_centres,)
        Logarithms of alpha, -inf where it is 0. With them
        :func:`transfermap.math.ratio.log_kernel_ratio` gives w at any row.

    Examples
    --------
    >>> import numpy as np
    >>> from transfermap.math.ratio import KernelRatio, log_kernel_ratio
    >>> rng = np.random.default_rng(0)
    >>> Xs, Xt = rng.normal(size=(300, 1)), rng.normal(loc=1, size=(300, 1))
    >>> ulsif = ULSIF().fit(np.r_[Xs, Xt], sample_domain=np.repeat([1, -1], 300))
    >>> fitted = KernelRatio(ulsif.centres_, ulsif.gamma_, ulsif.log_coef_)
    >>> low, high = log_kernel_ratio(np.array([[-1.0], [2.0]]), fitted)
    >>> bool(low < -0.5 and high > 0.5)
    True

    References
    ----------
    Kanamori, Hido and Sugiyama, A Least-squares Approach to Direct Importance Estimation, JMLR 10, 2009, 1391-1445.
    https://jmlr.org/papers/v10/kanamori09a.html
    """

    centres: int = param(default=100, low=1)
    gamma: float | None = param(default=None, above=0, none=True)
    reg: float | None = param(default=None, above=0, none=True)
    random_state: int = param(default=0, low=0)

    def weigh(self, Xs: Array, ys: Array | None, Xt: Array) -> Array:
        Xs, Xt = (X.astype(np.float64, copy=False) for X in (Xs, Xt))
        gammas = try_gammas(Xs, Xt) if self.gamma is None else (self.gamma,)
        regs = REGS if self.reg is None else (self.reg,)
        C = Xt[draw_rows(Xt, self.centres, self.random_state)]
        ratio, self.reg_, _, logs = least_ratio(Xs, Xt, C, gammas, regs, alpha=0.0)
        self.centres_, self.gamma_, self.log_coef_ = ratio.centres, ratio.gamma, ratio.log_coef
        return ratio_weights(logs)
