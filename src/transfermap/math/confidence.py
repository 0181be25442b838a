"""From scores that rank the classes to scores whose softmax is a probability."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import softmax

from transfermap.math.linalg import Array

_ELSEWHERE = 1e-3  # what is believed of the other classes where every row is right


def sharpness(scores: Array, codes: Array) -> float:
    """The s > 0 for which the softmax of s times the scores fits the labels best.

    Minimises the mean of -log p over rows, with a thousandth of each label spread over all classes; convex in s, so the
    one root of its slope is sought. Multiplying changes no row's most likely class.

    Parameters
    ----------
    scores : ndarray of shape (n, n_classes)
    codes : ndarray of int of shape (n,)
        Column of each row's class.

    Examples
    --------
    >>> scores = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    >>> round(sharpness(scores, np.array([0, 0, 0, 1])), 2)  # three in four are right: log 3
    1.1
    """
    spread = float(np.ptp(scores, axis=1).mean())
    if spread == 0:
        return 1.0
    # without their unit, so that the bounds below suit the scores of any classifier
    scores = scores / spread
    hit = scores[np.arange(len(codes)), codes].mean()
    wanted = (1 - _ELSEWHERE) * hit + _ELSEWHERE * scores.mean()

    def slope(s: float) -> float:
        return float((softmax(s * scores, axis=1) * scores).sum(axis=1).mean() - wanted)

    low, high = 1e-3, 1.0
    # the scores speak against the labels: the best s would be 0 or below, and would turn the classes round
    if slope(low) >= 0:
        return low / spread
    # the thousandth elsewhere puts the root at a finite s, but it can lie far out where single rows' scores nearly tie
    while slope(high) < 0 and high < 1e6:
        high *= 4
    return float(brentq(slope, low, high, xtol=1e-12, rtol=1e-12) if slope(high) > 0 else high) / spread
