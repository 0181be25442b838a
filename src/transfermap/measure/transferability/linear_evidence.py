"""The evidence of a linear model on frozen features: how likely the labels are once all weights are averaged over."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from transfermap.measure.inputs import labels, rows, vector

Array = NDArray[np.float64]
_FINEST = 1e-6  # smallest noise variance, as a share of the mean square of y
_GRID = 81  # steps of a factor 1.6 where all directions are of one length
_SPAN = 1e8  # how far the penalty is sought beyond the largest and the smallest squared singular value


class Evidence(NamedTuple):
    """Log evidence a row in nats, and where it is largest.

    ``alpha``: precision of the weights (infinite where the features say nothing); ``beta``: precision of the noise.
    """

    value: float
    alpha: float
    beta: float


class _Spectrum(NamedTuple):
    """y seen from the features: ``squares`` (k,) of the singular values, ``parts`` (k,) of y, and the ``rest``."""

    n: int
    squares: Array
    parts: Array
    rest: float


def log_me(F: ArrayLike, yt: ArrayLike, regression: bool = False) -> float:
    """The largest log evidence a row, :func:`log_evidence`, averaged over the classes (each as 0/1 against the rest).

    Not centred, as in the paper: append a column of ones if the features have no direction that can hold the mean.

    Parameters
    ----------
    F : (n, d) array
        Features of target rows.
    yt : (n,) array
        Classes of any kind, or numbers.
    regression : bool
        Take ``yt`` as numbers; the value then depends on their unit, so compare models on the same numbers.

    Returns
    -------
    float
        Nats a row; larger is better, of either sign.

    References
    ----------
    You, Liu, Wang and Long, LogME: practical assessment of pre-trained models for transfer learning, ICML 2021,
    arXiv:2102.11005.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(60) % 2
    >>> log_me(rng.normal(size=(60, 5)) + y[:, None], y) > log_me(rng.normal(size=(60, 5)), y)
    True
    """
    features = rows(F, "F", least=2)
    U, s = _directions(features)
    if regression:
        return _largest(_seen(U, s, vector(yt, "yt", len(features)))).value
    codes, classes = pd.factorize(labels(yt, "yt", len(features)))
    each = [_largest(_seen(U, s, (codes == c).astype(np.float64))).value for c in range(len(classes))]
    return float(np.mean(each))


def log_evidence(F: ArrayLike, y: ArrayLike) -> Evidence:
    r"""The exact :math:`\max_{\alpha,\beta}\frac1n\log N(y;\,0,\,FF^\top/\alpha+I/\beta)`.

    That is the likelihood of :math:`y=Fw+e` with :math:`w\sim N(0,I/\alpha)`, :math:`e\sim N(0,I/\beta)`. With
    :math:`F=USV^\top` of rank k, :math:`z=U^\top y`, :math:`r=\|y\|^2-\|z\|^2` and :math:`\lambda=\alpha/\beta`,

    .. math:: \log p=\tfrac n2\log\tfrac{\beta}{2\pi}-\tfrac12\sum_{i\le k}\log\bigl(1+\tfrac{s_i^2}\lambda\bigr)
        -\tfrac\beta2\,Q(\lambda),\qquad Q(\lambda)=r+\sum_{i\le k}\frac{z_i^2}{1+s_i^2/\lambda}.

    The best :math:`\beta` is :math:`n/Q`, so one number is sought: on a grid over all of its range, then refined in the
    best cell. The determinant has k factors and not d, so wide features (n < d) need no case of their own. The noise's
    variance is held above a millionth of :math:`\|y\|^2/n`: without that the evidence has no bound where y is an exact
    linear function of F.

    Parameters
    ----------
    F : (n, d) array
    y : (n,) array
        Not all 0.

    Returns
    -------
    Evidence

    References
    ----------
    MacKay, Bayesian interpolation, Neural Computation 4 (1992) 415-447, doi:10.1162/neco.1992.4.3.415. You et al., ICML
    2021, arXiv:2102.11005.

    Examples
    --------
    >>> found = log_evidence([[1.0], [1.0]], [1.0, -1.0])  # the features say nothing: y is noise of variance 1
    >>> round(found.value, 6), found.alpha, round(found.beta, 9)
    (-1.418939, inf, 1.0)
    """
    features = rows(F, "F")
    return _largest(_seen(*_directions(features), vector(y, "y", len(features))))


def _directions(F: Array) -> tuple[Array, Array]:
    U, s, _ = np.linalg.svd(F, full_matrices=False)
    kept = s > s[0] * max(F.shape) * np.finfo(np.float64).eps
    return U[:, kept], s[kept]


def _seen(U: Array, s: Array, y: Array) -> _Spectrum:
    if not y.any():
        raise ValueError("expected y to hold a number other than 0")
    z = U.T @ y
    rest = y - U @ z
    return _Spectrum(len(y), s**2, z, float(rest @ rest))


def _largest(seen: _Spectrum) -> Evidence:
    nothing = _evidence(seen, np.inf)
    if not len(seen.squares):
        return nothing
    # a search over all of the range: the evidence may have more than one maximum, and the released fixed-point
    # iteration is wrong for n < d, where it leaves out (d - k) log(alpha) / 2
    grid = np.linspace(np.log(seen.squares.min() / _SPAN), np.log(seen.squares.max() * _SPAN), _GRID)
    best = int(np.argmax([_evidence(seen, float(np.exp(x))).value for x in grid]))
    bounds = grid[max(best - 1, 0)], grid[min(best + 1, _GRID - 1)]
    refined = minimize_scalar(
        lambda x: -_evidence(seen, float(np.exp(x))).value, bounds=bounds, method="bounded", options={"xatol": 1e-10}
    )
    # The limit is taken wherever what was found differs from it by rounding only.
    found = _evidence(seen, float(np.exp(refined.x)))
    return found if found.value > nothing.value + 1e-12 * max(1.0, abs(nothing.value)) else nothing


def _evidence(seen: _Spectrum, penalty: float) -> Evidence:
    """At the ratio alpha / beta, with the best beta for it."""
    growth = 1 + seen.squares / penalty
    Q = seen.rest + float((seen.parts**2 / growth).sum())
    total = seen.rest + float((seen.parts**2).sum())
    # without a floor an exact fit has beta, and the evidence, without bound
    beta = seen.n / max(Q, _FINEST * total)
    log_p = (seen.n * np.log(beta / (2 * np.pi)) - np.log(growth).sum() - beta * Q) / 2
    return Evidence(float(log_p) / seen.n, penalty * beta, beta)
