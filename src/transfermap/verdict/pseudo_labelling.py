"""Pseudo-labelling by the ensemble of the methods that move features: one more candidate, for classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone

from transfermap.card import Card, find
from transfermap.verdict.encoded import Array, Domains, Part
from transfermap.verdict.voting import joint, outputs

KEY = "pseudolabelling"
SURE = 0.5
CARD = Card(
    name="Pseudo-labelling by the ensemble",
    year=2005,
    setting="transductive",
    transfers="parameters",
    tasks=("classification",),
    objective="min_h sum_i loss(h(x_s,i), y_s,i) + sum_(j sure) loss(h(x_t,j), argmax_c mean_k p_k(c|x_t,j))",
    steps=(
        "Train every method that moves features by itself, and average their class probabilities on the target.",
        "Of each class, let the surer half of the target rows that get it keep it as their label.",
        "Train the usual estimator on the source's rows and on these.",
    ),
    solver="the estimator's own",
    cost="one more fit, on the rows of both tables",
    assumes=(
        "where the methods are surest together they are mostly right",
        "one model can fit both tables, each in its own columns",
    ),
    fails_when=("most methods make the same mistake and are sure of it", "a class means something else in the target"),
    reference="Zhou & Li, Tri-training: exploiting unlabeled data using three classifiers, IEEE TKDE 17(11), 2005",
    doi="10.1109/TKDE.2005.186",
)


class PseudoLabelling(BaseEstimator):
    """How the candidate is made; the model itself is the estimator that was taught.

    It asks only what a target row is most surely taken for, so its own mistakes are not those of any single method; and
    it keeps the source's labels, so that few or strange target rows move it little.
    """

    card = CARD

    def voters(self, keys: Iterable[str]) -> list[str]:
        """Which of some methods teach: those that move features; all where there are none."""
        keys = list(keys)
        return [key for key in keys if find(key).card.transfers == "features"] or keys

    def on_resample(self, predicted: Mapping[str, Any], estimator: Any, data: Domains, part: Part, shown: Array) -> Any:
        """Class probabilities of held-out source rows and of the shown target rows; ``told`` are the methods' own."""
        rows = (data.Xs[part.train], data.ys[part.train])
        model = self._learned(
            estimator, joint([predicted[k].shown for k in self.voters(predicted)]), data, rows, data.Xt[shown]
        )
        return tuple(outputs(model, X, data.classes) for X in (data.Xs[part.held], data.Xt[shown]))

    def model(self, models: Mapping[str, Any], estimator: Any, data: Domains) -> Any:
        """The estimator, trained on all rows."""
        predicted = joint([outputs(models[k], data.target, data.classes) for k in self.voters(models)])
        return self._learned(estimator, predicted, data, (data.Xs, data.ys), data.Xt)

    def _learned(self, estimator: Any, P: Array, data: Domains, source: tuple[Array, Array], Xt: Array) -> Any:
        keep = surest(P)
        y = np.concatenate([source[1], data.classes[P.argmax(axis=1)][keep]])
        return clone(estimator).fit(np.concatenate([source[0], Xt[keep]]), y)


def surest(P: Array, share: float = SURE) -> Array:
    """Numbers of rows of class probabilities (n, C): of each predicted class the surer ``share``, one at least.

    Examples
    --------
    >>> surest(np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])).tolist()
    [0, 2]
    """
    predicted, sure = P.argmax(axis=1), P.max(axis=1)
    kept = []
    for c in np.unique(predicted):
        rows = np.flatnonzero(predicted == c)
        kept.append(rows[np.argsort(-sure[rows], kind="stable")[: int(np.ceil(share * len(rows)))]])
    return np.sort(np.concatenate(kept))
