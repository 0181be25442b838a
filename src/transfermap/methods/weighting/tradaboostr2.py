"""Two-stage TrAdaBoost.R2: boosting for numbers, with the source's say lowered step by step and the best step kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from sklearn.linear_model import Ridge

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array
from transfermap.math.refit import fit_weighted
from transfermap.roles import Learner
from transfermap.split import Reads, Split

Loss = Literal["linear", "square", "exponential"]
Learn = Callable[[Array, Array, Array], Any]
# An error of zero would get infinitely many votes; this one gets 23.
LEAST_ERROR = 1e-10


class Committee(NamedTuple):
    """Models and the votes (n_models,) with which their predictions enter the weighted median."""

    models: list[Any]
    votes: Array


class Steps(NamedTuple):
    """The committee of the best step, its number, and each step's error, target share (S,) and weights (S, n_s)."""

    best: Committee
    chosen: int
    errors: Array
    shares: Array
    weights: Array


def adjusted_errors(y: Array, guess: Array, loss: Loss = "linear") -> Array:
    """Absolute errors divided by the largest, so in [0, 1], then as the loss has it; (n,)."""
    e = np.abs(y - guess)
    # over source and target rows, as printed: one scale for both
    largest = e.max()
    e = e / largest if largest > 0 else e
    return {"linear": e, "square": e**2, "exponential": 1 - np.exp(-e)}[loss]


def weighted_median(guesses: Array, votes: Array) -> Array:
    """The least guess, of guesses (n, k), at which half of the votes (k,) are reached; (n,)."""
    # the median, as in AdaBoost.R2: one model that is far off does not move it
    order = np.argsort(guesses, axis=1, kind="stable")
    reached = np.cumsum(votes[order], axis=1)
    at = (reached >= 0.5 * reached[:, -1:]).argmax(axis=1)
    rows = np.arange(len(guesses))
    return guesses[rows, order[rows, at]]


def predict(committee: Committee, X: Array) -> Array:
    """The committee's prediction for rows X (n, d)."""
    guesses = np.column_stack([model.predict(X) for model in committee.models])
    return weighted_median(guesses, committee.votes)


def frozen_boost(
    learn: Learn, X: Array, y: Array, w: Array, n_source: int, rounds: int, loss: Loss = "linear"
) -> Committee:
    """AdaBoost.R2': AdaBoost.R2 that moves weight among target rows only; their sum, and each source weight, stay.

    Rows of weight zero take no part. It stops before a model whose weighted loss is one half or more; the first model
    stays in any case.
    """
    present = w > 0
    n_source = int(present[:n_source].sum())
    X, y, w = X[present], y[present], w[present] / w[present].sum()
    models: list[Any] = []
    votes, mass = [], w[n_source:].sum()
    for _ in range(rounds):
        model = learn(X, y, w * len(w))
        e = adjusted_errors(y, model.predict(X), loss)
        error = max(float(w @ e), LEAST_ERROR)
        if error >= 0.5 and models:
            break
        models.append(model)
        # a first model at one half or worse stays, and needs a positive vote
        votes.append(np.log((1 - error) / error) if error < 0.5 else 1.0)
        if error >= 0.5 or error == LEAST_ERROR or n_source == len(w):
            break
        # rows that were predicted well become lighter
        own = w[n_source:] * (error / (1 - error)) ** (1 - e[n_source:])
        w = np.concatenate([w[:n_source], own * (mass / own.sum())])
    return Committee(models, np.array(votes))


def target_share(step: int, steps: int, n_source: int, n_target: int) -> float:
    """The target's share of all weight at a step 0 ... S - 1: from its share of the rows up to all of it, evenly."""
    start = n_target / (n_source + n_target)
    # one step alone: no division by 0
    return start + (1 - start) * step / max(steps - 1, 1)


def lowered(w: Array, e: Array, share: float) -> Array:
    """Source weights w beta^e (n_s,) with the beta in [0, 1] for which the target has ``share`` of all weight.

    The target's weights sum to one. Where no beta does it (the source is right everywhere), the rest is taken from all
    source rows alike.

    Parameters
    ----------
    w, e : (n_s,) arrays
        Source weights beside a target of weight one, and adjusted errors in [0, 1].
    share : float
        In (0, 1]; 1 leaves the source nothing.
    """
    goal = (1 - share) / share
    if goal <= 0:
        return np.zeros_like(w)
    # sum w beta^e falls as -log(beta) rises: halve the interval of it until it is as small as numbers get
    low, high = 0.0, 1.0
    while w @ np.exp(-high * e) > goal and high < 1e6:
        low, high = high, 2 * high
    # by the interval's own ends: ADAPT keeps the best of signed differences, and can return another point
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if w @ np.exp(-middle * e) > goal else (low, middle)
    found = w * np.exp(-high * e)
    total = found.sum()
    return found * (goal / total) if total > 0 else found


