"""Draw the lines of the foresight through the meta-benchmark's evidence, and judge them by leave-one-dataset-out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm

from transfermap.messages import Note
from transfermap.verdict.decide import Assessment, Setting, Verdict, decide
from transfermap.verdict.ensembles import ENSEMBLES
from transfermap.verdict.meta_model import REACH, Gains, LinearModel, MetaModel
from transfermap.verdict.record import PredictedGain

Record = dict[str, Any]
PENALTY = 0.1
# a gain beyond this counts as this: no single task is to bend the line
LIMIT = 0.07
HARM = -0.01
MOST_HARM = 0.02
LEASTS = tuple(k / 50 for k in range(2, 26))
SHARPNESS = np.arange(0.2, 4.01, 0.1)


def line(X: list[dict[str, float]], y: np.ndarray, w: np.ndarray, spread: float) -> LinearModel:
    """Weighted ridge regression on standardised meta-features; a trait that a row lacks counts as an average one."""
    names = sorted({name for row in X for name in row})
    table = np.array([[row.get(name, np.nan) for name in names] for row in X])
    there = ~np.isnan(table)
    share = w[:, None] * there
    mean = np.nansum(share * np.nan_to_num(table), axis=0) / share.sum(axis=0)
    apart = np.where(there, table - mean, 0.0)
    scale = np.sqrt((w @ apart**2) / w.sum()) + 1e-9
    Z, start = apart / scale, float(np.average(y, weights=w))
    A = Z.T @ (w[:, None] * Z) + PENALTY * w.sum() * np.eye(len(names))
    weight = np.linalg.solve(A, Z.T @ (w * (y - start)))
    low, high = np.nanmin(table, axis=0), np.nanmax(table, axis=0)
    columns = {"mean": mean, "scale": scale, "weight": weight, "low": low, "high": high}
    terms = {name: {k: float(v[i]) for k, v in columns.items()} for i, name in enumerate(names)}
    return LinearModel(start, spread, terms)


def fitted(records: list[Record]) -> MetaModel:
    """A line for each candidate that is made of all methods, and one for source-only's score, through all records;
    every data set weighs as the root of its number of tasks. Their spread is not known yet."""
    gains = {}
    for key in ENSEMBLES:
        some = moved(records, key)
        if not some:
            continue
        changed = np.array([r["rows"][key]["changed"] for r in some])
        came = np.clip([gain(r, r["rows"][key]) for r in some], -LIMIT, LIMIT)
        gains[key] = Gains(line([plain(r, key) for r in some], came / changed, changed * weights(some), 0.0), 1.0)
    levels = [r["levels"] for r in records]
    truth = np.array([r["rows"]["sourceonly"]["truth"] for r in records])
    level = line(levels, truth, weights(records), 0.0)
    return MetaModel(gains, level, 0.0, len(records), len({r["dataset"] for r in records}))


def moved(records: list[Record], key: str) -> list[Record]:
    """Those in which a candidate predicts anything unlike source-only."""
    return [r for r in records if key in r["rows"] and r["rows"][key]["changed"] > 0]


def weights(records: list[Record]) -> np.ndarray:
    """One over the root of how many tasks there are of the data set."""
    many = Counter(r["dataset"] for r in records)
    return np.array([many[r["dataset"]] ** -0.5 for r in records])


def plain(record: Record, key: str) -> dict[str, float]:
    """The meta-features of a candidate."""
    meta_features: dict[str, float] = record["rows"][key]["traits"]
    return meta_features


def gain(record: Record, row: dict[str, Any]) -> float:
    """What a candidate scores above source-only."""
    return float(row["truth"] - record["rows"]["sourceonly"]["truth"])


def left_out(records: list[Record], make: Callable[[list[Record]], Any]) -> Iterator[tuple[Any, list[Record]]]:
    """For each data set, what ``make`` makes of the other ones' records, and its own."""
    for name in sorted({r["dataset"] for r in records}):
        yield make([r for r in records if r["dataset"] != name]), [r for r in records if r["dataset"] == name]


def calibrated(records: list[Record]) -> MetaModel:
    """The lines with the spread that they have on data sets they did not see, and how much they must promise.

    What they must promise is the least at which no more than 2 % of the real tasks of such data sets come to harm.
    """
    records = [r for r in records if not r["sort"].endswith("drift")]  # made up: they are for showing only
    blind = [(by, r) for by, own in left_out(records, fitted) for r in own]
    found = fitted(records)
    gains = {key: dressed(found.gains[key].line, key, blind) for key in found.gains}
    apart = np.array([r["rows"]["sourceonly"]["truth"] - by.level.at(r["levels"]) for by, r in blind])
    level = replace(found.level, spread=covering(lambda s: np.abs(apart) <= REACH * s))
    real = [(by, r) for by, r in blind if r["sort"] == "real"]
    for least in LEASTS:
        predicted = [(verdict(r, lent(by, gains, level, least)), r) for by, r in real]
        if np.mean([taken(r, v) < HARM for v, r in predicted]) <= MOST_HARM:
            break
    return replace(found, gains=gains, level=level, least=least)


