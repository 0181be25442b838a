"""How well predictions agree with labels: the measures themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from transfermap.measure.inputs import labels, vector

Array = NDArray[np.float64]
Measure = Literal["accuracy", "balanced_accuracy", "r2", "mae"]


def accuracy(y: ArrayLike, predicted: ArrayLike) -> float:
    """Share of equal labels: :math:`\\tfrac1n\\sum_i 1[\\hat y_i=y_i]`, in [0, 1]; y, predicted: (n,) arrays.

    Examples
    --------
    >>> accuracy(["a", "b"], ["a", "a"])
    0.5
    """
    return _accuracy(*_two_labels(y, predicted))


def balanced_accuracy(y: ArrayLike, predicted: ArrayLike) -> float:
    """Mean over the classes in y of the share of the class that is found.

    :math:`\\tfrac1{|C|}\\sum_{c\\in C}\\tfrac{\\sum_i1[y_i=c,\\hat y_i=c]}{\\sum_i1[y_i=c]}`, in [0, 1]; 1/C where the
    answer is always the same; y, predicted: (n,) arrays.

    References
    ----------
    Brodersen et al., ICPR 2010, doi:10.1109/ICPR.2010.764.

    Examples
    --------
    >>> balanced_accuracy([0, 0, 0, 1], [0, 0, 0, 0])
    0.5
    """
    return _balanced_accuracy(*_two_labels(y, predicted))


def r2(y: ArrayLike, predicted: ArrayLike) -> float:
    """Share of the variance explained: :math:`1-\\sum(y-\\hat y)^2/\\sum(y-\\bar y)^2`, at most 1; (n,) arrays.

    For constant y: 1 where every prediction is exact, else 0.

    Examples
    --------
    >>> r2([0.0, 1.0, 2.0], [1.0, 1.0, 1.0])
    0.0
    """
    return _r2(*_two_vectors(y, predicted))


def mae(y: ArrayLike, predicted: ArrayLike) -> float:
    """Mean absolute error: :math:`\\tfrac1n\\sum|y-\\hat y|` >= 0 in the units of y, smaller is better; (n,) arrays.

    Examples
    --------
    >>> mae([0.0, 2.0], [1.0, 2.0])
    0.5
    """
    return _mae(*_two_vectors(y, predicted))


def checked(
    y: ArrayLike, predicted: ArrayLike, measure: str
) -> tuple[NDArray[Any], NDArray[Any], Callable[[Any, Any], float]]:
    """Truth and prediction as numbers, and the measure as a function of any rows of them.

    Checking is done once, so that a bootstrap can call the function a thousand times.

    Examples
    --------
    >>> truth, guess, score = checked(["a", "b"], ["a", "a"], "accuracy")
    >>> score(truth[:1], guess[:1])
    1.0
    """
    if measure in ("r2", "mae"):
        return *_two_vectors(y, predicted), _r2 if measure == "r2" else _mae
    if measure in ("accuracy", "balanced_accuracy"):
        return *_two_labels(y, predicted), _accuracy if measure == "accuracy" else _balanced_accuracy
    raise ValueError(f"expected measure to be accuracy, balanced_accuracy, r2 or mae, got {measure!r}")


def _accuracy(truth: NDArray[np.intp], guess: NDArray[np.intp]) -> float:
    return float((truth == guess).mean())


def _balanced_accuracy(truth: NDArray[np.intp], guess: NDArray[np.intp]) -> float:
    total = np.bincount(truth)
    found = np.bincount(truth[truth == guess], minlength=len(total))
    # classes that occur among the predictions only have no rows to be found
    return float((found[total > 0] / total[total > 0]).mean())


def _r2(truth: Array, guess: Array) -> float:
    left = float(((truth - guess) ** 2).sum())
    # not the variance: that of equal numbers whose mean is rounded is not 0
    if np.ptp(truth) == 0:
        return 1.0 if left == 0 else 0.0
    return 1 - left / float(((truth - truth.mean()) ** 2).sum())


def _mae(truth: Array, guess: Array) -> float:
    return float(np.abs(truth - guess).mean())


def _two_labels(y: ArrayLike, predicted: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Labels of any kind as numbers, the same number for the same label on both sides."""
    truth = labels(y, "y")
    guess = labels(predicted, "predicted", len(truth))
    # as objects: joined as they are, numpy would turn 1 and "a" into "1" and "a", and 1 would equal "1"
    code = pd.factorize(np.concatenate([truth.astype(object), guess.astype(object)]))[0]
    return code[: len(truth)], code[len(truth) :]


def _two_vectors(y: ArrayLike, predicted: ArrayLike) -> tuple[Array, Array]:
    truth = vector(y, "y")
    return truth, vector(predicted, "predicted", len(truth))
