"""Do two layers, or two networks, see the same in the same rows?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transfermap.measure.inputs import rows

Array = NDArray[np.float64]


def linear_cka(F: ArrayLike, G: ArrayLike, unbiased: bool = False) -> float:
    r"""Centred kernel alignment of two representations of the same rows, with the linear kernel.

    :math:`\mathrm{HSIC}(F,G)/\sqrt{\mathrm{HSIC}(F,F)\,\mathrm{HSIC}(G,G)}`, which with centred features is
    :math:`\|G^\top F\|_F^2/(\|F^\top F\|_F\|G^\top G\|_F)`. Turning the features, or scaling them all alike, changes
    nothing; scaling one of them does. The plain form nears 1 for *any* two representations wider than they are long:
    there only the unbiased one, from Song's U-statistic, tells anything.

    Parameters
    ----------
    F : (n, d) array
    G : (n, e) array
        Features of the same rows in the same order.
    unbiased : bool
        Needs n > 3; its mean is 0 for independent representations, so it may be negative.

    Returns
    -------
    float
        In [0, 1], or at most 1 if unbiased; 0 where either is constant.

    References
    ----------
    Kornblith, Norouzi, Lee and Hinton, ICML 2019, arXiv:1905.00414. Song, Smola, Gretton, Bedo and Borgwardt, JMLR 13
    (2012) 1393-1434, theorem 5.

    Examples
    --------
    >>> F = np.random.default_rng(0).normal(size=(50, 3))
    >>> round(linear_cka(F, 7 * F[:, [2, 0, 1]]), 9)
    1.0
    """
    first, second = _both(F, G, 4 if unbiased else 2)
    hsic = _unbiased_hsic if unbiased else _shared
    own = hsic(first, first) * hsic(second, second)
    return hsic(first, second) / float(np.sqrt(own)) if own > 0 else 0.0


def pwcca(F: ArrayLike, G: ArrayLike) -> float:
    r"""Projection-weighted canonical correlation of two representations of the same rows.

    With :math:`F=Q_FR_F`, :math:`G=Q_GR_G` centred and :math:`Q_F^\top Q_G=U\,\mathrm{diag}(\rho)V^\top`, the mean of
    the canonical correlations :math:`\rho_k` weighted by :math:`\alpha_k=\sum_j|h_k^\top f_j|`, how much of F's columns
    the canonical direction :math:`h_k=Q_Fu_k` carries. Any invertible linear map of G changes nothing, also one that
    drowns what matters in noise: for that see :func:`linear_cka`.

    Parameters
    ----------
    F : (n, d) array
    G : (n, e) array
        Features of the same rows; n > d + e, or else the correlations are 1 whatever the features.

    Returns
    -------
    float
        In [0, 1]; 0 where either is constant.

    References
    ----------
    Morcos, Raghu and Bengio, NeurIPS 2018, arXiv:1806.05759.

    Examples
    --------
    >>> F = np.random.default_rng(0).normal(size=(50, 2))
    >>> round(pwcca(F, F @ [[1.0, 5.0], [2.0, -1.0]]), 9)
    1.0
    """
    first, second = _both(F, G, 2)
    if len(first) <= first.shape[1] + second.shape[1]:
        raise ValueError(
            f"expected more rows than columns of F and G together, got {len(first)} rows and "
            f"{first.shape[1]} + {second.shape[1]} columns"
        )
    Qf, Qg = _basis(first), _basis(second)
    U, rho, _ = np.linalg.svd(Qf.T @ Qg, full_matrices=False)
    # by F alone, so it is not symmetric, as in the paper
    weight = np.abs((Qf @ U).T @ first).sum(axis=1)
    # correlations of 1 may come out as 1 + 1e-16
    return float(weight @ np.minimum(rho, 1) / weight.sum()) if len(rho) else 0.0


def _both(F: ArrayLike, G: ArrayLike, least: int) -> tuple[Array, Array]:
    """Both representations, with columns of mean 0."""
    first, second = rows(F, "F", least), rows(G, "G", least)
    if len(first) != len(second):
        raise ValueError(f"expected F and G to hold the same rows, got {len(first)} and {len(second)}")
    # The mean of a constant column is rounded, and what is left of it would be noise that correlates with something.
    return tuple(np.where(np.ptp(X, axis=0) > 0, X - X.mean(axis=0), 0.0) for X in (first, second))  # type: ignore[return-value]


def _shared(F: Array, G: Array) -> float:
    """:math:`\\|F^\\top G\\|_F^2=\\sum_{ij}(FF^\\top)_{ij}(GG^\\top)_{ij}`, by whichever matrix is smaller."""
    # d e against n^2 numbers
    if F.shape[1] * G.shape[1] <= len(F) ** 2:
        return float(((F.T @ G) ** 2).sum())
    return float(((F @ F.T) * (G @ G.T)).sum())


def _unbiased_hsic(F: Array, G: Array) -> float:
    """Song's estimate times n(n - 3), without an n x n matrix where the features are few."""
    n = len(F)
    k, l = (F**2).sum(axis=1), (G**2).sum(axis=1)
    # Row sums of the Gram matrices without their diagonals; the columns add to 0.
    K1, L1 = -k, -l
    return _shared(F, G) - float(k @ l) + K1.sum() * L1.sum() / ((n - 1) * (n - 2)) - 2 * float(K1 @ L1) / (n - 2)


def _basis(X: Array) -> Array:
    """Orthonormal directions of the columns' span."""
    U, s, _ = np.linalg.svd(X, full_matrices=False)
    # directions of rounding would correlate with something
    return np.asarray(U[:, s > s[0] * max(X.shape) * np.finfo(np.float64).eps])
