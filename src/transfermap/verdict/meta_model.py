"""What all methods should gain as one, by what evidence like this was worth on many tasks whose answer is known.

A line through the meta-benchmark (``benchmarks/verdict.py``), kept in ``meta_model.toml``. Among the rows whose
prediction changes, the share that becomes right less the share that becomes wrong lies between -1 and 1 whatever the
task; the line foretells that share q, and ``gain = changed * q``. Its spread was measured on data sets that the line
had not seen. No target label is read here.

It speaks only of what is made of all methods (:mod:`transfermap.verdict.ensembles`), with a line for each: of single
ones the evidence was not worth enough to tell the good from the harmful on data sets of another kind.
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
from transfermap.verdict.record import PredictedGain

# scores whose gain over source-only counts, and those of source-only that tell how well it does
GAINS = (
    "source",
    "infomax",
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


@dataclass(frozen=True)
class LinearModel:
    """``start + sum_k weight_k (x_k - mean_k) / scale_k``, and how far the truth lies around it on unseen data sets."""

    start: float
    spread: float
    terms: Mapping[str, Mapping[str, float]]

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Self:
        """From its part of the file."""
        return cls(table["start"], table["spread"], table["terms"])

    def at(self, meta_features: Mapping[str, float]) -> float:
        """The line's value; a trait that is wanting counts as an average one."""
        steps = (
            term["weight"] * (meta_features[name] - term["mean"]) / term["scale"]
            for name, term in self.terms.items()
            if name in meta_features
        )
        return self.start + sum(steps)

    def knows(self, meta_features: Mapping[str, float]) -> bool:
        """Whether the meta-features lie where the meta-benchmark has tasks, or at most twice that range beyond.

        So far, because its tasks are few: of a data set left out, some lie outside the others' range.
        """
        for name, term in self.terms.items():
            slack = BEYOND * (term["high"] - term["low"])
            if not term["low"] - slack <= meta_features.get(name, term["mean"]) <= term["high"] + slack:
                return False
        return True


class Gains(NamedTuple):
    """The line of what one candidate gains. The chance of a gain is ``Phi(sharpness * gain / error)``, fitted to how
    often there was one."""

    line: LinearModel
    sharpness: float

    def error(self, changed: float, n: int) -> float:
        """How far the line errs, and the chance that lies in the changed rows themselves, as a standard deviation."""
        return float(np.sqrt((changed * self.line.spread) ** 2 + changed / max(n, 1)))


@dataclass(frozen=True)
class MetaModel:
    """The lines: of the net share of changed predictions that come right, a candidate each, and of source-only's score.

    Adapting is recommended where at least ``least`` of the changed predictions should come right, net. ``tasks`` and
    ``sets`` say on how many tasks of how many data sets all of it rests.
    """

    gains: Mapping[str, Gains]
    level: LinearModel
    least: float
    tasks: int
    sets: int

    def plain(self, level: Mapping[str, float]) -> PredictedGain:
        """What to expect of source-only."""
        base, reach = self.level.at(level), REACH * self.level.spread
        score, least, most = np.clip([base, base - reach, base + reach], 0, 1)
        return PredictedGain(0.0, 0.0, 0.0, float(score), float(least), float(most), 0.0, 0.0)

    def of(self, key: str, meta_features: Mapping[str, float], level: Mapping[str, float], n: int) -> PredictedGain:
        """What to expect of the candidate ``key`` with these meta-features; ``n`` target rows."""
        by, changed = self.gains[key], meta_features["changed"]
        net, error = by.line.at(meta_features), by.error(changed, n)
        gain = changed * net
        base = self.level.at(level)
        reach, whole = REACH * error, REACH * float(np.hypot(error, self.level.spread))
        low, high = np.clip([gain - reach, gain + reach], -changed, changed)
        score, least, most = np.clip([base + gain, base + gain - whole, base + gain + whole], 0, 1)
        better = float(norm.cdf(by.sharpness * gain / error)) if error else 0.0
        return PredictedGain(gain, float(low), float(high), float(score), float(least), float(most), better, net)

    def all(
        self, meta_features: Mapping[str, Mapping[str, float]], level: Mapping[str, float], n: int, base: str
    ) -> dict[str, PredictedGain]:
        """What to expect of candidates by their meta-features, and of ``base``, which is source-only; those that look
        like nothing known are left out, and all where none is known."""
        known = {key: x for key, x in meta_features.items() if key in self.gains and self.gains[key].line.knows(x)}
        if not (known and self.level.knows(level)):
            return {}
        return {base: self.plain(level)} | {key: self.of(key, x, level, n) for key, x in known.items()}


@cache
def shipped() -> MetaModel:
    """The lines that come with the package."""
    table = tomllib.loads((files("transfermap.verdict") / "meta_model.toml").read_text("utf8"))
    gains = {key: Gains(LinearModel.of(part), part["sharpness"]) for key, part in table["gains"].items()}
    return MetaModel(gains, LinearModel.of(table["level"]), table["least"], table["tasks"], table["sets"])


def meta_features(candidate: Candidate, base: Candidate, facts: Facts, changed: float) -> dict[str, float]:
    """What the line is drawn on: gains of the candidate over source-only by validators, and how it stands to the data.

    What only describes the data, such as how far the tables lie apart, is left out: it says where gains are large, not
    whether they are gains. ``changed`` is the share of target rows for which the two predict different classes.
    """
    both = [name for name in GAINS if name in candidate.scores and name in base.scores]
    gains = {name: float(np.mean(candidate.scores[name]) - np.mean(base.scores[name])) for name in both}
    return gains | {
        "steadiness": steadiness(candidate) - steadiness(base),
        "changed": changed,
        "only_shares": float(facts.only_shares),
    }


def levels(base: Candidate, facts: Facts) -> dict[str, float]:
    """What source-only's score on the target is foretold from."""
    return {name: float(np.mean(base.scores[name])) for name in LEVELS if name in base.scores} | {"auc": facts.auc}


def predict_gains(
    joined: Mapping[str, tuple[Candidate, float]], base: Candidate, facts: Facts, n: int, by: MetaModel | None = None
) -> dict[str, PredictedGain]:
    """What to expect of source-only and of what is made of all methods, by key; nothing where they look like nothing
    known.

    Parameters
    ----------
    joined : mapping of str to (Candidate, float)
        What is made of all methods, with the share of target rows that it predicts unlike source-only.
    base : Candidate
        Source-only.
    facts : Facts
    n : int
        How many target rows there are.
    by : MetaModel, default=None
        None: the one that comes with the package.
    """
    seen = {key: meta_features(candidate, base, facts, changed) for key, (candidate, changed) in joined.items()}
    return (by or shipped()).all(seen, levels(base, facts), n, base.key)
