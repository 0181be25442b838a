"""What accuracy to expect on the target, from how sure a model is there and how right it was on held-out source rows.

All assume that confidence keeps its meaning from source to target, each in its own way: the first two, that a row is
as likely right as its confidence says, up to what the source shows; :func:`thresholded_confidence`, that the unsure
rows are the wrong ones. Their errors are those of sampling only: where they differ by more, one of them must be wrong.
A predictor that has collapsed on both sides gets its source accuracy. One that is right on the source and sure of a
single class on the target gets about 1: ask :func:`~transfermap.measure.validators.label_free.collapsed`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr

from transfermap.measure.inputs import columns, probabilities
from transfermap.measure.validators.calibration import temperature, tempered
from transfermap.measure.validators.importance_weighted import Estimate

Array = NDArray[np.float64]
Sureness = Literal["entropy", "confidence"]
# scores that differ by rounding only are ties
_DIGITS = 12


def average_confidence(Ph: ArrayLike, yh: ArrayLike, Pt: ArrayLike) -> Estimate:
    """The mean confidence on the target, at the temperature that makes the held-out source rows honest.

    :math:`\\frac1{n_t}\\sum_i\\max_cq_{ic}` with :math:`q\\propto P_t^{1/T}`
    (:func:`~transfermap.measure.validators.calibration.temperature`).

    Parameters
    ----------
    Ph : (n_h, C) array
        Class probabilities of source rows that the model was not fitted to.
    yh : (n_h,) array of int
        Column of each row's true class.
    Pt : (n_t, C) array
        Class probabilities of the target rows.

    Returns
    -------
    Estimate
        ``value`` in [1/C, 1]; ``error`` leaves out that of T. Mostly too high where p(y | x) has changed. A temperature
        stops at :math:`e^3`, so a sure predictor that is no better than chance keeps a little confidence.

    Notes
    -----
    0.05 s for 2,000 rows a side and C = 10, nearly all of it for T.

    References
    ----------
    Hendrycks and Gimpel, ICLR 2017, arXiv:1610.02136. Guo, Pleiss, Sun and Weinberger, ICML 2017, arXiv:1706.04599.

    Examples
    --------
    >>> found = average_confidence([[0.9, 0.1]] * 10, [0] * 7 + [1] * 3, [[0.9, 0.1]] * 10)
    >>> round(found.value, 2)
    0.7
    """
    H, _, T = _checked(Ph, yh, Pt)
    # T from rows that the model was not fitted to: on its own it is always right, and T would be far too small
    sure = tempered(T, temperature(H, yh)).max(axis=1)
    return Estimate(float(sure.mean()), float(sure.std() / np.sqrt(len(sure))))


def difference_of_confidences(Ph: ArrayLike, yh: ArrayLike, Pt: ArrayLike) -> Estimate:
    """The accuracy on held-out source rows, less the confidence that is lost on the way to the target.

    :math:`\\hat a_h-(\\bar c_h-\\bar c_t)`, with :math:`\\bar c` the mean of the largest probability, held in [0, 1];
    error :math:`\\sqrt{\\mathrm{var}(1[\\hat y=y]-c_h)/n_h+\\mathrm{var}(c_t)/n_t}`.

    Parameters
    ----------
    Ph : (n_h, C) array
    yh : (n_h,) array of int
    Pt : (n_t, C) array
        As in :func:`average_confidence`.

    Returns
    -------
    Estimate
        Equal confidence on both sides gives the source accuracy.

    Notes
    -----
    0.001 s for 2,000 rows a side and C = 10.

    References
    ----------
    Guillory, Shankar, Ebrahimi, Darrell and Schmidt, Predicting with confidence on unseen distributions, ICCV 2021,
    doi:10.1109/ICCV48922.2021.00117.

    Examples
    --------
    >>> found = difference_of_confidences([[0.9, 0.1]] * 10, [0] * 8 + [1] * 2, [[0.6, 0.4]] * 10)
    >>> round(found.value, 6)  # 0.8 - (0.9 - 0.6)
    0.5
    """
    H, right, T = _checked(Ph, yh, Pt)
    gap, sure = right - H.max(axis=1), T.max(axis=1)
    # hit and confidence of a row go together, so their difference varies less than the two apart
    error = np.sqrt(gap.var() / len(gap) + sure.var() / len(sure))
    return Estimate(float(np.clip(gap.mean() + sure.mean(), 0, 1)), float(error))


def thresholded_confidence(Ph: ArrayLike, yh: ArrayLike, Pt: ArrayLike, score: Sureness = "entropy") -> Estimate:
    """The share of target rows surer than a threshold, which as many source rows pass as were predicted right.

    :math:`\\frac1{n_t}\\sum_i1[s(P_{t,i})\\ge\\theta]` with :math:`\\theta` from
    :math:`\\frac1{n_h}\\sum_i1[s(P_{h,i})\\ge\\theta]=\\hat a_h` (average thresholded confidence). Of rows at the
    threshold exactly, a part counts, so that the source's own share is its accuracy even with ties.

    Parameters
    ----------
    Ph : (n_h, C) array
    yh : (n_h,) array of int
    Pt : (n_t, C) array
        As in :func:`average_confidence`; the paper tempers both by
        :func:`~transfermap.measure.validators.calibration.temperature` first.
    score : {"entropy", "confidence"}
        s: minus the entropy, or the largest probability.

    Returns
    -------
    Estimate
        ``value`` in [0, 1]; ``error`` joins that of the target's share to what the value moves by when the source's
        share moves by its own error, :math:`\\sqrt{\\mathrm{var}(1[\\hat y=y]-1[s\\ge\\theta])/n_h}`. Exact where right
        and wrong rows part at the threshold; where honest confidences merely fall, it falls too far, and can leave a
        good predictor below a collapsed one.

    Notes
    -----
    0.001 s for 2,000 rows a side and C = 10.

    References
    ----------
    Garg, Balakrishnan, Lipton, Neyshabur and Sedghi, Leveraging unlabeled data to predict out-of-distribution
    performance, ICLR 2022, arXiv:2201.04234.

    Examples
    --------
    >>> source = [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]]
    >>> thresholded_confidence(source, [0, 0, 1, 1], [[0.95, 0.05], [0.65, 0.35]]).value
    0.5
    """
    H, right, T = _checked(Ph, yh, Pt)
    source, target = _sureness(H, score), _sureness(T, score)
    accuracy = float(right.mean())
    value = float(_passes(source, target, accuracy).mean())
    swing = (right - _passes(source, source, accuracy)).std() / np.sqrt(len(source))
    # a derivative by differences, over the error itself: the share is a step function
    low, high = (_passes(source, target, min(max(accuracy + s, 0), 1)).mean() for s in (-swing, swing))
    return Estimate(value, float(np.sqrt(value * (1 - value) / len(target) + ((high - low) / 2) ** 2)))


def _passes(source: Array, rows: Array, share: float) -> Array:
    """1 for rows above the threshold that ``share`` of the source passes, 0 below, and at it the part that is due."""
    wanted = share * len(source)
    # - 1e-9: share * n of a whole number of rows may come out just above it, which would be one row too many
    threshold = np.sort(source)[::-1][max(int(np.ceil(wanted - 1e-9)) - 1, 0)]
    due = (wanted - (source > threshold).sum()) / (source == threshold).sum()
    return np.where(rows == threshold, due, rows > threshold)


def _sureness(P: Array, score: Sureness) -> Array:
    if score not in ("entropy", "confidence"):
        raise ValueError(f"expected score to be entropy or confidence, got {score!r}")
    return np.round(P.max(axis=1) if score == "confidence" else -entr(P).sum(axis=1), _DIGITS)


def _checked(Ph: ArrayLike, yh: ArrayLike, Pt: ArrayLike) -> tuple[Array, Array, Array]:
    """Probabilities of the held-out rows, 1 where the likeliest class is the true one, and the target's."""
    H, T = probabilities(Ph, "Ph"), probabilities(Pt)
    if H.shape[1] != T.shape[1]:
        raise ValueError(f"expected Ph and Pt to have equal widths, got {H.shape[1]} and {T.shape[1]}")
    truth = columns(yh, "yh", H)
    return H, (H.argmax(axis=1) == truth).astype(np.float64), T
