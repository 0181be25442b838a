"""The shapes a classical method can have.

Mathematics takes ``(Xs, ys, Xt)``; users and scikit-learn see ``(X, y, *, sample_domain)``;
:func:`transfermap.split.split` is the only place that knows both. A method says only what is its own: an
:class:`Adapter` how features move, a :class:`Weigher` what each source row counts, a :class:`Learner` all of it up to
the prediction. :class:`transfermap.adapted.Adapted` puts any of them in front of a scikit-learn estimator.
"""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from scipy.special import softmax
from sklearn.base import clone, is_classifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import Tags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from transfermap.card import Card, check_params
from transfermap.split import Array, Reads, Side, Split, domain_numbers, known_columns, split, stacked

if TYPE_CHECKING:
    # scikit-learn has no types: to a type checker whatever derives from its classes would take any argument. This is
    # the part of them that a method has, so that ``CORAL(rge=1)`` is an error in an editor as it is in Python.
    class BaseEstimator:
        def get_params(self, deep: bool = True) -> dict[str, Any]: ...
        def set_params(self, **params: Any) -> Self: ...
        def set_fit_request(self, **requests: bool | str | None) -> Self: ...
        def __sklearn_tags__(self) -> Tags: ...
        def __getstate__(self) -> dict[str, Any]: ...
        def __setstate__(self, state: Any) -> None: ...

    class TransformerMixin:
        def set_output(self, *, transform: str | None = None) -> Self: ...

else:
    from sklearn.base import BaseEstimator, TransformerMixin


class _Method(BaseEstimator):
    """What every method has: a card, hyper-parameters that are checked, what it reads, and tags."""

    card: ClassVar[Card]
    sparse_ok: ClassVar[bool] = False
    reads: ClassVar[Reads] = Reads()
    __metadata_request__fit: ClassVar = {"sample_domain": True, "side": True}

    @classmethod
    def require(cls) -> None:
        """Raise ValueError, with what to install, where an optional package that the method needs is missing."""

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.sparse_ok
        tags.target_tags.required = self.reads.labels != "none"
        return tags

    def _rows(self, X: Any, y: Any, sample_domain: Any, side: Side | None) -> Split:
        check_params(self)
        if y is None and self.reads.labels != "none":
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        rows = split(self, X, y, sample_domain, self.reads, side)
        if self.reads.source and self.card.tasks == ("classification",):
            check_classification_targets(rows.ys)
        return rows

    def _learn(self, rows: Split) -> Array | None:
        """Fit; return the weights of the source rows, or None where all count the same."""
        raise NotImplementedError

    def _see_source(self, X: Array, domains: Array) -> Array:
        """Source rows as the estimator is to see them; ``domains`` (n,) are their source numbers."""
        return X

    def _see_target(self, X: Array) -> Array:
        """Target rows, also ones never seen, as the estimator is to see them."""
        return X


class Adapter(TransformerMixin, _Method):
    """A method that moves features. It writes ``_fit(Xs, ys, Xt)`` and ``_map_source(X)`` and/or ``_map_target(X)``."""

    __metadata_request__transform: ClassVar = {"sample_domain": True}

    def fit(self, X: Any, y: Any = None, *, sample_domain: Any = None, side: Side | None = None) -> Self:
        """Learn the map.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Rows of both domains, in any order.
        y : array-like of shape (n,), default=None
            Labels; those of target rows are never looked at.
        sample_domain : array-like of int of shape (n,), default=None
            ``>= 0`` source, ``< 0`` target; None: every row is both.
        side : Side, default=None
            What is known beside rows and labels, for a method that needs it.

        Returns
        -------
        self
        """
        self._fit_rows(self._rows(X, y, sample_domain, side))
        return self

    def transform(self, X: Any, *, sample_domain: Any = None) -> Array:
        """Map rows; without ``sample_domain`` all of them are taken for target rows.

        Returns
        -------
        ndarray of shape (n, k), in the order of ``X``
        """
        X = known_columns(self, X)
        if sample_domain is None:
            return self._map_target(X)
        return self._map_rows(X, domain_numbers(sample_domain, X.shape[0]))

    def fit_transform(self, X: Any, y: Any = None, *, sample_domain: Any = None, side: Side | None = None) -> Array:
        """``fit``, then ``transform`` of the same rows, each by its own domain's map."""
        return self.fit(X, y, sample_domain=sample_domain, side=side).transform(X, sample_domain=sample_domain)

    def _learn(self, rows: Split) -> None:
        self._fit_rows(rows)

    def _see_source(self, X: Array, domains: Array) -> Array:
        return self._map_rows(X, domains)

    def _see_target(self, X: Array) -> Array:
        return self._map_target(X)

    def _fit_rows(self, rows: Split) -> None:
        self._fit(rows.Xs, rows.ys, rows.Xt)

    def _map_rows(self, X: Array, domains: Array) -> Array:
        s = domains >= 0
        if s.all():
            return self._map_source(X)
        if not s.any():
            return self._map_target(X)
        Zs, Zt = self._map_source(X[s]), self._map_target(X[~s])
        back = np.argsort(np.r_[np.flatnonzero(s), np.flatnonzero(~s)])
        return stacked(Zs, Zt)[back]

    def _fit(self, Xs: Array, ys: Array | None, Xt: Array) -> None:
        raise NotImplementedError

    def _map_source(self, X: Array) -> Array:
        return X

    def _map_target(self, X: Array) -> Array:
        return X


