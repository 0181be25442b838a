"""Dynamic distribution adaptation: the balance between whole domains and classes is estimated in each round."""

from __future__ import annotations

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array
from transfermap.methods.alignment._dynamic import Together, a_distance, adaptive_factor, compressed
from transfermap.methods.alignment._joint import Factors, JointProjection, balanced_factor


@method(
    Card(
        name="Dynamic distribution adaptation",
        year=2020,
        setting="transductive",
        transfers="features",
        tasks=("classification",),
        objective="min_A  tr(A'X ((1 - mu) C M_0 + mu sum_c M_c) X'A) + lambda ||A||_F^2   s.t.  A'XHX'A = I,   "
        "mu = mean_c d_c / (mean_c d_c + d_0)",
        steps=(
            "Find components in which the domains' means agree (as in TCA).",
            "Guess the target's labels by the nearest source row in these components.",
            "Measure how well a linear rule tells the domains apart, as a whole and within each class: mu is the "
            "classes' part.",
            "Find components in which the domains' means (weight 1 - mu) and those of each class (weight mu) agree; "
            "guess and measure again, until the guess stays.",
        ),
        solver="alternates a symmetric generalised eigenproblem, 1-nearest-neighbour labels and ridge regressions",
        cost="a round: TCA's time plus min(n_s, 10000) n_t k for neighbours plus n min(d, 100)^2; memory n d + m^2, "
        "m landmarks or columns",
        assumes=(
            "how well a linear rule tells the domains apart says how much there is to align",
            "the first guess of the target's labels is mostly right",
        ),
        fails_when=(
            "the first guess is poor: the estimate then speaks of the wrong classes",
            "classes have fewer than five rows on a side: nothing is estimated, and mu is one half",
        ),
        reference="Wang, Chen, Feng, Yu, Huang and Yang, Transfer Learning with Dynamic Distribution Adaptation, ACM "
        "TIST 11(1), 2020",
        doi="10.1145/3360309",
        toy="class_shift",
    )
)
class DDA(JointProjection):
    r"""Project both domains onto components in which they agree as a whole and class by class, in an estimated balance.

    .. math:: \min_A \operatorname{tr}\Bigl(A^\top F \bigl((1-\mu)\, C M_0 + \mu \sum_{c=1}^{C} M_c\bigr)
              F^\top A\Bigr) + \lambda \lVert A\rVert_F^2 \quad\text{s.t.}\quad A^\top F H F^\top A = I,
              \qquad \mu = \frac{\bar d}{\bar d + d_0}

    with :math:`F` and :math:`M_c` as in :class:`BDA`, and :math:`d = 2(1 - 2\epsilon)`, where :math:`\epsilon` is the
    error of a linear rule (ridge regression) that tells source from target, on rows that it has not seen: all rows for
    :math:`d_0`, those of one class (as guessed in the target) for :math:`d_c`, whose mean is :math:`\bar d`. It is
    estimated on the rows as they come, before each round but the first.

    Columns should be on comparable scales. The labels of target rows are guessed, never read.

    Fails when the first guess of the target's labels is poor.

    Parameters
    ----------
    together : {"mean", "sum"}, default="mean"
        The classes' part is the mean of :math:`d_c`, as in the authors' code, or their sum, as printed, with which
        :math:`\mu` is near 1 wherever there are many classes.
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
    mu_ : list of float
        The balance in each round that had a guess to start from.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile(["cat", "dog"], 100)
    >>> X = rng.normal(size=(200, 3)) + np.where(y == "cat", 3, -3)[:, None] * [1, 0, 0]
    >>> X[100:, 1] += np.where(y[100:] == "cat", 2, -2)
    >>> dda = DDA(n_components=2).fit(X, y, sample_domain=np.repeat([1, -1], 100))
    >>> bool(dda.mu_[0] > 0.9), bool((dda.guess_ == y[100:]).mean() > 0.95)
    (True, True)

    References
    ----------
    Wang, Chen, Feng, Yu, Huang and Yang, Transfer Learning with Dynamic Distribution Adaptation, ACM TIST 11(1), 2020.
    doi:10.1145/3360309
    """

    together: Together = param(default="mean", choices=("mean", "sum"))

    def _factors(self, Xs: Array, ys: Array, Xt: Array, n_classes: int) -> Factors:
        # once for all rounds: only the guess changes, and neither the axes nor the distance as a whole depend on it
        Zs, Zt = compressed(Xs, Xt)
        whole = a_distance(Zs, Zt)
        self.mu_: list[float] = []

        def factor(guess: Array) -> Array:
            self.mu_.append(adaptive_factor(Zs, ys, Zt, guess, n_classes, self.together, whole))
            return balanced_factor(ys, guess, n_classes, self.mu_[-1])

        return factor
