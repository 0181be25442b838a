"""Zero-shot learning in one line: rows and class attributes joined by a bilinear form with two ridges."""

from __future__ import annotations

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


def ridge_map(X: Array, T: Array, reg: float) -> Array:
    """(X'X + r I)^-1 X'T, (d, k), with r = ``reg`` times the mean diagonal entry of X'X.

    Where columns outnumber rows it is X'(XX' + r I)^-1 T, the same.
    """
    n, d = X.shape
    ridge = reg * np.square(X).sum() / d or 1.0
    if n < d:
        solved: Array = solve(X @ X.T + ridge * np.eye(n), T, assume_a="pos")
        return X.T @ solved
    found: Array = solve(X.T @ X + ridge * np.eye(d), X.T @ T, assume_a="pos")
    return found


def bilinear(X: Array, codes: Array, S: Array, reg: float, reg_attributes: float) -> Array:
    """V (d, a) for rows ``X`` (n, d) of classes ``codes`` (n,), the rows of the attributes ``S`` (z, a)."""
    toward = ridge_map(X, (2 * np.eye(len(S))[codes] - 1) @ S, reg)
    # the second ridge stands on the right of V: solved on the transpose
    ridge = reg_attributes * np.square(S).sum() / S.shape[1] or 1.0
    found: Array = solve(S.T @ S + ridge * np.eye(S.shape[1]), toward.T, assume_a="pos").T
    return found


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
            "old and new classes are both possible: old ones win nearly always; raise calibration",
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
    calibration : float, default=0.0
        Taken off the scores of classes with source rows, in units of Y, whose classes lie 2 apart; >= 0 (calibrated
        stacking). Matters where both kinds can be predicted.
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
    reg_ : float
        The ridge on the columns that was used.

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
    calibration: float = param(default=0.0, low=0)
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
        self.reg_ = self._best_reg(Z, codes, S) if self.reg is None else self.reg
        self.projection_ = bilinear(Z, codes, S, self.reg_, self.reg_attributes)
        self.attributes_ = _table(rows.side.attributes, self.classes_)
        self.seen_ = np.isin(self.classes_, old)

    def _best_reg(self, X: Array, codes: Array, S: Array) -> float:
        """The ridge under which classes that were held out, a third at a time, are told apart best."""
        z = len(S)
        if z < 2 * FOLDS:  # a class alone among those held out would always be right
            return 1.0
        right = dict.fromkeys(RIDGES, 0.0)
        for fold in range(FOLDS):
            out = np.arange(z) % FOLDS == fold
            rows, place = out[codes], np.cumsum(out) - 1
            kept = np.cumsum(~out) - 1
            for reg in RIDGES:
                V = bilinear(X[~rows], kept[codes[~rows]], S[~out], reg, self.reg_attributes)
                right[reg] += np.mean((X[rows] @ V @ S[out].T).argmax(axis=1) == place[codes[rows]])
        return max(RIDGES, key=right.__getitem__)

    def _scores(self, X: Array) -> Array:
        return (X - self.mean_) @ self.projection_ @ self.attributes_.T - self.calibration * self.seen_


def _table(attributes: Any, classes: Array) -> Array:
    """What is known of each of ``classes`` (z,), a row a class, (z, a)."""
    return np.array([np.asarray(attributes[c], dtype=np.float64) for c in classes.tolist()])
