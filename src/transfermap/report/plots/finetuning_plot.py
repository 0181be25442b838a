"""Plots of fine-tuning: score, weights and seconds over frozen stages; recipes over the number of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transfermap.messages import say
from transfermap.report.plots.drawing import (
    BETTER,
    EVEN,
    INK,
    LINE,
    MUTED,
    SIZE,
    SOURCE,
    TARGET,
    WORSE,
    blank,
    legend,
    literal,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# colour, marker and dashes differ: readable in grey
_LINES = ((EVEN, "o", ":"), (TARGET, "^", "--"), (SOURCE, "s", "-"), (BETTER, "D", "-."), (WORSE, "v", "-"))


def sweep_plot(table: pd.DataFrame, lang: str = "en") -> Figure:
    """Over the number of frozen stages: right predictions with intervals, weights that move, seconds.

    Parameters
    ----------
    table : DataFrame
        As :func:`transfermap.finetuning.curves.freeze_sweep` gives it.
    lang : {"en", "zh"}
    """
    figure = blank(6.2, 5.4)
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=[2.2, 1, 1])
    x = table["frozen"]
    top.errorbar(
        x, table["score"], [table["score"] - table["low"], table["high"] - table["score"]], **_style(2), capsize=3
    )
    top.plot(x, table["learnt"], **_style(0))
    for ax, column, name in ((middle, "moving", "axis_moving"), (bottom, "seconds", "axis_seconds")):
        ax.bar(x, table[column], width=0.5, color=LINE, edgecolor=MUTED, linewidth=0.6)
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value < 1e6 else f"{value / 1e6:g} M")
        ax.set_ylabel(say(f"finetune.{name}", lang), fontsize=SIZE - 1, color=INK)
    top.set_ylabel(say("finetune.axis_score", lang), fontsize=SIZE - 1, color=INK)
    bottom.set_xlabel(say("finetune.axis_frozen", lang), fontsize=SIZE - 0.5, color=MUTED)
    bottom.set_xticks(x)
    for ax in (top, middle, bottom):
        _bare(ax)
    names = [say(f"finetune.line_{name}", lang) for name in ("held", "learnt")]
    legend(figure, [top.containers[0], top.lines[-1]], names)
    figure.subplots_adjust(0.14, 0.16, 0.97, 0.97, hspace=0.15)
    return figure


def curve_plot(table: pd.DataFrame, lang: str = "en") -> Figure:
    """Right predictions and seconds over the number of labels a class, a line a recipe; draws are averaged.

    Parameters
    ----------
    table : DataFrame
        As :func:`transfermap.finetuning.curves.learning_curve` gives it.
    lang : {"en", "zh"}
    """
    from matplotlib.ticker import LogLocator

    figure = blank(6.2, 4.6)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1])
    recipes = list(dict.fromkeys(table["recipe"]))
    for at, recipe in enumerate(recipes):
        own = table[table["recipe"] == recipe].groupby("n")
        for ax, column in ((top, "score"), (bottom, "seconds")):
            mean = own[column].mean()
            ax.plot(mean.index, mean, **_style(at))
            # the range of the draws, which are too few for a standard error
            ax.vlines(mean.index, own[column].min(), own[column].max(), color=_style(at)["color"], linewidth=0.8)
    top.set_ylabel(say("finetune.axis_score", lang), fontsize=SIZE - 1, color=INK)
    bottom.set_ylabel(say("finetune.axis_seconds", lang), fontsize=SIZE - 1, color=INK)
    # recipes differ by factors in time, and counts of labels double
    bottom.set_yscale("log")
    bottom.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=5))
    bottom.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    bottom.set_xscale("log")
    counts = sorted(table["n"].unique())
    bottom.set_xticks(counts, [str(n) for n in counts])
    bottom.minorticks_off()
    bottom.set_xlabel(say("finetune.axis_labels", lang), fontsize=SIZE - 0.5, color=MUTED)
    for ax in (top, bottom):
        _bare(ax)
    named = [say("finetune.scratch", lang) if recipe == "scratch" else literal(recipe) for recipe in recipes]
    legend(figure, top.lines[: len(recipes)], named)
    figure.subplots_adjust(0.14, 0.19, 0.97, 0.97, hspace=0.12)
    return figure


def _style(at: int) -> dict[str, Any]:
    color, marker, line = _LINES[at % len(_LINES)]
    return {"color": color, "marker": marker, "linestyle": line, "linewidth": 1.6, "markersize": 5}


def _bare(ax: Axes) -> None:
    ax.tick_params(length=0, labelsize=SIZE - 1, labelcolor=INK)
    ax.grid(axis="y", color=LINE, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.set_facecolor("none")
    for spine in ax.spines.values():
        spine.set_visible(False)
