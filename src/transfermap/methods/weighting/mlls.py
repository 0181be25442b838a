"""Maximum-likelihood label shift: the class shares under which the target's predicted probabilities are likeliest."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import log_softmax, softmax

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array
from transfermap.measure.shift.label_shift import em_shares
from transfermap.measure.validators.calibration import temperature, tempered
from transfermap.methods.weighting._shared import cross_fitted, spread
from transfermap.roles import Weigher
from transfermap.split import Reads

Calibration = Literal["bias", "temperature", "none"]


def blunted(P: Array) -> Array:
    """Probabilities with half an observation in a thousand elsewhere: no class is ever impossible."""
    # as in temperature scaling (measure/validators/calibration.py): a logarithm of 0 would outweigh all rows
    return 0.9995 * P + 0.0005 / P.shape[1]


def scale_and_bias(Ps: Array, truth: Array, steps: int = 50) -> Array:
    """Slope and class offsets (1 + C,) that make held-out probabilities Ps (n, C) fit the classes ``truth`` (n,) best.

    Newton's method on the convex mean log loss of softmax(slope log P + offset), with a pull to slope 1 and offset 0
    that counts as much as one row.
    """
    n, classes = Ps.shape
    L, start = np.log(blunted(Ps)), np.concatenate([[1.0], np.zeros(classes)])
    Y = np.eye(classes)[truth]

    def loss(v: Array) -> float:
        fit = log_softmax(v[0] * L + v[1:], axis=1)
        return float(-fit[np.arange(n), truth].mean() + ((v - start) ** 2).sum() / (2 * n))

    v, value = start, loss(start)
    for _ in range(steps):
        slope, curve = _derivatives(v, L, Y)
        # the pull makes it definite: a shift of all offsets together changes no probability
        step = np.linalg.solve(curve + np.eye(len(v)) / n, slope + (v - start) / n)
        # halved until it helps: far from the optimum Newton's full step may raise the loss
        length = next((t for t in 0.5 ** np.arange(30) if loss(v - t * step) <= value), 0.0)
        v = v - length * step
        value = loss(v)
        if np.abs(length * step).max() < 1e-12:
            break
    return v


def _derivatives(v: Array, L: Array, Y: Array) -> tuple[Array, Array]:
    """Gradient (1 + C,) and Hessian (1 + C, 1 + C) of the mean log loss."""
    n = len(L)
    Q = softmax(v[0] * L + v[1:], axis=1)
    mean = (Q * L).sum(axis=1, keepdims=True)
    slope = np.concatenate([[((Q - Y) * L).sum()], (Q - Y).sum(axis=0)]) / n
    curve = np.empty((len(v), len(v)))
    curve[0, 0] = (Q * (L - mean) ** 2).sum()
    curve[0, 1:] = curve[1:, 0] = (Q * (L - mean)).sum(axis=0)
    curve[1:, 1:] = np.diag(Q.sum(axis=0)) - Q.T @ Q
    return slope, curve / n


def calibrated(Ps: Array, truth: Array, Pt: Array, how: Calibration) -> tuple[Array, Array]:
    """Held-out and target probabilities, both made as confident as the held-out rows show is right."""
    if how == "temperature":
        T = temperature(Ps, truth)
        return tempered(blunted(Ps), T), tempered(blunted(Pt), T)
    if how == "bias":
        v = scale_and_bias(Ps, truth)
        return tuple(softmax(v[0] * np.log(blunted(P)) + v[1:], axis=1) for P in (Ps, Pt))
    return Ps, Pt


def likely_weights(Ps: Array, truth: Array, Pt: Array, how: Calibration) -> Array:
    """Target share over source share of each class, (C,), by expectation maximisation on calibrated probabilities.

    The source's shares are the mean calibrated probabilities of its held-out rows, so equal predictions on both sides
    give weights of one.
    """
    Ps, Pt = calibrated(Ps, truth, Pt, how)
    # not the labels' shares: a rule's mean prediction may differ from them, and no shift must give weights of one
    prior = Ps.mean(axis=0)
    return np.asarray(em_shares(Pt, prior / prior.sum()) / np.maximum(prior, np.finfo(float).tiny))


@method(
    Card(
        name="Label-shift weighting by expectation maximisation",
        year=2002,
        setting="transductive",
        transfers="instances",
        tasks=("classification",),
        objective="min_f  sum_i (q(y_i^s) / p(y_i^s)) loss(f(x_i^s), y_i^s),   "
        "q = argmax_q sum_j log sum_c (q_c / p_c) P_jc",
        steps=(
            "Learn class probabilities on the source, and how far they can be trusted on rows held out.",
            "Start from the source's class shares; predict the target, each class scaled by its share.",
            "Take the mean prediction for the new shares; repeat until they stay.",
            "Train on the source with each class weighted by its share in the target over that in the source.",
        ),
        solver="cross-fitted logistic regression, Newton's method for the calibration, expectation maximisation",
        cost="time folds n d C a pass, and n C^2 a step; memory n (d + C), C classes",
        assumes=(
            "only how common the classes are differs: rows of a class look alike in both domains (label shift)",
            "calibrated probabilities of the source are right about how sure one can be",
            "the target holds no other classes",
        ),
        fails_when=(
            "rows of a class look different in the target: wrong probabilities are then taken for shares",
            "the classes can hardly be told apart, or have few source rows",
        ),
        reference="Saerens, Latinne and Decaestecker, Adjusting the Outputs of a Classifier to New a Priori "
        "Probabilities, Neural Computation 14(1), 2002",
        doi="10.1162/089976602753284446",
        neutral={"gamma": 0.0},
        by_default=True,
        toy="prevalence_shift",
    )
)
class MLLS(Weigher):
    r"""Weigh each class by its share in the target, the one that makes the target's predictions likeliest.

    .. math:: \hat q = \arg\max_{q \ge 0,\, \sum_c q_c = 1} \sum_j \log \sum_c \frac{q_c}{p_c} P_{jc}

    with :math:`P` the target rows' class probabilities and :math:`p` the mean of those of source rows, both by logistic
    rules and calibrated on source rows that the rules never saw. A source row of class c gets the weight
    :math:`1 + \gamma(\hat q_c / p_c - 1)`. The likelihood is concave, and each round of expectation maximisation raises
    it. Calibration by slope and class offsets is that of Alexandari et al. (2020). Where fewer than two classes have
    two rows, all weights are 1.

    Fails when rows of a class look different in the target, or when the classes can hardly be told apart.

    Parameters
    ----------
    C : float, default=1.0
        Inverse penalty of the logistic regression, on columns of variance one.
    folds : int, default=5
        Number of folds of the cross-fitting, >= 2.
    calibrate : {"bias", "temperature", "none"}, default="bias"
        How probabilities are made trustworthy: one slope and an offset a class, one slope, or not at all (the paper).
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
    >>> MLLS().fit(X, y, sample_domain=np.repeat([0, -1], 500)).shares_.round(1).tolist()
    [0.1, 0.9]

    References
    ----------
    Saerens, Latinne and Decaestecker, Adjusting the Outputs of a Classifier to New a Priori Probabilities, Neural
    Computation 14(1), 2002. doi:10.1162/089976602753284446
    Alexandari, Kundaje and Shrikumar, Maximum Likelihood with Bias-Corrected Calibration is Hard-To-Beat at Label Shift
    Adaptation, ICML 2020. doi:10.48550/arXiv.1901.06852
    """

    reads = Reads("source")
    sparse_ok = True

    C: float = param(default=1.0, above=0)
    folds: int = param(default=5, low=2)
    calibrate: Calibration = param(default="bias", choices=("bias", "temperature", "none"))
    gamma: float = param(default=1.0, low=0, high=1)
    clip: float = param(default=100.0, above=1)

    def weigh(self, Xs: Array, ys: Array | None, Xt: Array) -> Array:
        self.classes_, truth = np.unique(np.asarray(ys), return_inverse=True)
        found, w = cross_fitted(Xs, truth, Xt, self.C, self.folds), np.ones(len(self.classes_))
        if found is not None:
            w = likely_weights(found.Ps, truth, found.Pt, self.calibrate)
        self.class_weights_, self.shares_, weights = spread(w, truth, self.gamma, self.clip)
        return weights
