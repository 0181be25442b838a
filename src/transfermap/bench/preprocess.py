"""The preparations of features that published benchmarks use, by name: pure functions of one domain's rows.

``none`` leaves rows as they are · ``z`` centres each column and divides it by its population standard deviation ·
``l1z`` first divides each row by its sum · ``l2`` gives each row length one · ``l1z-l2`` is both, in that order ·
``rowz`` divides each row by its sum, then standardises each *row*.

``z`` and ``l1z`` look at all rows of a domain, the target's too: that is adaptation already, and on bags of words most
of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize

from transfermap.messages.choices import choose

Array = np.ndarray[Any, np.dtype[Any]]


def prepare(name: str, X: Any) -> Any:
    """The rows of one domain, prepared by the recipe ``name``.

    Parameters
    ----------
    name : str
        One of ``none``, ``z``, ``l1z``, ``l2``, ``l1z-l2``, ``rowz``.
    X : ndarray or sparse matrix of shape (n, d)

    Returns
    -------
    ndarray or sparse matrix of shape (n, d); ``X`` itself for ``none``

    Raises
    ------
    ValueError
        If there is no such recipe, or it would fill a sparse matrix.

    Examples
    --------
    >>> import numpy as np
    >>> from transfermap.bench.preprocess import prepare
    >>> prepare("l1z", np.array([[1.0, 3.0], [3.0, 1.0]])).tolist()
    [[-1.0, 1.0], [1.0, -1.0]]
    """
    recipe = RECIPES[check_recipe(name)]
    if sparse.issparse(X) and name not in _SPARSE:
        raise ValueError(f"the preparation {name!r} would fill a sparse matrix; expected one of: {', '.join(_SPARSE)}")
    return recipe(X)


def check_recipe(name: str) -> str:
    """The recipe of that name, as it is called here."""
    return choose("preparation", name, RECIPES)


def none(X: Any) -> Any:
    """Rows as they are."""
    return X


def z(X: Array) -> Array:
    """Columns with mean 0 and population standard deviation 1; constant columns become 0."""
    X = _floats(X)
    # ddof 0, as MATLAB's zscore(x, 1) in the published programs
    return (X - X.mean(axis=0)) / _or_one(X.std(axis=0))


def l1(X: Array) -> Array:
    """Rows divided by their sum; a row whose sum is 0 stays."""
    X = _floats(X)
    return X / _or_one(X.sum(axis=1, keepdims=True))


def l2(X: Any) -> Any:
    """Rows of Euclidean length one; a row of zeros stays."""
    return normalize(X)


def rowz(X: Array) -> Array:
    """Rows divided by their sum, then each row with mean 0 and population standard deviation 1."""
    X = l1(X)
    return (X - X.mean(axis=1, keepdims=True)) / _or_one(X.std(axis=1, keepdims=True))


RECIPES: dict[str, Callable[[Any], Any]] = {
    "none": none,
    "z": z,
    "l1z": lambda X: z(l1(X)),
    "l2": l2,
    "l1z-l2": lambda X: l2(z(l1(X))),
    # per row: MEDA's runs on digits z-score a transposed matrix; by columns they would lose half of their accuracy
    "rowz": rowz,
}
_SPARSE = ("none", "l2")  # the others take a mean off, which fills the zeros


def _floats(X: Array) -> Array:
    return X if X.dtype.kind == "f" else X.astype(float)


def _or_one(scale: Array) -> Array:
    """What to divide by: 1 in place of 0."""
    return np.where(scale == 0, scale.dtype.type(1), scale)
