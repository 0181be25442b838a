"""The estimators that the commands offer by name, and what each can be used for."""

from __future__ import annotations

from typing import Any

from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.svm import SVC, SVR

from transfermap.card import TaskKind
from transfermap.messages.choices import choose

DEFAULT: dict[TaskKind, str] = {"classification": "logistic", "regression": "ridge"}
GUESS: dict[TaskKind, str] = {"classification": "majority", "regression": "mean"}


def estimator(name: str | None, kind: TaskKind, seed: int = 0) -> Any:
    """The estimator ``name`` for a kind of task; None: the default of that kind.

    Raises
    ------
    ValueError
        If there is none of that name for that kind; the message lists those that exist.
    """
    offered = _offered(kind, seed)
    return offered[choose("estimator", name or DEFAULT[kind], offered, also=f"for {kind}: {', '.join(offered)}")]


def guess(kind: TaskKind) -> Any:
    """The estimator that looks at no feature: the most frequent class, or the mean."""
    return DummyClassifier() if kind == "classification" else DummyRegressor()


def _offered(kind: TaskKind, seed: int) -> dict[str, Any]:
    if kind == "classification":
        return {
            "logistic": LogisticRegression(max_iter=2000),
            "forest": RandomForestClassifier(min_samples_leaf=2, random_state=seed),
            "boosting": HistGradientBoostingClassifier(random_state=seed),
            "svm": CalibratedClassifierCV(SVC(), ensemble=False),
            "knn": KNeighborsClassifier(algorithm="brute"),
        }
    return {
        "ridge": Ridge(),
        "forest": RandomForestRegressor(min_samples_leaf=2, random_state=seed),
        "boosting": HistGradientBoostingRegressor(random_state=seed),
        "svm": SVR(),
        "knn": KNeighborsRegressor(algorithm="brute"),
    }