def dealt(X: Array, y: Array, folds: int) -> Array:
    """A fold for each row, (n,): rows in the order of their labels, then of their columns, dealt out in turn."""
    turn = np.empty(len(y), dtype=int)
    turn[np.lexsort((*X.T[::-1], y))] = np.arange(len(y)) % folds
    return turn


def held_out_error(
    boosted: Callable[[Array, Array, Array], Committee], X: Array, y: Array, w: Array, n_source: int, fold: Array
) -> float:
    """Mean squared error on target rows that were left out, fold by fold, of what is boosted from the other rows."""
    squares = np.empty(len(fold))
    for k in range(fold.max() + 1):
        out = fold == k
        kept = np.concatenate([np.ones(n_source, dtype=bool), ~out])
        committee = boosted(X[kept], y[kept], w[kept])
        squares[out] = (y[n_source:][out] - predict(committee, X[n_source:][out])) ** 2
    return float(squares.mean())


def two_stage(
    learn: Learn, X: Array, y: Array, n_source: int, steps: int, rounds: int, folds: int, loss: Loss = "linear"
) -> Steps:
    """Lower the source's weight step by step, boost the target's at each, keep the step that predicts it best.

    Rows X (n, d) and numbers y (n,), source rows first, at least two target rows.
    """
    n_target = len(y) - n_source
    fold = dealt(X[n_source:], y[n_source:], min(folds, n_target))
    source, errors, shares, best, weights = np.ones(n_source) / n_target, [], [], None, []

    def boosted(X: Array, y: Array, w: Array) -> Committee:
        return frozen_boost(learn, X, y, w, n_source, rounds, loss)

    for step in range(steps):
        w = np.concatenate([source, np.full(n_target, 1 / n_target)])
        shares.append(1 / w.sum())
        weights.append(w[:n_source] * (len(w) / w.sum()))
        errors.append(held_out_error(boosted, X, y, w, n_source, fold))
        # a tie but for rounding goes to the earlier step, whatever order the rows came in
        if best is None or errors[-1] < errors[best] * (1 - 1e-9):
            best = step
        if step < steps - 1:
            e = adjusted_errors(y, learn(X, y, w * (len(w) / w.sum())).predict(X), loss)
            source = lowered(source, e[:n_source], target_share(step + 1, steps, n_source, n_target))
    assert best is not None
    start = np.concatenate([weights[best], np.full(n_target, shares[best] * len(y) / n_target)])
    return Steps(boosted(X, y, start), best, np.array(errors), np.array(shares), np.array(weights))


def numbers(ys: Array, yt: Array) -> Array:
    """Labels of source and target rows as numbers, (n,)."""
    try:
        return np.concatenate([ys, yt]).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"TrAdaBoostR2 predicts numbers; got labels such as {str(ys[0])!r}") from error


