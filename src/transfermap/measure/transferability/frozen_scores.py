"""How well a frozen source model's features or answers fit labelled target rows: larger is better, throughout.

They compare models on the same rows without training one. None is best everywhere, and
:mod:`transfermap.measure.transferability.probes` (neighbours, a linear probe) is cheap and hard to beat: look at these
together. The evidence score is in :mod:`transfermap.measure.transferability.linear_evidence`. All of them read *target
labels*.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr
from sklearn.covariance import ledoit_wolf_shrinkage

from transfermap.measure.inputs import labels, probabilities, rows

Array = NDArray[np.float64]


def h_score(F: ArrayLike, yt: ArrayLike, shrunk: bool = True) -> float:
    r"""How much of the features' spread the classes explain: :math:`\mathrm{tr}(C_F^{-1}C_{E[F|y]})`.

    With :math:`F=USV^\top` centred, :math:`\lambda=s^2/n` and :math:`h_k=\sum_c n_c\bar U_{ck}^2` (the share of
    direction k that lies between classes), the plain score is :math:`\sum_kh_k` over the directions of non-zero
    length. It is C - 1 for *any* labels once there are n - 1 directions. The shrunk one has Ledoit and Wolf's
    :math:`\alpha`: :math:`\sum_kh_k\frac{(1-\alpha)\lambda_k}{(1-\alpha)\lambda_k+\alpha\bar\lambda}`, with
    :math:`\bar\lambda` the mean over all d directions.

    Parameters
    ----------
    F : (n, d) array
        Features of target rows.
    yt : (n,) array
        Their classes, of any kind.
    shrunk : bool

    Returns
    -------
    float
        In [0, min(d, C - 1)]. No invertible linear map of F changes the plain one; rotation, shift and scale leave the
        shrunk one as it is.

    References
    ----------
    Bao et al., IEEE ICIP 2019, doi:10.1109/ICIP.2019.8803726. Shrunk: Ibrahim, Ponomareva and Mazumder, ECML PKDD 2022,
    arXiv:2110.06893. Ledoit and Wolf, Journal of Multivariate Analysis 88 (2004) 365-411,
    doi:10.1016/S0047-259X(03)00096-4.

    Examples
    --------
    >>> round(h_score([[0.0], [0.0], [1.0], [1.0]], ["a", "a", "b", "b"], shrunk=False), 9)
    1.0
    """
    features, codes = _labelled(F, yt)
    centred = _centred(features)
    U, s, _ = np.linalg.svd(centred, full_matrices=False)
    # numpy's own rule for the rank: a direction of rounding would explain some classes too
    kept = s > s[0] * max(features.shape) * np.finfo(np.float64).eps
    U, spread = U[:, kept], s[kept] ** 2 / len(features)
    between = (_class_means(U, codes) ** 2 * np.bincount(codes)[:, None]).sum(axis=0)
    if not shrunk or not kept.any():
        return float(between.sum())
    alpha = float(ledoit_wolf_shrinkage(centred, assume_centered=True))
    own = (1 - alpha) * spread
    return float(between @ (own / (own + alpha * spread.sum() / features.shape[1])))


def nce(predicted: ArrayLike, yt: ArrayLike) -> float:
    r"""How surely the source model's answer tells the target's class: the negative conditional entropy.

    :math:`-H(Y|Z)=\sum_{y,z}\hat p(y,z)\log\hat p(y|z)`, with z the source class predicted for a target row; the two
    label sets need not have anything in common.

    Parameters
    ----------
    predicted : (n,) array
        z, of any kind.
    yt : (n,) array
        True classes.

    Returns
    -------
    float
        In [-H(Y), 0] nats; 0 where z determines y.

    References
    ----------
    Tran, Nguyen and Hassner, ICCV 2019, doi:10.1109/ICCV.2019.00148.

    Examples
    --------
    >>> nce(["cat", "cat", "car"], ["animal", "animal", "thing"])
    0.0
    """
    truth = labels(yt, "yt")
    answer = labels(predicted, "predicted", len(truth))
    z, y = pd.factorize(answer)[0], pd.factorize(truth)[0]
    joint = np.zeros((z.max() + 1, y.max() + 1))
    np.add.at(joint, (z, y), 1 / len(truth))
    # H(Z) - H(Y, Z), which rounding may leave above 0; + 0.0 turns -0.0 into 0.0
    return float(min(entr(joint.sum(axis=1)).sum() - entr(joint).sum(), 0.0)) + 0.0


def leep(P: ArrayLike, yt: ArrayLike) -> float:
    r"""How likely the target's classes are, read off the source model's probabilities by a table.

    :math:`\frac1n\sum_i\log\sum_z\hat p(y_i|z)P_{iz}` with :math:`\hat p(y,z)=\frac1n\sum_{i:y_i=y}P_{iz}`; source
    classes that get no probability at all are left out.

    Parameters
    ----------
    P : (n, Z) array
        The source model's probabilities of *its* classes for target rows.
    yt : (n,) array
        True target classes.

    Returns
    -------
    float
        At most 0 nats; equals :func:`nce` where every row's probability is all on one class.

    References
    ----------
    Nguyen, Hassner, Seeger and Archambeau, ICML 2020, arXiv:2002.12462.

    Examples
    --------
    >>> round(leep([[0.5, 0.5], [0.5, 0.5]], [0, 1]), 4)  # nothing told: -log 2
    -0.6931
    """
    answers = probabilities(P, "P")
    codes = _codes(yt, len(answers))
    joint = np.zeros((codes.max() + 1, answers.shape[1]))
    np.add.at(joint, codes, answers)
    total = joint.sum(axis=0)
    given = np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)
    # the logarithm of each row's mean, as printed; the program of the SFDA paper leaves it out
    return float(min(np.log((given[codes] * answers).sum(axis=1)).mean(), 0.0))


def trans_rate(F: ArrayLike, yt: ArrayLike, eps: float = 1e-4, by_class: bool = True, scaled: bool = True) -> float:
    r"""How many nats of code the classes save: the features' coding rate less that within the classes.

    :math:`R(Z)-\sum_c\frac{n_c}nR(Z_c)` with :math:`R(Z)=\frac12\log\det(I+\frac1{n\epsilon}Z^\top Z)`, Z of mean 0
    and, since the score depends on scale, :math:`\mathrm{tr}(Z^\top Z)=n`. The paper does not take the class means out
    of :math:`Z_c`; then two equally common classes of equal spread score 0 however far apart they lie, since either is
    the other's mirror image. Here they are taken out.

    Parameters
    ----------
    F : (n, d) array
    yt : (n,) array
    eps : float
        The distortion > 0 of a coded row.
    by_class : bool
        Take the class means out; False: the paper's formula.
    scaled : bool
        Scale Z first; False: as given.

    Returns
    -------
    float
        >= 0 nats; 0 for one class.

    References
    ----------
    Huang, Huang, Rong, Yang and Wei, ICML 2022, arXiv:2106.09362.

    Examples
    --------
    >>> F, y = [[-1.0], [-1.1], [1.0], [1.1]], [0, 0, 1, 1]
    >>> round(trans_rate(F, y), 2), round(trans_rate(F, y, by_class=False), 2)
    (3.02, 0.0)
    """
    if not eps > 0:
        raise ValueError(f"expected eps > 0, got {eps}")
    features, codes = _labelled(F, yt)
    Z = _centred(features)
    size = float(np.sqrt((Z**2).sum() / len(Z)))
    Z = Z / size if scaled and size > 0 else Z
    within = Z - _class_means(Z, codes)[codes] if by_class else Z
    parts = [within[codes == c] for c in range(codes.max() + 1)]
    saved = _rate(Z, eps) - sum(len(part) * _rate(part, eps) for part in parts) / len(Z)
    return float(max(saved, 0.0))


def _centred(F: Array) -> Array:
    # The mean of a constant column is rounded: what is left of it would be noise, not spread.
    # the mean of a constant column is rounded: what is left of it would be noise, not spread
    return np.where(np.ptp(F, axis=0) > 0, F - F.mean(axis=0), 0.0)


def _rate(Z: Array, eps: float) -> float:
    # det(I + ZZ') = det(I + Z'Z): the smaller of the two
    gram = Z @ Z.T if len(Z) < Z.shape[1] else Z.T @ Z
    return float(np.linalg.slogdet(np.eye(len(gram)) + gram / (len(Z) * eps))[1]) / 2


def _class_means(X: Array, codes: NDArray[np.intp]) -> Array:
    """(C, d) means of the rows of each class."""
    total = np.zeros((codes.max() + 1, X.shape[1]))
    np.add.at(total, codes, X)
    return total / np.bincount(codes)[:, None]


def _labelled(F: ArrayLike, yt: ArrayLike) -> tuple[Array, NDArray[np.intp]]:
    features = rows(F, "F", least=2)
    return features, _codes(yt, len(features))


def _codes(yt: ArrayLike, length: int) -> NDArray[np.intp]:
    named: NDArray[Any] = labels(yt, "yt", length)
    return pd.factorize(named)[0]
