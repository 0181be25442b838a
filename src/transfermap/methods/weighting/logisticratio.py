"""Logistic-ratio weighting: a rule that tells target from source says how much each source row counts."""

from __future__ import annotations

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array
from transfermap.math.logisticratio import log_ratio
from transfermap.math.ratio import ratio_weights
from transfermap.roles import Weigher


@method(
    Card(
        name="Logistic-ratio weighting",
        year=2009,
        setting="transductive",
        transfers="instances",
        objective="min_f  sum_i w_i^tau loss(f(x_i^s), y_i^s),   w(x) = n_s p(t|x) / (n_t p(s|x))",
        steps=(
            "Learn to tell target rows from source rows, by logistic regression on standardised columns.",
            "Turn the odds of each source row, judged by a rule that never saw it, into a weight.",
            "Flatten, cut the largest, scale to mean one; train on the weighted source.",
        ),
        solver="logistic regression, its leave-one-out odds in closed form",
        cost="time n d a pass and 2 n d^2, memory n d",
        assumes=(
            "the same row means the same label in both domains (covariate shift)",
            "the source has rows wherever the target has",
            "the log ratio of the densities is about linear in the columns",
        ),
        fails_when=(
            "a rule tells the domains apart almost without error: a few rows then get all the weight",
            "the label depends on the row differently in the target",
        ),
        reference="Bickel, Brueckner and Scheffer, Discriminative Learning Under Covariate Shift, JMLR 10, 2009",
        doi="https://www.jmlr.org/papers/v10/bickel09a.html",
        neutral={"tau": 0.0},
        toy="covariate_shift",
        by_default=True,
    )
)
class LogisticRatio(Weigher):
    r"""Weigh source rows by the odds that they come from the target.

    .. math:: \min_f \sum_i w_i\, \ell(f(x^s_i), y^s_i), \qquad
              w_i = \Bigl(\frac{n_s}{n_t} \frac{\hat p(t \mid x^s_i)}{\hat p(s \mid x^s_i)}\Bigr)^{\tau}

    with :math:`\hat p` a logistic regression on standardised columns that never saw row :math:`i`. The
    largest weights are cut, and all are scaled to mean 1.

    Fails when the domains hardly overlap, or when equal rows have other labels in the target.

    Parameters
    ----------
    C : float, default=1.0
        Inverse penalty of the logistic regression, on columns of variance one.
    tau : float, default=1.0
        Flattening exponent in [0, 1]: 1 is the ratio itself, 0 makes all weights equal, between them bias is traded for
        variance (Shimodaira, 2000).
    clip : float, default=0.99
        Quantile of the weights in (0, 1] at which they are cut; 1 cuts nothing.
    folds : int or None, default=None
        How rows are left out of the rule that judges them: None one by one, in closed form; a number, >= 2, by
        refitting without each of that many folds. Large sparse tables, and those of more than 2,000 columns, take five
        where None is asked for.

    Attributes
    ----------
    weights_ : ndarray of shape (n_source,), mean 1

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> Xs, Xt = rng.normal(size=(300, 1)), rng.normal(loc=1, size=(300, 1))
    >>> w = LogisticRatio().fit(np.r_[Xs, Xt], sample_domain=np.repeat([1, -1], 300)).weights_
    >>> bool(w[Xs[:, 0] > 1].mean() > 3 * w[Xs[:, 0] < 0].mean())
    True

    References
    ----------
    Bickel, Brueckner and Scheffer, Discriminative Learning Under Covariate Shift, JMLR 10, 2009, 2137-2155.
    https://www.jmlr.org/papers/v10/bickel09a.html
    Shimodaira, J. Statistical Planning and Inference 90, 2000. doi:10.1016/S0378-3758(00)00115-4
    """

    sparse_ok = True

    C: float = param(default=1.0, above=0)
    tau: float = param(default=1.0, low=0, high=1)
    clip: float = param(default=0.99, above=0, high=1)
    folds: int | None = param(default=None, low=2, none=True)

    def weigh(self, Xs: Array, ys: Array | None, Xt: Array) -> Array:
        return ratio_weights(log_ratio(Xs, Xt, self.C, self.folds), self.tau, self.clip)
