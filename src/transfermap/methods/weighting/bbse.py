"""Black-box shift estimation: undo a classifier's confusion to learn how common each class is in the target."""

from __future__ import annotations

from typing import Literal

import numpy as np

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array
from transfermap.measure.shift import label_shift
from transfermap.methods.weighting._shared import cross_fitted, spread
from transfermap.roles import Weigher
from transfermap.split import Reads

Kind = Literal["hard", "soft"]


def confusion(Ps: Array, truth: Array, Pt: Array, kind: Kind) -> tuple[Array, Array]:
    """Joint shares of predicted (row) and true class (column) in the source, (C, C), and predicted target shares (C,).

    "hard" counts the most likely class of each row, "soft" adds its probabilities up.
    """
    classes = Ps.shape[1]
    one = np.eye(classes)
    # the same on both sides: a confusion of probabilities does not undo counts of predictions
    Gs, Gt = (P if kind == "soft" else one[P.argmax(axis=1)] for P in (Ps, Pt))
    return Gs.T @ one[truth] / len(truth), Gt.mean(axis=0)


def class_weights(joint: Array, mu: Array, ridge: float) -> Array:
    """Target share over source share of each class, (C,), from shares ``joint`` (C, C) and ``mu`` (C,).

    Solves min |C w - mu|^2 + ridge |C|_F^2 |w - 1|^2 over w >= 0, then scales to sum_j p_s(j) w_j = 1.
    """
    return np.asarray(label_shift.bbse(joint, mu, ridge or label_shift.RIDGE))


@method(
    Card(
        name="Black-box shift estimation",
        year=2018,
        setting="transductive",
        transfers="instances",
        tasks=("classification",),
        objective="min_f  sum_i w(y_i^s) loss(f(x_i^s), y_i^s),   w = argmin_{w >= 0} ||C w - mu||^2",
        steps=(
            "Predict each source row by a rule that never saw it; sum up which class is taken for which.",
            "Predict the target rows, and sum the predictions up.",
            "Find the class shares that, confused in the same way, give the target's sums.",
            "Train on the source with each class weighted by its share in the target over that in the source.",
        ),
        solver="cross-fitted logistic regression; non-negative least squares with one unknown a class",
        cost="time folds n d C a pass, memory n (d + C), C classes",
        assumes=(
            "only how common the classes are differs: rows of a class look alike in both domains (label shift)",
            "a classifier of the source tells the classes apart well enough for its confusion to be undone",
            "the target holds no other classes",
        ),
        fails_when=(
            "rows of a class look different in the target: what is wrongly predicted is then taken for a share",
            "the classes can hardly be told apart, or have few source rows: the shares are then mostly noise",
        ),
        reference="Lipton, Wang and Smola, Detecting and Correcting for Label Shift with Black Box Predictors, "
        "ICML 2018",
        doi="10.48550/arXiv.1802.03916",
        neutral={"gamma": 0.0},
        toy="prevalence_shift",
    )
)
class BBSE(Weigher):
    r"""Weigh each class by how much more common it is in the target, found by undoing a classifier's confusion.

    .. math:: \hat w = \arg\min_{w \ge 0} \lVert \hat C w - \hat\mu\rVert^2, \qquad
              \hat C_{ij} = \hat p_s(\hat y = i,\, y = j), \qquad \hat\mu_i = \hat p_t(\hat y = i)

    with predictions :math:`\hat y` of source rows by logistic rules that never saw them. A source row of class j gets
    the weight :math:`1 + \gamma(\hat w_j - 1)`; the shrinkage :math:`\gamma` is that of Azizzadenesheli et al. (2019).
    Where :math:`\hat C` is singular the solution nearest to "no shift" is taken; where fewer than two classes have two
    rows, all weights are 1.

    Fails when rows of a class look different in the target, or when the classes can hardly be told apart.

    Parameters
    ----------
    C : float, default=1.0
        Inverse penalty of the logistic regression, on columns of variance one.
    folds : int, default=5
        Number of folds of the cross-fitting, >= 2.
    kind : {"hard", "soft"}, default="soft"
        Whether to count the predicted classes, as in the equation, or to add up their probabilities, which is steadier;
        the paper has both.
    ridge : float, default=0.0
        Pull towards weights of 1, relative to the squared size of the confusion, >= 0.
    gamma : float, default=1.0
        Share of the correction that is applied, in [0, 1]; 0 makes all weights 1.
    clip : float, default=100.0
        Class weights are held between 1 / clip and clip, > 1: a class that seems to be missing is not dropped outright.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    shares_ : ndarray of shape (n_classes,)
        Estimated shares of the classes in the target, as the weights have them; they add up to 1.
    class_weights_ : ndarray of shape (n_classes,)
        ``shares_`` over the source's shares.
    weights_ : ndarray of shape (n_source,), mean 1

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.r_[rng.random(500) < 0.5, rng.random(500) < 0.9].astype(int)
    >>> X = rng.normal(size=(1000, 1)) + 3 * y[:, None]
    >>> BBSE().fit(X, y, sample_domain=np.repeat([0, -1], 500)).shares_.round(1).tolist()
    [0.1, 0.9]

    References
    ----------
    Lipton, Wang and Smola, Detecting and Correcting for Label Shift with Black Box Predictors, ICML 2018.
    doi:10.48550/arXiv.1802.03916
    Azizzadenesheli, Liu, Yang and Anandkumar, Regularized Learning for Domain Adaptation under Label Shifts, ICLR 2019.
    doi:10.48550/arXiv.1903.09734
    """

    reads = Reads("source")
    sparse_ok = True

    C: float = param(default=1.0, above=0)
    folds: int = param(default=5, low=2)
    kind: Kind = param(default="soft", choices=("hard", "soft"))
    ridge: float = param(default=0.0, low=0)
    gamma: float = param(default=1.0, low=0, high=1)
    clip: float = param(default=100.0, above=1)

    def weigh(self, Xs: Array, ys: Array | None, Xt: Array) -> Array:
        self.classes_, truth = np.unique(np.asarray(ys), return_inverse=True)
        found, w = cross_fitted(Xs, truth, Xt, self.C, self.folds), np.ones(len(self.classes_))
        if found is not None:
            w = class_weights(*confusion(found.Ps, truth, found.Pt, self.kind), self.ridge)
        self.class_weights_, self.shares_, weights = spread(w, truth, self.gamma, self.clip)
        return weights
