"""Joint distribution adaptation: components in which the domains agree as a whole and class by class."""

from __future__ import annotations

from functools import partial

from transfermap.card import Card, method
from transfermap.math.linalg import Array
from transfermap.methods.alignment._joint import Factors, JointProjection, balanced_factor


@method(
    Card(
        name="Joint distribution adaptation",
        year=2013,
        setting="transductive",
        transfers="features",
        tasks=("classification",),
        objective="min_A  sum_{c=0..C} tr(A'X M_c X'A) + lambda ||A||_F^2   s.t.  A'XHX'A = I",
        steps=(
            "Find components in which the domains' means agree (as in TCA).",
            "Guess the target's labels by the nearest source row in these components.",
            "Find components in which also the means of each class agree; guess again, until the guess stays.",
        ),
        solver="alternates a symmetric generalised eigenproblem and 1-nearest-neighbour labels",
        cost="a round: TCA's time plus min(n_s, 10000) n_t k for neighbours; memory n d + m^2, m landmarks or columns",
        assumes=(
            "after a common map, both the rows and each class's rows have the same mean in both domains",
            "the first guess of the target's labels is mostly right",
        ),
        fails_when=(
            "the first guess is poor: wrong labels are then fitted more and more firmly",
            "class shares differ much, or the target has classes that the source lacks",
        ),
        reference="Long, Wang, Ding, Sun and Yu, Transfer Feature Learning with Joint Distribution Adaptation, "
        "ICCV 2013",
        doi="10.1109/ICCV.2013.274",
        toy="class_shift",
        by_default=True,
    )
)
class JDA(JointProjection):
    r"""Project both domains onto components in which they agree as a whole and class by class.

    .. math:: \min_A \sum_{c=0}^{C} \operatorname{tr}(A^\top F M_c F^\top A) + \lambda \lVert A\rVert_F^2
              \quad\text{s.t.}\quad A^\top F H F^\top A = I

    with features :math:`F` of all rows and :math:`M_c = e_c e_c^\top`, where :math:`e_c` takes the mean of class
    :math:`c` in the source minus that of the rows guessed to be :math:`c` in the target (:math:`c = 0`: all rows,
    weighted :math:`C` times, as the authors do); the sum is scaled to Frobenius norm one. A class that nobody is
    guessed to be is left out of the sum for that round.

    Columns should be on comparable scales. The labels of target rows are guessed, never read.

    Fails when the first guess of the target's labels is poor, or when class shares differ much.

    Parameters
    ----------
    n_components : int or None, default=None
        Number of components; fewer where the data has fewer. None takes the leading ones (at most 100, together 99 % of
        the sum of what is maximised, variance over discrepancy plus penalty) whose discrepancy is below their penalty.
    kernel : {"rbf", "linear", "primal"}, default="linear"
        "linear" and "rbf" are kernels, with the penalty on the coefficients; "primal" works on the columns themselves.
    gamma : float or None, default=None
        Of the RBF kernel exp(-gamma |x - y|^2), in 1 / squared units of X; None takes 1 / median squared distance.
    reg : float or None, default=None
        The paper's lambda (0.1 on columns, 1 with a linear kernel, both on rows of length one). None is ten times the
        discrepancy that chance alone would show along the leading direction.
    scale : {"unit", "regularizer", "constraint"}, default="unit"
        Relative length of the components, as in TCA; "unit" is what the published numbers were made with.
    normalize : bool, default=True
        Whether to return rows of length one, as the paper does. The guesses are always made on such rows.
    start : {"marginal", "nearest"}, default="marginal"
        The first round aligns the domains as a whole, as in the paper, or at once the classes as the nearest source
        rows suggest them.
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
    >>> y = np.tile(["cat", "dog"], 100)
    >>> X = rng.normal(size=(200, 3)) + np.where(y == "cat", 3, -3)[:, None] * [1, 0, 0]
    >>> X[100:, 1] += 5
    >>> jda = JDA(n_components=2).fit(X, y, sample_domain=np.repeat([1, -1], 100))
    >>> bool((jda.guess_ == y[100:]).mean() > 0.95)
    True

    References
    ----------
    Long, Wang, Ding, Sun and Yu, Transfer Feature Learning with Joint Distribution Adaptation, ICCV 2013.
    doi:10.1109/ICCV.2013.274
    """

    def _factors(self, Xs: Array, ys: Array, Xt: Array, n_classes: int) -> Factors:
        return partial(balanced_factor, ys, n_classes=n_classes, mu=0.5)
