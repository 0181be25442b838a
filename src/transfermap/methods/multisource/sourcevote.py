"""Adaptation from each source by itself, then a vote of the models."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.base import is_classifier

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array
from transfermap.methods.multisource._shared import (
    closeness,
    in_float64,
    logarithm,
    predictions,
    probabilities,
    source_distances,
    source_models,
    trainable_sources,
)
from transfermap.roles import Learner
from transfermap.split import Split


def vote(P: Array, w: Array, has: Array) -> Array:
    """Class shares (n, C): the mean of ``P`` (K, n, C), by ``w`` (K,), over the sources that have the class.

    ``has`` (K, C) says which source has which class. A class that none has gets 0; rows have sum 1.
    """
    heard = w @ has
    # by what was heard on a class: one that few sources know is not thereby less likely
    shares = np.einsum("k,knc->nc", w, P) / np.where(heard > 0, heard, 1)
    return shares / shares.sum(axis=1, keepdims=True)


def ballots(P: Array) -> Array:
    """One for the class of the greatest probability, zero for the others; same shape as ``P``."""
    return (np.arange(P.shape[-1]) == P.argmax(axis=-1)[..., None]).astype(np.float64)


def weighted_median(values: Array, w: Array) -> Array:
    """Of each column of ``values`` (K, n), weights ``w`` (K,) of sum 1: the least value that holds half of them."""
    order = np.argsort(values, axis=0, kind="stable")
    below = np.cumsum(w[order], axis=0)
    # weights that add to one half on paper may come out just below it
    middle = np.argmax(below >= 0.5 - 1e-12, axis=0)
    return np.take_along_axis(np.take_along_axis(values, order, axis=0), middle[None], axis=0)[0]


@method(
    Card(
        name="Adaptation from each source, then a vote",
        year=2018,
        setting="transductive",
        transfers="parameters",
        objective="p(c|x) ~ sum_k lambda_k p_k(c|x) / sum_(k that has c) lambda_k,  lambda_k ~ exp(-d_k / T)",
        steps=(
            "Train one model a source, after the adaptation that was asked for, if any.",
            "Measure how far each source's rows are from the target's (maximum mean discrepancy).",
            "Let the models vote, the close sources' more than the far ones'; on a class, only sources that have it.",
        ),
        solver="one fit of the adaptation and the estimator a source",
        cost="the estimator's own, a source at a time; with m = max_rows and K sources, m^2 d K time more, n d memory",
        assumes=(
            "each source is enough to learn the rule from, once adapted",
            "the sources' mistakes are not all the same",
        ),
        fails_when=(
            "most of the close sources have another rule than the target",
            "sources are so small that a model of each is poor, and one of all together would do better",
        ),
        reference="Xu, Chen, Zuo, Yan and Lin, Deep Cocktail Network: Multi-source Unsupervised Domain Adaptation with "
        "Category Shift, IEEE CVPR 2018",
        doi="10.48550/arXiv.1803.00830",
        needs=("several sources",),
        toy="several_sources",
    )
)
class SourceVote(Learner):
    r"""Adapt each source to the target by itself, and let the models vote.

    .. math:: p(c \mid x) \propto \frac{\sum_k \lambda_k\, p_k(c \mid x)}{\sum_{k:\, c \in C_k} \lambda_k},
              \qquad \lambda_k \propto e^{-d_k / T}

    A source :math:`k` is heard on its own classes :math:`C_k` only, as in the deep cocktail network, which learns
    the features and :math:`\lambda` adversarially; here the adaptation is any method of this program, and
    :math:`\lambda_k` falls with the maximum mean discrepancy :math:`d_k` between the source's rows and the target's,
    in the columns as given. Numbers are averaged by the same weights. Sources with one row or one class are left out,
    with a warning. With one source it is ``Adapted(adapter, estimator)``.

    Fails when most of the close sources have another rule than the target, or when sources are very small.

    Parameters
    ----------
    adapter : Adapter, Weigher or Learner, default=None
        Brings each source to the target before its model is trained; None leaves them as they are.
    estimator : classifier or regressor, default=None
        What is trained on each source; None is logistic regression.
    voting : {"soft", "hard"}, default="soft"
        "soft" averages probabilities or numbers. "hard" gives each model one vote for its class; of numbers it takes
        the weighted median.
    temperature : float or None, default=0.2
        T, > 0: how sharply a source's weight falls with its distance, which lies between 0 and 1.41. None: all sources
        count the same.
    max_rows : int, default=2000
        Most rows a domain, drawn, from which distances are measured.
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

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 2))
    >>> y = (X[:, 0] > 0).astype(int)
    >>> domain = np.repeat([0, 1, 2, -1], 100)
    >>> y[domain == 2] = 1 - y[domain == 2]  # one source of three has the opposite rule
    >>> SourceVote(temperature=None).fit(X, y, sample_domain=domain).score(X[domain < 0], y[domain < 0]) > 0.9
    True

    References
    ----------
    Xu, Chen, Zuo, Yan and Lin, Deep Cocktail Network: Multi-source Unsupervised Domain Adaptation with Category Shift,
    IEEE CVPR 2018. doi:10.48550/arXiv.1803.00830
    """

    adapter: Any = param(default=None, none=True)
    estimator: Any = param(default=None, none=True)
    voting: Literal["soft", "hard"] = param(default="soft", choices=("soft", "hard"))
    temperature: float | None = param(default=0.2, above=0, none=True)
    max_rows: int = param(default=2000, low=2)
    random_state: int = param(default=0, low=0)

    def _fit(self, rows: Split) -> None:
        rows = in_float64(rows)
        self.sources_ = trainable_sources(rows, is_classifier(self))
        self.models_ = source_models(self.adapter, self._taught(), rows, self.sources_)
        self.distances_ = source_distances(rows, self.sources_, self.max_rows, self.random_state)
        self.source_weights_ = closeness(self.distances_, self.temperature)

    def _scores(self, X: Array) -> Array:
        X, w = X.astype(np.float64, copy=False), self.source_weights_
        if not is_classifier(self):
            values = predictions(self.models_, X)
            return weighted_median(values, w) if self.voting == "hard" else w @ values
        P = probabilities(self.models_, X, self.classes_)
        has = np.stack([np.isin(self.classes_, model.classes_) for model in self.models_])
        return logarithm(vote(ballots(P) if self.voting == "hard" else P, w, has))
