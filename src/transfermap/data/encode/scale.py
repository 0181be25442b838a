"""Numbers on comparable scales, columns that almost always hold one value among them."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

Array = np.ndarray[Any, np.dtype[Any]]
# as if one row in ten deviated from the median: sqrt(.1 * .9)
_LEAST = 0.3


class NumberScaler(TransformerMixin, BaseEstimator):
    """Subtract the mean and divide by the standard deviation, or by 0.3 times the typical deviation where that is more.

    The typical deviation is the root mean square of x - median over the rows that are not at the median. It matters for
    columns that hold one value in nine of ten rows or more, such as the points at the edge of an image: their standard
    deviation is as small as their deviations are rare, and a domain in which they are not rare would come out tens of
    units away. Other columns are scaled as scikit-learn's ``StandardScaler`` scales them.

    Parameters
    ----------
    together : bool
        One centre and one scale for all columns, as for the points of an image: differences between them stay.

    Examples
    --------
    >>> import numpy as np
    >>> from transfermap.data.encode.scale import NumberScaler
    >>> rare = np.r_[np.zeros(999), 7.0][:, None]
    >>> NumberScaler().fit(rare).transform([[7.0]]).round(1).tolist()
    [[3.3]]
    """

    def __init__(self, together: bool = False) -> None:
        self.together = together

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn centre and scale of each column of a matrix (n, d) without gaps."""
        values = np.asarray(X, dtype=np.float64)
        if self.together:
            values = values.reshape(-1, 1)
        self.mean_ = values.mean(axis=0)
        spread = values.std(axis=0)
        away = values - np.median(values, axis=0)
        # only rows that are not at the median: those that are say nothing about how far one goes
        count = np.maximum(np.count_nonzero(away, axis=0), 1)
        scale = np.maximum(spread, _LEAST * np.sqrt(np.square(away).sum(axis=0) / count))
        # a constant column's spread may be rounding
        self.scale_ = np.where(spread > 1e-12 * (1 + np.abs(self.mean_)), scale, 1.0)
        return self

    def transform(self, X: Any) -> Array:
        """The matrix (n, d) in units of the scale."""
        scaled: Array = (np.asarray(X, dtype=np.float64) - self.mean_) / self.scale_
        return scaled

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """The names that came in."""
        return input_features
