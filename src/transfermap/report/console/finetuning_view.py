"""Fine-tuning in the terminal: what moves, the sweep over frozen stages, the curve over labels, models by score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from transfermap.messages import say
from transfermap.report.phrases import absent, percent

if TYPE_CHECKING:
    import pandas as pd


def moved_view(table: pd.DataFrame, lang: str = "en") -> Table:
    """What of a net moves, stage by stage (:func:`transfermap.deep.nets.freezing.trainable`)."""
    view = _table(lang, "stage", "weights", "moving", "share")
    for name, row in table.iterrows():
        shown = say("finetune.all", lang) if name == "all" else escape(str(name))
        share = percent(row["share"])
        view.add_row(shown, f"{row['weights']:,.0f}", f"{row['moving']:,.0f}", share, end_section=name == "head")
    return view


def verified_view(truth: Any, lang: str = "en") -> Group:
    """What a net is right about (:class:`transfermap.runs.finetuned.ItemsTruth`), class by class."""
    view = _table(lang, "class", "rows", "right", "share")
    for row in truth.classes:
        view.add_row(escape(row.name), f"{row.rows:,}", f"{row.right:,}", percent(row.right / row.rows))
    predicted = {name: getattr(truth, name) for name in ("method", "n", "value", "low", "high")}
    notes = [Text(f"- {note.say(lang)}") for note in truth.notes]
    return Group(view, Text(say("finetune.verified", lang, **predicted)), *notes)


def sweep_view(table: pd.DataFrame, lang: str = "en") -> Table:
    """Scores, weights and seconds over the number of frozen stages."""
    view = _table(lang, "frozen", "above", "moving", "share", "held", "interval", "learnt", "seconds")
    for _, row in table.iterrows():
        view.add_row(
            str(row["frozen"]),
            escape(row["above"] or "-"),
            _short(row["moving"]),
            percent(row["share"]),
            *_scored(row),
        )
    return view


def curve_view(table: pd.DataFrame, lang: str = "en") -> Table:
    """Scores and seconds by the number of labels a class, a line a recipe; means over draws."""
    view = _table(lang, "labels", "recipe", "held", "interval", "learnt", "seconds")
    means = table.drop(columns="draw").groupby(["n", "recipe"], sort=False).mean().reset_index()
    for _, row in means.iterrows():
        name = say("finetune.scratch", lang) if row["recipe"] == "scratch" else escape(row["recipe"])
        view.add_row(str(row["n"]), name, *_scored(row), end_section=row["recipe"] == means["recipe"].iloc[-1])
    return view


def rank_view(table: pd.DataFrame, lang: str = "en") -> Table:
    """Backbones by transferability scores, the best evidence first; the best of each column is marked."""
    columns = [str(name) for name in table if name != "seconds" and not table[name].isna().all()]
    view = _table(lang, "backbone", *columns, "seconds")
    best = {name: table[name].max() for name in columns if name != "width"}
    for name, row in table.iterrows():
        cells = [_cell(column, row[column], best.get(column)) for column in columns]
        view.add_row(escape(str(name)), *cells, f"{row['seconds']:.1f}")
    return view


def _short(count: int) -> str:
    """Millions with two decimals: a wide table has no room for more."""
    return f"{count / 1e6:.2f} M" if count >= 1e6 else f"{count:,}"


def _scored(row: Any) -> list[str]:
    interval = f"[{100 * row['low']:.0f},{100 * row['high']:.0f}]"
    return [percent(row["score"]), interval, percent(row["learnt"]), f"{row['seconds']:.1f}"]


def _cell(column: str, value: float, best: float | None) -> str:
    if absent(value):
        return "-"
    shown = (
        f"{value:,.0f}"
        if column == "width"
        else percent(value)
        if column in ("probe", "neighbours")
        else f"{value:.4f}"
    )
    return f"[bold]{shown}[/bold]" if best is not None and np.isclose(value, best, rtol=0, atol=1e-12) else shown


def _table(lang: str, first: str, *others: str) -> Table:
    view = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    view.add_column(say(f"finetune.{first}", lang), overflow="fold")
    for name in others:
        side: Literal["left", "right"] = "left" if name in ("above", "recipe") else "right"
        view.add_column(say(f"finetune.{name}", lang), justify=side, overflow="fold")
    return view
