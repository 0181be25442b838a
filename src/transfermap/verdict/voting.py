"""The soft-voting ensemble: the mean of all methods' answers, as one more candidate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from transfermap.card import Card
from transfermap.verdict.encoded import Array, Domains, Encoded, Joined, Part

KEY = "voting"
CARD = Card(
    name="Soft-voting ensemble",
    year=1996,
    setting="transductive",
    transfers="parameters",
    tasks=("classification", "regression"),
    objective="p(c|x) = mean_k p_k(c|x)",
    steps=(
        "Train source-only and every candidate by itself.",
        "Average their class probabilities, or their numbers.",
    ),
    solver="no training of its own",
    cost="nothing beside the candidates' own",
    assumes=("the methods' mistakes are not all the same",),
    fails_when=("most methods make the same mistake: their mean makes it too",),
    reference="Breiman, Bagging predictors, Machine Learning 24, 1996",
    doi="10.1007/BF00058655",
)


class SoftVoting(Joined, BaseEstimator):
    """The mean of fitted models' class probabilities, or of their predicted numbers.

    Parameters
    ----------
    models : mapping of str to fitted model, default=None
        By method; all have the same classes, or all predict numbers. None: not fitted yet.
    """

    card = CARD

    def __init__(self, models: Mapping[str, Any] | None = None) -> None:
        self.models = models

    @property
    def classes_(self) -> Array:
        """The classes, in the order of :meth:`predict_proba`'s columns."""
        return np.unique(np.concatenate([model.classes_ for model in self._members()]))

    def on_resample(self, predicted: Mapping[str, Any], estimator: Any, data: Domains, part: Part, shown: Array) -> Any:
        """The mean of what the methods say of held-out source rows and of the shown target rows."""
        return joint([seen.held for seen in predicted.values()]), joint([seen.shown for seen in predicted.values()])

    def model(self, models: Mapping[str, Any], estimator: Any, data: Domains) -> Any:
        """The mean of fitted models."""
        return SoftVoting(models)

    def predict_proba(self, X: Any) -> Array:
        """Mean class probabilities, (n, n_classes)."""
        return joint([outputs(model, X, self.classes_) for model in self._members()])

    def predict(self, X: Any) -> Array:
        """The class of the greatest mean probability, or the mean number, (n,)."""
        if not all(hasattr(model, "classes_") for model in self._members()):
            return joint([outputs(model, X, None) for model in self._members()])
        predicted: Array = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return predicted

    def _members(self) -> list[Any]:
        if not self.models:
            raise ValueError("Together has no models: expected fitted ones, by method")
        return list(self.models.values())


def outputs(model: Any, X: Any, classes: Array | None) -> Array:
    """Class probabilities (n, C) in the order of ``classes``, or, where that is None, predicted numbers (n,).

    ``X`` is what the model reads, or :class:`Encoded` rows. A model without probabilities is sure of what it predicts.
    """
    X = X.read_by(model) if isinstance(X, Encoded) else X
    if classes is None:
        return np.asarray(model.predict(X), dtype=float)
    if not hasattr(model, "predict_proba"):
        return (model.predict(X)[:, None] == classes).astype(float)
    P = np.zeros((len(X), len(classes)))
    P[:, np.searchsorted(classes, model.classes_)] = model.predict_proba(X)
    return P


def joint(predicted: list[Array]) -> Array:
    """The mean of several models' outputs."""
    mean: Array = np.mean(predicted, axis=0)
    return mean
