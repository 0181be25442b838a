"""Scores of a fitted candidate that need no target label: larger is better, and no one of them is enough.

A predictor that gives every target row the same confident answer ("collapsed") wins :func:`entropy` and :func:`snd` and
can win :func:`agreement` and :func:`soft_agreement`; it comes last in :func:`infomax`, :func:`corr_c` and
:func:`diversity`, and low in :func:`bnm`. :func:`collapsed` finds it. Others lie in ``importance_weighted``,
``reverse``, ``clustering``, ``mixup``, ``geometry`` and ``expected_accuracy`` beside this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr
from scipy.stats import rankdata

from transfermap.measure.inputs import labels, probabilities, shares, vector

Array = NDArray[np.float64]
_BLOCK = 500


def entropy(Pt: ArrayLike) -> float:
    """How sure the predictions are: :math:`\\tfrac1n\\sum_i\\sum_cP_{ic}\\log P_{ic}`.

    Parameters
    ----------
    Pt : (n, C) array
        Class probabilities of the target rows.

    Returns
    -------
    float
        In [-log C, 0] nats. A collapsed predictor scores the best value 0: never use it alone.

    References
    ----------
    Morerio, Cavazza and Murino, ICLR 2018, arXiv:1711.10288.

    Examples
    --------
    >>> round(entropy([[0.5, 0.5], [1.0, 0.0]]), 4)
    -0.3466
    """
    return -float(entr(probabilities(Pt)).sum(axis=1).mean())


def infomax(Pt: ArrayLike, normalised: bool = False) -> float:
    """How much the prediction tells about the row: sure of each row, and different from row to row.

    The mutual information :math:`H(\\bar P)-\\tfrac1n\\sum_iH(P_i)`, with :math:`\\bar P` the mean over *all* rows.

    Parameters
    ----------
    Pt : (n, C) array
    normalised : bool
        Divide by log C.

    Returns
    -------
    float
        In [0, log C] nats, or [0, 1]. Collapsed: 0. Its best value needs equally common classes.

    References
    ----------
    Bridle, Heading and MacKay, NIPS 1991. Musgrave, Belongie and Lim, arXiv:2208.07360.

    Examples
    --------
    >>> infomax([[1.0, 0.0], [0.0, 1.0]], normalised=True)
    1.0
    """
    P = probabilities(Pt)
    # the mean over all rows: within batches the information depends on their size
    information = float(entr(P.mean(axis=0)).sum() - entr(P).sum(axis=1).mean())
    # never negative but for rounding (Jensen)
    return max(information, 0.0) / (float(np.log(P.shape[1])) if normalised else 1.0)


def bnm(Pt: ArrayLike) -> float:
    """How many directions the predictions fill: :math:`\\|P\\|_*/\\sqrt{n\\min(n,C)}`, with the sum of singular values.

    Parameters
    ----------
    Pt : (n, C) array

    Returns
    -------
    float
        In (0, 1]; 1 for sure predictions in equally common classes. Collapsed: :math:`1/\\sqrt{\\min(n,C)}`; always
        undecided: less still.

    References
    ----------
    Cui et al., CVPR 2020, arXiv:2003.12237.

    Examples
    --------
    >>> round(bnm([[1.0, 0.0], [0.0, 1.0]]), 6)
    1.0
    """
    P = probabilities(Pt)
    return float(np.linalg.svd(P, compute_uv=False).sum() / np.sqrt(len(P) * min(P.shape)))


def snd(Pt: ArrayLike, temperature: float = 0.05, most: int = 5000, seed: int = 0) -> float:
    """How many like-minded neighbours a row has (soft neighbourhood density).

    With rows :math:`p_i` of unit length, :math:`S_{ij}\\propto_j\\exp(p_i^\\top p_j/\\tau)` over :math:`j\\ne i`; the
    score is the mean entropy of the rows of S. Above ``most`` rows on a seeded subsample; in blocks, O(most^2) time.

    Parameters
    ----------
    Pt : (n, C) array
        n > 1.
    temperature : float
        :math:`\\tau>0`.
    most, seed : int

    Returns
    -------
    float
        In [0, log(n - 1)] nats. A collapsed predictor scores the *best* value: never use it alone.

    References
    ----------
    Saito et al., Tune it the right way, ICCV 2021, arXiv:2108.10860.

    Examples
    --------
    >>> bool(np.isclose(snd([[1.0, 0.0]] * 4), np.log(3)))
    True
    """
    P = probabilities(Pt)
    if len(P) < 2 or not temperature > 0:
        raise ValueError(f"expected two or more rows and temperature > 0, got {len(P)} and {temperature}")
    if len(P) > most:
        P = P[np.random.default_rng(seed).choice(len(P), most, replace=False)]
    P = P / np.linalg.norm(P, axis=1, keepdims=True)
    total = sum(_neighbour_entropy(P, a, min(a + _BLOCK, len(P)), temperature) for a in range(0, len(P), _BLOCK))
    return max(total / len(P), 0.0)


def _neighbour_entropy(P: Array, start: int, stop: int, temperature: float) -> float:
    """Sum over rows start ... stop of the entropy of their similarities to all other rows."""
    # 1 is the largest similarity: taking it out keeps exp below 1, and the smallest term above exp(-1/temperature).
    logits = (P[start:stop] @ P.T - 1) / temperature
    # a row is no neighbour of itself; skada sets the diagonal to -1 / tau, which leaves it a share
    logits[np.arange(stop - start), np.arange(start, stop)] = -np.inf
    logits -= logits.max(axis=1, keepdims=True)
    mass = np.exp(logits)
    total = mass.sum(axis=1)
    # 0 * -inf on the diagonal would be nan
    mean_logit = (mass * np.where(mass > 0, logits, 0)).sum(axis=1) / total
    return float((np.log(total) - mean_logit).sum())


def corr_c(Pt: ArrayLike) -> float:
    """How far the classes are told apart: :math:`\\mathrm{tr}(P^\\top P)/\\|P^\\top P\\|_F`.

    Parameters
    ----------
    Pt : (n, C) array

    Returns
    -------
    float
        In [1, sqrt(C)]; sqrt(C) for sure predictions in equally common classes. Collapsed, or always undecided: 1.

    References
    ----------
    Tu et al., Assessing model out-of-distribution generalization with softmax prediction probability baselines and a
    correlation method, 2023.

    Examples
    --------
    >>> round(corr_c([[1.0, 0.0], [0.0, 1.0]]), 6)
    1.414214
    """
    P = probabilities(Pt)
    G = P.T @ P
    return float(np.trace(G) / np.linalg.norm(G))


def agreement(
    predictions: Sequence[ArrayLike], task: Literal["classification", "regression"] = "classification"
) -> float:
    """How alike several candidates predict the same rows, on average over the pairs.

    Classification: share of equal labels. Regression: Spearman's rank correlation, 0 with a constant prediction.

    Parameters
    ----------
    predictions : sequence of two or more (n,) arrays
        Of different methods, or of one method with different seeds.
    task : {"classification", "regression"}

    Returns
    -------
    float
        In [0, 1] or [-1, 1]. Candidates that have collapsed to the same class agree fully.

    References
    ----------
    Jiang, Nagarajan, Baek and Kolter, Assessing generalization via disagreement, ICLR 2022, arXiv:2106.13799.

    Examples
    --------
    >>> agreement([["a", "b"], ["a", "b"], ["a", "a"]])  # pairs: 1, 1/2, 1/2
    0.6666666666666666
    """
    if len(predictions) < 2:
        raise ValueError(f"expected predictions of two or more candidates, got {len(predictions)}")
    length = len(np.asarray(predictions[0]))
    if task == "classification":
        named = [labels(p, "predictions", length) for p in predictions]
        return float(np.mean([(a == b).mean() for a, b in combinations(named, 2)]))
    if task != "regression":
        raise ValueError(f"expected task to be classification or regression, got {task!r}")
    ranked = np.stack([rankdata(vector(p, "predictions", length)) for p in predictions])
    ranked -= ranked.mean(axis=1, keepdims=True)
    size = np.linalg.norm(ranked, axis=1, keepdims=True)
    ranked = np.divide(ranked, size, out=np.zeros_like(ranked), where=size > 0)
    return float((ranked @ ranked.T)[np.triu_indices(len(ranked), 1)].mean())


def soft_agreement(predictions: Sequence[ArrayLike]) -> float:
    """How alike several candidates' class probabilities for the same rows are, on average over the pairs.

    One less the total variation, :math:`1-\\sum_{ic}|P_{ic}-Q_{ic}|/2n`; for sure predictions, :func:`agreement`.

    Parameters
    ----------
    predictions : sequence of two or more (n, C) arrays

    Returns
    -------
    float
        In [0, 1]. Candidates that have collapsed to the same class, or are all undecided, agree fully.

    Examples
    --------
    >>> soft_agreement([[[1.0, 0.0]], [[0.5, 0.5]]])
    0.5
    """
    tables = [probabilities(P, "predictions") for P in predictions]
    shapes = {P.shape for P in tables}
    if len(tables) < 2 or len(shapes) > 1:
        raise ValueError(f"expected two or more tables of one shape, got {len(tables)} of shapes {sorted(shapes)}")
    return float(np.mean([1 - np.abs(P - Q).sum(axis=1).mean() / 2 for P, Q in combinations(tables, 2)]))


def diversity(Pt: ArrayLike) -> float:
    """How evenly the predictions use the classes: :math:`H(\\bar P)/\\log C`.

    Parameters
    ----------
    Pt : (n, C) array

    Returns
    -------
    float
        In [0, 1]. Collapsed: 0; always undecided: 1, so never use it alone.

    Examples
    --------
    >>> diversity([[1.0, 0.0], [1.0, 0.0]])
    0.0
    """
    P = probabilities(Pt)
    return float(entr(P.mean(axis=0)).sum() / np.log(P.shape[1]))


def collapsed(Pt: ArrayLike, target_shares: ArrayLike, least: float = 0.5) -> bool:
    """Whether the predictions crowd into fewer classes than the target holds.

    :math:`H(\\bar P)<\\mathrm{least}\\cdot H(q)`, with q the estimated class shares of the target.

    Parameters
    ----------
    Pt : (n, C) array
        Probabilities, or one-hot predictions.
    target_shares : (C,) array
        From :func:`~transfermap.measure.shift.label_shift.label_shift` or
        :func:`~transfermap.measure.shift.label_shift.em_shares`.
    least : float

    Returns
    -------
    bool
        Never true where q names one class only.

    Examples
    --------
    >>> collapsed([[1.0, 0.0], [1.0, 0.0]], [0.5, 0.5])
    True
    """
    P = probabilities(Pt)
    q = shares(target_shares, "target_shares", P.shape[1])
    return bool(entr(P.mean(axis=0)).sum() < least * entr(q).sum())
