"""Any method in front of a scikit-learn estimator, as one estimator."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import Tags, get_tags
from sklearn.utils.metaestimators import available_if

from transfermap.card import check_params
from transfermap.roles import Learner, _score, check_estimator_suits, check_method
from transfermap.split import Array, Labels, Reads, Side, Split, known_columns, split, stacked


def _inner_has(name: str) -> Any:
    def check(self: Adapted) -> bool:
        getattr(getattr(self, "estimator_", self.estimator), name)
        return True

    return check


class Adapted(MetaEstimatorMixin, BaseEstimator):
    """Any scikit-learn estimator, trained on source rows that a method has moved or weighed for the target.

    Parameters
    ----------
    adapter : Adapter, Weigher or Learner
        The method, such as ``CORAL()``.
    estimator : classifier or regressor
        What is trained after it. A :class:`Weigher` needs one whose ``fit`` takes ``sample_weight``; a
        :class:`Learner` trains it where it has room for one, and otherwise predicts by its own rule.

    Attributes
    ----------
    adapter_, estimator_ : the fitted parts
    classes_ : ndarray of shape (n_classes,), for classifiers

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from transfermap.card import find
    >>> from transfermap.adapted import Adapted
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, 200)
    >>> X = rng.normal(size=(200, 2)) + 3 * np.c_[y, y]
    >>> domain = np.r_[np.zeros(100, int), -np.ones(100, int)]
    >>> X[domain < 0] = 5 * X[domain < 0] + 40
    >>> model = Adapted(find("coral")(), LogisticRegression()).fit(X, y, sample_domain=domain)
    >>> bool(model.score(X[domain < 0], y[domain < 0]) > 0.9)
    True
    """

    __metadata_request__fit: ClassVar = {"sample_domain": True, "side": True}

    def __init__(self, adapter: Any, estimator: Any) -> None:
        self.adapter = adapter
        self.estimator = estimator

    def __sklearn_tags__(self) -> Tags:
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags, tags.regressor_tags = inner.classifier_tags, inner.regressor_tags
        tags.target_tags.required = True
        before = get_tags(self.adapter).input_tags
        tags.input_tags.sparse = inner.input_tags.sparse and before.sparse
        tags.input_tags.allow_nan = before.allow_nan
        tags.input_tags.string = before.string
        return tags

    def fit(self, X: Any, y: Any, *, sample_domain: Any = None, side: Side | None = None) -> Self:
        """Adapt the source to the target, then train on it.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Rows of both domains, in any order.
        y : array-like of shape (n,)
            Labels; those of target rows are never looked at.
        sample_domain : array-like of int of shape (n,), default=None
            ``>= 0`` source, ``< 0`` target; None: every row is both.
        side : Side, default=None
            What is known beside rows and labels, for a method that needs it.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the input is unusable, or the estimator cannot take the method's weights.
        """
        if y is None:
            raise ValueError("Adapted requires y to be passed, but the target y is None")
        check_method(self.adapter)
        rows = split(self, X, y, sample_domain, self._reads(), side)
        check_estimator_suits(self.adapter, self.estimator, rows.yt if rows.ys is None else rows.ys)
        self.adapter_ = clone(self.adapter)
        check_params(self.adapter_)
        self.adapter_.n_features_in_ = rows.Xs.shape[1]
        self.estimator_ = self._train(rows)
        return self

    def fit_split(self, rows: Split) -> Self:
        """As :meth:`fit`, from rows that are parted already."""
        X, y, sample_domain = rows.joined()
        return self.fit(X, y, sample_domain=sample_domain, side=rows.side)

    def _train(self, rows: Split) -> Any:
        """The fitted estimator; a Learner is one itself, and takes the caller's where it has room for it."""
        method = self.adapter_
        if isinstance(method, Learner):
            return method._teach(rows, self.estimator)
        w = method._learn(rows)
        Z, y = method._see_source(rows.Xs, rows.source_domains), rows.ys
        if rows.known is not None and rows.yt is not None:
            Z, y = stacked(Z, method._see_target(rows.Xt[rows.known])), np.concatenate([y, rows.yt])
        return clone(self.estimator).fit(Z, y, **({} if w is None else {"sample_weight": w}))

    def _reads(self) -> Reads:
        """What the method reads, and the source's labels, which the estimator learns."""
        own = self.adapter.reads
        joint: dict[Labels, Labels] = {"none": "source", "target": "both"}
        # a Learner is the estimator itself: what it does not read, nobody does
        return own if isinstance(self.adapter, Learner) else own._replace(labels=joint.get(own.labels, own.labels))

    def _target(self, X: Any) -> Array:
        X = known_columns(self, X)  # first: it says so where nothing is fitted yet
        return self.adapter_._see_target(X)

    @property
    def classes_(self) -> Array:
        """The classes, as the estimator orders them."""
        return self.estimator_.classes_

    def predict(self, X: Any) -> Array:
        """Predict target rows ``X`` (n, d), also ones never seen in ``fit``."""
        Z = self._target(X)
        return self.estimator_.predict(Z)

    @available_if(_inner_has("predict_proba"))
    def predict_proba(self, X: Any) -> Array:
        """Class probabilities of target rows, (n, n_classes)."""
        Z = self._target(X)
        return self.estimator_.predict_proba(Z)

    @available_if(_inner_has("decision_function"))
    def decision_function(self, X: Any) -> Array:
        """The estimator's decision values on target rows."""
        Z = self._target(X)
        return self.estimator_.decision_function(Z)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy (classifiers) or R2 (regressors) on labelled target rows."""
        return _score(self, X, y, sample_weight)
