"""The verdict as it is told: all its reasons, whose predictions are handed out, and the assumptions it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from transfermap.messages import Note
from transfermap.verdict.assessment import Judgement
from transfermap.verdict.check.facts import Check
from transfermap.verdict.decide import Verdict
from transfermap.verdict.encoded import Array
from transfermap.verdict.ensembles import card_of
from transfermap.verdict.evidence import RESAMPLES, Candidate
from transfermap.verdict.leaderboard import harm
from transfermap.verdict.record import Assumption, FinalVerdict

# a share of changed predictions from which on it is said, and an AUC from which on the tables hardly overlap
MUCH, APART = 0.3, 0.9


def final_verdict(
    judged: Judgement, model: str, candidates: list[Candidate], predicted: Mapping[str, Array], resamples: int
) -> FinalVerdict:
    """The verdict with all that is to be said of it; ``model`` is the method whose predictions are handed out."""
    verdict, names = judged.verdict, {c.key: c.name for c in candidates}
    doubtful = model in judged.assessments and not judged.is_supported(model)
    reasons = [*verdict.reasons, *_doubts(judged, model, names), *_remarks(judged, model, names, predicted)]
    told = "verdict.resampled" if resamples == RESAMPLES else "verdict.budget"
    reasons.append(Note(told, "info", {"resamples": resamples}))
    name = names.get(verdict.method, verdict.method)
    return FinalVerdict(verdict.answer, verdict.method, name, model, tuple(reasons), verdict.risk or doubtful)


def _doubts(judged: Judgement, model: str, names: Mapping[str, str]) -> list[Note]:
    """What speaks against the method whose predictions are handed out."""
    if model not in judged.assessments or judged.is_supported(model):
        return []
    return [*judged.assessments[model].vetoes, *harm(model, names[model], judged)]


def _remarks(judged: Judgement, model: str, names: Mapping[str, str], predicted: Mapping[str, Array]) -> Iterator[Note]:
    """What to know before the predictions are used."""
    verdict = judged.verdict
    use = verdict.answer == "use"
    if use and card_of(verdict.method).family == "baseline":
        yield Note("verdict.no_transfer", "warn", {"method": names[verdict.method]})
    # beside source-only by another estimator, what a net adapts cannot be told from what any net gains
    if model in judged.assessments and "torch" in card_of(model).needs and "erm" not in names:
        yield Note("verdict.net_alone", "warn", {"method": names[model]})
    changed = float(np.mean(predicted[model] != predicted["sourceonly"])) if model in predicted else 0.0
    if use and predicted[model].dtype.kind != "f" and changed > MUCH:
        yield Note("verdict.changes_much", "warn", {"method": names[model], "share": changed})
    if model != (verdict.method if use else "sourceonly"):
        yield Note("verdict.named", "warn", {"method": names[model]})
    if any("abstains" in found.votes.values() for found in judged.assessments.values()):
        yield Note("verdict.abstains")


def assumptions(label: str, check: Check, verdict: Verdict) -> tuple[Assumption, ...]:
    """What the verdict rests on: measured here, asserted by whoever asks, or beyond what the data can say."""
    assert check.auc is not None
    shares = next((n for n in check.notes if n.code.startswith("check.shares") or n.code == "check.only_shares"), None)
    outside = next(n for n in check.notes if n.code in ("check.outside", "check.inside"))
    claims = card_of(verdict.method).assumes if verdict.answer == "use" else ()
    return (
        Assumption(check.notes[0], "measured", check.auc.low <= APART),
        Assumption(outside, "measured", outside.code == "check.inside"),
        *([Assumption(shares, "measured", shares.code == "check.shares_steady")] if shares else []),
        *unmeasured(label, claims),
    )


def unmeasured(label: str, claims: Iterable[str]) -> tuple[Assumption, ...]:
    """What every transfer takes for granted, and what its method claims (a card's ``assumes``)."""
    return (
        Assumption(Note("assumptions.same_task", "info", {"label": label}), "asserted"),
        Assumption(Note("assumptions.same_columns"), "asserted"),
        Assumption(Note("assumptions.same_meaning", "warn", {"label": label}), "unknowable"),
        *(Assumption(Note("assumptions.method", "info", {"claim": claim}), "unknowable") for claim in claims),
    )
