"""The shapes a classical method can have, and the one bridge between scikit-learn's view of the data and ours.

Mathematics takes ``(Xs, ys, Xt)``; users and scikit-learn see ``(X, y, *, sample_domain)``. :func:`split` is the only
place that knows both. A method says only what is its own: an :class:`Adapter` how features move, a :class:`Weigher`
what each source row counts. :class:`Adapted` puts either in front of any scikit-learn estimator.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, MetaEstimatorMixin, TransformerMixin, clone, is_classifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import Tags, assert_all_finite, check_consistent_length, column_or_1d, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, has_fit_parameter, validate_data

from transfermap.card import Card, check_knobs

Array = np.ndarray[Any, np.dtype[Any]]
FLOATS = (np.float64, np.float32)


class Split(NamedTuple):
    """Source ``Xs`` (n_source, d), its ``ys`` (n_source,) or None and ``domains``; target ``Xt`` (n_target, d)."""

    Xs: Array
    ys: Array | None
    Xt: Array
    domains: Array


def split(est: Any, X: Any, y: Any, sample_domain: Any) -> Split:
    """Check the input and part it into source and target.

    Parameters
    ----------
    est : estimator
        Whose input this is; learns ``n_features_in_`` and the column names.
    X : array-like or sparse matrix of shape (n, d)
        Rows of both domains, in any order.
    y : array-like of shape (n,), or None
        Labels. Those of target rows are never looked at: -1, NaN, None or the truth, it makes no difference.
    sample_domain : array-like of int of shape (n,), or None
        ``>= 0`` a source (several sources: several numbers), ``< 0`` the target. None: every row is both.

    Raises
    ------
    ValueError
        If a shape is off, values are missing or infinite, or a domain has fewer than two rows.
    """
    checks = {"dtype": FLOATS, "accept_sparse": "csr" if get_tags(est).input_tags.sparse else False}
    if sample_domain is None:
        if y is None:
            X = validate_data(est, X, ensure_min_samples=2, **checks)
        else:
            X, y = validate_data(est, X, y, ensure_min_samples=2, **checks)
        return Split(X, y, X, np.zeros(X.shape[0], dtype=int))
    X = validate_data(est, X, ensure_min_samples=2, **checks)
    d = _domains(sample_domain, X.shape[0])
    s = d >= 0
    if s.sum() < 2 or (~s).sum() < 2:
        raise ValueError(
            f"sample_domain marks {s.sum()} source rows (>= 0) and {(~s).sum()} target rows (< 0); "
            "at least 2 sample(s) of each are needed"
        )
    return Split(X[s], None if y is None else _source_labels(y, s), X[~s], d[s])


def _domains(sample_domain: Any, n: int) -> Array:
    d = np.asarray(sample_domain)
    if d.shape != (n,):
        raise ValueError(f"sample_domain has shape {d.shape}, expected ({n},): one number a row of X")
    if d.dtype.kind == "b":
        raise ValueError("sample_domain holds booleans; expected integers, >= 0 for source and < 0 for target rows")
    if d.dtype.kind not in "iu" and not (d.dtype.kind == "f" and np.isfinite(d).all()):
        raise ValueError(f"sample_domain has dtype {d.dtype}; expected integers, >= 0 source and < 0 target")
    return d.astype(int)


def _source_labels(y: Any, s: Array) -> Array:
    y = column_or_1d(np.asarray(y), warn=True)
    check_consistent_length(s, y)
    ys = y[s]
    if ys.dtype.kind == "O" and any(v is None or v != v for v in ys):
        raise ValueError("y has missing labels in source rows; expected a label for every row with sample_domain >= 0")
    if ys.dtype.kind == "f":
        assert_all_finite(ys, input_name="y (source rows)")
    # None among the target's labels makes the whole array one of objects; the source's own type is what counts
    return np.asarray(ys.tolist()) if ys.dtype.kind == "O" else ys


class _Method(BaseEstimator):
    """What every classical method has: a card, knobs that are checked, and tags."""

    card: ClassVar[Card]
    sparse_ok: ClassVar[bool] = False
    labels_needed: ClassVar[bool] = False
    __metadata_request__fit: ClassVar = {"sample_domain": True}

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.sparse_ok
        tags.target_tags.required = self.labels_needed
        return tags

    def _rows(self, X: Any, y: Any, sample_domain: Any) -> Split:
        check_knobs(self)
        if y is None and self.labels_needed:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        rows = split(self, X, y if self.labels_needed else None, sample_domain)
        if self.labels_needed and self.card.tasks == ("classification",):
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

    def fit(self, X: Any, y: Any = None, *, sample_domain: Any = None) -> Self:
        """Learn the map.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Rows of both domains, in any order.
        y : array-like of shape (n,), default=None
            Labels; those of target rows are never looked at.
        sample_domain : array-like of int of shape (n,), default=None
            ``>= 0`` source, ``< 0`` target; None: every row is both.

        Returns
        -------
        self
        """
        self._fit_rows(self._rows(X, y, sample_domain))
        return self

    def transform(self, X: Any, *, sample_domain: Any = None) -> Array:
        """Map rows; without ``sample_domain`` all of them are taken for target rows.

        Returns
        -------
        ndarray of shape (n, k), in the order of ``X``
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=FLOATS, accept_sparse="csr" if self.sparse_ok else False)
        if sample_domain is None:
            return self._map_target(X)
        return self._map_rows(X, _domains(sample_domain, X.shape[0]))

    def fit_transform(self, X: Any, y: Any = None, *, sample_domain: Any = None) -> Array:
        """``fit``, then ``transform`` of the same rows, each by its own domain's map."""
        return self.fit(X, y, sample_domain=sample_domain).transform(X, sample_domain=sample_domain)

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
        Z = sparse.vstack([Zs, Zt], format="csr") if sparse.issparse(Zs) else np.concatenate([Zs, Zt])
        return Z[back]

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

    def fit(self, X: Any, y: Any = None, *, sample_domain: Any = None) -> Self:
        """Weigh the source rows.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Rows of both domains, in any order.
        y : array-like of shape (n,), default=None
            Labels; those of target rows are never looked at.
        sample_domain : array-like of int of shape (n,), default=None
            ``>= 0`` source, ``< 0`` target; None: every row is both.

        Returns
        -------
        self
        """
        rows = self._rows(X, y, sample_domain)
        self.weights_ = self.weigh(rows.Xs, rows.ys, rows.Xt)
        return self

    def weigh(self, Xs: Array, ys: Array | None, Xt: Array) -> Array:
        """The weight of each source row, (n_source,), mean 1."""
        raise NotImplementedError

    def _learn(self, rows: Split) -> Array:
        self.weights_ = self.weigh(rows.Xs, rows.ys, rows.Xt)
        return self.weights_