def dressed(drawn: LinearModel, key: str, blind: list[tuple[MetaModel, Record]]) -> Gains:
    """A line with the spread and the sharpness that such lines had on data sets which they did not see."""
    some = [(by.gains[key].line, r) for by, r in blind if key in r["rows"] and r["rows"][key]["changed"] > 0]
    changed, n = np.array([[r["rows"][key]["changed"], r["n_target"]] for _, r in some]).T
    predicted = changed * np.array([by.at(plain(r, key)) for by, r in some])
    came = np.array([gain(r, r["rows"][key]) for _, r in some])
    spread = covering(lambda s: np.abs(came - predicted) <= REACH * np.hypot(changed * s, np.sqrt(changed / n)))
    steps = predicted / np.hypot(changed * spread, np.sqrt(changed / n))
    sharpness = float(max(SHARPNESS, key=lambda k: likelihood(norm.cdf(k * steps), came > 0)))
    return Gains(replace(drawn, spread=spread), sharpness)


def lent(by: MetaModel, gains: Mapping[str, Gains], level: LinearModel, least: float) -> MetaModel:
    """The same lines with the spreads, the sharpness and the promise of others."""
    own = {k: Gains(replace(x.line, spread=gains[k].line.spread), gains[k].sharpness) for k, x in by.gains.items()}
    return replace(by, gains=own, level=replace(by.level, spread=level.spread), least=least)


def likelihood(chance: np.ndarray, came: np.ndarray) -> float:
    """Log-likelihood of what came, by chances that are never quite 0 or 1."""
    p = np.clip(chance, 0.01, 0.99)
    return float(np.log(np.where(came, p, 1 - p)).sum())


def covering(inside: Callable[[float], np.ndarray], share: float = 0.9) -> float:
    """The least spread, to a thousandth, at which the intervals hold so large a share of the truth."""
    return next((s for s in np.arange(0.001, 2, 0.001) if inside(s).mean() >= share), 2.0)


def expected(record: Record, by: MetaModel) -> dict[str, PredictedGain]:
    """Predicted gains, as ``predict_gains`` has them."""
    meta_features = {key: plain(record, key) for key in ENSEMBLES if key in record["rows"]}
    return by.all(meta_features, record["levels"], record["n_target"], "sourceonly")


def verdict(record: Record, by: MetaModel) -> Verdict:
    """The verdict; where no gain is predicted, the votes'."""
    predicted_gains, scene = expected(record, by), record["setting"]
    if not predicted_gains:
        return Verdict(*record["voted"], (), False)
    stands = {
        key: Assessment({}, {}, tuple(Note(code) for code in row["vetoes"]))
        for key, row in record["rows"].items()
        if key != "sourceonly"
    }
    setting = Setting(scene["auc"], scene["auc_low"], scene["only_shares"], ())
    return decide(stands, setting, record["learnable"], predicted_gains=predicted_gains, least=by.least)


def taken(record: Record, predicted: Verdict) -> float:
    """What following a verdict gains."""
    return gain(record, record["rows"][predicted.method]) if predicted.answer == "use" else 0.0


def learn(records: list[Record], path: Path) -> None:
    """Write the foresight as a file to read."""
    records = [r for r in records if r["kind"] == "classification"]
    by = calibrated(records)
    text = [
        "# What evidence was worth on the meta-benchmark; made by: python benchmarks/verdict.py learn",
        "# value = start + sum of weight * (trait - mean) / scale; traits are gains over source-only, or the scene",
        f"tasks = {by.tasks}",
        f"sets = {by.sets}",
        f"least = {by.least}",
        *(text for key, x in by.gains.items() for text in table(f"gains.{key}", x.line, sharpness=x.sharpness)),
        *table("level", by.level),
    ]
    path.write_text("\n".join(text) + "\n", encoding="utf8")
    spreads = ", ".join(f"{key} {x.line.spread:.3f}" for key, x in by.gains.items())
    print(f"{path}: {by.tasks} tasks, {by.sets} data sets, spread: {spreads}; least {by.least}")


def table(name: str, drawn: LinearModel, **more: float) -> Iterator[str]:
    """A line as TOML."""
    yield from ("", f"[{name}]", f"start = {drawn.start:.6f}", f"spread = {drawn.spread:.4f}")
    yield from (f"{word} = {x:.2f}" for word, x in more.items())
    yield from ("", f"[{name}.terms]")
    for trait, term in drawn.terms.items():
        yield f"{trait} = {{ " + ", ".join(f"{k} = {v:.6f}" for k, v in term.items()) + " }"


def show(records: list[Record]) -> None:
    """Every figure that the issue asks for."""
    from verdict_tables import tables

    classes = [r for r in records if r["kind"] == "classification"]
    judged = [(r, by) for by, own in left_out(classes, calibrated) for r in own]
    for text in tables(judged, [r for r in records if r["kind"] == "regression"]):
        print(text)


def means(values: Iterable[float]) -> float:
    """The mean in percent."""
    return 100 * float(np.mean(list(values)))
