"""From candidates that have been seen to assessments, expectations and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from transfermap.verdict.decide import Assessment, Setting, Verdict, assess, decide, eligible
from transfermap.verdict.encoded import Array, Domains
from transfermap.verdict.evidence import Candidate, interval, paired
from transfermap.verdict.meta_model import Facts, predict_gains, shipped
from transfermap.verdict.record import PredictedGain

# the meta-model rests on how far many methods agree; fewer than on the meta-benchmark say something else
LEAST_METHODS = 6


class Judgement(NamedTuple):
    """How each candidate stands, the predicted gains, whether the label can be learned, and the verdict."""

    assessments: dict[str, Assessment]
    predicted_gains: dict[str, PredictedGain]
    learnable: bool
    verdict: Verdict

    def is_supported(self, key: str) -> bool:
        """Whether the evidence speaks for a candidate."""
        stand, found = self.assessments[key], self.predicted_gains.get(key)
        return (
            stand.supported
            if found is None
            else key in eligible(self.predicted_gains, self.assessments, shipped().least)
        )


def judge(
    candidates: list[Candidate], data: Domains, setting: Setting, predicted: Mapping[str, Array], resamples: int
) -> Judgement:
    """Weigh the evidence.

    Parameters
    ----------
    candidates : list of Candidate
        All of them, guessing and source-only too, with their evidence.
    data : Domains
    setting : Setting
    predicted : mapping of str to array of shape (n_target,)
        Predictions for the target by key.
    resamples : int
        How many there were.

    Raises
    ------
    ValueError
        If not even source-only could be trained.
    """
    base, floor = _base(candidates), next(c for c in candidates if c.guesses)
    rivals = [c for c in candidates if c.status == "ok" and c is not base and not c.guesses]
    assessments = {
        c.key: assess(c, base, setting, list(predicted_shares(predicted[c.key], data).values())) for c in rivals
    }
    learnable = interval(paired(base, floor, "source"))["low"] > 0 or _separates(base, data)
    joined = {c.key: (c, float(np.mean(predicted[c.key] != predicted[base.key]))) for c in rivals if c.is_ensemble}
    predicted_gains = {}
    if data.kind == "classification" and len(rivals) - len(joined) >= LEAST_METHODS:
        predicted_gains = predict_gains(joined, base, Facts(setting.auc, setting.only_shares), len(data.Xt))
    verdict = decide(assessments, setting, learnable, resamples, predicted_gains, shipped().least)
    return Judgement(assessments, predicted_gains, learnable, verdict)


def predicted_shares(predicted: Array, data: Domains) -> dict[str, float]:
    """The share of each class among predictions; empty for numbers."""
    return {str(c): float(np.mean(predicted == c)) for c in data.classes}


def _base(candidates: list[Candidate]) -> Candidate:
    base = next(c for c in candidates if c.key == "sourceonly")
    if base.status != "ok":
        raise ValueError(f"not even source-only could be trained on this data: {base.fault}")
    return base


def _separates(base: Candidate, data: Domains) -> bool:
    """With rare classes a good model may still guess the majority; balanced accuracy shows what it has learned."""
    if data.kind == "regression":
        return False
    gains = []
    for y, guessed in base.held:
        present = np.unique(y)
        gains.append(float(np.mean([np.mean(guessed[y == c] == c) for c in present])) - 1 / len(present))
    return interval(gains)["low"] > 0
