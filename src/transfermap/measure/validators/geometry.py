"""The shape of a learnt representation and of the linear head on it: properties that go with transfer, no labels.

:func:`rank_me` and :func:`head_unevenness` see no prediction, so a collapsed predictor can win them;
:func:`transfer_score` rates it lower than an even one by the share of information that it lacks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr

from transfermap.measure.inputs import probabilities, rows
from transfermap.measure.validators.clustering import hopkins
from transfermap.measure.validators.label_free import infomax


def rank_me(Z: ArrayLike, most: int = 25_600, seed: int = 0) -> float:
    """How many directions a representation fills: :math:`\\exp H(\\sigma/\\|\\sigma\\|_1)` of its singular values.

    Parameters
    ----------
    Z : (n, d) array
        Features, not centred. Above ``most`` rows a seeded subsample.
    most, seed : int

    Returns
    -------
    float
        In [1, min(n, d)]: 1 where all rows are multiples of one another, or zero. It knows no classes: compare
        representations of one kind with it, not predictors.

    Notes
    -----
    O(n d^2); 0.01 s for n = 2,000, d = 50. The paper's 1e-7 beside each share, there for the logarithm, is left out.

    References
    ----------
    Garrido, Balestriero, Najman and LeCun, RankMe, ICML 2023, arXiv:2210.02885. Roy and Vetterli, The effective rank,
    EUSIPCO 2007.

    Examples
    --------
    >>> round(rank_me(np.eye(3)), 6), round(rank_me([[1.0, 2.0], [2.0, 4.0]]), 6)
    (3.0, 1.0)
    """
    table = rows(Z, "Z")
    if len(table) > most:
        table = table[np.random.default_rng(seed).choice(len(table), most, replace=False)]
    sizes = np.linalg.svd(table, compute_uv=False)
    return float(np.exp(entr(sizes / sizes.sum()).sum())) if sizes.sum() > 0 else 1.0


def head_unevenness(W: ArrayLike) -> float:
    """How far the class weights of a linear head are from standing evenly apart.

    :math:`\\frac{2}{C(C-1)}\\sum_{i<j}\\bigl(\\angle(w_i,w_j)-\\arccos\\tfrac{-1}{C-1}\\bigr)^2`: all angles are
    :math:`\\arccos\\tfrac{-1}{C-1}` in the regular simplex, where C directions lie as far apart as can be.

    Parameters
    ----------
    W : (C, d) array
        A row a class, C > 1, none zero; without the bias.

    Returns
    -------
    float
        At least 0, in squared radians; *smaller* is better. 0 needs d >= C - 1.

    References
    ----------
    Yang et al., Can we evaluate domain adaptation models without target-domain labels?, ICLR 2024, arXiv:2305.18712.

    Examples
    --------
    >>> head_unevenness([[1.0], [-1.0]])
    0.0
    """
    weight = rows(W, "W", 2)
    size = np.linalg.norm(weight, axis=1, keepdims=True)
    if (size == 0).any():
        raise ValueError(f"expected no zero row in W, got {int((size == 0).sum())}")
    unit = weight / size
    above = np.triu_indices(len(unit), 1)
    # parallel rows of length one may have a product of 1 + 1e-16
    angle = np.arccos(np.clip((unit @ unit.T)[above], -1, 1))
    return float(((angle - np.arccos(-1 / (len(unit) - 1))) ** 2).mean())


class TransferScore(NamedTuple):
    """The parts of :func:`transfer_score`.

    ``clusters`` in [0, 1] (:func:`~transfermap.measure.validators.clustering.hopkins`), ``information`` in [0, 1]
    (:func:`~transfermap.measure.validators.label_free.infomax`, by log C) and ``unevenness`` >= 0
    (:func:`head_unevenness`), NaN without head. ``value`` is clusters + information - unevenness; without head, of the
    first two.
    """

    value: float
    clusters: float
    information: float
    unevenness: float


def transfer_score(
    Zt: ArrayLike, Pt: ArrayLike, W: ArrayLike | None = None, share: float = 0.05, seed: int = 0
) -> TransferScore:
    """Are the target features in clusters, do the predictions tell rows apart, and is the head even?

    :math:`\\mathrm{Hopkins}(Z_t)+\\frac{I(P_t)}{\\log C}-U(W)`, with the mutual information over all rows at once.

    Parameters
    ----------
    Zt : (n, d) array
        Target features that the head reads.
    Pt : (n, C) array
        Class probabilities of the same rows.
    W : (C, d) array, optional
        Weights of the linear head. Compare candidates that all have one, or that all have none.
    share, seed
        As in :func:`~transfermap.measure.validators.clustering.hopkins`.

    Returns
    -------
    TransferScore
        ``value`` at most 2. Collapsed: ``information`` is 0, the other parts do not see it. It costs what
        :func:`~transfermap.measure.validators.clustering.hopkins` costs.

    References
    ----------
    Yang et al., ICLR 2024, arXiv:2305.18712.

    Examples
    --------
    >>> found = transfer_score([[0.0], [0.0], [9.0], [9.0]], np.eye(2)[[0, 0, 1, 1]], [[1.0], [-1.0]], share=1.0)
    >>> found
    TransferScore(value=2.0, clusters=1.0, information=1.0, unevenness=0.0)
    """
    Z = rows(Zt, "Zt", 2)
    P = probabilities(Pt)
    if len(P) != len(Z):
        raise ValueError(f"expected Pt to have as many rows as Zt, got {len(P)} and {len(Z)}")
    # over all rows at once: the authors' program averages the information over batches, so it depends on their size
    clusters, information = hopkins(Z, share, seed), infomax(P, normalised=True)
    if W is None:
        return TransferScore(clusters + information, clusters, information, float("nan"))
    weight = rows(W, "W", 2)
    if weight.shape != (P.shape[1], Z.shape[1]):
        raise ValueError(f"expected W to have shape {(P.shape[1], Z.shape[1])}, got {weight.shape}")
    unevenness = head_unevenness(weight)
    return TransferScore(clusters + information - unevenness, clusters, information, unevenness)
