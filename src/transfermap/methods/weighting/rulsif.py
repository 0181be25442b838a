"""RuLSIF: weights by the ratio of the target to a mixture of both domains, which has a bound."""

from __future__ import annotations

import numpy as np

from transfermap.card import Card, method, param
from transfermap.math.leastratio import REGS, least_ratio, relative_pearson
from transfermap.math.linalg import Array
from transfermap.math.ratio import draw_rows, log_kernel_ratio, ratio_weights, try_gammas
from transfermap.roles import Weigher


@method(
    Card(
        name="Relative density-ratio fitting",
        year=2013,
        setting="transductive",
        transfers="instances",
        objective="min_a  alpha mean_j w(x_j^t)^2 / 2 + (1 - alpha) mean_i w(x_i^s)^2 / 2 - mean_j w(x_j^t) "
        "+ reg |a|^2 / 2,   w(x) = sum_l a_l k(x, c_l)",
        steps=(
            "Put Gaussian bumps on some of the target's rows.",
            "Solve one linear system for the heights whose sum is nearest to the target's density over that of a "
            "mixture of both domains; cut them at zero, and the sum at the largest value such a ratio can have.",
            "Take the bumps' width and the penalty that do best on rows left out one by one, which costs no refitting.",
            "Train on the source weighted by the sum.",
        ),
        solver="closed form, as is the leave-one-out error",
        cost="time n m d + 8 n m^2, memory n m, with m centres; leaving out looks at 1,000 pairs of rows",
        assumes=(
            "the same row means the same label in both domains (covariate shift)",
            "the source has rows near the target's",
            "columns are on comparable scales",
        ),
        fails_when=(
            "the shift is large: bounded weights correct it by half",
            "there are many columns: the ratio is then flattened towards equal weights",
        ),
        reference="Yamada, Suzuki, Kanamori, Hachiya and Sugiyama, Relative Density-Ratio Estimation for Robust "
        "Distribution Comparison, Neural Computation 25(5), 2013",
        doi="10.1162/NECO_a_00442",
        toy="covariate_shift",
    )
)
class RULSIF(Weigher):
    r"""Weigh source rows by the least-squares fit to the target's density relative to a mixture of both.

    .. math:: \min_{a} \frac{\alpha}{2 n_t}\sum_j w(x^t_j)^2 + \frac{1 - \alpha}{2 n_s}\sum_i w(x^s_i)^2
              - \frac{1}{n_t}\sum_j w(x^t_j) + \frac{\lambda}{2}\lVert a\rVert^2, \qquad
              w(x) = \sum_l a_l\, e^{-\gamma \lVert x - c_l \rVert^2}

    which estimates :math:`p_t / (\alpha p_t + (1 - \alpha) p_s) \le 1 / \alpha`. Negative :math:`a_l` are set to 0, and
    w is cut at that bound. Columns should be on comparable scales.

    Fails when the shift is so large that bounded weights do not do, and in many columns.

    Parameters
    ----------
    alpha : float, default=0.1
        The target's share of the mixture, in [0, 1]: 0 is the plain ratio (uLSIF); the larger, the more even the
        weights.
    centres : int, default=100
        Number of centres, drawn from the target's rows; all of them where there are fewer.
    gamma : float or None, default=None
        Of the kernel, in 1 / squared units of X; None takes that of eight with the least leave-one-out error.
    reg : float or None, default=None
        The penalty lambda, > 0; None takes, by the same error, that of nine between 0.001 and 10.
    random_state : int, default=0
        Draws the centres.

    Attributes
    ----------
    weights_ : ndarray of shape (n_source,), mean 1
    divergence_ : float
        The relative Pearson divergence of target from source, as far as w shows it.
    centres_ : ndarray of shape (n_centres, d)
    gamma_, reg_ : float
    log_coef_ : ndarray of shape (n_centres,)
        Logarithms of a, -inf where it is 0. With them, and with 1 / alpha for its cap,
        :func:`transfermap.math.ratio.log_kernel_ratio` gives w at any row.

    Examples
    --------
    >>> import numpy as np
    >>> from transfermap.math.ratio import KernelRatio, log_kernel_ratio
    >>> rng = np.random.default_rng(0)
    >>> Xs, Xt = rng.normal(size=(300, 1)), rng.normal(loc=1, size=(300, 1))
    >>> rulsif = RULSIF().fit(np.r_[Xs, Xt], sample_domain=np.repeat([1, -1], 300))
    >>> fitted = KernelRatio(rulsif.centres_, rulsif.gamma_, rulsif.log_coef_, 1 / rulsif.alpha)
    >>> low, high = log_kernel_ratio(np.array([[-1.0], [2.0]]), fitted)
    >>> bool(low < -0.5 and high > 0.5)
    True

    References
    ----------
    Yamada, Suzuki, Kanamori, Hachiya and Sugiyama, Relative Density-Ratio Estimation for Robust Distribution
    Comparison, Neural Computation 25, 2013, 1324-1370. doi:10.1162/NECO_a_00442
    """

    alpha: float = param(default=0.1, low=0, high=1)
    centres: int = param(default=100, low=1)
    gamma: float | None = param(default=None, above=0, none=True)
    reg: float | None = param(default=None, above=0, none=True)
    random_state: int = param(default=0, low=0)

    def weigh(self, Xs: Array, ys: Array | None, Xt: Array) -> Array:
        Xs, Xt = (X.astype(np.float64, copy=False) for X in (Xs, Xt))
        gammas = try_gammas(Xs, Xt) if self.gamma is None else (self.gamma,)
        regs = REGS if self.reg is None else (self.reg,)
        C = Xt[draw_rows(Xt, self.centres, self.random_state)]
        ratio, self.reg_, _, logs = least_ratio(Xs, Xt, C, gammas, regs, self.alpha)
        self.centres_, self.gamma_, self.log_coef_ = ratio.centres, ratio.gamma, ratio.log_coef
        # by the ratio before scaling to mean 1, which would change it
        self.divergence_ = relative_pearson(np.exp(logs), np.exp(log_kernel_ratio(Xt, ratio)), self.alpha)
        return ratio_weights(logs)