def _inner_has(name: str) -> Any:
    def check(self: Adapted) -> bool:
        getattr(getattr(self, "estimator_", self.estimator), name)
        return True

    return check


class Adapted(MetaEstimatorMixin, BaseEstimator):
    """Any scikit-learn estimator, trained on source rows that a method has moved or weighed for the target.

    Parameters
    ----------
    adapter : Adapter or Weigher
        The method, such as ``CORAL()``.
    estimator : classifier or regressor
        What is trained after it. A :class:`Weigher` needs one whose ``fit`` takes ``sample_weight``.

    Attributes
    ----------
    adapter_, estimator_ : the fitted parts
    classes_ : ndarray of shape (n_classes,), for classifiers

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from transfermap.card import find
    >>> from transfermap.roles import Adapted
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, 200)
    >>> X = rng.normal(size=(200, 2)) + 3 * np.c_[y, y]
    >>> domain = np.r_[np.zeros(100, int), -np.ones(100, int)]
    >>> X[domain < 0] = 5 * X[domain < 0] + 40
    >>> model = Adapted(find("coral")(), LogisticRegression()).fit(X, y, sample_domain=domain)
    >>> bool(model.score(X[domain < 0], y[domain < 0]) > 0.9)
    True
    """

    __metadata_request__fit: ClassVar = {"sample_domain": True}

    def __init__(self, adapter: Any, estimator: Any) -> None:
        self.adapter = adapter
        self.estimator = estimator

    def __sklearn_tags__(self) -> Tags:
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags, tags.regressor_tags = inner.classifier_tags, inner.regressor_tags
        tags.target_tags.required = True
        tags.input_tags.sparse = inner.input_tags.sparse and get_tags(self.adapter).input_tags.sparse
        return tags

    def fit(self, X: Any, y: Any, *, sample_domain: Any = None) -> Self:
        """Adapt the source to the target, then train on it.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Rows of both domains, in any order.
        y : array-like of shape (n,)
            Labels; those of target rows are never looked at.
        sample_domain : array-like of int of shape (n,), default=None
            ``>= 0`` source, ``< 0`` target; None: every row is both.

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
        rows = split(self, X, y, sample_domain)
        self._check(rows.ys)
        self.adapter_ = clone(self.adapter)
        check_knobs(self.adapter_)
        w = self.adapter_._learn(rows)
        Zs = self.adapter_._see_source(rows.Xs, rows.domains)
        self.adapter_.n_features_in_ = rows.Xs.shape[1]
        self.estimator_ = clone(self.estimator).fit(Zs, rows.ys, **({} if w is None else {"sample_weight": w}))
        return self

    def _check(self, ys: Any) -> None:
        if not isinstance(self.adapter, _Method):
            raise ValueError(f"adapter must be an Adapter or a Weigher, such as CORAL(); got {self.adapter!r}")
        if isinstance(self.adapter, Weigher) and not has_fit_parameter(self.estimator, "sample_weight"):
            raise ValueError(
                f"{type(self.adapter).__name__} weighs rows, but {type(self.estimator).__name__}.fit takes no "
                "sample_weight; choose an estimator that does"
            )
        if not is_classifier(self.estimator):
            if self.adapter.card.tasks == ("classification",):
                raise ValueError(
                    f"{type(self.adapter).__name__} needs classes; {type(self.estimator).__name__} is no classifier"
                )
            return
        check_classification_targets(ys)
        if len(np.unique(ys)) < 2:
            raise ValueError(f"the source rows hold 1 class ({str(ys[0])!r}); a classifier needs at least two")

    def _target(self, X: Any) -> Array:
        check_is_fitted(self)
        sparse_ok = "csr" if get_tags(self).input_tags.sparse else False
        return self.adapter_._see_target(validate_data(self, X, reset=False, dtype=FLOATS, accept_sparse=sparse_ok))

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
        metric = accuracy_score if is_classifier(self.estimator) else r2_score
        return float(metric(y, self.predict(X), sample_weight=sample_weight))
