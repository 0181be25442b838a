"""The one bridge between scikit-learn's view of the data, ``(X, y, sample_domain)``, and ours, ``(Xs, ys, Xt)``."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import assert_all_finite, check_consistent_length, column_or_1d, get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

Array = np.ndarray[Any, np.dtype[Any]]
FLOATS = (np.float64, np.float32)


class Split(NamedTuple):
    """Source ``Xs`` (n_source, d), its ``ys`` (n_source,) or None and ``domains``; target ``Xt`` (n_target, d).

    ``known`` (n_target,) marks the target rows whose labels ``yt`` (n_known,) a method may read; both are None for a
    method that reads none.
    """

    Xs: Array
    ys: Array | None
    Xt: Array
    domains: Array
    yt: Array | None = None
    known: Array | None = None


def split(est: Any, X: Any, y: Any, sample_domain: Any, target_labels: bool = False) -> Split:
    """Check the input and part it into source and target.

    Parameters
    ----------
    est : estimator
        Whose input this is; learns ``n_features_in_`` and the column names.
    X : array-like or sparse matrix of shape (n, d)
        Rows of both domains, in any order.
    y : array-like of shape (n,), or None
        Labels. Those of target rows are not looked at (-1, NaN, None or the truth, it makes no difference), unless
    sample_domain : array-like of int of shape (n,), or None
        ``>= 0`` a source (several sources: several numbers), ``< 0`` the target. None: every row is both.
    target_labels : bool
        the method learns from target labels too: then -1 (integers), NaN (floats) or None mark the rows without one.

    Raises
    ------
    ValueError
        If a shape is off, values are missing or infinite, a domain has fewer than two rows, or no target row has a
        label where some are needed.
    """
    how = checks(est)
    if sample_domain is None:
        if y is None:
            X = validate_data(est, X, ensure_min_samples=2, **how)
        else:
            X, y = validate_data(est, X, y, ensure_min_samples=2, **how)
        everywhere = (y, np.ones(X.shape[0], dtype=bool)) if target_labels else (None, None)
        return Split(X, y, X, np.zeros(X.shape[0], dtype=int), *everywhere)
    X = validate_data(est, X, ensure_min_samples=2, **how)
    d = domain_numbers(sample_domain, X.shape[0])
    s = d >= 0
    if s.sum() < 2 or (~s).sum() < 2:
        raise ValueError(
            f"sample_domain marks {s.sum()} source rows (>= 0) and {(~s).sum()} target rows (< 0); "
            "at least 2 sample(s) of each are needed"
        )
    ys = None if y is None else _source_labels(y, s)
    return Split(X[s], ys, X[~s], d[s], *(_target_labels(est, y, ys, ~s) if target_labels else (None, None)))


def checks(est: Any) -> dict[str, Any]:
    """What scikit-learn is to check of X for this estimator."""
    tags = get_tags(est).input_tags
    finite = "allow-nan" if tags.allow_nan else True
    return {"dtype": FLOATS, "accept_sparse": "csr" if tags.sparse else False, "ensure_all_finite": finite}


def known_columns(est: Any, X: Any) -> Array:
    """X, with the columns that a fitted estimator knows."""
    check_is_fitted(est)
    return validate_data(est, X, reset=False, **checks(est))


def stacked(first: Array, second: Array) -> Array:
    """One below the other, dense or sparse."""
    return sparse.vstack([first, second], format="csr") if sparse.issparse(first) else np.concatenate([first, second])


def domain_numbers(sample_domain: Any, n: int) -> Array:
    d = np.asarray(sample_domain)
    if d.shape != (n,):
        raise ValueError(f"sample_domain has shape {d.shape}, expected ({n},): one number a row of X")
    if d.dtype.kind == "b":
        raise ValueError("sample_domain holds booleans; expected integers, >= 0 for source and < 0 for target rows")
    if d.dtype.kind not in "iu" and not (d.dtype.kind == "f" and np.isfinite(d).all()):
        raise ValueError(f"sample_domain has dtype {d.dtype}; expected integers, >= 0 source and < 0 target")
    return d.astype(int)


def _source_labels(y: Any, s: Array) -> Array:
    y = column_or_1d(np.asarray(y), warn=True)
    check_consistent_length(s, y)
    ys = y[s]
    if ys.dtype.kind == "O" and any(v is None or v != v for v in ys):
        raise ValueError("y has missing labels in source rows; expected a label for every row with sample_domain >= 0")
    if ys.dtype.kind == "f":
        assert_all_finite(ys, input_name="y (source rows)")
    # None among the target's labels makes the whole array one of objects; the source's own type is what counts
    return np.asarray(ys.tolist()) if ys.dtype.kind == "O" else ys


def _target_labels(est: Any, y: Any, ys: Any, t: Array) -> tuple[Array, Array]:
    """The labels that are known in the target, and a mask of the target rows that have one."""
    yt = column_or_1d(np.asarray(y))[t]
    if yt.dtype.kind == "f":
        known = ~np.isnan(yt)
    elif yt.dtype.kind in "iu":
        if (ys == -1).any():
            raise ValueError("-1 marks target rows without a label, but it is also a class of the source; rename it")
        known = yt != -1
    else:
        known = np.array([v is not None and v == v for v in yt], dtype=bool)
    if not known.any():
        raise ValueError(
            f"{type(est).__name__} learns from some labelled target rows, and no target row has a label; "
            "expected y to hold them, with -1 (integers), NaN (floats) or None (strings) where there is none"
        )
    return np.asarray(yt[known].tolist()).astype(ys.dtype, copy=False) if yt.dtype.kind == "O" else yt[known], known
