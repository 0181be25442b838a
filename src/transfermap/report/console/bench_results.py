"""What ``bench show`` and ``bench sets`` show in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from transfermap.report.phrases import number, shorten

_NAME = 34
ORACLE = "Accuracy in percent on the target's true labels, which no method reads: an oracle score."


def bench_view(groups: Sequence[Mapping[str, Any]], width: int = 80) -> RenderableType:
    """Every group of a summary: methods with mean, rank and seconds, then methods by tasks, then what ranks say.

    Parameters
    ----------
    groups : list of mapping
        As :func:`transfermap.bench.summary.summarise` gives them.
    width : int
        Columns of the terminal.
    """
    parts: list[RenderableType] = []
    for group in groups:
        parts += [Text(_title(group), style="bold"), _overview(group)]
        parts += [part for block in _blocks(group, width) for part in block]
        parts += [Text(line) for line in (*_verdict(group), *_faults(group))]
    return Group(*parts, Text(ORACLE, style="dim"))


def _title(group: Mapping[str, Any]) -> str:
    drawn = {"full": "all source rows"}.get(group["draw"], f"{group['draw']} of the source rows drawn by each seed")
    tasks = len(group["tasks"])
    return f"{len(group['rows'])} methods, {tasks} task{'s' if tasks > 1 else ''}, {drawn}"


def _overview(group: Mapping[str, Any]) -> Table:
    table = _table("method", "mean", "rank", "seconds", "faults")
    for row in group["rows"]:
        rank = "-" if row["rank"] is None else f"{row['rank']:.2f}"
        cells = (_percent(row["mean"]), rank, number(row["seconds"]), str(row["faults"] or ""))
        table.add_row(Text(shorten(row["name"], _NAME)), *map(Text, cells))
    return table


def _blocks(group: Mapping[str, Any], width: int) -> Iterator[tuple[RenderableType, ...]]:
    """Methods by tasks, as many tasks side by side as there is room for, data set by data set."""
    names = [shorten(row["name"], _NAME) for row in group["rows"]]
    room = max(1, (width - max(12, *map(len, names))) // 12)
    for dataset, found in groupby(group["tasks"], key=lambda task: task["dataset"]):
        tasks = list(found)
        for start in range(0, len(tasks), room):
            some = tasks[start : start + room]
            table = _table("method", *(f"{shorten(t['source'], 9)}\n> {shorten(t['target'], 9)}" for t in some))
            for row, name in zip(group["rows"], names, strict=True):
                table.add_row(Text(name), *(Text(_spread(row["scores"].get(t["name"]))) for t in some))
            yield Text(dataset, style="bold"), table


def _spread(score: Mapping[str, Any] | None) -> str:
    """Mean and standard deviation over seeds, in percent."""
    if score is None:
        return "-"
    return _percent(score["mean"]) + ("" if score["sd"] is None else f" +-{100 * score['sd']:.1f}")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def _verdict(group: Mapping[str, Any]) -> Iterator[str]:
    """What Friedman and Nemenyi say of the ranks."""
    ranking = group["ranking"]
    if ranking is None:
        return
    differ = "differ" if ranking["p"] < 0.05 else "do not differ beyond chance"
    yield (
        f"Ranks of {ranking['methods']} methods over {ranking['tasks']} tasks {differ} "
        f"(Friedman p = {ranking['p']:.2g}). Two mean ranks must lie {ranking['critical_difference']:.2f} apart to "
        "differ beyond chance (Nemenyi, 5%)."
    )


def _faults(group: Mapping[str, Any]) -> Iterator[str]:
    for row in group["rows"]:
        if row["faults"]:
            yield f"- {row['name']}: {row['faults']} cells without a score: {row['fault']}"


def sets_view(found: Sequence[Mapping[str, Any]]) -> RenderableType:
    """The data sets: what each is, and whether it is there."""
    table = _table("data set", "tasks", "there", left=("", ""))
    table.add_column(Text("what it is"), overflow="fold")
    for data in found:
        there = "yes" if data["there"] else "missing"
        table.add_row(*map(Text, (data["name"], str(data["tasks"]), there, data["about"])))
    return table


def _table(first: str, *heads: str, left: Sequence[str] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(Text(first), overflow="fold")
    for head in heads:
        table.add_column(Text(head), justify="left" if left else "right", no_wrap=True)
    return table