class Weigher(_Method):
    """A method that says what each source row counts: ``weigh(Xs, ys, Xt) -> w``, (n_source,), w >= 0, mean 1.

    ``fit`` keeps the weights in ``weights_``, in the order of the source rows.
    """

    def fit(self, X: Any, y: Any = None, *, sample_domain: Any = None, side: Side | None = None) -> Self:
        """Weigh the source rows.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Rows of both domains, in any order.
        y : array-like of shape (n,), default=None
            Labels; those of target rows are never looked at.
        sample_domain : array-like of int of shape (n,), default=None
            ``>= 0`` source, ``< 0`` target; None: every row is both.
        side : Side, default=None
            What is known beside rows and labels, for a method that needs it.

        Returns
        -------
        self
        """
        rows = self._rows(X, y, sample_domain, side)
        self.weights_ = self.weigh(rows.Xs, rows.ys, rows.Xt)
        return self

    def weigh(self, Xs: Array, ys: Array | None, Xt: Array) -> Array:
        """The weight of each source row, (n_source,), mean 1."""
        raise NotImplementedError

    def _learn(self, rows: Split) -> Array:
        self.weights_ = self.weigh(rows.Xs, rows.ys, rows.Xt)
        return self.weights_


class Learner(_Method):
    """A method that adapts and predicts as one. It writes ``_fit(rows)`` and ``_scores(X)``.

    ``rows`` is a :class:`~transfermap.split.Split`. ``_scores`` gives (n, n_classes), in the order of ``classes_``,
    such that their softmax is the classes' probability as far as the method knows it (logarithms of probabilities will
    do); for numbers it gives the predictions (n,). A learner that trains an estimator of the caller's has a param
    ``estimator``, whose kind is then its own; one without it is a classifier.
    """

    reads: ClassVar[Reads] = Reads("source")

    def __sklearn_tags__(self) -> Tags:
        tags, inner = super().__sklearn_tags__(), get_tags(self._taught())
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags, tags.regressor_tags = inner.classifier_tags, inner.regressor_tags
        tags.input_tags.sparse = self.sparse_ok and inner.input_tags.sparse
        return tags

    def _taught(self) -> Any:
        """What it trains: the caller's estimator, by default logistic regression."""
        own = getattr(self, "estimator", None)
        return LogisticRegression(max_iter=2000) if own is None else own

    def fit(self, X: Any, y: Any, *, sample_domain: Any = None, side: Side | None = None) -> Self:
        """Adapt and train: rows ``X`` (n, d) of both domains, labels ``y`` (n,), and which row is whose.

        ``sample_domain`` is ``>= 0`` for source and ``< 0`` for target rows; None: every row is both. Labels of target
        rows are not looked at, unless the method's card says that it needs some.
        """
        return self._teach(self._rows(X, y, sample_domain, side))

    def _teach(self, rows: Split, estimator: Any = None) -> Self:
        """Fit; ``estimator`` is the caller's, and trained where there is room for one."""
        if estimator is not None and getattr(self, "estimator", self) is None:
            self.estimator = clone(estimator)
        labels = rows.yt if rows.ys is None else rows.ys
        check_estimator_suits(self, self._taught(), labels)
        if is_classifier(self):
            self.classes_ = self._classes(rows, labels)
        self._fit(rows)
        return self

    def _classes(self, rows: Split, labels: Any) -> Array:
        """What can be predicted: the classes of the labels that it reads, the source's before the target's."""
        return np.unique(np.asarray(labels))

    def _fit(self, rows: Split) -> None:
        raise NotImplementedError

    def _scores(self, X: Array) -> Array:
        raise NotImplementedError

    def _seen(self, X: Any) -> Array:
        return self._scores(known_columns(self, X))

    def predict(self, X: Any) -> Array:
        """Predict target rows ``X`` (n, d), also ones never seen in ``fit``."""
        scores = self._seen(X)
        return self.classes_[scores.argmax(axis=1)] if is_classifier(self) else scores

    @available_if(is_classifier)
    def decision_function(self, X: Any) -> Array:
        """A score a class, (n, n_classes); with two classes that of the second less that of the first, (n,)."""
        scores = self._seen(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    @available_if(is_classifier)
    def predict_proba(self, X: Any) -> Array:
        """Class probabilities of target rows, (n, n_classes): the softmax of the scores."""
        P: Array = softmax(self._seen(X), axis=1)
        return P

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy (classifiers) or R2 (regressors) on labelled target rows."""
        return _score(self, X, y, sample_weight)


class Generator(_Method):
    """A method that makes rows: it writes ``_fit(rows)`` and ``_sample(n, seed, domain)``.

    ``fit`` learns what rows of a domain look like; :meth:`sample` draws rows that nobody has measured; ``makes`` says
    of which domains.
    """

    makes: ClassVar[tuple[str, ...]] = ("target",)

    def fit(self, X: Any, y: Any = None, *, sample_domain: Any = None, side: Side | None = None) -> Self:
        """Learn what rows look like.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Rows of both domains, in any order.
        y : array-like of shape (n,), default=None
            Labels; read only by a method that says so.
        sample_domain : array-like of int of shape (n,), default=None
            ``>= 0`` source, ``< 0`` target; None: every row is both.
        side : Side, default=None
            What is known beside rows and labels, for a method that needs it.

        Returns
        -------
        self
        """
        self._fit(self._rows(X, y, sample_domain, side))
        return self

    def sample(self, n: int, seed: int = 0, domain: Literal["target", "source"] = "target") -> Array:
        """``n`` made-up rows, (n, d); the same seed gives the same rows.

        Parameters
        ----------
        n : int
        seed : int
        domain : {"target", "source"}
            Which domain's rows they are to look like. A method that makes both gives, for one seed, rows that
            correspond: row i of either is the same draw.

        Raises
        ------
        ValueError
            If ``n`` is no whole number >= 1, or the method makes no rows of that domain.
        """
        check_is_fitted(self)
        if not isinstance(n, numbers.Integral) or n < 1:
            raise ValueError(f"{type(self).__name__}.sample: n must be a whole number >= 1; got {n!r}")
        if domain not in self.makes:
            raise ValueError(f"{type(self).__name__} makes rows of: {', '.join(self.makes)}; got domain={domain!r}")
        return self._sample(int(n), seed, domain)

    def _fit(self, rows: Split) -> None:
        raise NotImplementedError

    def _sample(self, n: int, seed: int, domain: str) -> Array:
        raise NotImplementedError


def _score(model: Any, X: Any, y: Any, w: Any) -> float:
    metric = accuracy_score if is_classifier(model) else r2_score
    return float(metric(y, model.predict(X), sample_weight=w))


def check_method(adapter: Any) -> None:
    """Refuse what is no method."""
    if not isinstance(adapter, _Method) or isinstance(adapter, Generator):
        raise ValueError(f"adapter must be an Adapter, a Weigher or a Learner, such as CORAL(); got {adapter!r}")


def check_estimator_suits(adapter: Any, estimator: Any, ys: Any) -> None:
    """Refuse an estimator that a method cannot stand in front of, or labels that the estimator cannot learn."""
    name, last = type(adapter).__name__, type(estimator).__name__
    if isinstance(adapter, Weigher) and not has_fit_parameter(estimator, "sample_weight"):
        raise ValueError(f"{name} weighs rows, but {last}.fit takes no sample_weight; choose an estimator that does")
    if not is_classifier(estimator):
        if adapter.card.tasks == ("classification",):
            raise ValueError(f"{name} needs classes; {last} is no classifier")
        return
    if adapter.card.tasks == ("regression",):
        raise ValueError(f"{name} predicts numbers; {last} is a classifier")
    check_classification_targets(ys)
    if len(np.unique(ys)) < 2:
        raise ValueError(f"the source rows hold 1 class ({str(ys[0])!r}); a classifier needs at least two")
