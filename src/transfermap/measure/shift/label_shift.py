"""How common each class is in the target, from predictions alone, when only the class shares have moved."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

from transfermap.measure.chance import chi_square
from transfermap.measure.inputs import labels, probabilities, rows, shares

Array = NDArray[np.float64]


class LabelShift(NamedTuple):
    """Estimated class shares of the target.

    ``classes`` (C,), ``source`` (C,) shares among the held-out rows, ``target`` (C,) estimated shares with their 95 %
    interval ``low`` to ``high`` (C,), ``weights`` (C,) = target / source (1 for a class without held-out rows), and
    ``p_value`` of "the predicted classes are as common in the target as in the source".
    """

    classes: NDArray[Any]
    source: Array
    target: Array
    low: Array
    high: Array
    weights: Array
    p_value: float


# decides only where the confusion is singular: far below what counts of rows can tell
RIDGE = 1e-12


def bbse(confusion: ArrayLike, predicted_share: ArrayLike, ridge: float = RIDGE) -> Array:
    """How much more common each class is in the target, by undoing the classifier's confusion.

    With :math:`C_{ij}=p_s(\\hat y=i,y=j)` and :math:`\\mu_i=p_t(\\hat y=i)`, label shift means :math:`Cw=\\mu`. Solved
    is :math:`\\min_{w\\ge0}\\|Cw-\\mu\\|^2+10^{-12}\\|C\\|_F^2\\|w-1\\|^2`, which is :math:`C^{-1}\\mu` where that is
    non-negative, and the solution nearest "no shift" where C is singular; then scaled to
    :math:`\\sum_j p_s(j)w_j=1`.

    Parameters
    ----------
    confusion : (C, C) array
        Joint shares (or counts) of predicted class (row) and true class (column) on held-out source rows.
    predicted_share : (C,) array
        Shares of the predicted classes in the target.
    ridge : float
        Pull towards weights of 1, relative to the squared size of the confusion.

    Returns
    -------
    (C,) array
        :math:`w_j=p_t(y=j)/p_s(y=j)\\ge 0`.

    References
    ----------
    Lipton, Wang and Smola, ICML 2018, arXiv:1802.03916. Azizzadenesheli et al., ICLR 2019, arXiv:1903.09734.

    Examples
    --------
    >>> bbse([[0.35, 0.10], [0.15, 0.40]], [0.65, 0.35]).round(6).tolist()
    [1.8, 0.2]
    """
    joint = rows(confusion, "confusion")
    if joint.shape[0] != joint.shape[1] or (joint < 0).any() or not joint.any():
        raise ValueError(f"expected confusion to be a square table of shares, got shape {joint.shape}")
    return _solved(joint / joint.sum(), shares(predicted_share, "predicted_share", len(joint)), ridge)


def _solved(joint: Array, mu: Array, ridge: float = RIDGE) -> Array:
    # as further rows of the non-negative least-squares problem, so that one solver serves
    pull = np.sqrt(ridge) * np.linalg.norm(joint) * np.eye(len(joint))
    w: Array = nnls(np.vstack([joint, pull]), np.concatenate([mu, pull.sum(axis=1)]))[0]
    total = joint.sum(axis=0) @ w
    # weights that are all 0 have no scale: no shift is what is known then
    return w / total if total > 0 else np.ones(len(mu))


def label_shift(
    ys_holdout: ArrayLike,
    predicted_holdout: ArrayLike,
    predicted_target: ArrayLike,
    classes: ArrayLike,
    draws: int = 500,
    seed: int = 0,
) -> LabelShift:
    """Estimate the target's class shares from a classifier's predictions, with an interval and a test.

    :func:`bbse` on the held-out confusion; the interval holds the middle 95 % of estimates from ``draws`` multinomial
    redraws of the confusion counts and of the target's predictions. The test is the chi-square test of predicted counts
    (a shift of features can trigger it too).

    Parameters
    ----------
    ys_holdout : (n,) array
        True classes of source rows that the classifier was *not* trained on.
    predicted_holdout : (n,) array
        Its predictions for them.
    predicted_target : (m,) array
        Its predictions for the target.
    classes : (C,) array
        All classes, distinct; C > 1.
    draws, seed : int

    Returns
    -------
    LabelShift

    References
    ----------
    Lipton, Wang and Smola, ICML 2018, arXiv:1802.03916. Rabanser, Günnemann and Lipton, NeurIPS 2019,
    arXiv:1810.11953.

    Examples
    --------
    >>> y = ["no"] * 80 + ["yes"] * 20
    >>> label_shift(y, y, ["no"] * 50 + ["yes"] * 50, ["no", "yes"]).target.round(6).tolist()
    [0.5, 0.5]
    """
    names = pd.Index(labels(classes, "classes"))
    if len(names) < 2 or not names.is_unique or draws < 2:
        raise ValueError(f"expected two or more distinct classes and draws, got {names.tolist()} and {draws}")
    truth = _codes(ys_holdout, names, "ys_holdout")
    guess = _codes(predicted_holdout, names, "predicted_holdout", len(truth))
    counts = np.bincount(guess * len(names) + truth, minlength=len(names) ** 2)
    predicted = np.bincount(_codes(predicted_target, names, "predicted_target"), minlength=len(names))
    source, target, w = _estimate(counts, predicted)
    low, high = _interval(counts, predicted, draws, np.random.default_rng(seed))
    # predicted against predicted: true classes would differ from them by the classifier's errors alone
    held_out = counts.reshape(len(names), -1).sum(axis=1)
    return LabelShift(names.to_numpy(), source, target, low, high, w, chi_square(held_out, predicted).p_value)


def _codes(y: ArrayLike, names: pd.Index[Any], name: str, length: int | None = None) -> NDArray[np.intp]:
    code = names.get_indexer(pd.Index(labels(y, name, length)))
    if (code < 0).any():
        raise ValueError(f"expected {name} to hold the classes {names.tolist()} only")
    return code


def _estimate(counts: NDArray[np.int64], predicted: NDArray[np.int64]) -> tuple[Array, Array, Array]:
    """Source shares, target shares and weights from flat confusion counts and predicted counts."""
    joint = counts.reshape(len(predicted), -1) / counts.sum()
    w = _solved(joint, predicted / predicted.sum())
    source = joint.sum(axis=0)
    return source, source * w, w


def _interval(
    counts: NDArray[np.int64], predicted: NDArray[np.int64], draws: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    # both parts vary: the confusion is an estimate from the held-out rows, like the target's shares
    first = rng.multinomial(counts.sum(), counts / counts.sum(), size=draws)
    second = rng.multinomial(predicted.sum(), predicted / predicted.sum(), size=draws)
    drawn = [_estimate(a, b)[1] for a, b in zip(first, second, strict=True)]
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return low, high


def em_shares(Pt: ArrayLike, prior: ArrayLike, tolerance: float = 1e-8, most: int = 1000) -> Array:
    """The target's class shares that make its predicted probabilities most likely.

    Iterates :math:`r_{ij}\\propto\\frac{q_j}{p_j}P_{ij}`, :math:`q\\leftarrow\\frac1n\\sum_i r_i` from
    :math:`q=p`; the likelihood :math:`\\sum_i\\log\\sum_j\\frac{q_j}{p_j}P_{ij}` is concave in q and never falls.

    Parameters
    ----------
    Pt : (n, C) array
        Calibrated class probabilities for the target rows.
    prior : (C,) array
        p: the source's class shares, best taken as the mean predicted probability on held-out source rows.
    tolerance : float
        Stop when no share moves by more.
    most : int
        Iterations at most.

    Returns
    -------
    (C,) array
        Shares adding to 1; 0 for a class whose prior is 0.

    References
    ----------
    Saerens, Latinne and Decaestecker, Neural Computation 14 (2002) 21-41, doi:10.1162/089976602753284446.

    Examples
    --------
    >>> em_shares([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]], [0.5, 0.5]).tolist()
    [0.25, 0.75]
    """
    P = probabilities(Pt)
    p = shares(prior, "prior", P.shape[1])
    likelihood = np.divide(P, p, out=np.zeros_like(P), where=p > 0)
    # A row that only classes of prior 0 explain tells nothing about the others.
    likelihood = likelihood[likelihood.any(axis=1)]
    q = p
    for _ in range(most if len(likelihood) else 0):
        joint = likelihood * q
        # the same probabilities throughout: abstention calibrates, then iterates on the raw ones (docs/errors.md)
        step = (joint / np.maximum(joint.sum(axis=1, keepdims=True), 1e-300)).mean(axis=0)
        step /= step.sum()
        moved, q = np.abs(step - q).max(), step
        if moved <= tolerance:
            break
    return q
