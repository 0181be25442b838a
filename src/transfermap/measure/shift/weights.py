"""How much more common each source row is in the target: the weights of covariate shift."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transfermap.measure.inputs import pair, weights
from transfermap.measure.shift.crossfit import deal, judge, linear

Array = NDArray[np.float64]
_STRENGTHS = (1.0, 0.1, 0.01, 0.001)  # at the last, standardised columns hardly count, and weights are near 1


def density_ratio(
    Xs: ArrayLike, Xt: ArrayLike, seed: int = 0, folds: int = 5, clip: float = 0.99, most: int = 20000
) -> Array:
    """Weights that make the source look like the target, from a rule that tells the two apart.

    :math:`w(x)=\\frac{n_s}{n_t}\\frac{\\hat p(t|x)}{\\hat p(s|x)}`, with :math:`\\hat p` an L2 logistic rule on
    standardised columns that never saw the row; of the penalties C = 1, 0.1, 0.01, 0.001 the one with the smallest log
    loss on rows not seen is taken (where the domains do not differ, that brings w near 1). Then
    :math:`w\\leftarrow\\min(w,Q_{clip}(w))` and :math:`w\\leftarrow w/\\bar w`. Above ``most`` rows a side, rules are
    learnt on a seeded subsample.

    Exact where the log ratio is linear in x, as for two Gaussians of equal covariance. Fails where the domains hardly
    overlap: see :func:`effective_sample_size`.

    Parameters
    ----------
    Xs : (n_s, d) array
    Xt : (n_t, d) array
        At least two rows a side.
    seed, folds, most : int
    clip : float
        Quantile in (0, 1]; 1 clips nothing.

    Returns
    -------
    (n_s,) array
        Positive, mean 1.

    References
    ----------
    Bickel, Brückner and Scheffer, JMLR 10 (2009) 2137-2155. Shimodaira, J. Statistical Planning and Inference 90
    (2000) 227-244, doi:10.1016/S0378-3758(00)00115-4.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> xs = rng.normal(size=(500, 1))
    >>> w = density_ratio(xs, rng.normal(loc=1, size=(500, 1)))
    >>> bool(w[xs[:, 0] > 1].mean() > 3 * w[xs[:, 0] < 0].mean())
    True
    """
    if not 0 < clip <= 1:
        raise ValueError(f"expected 0 < clip <= 1, got {clip}")
    source, target = pair(Xs, Xt)
    is_target = np.repeat([0, 1], [len(source), len(target)])
    log_ratio = _best_log_ratio(np.concatenate([source, target]), is_target, seed, folds, most)[: len(source)]
    # Clipped before exp: where one row outweighs all others, their weights would be 0, and so would be the quantile.
    log_ratio = np.minimum(log_ratio, np.quantile(log_ratio, clip))
    # Only ratios of weights count: taking out the largest keeps exp from overflowing.
    w = np.exp(log_ratio - log_ratio.max())
    return w / w.mean()


def _best_log_ratio(X: Array, is_target: NDArray[np.int64], seed: int, folds: int, most: int) -> Array:
    dealt = deal(X, is_target, folds, most, seed)
    tried = [judge(X, is_target, dealt, linear(C)) for C in _STRENGTHS]
    judged = [np.flatnonzero((is_target == side) & (dealt.fold >= 0)) for side in (0, 1)]

    def loss(scores: Array) -> float:
        """Log loss on rows not seen, both sides counting equally."""
        # not by rows, or the larger table alone would choose the penalty
        return float(np.logaddexp(0, scores[judged[0]]).mean() + np.logaddexp(0, -scores[judged[1]]).mean())

    return min(tried, key=loss)


def effective_sample_size(w: ArrayLike) -> float:
    """How many equally weighted rows the weighted rows are worth.

    :math:`(\\sum_i w_i)^2/\\sum_i w_i^2`. Below a tenth of n, weighted means rest on a few rows.

    Parameters
    ----------
    w : (n,) array
        Non-negative, not all zero.

    Returns
    -------
    float
        In [1, n]; n for equal weights.

    References
    ----------
    Kish, Survey Sampling, Wiley 1965, section 11.7.

    Examples
    --------
    >>> effective_sample_size([1, 1, 0, 0])
    2.0
    """
    part = weights(w)
    # squares of very large weights would overflow, of very small ones vanish
    part = part / part.max()
    return float(part.sum() ** 2 / (part**2).sum())
