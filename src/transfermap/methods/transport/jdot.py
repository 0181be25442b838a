"""Joint distribution optimal transport: carry labels to the target and train there, so that the two agree."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.utils.validation import has_fit_parameter

from transfermap.card import Card, method, param
from transfermap.math.earthmover import exact_plan
from transfermap.math.linalg import Array
from transfermap.math.transport import Cost, centred, kernel_bytes, squared_distance_scale
from transfermap.methods.transport._shared import SCALES, Clouds, batches, check_room, clouds
from transfermap.roles import Learner
from transfermap.split import Split

_SURE = 1e-3  # least probability in the loss: one confident mistake must not outweigh every distance


class Labels(NamedTuple):
    """What the source's labels are to the plan.

    ``values`` (n, k): what is carried, one column a class (0 or 1), or the numbers in units of their deviation.
    ``classes`` (k,), or None for numbers.
    """

    values: Array
    classes: Array | None


def joint_cost(cost: Cost, labels: Labels, predicted: Array | None) -> Cost:
    """The cost of rows plus the loss of the source's labels against what is predicted for target rows.

    ``predicted``: (m, k) losses of each class, or (m, 1) numbers, whose squared difference is one more column.
    """
    if predicted is None:
        return cost
    if labels.classes is not None:
        return cost._replace(table=predicted.T)
    # |x - x'|^2 + (y - f)^2 is a squared distance in one column more
    return Cost(np.column_stack([cost.Xs, labels.values]), np.column_stack([cost.Xt, predicted]))


def carried_labels(
    cost: Cost, a: Array, b: Array, values: Array, parts: list[tuple[Array, Array]], starts: list[Array | None]
) -> Array:
    """The mean label that exact plans carry to each target row, (m, k); ``starts`` are filled with their duals."""
    sums, counts = np.zeros((len(b), values.shape[1])), np.zeros(len(b))
    for k, (i, j) in enumerate(parts):
        prices = () if cost.table is None else (cost.codes[i], cost.table[:, j])
        part = Cost(cost.Xs[i], cost.Xt[j], *prices)
        mass = b[j] / b[j].sum()
        plan, starts[k] = exact_plan(part, a[i] / a[i].sum(), mass, starts[k])
        sums[j] += (plan.T @ values[i]) / mass[:, None]
        counts[j] += 1
    return sums / counts[:, None]


def trained(estimator: Any, X: Array, carried: Array, labels: Labels) -> Any:
    """The estimator, trained on target rows (m, d) with the labels carried to them (m, k).

    A row with several classes stands there once for each, weighted by its share. An estimator that takes no weights
    gets each row with its largest class, and the row that is most of its kind for each class.
    """
    if labels.classes is None:
        return clone(estimator).fit(X, carried[:, 0])
    if has_fit_parameter(estimator, "sample_weight"):
        # a plan's rounding would double the rows for nothing
        j, c = np.nonzero(carried > 1e-6)
        return clone(estimator).fit(X[j], labels.classes[c], sample_weight=carried[j, c])
    best = carried == carried.max(axis=1, keepdims=True)
    # so that no class disappears, which the next round could not bring back
    best[carried.argmax(axis=0), np.arange(carried.shape[1])] = True
    j, c = np.nonzero(best)
    return clone(estimator).fit(X[j], labels.classes[c])


def class_scores(model: Any, X: Array, classes: Array) -> Array:
    """A score a class, (n, k): logarithms of probabilities where the model has them, else its own decision values."""
    scores = np.full((len(X), len(classes)), np.log(1e-300))
    place = np.searchsorted(classes, model.classes_)
    if hasattr(model, "predict_proba"):
        scores[:, place] = np.log(np.maximum(model.predict_proba(X), 1e-300))
    elif hasattr(model, "decision_function") and np.ndim(d := model.decision_function(X)) == 1:
        # halves: their difference is the decision value
        scores[:, place] = np.column_stack([-d / 2, d / 2])
    elif hasattr(model, "decision_function") and d.shape[1] == len(place):
        scores[:, place] = d
    else:
        scores = (model.predict(X)[:, None] == classes).astype(np.float64)
    return scores


def class_losses(model: Any, X: Array, classes: Array) -> Array:
    """What each class would cost as the label of each row, (n, k).

    Minus the logarithm of its probability where the model has them; else, as the paper has it, the squared hinge of
    the one-against-the-rest decision values; else 0 or 1.
    """
    scores = class_scores(model, X, classes)
    if hasattr(model, "predict_proba"):
        return -np.maximum(scores, np.log(_SURE))
    if not hasattr(model, "decision_function"):
        return 1 - scores
    # whole decision values again; cut, since one far-off row's square would outweigh all distances
    scores = np.clip(2 * scores if len(classes) == 2 else scores, -10, 10)
    against = np.maximum(1 + scores, 0) ** 2
    return against.sum(axis=1, keepdims=True) - against + np.maximum(1 - scores, 0) ** 2


@method(
    Card(
        name="Joint distribution optimal transport",
        year=2017,
        setting="transductive",
        transfers="parameters",
        objective="min_{f,P}  sum_ij P_ij (alpha ||x_i - x'_j||^2 + L(y_i, f(x'_j))) + Omega(f)   s.t.  P1 = 1/n_s, "
        "P'1 = 1/n_t",
        steps=(
            "Find the cheapest plan that carries the source's rows onto the target's, and their labels with them.",
            "Train the estimator on the target's rows with the labels carried there.",
            "Find the plan again, with the estimator's loss on these labels added to the distance, and so on.",
        ),
        solver="alternates exact plans (as EMD, on all rows or batch by batch) and the estimator's own training",
        cost="a round as EMD's plan and a training; memory 4 n_s n_t bytes (8 up to 4 million pairs) + n d; with "
        "batch_size time n batch_size d and memory n d + 8 batch_size^2 bytes",
        assumes=(
            "rows and labels together are moved little from source to target",
            "class shares are about equal in both domains",
            "columns are on comparable scales",
        ),
        fails_when=(
            "class shares differ (label shift): each source label has to be carried somewhere, so some go wrong",
            "the first plan carries most labels to the wrong rows: the estimator then learns and confirms them",
        ),
        reference="Courty, Flamary, Habrard and Rakotomamonjy, Joint Distribution Optimal Transportation for Domain "
        "Adaptation, NIPS 2017",
        doi="10.48550/arXiv.1705.08848",
        toy="rotation_and_scale",
    )
)
class JDOT(Learner):
    r"""Find a plan that carries labels to the target and a model trained on them there, each in view of the other.

    .. math:: \min_{f, P} \sum_{ij} P_{ij} \Bigl( \alpha \frac{\lVert x_i - x'_j\rVert^2}{s} + L(y_i, f(x'_j)) \Bigr) +
              \Omega(f) \quad\text{s.t.}\quad P 1 = \tfrac1{n_s},\; P^\top 1 = \tfrac1{n_t},\; P \ge 0

    by turns in P, an exact plan, and in f, the estimator. The loss of numbers is the squared difference in units of the
    labels' variance; that of classes minus the logarithm of f's probability, held at 6.9, or the squared hinge for an
    estimator without probabilities. The first plan knows the rows only. Columns should be on comparable scales.

    Fails when class shares differ, or when the first plan carries most labels to the wrong rows.

    Parameters
    ----------
    estimator : classifier or regressor, default=None
        What is trained; None takes logistic regression. One without ``sample_weight`` gets each target row's likeliest
        class.
    alpha : float, default=1.0
        Weight of the distance against the loss, > 0.
    cost_scale : {"median", "max", "none"}, default="max"
        What squared distances are divided by; "max" is the paper's.
    rounds : int, default=10
        Most rounds; it stops before when the carried labels stay.
    batch_size : int or None, default=None
        Most rows of each domain in a plan; None finds one plan between all rows, if ``max_gb`` has room for it.
    max_gb : float, default=2.0
        GiB that a plan may take while it is looked for; above it, ``fit`` raises a ValueError at once.
    random_state : int, default=0
        Deals the rows out to batches.

    Attributes
    ----------
    estimator_ : the fitted estimator
    n_iter_ : int
        Rounds taken.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile(["cat", "dog"], 100)
    >>> X = rng.normal(size=(200, 2)) + np.where(y == "cat", 3, -3)[:, None] * [1, 0]
    >>> X[100:] += 4
    >>> jdot = JDOT().fit(X, y, sample_domain=np.repeat([1, -1], 100))
    >>> bool(jdot.score(X[100:], y[100:]) > 0.95)
    True

    References
    ----------
    Courty, Flamary, Habrard and Rakotomamonjy, Joint Distribution Optimal Transportation for Domain Adaptation, NIPS
    2017. doi:10.48550/arXiv.1705.08848
    """

    estimator: Any = param(default=None, none=True)
    alpha: float = param(default=1.0, above=0)
    cost_scale: str = param(default="max", choices=SCALES)
    rounds: int = param(default=10, low=1)
    batch_size: int | None = param(default=None, low=2, none=True)
    max_gb: float = param(default=2.0, above=0)
    random_state: int = param(default=0, low=0)

    def _fit(self, rows: Split) -> None:
        labels, both, unit = self._carriers(rows)
        n, m = len(both.a), len(both.b)
        size = max(n, m) if self.batch_size is None else self.batch_size
        needed = kernel_bytes(min(n, size), min(m, size), 1e-3)
        check_room("JDOT", both, needed, self.max_gb, "set batch_size=1000")
        scale = squared_distance_scale(both.Xs, both.Xt, self.cost_scale)
        # alpha times the distance, taken into its scale
        cost = centred(both.Xs, both.Xt, scale / self.alpha)._replace(codes=both.codes)
        parts = batches(n, m, size, np.random.default_rng(self.random_state))
        self._alternate(cost, both, labels, unit, parts, rows.Xt.dtype)

    def _carriers(self, rows: Split) -> tuple[Labels, Clouds, float]:
        """The labels as the plan carries them, the rows that differ in content or label, and the labels' unit."""
        if is_classifier(self):
            codes = np.searchsorted(self.classes_, np.asarray(rows.ys))
            both = clouds(rows.Xs, rows.Xt, codes)
            assert both.codes is not None
            return Labels(np.eye(len(self.classes_))[both.codes], self.classes_), both, 1.0
        y = np.asarray(rows.ys, dtype=np.float64)
        # so that alpha means the same in any unit of the labels
        unit = float(y.std()) or 1.0
        both = clouds(np.column_stack([rows.Xs, y]), np.column_stack([rows.Xt, np.zeros(len(rows.Xt))]))
        values = both.Xs[:, -1:] / unit
        return Labels(values, None), both._replace(Xs=both.Xs[:, :-1], Xt=both.Xt[:, :-1]), unit

    def _alternate(
        self, cost: Cost, both: Clouds, labels: Labels, unit: float, parts: list[tuple[Array, Array]], dtype: Any
    ) -> None:
        # with their repetitions: rows that occur often count often for the estimator
        order = np.sort(both.from_t)  # all target rows, in an order that theirs does not change
        X, Xt = both.Xt[order].astype(dtype), both.Xt.astype(dtype)
        before, predicted = None, None
        starts: list[Array | None] = [None] * len(parts)
        for done in range(1, self.rounds + 1):
            self.n_iter_ = done
            carried = carried_labels(joint_cost(cost, labels, predicted), both.a, both.b, labels.values, parts, starts)
            # a thousandth of the mass has another label
            if before is not None and both.b @ np.abs(carried - before).sum(axis=1) < 1e-3:
                break
            self.estimator_ = trained(self._taught(), X, carried[order] * unit, labels)
            before, predicted = carried, self._predicted(Xt, unit)

    def _predicted(self, Xt: Array, unit: float) -> Array:
        if is_classifier(self):
            return class_losses(self.estimator_, Xt, self.classes_)
        return self.estimator_.predict(Xt)[:, None] / unit

    def _scores(self, X: Array) -> Array:
        if is_classifier(self):
            return class_scores(self.estimator_, X, self.classes_)
        return self.estimator_.predict(X)
