"""TrAdaBoost: boosting in which the source rows that keep contradicting the target lose their say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array
from transfermap.math.refit import fit_weighted
from transfermap.roles import Learner
from transfermap.split import Reads, Split, stacked

# An error of zero would get infinitely many votes; this one gets 23.
LEAST_ERROR = 1e-10
Start = Literal["rows", "domains"]


class Boosted(NamedTuple):
    """What boosting leaves: a model a round, its error (rounds,) and votes (rounds,), row weights (rounds, n)."""

    models: list[Any]
    errors: Array
    votes: Array
    weights: Array


def labelled(rows: Split) -> tuple[Array, Array, int]:
    """All labelled rows, source rows first: X (n, d), y (n,) and the number of source rows."""
    assert rows.ys is not None and rows.yt is not None and rows.known is not None
    return stacked(rows.Xs, rows.Xt[rows.known]), np.concatenate([rows.ys, rows.yt]), len(rows.ys)


def check_classes(classes: Array, yt: Array) -> None:
    """Refuse a target label that no source row has."""
    strange = np.setdiff1d(yt, classes)
    if len(strange):
        raise ValueError(
            f"target labels hold the class {str(strange[0])!r}, which no source row has; expected the source's "
            f"classes only: {', '.join(map(str, classes[:6]))}"
        )


def source_rate(n_source: int, rounds: int) -> float:
    """Factor beta = 1 / (1 + sqrt(2 ln(n_s) / N)) by which a contradicted source row shrinks each round."""
    # the logarithm of the rows alone, divided by the rounds after: a re-implementation takes ln(n / N) (docs/errors.md)
    return float(1 / (1 + np.sqrt(2 * np.log(max(n_source, 1)) / rounds)))


def target_rate(error: float, n_classes: int) -> float:
    """beta_t = error / ((1 - error)(C - 1)), at most 1: a model no better than guessing among C classes has no vote."""
    held = max(error, LEAST_ERROR)
    # by 1 less the error, where ADAPT divides by 2 less it (docs/errors.md); C - 1 as in SAMME, for C classes
    return min(held / ((1 - held) * (n_classes - 1)), 1.0) if held < 1 else 1.0


def start_weights(n_source: int, n_target: int, start: Start) -> Array:
    """Logarithms of the first weights, (n,): equal for all rows, or with equal sums for both domains."""
    counts = (1, 1) if start == "rows" else (n_source, n_target)
    return -np.log(np.repeat(np.asarray(counts, dtype=float), [n_source, n_target]))


def mean_one(logs: Array) -> Array:
    """Weights of mean 1: the penalty of an estimator then means the same in every round."""
    w = np.exp(logs - logs.max())
    return w / w.mean()


def boost(
    learn: Callable[[Array], Any],
    wrong: Callable[[Any], Array],
    logs: Array,
    n_source: int,
    n_classes: int,
    rounds: int,
    dynamic: bool = False,
) -> Boosted:
    """The rounds of TrAdaBoost.

    Parameters
    ----------
    learn : callable
        ``learn(w)``: a model of all rows, source rows first, with weights w (n,), mean 1.
    wrong : callable
        ``wrong(model)``: which rows the model gets wrong, booleans (n,).
    logs : (n,) array
        Logarithms of the first weights.
    n_source, n_classes, rounds : int
    dynamic : bool
        Whether to undo, by the factor C (1 - error), the drift of all weight from the source to the target.
    """
    down = np.log(source_rate(n_source, rounds))
    models, errors, votes, weights = [], np.empty(rounds), np.empty(rounds), np.empty((rounds, len(logs)))
    for t in range(rounds):
        weights[t] = mean_one(logs)
        models.append(learn(weights[t]))
        missed = wrong(models[t])
        # the error is the target's alone: the source's rows are what is in doubt
        own = mean_one(logs[n_source:])
        errors[t] = (own * missed[n_source:]).mean()
        votes[t] = -np.log(target_rate(errors[t], n_classes))
        # a model no better than guessing says nothing about single rows: the whole source then gives way
        against = missed[:n_source] | (votes[t] == 0)
        # logarithms, as weights of many rounds span more than floats do
        logs = logs + np.concatenate([down * against, votes[t] * missed[n_source:]])
        if dynamic and votes[t] > 0:
            # Al-Stouhi and Reddy's 2 (1 - error) for two classes: 1 at chance, where it changes nothing
            logs[:n_source] += np.log(n_classes * (1 - errors[t]))
    return Boosted(models, errors, votes, weights)


def voters(found: Boosted) -> tuple[list[Any], Array]:
    """The models that vote, ceil(N/2) ... N, and their votes; the best of them alone where none beats guessing."""
    # the paper's bound on the loss over source rows is for the second half of the rounds
    first = -(-len(found.models) // 2) - 1
    models, votes = found.models[first:], found.votes[first:]
    if votes.any():
        return models, votes
    return models, (np.arange(len(votes)) == found.errors[first:].argmin()).astype(float)


def vote_shares(guesses: list[Array], votes: Array, classes: Array) -> Array:
    """Logarithm of each class's share of the votes, (n, C), with half an average vote added to each class."""
    # so that a unanimous vote is not a probability of one
    shares = np.full((len(guesses[0]), len(classes)), votes.mean() / 2)
    for guess, vote in zip(guesses, votes, strict=True):
        shares[np.arange(len(guess)), np.searchsorted(classes, guess)] += vote
    return np.log(shares / shares.sum(axis=1, keepdims=True))


