"""How much the classes' own shifts weigh against the shift of the domains as a whole: the factor of DDA and MEDA.

Both are read off how well a linear rule tells source from target. The rule is ridge regression, because its error on
rows that it has not seen (leaving out one at a time) has a closed form: no folds to draw, so neither chance nor the
order of rows matters. The error on the rows it was fitted to, as in the released codes, is 0 wherever there are more
columns than rows, and the factor then always one half.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from transfermap.math.linalg import Array, row_space

Together = Literal["mean", "sum"]
# columns at most, which bounds the d^3 of each class; rows of a class a side, below which an error rate says
# nothing; and what is said then
_COLUMNS, _FEWEST, _UNKNOWN = 100, 5, 0.5


def adaptive_factor(
    Xs: Array,
    ys: Array,
    Xt: Array,
    guess: Array,
    n_classes: int,
    together: Together = "mean",
    whole: float | None = None,
) -> float:
    """The share of the class-wise shift in all shift: 0 only the domains as a whole differ, 1 only class by class.

    d_c / (d_c + d_0), with d_0 the A-distance between the domains and d_c that within the classes; one half where
    neither shows a difference, or no class has five rows on each side.

    Parameters
    ----------
    Xs, Xt : ndarray of shape (n_source, d), (n_target, d)
        Of more than 100 columns, the 100 principal components of both together are used.
    ys, guess : ndarray of shape (n_source,), (n_target,)
        Labels and guessed labels, 0 ... n_classes - 1.
    together : {"mean", "sum"}
        d_c is the mean over the classes (as in the authors' code), or the sum (as printed, near 1 for many classes).
    whole : float or None
        d_0, where it is known.
    """
    Zs, Zt = compressed(Xs, Xt)
    pairs = [(Zs[ys == c], Zt[guess == c]) for c in range(n_classes)]
    within = [a_distance(*pair) for pair in pairs if min(map(len, pair)) >= _FEWEST]
    if not within or min(len(Zs), len(Zt)) < _FEWEST:
        return _UNKNOWN
    by_class = float(np.mean(within) if together == "mean" else np.sum(within))
    total = by_class + (a_distance(Zs, Zt) if whole is None else whole)
    return by_class / total if total > 0 else _UNKNOWN


def a_distance(Zs: Array, Zt: Array) -> float:
    """2 (1 - 2 e), at least 0, with e the error of a linear rule that tells the domains apart, on rows left out.

    Each domain counts for half of e, so that a larger domain does not make the two look alike or apart.
    """
    side = np.repeat([1.0, -1.0], [len(Zs), len(Zt)])
    w = np.repeat([0.5 / len(Zs), 0.5 / len(Zt)], [len(Zs), len(Zt)])
    # a ridge rule: what it says of a row without it has a closed form. The authors' programs take the error on the
    # rows that were fitted, which is 0 in wide tables for each class, and mu then one half (docs/errors.md)
    wrong = side * _left_out(np.concatenate([Zs, Zt]), side, w) <= 0
    return max(0.0, 2 - 4 * float(w @ wrong))


def compressed(Xs: Array, Xt: Array) -> tuple[Array, Array]:
    """Both domains' rows about their common mean, on their 100 principal components where they have more columns."""
    X = np.concatenate([Xs, Xt])
    X = X - X.mean(axis=0, dtype=np.float64)
    Z = X if X.shape[1] <= _COLUMNS else X @ row_space(X)[0][:, :_COLUMNS]
    return Z[: len(Xs)], Z[len(Xs) :]


def _left_out(Z: Array, y: Array, w: Array) -> Array:
    """Ridge predictions of ``y`` (n,) for each row by the rule that all others give; weights ``w`` (n,) sum to one."""
    centred = Z - w @ Z
    C = centred.T @ (centred * w[:, None])
    # an n-th of the rows' mean squared length: small beside any direction that counts, and enough for the inverse
    penalty = np.trace(C) / len(Z)
    if penalty <= 0:
        return np.zeros(len(Z))
    solved = centred @ np.linalg.inv(C + penalty * np.eye(len(C)))
    own = w * (1 + np.einsum("nd,nd->n", centred, solved))  # how far a row draws its own prediction to itself
    mean = w @ y
    fitted = mean + solved @ (centred.T @ (w * (y - mean)))
    # a row that alone fixes its own prediction says nothing about itself
    return (fitted - own * y) / np.maximum(1 - own, np.finfo(float).eps)
