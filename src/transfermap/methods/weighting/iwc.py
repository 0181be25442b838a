"""Importance-weighted classification: weights clipped, and flattened until enough rows still count."""

from __future__ import annotations

import numpy as np

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array
from transfermap.math.logisticratio import log_ratio
from transfermap.math.ratio import ratio_weights
from transfermap.measure.shift.weights import effective_sample_size
from transfermap.roles import Weigher

_HALVINGS = 20  # to a millionth


def flattening(logs: Array, share: float) -> float:
    """The largest tau in [0, 1], to 1e-6, for which weights ``exp(tau logs)`` are worth ``share`` of the rows.

    They are worth (sum w)^2 / sum w^2 rows, which falls as tau grows: its logarithm is 2 K(tau) - K(2 tau) with the
    convex K(tau) = log sum exp(tau logs). So halving the interval finds it.

    Examples
    --------
    >>> flattening(np.log([1.0, 1.0, 2.0]), share=0.5)
    1.0
    >>> tau = flattening(np.log([1.0, 1.0, 100.0]), share=0.5)
    >>> round(float(effective_sample_size(100 ** (tau * np.array([0, 0, 1])))), 3)
    1.5
    """
    enough = share * len(logs)
    # the ratio itself is even enough
    if effective_sample_size(ratio_weights(logs)) >= enough:
        return 1.0
    low, step = 0.0, 0.5
    for _ in range(_HALVINGS):
        if effective_sample_size(ratio_weights(logs, low + step)) >= enough:
            low += step
        step /= 2
    return low


@method(
    Card(
        name="Importance-weighted classifier with clipping",
        year=2000,
        setting="transductive",
        transfers="instances",
        objective="min_f  sum_i w_i^tau loss(f(x_i^s), y_i^s),   tau = max{t <= 1: (sum w^t)^2 / sum w^2t >= s n_s}",
        steps=(
            "Learn to tell target rows from source rows, by logistic regression on the columns and their squares.",
            "Turn the odds of each source row, judged by a rule that never saw it, into a weight; cut the largest.",
            "Flatten the weights just as far as needed for a stated share of the source's rows to count.",
            "Train on the weighted source.",
        ),
        solver="logistic regression, its leave-one-out odds in closed form; the exponent by halving",
        cost="time n d a pass and 8 n d^2, memory 2 n d",
        assumes=(
            "the same row means the same label in both domains (covariate shift)",
            "the log ratio of the densities is about linear in the columns and their squares",
        ),
        fails_when=(
            "the domains lie far apart: the weights are then flattened until they correct little",
            "the label depends on the row differently in the target",
        ),
        reference="Shimodaira, Improving Predictive Inference under Covariate Shift by Weighting the Log-likelihood "
        "Function, Journal of Statistical Planning and Inference 90(2), 2000",
        doi="10.1016/S0378-3758(00)00115-4",
        neutral={"share": 1.0},
        toy="covariate_shift",
    )
)
class IWC(Weigher):
    r"""Weigh source rows by the odds that they come from the target, as sharply as the number of rows allows.

    .. math:: \min_f \sum_i w_i^\tau\, \ell(f(x^s_i), y^s_i), \qquad
              \tau = \max\Bigl\{ t \in [0, 1] : \frac{(\sum_i w_i^t)^2}{\sum_i w_i^{2t}} \ge s\, n_s \Bigr\}

    with :math:`w_i = n_s \hat p(t \mid x^s_i) / n_t \hat p(s \mid x^s_i)` by a logistic regression that never saw row
    :math:`i`, cut at a quantile; on the columns and their squares it is right for Gaussian domains that differ in place
    and in the spread of each column. The fraction is the number of equally weighted rows that the weighted ones are
    worth (Kish).

    Fails when the domains lie far apart, where little weighting is left, or when equal rows have other labels in the
    target.

    Parameters
    ----------
    share : float, default=0.3
        Share s in [0, 1] of the source's rows that the weighted rows must be worth; 0 never flattens, 1 makes all
        weights equal.
    clip : float, default=0.99
        Quantile of the weights in (0, 1] at which they are cut; 1 cuts nothing.
    squares : bool, default=True
        Whether the logistic regression sees the columns' squares too; without them it cannot see a change of spread.
    C : float, default=1.0
        Inverse penalty of the logistic regression, on columns of variance one.
    folds : int or None, default=None
        How rows are left out of the rule that judges them: None one by one, in closed form; a number, >= 2, by
        refitting without each of that many folds. Large sparse tables, and those of more than 2,000 columns, take five
        where None is asked for.

    Attributes
    ----------
    weights_ : ndarray of shape (n_source,), mean 1
    tau_ : float
        The exponent.
    effective_size_ : float
        How many equally weighted rows the weighted ones are worth.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> Xs, Xt = rng.normal(size=(300, 1)), rng.normal(loc=2, size=(300, 1))
    >>> iwc = IWC(share=0.4).fit(np.r_[Xs, Xt], sample_domain=np.repeat([1, -1], 300))
    >>> iwc.tau_ < 1, round(iwc.effective_size_)
    (True, 120)

    References
    ----------
    Shimodaira, Improving Predictive Inference under Covariate Shift by Weighting the Log-likelihood Function, Journal
    of Statistical Planning and Inference 90, 2000, 227-244. doi:10.1016/S0378-3758(00)00115-4
    Bickel, Brueckner and Scheffer, Discriminative Learning Under Covariate Shift, JMLR 10, 2009, 2137-2155.
    https://www.jmlr.org/papers/v10/bickel09a.html
    """

    sparse_ok = True

    share: float = param(default=0.3, low=0, high=1)
    clip: float = param(default=0.99, above=0, high=1)
    squares: bool = param(default=True, choices=(True, False))
    C: float = param(default=1.0, above=0)
    folds: int | None = param(default=None, low=2, none=True)

    def weigh(self, Xs: Array, ys: Array | None, Xt: Array) -> Array:
        logs = log_ratio(Xs, Xt, self.C, self.folds, self.squares)
        # before flattening: single rows far out would otherwise decide how much all are flattened
        logs = np.minimum(logs, np.quantile(logs, self.clip))
        self.tau_ = flattening(logs, self.share)
        w = ratio_weights(logs, self.tau_)
        self.effective_size_ = float(effective_sample_size(w))
        return w
