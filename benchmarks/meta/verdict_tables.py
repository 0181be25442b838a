"""The tables of ``benchmarks/verdict.py show``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from learning import HARM, Record, calibrated, expected, gain, left_out, means, taken, verdict

from transfermap.verdict.decide import Verdict
from transfermap.verdict.ensembles import ENSEMBLES
from transfermap.verdict.meta_model import GAINS, LEVELS, MetaModel

Judged = list[tuple[Record, MetaModel]]


def tables(judged: Judged, numbers: list[Record]) -> Iterator[str]:
    """Scores, harm, must-not tasks, calibration, votes alone, numbers."""
    real = [(r, by) for r, by in judged if r["sort"] == "real"]
    yield f"{len(real)} real tasks of {len({r['dataset'] for r, _ in real})} data sets, leave-one-dataset-out"
    yield from scores(real)
    yield from harm(real)
    yield from must_not([(r, by) for r, by in judged if r["sort"] != "real" and not r["sort"].endswith("drift")])
    yield from drift([(r, by) for r, by in judged if r["sort"].endswith("drift")])
    yield from calibration([(r, by) for r, by in judged if not r["sort"].endswith("drift")])
    yield from ablations([r for r, _ in judged])
    yield from by_votes("regression, by votes", numbers)


def scores(real: Judged) -> Iterator[str]:
    """Mean target score of each way to choose, its gain over source-only, and how often it does harm."""
    records = [r for r, _ in real]
    ways: dict[str, list[float]] = {"source-only": [0.0] * len(records)}
    keys = sorted({k for r in records for k in r["rows"]} - {"sourceonly"})
    fixed = {k: [gain(r, r["rows"][k]) if k in r["rows"] else 0.0 for r in records] for k in keys}
    best = max(fixed, key=lambda k: np.mean(fixed[k]))
    ways[f"best fixed method ({best})"] = fixed[best]
    for validator in sorted({v for r in records for row in r["rows"].values() for v in row["scores"]} - {"ess"}):
        ways[f"chosen by {validator}"] = [gain(r, chosen_by(r, validator)) for r in records]
    ways["verdict"] = [taken(r, verdict(r, by)) for r, by in real]
    ways["oracle"] = [max(gain(r, row) for row in r["rows"].values()) for r in records]
    base = means(r["rows"]["sourceonly"]["truth"] for r in records)
    top = means(ways["oracle"])
    yield f"\n{'':34}{'score':>8}{'gain':>8}{'of oracle':>11}{'harm':>8}{'worst':>8}"
    for name, gains in ways.items():
        mean, bad = means(gains), means(g < HARM for g in gains)
        yield f"{name:34}{base + mean:8.2f}{mean:+8.2f}{mean / top:11.0%}{bad:7.1f}%{100 * min(gains):+8.1f}"


def chosen_by(record: Record, validator: str) -> dict[str, Any]:
    """The row that a validator puts first; source-only where it is as good."""
    rows = record["rows"].values()
    return max(rows, key=lambda row: (row["scores"].get(validator, -np.inf), row is record["rows"]["sourceonly"]))


def harm(real: Judged) -> Iterator[str]:
    """How often a recommendation costs more than a point, and the worst."""
    predicted = [(r, verdict(r, by)) for r, by in real]
    used = [(r, v) for r, v in predicted if v.answer == "use"]
    bad = [(r, v) for r, v in predicted if taken(r, v) < HARM]
    yield f"\nused on {len(used)} of {len(predicted)}; harm on {len(bad)} ({len(bad) / len(predicted):.1%})"
    if used:
        yield f"of those used, {means(taken(r, v) > 0 for r, v in used):.0f}% gain"
    for r, v in sorted(bad, key=lambda pair: taken(*pair)):
        yield f"  {100 * taken(r, v):+.1f}  {v.method}  {r['task']}"


def must_not(judged: Judged) -> Iterator[str]:
    """How often nothing is recommended where nothing may be."""
    stays = [(r, verdict(r, by)) for r, by in judged]
    yield f"\nmust-not tasks: stay or can't tell on {means(v.answer != 'use' for _, v in stays):.0f}% of {len(stays)}"
    for sort in sorted({r["sort"] for r, _ in stays}):
        own = [(r, v) for r, v in stays if r["sort"] == sort]
        predicted = "; ".join(f"{v.method} {100 * taken(r, v):+.1f}" for r, v in own if v.answer == "use")
        yield f"  {sort:26}{sum(v.answer != 'use' for _, v in own)} of {len(own)}  {predicted}"


def drift(judged: Judged) -> Iterator[str]:
    """What is said of instruments that drift, which no line has seen."""
    yield "\ndrift of instruments, made on real tables; not learned from"
    for sort in sorted({r["sort"] for r, _ in judged}):
        own = [(r, verdict(r, by)) for r, by in judged if r["sort"] == sort]
        said = ", ".join(f"{a} {sum(v.answer == a for _, v in own)}" for a in ("use", "unknown", "stay"))
        best = means(max(gain(r, row) for row in r["rows"].values()) for r, _ in own)
        missed = max((gain(r, r["rows"][k]) for r, v in own if v.answer == "stay" for k in ENSEMBLES), default=0.0)
        came = means(taken(r, v) for r, v in own)
        yield f"  {sort:14}{said}; gain {came:+.1f} of {best:+.1f}; at most {100 * missed:.1f} missed by staying"


def calibration(judged: Judged) -> Iterator[str]:
    """How often the truth lies in the 90 % intervals, and what the probabilities of a gain are worth."""
    pairs = [(f, r, r["rows"][k]) for r, by in judged for k, f in expected(r, by).items() if k != "sourceonly"]
    inside = [f.gain_low <= gain(r, row) <= f.gain_high for f, r, row in pairs]
    scored = [f.score_low <= row["truth"] <= f.score_high for f, _, row in pairs]
    base = [(expected(r, by).get("sourceonly"), r["rows"]["sourceonly"]["truth"]) for r, by in judged]
    known = [f.score_low <= y <= f.score_high for f, y in base if f is not None]
    held = f"gains {means(inside):.1f}%, scores {means(scored):.1f}%, source-only {means(known):.1f}%"
    yield f"\n90 % intervals hold: {held}"
    chance = np.array([f.better for f, _, _ in pairs])
    came = np.array([gain(r, row) > 0 for _, r, row in pairs])
    for low, high in ((0, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.01)):
        here = (chance >= low) & (chance < high)
        if here.any():
            seen = f"{here.sum():4} candidates, {100 * came[here].mean():.0f}% gain"
            yield f"  chance {low:.1f} to {min(high, 1):.1f}: {seen}"


def ablations(records: list[Record]) -> Iterator[str]:
    """What the verdict gains where one thing less is looked at, or by a plainer rule."""
    yield f"\n{'the verdict, leave-one-dataset-out':44}{'gain':>8}{'harm':>8}{'used':>6}"
    yield _ablation("as it is", records, lambda r: r)
    for name in sorted({*GAINS, *LEVELS, "steadiness", "auc", "only_shares"}):
        yield _ablation(f"without {name}", records, partial(without, name=name))
    for key in ENSEMBLES:
        yield _ablation(f"only {key} is judged", records, partial(only, key=key))
    real = [r for r in records if r["sort"] == "real"]
    yield _plain("by the rule of votes", [taken(r, Verdict(*r["voted"], (), False)) for r in real], real)
    for key in ENSEMBLES:
        yield _plain(f"{key}, always", [gain(r, r["rows"][key]) if key in r["rows"] else 0.0 for r in real], real)


def _ablation(title: str, records: list[Record], change: Callable[[Record], Record]) -> str:
    changed = [change(r) for r in records]
    real = [(r, by) for by, own in left_out(changed, calibrated) for r in own if r["sort"] == "real"]
    return _plain(title, [taken(r, verdict(r, by)) for r, by in real], [r for r, _ in real])


def _plain(title: str, gains: list[float], records: list[Record]) -> str:
    used = sum(g != 0 for g in gains)
    return f"{title:44}{means(gains):+8.2f}{means(g < HARM for g in gains):7.1f}%{used:6}"


def without(record: Record, name: str) -> Record:
    """A record in which nobody looked at one trait."""
    rows = {
        key: row | {"traits": {k: x for k, x in row["traits"].items() if k not in (name, f"base_{name}")}}
        for key, row in record["rows"].items()
    }
    return record | {"rows": rows, "levels": {k: x for k, x in record["levels"].items() if k != name}}


def only(record: Record, key: str) -> Record:
    """A record in which the other candidates that are made of all methods were not tried."""
    return record | {"rows": {k: row for k, row in record["rows"].items() if k == key or k not in ENSEMBLES}}


def by_votes(title: str, records: list[Record]) -> Iterator[str]:
    """The votes alone, where nothing is foreseen."""
    real = [r for r in records if r["sort"] == "real"]
    if not real:
        return
    gains = [taken(r, Verdict(*r["voted"], (), False)) for r in real]
    used = sum(r["voted"][0] == "use" for r in real)
    worth = f"mean gain in R2 {np.mean(gains):+.4f}, worst {min(gains):+.3f}"
    yield f"\n{title}: {len(real)} real tasks, used on {used}, {worth}"
