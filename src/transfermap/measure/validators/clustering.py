"""Do the target rows fall into groups, and are these groups the predicted classes? No label is read.

A predictor that gives every row the same class comes last in :func:`class_ami` and :func:`class_silhouette`. One that
merges classes still loses in :func:`class_ami`, which is told how many there are, and can *win* in
:func:`class_silhouette`; :func:`hopkins` sees no prediction at all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from sklearn.metrics import adjusted_mutual_info_score, pairwise_distances_argmin, silhouette_score
from sklearn.neighbors import NearestNeighbors

from transfermap.measure.inputs import labels, rows

Array = NDArray[np.float64]
Groups = NDArray[np.intp]
_ROUNDS = 300  # scikit-learn's limit; mostly a dozen are needed


def class_ami(Zt: ArrayLike, predicted: ArrayLike, classes: int | None = None) -> float:
    """How well the predicted classes and the groups of the target rows are the same partition.

    :math:`\\mathrm{AMI}(\\hat y,g)=\\frac{I-\\mathrm E I}{(H(\\hat y)+H(g))/2-\\mathrm E I}` with g from k-means,
    a group a class, begun at the predicted classes' means.

    Parameters
    ----------
    Zt : (n, d) array
        Target features; distances between the rows must mean something, so give columns of like scale, and rows of
        unit length where only their direction counts.
    predicted : (n,) array
        Predicted classes, of any kind.
    classes : int, optional
        How many classes there are; without it, those predicted. A class never predicted begins at the row farthest
        from all centres (in the authors' program, at the origin): so a predictor that merges classes loses.

    Returns
    -------
    float
        At most 1; about 0 for predictions that have nothing to do with the groups. Collapsed: 0.

    Notes
    -----
    O(n d C) a round of k-means; 0.05 s for n = 2,000, d = 50, C = 10, and 0.3 s where there are no groups. It fails
    where the groups are not the classes: where the strongest pattern in the features is something else.

    References
    ----------
    Musgrave, Belongie and Lim, Three new validators and a large-scale benchmark ranking for unsupervised domain
    adaptation, 2022, arXiv:2208.07360. AMI: Vinh, Epps and Bailey, JMLR 11 (2010) 2837-2854.

    Examples
    --------
    >>> class_ami([[0.0], [0.1], [5.0], [5.1]], ["a", "a", "b", "b"])
    1.0
    """
    Z, code, k = _checked(Zt, predicted, classes)
    # the AMI of two one-group partitions is 1 by convention: nothing was told apart, so nothing was found
    return float(adjusted_mutual_info_score(code, k_means(Z, _starts(Z, code, k)))) if code.any() else 0.0


def class_silhouette(
    Zt: ArrayLike, predicted: ArrayLike, classes: int | None = None, most: int = 5000, seed: int = 0
) -> float:
    """How clearly the groups of the target rows stand apart, when k-means begins at the predicted classes' means.

    :math:`\\frac1n\\sum_i\\frac{b_i-a_i}{\\max(a_i,b_i)}`: mean distance a to the own group, b to the nearest other.
    Above ``most`` rows the mean is over a seeded subsample.

    Parameters
    ----------
    Zt : (n, d) array
    predicted : (n,) array
    classes : int, optional
        As in :func:`class_ami`.
    most, seed : int

    Returns
    -------
    float
        In [-1, 1]. One class only in ``predicted``, one group only, or every row its own: -1.

    Notes
    -----
    The predictions only begin the clustering, so it rates the features more than the predictor, and one that merges
    neighbouring classes can score best: use it beside :func:`class_ami`. O(n^2 d); 0.1 s for n = 2,000, d = 50.

    References
    ----------
    Musgrave, Belongie and Lim, 2022, arXiv:2208.07360, after Robbiano et al., Adversarial branch architecture search,
    2021. Silhouette: Rousseeuw, 1987, doi:10.1016/0377-0427(87)90125-7.

    Examples
    --------
    >>> class_silhouette([[0.0], [0.0], [5.0], [5.0]], ["a", "a", "b", "b"])
    1.0
    """
    Z, code, k = _checked(Zt, predicted, classes)
    group = k_means(Z, _starts(Z, code, k)) if code.any() else code
    if len(Z) > most:
        kept = np.random.default_rng(seed).choice(len(Z), most, replace=False)
        Z, group = Z[kept], group[kept]
    # scikit-learn refuses one group, and a group for every row
    return float(silhouette_score(Z, group)) if 1 < len(np.unique(group)) < len(Z) else -1.0


def hopkins(Zt: ArrayLike, share: float = 0.05, seed: int = 0) -> float:
    """Whether the rows lie in clusters, against rows spread evenly over their bounding box.

    :math:`\\frac{\\sum u}{\\sum u+\\sum w}` with w the distances of a sample of rows to their nearest other row, and u
    those of as many even points to their nearest row.

    Parameters
    ----------
    Zt : (n, d) array
        n > 1.
    share : float
        Size of the sample as a share of n, in (0, 1]; at least one row.
    seed : int

    Returns
    -------
    float
        In [0, 1]; about 1/2 for evenly spread rows, and where all rows are equal; near 1 for tight clusters. Above 1/2
        also for one cloud alone, since a box has corners, and the more so where the columns depend on one another.

    Notes
    -----
    O(share n^2 d); 0.02 s for n = 2,000, d = 50.

    References
    ----------
    Hopkins and Skellam, Annals of Botany 18 (1954) 213-227, doi:10.1093/oxfordjournals.aob.a083391; with plain
    distances instead of their volumes, as in the transfer score.

    Examples
    --------
    >>> hopkins([[0.0], [0.0], [9.0], [9.0]], share=1.0)
    1.0
    """
    Z = rows(Zt, "Zt", 2)
    if not 0 < share <= 1:
        raise ValueError(f"expected share to lie above 0 and up to 1, got {share}")
    # a stream of its own: the rows may have been drawn from default_rng(seed), and would come again as even points
    rng = np.random.default_rng(seed).spawn(1)[0]
    size = max(1, round(share * len(Z)))
    sample = Z[rng.choice(len(Z), size, replace=False)]
    even = rng.uniform(Z.min(axis=0), Z.max(axis=0), (size, Z.shape[1]))
    near = NearestNeighbors(n_neighbors=2).fit(Z)
    own = near.kneighbors(sample)[0][:, 1].sum()
    other = near.kneighbors(even, 1)[0].sum()
    return float(other / (other + own)) if other + own > 0 else 0.5


def k_means(Z: Array, centres: Array) -> Groups:
    """Groups after Lloyd's rounds from given centres; a group that runs empty keeps its centre.

    Parameters
    ----------
    Z : (n, d) array
    centres : (k, d) array

    Returns
    -------
    (n,) array of int
        The nearest centre of each row, the first among equals.

    Examples
    --------
    >>> k_means(np.array([[0.0], [1.0], [8.0]]), np.array([[0.0], [1.0]])).tolist()
    [0, 0, 1]
    """
    group = pairwise_distances_argmin(Z, centres)
    for _ in range(_ROUNDS):
        centres = _means(Z, group, centres)
        before, group = group, pairwise_distances_argmin(Z, centres)
        if (group == before).all():
            break
    return group


def _means(Z: Array, group: Groups, otherwise: Array) -> Array:
    """Mean row of each group; the given one for a group without rows."""
    # sums of groups as a sparse product, without a loop over groups
    member = csr_array((np.ones(len(Z)), (group, np.arange(len(Z)))), shape=(len(otherwise), len(Z)))
    size = np.bincount(group, minlength=len(otherwise))[:, None]
    return np.divide(member @ Z, size, out=otherwise.copy(), where=size > 0)


def _starts(Z: Array, code: Groups, k: int) -> Array:
    """Means of the predicted classes; then, up to k, always the row farthest from all centres so far."""
    present = int(code.max()) + 1
    centres = np.zeros((k, Z.shape[1]))
    centres[:present] = _means(Z, code, centres[:present])
    gap = np.min([((Z - centre) ** 2).sum(axis=1) for centre in centres[:present]], axis=0)
    for new in range(present, k):
        centres[new] = Z[gap.argmax()]
        # farthest first: no draw, so the score has no seed
        gap = np.minimum(gap, ((Z - centres[new]) ** 2).sum(axis=1))
    return centres


def _checked(Zt: ArrayLike, predicted: ArrayLike, classes: int | None) -> tuple[Array, Groups, int]:
    """Centred features, predicted classes as 0 ... and the number of groups."""
    Z = rows(Zt, "Zt")
    kinds, code = np.unique(labels(predicted, "predicted", len(Z)), return_inverse=True)
    if classes is not None and classes < len(kinds):
        raise ValueError(f"expected classes to be at least the {len(kinds)} that are predicted, got {classes}")
    # distances do not change, and those far from the origin lose no digits
    return Z - Z.mean(axis=0), code, classes or len(kinds)
