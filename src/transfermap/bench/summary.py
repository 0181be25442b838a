"""Records put together: one line a method, means and spreads over seeds, mean ranks over tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from transfermap.bench.contenders import OWN, spell
from transfermap.bench.ranks import alike, critical_difference, friedman, task_ranks
from transfermap.bench.records import Record

Group = dict[str, Any]


def summarise(records: Iterable[Record]) -> list[Group]:
    """Everything in the records, parted by how much of the source was drawn.

    Parameters
    ----------
    records : iterable of record
        As :func:`transfermap.bench.records.read_records` gives them.

    Returns
    -------
    list of dict
        One a draw ("80%", "20 a class", "full"): ``draw``, ``score`` (always "oracle accuracy"), ``tasks`` (each with
        ``name``, ``dataset``, ``source``, ``target``), ``rows`` and ``ranking``. A row is one method with its estimator
        and, where a task has more than one, preparation: ``name``, ``method``, ``params``, ``estimator``,
        ``preprocess``, ``mean`` over tasks, ``rank`` (both None unless it has a score on every task), ``seconds``
        (median of its cells), ``faults``, ``fault`` (the first sentence), and ``scores``: task name -> ``mean``, ``sd``
        over seeds (None for one seed), ``n``. Rows come best rank first.
    """
    draws: dict[str, list[Record]] = {}
    # in the order of their names: parallel runs write in any order
    for record in sorted(records, key=lambda r: (task_name(r), str(r["seed"]))):
        draws.setdefault(record["draw"], []).append(record)
    return [_group(draw, found) for draw, found in sorted(draws.items())]


def _group(draw: str, records: list[Record]) -> Group:
    tasks = {task_name(r): {k: r[k] for k in ("dataset", "source", "target")} for r in records}
    # each task prepared in one way only, the preparation is the task's; else methods are told apart by it
    several = len({(task_name(r), r["preprocess"]) for r in records}) > len(tasks)
    lines: dict[tuple[str, ...], list[Record]] = {}
    for r in records:
        who = spell(r["method"], r["params"]), r["estimator"], r["preprocess"] if several else ""
        lines.setdefault(who, []).append(r)
    rows = [_row(who, found, list(tasks), several) for who, found in lines.items()]
    ranking = _rank([row for row in rows if row["mean"] is not None], list(tasks))
    rows.sort(key=lambda row: (row["rank"] is None, row["rank"] or 0, -(row["mean"] or 0), row["name"]))
    named = [{"name": name, **parts} for name, parts in tasks.items()]
    return {"draw": draw, "score": "oracle accuracy", "tasks": named, "rows": rows, "ranking": ranking}


def task_name(record: Mapping[str, Any]) -> str:
    """A task in one word: ``dataset/source:target``."""
    return f"{record['dataset']}/{record['source']}:{record['target']}"


def _row(who: tuple[str, ...], records: list[Record], tasks: list[str], several: bool) -> dict[str, Any]:
    spelled, estimator, preprocess = who
    by_task: dict[str, list[float]] = {}
    for r in records:
        if r["status"] == "ok":
            by_task.setdefault(task_name(r), []).append(r["oracle_accuracy"])
    scores = {task: _score(by_task[task]) for task in tasks if task in by_task}
    faults = [r["fault"] for r in records if r["status"] != "ok"]
    name = spelled if estimator == OWN else f"{spelled} + {estimator}"
    return {
        "name": f"{name} [{preprocess}]" if several else name,
        "method": records[0]["method"],
        "params": records[0]["params"],
        "estimator": estimator,
        "preprocess": ", ".join(sorted({r["preprocess"] for r in records})),
        # a mean over the tasks that went well would reward faults on the hard ones
        "mean": float(np.mean([s["mean"] for s in scores.values()])) if len(scores) == len(tasks) else None,
        "rank": None,
        "seconds": float(np.median([r["seconds"] for r in records])),
        "faults": len(faults),
        "fault": faults[0] if faults else None,
        "scores": scores,
    }


def _score(values: list[float]) -> dict[str, Any]:
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "sd": spread, "n": len(values)}


def _rank(rows: list[dict[str, Any]], tasks: list[str]) -> dict[str, Any] | None:
    """Write each row's mean rank into it; what the tests say of them all, where there are enough of them."""
    if len(rows) < 2:
        return None
    # a task counts once, however many seeds it has: seeds of one task are no independent evidence
    # rounded: means of the same values in another order must tie
    ranks = task_ranks(np.array([[round(row["scores"][t]["mean"], 12) for row in rows] for t in tasks]))
    means = ranks.mean(axis=0)
    for row, mean in zip(rows, means, strict=True):
        row["rank"] = float(mean)
    # Friedman's test is not defined below
    if len(rows) < 3 or len(tasks) < 2:
        return None
    test, difference = friedman(ranks), critical_difference(len(rows), len(tasks))
    return {
        "tasks": len(tasks),
        "methods": len(rows),
        "chi2": test.chi2,
        "p": test.p,
        "F": test.F,
        "F_p": test.F_p,
        "critical_difference": difference,
        "alike": [[rows[i]["name"] for i in group] for group in alike(means.tolist(), difference)],
    }
