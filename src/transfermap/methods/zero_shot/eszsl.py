"""Zero-shot learning in one line: rows and class attributes joined by a bilinear form with two ridges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from scipy.linalg import solve

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array
from transfermap.roles import Learner
from transfermap.split import Reads, Split

# the paper's own range, with steps of ten; each third of the classes is held out once
RIDGES = (100.0, 10.0, 1.0, 0.1, 0.01)
FOLDS = 3
# spreads of scores that are tried; a gap between two classes of more than four is not met
CALIBRATIONS = np.linspace(0, 4, 81)
# of old classes, every fifth row is held out to see what a calibration costs them
EVERY = 5


def ridge_maps(X: Array, T: Array, regs: Sequence[float], gram: Array | None = None) -> Iterator[Array]:
    """(X'X + r I)^-1 X'T, (d, k), for each of ``regs``, r that many times the mean diagonal entry of X'X.

    Where columns outnumber rows it is X'(XX' + r I)^-1 T, the same. ``gram`` is X'X if it is known already. A Cholesky
    factor for each r costs d^3 / 3; the eigenvectors, which would serve all, as much as some 20 of them.
    """
    n, d = X.shape
    wide = n < d
    if gram is None or wide:
        gram = X @ X.T if wide else X.T @ X
    right = T if wide else X.T @ T
    for reg in regs:
        system = gram.copy()
        system.flat[:: len(system) + 1] += reg * np.trace(gram) / d or 1.0
        found = solve(system, right, overwrite_a=True, assume_a="pos")
        yield X.T @ found if wide else found


def bilinear(
    X: Array, codes: Array, S: Array, regs: Sequence[float], reg_attributes: float, gram: Array | None = None
) -> Iterator[Array]:
    """V (d, a), one for each of ``regs``, for rows ``X`` (n, d) of classes ``codes`` (n,), rows of attributes ``S``."""
    # the second ridge stands on the right of V: solved on the transpose
    ridge = reg_attributes * np.square(S).sum() / S.shape[1] or 1.0
    right = S.T @ S + ridge * np.eye(S.shape[1])
    for toward in ridge_maps(X, (2 * np.eye(len(S))[codes] - 1) @ S, regs, gram):
        yield solve(right, toward.T, assume_a="pos").T


def every_fifth(X: Array, codes: Array) -> Array:
    """Every fifth row of each class, (n,) bool, by their length: whatever order the rows come in."""
    order = np.lexsort((np.square(X).sum(axis=1), codes))
    first = np.searchsorted(codes[order], codes[order])
    chosen = np.zeros(len(X), bool)
    chosen[order] = (np.arange(len(X)) - first) % EVERY == EVERY - 1
    return chosen


def harmonic_means(scores: Array, place: Array, new: Array) -> Array:
    """Harmonic mean of the accuracies on rows of old and of new classes, one for each of :data:`CALIBRATIONS`.

    ``scores`` (n, z), ``place`` (n,) the column of a row's class, ``new`` (z,) which columns are new classes.
    """
    best = [np.where(of, scores, -np.inf) for of in (~new, new)]
    ahead = best[0].max(axis=1) - best[1].max(axis=1)
    own = new[place]
    top = np.where(own, best[1].argmax(axis=1), best[0].argmax(axis=1)) == place
    # a row goes to a new class where old ones lead by no more than the calibration
    to_new = ahead[:, None] < CALIBRATIONS
    a, b = ((top & mine)[:, None] & (to_new == kind) for kind, mine in ((False, ~own), (True, own)))
    a, b = a.sum(axis=0) / max((~own).sum(), 1), b.sum(axis=0) / max(own.sum(), 1)
    means: Array = 2 * a * b / np.maximum(a + b, 1e-12)
    return means


@method(
    Card(
        name="Zero-shot by a linear embedding (ESZSL)",
        year=2015,
        setting="transductive",
        transfers="parameters",
        label_sets="disjoint",
        tasks=("classification",),
        objective="min_V  |X V S' - Y|^2 + gamma |V S'|^2 + lambda |X V|^2 + gamma lambda |V|^2",
        steps=(
            "Describe every class by numbers: attributes, or a word vector of its name.",
            "Learn, from source rows, which attributes a row shows, such that its own class scores +1 and the rest -1.",
            "Score a target row against the attributes of classes that no source row has, and take the best.",
        ),
        solver="closed form: one linear system in the columns (or the rows), one in the attributes",
        cost="time n d min(n, d) + a^3, a attributes; memory n d + min(n, d)^2",
        assumes=(
            "classes share attributes, and what shows an attribute in old classes shows it in new ones",
            "the attributes tell the new classes apart, and are in comparable units",
        ),
        fails_when=(
            "an attribute occurs in the source together with others only: which of them the rows show cannot be told",
            "old and new classes are both possible: old ones win nearly always; calibration=None makes up for it",
            "the new classes' rows come from another instrument as well: nothing here aligns the domains",
        ),
        reference="Romera-Paredes and Torr, An Embarrassingly Simple Approach to Zero-shot Learning, ICML 2015",
        doi="https://proceedings.mlr.press/v37/romera-paredes15.html",
        needs=("class attributes",),
        toy="unseen_classes",
    )
)
class ESZSL(Learner):
    r"""Predict classes that no row was seen of, from what is known of each class.

    .. math:: V = (X^\top X + \gamma I)^{-1} X^\top Y S (S^\top S + \lambda I)^{-1}, \qquad
        \hat y(x) = \arg\max_j\; x^\top V s_j

    with source rows :math:`X` (n, d), :math:`Y` (n, z) one in the row's class and minus one elsewhere, and the
    attributes :math:`S` (z, a) of the z classes of the source. Attributes come as side information,
    ``side=Side(attributes={"zebra": [...], ...})``, for the classes of the source and for those to be told apart in the
    target. Columns should be on comparable scales; for a curved rule, put a feature map in front, such as
    scikit-learn's ``Nystroem``.

    Fails when attributes go together in the source, or when old classes may occur in the target as well.

    Parameters
    ----------
    reg : float or None, default=None
        Ridge on the columns (gamma), as a share of the mean diagonal entry of :math:`X^\top X`, > 0. None tries 0.01,
        0.1, ..., 100 on classes of the source that are held out, as the paper does; 1 where it has fewer than six.
    reg_attributes : float, default=0.1
        Ridge on the attributes (lambda), as a share of the mean diagonal entry of :math:`S^\top S`, > 0.
    among : {"unseen", "seen", "all"} or None, default=None
        Which classes can be predicted: those without a source row, those with some, or all that have attributes. None
        is "unseen", or "all" where every class has source rows.
    calibration : float or None, default=0.0
        Taken off the scores of classes with source rows, in spreads of the source rows' scores, >= 0 (calibrated
        stacking). Matters where both kinds can be predicted. None tries 0 to 4 on classes and rows of the source that
        are held out, together with the ridges, for the best harmonic mean of old and new classes; 0 where the source
        has fewer than six classes. It comes out too large where a third of the classes leaves few to learn from.
    center : bool, default=True
        Whether to take the source's mean off first; the paper does not.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes that can be predicted, sorted.
    seen_ : ndarray of bool of shape (n_classes,)
        Which of them have source rows.
    attributes_ : ndarray of shape (n_classes, a)
    projection_ : ndarray of shape (d, a)
        V: from a row to attributes.
    mean_ : ndarray of shape (d,)
    reg_, calibration_ : float
        The ridge on the columns, and the calibration in spreads, that were used.
    spread_ : float
        Standard deviation of the scores of source rows for classes with source rows. It falls as the ridge grows, so
        that a calibration in units of Y would not suit another ridge.

    Examples
    --------
    >>> import numpy as np
    >>> from transfermap.split import Side
    >>> rng = np.random.default_rng(0)
    >>> # hunts, is large, has stripes
    >>> known = {"mouse": [0, 0, 0], "cat": [1, 0, 1], "elephant": [0, 1, 0], "lion": [1, 1, 0]}
    >>> new = {"chipmunk": [0, 0, 1], "tiger": [1, 1, 1]}
    >>> y = np.array(list(known) * 50 + list(new) * 25)
    >>> X = np.array([(known | new)[name] for name in y]) @ rng.normal(size=(3, 6)) + 0.1 * rng.normal(size=(250, 6))
    >>> domain = np.repeat([0, -1], [200, 50])
    >>> animals = ESZSL().fit(X, y, sample_domain=domain, side=Side(attributes=known | new))
    >>> animals.classes_.tolist(), bool(animals.score(X[200:], y[200:]) > 0.9)
    (['chipmunk', 'tiger'], True)

    References
    ----------
    Romera-Paredes and Torr, An Embarrassingly Simple Approach to Zero-shot Learning, ICML 2015.
    https://proceedings.mlr.press/v37/romera-paredes15.html
    Chao, Changpinyo, Gong and Sha, An Empirical Study and Analysis of Generalized Zero-Shot Learning, ECCV 2016
    (calibration). doi:10.1007/978-3-319-46475-6_4
    """

    reads = Reads("source", side="attributes")

    reg: float | None = param(default=None, above=0, none=True)
    reg_attributes: float = param(default=0.1, above=0)
    among: Literal["unseen", "seen", "all"] | None = param(default=None, choices=("unseen", "seen", "all"), none=True)
    calibration: float | None = param(default=0.0, low=0, none=True)
    center: bool = param(default=True, choices=(True, False))

    def _classes(self, rows: Split, labels: Any) -> Array:
        assert rows.side is not None and rows.side.attributes is not None
        labels, named = np.asarray(labels), list(rows.side.attributes)
        missing = [c for c in np.unique(labels).tolist() if c not in rows.side.attributes]
        if missing:
            described = ", ".join(map(repr, named))
            raise ValueError(f"the source has classes without attributes: {missing}; side.attributes has {described}")
        classes = np.unique(np.array(named))
        if labels.dtype.kind != classes.dtype.kind and labels.dtype.kind in "iuf":
            classes = classes.astype(labels.dtype)
        seen = np.isin(classes, labels)
        among = self.among or ("all" if seen.all() else "unseen")
        chosen = classes[{"unseen": ~seen, "seen": seen, "all": np.ones(len(seen), bool)}[among]]
        if not len(chosen):
            raise ValueError('among="unseen", but every class that side.attributes describes has source rows')
        return chosen

    def _fit(self, rows: Split) -> None:
        assert rows.ys is not None and rows.side is not None and rows.side.attributes is not None
        old, codes = np.unique(rows.ys, return_inverse=True)
        S = _table(rows.side.attributes, old)
        Xs = rows.Xs.astype(np.float64)
        self.mean_ = Xs.mean(axis=0) if self.center else np.zeros(Xs.shape[1])
        Z = Xs - self.mean_
        self.attributes_ = _table(rows.side.attributes, self.classes_)
        self.seen_ = np.isin(self.classes_, old)
        gram = Z.T @ Z if len(Z) >= Z.shape[1] else None
        self.reg_, self.calibration_ = self._choose(Z, codes, S, gram)
        (self.projection_,) = bilinear(Z, codes, S, [self.reg_], self.reg_attributes, gram)
        self.spread_ = float((Z @ self.projection_ @ S.T).std())

    def _choose(self, X: Array, codes: Array, S: Array, gram: Array | None) -> tuple[float, float]:
        """The ridge, and the calibration, that are best on classes of the source that are held out a third at a time.

        Ridges compete in telling these apart; if a calibration is to be found as well, both in telling them and rows of
        the other classes apart among all.
        """
        ridges = RIDGES if self.reg is None else (self.reg,)
        together = self.calibration is None and bool(self.seen_.any() and not self.seen_.all())
        if len(S) < 2 * FOLDS or (len(ridges) == 1 and not together):
            # a class alone among those held out would always be right
            return self.reg or 1.0, self.calibration or 0.0
        beside = every_fifth(X, codes) if together else np.zeros(len(X), bool)
        right = np.zeros((len(ridges), len(CALIBRATIONS) if together else 1))
        for fold in range(FOLDS):
            new = np.arange(len(S)) % FOLDS == fold
            kept = ~(new[codes] | beside)
            own, out = X[kept], X[~kept]
            left = None if gram is None or len(own) < len(gram) else gram - out.T @ out
            named, place = (np.cumsum(~new) - 1)[codes[kept]], codes[~kept]
            for i, V in enumerate(bilinear(own, named, S[~new], ridges, self.reg_attributes, left)):
                scores = out @ V @ S.T
                if together:
                    right[i] += harmonic_means(scores / (own @ V @ S[~new].T).std(), place, new)
                else:
                    right[i] += np.mean(np.where(new, scores, -np.inf).argmax(axis=1) == place)
        best, step = np.unravel_index(right.argmax(), right.shape)
        return ridges[best], float(CALIBRATIONS[step]) if together else self.calibration or 0.0

    def _scores(self, X: Array) -> Array:
        taken_off = self.calibration_ * self.spread_ * self.seen_
        return (X - self.mean_) @ self.projection_ @ self.attributes_.T - taken_off


def _table(attributes: Any, classes: Array) -> Array:
    """What is known of each of ``classes`` (z,), a row a class, (z, a)."""
    return np.array([np.asarray(attributes[c], dtype=np.float64) for c in classes.tolist()])
