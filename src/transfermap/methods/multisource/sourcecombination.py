"""Weighted combination of sources: each row is judged by the sources in whose midst it lies and that are close."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.base import is_classifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array
from transfermap.methods.multisource._shared import (
    closeness,
    in_float64,
    logarithm,
    predictions,
    probabilities,
    some_rows,
    source_distances,
    source_models,
    trainable_sources,
)
from transfermap.roles import Learner
from transfermap.split import Split


def source_judge(rows: Split, sources: Array, most: int, seed: int) -> Any:
    """A classifier of rows by their source, with all sources as common as each other; None for a single source."""
    if len(sources) == 1:
        return None
    tables = [some_rows(rows.Xs[rows.source_domains == number], most, seed) for number in sources]
    number = np.repeat(np.arange(len(sources)), [len(table) for table in tables])
    # balanced: odds of counts would call a large source dense everywhere
    rule = LogisticRegression(class_weight="balanced", max_iter=2000)
    return make_pipeline(StandardScaler(), rule).fit(np.concatenate(tables), number)


def row_weights(share: Array, log_density: Array, eta: float) -> Array:
    """What each source counts at each row, (n, n_sources), of sum 1: proportional to share (density + eta)."""
    # eta, as in the paper, keeps the mixture defined where all sources are thin
    smooth = np.logaddexp(log_density, np.log(eta)) if eta > 0 else log_density
    return softmax(logarithm(share) + smooth, axis=1)


@method(
    Card(
        name="Weighted combination of sources",
        year=2008,
        setting="transductive",
        transfers="parameters",
        objective="h(x) = sum_k w_k(x) h_k(x),  w_k(x) ~ lambda_k (D_k(x) + eta),  lambda_k ~ exp(-d_k / T)",
        steps=(
            "Train one model a source, after the adaptation that was asked for, if any.",
            "Measure how far each source's rows are from the target's (maximum mean discrepancy).",
            "Learn to tell the sources apart, which gives each source's density at a row relative to the others'.",
            "Mix the models' predictions: a source counts as it is close to the target and dense at the row.",
        ),
        solver="one fit of the estimator a source; one logistic regression over the sources",
        cost="the estimator's own, a source at a time; with m = max_rows and K sources, m^2 d K time more, n d memory",
        assumes=(
            "the target is a mixture of the sources, or near to some of them",
            "a source that is close in its rows is close in its labels too",
        ),
        fails_when=(
            "a source that looks like the target has another rule: no label-free distance can see that",
            "every source is far away: the least far then decides all",
        ),
        reference="Mansour, Mohri and Rostamizadeh, Domain Adaptation with Multiple Sources, NIPS 2008",
        doi="https://papers.nips.cc/paper_files/paper/2008/hash/0e65972dce68dad4d52d063967f0a705-Abstract.html",
        needs=("several sources",),
        toy="several_sources",
    )
)
class SourceCombination(Learner):
    r"""Mix one model a source, row by row, by how dense each source is at the row and how close it is to the target.

    .. math:: h(x) = \sum_k w_k(x) h_k(x), \qquad
              w_k(x) = \frac{\lambda_k (D_k(x) + \eta)}{\sum_j \lambda_j (D_j(x) + \eta)}, \qquad
              \lambda_k \propto e^{-d_k / T}

    The weights are the paper's distribution-weighted rule; it proves that for some mixture :math:`\lambda` this rule is
    good on every target that mixes the sources, where constant weights may fail. Three things the paper leaves open are
    settled here: :math:`D_k(x)` is source :math:`k`'s share at :math:`x` as a logistic regression over the sources
    sees it, with all sources taken as equally common; :math:`\lambda_k` falls with the maximum mean discrepancy
    :math:`d_k` between the source and the target; and the smoothing :math:`\eta` leads to :math:`\lambda`, where the
    paper's leads to equal weights.

    Distances and densities are those of the columns as given, before ``adapter``. For classes, :math:`h_k` are
    probabilities, with 0 for a class that source :math:`k` lacks, and one for the predicted class where the estimator
    gives no probabilities. Sources with one row or one class are left out, with a warning. With one source it is
    ``Adapted(adapter, estimator)``.

    Fails when a source that looks like the target has another rule, or when every source is far away.

    Parameters
    ----------
    adapter : Adapter, Weigher or Learner, default=None
        Brings each source to the target before its model is trained; None leaves them as they are.
    estimator : classifier or regressor, default=None
        What is trained on each source; None is logistic regression.
    temperature : float or None, default=0.2
        T, > 0: how sharply a source's weight falls with its distance, which lies between 0 and 1.41. None: no source is
        preferred for its distance.
    eta : float, default=0.1
        Smoothing of the densities, which sum to one over the sources at every row; 0 is none, and with a large one the
        same weights hold at all rows.
    max_rows : int, default=2000
        Most rows a domain, drawn, from which distances and densities are learned.
    random_state : int, default=0
        Draws those rows.

    Attributes
    ----------
    sources_ : ndarray of int of shape (n_sources,)
        The numbers of the sources that take part, sorted.
    distances_ : ndarray of shape (n_sources,)
        Maximum mean discrepancy to the target, in the order of ``sources_``.
    source_weights_ : ndarray of shape (n_sources,)
        The lambda, of sum 1.
    models_ : list of Adapted
        One model a source.
    judge_ : fitted classifier of rows by source, or None with a single one

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 2))
    >>> y = (X[:, 0] > 0).astype(int)
    >>> domain = np.repeat([0, 1, -1, -1], 100)
    >>> X[domain == 1] += 5  # a source far away ...
    >>> y[domain == 1] = 1 - y[domain == 1]  # ... where the rule is the opposite
    >>> mix = SourceCombination().fit(X, y, sample_domain=domain)
    >>> mix.source_weights_.round(2).tolist()
    [0.99, 0.01]
    >>> mix.score(X[domain < 0], y[domain < 0]) > 0.95
    True

    References
    ----------
    Mansour, Mohri and Rostamizadeh, Domain Adaptation with Multiple Sources, NIPS 2008.
    https://papers.nips.cc/paper_files/paper/2008/hash/0e65972dce68dad4d52d063967f0a705-Abstract.html
    """

    adapter: Any = param(default=None, none=True)
    estimator: Any = param(default=None, none=True)
    temperature: float | None = param(default=0.2, above=0, none=True)
    eta: float = param(default=0.1, low=0)
    max_rows: int = param(default=2000, low=2)
    random_state: int = param(default=0, low=0)

    def _fit(self, rows: Split) -> None:
        rows = in_float64(rows)
        self.sources_ = trainable_sources(rows, is_classifier(self))
        self.models_ = source_models(self.adapter, self._taught(), rows, self.sources_)
        self.distances_ = source_distances(rows, self.sources_, self.max_rows, self.random_state)
        self.source_weights_ = closeness(self.distances_, self.temperature)
        self.judge_ = source_judge(rows, self.sources_, self.max_rows, self.random_state)

    def _scores(self, X: Array) -> Array:
        X = X.astype(np.float64, copy=False)
        # a single source: nothing to tell apart
        densities = np.zeros((len(X), 1)) if self.judge_ is None else self.judge_.predict_log_proba(X)
        w = row_weights(self.source_weights_, densities, self.eta)
        if not is_classifier(self):
            return np.einsum("nk,kn->n", w, predictions(self.models_, X))
        return logarithm(np.einsum("nk,knc->nc", w, probabilities(self.models_, X, self.classes_)))
