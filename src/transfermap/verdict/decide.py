"""From evidence to a verdict: use a method, stay with source-only, or can't tell. No target label comes near here.

The rule, in words. A validator votes for a method when the method's gain over source-only, paired resample by resample,
is above ``MARGIN`` with its whole 90 % interval above zero; it votes against it when the reverse holds. A method is
*supported* when at least two validators vote for it, none votes against it, and none of the vetoes holds. Among
supported methods the one with the best mean rank over the validators is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from transfermap.card import find
from transfermap.measure.validators import collapsed
from transfermap.verdict.check import ALIKE
from transfermap.verdict.evidence import VALIDATORS, Candidate, interval, paired, steadiness
from transfermap.words import Note

MARGIN = 0.01
NEEDED = 2
UNSTEADY = 0.10

Answer = Literal["use", "stay", "unknown"]


class Verdict(NamedTuple):
    """The answer, the method that it speaks of, and why."""

    answer: Answer
    method: str
    reasons: tuple[Note, ...]
    risk: bool


class Standing(NamedTuple):
    """How one candidate stands against source-only."""

    gains: Mapping[str, dict[str, float]]
    votes: Mapping[str, str]
    vetoes: tuple[Note, ...]

    @property
    def supported(self) -> bool:
        """Enough votes for it, none against it, and no veto."""
        votes = list(self.votes.values())
        return votes.count("better") >= NEEDED and "worse" not in votes and not self.vetoes


class Setting(NamedTuple):
    """What the check found that bears on the verdict.

    ``auc_low`` is the lower end of the domain classifier's AUC, ``only_shares`` whether a change of the class shares
    alone explains the difference, ``shares`` the estimated class shares of the target (empty for regression).
    """

    auc_low: float
    only_shares: bool
    shares: Sequence[float]


def standing(candidate: Candidate, base: Candidate, setting: Setting, predicted: Sequence[float]) -> Standing:
    """Votes and vetoes on one candidate; ``predicted`` are the class shares it predicts on the target."""
    gains = {v: interval(paired(candidate, base, v)) for v in VALIDATORS if v in candidate.scores and v in base.scores}
    votes = {v: _vote(g) for v, g in gains.items()}
    return Standing(gains, votes, tuple(_vetoes(candidate, base, setting, predicted)))


def _vote(gain: dict[str, float]) -> str:
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
    used = [v for v in VALIDATORS if all(v in standings[k].gains for k in names)]
    gains = np.array([[standings[k].gains[v]["value"] for v in used] for k in names]).reshape(len(names), len(used))
    ranks = (-gains).argsort(axis=0, kind="stable").argsort(axis=0, kind="stable").mean(axis=1)
    order = sorted(range(len(names)), key=lambda i: (not standings[names[i]].supported, ranks[i], names[i]))
    return [names[i] for i in order]


def decide(standings: Mapping[str, Standing], setting: Setting, learnable: bool) -> Verdict:
    """The verdict on the methods whose standings are given.

    ``learnable`` says whether source-only beats guessing on held-out source rows; if not, nothing can be carried over.
    """
    if not learnable:
        return Verdict("unknown", "sourceonly", (Note("verdict.not_learnable", "stop"),), True)
    if setting.auc_low <= ALIKE:
        return Verdict("stay", "sourceonly", (Note("verdict.alike"),), False)
    order = ranking(standings)
    supported = [k for k in order if standings[k].supported]
    if supported:
        return _use(supported[0], standings[supported[0]])
    if setting.only_shares:
        return Verdict("stay", "sourceonly", (Note("verdict.only_shares", "warn"),), True)
    hopeful = [k for k in order if "better" in standings[k].votes.values()]
    if not hopeful:
        return Verdict("stay", "sourceonly", (Note("verdict.none_better", "warn"),), True)
    return _unknown(hopeful[0], standings[hopeful[0]])


def _use(key: str, found: Standing) -> Verdict:
    votes_for = [v for v, vote in found.votes.items() if vote == "better"]
    return Verdict(
        "use", key, (Note("verdict.supported", "info", {"votes": len(votes_for), "of": len(found.votes)}),), False
    )


def _unknown(key: str, found: Standing) -> Verdict:
    against = "worse" in found.votes.values()
    code = "verdict.contradict" if against else "verdict.vetoed" if found.vetoes else "verdict.too_little"
    return Verdict("unknown", "sourceonly", (Note(code, "warn", {"method": find(key).card.name}), *found.vetoes), True)
