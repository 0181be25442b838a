"""Weighted balanced distribution adaptation: classes count by how common they are in each domain."""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array
from transfermap.methods.alignment._joint import Factors, JointProjection, balanced_factor

Weighting = Literal["paper", "code"]


def weighted_factor(ys: Array, guess: Array, n_classes: int, mu: float, weighting: Weighting) -> Array:
    """As BDA's factor, with the classes' columns weighted by the classes' shares P_s and P_t, (n, C + 1).

    "paper": sqrt(P_s) on the source's part, sqrt(P_t) on the target's. "code": 1 and P_t / P_s.
    """
    factor = balanced_factor(ys, guess, n_classes, mu)
    shares = [np.bincount(y, minlength=n_classes) / len(y) for y in (ys, guess)]
    # the roots, since each column is multiplied by itself: P_s(c) / n_c^2 as printed. The release weighs the target's
    # part alone (docs/errors.md), at a cost of 0.7 points on the SURF tasks
    if weighting == "paper":
        on_source, on_target = np.sqrt(shares[0]), np.sqrt(shares[1])
    else:
        on_source, on_target = np.ones(n_classes), shares[1] / np.where(shares[0] > 0, shares[0], 1)
    factor[: len(ys), 1:] *= on_source
    factor[len(ys) :, 1:] *= on_target
    return factor


@method(
    Card(
        name="Weighted balanced distribution adaptation",
        year=2017,
        setting="transductive",
        transfers="features",
        tasks=("classification",),
        objective="min_A  tr(A'X ((1 - mu) C M_0 + mu sum_c W_c) X'A) + lambda ||A||_F^2   s.t.  A'XHX'A = I",
        steps=(
            "Find components in which the domains' means agree, and guess the target's labels by the nearest source "
            "row.",
            "Weigh each class by its share in the source and its guessed share in the target.",
            "Find components in which the weighted class means agree; guess again, until the guess stays.",
        ),
        solver="alternates a symmetric generalised eigenproblem and 1-nearest-neighbour labels",
        cost="a round: TCA's time plus min(n_s, 10000) n_t k for neighbours; memory n d + m^2, m landmarks or columns",
        assumes=(
            "classes differ in how common they are, and the guess shows how common each is in the target",
            "the first guess of the target's labels is mostly right",
        ),
        fails_when=(
            "the first guess is poor: wrong labels and wrong shares are then fitted more and more firmly",
            "a class's share differs much between the domains: its means are then pulled apart, not together, along "
            "directions in which the class lies far from zero",
        ),
        reference="Wang, Chen, Hao, Feng and Shen, Balanced Distribution Adaptation for Transfer Learning, IEEE ICDM "
        "2017",
        doi="10.1109/ICDM.2017.150",
        toy="class_shift",
    )
)
class WBDA(JointProjection):
    r"""Project both domains onto components in which the classes agree, each counted by its share in each domain.

    .. math:: \min_A \operatorname{tr}\Bigl(A^\top F \bigl((1-\mu)\, C M_0 + \mu \sum_{c=1}^{C} w_c w_c^\top\bigr)
              F^\top A\Bigr) + \lambda \lVert A\rVert_F^2 \quad\text{s.t.}\quad A^\top F H F^\top A = I

    with features :math:`F` of all rows and :math:`w_c` equal to :math:`\sqrt{P_s(c)} / n_c` on the source rows of class
    :math:`c` and :math:`-\sqrt{P_t(c)} / m_c` on the :math:`m_c` target rows guessed to be of it; :math:`P_s(c)` and
    :math:`P_t(c)` are their shares. The sum is scaled to Frobenius norm one.

    Columns should be on comparable scales and centred. The labels of target rows are guessed, never read.

    Fails when the first guess of the target's labels is poor, or a class's share differs much between the domains.

    Parameters
    ----------
    mu : float, default=0.5
        From 0 (the domains as a whole) to 1 (class by class only; the released code's only choice).
    weighting : {"paper", "code"}, default="paper"
        As above, or as in the released code: 1 / n_c on the source rows, -P_t(c) / (P_s(c) m_c) on the target rows.
    n_components : int or None, default=None
        Number of components; fewer where the data has fewer. None takes the leading ones (at most 100, together 99 % of
        the sum of what is maximised, variance over discrepancy plus penalty) whose discrepancy is below their penalty.
    kernel : {"rbf", "linear", "primal"}, default="linear"
        "linear" and "rbf" are kernels, with the penalty on the coefficients; "primal" works on the columns themselves.
    gamma : float or None, default=None
        Of the RBF kernel exp(-gamma |x - y|^2), in 1 / squared units of X; None takes 1 / median squared distance.
    reg : float or None, default=None
        The paper's lambda (0.1 to 1, on rows of length one). None is ten times the discrepancy that chance alone would
        show along the leading direction.
    scale : {"unit", "regularizer", "constraint"}, default="unit"
        Relative length of the components, as in TCA; "unit" is what the published numbers were made with.
    normalize : bool, default=True
        Whether to return rows of length one, as the paper does. The guesses are always made on such rows.
    start : {"marginal", "nearest"}, default="marginal"
        The first round aligns the domains as a whole, or at once the classes as the nearest source rows suggest them
        (as in the published runs).
    max_iter : int, default=10
        Most rounds; it stops before when the guess stays. Above 10,000 source rows, neighbours are sought among 10,000
        of them, drawn with ``random_state`` from each class.
    max_exact : int, default=2000
        Up to this many rows in all, the RBF kernel is exact.
    landmarks : int, default=1000
        Above it, the number of rows, drawn from both domains, through which the RBF kernel is seen (Nystroem).
    random_state : int, default=0
        Draws the landmarks, the rows of the median above 1,000, and the neighbours above 10,000.

    Attributes
    ----------
    projection_ : ndarray of shape (n_landmarks or d, n_components)
    landmarks_ : ndarray of shape (n_landmarks, d), or None without an RBF kernel
    gamma_ : float
    guess_ : ndarray of shape (n_target,)
        The last guess of the target's labels, in the order of the target's rows.
    n_iter_ : int

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["rare", "common", "rare", "common"], [20, 80, 20, 80])
    >>> X = rng.normal(size=(200, 3)) + np.where(y == "rare", 3, -3)[:, None] * [1, 0, 0]
    >>> X[100:, 1] += 5
    >>> wbda = WBDA(n_components=2).fit(X, y, sample_domain=np.repeat([1, -1], 100))
    >>> bool((wbda.guess_ == y[100:]).mean() > 0.95)
    True

    References
    ----------
    Wang, Chen, Hao, Feng and Shen, Balanced Distribution Adaptation for Transfer Learning, IEEE ICDM 2017.
    doi:10.1109/ICDM.2017.150
    """

    mu: float = param(default=0.5, low=0, high=1)
    weighting: Weighting = param(default="paper", choices=("paper", "code"))

    def _factors(self, Xs: Array, ys: Array, Xt: Array, n_classes: int) -> Factors:
        return partial(weighted_factor, ys, n_classes=n_classes, mu=self.mu, weighting=self.weighting)
