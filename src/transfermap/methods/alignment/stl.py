"""Stratified transfer learning: classes are aligned over the target rows on whose label several classifiers agree."""

from __future__ import annotations

import warnings
from typing import Literal, NamedTuple

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import pairwise_distances_argmin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from transfermap.card import Card, method, param
from transfermap.math.components import class_factor
from transfermap.math.linalg import Array
from transfermap.methods.alignment._joint import some_of_each
from transfermap.methods.alignment._shared import Projection
from transfermap.split import Reads

Agree = Literal["majority", "all"]
_TREES = 50  # a vote needs no finer probabilities


class Strata(NamedTuple):
    """A label (n,), 0 ... C - 1, for each row, and whether enough of the voters agree on it (n,)."""

    label: Array
    agreed: Array


def votes(Zs: Array, ys: Array, Zt: Array, seed: int) -> Array:
    """What the nearest source row, a linear support vector machine and a random forest say of the target, (3, n)."""
    # a support vector machine refuses a single class
    if len(np.unique(ys)) == 1:
        return np.tile(ys[:1], (3, len(Zt)))
    forest = RandomForestClassifier(_TREES, random_state=seed, n_jobs=1)
    # "auto": the side that is cheaper, 65 times as fast where columns outnumber rows
    machine = make_pipeline(StandardScaler(), LinearSVC(dual="auto", random_state=seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a vote need not be optimal
        learned = [voter.fit(Zs, ys).predict(Zt) for voter in (machine, forest)]
    return np.array([ys[pairwise_distances_argmin(Zt, Zs)], *learned])


def stratified(ballots: Array, n_classes: int, agree: Agree = "majority") -> Strata:
    """The label with most votes, of ``ballots`` (n_voters, n), and whether more than half (or all) agree on it."""
    counts = np.zeros((ballots.shape[1], n_classes), dtype=np.int8)
    for ballot in ballots:
        counts[np.arange(len(ballot)), ballot] += 1
    most = counts.max(axis=1)
    needed = len(ballots) if agree == "all" else len(ballots) // 2 + 1
    # a tie is no majority: such rows are residuals
    return Strata(counts.argmax(axis=1), most >= needed)


def second_annotation(Zs: Array, ys: Array, Zt: Array, strata: Strata) -> Array:
    """All target labels: the candidates' own, the residuals' by the nearest source row or candidate; (n_target,)."""
    label, rest = strata.label.copy(), ~strata.agreed
    if rest.any():
        known = some_of_each(np.concatenate([ys, label[~rest]]))
        Z, y = np.concatenate([Zs, Zt[~rest]])[known], np.concatenate([ys, label[~rest]])[known]
        label[rest] = y[pairwise_distances_argmin(Zt[rest], Z)]
    return label


@method(
    Card(
        name="Stratified transfer learning",
        year=2018,
        setting="transductive",
        transfers="features",
        tasks=("classification",),
        objective="min_A  sum_c tr(A'K M_c KA) + lambda tr(A'A)   s.t.  A'KHKA = I,   over source and candidates",
        steps=(
            "Let three classifiers trained on the source vote on each target row: those on whose label most agree are "
            "candidates, the rest residuals.",
            "Find components in which the means of each class agree between the source and its candidates.",
            "Label the residuals by the nearest source row or candidate there, and vote again, until the labels stay.",
        ),
        solver="alternates three classifiers and a symmetric generalised eigenproblem",
        cost="a round: TCA's time plus three classifiers of at most 10000 source rows; memory n d + m^2, m landmarks "
        "or columns",
        assumes=(
            "classifiers trained on the source are right where they agree",
            "after a common map, each class's rows have the same mean in both domains",
        ),
        fails_when=(
            "the classifiers err together: wrong candidates are then fitted more and more firmly",
            "the target has classes that the source lacks; classes without a candidate are left out",
        ),
        reference="Wang, Chen, Hu, Peng and Yu, Stratified Transfer Learning for Cross-domain Activity Recognition, "
        "IEEE PerCom 2018",
        doi="10.48550/arXiv.1801.00820",
        toy="mean_shift_nuisance",
    )
)
class STL(Projection):
    r"""Project both domains onto components in which each class agrees, where a vote is sure of the target's classes.

    .. math:: \min_A \sum_{c=1}^{C} \operatorname{tr}(A^\top F M_c F^\top A) + \lambda \lVert A\rVert_F^2
              \quad\text{s.t.}\quad A^\top F H F^\top A = I

    with features :math:`F` of the source's rows and of the candidates, those target rows on whose class more than half
    of three classifiers (nearest neighbour, linear support vector machine, random forest) agree, and
    :math:`M_c = e_c e_c^\top`, where :math:`e_c` takes the mean of class :math:`c` in the source minus that of its
    candidates; the sum is scaled to Frobenius norm one. Unlike :class:`JDA` there is no term for the domains as a
    whole, so that class shares may differ. The first vote is held on the rows as they come, later ones in the
    components.

    Columns should be on comparable scales. The labels of target rows are guessed, never read.

    Fails when the classifiers err together. With two classes a majority always agrees; ``agree="all"`` asks for more.

    Parameters
    ----------
    agree : {"majority", "all"}, default="majority"
        How many of the three votes make a candidate.
    n_components : int or None, default=None
        Number of components (the paper: 30); fewer where the data has fewer. None takes the leading ones (at most 100,
        together 99 % of the sum of what is maximised) whose discrepancy is below their penalty.
    kernel : {"rbf", "linear", "primal"}, default="linear"
        "linear" and "rbf" (the paper's) are kernels, with the penalty on the coefficients; "primal" works on the
        columns themselves.
    gamma : float or None, default=None
        Of the RBF kernel exp(-gamma |x - y|^2), in 1 / squared units of X; None takes 1 / median squared distance.
    reg : float or None, default=None
        The paper's lambda (1). None is ten times the discrepancy that chance alone would show along the leading
        direction.
    scale : {"unit", "regularizer", "constraint"}, default="unit"
        Relative length of the components, as in TCA.
    normalize : bool, default=True
        Whether to return rows of length one; the votes are then held on such rows too.
    max_iter : int, default=10
        Most rounds; it stops before when the labels stay. Of more than 10,000 source rows, the voters learn from
        10,000, drawn with ``random_state`` from each class.
    max_exact : int, default=2000
        Up to this many rows in all, the RBF kernel is exact.
    landmarks : int, default=1000
        Above it, the number of rows, drawn from both domains, through which the RBF kernel is seen (Nystroem).
    random_state : int, default=0
        Of the random forest; draws the landmarks, the rows of the median above 1,000, and those of the voters above
        10,000.

    Attributes
    ----------
    projection_ : ndarray of shape (n_landmarks or d, n_components)
    landmarks_ : ndarray of shape (n_landmarks, d), or None without an RBF kernel
    gamma_ : float
    n_candidates_ : list of int
        Number of candidates in each round.
    agreed_ : ndarray of bool of shape (n_target,)
        Which target rows were candidates in the last round, in the order of the target's rows.
    guess_ : ndarray of shape (n_target,)
        The last labels of candidates and residuals.
    n_iter_ : int

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile(["sit", "stand"], 100)
    >>> X = rng.normal(size=(200, 3)) + np.where(y == "sit", 3, -3)[:, None] * [1, 0, 0]
    >>> X[100:, 1] += 5
    >>> stl = STL(n_components=2).fit(X, y, sample_domain=np.repeat([1, -1], 100))
    >>> bool((stl.guess_ == y[100:]).mean() > 0.95), len(stl.n_candidates_) == stl.n_iter_
    (True, True)

    References
    ----------
    Wang, Chen, Hu, Peng and Yu, Stratified Transfer Learning for Cross-domain Activity Recognition, IEEE PerCom 2018.
    doi:10.48550/arXiv.1801.00820
    """

    reads = Reads("source")

    agree: Agree = param(default="majority", choices=("majority", "all"))
    normalize: bool = param(default=True, choices=(True, False))
    max_iter: int = param(default=10, low=1)

    def _fit(self, Xs: Array, ys: Array | None, Xt: Array) -> None:
        classes, codes = np.unique(np.asarray(ys), return_inverse=True)
        # a forest draws rows by their place: give each its place by what it holds
        order = np.lexsort((codes, *Xs.T))
        Xs, codes = Xs[order], codes[order]
        some = some_of_each(codes, seed=self.random_state)
        Zs, Zt, guess = Xs[some], Xt, np.empty(0, dtype=int)
        self.n_candidates_: list[int] = []
        for _ in range(self.max_iter):
            strata = stratified(votes(Zs, codes[some], Zt, self.random_state), len(classes), self.agree)
            self._align(Xs, codes, Xt, strata, len(classes))
            Zs, Zt = self._map_source(Xs[some]), self._map_target(Xt)
            before, guess = guess, second_annotation(Zs, codes[some], Zt, strata)
            if np.array_equal(before, guess):
                break
        self.agreed_, self.guess_, self.n_iter_ = strata.agreed, classes[guess], len(self.n_candidates_)

    def _align(self, Xs: Array, ys: Array, Xt: Array, strata: Strata, n_classes: int) -> None:
        """Components in which the source's classes and their candidates agree; all rows are, where none is."""
        taken = strata.agreed if strata.agreed.any() else np.ones(len(Xt), dtype=bool)
        self.n_candidates_.append(int(strata.agreed.sum()))
        # anew each round, as other candidates are other rows of the kernel
        space = self._space(Xs, Xt[taken])
        factor = class_factor(ys, strata.label[taken], n_classes)
        self._keep(space, self._solver(space, Xs, Xt[taken])(factor=factor))