@method(
    Card(
        name="Two-stage TrAdaBoost.R2",
        year=2010,
        setting="inductive",
        transfers="instances",
        tasks=("regression",),
        objective="min over steps t of the cross-validated error on the labelled target of AdaBoost.R2 with source "
        "weights w_i prod_{u<t} beta_u^(e_iu), beta_u such that the target's share of weight rises evenly to 1",
        steps=(
            "Boost on source and labelled target rows, moving weight among target rows only (AdaBoost.R2').",
            "Estimate its error by cross-validation on the labelled target rows.",
            "Lower the weights of source rows by how badly a model predicts them, to a target share set beforehand.",
            "Repeat until the target has all the weight; keep the step with the least error.",
            "Predict by the weighted median of that step's models.",
        ),
        solver="boosting in two stages; beta_u by bisection",
        cost="time steps (folds + 1) rounds times the estimator's on all labelled rows; memory n d + steps n",
        assumes=(
            "some target rows have labels: enough to leave a few out and judge by them",
            "part of the source follows the target's rule",
        ),
        fails_when=(
            "there are so few labelled target rows that cross-validation picks a step by luck",
            "the largest error is one wild label's: all other errors look small beside it",
        ),
        reference="Pardoe and Stone, Boosting for Regression Transfer, ICML 2010",
        doi="https://www.cs.utexas.edu/~dpardoe/papers/ICML10.pdf",
        needs=("target labels",),
        toy="contrary_majority",
    )
)
class TrAdaBoostR2(Learner):
    r"""Boost for numbers on the labelled target, with the source's weight lowered to where it helps most.

    .. math:: w_i^{(t+1)} = w_i^{(t)} \beta_t^{e_i^{(t)}} \ (i \le n_s), \qquad
              \frac{\sum_{j > n_s} w_j^{(t+1)}}{\sum_i w_i^{(t+1)}} =
              \frac{n_t}{n_s + n_t} + \frac{t}{S - 1} \Bigl(1 - \frac{n_t}{n_s + n_t}\Bigr), \qquad
              e_i = \frac{|y_i - h_t(x_i)|}{\max_j |y_j - h_t(x_j)|}

    At each of the S steps AdaBoost.R2 is run with the source's weights frozen, and its mean squared error on target
    rows that it did not see is taken; the prediction is that of the step with the least, by the weighted median of its
    models. AdaBoost.R2 is run by weights, not by drawing rows, and the sum of the target's weights is held while it
    runs, so the source's share is truly frozen. Folds are dealt by what the rows hold, not by their order.

    Fails when the labelled target rows are too few to judge the steps by, at the least two.

    Parameters
    ----------
    estimator : regressor or None, default=None
        What is boosted; its ``fit`` takes ``sample_weight``. None is ridge regression.
    steps : int, default=6
        The paper's S, >= 1; step 1 is boosting with all rows of equal weight, the last with the target alone.
    rounds : int, default=5
        Most models of a step, >= 1.
    folds : int, default=5
        Of the cross-validation, >= 2; fewer where fewer target rows have labels.
    loss : {"linear", "square", "exponential"}, default="linear"
        How errors in [0, 1] enter: e, e^2, or 1 - exp(-e).

    Attributes
    ----------
    step_ : int
        The step that was kept, from 0.
    errors_, shares_ : ndarray of shape (steps,)
        Each step's cross-validated mean squared error, in squared units of y, and the target's share of all weight.
    source_weights_ : ndarray of shape (steps, n_source)
        What each source row counted, where all labelled rows together have mean 1.
    committee_ : dict
        The models of the step that was kept and their votes.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 1))
    >>> y = 2 * X[:, 0] + 0.1 * rng.normal(size=300)
    >>> y[:150] *= -1  # most of the source has it upside down
    >>> y[220:] = np.nan  # of the target, 20 rows have labels
    >>> boosted = TrAdaBoostR2().fit(X, y, sample_domain=np.repeat([0, -1], [200, 100]))
    >>> boosted.predict([[-1.0], [1.0]]).round().tolist()
    [-2.0, 2.0]

    References
    ----------
    Pardoe and Stone, Boosting for Regression Transfer, ICML 2010.
    https://www.cs.utexas.edu/~dpardoe/papers/ICML10.pdf
    Drucker, Improving Regressors Using Boosting Techniques, ICML 1997.
    """

    reads = Reads("both")

    estimator: Any = param(default=None, none=True)
    steps: int = param(default=6, low=1)
    rounds: int = param(default=5, low=1)
    folds: int = param(default=5, low=2)
    loss: Loss = param(default="linear", choices=("linear", "square", "exponential"))

    def _taught(self) -> Any:
        return Ridge() if self.estimator is None else self.estimator

    def _fit(self, rows: Split) -> None:
        assert rows.ys is not None and rows.yt is not None
        if len(rows.yt) < 2:
            raise ValueError("TrAdaBoostR2 leaves target rows out to judge by them: expected 2 or more labels, got 1")
        X, y = np.concatenate([rows.Xs, rows.Xt[rows.known]]), numbers(rows.ys, rows.yt)

        def learn(X: Array, y: Array, w: Array) -> Any:
            return fit_weighted("TrAdaBoostR2", self._taught(), X, y, w)

        found = two_stage(learn, X, y, len(rows.ys), self.steps, self.rounds, self.folds, self.loss)
        self.step_, self.errors_, self.shares_ = found.chosen, found.errors, found.shares
        self.source_weights_ = found.weights
        self.committee_ = found.best._asdict()

    def _scores(self, X: Array) -> Array:
        return predict(Committee(**self.committee_), X)
