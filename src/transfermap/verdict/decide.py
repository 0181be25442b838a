"""From evidence to a verdict: use a method, stay with source-only, or can't tell. No target label comes near here.

For classes, what evidence like this was worth on many tasks (:mod:`transfermap.verdict.meta_model`) decides: what is
made of all methods is used, if that is a gain with enough probability and no veto holds. For numbers, for few methods,
and for data unlike all that is known, votes decide. A validator votes for a method when the method's gain over
source-only, paired resample by resample, is above ``MARGIN`` with its whole 90 % interval above zero; it votes against
it when the reverse holds. Importance weighting abstains where the tables do not overlap. A method is *supported* when
two vote for it, none votes against it, and no veto holds. Among supported methods the one with the best mean rank over
the validators is used. Where no validator sees any method ahead, to stay is advised if the tables are much alike;
where they lie apart nobody can tell what is missed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from transfermap.measure.validators.label_free import collapsed
from transfermap.messages import Note
from transfermap.verdict.check.findings import ALIKE, CLEAR
from transfermap.verdict.ensembles import card_of
from transfermap.verdict.evidence import RESAMPLES, VALIDATORS, Candidate, interval, paired, steadiness
from transfermap.verdict.record import Answer, PredictedGain, Vote

MARGIN = 0.01
NEEDED = 2
UNSTEADY = 0.10
APART = 0.98
ENOUGH = 3
# a gain that nobody misses
LITTLE = 0.02
# what undoes other instruments and units
SCALED = "domainscaler"


class Verdict(NamedTuple):
    """The answer, the method that it speaks of, and why."""

    answer: Answer
    method: str
    reasons: tuple[Note, ...]
    risk: bool


class Assessment(NamedTuple):
    """How one candidate stands against source-only: ``gains`` and ``votes`` by validator, and what forbids it."""

    gains: Mapping[str, dict[str, float]]
    votes: Mapping[str, Vote]
    vetoes: tuple[Note, ...]

    @property
    def supported(self) -> bool:
        """Enough votes for it, none against it, and no veto."""
        votes = list(self.votes.values())
        return votes.count("better") >= NEEDED and "worse" not in votes and not self.vetoes


class Setting(NamedTuple):
    """What the check found that bears on the verdict.

    ``auc`` is the domain classifier's AUC and ``auc_low`` its lower end, ``only_shares`` whether a change of the class
    shares alone explains the difference, ``shares`` the target's estimated class shares (empty for regression),
    ``rescaled`` the columns that look as if other instruments or units had measured them.
    """

    auc: float
    auc_low: float
    only_shares: bool
    shares: Sequence[float]
    rescaled: Sequence[str] = ()


def assess(candidate: Candidate, base: Candidate, setting: Setting, predicted: Sequence[float]) -> Assessment:
    """Votes and vetoes on one candidate; ``predicted`` are the class shares it predicts on the target."""
    gains = {v: interval(paired(candidate, base, v)) for v in VALIDATORS if v in candidate.scores and v in base.scores}
    # without overlap, no weighting of source rows says anything about the target
    votes: dict[str, Vote] = {
        v: "abstains" if v == "importance" and setting.auc >= APART else _vote(g) for v, g in gains.items()
    }
    vetoes = tuple(_vetoes(candidate, base, setting, predicted))
    return Assessment(gains, votes, vetoes)


def _vote(gain: Mapping[str, float]) -> Vote:
    if gain["low"] > 0 and gain["value"] > MARGIN:
        return "better"
    if gain["high"] < 0 and gain["value"] < -MARGIN:
        return "worse"
    return "even"


def _vetoes(candidate: Candidate, base: Candidate, setting: Setting, predicted: Sequence[float]) -> list[Note]:
    found = []
    if len(predicted) and collapsed(np.atleast_2d(predicted), np.asarray(setting.shares)):
        found.append(Note("verdict.collapsed", "warn", {"method": candidate.name}))
    calm, here = steadiness(base), steadiness(candidate)
    if here < calm - UNSTEADY:
        found.append(Note("verdict.unsteady", "warn", {"method": candidate.name, "here": here, "base": calm}))
    if setting.only_shares and candidate.method.card.transfers == "features" and candidate is not base:
        found.append(Note("verdict.shares_veto", "warn", {"method": candidate.name}))
    return found


def ranking(assessments: Mapping[str, Assessment]) -> list[str]:
    """Keys by mean rank of their gains over the validators, best first; supported ones come before all others."""
    names = sorted(assessments)
    used = [v for v in VALIDATORS if all(assessments[k].votes.get(v, "abstains") != "abstains" for k in names)]
    gains = np.array([[assessments[k].gains[v]["value"] for v in used] for k in names]).reshape(len(names), len(used))
    ranks = rankdata(-gains, axis=0).mean(axis=1)
    order = sorted(range(len(names)), key=lambda i: (not assessments[names[i]].supported, ranks[i], names[i]))
    return [names[i] for i in order]


def decide(
    assessments: Mapping[str, Assessment],
    setting: Setting,
    learnable: bool,
    resamples: int = RESAMPLES,
    predicted_gains: Mapping[str, PredictedGain] | None = None,
    least: float = 0.0,
) -> Verdict:
    """The verdict on the methods whose assessments are given.

    Parameters
    ----------
    assessments : mapping of str to Assessment
    setting : Setting
    learnable : bool
        Whether source-only beats guessing on held-out source rows; if not, nothing can be carried over.
    resamples : int
        How many there were; the votes need three.
    predicted_gains : mapping of str to PredictedGain, default=None
        What the meta-benchmark lets expect; a method that it speaks of is judged by that, and where it speaks of none,
        the votes decide.
    least : float
        The least net share of changed predictions that must be expected to come right for a method to be used.
    """
    if not learnable:
        return Verdict("unknown", "sourceonly", (Note("verdict.not_learnable", "stop"),), True)
    if setting.auc_low <= ALIKE:
        return Verdict("stay", "sourceonly", (Note("verdict.alike"),), False)
    predicted = {key: found for key, found in (predicted_gains or {}).items() if key in assessments}
    found = _expected(predicted, assessments, least) if predicted else _voted(assessments, setting, resamples)
    if found.answer == "unknown" and setting.rescaled:
        # the one question whose answer needs no labels
        asked = Note("verdict.rescaled", "warn", {"count": len(setting.rescaled), "method": card_of(SCALED).name})
        return found._replace(reasons=(asked, *found.reasons))
    return found


def eligible(predicted: Mapping[str, PredictedGain], assessments: Mapping[str, Assessment], least: float) -> list[str]:
    """Which may be used: those that should gain and that nothing forbids, where that is sure enough for one of them."""
    found = [k for k, x in predicted.items() if x.gain > 0 and k in assessments and not assessments[k].vetoes]
    return found if any(predicted[k].net >= least for k in found) else []


def _expected(predicted: Mapping[str, PredictedGain], assessments: Mapping[str, Assessment], least: float) -> Verdict:
    """By the predicted gains, where a gain is sure enough for one at least and nothing forbids it.

    Then the one is used that may gain most: whether adapting helps can be foretold, how much far less. To stay is to
    know that little is missed: where the intervals reach further, nobody can tell.
    """
    if usable := eligible(predicted, assessments, least):
        best = max(usable, key=lambda k: (predicted[k].gain_high, k))
        surest = max(usable, key=lambda k: predicted[k].net)
        why = tuple(Note("verdict.foreseen", "info", _told(k, predicted)) for k in dict.fromkeys((best, surest)))
        return Verdict("use", best, why, False)
    best = max(predicted, key=lambda k: (predicted[k].gain, k))
    if max(predicted[key].gain_high for key in predicted) <= LITTLE:
        return Verdict("stay", "sourceonly", (Note("verdict.foreseen_none", "info", _told(best, predicted)),), True)
    code = "verdict.foreseen_unsure" if predicted[best].gain > 0 else "verdict.foreseen_worse"
    return Verdict(
        "unknown", "sourceonly", (Note(code, "warn", _told(best, predicted)), *assessments[best].vetoes), True
    )


def _told(key: str, predicted: Mapping[str, PredictedGain]) -> dict[str, object]:
    found = predicted[key]
    ends = {"low": found.gain_low, "high": found.gain_high}
    return {"method": card_of(key).name, "gain": found.gain, **ends, "better": found.better}


def _voted(assessments: Mapping[str, Assessment], setting: Setting, resamples: int) -> Verdict:
    """By the validators' votes."""
    order = ranking(assessments)
    supported = [k for k in order if assessments[k].supported]
    if resamples < ENOUGH:
        return Verdict("unknown", "sourceonly", (Note("verdict.few_resamples", "warn", {"needed": ENOUGH}),), True)
    if supported:
        return _use(supported[0], assessments[supported[0]])
    if setting.only_shares:
        return Verdict("stay", "sourceonly", (Note("verdict.only_shares", "warn"),), True)
    ahead = [k for k in order if "better" in assessments[k].votes.values()]
    if not ahead and setting.auc < CLEAR:
        return Verdict("stay", "sourceonly", (Note("verdict.none_better", "warn"),), True)
    if not ahead:
        return Verdict("unknown", "sourceonly", (Note("verdict.none_better_apart", "warn"),), True)
    return _unknown(ahead[0], assessments[ahead[0]])


def _use(key: str, found: Assessment) -> Verdict:
    voting = [vote for vote in found.votes.values() if vote != "abstains"]
    why = Note("verdict.supported", "info", {"votes": voting.count("better"), "of": len(voting)})
    return Verdict("use", key, (why,), False)


def _unknown(key: str, found: Assessment) -> Verdict:
    against = "worse" in found.votes.values()
    code = "verdict.contradict" if against else "verdict.vetoed" if found.vetoes else "verdict.too_little"
    return Verdict("unknown", "sourceonly", (Note(code, "warn", {"method": card_of(key).name}), *found.vetoes), True)
