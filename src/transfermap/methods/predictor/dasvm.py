"""Self-training under guard: target rows replace source rows little by little, and the way back must succeed too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array
from transfermap.math.refit import fit_weighted
from transfermap.measure.validators.reverse import reverse_validation
from transfermap.roles import Learner
from transfermap.split import Split

Learn = Callable[[Array, Array, Array], Any]
# The paper's beta: when fewer rows than this share of the target join or leave, the labels have settled.
SETTLED = 0.03


class Crossing(NamedTuple):
    """The model at the end, the rounds taken, and the share of target rows with a label of its own making."""

    model: Any
    rounds: int
    labelled: float


def class_scores(model: Any, X: Array) -> Array:
    """A score a class, (n, C), whose differences are margins: decision values, or logarithms of probabilities."""
    if not hasattr(model, "decision_function"):
        return log_probabilities(model, X)
    F = model.decision_function(X)
    return np.column_stack([np.zeros(len(F)), F]) if F.ndim == 1 else F


def log_probabilities(model: Any, X: Array) -> Array:
    """Logarithms of class probabilities, (n, C), never below that of 1e-12."""
    # a forest's probabilities are often exactly 0
    return np.log(np.maximum(model.predict_proba(X), 1e-12))


def leads(F: Array, own: Array) -> Array:
    """How far each row's own class, of scores F (n, C), is ahead of the best other one; (n,), negative if behind."""
    rows, rest = np.arange(len(F)), F.copy()
    # the best *other* class
    rest[rows, own] = -np.inf
    return F[rows, own] - rest.max(axis=1)


def foremost(values: Array, group: Array, counts: Array) -> Array:
    """In each group c the ``counts[c]`` rows of largest value, (n,) booleans; ties come along. Group -1 has none."""
    chosen = np.zeros(len(values), dtype=bool)
    for c, count in enumerate(counts):
        own = np.flatnonzero(group == c)
        if len(own):
            edge = np.partition(values[own], -min(count, len(own)))[-min(count, len(own))]
            # equal rows may differ in the last bits, and would else part company by their order
            chosen[own] = values[own] >= edge - 1e-9 * (1 + abs(edge))
    return chosen


def ramped(age: Array, turn: int, rounds: int, start: float) -> tuple[Array, float]:
    """Weights of target rows, rising from ``start`` to 1 once they joined, and of source rows, falling from 1 to it."""
    grown = np.minimum(age / max(rounds / 4, 1), 1) ** 2
    return start + (1 - start) * grown, 1 - (1 - start) * min(turn / rounds, 1) ** 2


class Outputs(NamedTuple):
    """How a model sees the rows: the target's classes (n_t,) and leads (n_t,), the source's leads (n_s,), the margin.

    Source rows that were dropped have a lead of minus infinity; ``edge`` is the margin's outer edge, as a lead.
    """

    guess: Array
    gap: Array
    lead: Array
    edge: float


def view(model: Any, Xs: Array, truth: Array, kept: Array, Xt: Array, label: Array, margin: float | None) -> Outputs:
    """The model's view; without a ``margin`` of one's own its edge is the median lead of the rows it learnt from."""
    F, lead = class_scores(model, Xt), np.full(len(truth), -np.inf)
    guess = F.argmax(axis=1)
    gap = leads(F, guess)
    if kept.any():
        lead[kept] = leads(class_scores(model, Xs[kept]), truth[kept])
    # estimators' decision values have no common unit, so the margin is where half of what they learnt from lies
    edge = float(np.median(np.concatenate([np.abs(lead[kept]), gap[label >= 0]]))) if margin is None else margin
    return Outputs(guess, gap, lead, edge)


def dropped(lead: Array, truth: Array, kept: Array, own: Array, counts: Array) -> Array:
    """Which source rows go: the farthest on their own side; the last of a class only if the target has ``own`` rows."""
    drop = foremost(lead, np.where(kept, truth, -1), counts)
    left = np.bincount(truth[kept & ~drop], minlength=len(counts))
    # a class without rows could not be predicted any more
    return drop & (own + left > 0)[truth]


