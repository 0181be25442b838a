"""Which of several sources to learn from, judged before any target label is known."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from transfermap.measure.inputs import labels, pair, vector
from transfermap.measure.scores import Interval, accuracy_interval
from transfermap.measure.shift.distances import proxy_a_distance
from transfermap.measure.shift.weights import density_ratio, effective_sample_size
from transfermap.measure.transferability.probes import held_out
from transfermap.measure.validators.importance_weighted import importance_weighted

Array = NDArray[np.float64]


class SourceScore(NamedTuple):
    """What can be expected of one source; the three intervals are 95 % ones.

    ``source`` its name, ``rows`` how many it has and ``effective`` how many of them the target's weights leave;
    ``useful`` the score that ranks; ``quality`` its model's held-out balanced accuracy (R^2 for regression) weighted to
    look like the target; ``distance`` its proxy A-distance in [0, 2] from the target.
    """

    source: Any
    rows: int
    effective: float
    useful: Interval
    quality: Interval
    distance: Interval


def rank_sources(
    Xs: ArrayLike,
    ys: ArrayLike,
    domains: ArrayLike,
    Xt: ArrayLike,
    regression: bool = False,
    estimator: Any = None,
    folds: int = 5,
    seed: int = 0,
) -> list[SourceScore]:
    r"""Rank the sources by how well a model learnt from each should do on the target, without a target label.

    The rule in one sentence: on the share of the target that the source has in common with it, a source's model is as
    good as it is on its own held-out rows weighted to look like the target, and on the rest it guesses:

    .. math:: u=g+(1-\tfrac12d_A)(q-g),

    with q the weighted held-out balanced accuracy over *all* sources' classes and g = 1/C (for numbers: the weighted
    :math:`R^2` and 0), and :math:`d_A` the proxy A-distance, so that :math:`1-d_A/2` is the common share
    (:func:`~transfermap.measure.shift.distances.a_distance`). Nothing in it is tuned. The interval of u joins those of
    q and :math:`d_A` by the square root of the sum of squares; that of a class's share of hits is Wilson's for the
    effective number of rows.

    What no unlabelled target row can show stays unseen: a source whose rule contradicts the target's (labels swapped
    throughout) ranks as high as one that agrees, and one that differs only in columns that do not matter too low. A few
    target labels find out.

    Parameters
    ----------
    Xs : (n_s, d) array
        Rows of all sources.
    ys : (n_s,) array
        Classes of any kind, or numbers.
    domains : (n_s,) array
        The source each row comes from; at least two rows each.
    Xt : (n_t, d) array
    regression : bool
        Take ``ys`` as numbers.
    estimator : scikit-learn estimator, default=None
        None: a logistic or ridge rule on standardised columns.
    folds, seed : int

    Returns
    -------
    list of SourceScore
        The most useful first; equals in order of appearance.

    References
    ----------
    Ben-David et al., A theory of learning from different domains, Machine Learning 79 (2010) 151-175,
    doi:10.1007/s10994-009-5152-4 (source error and distance). Sugiyama, Krauledat and Müller, JMLR 8 (2007) 985-1005
    (weighted validation).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(400, 2)), np.repeat([0, 1], 200)
    >>> X[:, 0] += 2 * y
    >>> told = np.concatenate([y[::2], rng.permutation(y[::2])])
    >>> ranked = rank_sources(np.tile(X[::2], (2, 1)), told, np.repeat(["true", "shuffled"], 200), X[1::2])
    >>> [s.source for s in ranked]
    ['true', 'shuffled']
    """
    source, target = pair(Xs, Xt)
    y: NDArray[Any] = vector(ys, "ys", len(source)) if regression else labels(ys, "ys", len(source))
    names = labels(domains, "domains", len(source))
    if estimator is None:
        estimator = make_pipeline(StandardScaler(), Ridge() if regression else LogisticRegression(max_iter=1000))
    classes = None if regression else pd.unique(y)
    scored = []
    for name in pd.unique(names).tolist():
        own = names == name
        if own.sum() < 2:
            raise ValueError(f"expected at least two rows of every source, got {own.sum()} of {name!r}")
        predicted = held_out(estimator, source[own], y[own], folds, seed)
        scored.append(_scored(name, source[own], y[own], predicted, target, classes, seed))
    return sorted(scored, key=lambda s: -s.useful.value)


def _scored(
    name: Any, X: Array, y: NDArray[Any], predicted: NDArray[Any], Xt: Array, classes: Any, seed: int
) -> SourceScore:
    # each source by itself: weights over all of them would mix how many rows a source has into how good it is
    w = density_ratio(X, Xt, seed=seed)
    quality = _explained(y, predicted, w) if classes is None else _balanced(y, predicted, w, classes)
    distance = proxy_a_distance(X, Xt, seed=seed)
    guess = 0.0 if classes is None else 1 / len(classes)
    return SourceScore(name, len(X), effective_sample_size(w), _useful(quality, distance, guess), quality, distance)


def _useful(quality: Interval, distance: Interval, guess: float) -> Interval:
    """The guess where the target lies elsewhere, the quality where it does not; both errors count."""
    common, gain = 1 - distance.value / 2, quality.value - guess
    value = guess + common * gain
    # Which end of the distance is the worse one depends on whether the source's model beats a guess.
    near, far = (distance.value - distance.low) / 2, (distance.high - distance.value) / 2
    worse, better = (far, near) if gain >= 0 else (near, far)
    low = value - float(np.hypot(common * (quality.value - quality.low), gain * worse))
    high = value + float(np.hypot(common * (quality.high - quality.value), gain * better))
    return Interval(value, low, high)


def _balanced(y: NDArray[Any], predicted: NDArray[Any], w: Array, classes: NDArray[Any]) -> Interval:
    """Weighted balanced accuracy over all classes; one that the source lacks is never found."""
    found = [_share_found(predicted[y == c] == c, w[y == c]) for c in classes]
    value = float(np.mean([f.value for f in found]))
    down = float(np.sqrt(sum((f.value - f.low) ** 2 for f in found))) / len(found)
    up = float(np.sqrt(sum((f.high - f.value) ** 2 for f in found))) / len(found)
    return Interval(value, max(value - down, 0.0), min(value + up, 1.0))


def _share_found(hit: NDArray[np.bool_], w: Array) -> Interval:
    if not len(hit):
        return Interval(0.0, 0.0, 0.0)
    # as many rows as the weighted ones are worth: Wilson's interval knows equal weights only
    share, n = float(w @ hit / w.sum()), max(round(effective_sample_size(w)), 1)
    # the rounded count need not have the share itself
    wilson = accuracy_interval(round(share * n), n)
    return Interval(share, min(wilson.low, share), max(wilson.high, share))


def _explained(y: NDArray[Any], predicted: NDArray[Any], w: Array) -> Interval:
    r"""Weighted :math:`R^2`, with the delta-method error of the weighted mean squared error."""
    # nothing to explain, and nothing learnt
    if np.ptp(y) == 0:
        return Interval(0.0, 0.0, 0.0)
    spread = float(np.average((y - np.average(y, weights=w)) ** 2, weights=w))
    found = importance_weighted(1 - (y - predicted) ** 2 / spread, w)
    return Interval(found.value, found.value - 1.96 * found.error, found.value + 1.96 * found.error)
