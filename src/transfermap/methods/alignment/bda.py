"""Balanced distribution adaptation: how much the domains as a whole and how much the classes are to agree is chosen."""

from __future__ import annotations

from functools import partial

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array
from transfermap.methods.alignment._joint import Factors, JointProjection, balanced_factor


@method(
    Card(
        name="Balanced distribution adaptation",
        year=2017,
        setting="transductive",
        transfers="features",
        tasks=("classification",),
        objective="min_A  tr(A'X ((1 - mu) C M_0 + mu sum_c M_c) X'A) + lambda ||A||_F^2   s.t.  A'XHX'A = I",
        steps=(
            "Find components in which the domains' means agree (as in TCA).",
            "Guess the target's labels by the nearest source row in these components.",
            "Find components in which the domains' means (weight 1 - mu) and those of each class (weight mu) agree; "
            "guess again, until the guess stays.",
        ),
        solver="alternates a symmetric generalised eigenproblem and 1-nearest-neighbour labels",
        cost="a round: TCA's time plus min(n_s, 10000) n_t k for neighbours; memory n d + m^2, m landmarks or columns",
        assumes=(
            "it is known roughly whether the domains differ as a whole or class by class",
            "the first guess of the target's labels is mostly right",
        ),
        fails_when=(
            "the first guess is poor: wrong labels are then fitted more and more firmly",
            "mu is far off; without target labels there is no good way to choose it (DDA estimates it)",
        ),
        reference="Wang, Chen, Hao, Feng and Shen, Balanced Distribution Adaptation for Transfer Learning, IEEE ICDM "
        "2017",
        doi="10.1109/ICDM.2017.150",
        toy="class_shift",
    )
)
class BDA(JointProjection):
    r"""Project both domains onto components in which they agree as a whole and class by class, in a chosen balance.

    .. math:: \min_A \operatorname{tr}\Bigl(A^\top F \bigl((1-\mu)\, C M_0 + \mu \sum_{c=1}^{C} M_c\bigr)
              F^\top A\Bigr) + \lambda \lVert A\rVert_F^2 \quad\text{s.t.}\quad A^\top F H F^\top A = I

    with features :math:`F` of all rows and :math:`M_c = e_c e_c^\top`, where :math:`e_c` takes the mean of class
    :math:`c` in the source minus that of the rows guessed to be :math:`c` in the target (:math:`c = 0`: all rows,
    weighted :math:`C` times, as the authors' code does); the sum is scaled to Frobenius norm one. ``mu=0.5`` is joint
    distribution adaptation (:class:`JDA`), ``mu=0`` transfer component analysis.

    Columns should be on comparable scales. The labels of target rows are guessed, never read. The paper's numbers are
    those of the best ``mu`` for each task, chosen with the target's labels; no single ``mu`` reaches them.

    Fails when the first guess of the target's labels is poor, or ``mu`` is far off.

    Parameters
    ----------
    mu : float, default=0.5
        From 0 (the domains as a whole) to 1 (class by class only).
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
        The first round aligns the domains as a whole, or at once the classes as the nearest source rows suggest them.
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
    >>> bda = BDA(mu=0.2, n_components=2).fit(X, y, sample_domain=np.repeat([1, -1], 100))
    >>> bool((bda.guess_ == y[100:]).mean() > 0.95)
    True

    References
    ----------
    Wang, Chen, Hao, Feng and Shen, Balanced Distribution Adaptation for Transfer Learning, IEEE ICDM 2017.
    doi:10.1109/ICDM.2017.150
    """

    mu: float = param(default=0.5, low=0, high=1)  # JDA; the paper's best values were found with target labels

    def _factors(self, Xs: Array, ys: Array, Xt: Array, n_classes: int) -> Factors:
        return partial(balanced_factor, ys, n_classes=n_classes, mu=self.mu)