def cross(learn: Learn, Xs: Array, ys: Array, Xt: Array, rounds: int, margin: float | None, start: float) -> Crossing:
    """Go over from labelled rows Xs, ys to unlabelled rows Xt by labelling some and dropping some of the former.

    Each round, target rows whose label the model no longer shares lose it; of those inside the margin, the ones nearest
    to its outer edge get one; and the source rows that are farthest from the border on their own side are dropped.
    """
    classes, truth = np.unique(ys, return_inverse=True)
    counts = np.ceil(np.bincount(truth) / rounds).astype(int)
    # as many of each class, rounded up: else the easy class would take over
    quota = np.full(len(classes), -(-len(Xt) // (len(classes) * rounds)))
    label, joined, kept = np.full(len(Xt), -1), np.zeros(len(Xt)), np.ones(len(ys), dtype=bool)
    model, turn = learn(Xs, ys, np.ones(len(ys))), 0
    # the source is gone after ``rounds``; as many again for the labels to settle
    while turn < 2 * rounds:
        turn += 1
        seen = view(model, Xs, truth, kept, Xt, label, margin)
        leave = (label >= 0) & (label != seen.guess)
        join = foremost(seen.gap, np.where((label < 0) & (seen.gap <= seen.edge), seen.guess, -1), quota)
        label, joined[join] = np.where(join, seen.guess, np.where(leave, -1, label)), turn
        own = np.bincount(label[label >= 0], minlength=len(classes))
        drop = dropped(seen.lead, truth, kept, own, counts)
        kept &= ~drop
        if (own + np.bincount(truth[kept], minlength=len(classes)) == 0).any():
            break  # a class has died out: the model before is the last that knows it
        wt, ws = ramped(turn - joined[label >= 0], turn, rounds, start)
        w = np.concatenate([np.full(kept.sum(), ws), wt])
        y = np.concatenate([ys[kept], classes[label[label >= 0]]])
        # of mean 1, so that the estimator's penalty keeps its meaning from round to round
        model = learn(np.concatenate([Xs[kept], Xt[label >= 0]]), y, w / w.mean())
        if not drop.any() and max(join.sum(), leave.sum()) <= SETTLED * len(Xt):
            break
    return Crossing(model, turn, float((label >= 0).mean()))


class Guarded(NamedTuple):
    """The model to use, whether it is the adapted one and why, and the accuracies of both ways back."""

    model: Any
    accepted: bool
    reason: str
    way_back: float
    way_back_source_only: float


def guard(
    learn: Learn,
    go: Callable[[Array, Array, Array], Any],
    there: Crossing,
    Xs: Array,
    ys: Array,
    Xt: Array,
    slack: float,
) -> Guarded:
    """Keep the adapted model if going back from its labels predicts the source about as well as source-only does.

    Both ways start from target rows with predicted labels and end at the source, whose labels are known: the adapted
    model's by ``go``, source-only's by training alone. Scores are means over classes.
    """
    plain, adapted = learn(Xs, ys, np.ones(len(ys))), there.model
    if there.labelled == 0:
        return Guarded(plain, False, "no target row lies inside the margin", np.nan, np.nan)

    def directly(Xa: Array, ya: Array, Xb: Array) -> Array:
        return learn(Xa, ya, np.ones(len(ya))).predict(Xb)

    guess = adapted.predict(Xt)
    back = reverse_validation(lambda Xa, ya, Xb: go(Xa, ya, Xb).predict(Xb), Xs, ys, Xt, guess)
    # not a fixed accuracy: how well a way back can do depends on the pair of tables
    bar = reverse_validation(directly, Xs, ys, Xt, plain.predict(Xt))
    accepted = back >= bar - slack
    reason = "the way back succeeds" if accepted else "the way back does worse than source-only's"
    return Guarded(adapted if accepted else plain, accepted, reason, back, bar)


@method(
    Card(
        name="Domain adaptation by guarded self-training (DASVM)",
        year=2010,
        setting="transductive",
        transfers="parameters",
        tasks=("classification",),
        objective="f_k = argmin_f  sum_{i in S_k} loss(f(x_i^s), y_i^s) + sum_{j in T_k} loss(f(x_j^t), f_{k-1}(x_j^t))"
        ",   S_k shrinks to nothing while T_k grows; used if acc(f_{t->s}) >= acc(source-only's) - slack",
        steps=(
            "Train on the source.",
            "Label the target rows that lie inside the margin, nearest to its outer edge; take back labels that the "
            "model no longer shares.",
            "Drop the source rows that are farthest from the border on their own side; train again; until none is "
            "left.",
            "Go back: from the target with its new labels to the source, in the same way.",
            "If the way back predicts the source clearly worse than source-only's does, use source-only.",
        ),
        solver="the estimator, trained anew each round; the paper's dual problem with per-row penalties is not solved, "
        "row weights stand for them",
        cost="time 2 to 4 rounds times the estimator's on n rows; memory n d",
        assumes=(
            "the border moves from source to target in small steps, and leads through sparse regions",
            "the classes stay apart in the target, and are about equally common there",
        ),
        fails_when=(
            "the first model is worse than guessing in the target: both ways may then succeed with classes exchanged",
            "the classes overlap, or class shares differ much: labels near the border are then mostly wrong",
        ),
        reference="Bruzzone and Marconcini, Domain Adaptation Problems: A DASVM Classification Technique and a "
        "Circular Validation Strategy, IEEE TPAMI 32(5), 2010",
        doi="10.1109/TPAMI.2009.57",
        toy="drifting_rule",
    )
)
class DASVM(Learner):
    r"""Replace source rows by self-labelled target rows little by little, and check the result by the way back.

    .. math:: f_k = \arg\min_f \sum_{i \in S_k} w^s_k\, \ell(f(x^s_i), y^s_i)
              + \sum_{j \in T_k} w^t_{jk}\, \ell\bigl(f(x^t_j), \hat y_j\bigr)

    Each round, of the target rows inside the margin those nearest to its outer edge enter :math:`T_k` with the class
    that :math:`f_{k-1}` gives them, as many of each class; rows whose class has changed leave it; and the source rows
    farthest from the border on their own side leave :math:`S_k`. After ``rounds`` rounds no source row is left. Then
    the same is done from the self-labelled target back to the source, where labels are known (circular validation).
    Where this is clearly worse than the way back of the source-only model's labels, the source-only model is used.

    What differs from the paper: any estimator that takes row weights is trained, not a support vector machine by its
    dual with a penalty of its own for each row, and those weights grow and fall only if ``start_weight`` says so; each
    round takes a share of the rows, not a number of them; more than two classes are handled at once, by each row's lead
    over the next best class; the margin is wherever the nearer half of the training rows lies, unless ``margin`` is
    given; and the bar for the way back is source-only's, not a fixed accuracy.

    Fails when the first model is worse than guessing in the target, or when the classes overlap or differ in share.

    Parameters
    ----------
    estimator : classifier or None, default=None
        What is trained; its ``fit`` takes ``sample_weight``, and it has ``decision_function`` or ``predict_proba``.
        None is logistic regression.
    rounds : int, default=20
        In how many rounds the source is dropped, >= 1; each may label a target row in ``rounds``.
    margin : float or None, default=None
        Lead (difference of decision values, or log odds) up to which a row is inside the margin, > 0; 1 for a support
        vector machine. None takes the median over the rows trained on.
    start_weight : float, default=1.0
        Weight, in (0, 1], of a target row when it joins; it grows to 1 over a quarter of the rounds, while that of
        source rows falls from 1 to it. The paper's is small.
    slack : float, default=0.05
        How far the way back may fall short of source-only's, in mean accuracy over classes, >= 0.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    estimator_ : the model in use
    accepted_ : bool
        Whether that is the adapted one; otherwise it is source-only.
    reason_ : str
        Why.
    way_back_, way_back_source_only_ : float
        Mean accuracy over classes on the source of both ways back; NaN where there was none to go.
    n_rounds_ : int
        Rounds taken on the way there.
    labelled_ : float
        Share of target rows that had a label in the last round.

    Examples
    --------
    >>> from transfermap.data.toy import make_toy
    >>> import numpy as np
    >>> toy = make_toy("drifting_rule", seed=1)
    >>> X, y = np.r_[toy.Xs, toy.Xt], np.r_[toy.ys, np.full(300, -1)]
    >>> moved = DASVM().fit(X, y, sample_domain=np.repeat([0, -1], 300))
    >>> moved.accepted_, bool(moved.score(toy.Xt, toy.yt) > 0.9)
    (True, True)

    References
    ----------
    Bruzzone and Marconcini, Domain Adaptation Problems: A DASVM Classification Technique and a Circular Validation
    Strategy, IEEE TPAMI 32(5), 2010. doi:10.1109/TPAMI.2009.57
    """

    estimator: Any = param(default=None, none=True)
    rounds: int = param(default=20, low=1)
    margin: float | None = param(default=None, above=0, none=True)
    start_weight: float = param(default=1.0, above=0, high=1)
    slack: float = param(default=0.05, low=0)

    def _fit(self, rows: Split) -> None:
        Xs, ys, Xt = rows.Xs, np.asarray(rows.ys), rows.Xt

        def learn(X: Array, y: Array, w: Array) -> Any:
            return fit_weighted("DASVM", self._taught(), X, y, w)

        def go(Xa: Array, ya: Array, Xb: Array) -> Crossing:
            return cross(learn, Xa, ya, Xb, self.rounds, self.margin, self.start_weight)

        there = go(Xs, ys, Xt)
        self.n_rounds_, self.labelled_ = there.rounds, there.labelled
        found = guard(learn, lambda Xa, ya, Xb: go(Xa, ya, Xb).model, there, Xs, ys, Xt, self.slack)
        self.estimator_, self.accepted_, self.reason_, self.way_back_, self.way_back_source_only_ = found

    def _scores(self, X: Array) -> Array:
        if hasattr(self.estimator_, "predict_proba"):
            return log_probabilities(self.estimator_, X)
        return class_scores(self.estimator_, X)
