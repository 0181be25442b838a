"""Easy transfer learning: move the source by CORAL, then give each target row to the nearest class mean."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from transfermap.card import Card, method, param
from transfermap.math.confidence import sharpness
from transfermap.math.linalg import Array, coral_map
from transfermap.roles import Learner
from transfermap.split import Split


def cheapest_assignment(D: Array) -> Array:
    """The class of each row, (n,), at the least total cost ``D`` (n, C) such that every class has a row.

    The optimum of the paper's linear program. Every row takes its cheapest class; if that leaves one without rows, each
    class is given a row of its own such that all these rows' extra cost is least. Where there are fewer rows than
    classes no such assignment exists, and each row keeps its cheapest class.
    """
    cheapest = D.argmin(axis=1)
    n, classes = D.shape
    # the usual case: on the twelve SURF tasks no class is left empty, and nearest means have the authors' accuracies
    if n < classes or len(np.unique(cheapest)) == classes:
        return cheapest
    regret = D - D[np.arange(n), cheapest][:, None]
    # a class can lose at most C - 1 of its C best rows to others, so no optimum needs any further row
    best = np.unique(np.argpartition(regret, classes - 1, axis=0)[:classes])
    # taking a row from a class may empty that one: so every class, not the empty ones alone, is given a row
    takers, taken = linear_sum_assignment(regret[best].T)
    cheapest[best[taken]] = takers
    return cheapest


def class_means(Z: Array, codes: Array, n_classes: int) -> Array:
    """Mean row of each class, (n_classes, d); labels 0 ... n_classes - 1, each present."""
    return np.stack([Z[codes == c].mean(axis=0, dtype=np.float64) for c in range(n_classes)])


@method(
    Card(
        name="Easy transfer learning",
        year=2019,
        setting="transductive",
        transfers="features",
        tasks=("classification",),
        objective="min_M sum_tc D_tc M_tc  s.t.  0 <= M <= 1, sum_c M_tc = 1, sum_t M_tc >= 1;  D_tc = |x_t - mean_c|",
        steps=(
            "Give the source the target's mean and covariance (CORAL).",
            "Take the mean of each class of the moved source.",
            "Give each target row to the nearest mean, so that no class stays empty, at the least total distance.",
        ),
        solver="the linear program's optimum: nearest means, and an assignment for classes that stay empty",
        cost="time n d C, with CORAL n d^2 + d^3; memory n d + d^2; C classes",
        assumes=(
            "the domains differ by an affine change of the features",
            "class shares are about equal in both domains",
            "each class is one round cloud about its mean",
        ),
        fails_when=(
            "a class has several clouds, or an elongated one",
            "class shares differ: matching means then moves the classes over the boundary",
            "the target lacks a class: a row is then forced into it, in guess_",
        ),
        reference="Wang, Chen, Yu, Huang and Yang, Easy Transfer Learning by Exploiting Intra-domain Structures, IEEE "
        "ICME 2019",
        doi="10.48550/arXiv.1904.01376",
        by_default=True,
        toy="site_offsets",
    )
)
class EasyTL(Learner):
    r"""Give each target row to the nearest class mean of the source, after CORAL, and leave no class empty.

    .. math:: \min_M \sum_{t,c} D_{tc} M_{tc} \quad\text{s.t.}\quad 0 \le M \le 1, \; \sum_c M_{tc} = 1 \; \forall t,
              \; \sum_t M_{tc} \ge 1 \; \forall c, \qquad D_{tc} = \lVert x_t - \bar x_c\rVert

    with class means :math:`\bar x_c` of the source, moved onto the target's mean and covariance. The program is a
    transport problem, so its optimum is found without a solver for linear programs: nearest means, and a small
    assignment problem only where they leave a class empty. New rows get the nearest mean. Probabilities are the softmax
    of negative squared distances, as sharp as fits the source's labels best.

    Columns should be on comparable scales. It has nothing to tune but the ridge.

    Fails when a class has several clouds, when class shares differ, or when the target lacks a class.

    Parameters
    ----------
    align : {"coral", "none"}, default="coral"
        Whether to move the source first; "none" is the paper's EasyTL(c).
    reg : float, default=1.0
        Ridge on both covariances in CORAL, in units of the mean variance; 1 is the paper's.

    Attributes
    ----------
    means_ : ndarray of shape (n_classes, d)
    guess_ : ndarray of shape (n_target,)
        The target's labels by the program, in the order of the target's rows. They differ from ``predict`` only where
        nearest means leave a class empty.
    sharpness_ : float
        What negative squared distances are multiplied by.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile(["cat", "dog"], 100)
    >>> X = rng.normal(size=(200, 2)) + np.where(y == "cat", 3, -3)[:, None] * [1, 0]
    >>> X[100:] = X[100:] * [1, 5] + 20
    >>> easy = EasyTL().fit(X, y, sample_domain=np.repeat([1, -1], 100))
    >>> bool((easy.guess_ == y[100:]).mean() > 0.95)
    True

    References
    ----------
    Wang, Chen, Yu, Huang and Yang, Easy Transfer Learning by Exploiting Intra-domain Structures, IEEE ICME 2019.
    doi:10.48550/arXiv.1904.01376
    """

    align: Literal["coral", "none"] = param(default="coral", choices=("coral", "none"))
    reg: float = param(default=1.0, low=0)

    def _fit(self, rows: Split) -> None:
        codes = np.searchsorted(self.classes_, np.asarray(rows.ys))
        Zs = rows.Xs
        if self.align == "coral":
            A, b = coral_map(rows.Xs, rows.Xt, self.reg)
            Zs = Zs @ A + b
        self.means_ = class_means(Zs, codes, len(self.classes_))
        self.guess_ = self.classes_[cheapest_assignment(cdist(rows.Xt, self.means_))]
        # on the source's own rows, moved: a mean leans towards its rows, but one among many hardly moves it
        self.sharpness_ = sharpness(-cdist(Zs, self.means_, "sqeuclidean"), codes)

    def _scores(self, X: Array) -> Array:
        return -self.sharpness_ * cdist(X, self.means_, "sqeuclidean")
