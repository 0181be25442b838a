"""KLIEP: the weight function under which the target's rows are likeliest."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from transfermap.card import Card, method, param
from transfermap.math.kliep import HeldOut, choose_gamma, kliep_ratio
from transfermap.math.linalg import Array
from transfermap.math.ratio import draw_rows, log_mixture, ratio_weights, squared_distances, try_gammas
from transfermap.roles import Weigher


@method(
    Card(
        name="Kullback-Leibler importance estimation",
        year=2008,
        setting="transductive",
        transfers="instances",
        objective="max_a  sum_j log w(x_j^t)   s.t.  mean_i w(x_i^s) = 1,  a >= 0,   w(x) = sum_l a_l k(x, c_l)",
        steps=(
            "Put Gaussian bumps on some of the target's rows.",
            "Add them up with the heights, none below zero, that make the target's rows likeliest while the sum is one "
            "on average over the source.",
            "Take the bumps' width that does best on rows left out; train on the source weighted by the sum.",
        ),
        solver="convex; an interior-point method, until the duality gap is below tol",
        cost="time n m d + 10 n_t m^2, memory n m, with m centres; choosing the width looks at 2,000 rows a side",
        assumes=(
            "the same row means the same label in both domains (covariate shift)",
            "the source has rows wherever the target has",
            "columns are on comparable scales",
        ),
        fails_when=(
            "target rows lie where the source has none: the few source rows nearest to them get all the weight",
            "there are many columns: no width is then right for all of them",
        ),
        reference="Sugiyama, Suzuki, Nakajima, Kashima, von Buenau and Kawanabe, Direct Importance Estimation for "
        "Covariate Shift Adaptation, Annals of the Institute of Statistical Mathematics 60(4), 2008",
        doi="10.1007/s10463-008-0197-x",
        toy="covariate_shift",
    )
)
class KLIEP(Weigher):
    r"""Weigh source rows by the ratio of densities that makes the target's rows likeliest.

    .. math:: \max_{\alpha \ge 0} \sum_j \log w(x^t_j) \quad\text{s.t.}\quad \frac{1}{n_s}\sum_i w(x^s_i) = 1,
              \qquad w(x) = \sum_l \alpha_l\, e^{-\gamma \lVert x - c_l \rVert^2}

    with centres :math:`c_l` among the target's rows. The problem is convex and solved until the gap to its optimum is
    at most ``tol``. Columns should be on comparable scales.

    Fails when target rows lie where the source has none, and in many columns.

    Parameters
    ----------
    centres : int, default=100
        Number of centres, drawn from the target's rows; all of them where there are fewer.
    gamma : float or None, default=None
        Of the kernel, in 1 / squared units of X; None takes the best of eight by cross-validation.
    held_out : {"both", "target"}, default="both"
        What that leaves out. "target" is the paper's way: the likelihood of target rows left out, which with few rows
        or little overlap prefers kernels that are too narrow. "both" scores how well w tells left-out rows of the two
        domains apart.
    folds : int, default=5
        Of the cross-validation, >= 2.
    tol : float, default=1e-08
        How far the mean log weight of the target's rows may be from the largest possible, > 0.
    max_iter : int, default=100
        Most steps of the solver; if they do not do, it warns.
    random_state : int, default=0
        Draws the centres.

    Attributes
    ----------
    weights_ : ndarray of shape (n_source,), mean 1
    centres_ : ndarray of shape (n_centres, d)
    gamma_ : float
    log_coef_ : ndarray of shape (n_centres,)
        Logarithms of alpha, -inf where it is 0. With them
        :func:`transfermap.math.ratio.log_kernel_ratio` gives w at any row.

    Examples
    --------
    >>> import numpy as np
    >>> from transfermap.math.ratio import KernelRatio, log_kernel_ratio
    >>> rng = np.random.default_rng(0)
    >>> Xs, Xt = rng.normal(size=(300, 1)), rng.normal(loc=1, size=(300, 1))
    >>> kliep = KLIEP().fit(np.r_[Xs, Xt], sample_domain=np.repeat([1, -1], 300))
    >>> fitted = KernelRatio(kliep.centres_, kliep.gamma_, kliep.log_coef_)
    >>> low, high = log_kernel_ratio(np.array([[-1.0], [2.0]]), fitted)
    >>> bool(low < -0.5 and high > 0.5)
    True

    References
    ----------
    Sugiyama, Suzuki, Nakajima, Kashima, von Buenau and Kawanabe, Direct Importance Estimation for Covariate Shift
    Adaptation, Annals of the Institute of Statistical Mathematics 60, 2008, 699-746. doi:10.1007/s10463-008-0197-x
    """

    centres: int = param(default=100, low=1)
    gamma: float | None = param(default=None, above=0, none=True)
    held_out: HeldOut = param(default="both", choices=("both", "target"))
    folds: int = param(default=5, low=2)
    tol: float = param(default=1e-8, above=0)
    max_iter: int = param(default=100, low=1)
    random_state: int = param(default=0, low=0)

    def weigh(self, Xs: Array, ys: Array | None, Xt: Array) -> Array:
        Xs, Xt = (X.astype(np.float64, copy=False) for X in (Xs, Xt))
        # target rows, where the ratio is large: kernels about source rows would cover where it is near 0
        C = Xt[draw_rows(Xt, self.centres, self.random_state)]
        Ds, Dt = squared_distances(Xs, C), squared_distances(Xt, C)
        gamma = self.gamma
        if gamma is None:
            gamma = choose_gamma(Xs, Xt, Ds, Dt, try_gammas(Xs, Xt), self.folds, self.held_out)
        ratio, gap = kliep_ratio(Ds, Dt, C, gamma, self.tol, self.max_iter)
        if gap > self.tol:
            warnings.warn(
                f"KLIEP: duality gap {gap:.1g} after {self.max_iter} steps, wanted {self.tol:.1g}; raise max_iter or "
                "tol",
                ConvergenceWarning,
                stacklevel=2,
            )
        self.centres_, self.gamma_, self.log_coef_ = ratio.centres, ratio.gamma, ratio.log_coef
        # from logarithms: narrow kernels would give 0 for every source row, and 0 / 0 for their mean
        return ratio_weights(log_mixture(Ds, ratio))
