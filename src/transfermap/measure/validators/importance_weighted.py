"""What held-out source rows, weighted to look like the target, say about the target."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from transfermap.measure.inputs import vector, weights


class Estimate(NamedTuple):
    """An estimate and its standard error, in the units of what was averaged."""

    value: float
    error: float


def importance_weighted(values: ArrayLike, w: ArrayLike) -> Estimate:
    """The target mean of a row value (a score or a loss), from held-out source rows.

    :math:`\\hat\\mu=\\sum_iw_iv_i/\\sum_iw_i`, with the delta-method error
    :math:`\\sqrt{\\sum_iw_i^2(v_i-\\hat\\mu)^2}/\\sum_iw_i`. Right where only p(x) differs and the weights are right; a
    collapsed predictor gains nothing by it.

    Parameters
    ----------
    values : (n,) array
        One a held-out source row, for instance 1 for a right answer, or the negative squared error.
    w : (n,) array
        :func:`~transfermap.measure.shift.weights.density_ratio`; any scale.

    Returns
    -------
    Estimate
        ``value`` lies between the smallest and the largest of ``values``, and is as good-is-large as they are.

    References
    ----------
    Sugiyama, Krauledat and Müller, JMLR 8 (2007) 985-1005.

    Examples
    --------
    >>> importance_weighted([1.0, 0.0], [3.0, 1.0]).value
    0.75
    """
    v = vector(values, "values")
    part = weights(w, len(v))
    # by the weights' sum, not by n: so the estimate stays among the values, and needs no scale of w
    part = part / part.sum()
    value = float(part @ v)
    return Estimate(value, float(np.sqrt(part**2 @ (v - value) ** 2)))


def dev(values: ArrayLike, w: ArrayLike) -> Estimate:
    """:func:`importance_weighted` with the weights' known mean 1 as a control variate (deep embedded validation).

    :math:`\\overline{wv}+\\eta(\\bar w-1)` with :math:`\\eta=-\\mathrm{cov}(wv,w)/\\mathrm{var}(w)`, 0 where the
    weights are equal; error :math:`\\mathrm{sd}(wv+\\eta w)/\\sqrt n`. For weights scaled to mean 1 it is
    :math:`\\overline{wv}`. With heavy weights it can leave the range of the values by far: prefer
    :func:`importance_weighted` then.

    Parameters
    ----------
    values : (n,) array
    w : (n,) array
        Weights on their own scale: estimates of p_t(x) / p_s(x), whose expected mean is 1.

    Returns
    -------
    Estimate
        Unbounded; as good-is-large as the values.

    References
    ----------
    You, Wang, Long and Jordan, ICML 2019, PMLR 97, 7124-7133.

    Examples
    --------
    >>> dev([1.0, 0.0], [1.0, 1.0]).value
    0.5
    """
    v = vector(values, "values")
    part = weights(w, len(v))
    weighted = part * v
    spread = part.var()
    # ptp, as equal weights may have a variance of rounding
    eta = -np.mean((weighted - weighted.mean()) * (part - part.mean())) / spread if np.ptp(part) > 0 else 0.0
    corrected = weighted + eta * (part - 1)
    return Estimate(float(corrected.mean()), float(corrected.std() / np.sqrt(len(v))))
