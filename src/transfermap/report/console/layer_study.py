"""Which layers of a text net were carried over, and what came of it: the table and the plot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from transfermap.messages import say
from transfermap.report.plots.drawing import BETTER, EVEN, INK, MUTED, SIZE, WORSE, blank, literal, panels, ticks
from transfermap.report.plots.run_plots import NothingToShow

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from rich.table import Table


def layer_study_view(table: pd.DataFrame, lang: str = "en") -> Table:
    """The table of :func:`transfermap.studies.layer_table.summary` for the terminal, in percent and points."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, title=say("layers.title", lang), title_justify="left")
    for column in ("choice", "accuracy", "gain"):
        shown.add_column(say(f"layers.{column}", lang), justify="left" if column == "choice" else "right")
    for name, row in table.iterrows():
        accuracy = f"{row['mean']:.1%} [{row['low']:.1%}, {row['high']:.1%}]"
        gain = (
            ""
            if _is_base(str(name))
            else f"{_points(row, 'gain')} [{_points(row, 'gain_low')}, {_points(row, 'gain_high')}]"
        )
        shown.add_row(str(name), accuracy, Text(gain, style=_STYLES[_side(row)]))
    return shown


_STYLES = {BETTER: "green", WORSE: "red", EVEN: "default"}


def layer_study_plot(tables: Mapping[str, pd.DataFrame], lang: str = "en") -> Figure:
    """Gains over nothing carried over, with their intervals; a panel a target, a line a choice.

    Raises
    ------
    NothingToShow
        (a ``ValueError``) if there is no choice to show.
    """
    rows = {task: table[[not _is_base(str(name)) for name in table.index]] for task, table in tables.items()}
    names = list(dict.fromkeys(str(name) for table in rows.values() for name in table.index))
    if not names:
        raise NothingToShow("a plot of layers needs at least one choice beside 'none'; the table has none")
    figure = blank(3.2 + 2.6 * len(rows), 0.9 + 0.21 * len(names))
    axes = panels(figure, len(rows), names, top=0.35, bottom=0.5)
    for ax, (task, table) in zip(axes, rows.items(), strict=True):
        ax.axvline(0, color=MUTED, linewidth=0.8)
        for name, row in table.iterrows():
            at, color = names.index(str(name)), _side(row)
            ax.plot([100 * row["gain_low"], 100 * row["gain_high"]], [at, at], color=color, linewidth=1.4)
            ax.plot(100 * row["gain"], at, "o", color=color, markersize=4.5)
        ticks(ax, lambda x, _: f"{x:+z.0f}")
        ax.set_title(literal(task), fontsize=SIZE, color=INK, loc="left")
    axes[0].set_xlabel(say("layers.gain", lang), fontsize=SIZE - 1, color=MUTED)
    return figure


def _is_base(name: str) -> bool:
    return name.startswith("none")


def _side(row: Any) -> str:
    """The colour of a gain whose interval lies above 0, below, or on both sides."""
    return BETTER if row["gain_low"] > 0 else WORSE if row["gain_high"] < 0 else EVEN


def _points(row: Any, name: str) -> str:
    return f"{100 * row[name]:+z.1f}"
