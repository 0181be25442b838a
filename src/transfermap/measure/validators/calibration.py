"""Making the confidence of different models comparable."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from transfermap.measure.inputs import columns, probabilities

Array = NDArray[np.float64]
_RANGE = (-3.0, 3.0)  # of log T, in which sharpening and flattening are alike


def temperature(Ph: ArrayLike, yh: ArrayLike) -> float:
    """How far a model's probabilities are too sharp (above 1) or too flat (below 1), judged on rows it never saw.

    The T that minimises :math:`-\\frac1n\\sum_i\\log q_{i,y_i}` with :math:`q_i\\propto P_i^{1/T}`, between
    :math:`e^{-3}` and :math:`e^3`. Which class is most likely does not change with T.

    Parameters
    ----------
    Ph : (n, C) array
        Class probabilities of held-out rows.
    yh : (n,) array of int
        Column of each row's true class.

    Returns
    -------
    float

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, ICML 2017, arXiv:1706.04599.

    Examples
    --------
    >>> sharp = [[0.99, 0.01], [0.99, 0.01], [0.99, 0.01], [0.01, 0.99]]
    >>> temperature(sharp, [0, 0, 1, 1]) > 2
    True
    """
    P = probabilities(Ph, "Ph")
    truth = columns(yh, "yh", P)
    # half an observation in a thousand elsewhere: a model that was never wrong here may be so tomorrow
    P = 0.9995 * P + 0.0005 / P.shape[1]

    def loss(log_temperature: float) -> float:
        q = tempered(P, float(np.exp(log_temperature)))
        return float(-np.log(np.maximum(q[np.arange(len(q)), truth], 1e-300)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=_RANGE, method="bounded").x))


def tempered(P: ArrayLike, T: float) -> Array:
    """Probabilities at temperature T: rows proportional to :math:`P^{1/T}`.

    Parameters
    ----------
    P : (n, C) array
    T : float
        Positive; 1 changes nothing.

    Returns
    -------
    (n, C) array

    Examples
    --------
    >>> tempered([[0.8, 0.2]], 0.5).round(3).tolist()
    [[0.941, 0.059]]
    """
    if not T > 0:
        raise ValueError(f"expected a positive temperature, got {T}")
    logs = np.log(np.maximum(probabilities(P, "P"), 1e-300)) / T
    # a factor of a row drops out: with 1 as the largest, small temperatures do not underflow to 0 / 0
    logs -= logs.max(axis=1, keepdims=True)
    q = np.exp(logs)
    return np.asarray(q / q.sum(axis=1, keepdims=True))
