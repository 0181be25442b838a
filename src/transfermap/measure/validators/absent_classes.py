"""Which of the source's classes the target seems to lack, from predicted probabilities alone."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom

from transfermap.measure.inputs import probabilities, shares, vector

Array = NDArray[np.float64]


class Absent(NamedTuple):
    """What the target seems to have of each class.

    ``absent`` (C,) bool; ``undecided`` (C,) bool: too few rows to call the class absent even had none been predicted;
    ``predicted`` (C,) rows predicted as the class; ``share`` (C,) mean probability; ``weight`` (C,) = share / largest
    share, in [0, 1]; ``p_value`` (C,), before correction for the number of classes.
    """

    absent: NDArray[np.bool_]
    undecided: NDArray[np.bool_]
    predicted: NDArray[np.int64]
    share: Array
    weight: Array
    p_value: Array


def absent_classes(
    Pt: ArrayLike, prior: ArrayLike | None = None, recall: ArrayLike = 0.7, least: float = 0.25, alpha: float = 0.05
) -> Absent:
    """Call a class absent where so few target rows are predicted as it that it can hardly be there.

    A class k *counts as present* if its share of the target is at least ``least`` times its share ``prior`` of the
    source; then, if the classifier finds a share ``recall`` of its rows, a row is predicted as k with probability
    :math:`\\theta_k\\ge\\mathrm{least}\\cdot\\mathrm{prior}_k\\cdot\\mathrm{recall}_k`. With :math:`c_k` rows of n
    predicted as k, the p-value is :math:`P(\\mathrm{Bin}(n,\\theta_k)\\le c_k)`, and k is absent where it is at most
    :math:`\\alpha/C`. So if all classes are present and the recalls hold, the chance that any of them is called absent
    is at most ``alpha`` (Bonferroni; exact for independent rows).

    The recalls are the source's, or a guess: what they are in the target no unlabelled row can tell. So the rule fails
    where the shift moves the rows of a present class to others: that class is then called absent. And a class that is
    absent goes unseen where rows of other classes are mistaken for it: a class that is not called absent need not be
    there. Look first whether the net's predictions are to be trusted at all.

    Parameters
    ----------
    Pt : (n, C) array
        Class probabilities of target rows, in the order of the source's classes.
    prior : (C,) array, default=None
        The source's class shares; None: all alike.
    recall : float or (C,) array
        The share of each class's rows that the classifier finds, in (0, 1]; best measured on held-out source rows and
        taken a little lower.
    least : float
        The smallest share, in units of the source's, at which a class counts as present; in (0, 1].
    alpha : float
        Chance of any false alarm, in (0, 1).

    Returns
    -------
    Absent

    References
    ----------
    The setting: Cao, Long, Wang and Jordan, IEEE CVPR 2018, doi:10.48550/arXiv.1707.07901. The test is Clopper and
    Pearson's, Biometrika 26 (1934) 404-413, doi:10.1093/biomet/26.4.404.

    Examples
    --------
    >>> P = np.repeat([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1]], 60, axis=0)
    >>> found = absent_classes(P)
    >>> found.absent.tolist(), found.weight.round(2).tolist()
    ([False, False, True], [1.0, 0.85, 0.15])
    """
    P = probabilities(Pt)
    n, C = P.shape
    p = np.full(C, 1 / C) if prior is None else shares(prior, "prior", C)
    r = vector(np.broadcast_to(recall, C) if np.ndim(recall) == 0 else recall, "recall", C)
    if (r <= 0).any() or (r > 1).any() or not 0 < least <= 1 or not 0 < alpha < 1:
        raise ValueError(
            f"expected recall and least in (0, 1] and alpha in (0, 1), got {_said(recall)}, {least} and {alpha}"
        )
    # the smallest chance of a prediction that a present class can have
    theta = least * p * r
    count = np.bincount(P.argmax(axis=1), minlength=C)
    p_value = np.asarray(binom.cdf(count, n, theta))
    share = P.mean(axis=0)
    # even no prediction at all would not be rare enough
    undecided = np.asarray(binom.cdf(0, n, theta)) > alpha / C
    return Absent(p_value <= alpha / C, undecided, count, share, share / share.max(), p_value)


def _said(value: Any) -> str:
    return np.array2string(np.asarray(value), threshold=5)