@method(
    Card(
        name="TrAdaBoost",
        year=2007,
        setting="inductive",
        transfers="instances",
        tasks=("classification",),
        objective="min over votes of the weighted error on the labelled target; sum_i w_i [h_t(x_i^s) != y_i^s] / N "
        "over the source tends to the least that any one source row reaches",
        steps=(
            "Train on the weighted rows of the source and of the labelled target together.",
            "Measure the model's weighted error on the labelled target rows.",
            "Raise the weights of target rows that it got wrong; lower those of source rows that it got wrong.",
            "Repeat; the models of the last half of the rounds vote, the better ones more.",
        ),
        solver="boosting: multiplicative weights, the estimator trained once a round",
        cost="time rounds times the estimator's on all labelled rows; memory n d + rounds n",
        assumes=(
            "some target rows have labels, of all classes if possible",
            "part of the source follows the target's rule",
            "a weak estimator errs in the source where the rules differ",
        ),
        fails_when=(
            "there are so few labelled target rows that their weighted error says little",
            "the estimator is too flexible to ever contradict a source row: then none is held back",
            "source and target disagree everywhere",
        ),
        reference="Dai, Yang, Xue and Yu, Boosting for Transfer Learning, ICML 2007",
        doi="10.1145/1273496.1273521",
        needs=("target labels",),
        toy="contrary_majority",
    )
)
class TrAdaBoost(Learner):
    r"""Boost over source and labelled target rows; a source row that is contradicted counts less and less.

    .. math:: w^s_i \leftarrow w^s_i\, \beta^{[h_t(x_i) \ne y_i]}, \quad
              w^t_j \leftarrow w^t_j\, \beta_t^{-[h_t(x_j) \ne y_j]}, \qquad
              \beta = \frac{1}{1 + \sqrt{2 \ln n_s / N}}, \quad
              \beta_t = \frac{\epsilon_t}{(1 - \epsilon_t)(C - 1)}

    with :math:`\epsilon_t` the weighted error of the model :math:`h_t` on the labelled target rows. The prediction is
    the class with the largest :math:`\sum_{t \ge \lceil N/2 \rceil} \ln(1/\beta_t) [h_t(x) = c]`. For two classes
    (C = 2) this is the paper; for more, :math:`\beta_t` is that of SAMME (Zhu et al., 2009). A round that is no better
    than guessing, :math:`\epsilon_t \ge 1 - 1/C`, which the paper leaves open, has no vote, and every source row
    shrinks by :math:`\beta`. The estimator always gets weights of mean 1.

    Fails when the labelled target rows are too few to tell a good model from a bad one, or when the estimator is so
    flexible that it contradicts no source row.

    Parameters
    ----------
    estimator : classifier or None, default=None
        What is boosted; its ``fit`` takes ``sample_weight``. None is logistic regression.
    rounds : int, default=10
        The paper's N, >= 1; the paper has up to 100.
    start : {"rows", "domains"}, default="domains"
        First weights: the same for every row, or the same sum for both domains (the paper leaves them to the user).
    dynamic : bool, default=False
        Whether to multiply the source's weights by :math:`C(1 - \epsilon_t)` each round (Al-Stouhi & Reddy, 2011: for
        C = 2), which keeps those of uncontradicted rows from shrinking beside the target's.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    estimators_, votes_ : the models that vote, and their votes
    errors_ : ndarray of shape (rounds,)
        Each round's weighted error on the labelled target rows.
    source_weights_ : ndarray of shape (rounds, n_source)
        What each source row counted, where all labelled rows together have mean 1.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 1))
    >>> y = (X[:, 0] > 0).astype(int)
    >>> y[:150] = 1 - y[:150]  # half of the source has it upside down
    >>> y[230:] = -1  # of the target, 30 rows have labels
    >>> boosted = TrAdaBoost().fit(X, y, sample_domain=np.repeat([0, -1], [200, 100]))
    >>> boosted.predict([[-2.0], [2.0]]).tolist()
    [0, 1]
    >>> bool(boosted.source_weights_[-1, 150:].mean() > 3 * boosted.source_weights_[-1, :150].mean())
    True

    References
    ----------
    Dai, Yang, Xue and Yu, Boosting for Transfer Learning, ICML 2007. doi:10.1145/1273496.1273521
    Al-Stouhi and Reddy, Adaptive Boosting for Transfer Learning Using Dynamic Updates, ECML PKDD 2011.
    doi:10.1007/978-3-642-23780-5_14
    Zhu, Zou, Rosset and Hastie, Multi-class AdaBoost, Statistics and Its Interface 2, 2009.
    """

    sparse_ok = True
    reads = Reads("both")

    estimator: Any = param(default=None, none=True)
    rounds: int = param(default=10, low=1)
    start: Start = param(default="domains", choices=("rows", "domains"))
    dynamic: bool = param(default=False, choices=(False, True))

    def _fit(self, rows: Split) -> None:
        X, y, n_source = labelled(rows)
        check_classes(self.classes_, y[n_source:])
        found = boost(
            lambda w: fit_weighted("TrAdaBoost", self._taught(), X, y, w),
            lambda model: model.predict(X) != y,
            start_weights(n_source, len(y) - n_source, self.start),
            n_source,
            len(self.classes_),
            self.rounds,
            self.dynamic,
        )
        self.estimators_, self.votes_ = voters(found)
        self.errors_, self.source_weights_ = found.errors, found.weights[:, :n_source]

    def _scores(self, X: Array) -> Array:
        return vote_shares([model.predict(X) for model in self.estimators_], self.votes_, self.classes_)
