"""Class by class: have the rows of each class moved, or only the shares of the classes?"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from transfermap.measure.inputs import labels, pair
from transfermap.measure.shift.mmd import MMDTest, mmd_test

Array = NDArray[np.float64]


class ClassDistances(NamedTuple):
    """How far each class has moved, and what that rests on.

    ``basis`` is "measured" where the target's classes are true labels, "assumed" where they are predictions;
    ``classes`` (C,) are the source's; ``n_source``, ``n_target`` (C,) count rows; ``value`` (C,) is the unbiased
    squared maximum mean discrepancy between the class's rows and ``p_value`` (C,) that of no difference, before
    correction for the number of classes; both are NaN for a class with fewer than two rows on a side.
    """

    basis: Literal["measured", "assumed"]
    classes: NDArray[Any]
    n_source: NDArray[np.int64]
    n_target: NDArray[np.int64]
    value: Array
    p_value: Array


def class_distances(
    Xs: ArrayLike,
    ys: ArrayLike,
    Xt: ArrayLike,
    *,
    yt: ArrayLike | None = None,
    predicted: ArrayLike | None = None,
    draws: int = 499,
    most: int = 1000,
    seed: int = 0,
) -> ClassDistances:
    """How far the rows of each class lie from the rows of that class in the target.

    :func:`~transfermap.measure.shift.mmd.mmd_test` within each class. The marginal distance can be large with all of
    these small (only class shares moved), and the other way round.

    With predictions the answer is an assumption: the rows that a source model takes for a class are those that look
    like it, so a class that has really moved shows too small a distance, and wrong predictions show a distance that is
    not there.

    Parameters
    ----------
    Xs : (n, d) array
    ys : (n,) array
    Xt : (m, d) array
    yt : (m,) array, default=None
        True classes of the target rows: what is returned is then an oracle, for looking and not for choosing.
    predicted : (m,) array, default=None
        Predicted classes of the target rows. Give this or ``yt``, not both.
    draws, most, seed : int
        As in :func:`~transfermap.measure.shift.mmd.mmd_test`.

    Returns
    -------
    ClassDistances

    References
    ----------
    Long, Wang, Ding, Sun and Yu, Transfer feature learning with joint distribution adaptation, ICCV 2013,
    doi:10.1109/ICCV.2013.274 (class-wise discrepancy with predicted classes).

    Examples
    --------
    >>> X, y = np.random.default_rng(0).normal(size=(80, 1)), np.arange(80) % 2
    >>> found = class_distances(X[:40], y[:40], X[40:] + 3 * y[40:, None], predicted=y[40:])
    >>> found.basis, (found.p_value < 0.01).tolist()
    ('assumed', [False, True])
    """
    if (yt is None) == (predicted is None):
        raise ValueError("expected either yt (true classes of the target) or predicted, not both and not neither")
    source, target = pair(Xs, Xt, least=1)
    known = labels(ys, "ys", len(source))
    given = labels(predicted, "predicted", len(target)) if yt is None else labels(yt, "yt", len(target))  # type: ignore[arg-type]
    classes = pd.unique(known)
    order = np.argsort(classes, kind="stable")
    sides = [(source[known == c], target[given == c]) for c in classes[order]]
    found = [_test(*side, draws, most, seed) for side in sides]
    return ClassDistances(
        "assumed" if yt is None else "measured",
        classes[order],
        np.array([len(s) for s, _ in sides]),
        np.array([len(t) for _, t in sides]),
        np.array([f.value for f in found]),
        np.array([f.p_value for f in found]),
    )


def _test(source: Array, target: Array, draws: int, most: int, seed: int) -> MMDTest:
    # the unbiased estimate leaves i = j out, and divides by n - 1
    if min(len(source), len(target)) < 2:
        return MMDTest(np.nan, np.nan, np.nan)
    return mmd_test(source, target, draws=draws, most=most, seed=seed)
