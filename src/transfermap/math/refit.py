"""Training a copy of somebody's estimator on weighted rows."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from transfermap.math.linalg import Array


def fit_weighted(owner: str, estimator: Any, X: Array, y: Array, w: Array) -> Any:
    """A copy of ``estimator`` trained on rows X (n, d) with labels y (n,) and weights w (n,); itself is not touched.

    Raises
    ------
    ValueError
        If the estimator would ignore weights; the sentence names ``owner``, the method that needs them.
    """
    # asked of the signature: an estimator without it would raise late, or swallow the weights and be source-only
    if not has_fit_parameter(estimator, "sample_weight"):
        name = type(estimator).__name__
        raise ValueError(f"{owner} weighs rows, but {name}.fit takes no sample_weight; choose an estimator that does")
    return clone(estimator).fit(X, y, sample_weight=w)
