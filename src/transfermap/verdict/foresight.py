"""What all methods together should gain, by what evidence like this was worth on many tasks whose answer is known.

A line through the meta-benchmark (``benchmarks/verdict.py``), kept in ``foresight.toml``. Among the rows whose
prediction changes, the share that becomes right less the share that becomes wrong lies between -1 and 1 whatever the
task; the line foretells that share q, and ``gain = changed * q``. Its spread was measured on data sets that the line
had not seen. No target label is read here.

It speaks of the mean of all methods (:mod:`transfermap.verdict.together`) alone: of single ones the evidence was not
worth enough to tell the good from the harmful on data sets of another kind.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple, Self

import numpy as np
from scipy.stats import norm

from transfermap.verdict.evidence import Candidate, steadiness

# scores whose gain over source-only counts, and those of source-only that tell how well it does
GAINS = (
    "source",
    "importance",
    "infomax",
    "entropy",
    "corr_c",
    "thresholded",
    "confidences",
    "reverse",
    "clusters",
    "shares",
    "consensus",
)
LEVELS = ("source", "importance", "thresholded", "confidences", "consensus")
BEYOND = 2
REACH = float(norm.ppf(0.95))


class Facts(NamedTuple):
    """What does not depend on the candidate: how well the tables can be told apart, and whether a change of the class
    shares alone explains the difference."""

    auc: float
    only_shares: bool


class Foreseen(NamedTuple):
    """The gain over source-only and the score on the target with 90 % intervals, how likely the gain is one, and the
    net share of changed predictions that come right."""

    gain: float
    gain_low: float
    gain_high: float
    score: float
    score_low: float
    score_high: float
    better: float
    net: float


@dataclass(frozen=True)
class Line:
    """``start + sum_k weight_k (x_k - mean_k) / scale_k``, and how far the truth lies around it on unseen data sets."""

    start: float
    spread: float
    terms: Mapping[str, Mapping[str, float]]

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Self:
        """From its part of the file."""
        return cls(table["start"], table["spread"], table["terms"])

    def at(self, traits: Mapping[str, float]) -> float:
        """The line's value; a trait that is wanting counts as an average one."""
        steps = (
            term["weight"] * (traits[name] - term["mean"]) / term["scale"]
            for name, term in self.terms.items()
            if name in traits
        )
        return self.start + sum(steps)

    def knows(self, traits: Mapping[str, float]) -> bool:
        """Whether the traits lie where the meta-benchmark has tasks, or at most twice that range beyond.

        So far, because its tasks are few: of a data set left out, some lie outside the others' range.
        """
        for name, term in self.terms.items():
            slack = BEYOND * (term["high"] - term["low"])
            if not term["low"] - slack <= traits.get(name, term["mean"]) <= term["high"] + slack:
                return False
        return True


@dataclass(frozen=True)
class Foresight:
    """The two lines: of the net share of changed predictions that come right, and of source-only's score.

    The chance of a gain is ``Phi(sharpness * gain / error)``, fitted to how often there was one. Adapting is
    recommended where at least ``least`` of the changed predictions should come right, net. ``tasks`` and ``sets`` say
    on how many tasks of how many data sets all of it rests.
    """

    gain: Line
    level: Line
    sharpness: float
    least: float
    tasks: int
    sets: int

    def of(self, traits: Mapping[str, float], level: Mapping[str, float], n: int) -> Foreseen:
        """What to expect of a candidate with these traits; ``n`` target rows."""
        changed = traits["changed"]
        net, error = self.gain.at(traits), self.error(changed, n)
        gain = changed * net
        base = self.level.at(level)
        reach, whole = REACH * error, REACH * float(np.hypot(error, self.level.spread))
        low, high = np.clip([gain - reach, gain + reach], -changed, changed)
        score, least, most = np.clip([base + gain, base + gain - whole, base + gain + whole], 0, 1)
        better = float(norm.cdf(self.sharpness * gain / error)) if error else 0.0
        return Foreseen(gain, float(low), float(high), float(score), float(least), float(most), better, net)

    def both(self, traits: Mapping[str, float], level: Mapping[str, float], n: int) -> tuple[Foreseen, Foreseen] | None:
        """What to expect of source-only, and of a candidate; None where the traits look like nothing known."""
        if not (self.level.knows(level) and self.gain.knows(traits)):
            return None
        return self.of({**traits, "changed": 0.0}, level, n), self.of(traits, level, n)

    def error(self, changed: float, n: int) -> float:
        """How far the line errs, and the chance that lies in the changed rows themselves, as a standard deviation."""
        return float(np.sqrt((changed * self.gain.spread) ** 2 + changed / max(n, 1)))


@cache
def shipped() -> Foresight:
    """The lines that come with the package."""
    table = tomllib.loads((files("transfermap.verdict") / "foresight.toml").read_text("utf8"))
    rest = {name: table[name] for name in ("sharpness", "least", "tasks", "sets")}
    return Foresight(Line.of(table["gain"]), Line.of(table["level"]), **rest)


def traits(candidate: Candidate, base: Candidate, facts: Facts, changed: float) -> dict[str, float]:
    """What the line is drawn on: gains of the candidate over source-only by each validator, and what sets the scene.

    ``changed`` is the share of target rows for which the two predict different classes.
    """
    both = [name for name in GAINS if name in candidate.scores and name in base.scores]
    gains = {name: float(np.mean(candidate.scores[name]) - np.mean(base.scores[name])) for name in both}
    return gains | {
        "steadiness": steadiness(candidate) - steadiness(base),
        "changed": changed,
        "auc": facts.auc,
        "only_shares": float(facts.only_shares),
        "level": float(np.mean(base.scores["source"])),
        "base_consensus": float(np.mean(base.scores["consensus"])),
    }


def levels(base: Candidate, facts: Facts) -> dict[str, float]:
    """What source-only's score on the target is foretold from."""
    return {name: float(np.mean(base.scores[name])) for name in LEVELS if name in base.scores} | {"auc": facts.auc}


def foresee(
    together: Candidate, base: Candidate, facts: Facts, changed: float, n: int, by: Foresight | None = None
) -> dict[str, Foreseen]:
    """What to expect of source-only and of all methods together, by key; nothing where they look like nothing known.

    Parameters
    ----------
    together, base : Candidate
        All methods together, and source-only, with their evidence.
    facts : Facts
    changed : float
        The share of target rows that the two predict differently.
    n : int
        How many target rows there are.
    by : Foresight, default=None
        None: the one that comes with the package.
    """
    found = (by or shipped()).both(traits(together, base, facts, changed), levels(base, facts), n)
    return {} if found is None else dict(zip((base.key, together.key), found, strict=True))
