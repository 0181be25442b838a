"""From evidence to a verdict: use a method, stay with source-only, or can't tell. No target label comes near here.

The rule, in words. A validator votes for a method when the method's gain over source-only, paired resample by resample,
is above ``MARGIN`` with its whole 90 % interval above zero; it votes against it when the reverse holds. Importance
weighting abstains where the tables do not overlap; whether the method has brought the two domains closer together
without losing accuracy on the source then stands in for it. A method is *supported* when two vote for it, none votes
against it, and no veto holds. Among supported methods the one with the best mean rank over the validators is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy.stats import rankdata

from transfermap.card import find
from transfermap.measure.validators import collapsed
from transfermap.verdict.evidence import RESAMPLES, VALIDATORS, Candidate, interval, paired, steadiness
from transfermap.verdict.findings import ALIKE
from transfermap.words import Note

MARGIN = 0.01
NEEDED = 2
UNSTEADY = 0.10
APART = 0.98
ENOUGH = 3

Answer = Literal["use", "stay", "unknown"]


class Verdict(NamedTuple):
    """The answer, the method that it speaks of, and why."""

    answer: Answer
    method: str
    reasons: tuple[Note, ...]
    risk: bool


class Standing(NamedTuple):
    """How one candidate stands against source-only.

    ``gains`` and ``votes`` go by validator; ``overlap`` is the gain in overlap of the two domains, ``kept`` whether the
    accuracy on held-out source rows is not worse.
    """

    gains: Mapping[str, dict[str, float]]
    votes: Mapping[str, str]
    vetoes: tuple[Note, ...]
    overlap: Mapping[str, float]
    kept: bool

    @property
    def closer(self) -> bool:
        """The domains have come closer, and the source is still learned: the two terms of the bound that are visible.

        Target error is at most source error plus divergence plus the error of the best joint rule (Ben-David et al.,
        Machine Learning 79, 2010, doi:10.1007/s10994-009-5152-4); the third term cannot be seen without target labels.
        """
        return self.kept and _vote(self.overlap) == "better"

    @property
    def supported(self) -> bool:
        """Enough votes for it, none against it, and no veto; closeness stands in for a validator that abstains."""
        votes = list(self.votes.values())
        enough = votes.count("better") >= (NEEDED - 1 if self.closer and "abstains" in votes else NEEDED)
        return enough and "worse" not in votes and not self.vetoes


class Setting(NamedTuple):
    """What the check found that bears on the verdict.

    ``auc`` is the domain classifier's AUC and ``auc_low`` its lower end, ``only_shares`` whether a change of the class
    shares alone explains the difference, ``shares`` the target's estimated class shares (empty for regression).
    """

    auc: float
    auc_low: float
    only_shares: bool
    shares: Sequence[float]


def standing(candidate: Candidate, base: Candidate, setting: Setting, predicted: Sequence[float]) -> Standing:
    """Votes and vetoes on one candidate; ``predicted`` are the class shares it predicts on the target."""
    gains = {v: interval(paired(candidate, base, v)) for v in VALIDATORS if v in candidate.scores and v in base.scores}
    # without overlap, no weighting of source rows says anything about the target
    votes = {v: "abstains" if v == "importance" and setting.auc >= APART else _vote(g) for v, g in gains.items()}
    kept = _vote(interval(paired(candidate, base, "source"))) != "worse"
    vetoes = tuple(_vetoes(candidate, base, setting, predicted))
    return Standing(gains, votes, vetoes, interval(paired(candidate, base, "ess")), kept)


def _vote(gain: Mapping[str, float]) -> str:
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


def ranking(standings: Mapping[str, Standing]) -> list[str]:
    """Keys by mean rank of their gains over the validators, best first; supported ones come before all others."""
    names = sorted(standings)
    used = [v for v in VALIDATORS if all(standings[k].votes.get(v, "abstains") != "abstains" for k in names)]
    gains = np.array([[standings[k].gains[v]["value"] for v in used] for k in names]).reshape(len(names), len(used))
    ranks = rankdata(-gains, axis=0).mean(axis=1)
    order = sorted(range(len(names)), key=lambda i: (not standings[names[i]].supported, ranks[i], names[i]))
    return [names[i] for i in order]


def decide(standings: Mapping[str, Standing], setting: Setting, learnable: bool, resamples: int = RESAMPLES) -> Verdict:
    """The verdict on the methods whose standings are given.

    ``learnable`` says whether source-only beats guessing on held-out source rows; if not, nothing can be carried over.
    """
    if not learnable:
        return Verdict("unknown", "sourceonly", (Note("verdict.not_learnable", "stop"),), True)
    if setting.auc_low <= ALIKE:
        return Verdict("stay", "sourceonly", (Note("verdict.alike"),), False)
    order = ranking(standings)
    supported = [k for k in order if standings[k].supported]
    if resamples < ENOUGH:
        return Verdict("unknown", "sourceonly", (Note("verdict.few_resamples", "warn", {"needed": ENOUGH}),), True)
    if supported:
        return _use(supported[0], standings[supported[0]])
    if setting.only_shares:
        return Verdict("stay", "sourceonly", (Note("verdict.only_shares", "warn"),), True)
    hopeful = [k for k in order if "better" in standings[k].votes.values()]
    if not hopeful:
        return Verdict("stay", "sourceonly", (Note("verdict.none_better", "warn"),), True)
    return _unknown(hopeful[0], standings[hopeful[0]])


def _use(key: str, found: Standing) -> Verdict:
    voting = [vote for vote in found.votes.values() if vote != "abstains"]
    why = [Note("verdict.supported", "info", {"votes": voting.count("better"), "of": len(voting)})]
    if found.closer:
        why.append(Note("verdict.closer"))
    return Verdict("use", key, tuple(why), False)


def _unknown(key: str, found: Standing) -> Verdict:
    against = "worse" in found.votes.values()
    code = "verdict.contradict" if against else "verdict.vetoed" if found.vetoes else "verdict.too_little"
    return Verdict("unknown", "sourceonly", (Note(code, "warn", {"method": find(key).card.name}), *found.vetoes), True)
