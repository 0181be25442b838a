"""The plot of a bench: accuracy of every method on every task, and the methods' mean ranks beside it.

Numbers stand in the cells, so that the colours, which show the gain over source-only, are no more than a help.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from transfermap.report.phrases import columns, shorten
from transfermap.report.plots.drawing import BETTER, EVEN, INK, LINE, MUTED, PAPER, SIZE, WORSE, blank, literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAME = 40  # characters of a method and its params
_CELL, _LINE, _RANKS = 0.5, 0.24, 2.6  # inches
# a gain of 15 points has the full colour; beyond it differences matter less than that they are there
_FULL_COLOUR = 0.15
FORMATS = (".svg", ".png", ".pdf")


def bench_plot(group: Mapping[str, Any]) -> Figure:
    """Methods by tasks with accuracies in percent, best mean rank on top, and the ranks with their critical difference.

    Parameters
    ----------
    group : mapping
        One group of :func:`transfermap.bench.summary.summarise`.

    Raises
    ------
    ValueError
        If no method has a score.
    """
    rows = [row for row in group["rows"] if row["scores"]]
    if not rows:
        raise ValueError("a plot of a bench needs at least one method with a score; these records have none")
    names = [shorten(row["name"], _NAME) for row in rows]
    tasks = [shorten(f"{t['source']} > {t['target']}", 26) for t in group["tasks"]]
    ranked = group["ranking"] is not None
    # 0.6 em a column: room by the widest common font, as the reader's is not known
    left, below = 0.2 + max(map(columns, names)) * 0.6 * SIZE / 72, 0.5
    above = 0.5 + max(map(columns, tasks)) * 0.6 * SIZE / 72
    wide, high = _CELL * len(tasks), _LINE * len(rows)
    figure = blank(max(left + wide + (_RANKS if ranked else 0) + 0.3, 6.0), above + high + below)
    total, tall = figure.get_size_inches()
    box = (left / total, below / tall, wide / total, high / tall)
    _scores(figure.add_axes(box), rows, group["tasks"], names, tasks)
    if ranked:
        start = (left + wide + 0.25) / total
        _ranks(figure.add_axes((start, box[1], (_RANKS - 0.35) / total, box[3])), rows, group["ranking"])
    note = f"Oracle accuracy in percent, draw: {group['draw']}. Colour: gain over source-only."
    figure.text(0.1 / total, 0.1 / tall, literal(note), fontsize=SIZE - 1.5, color=MUTED)
    return figure


def _scores(ax: Axes, rows: Sequence[Any], tasks: Sequence[Any], names: Sequence[str], titles: Sequence[str]) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    table = np.array([[row["scores"].get(t["name"], {}).get("mean", np.nan) for t in tasks] for row in rows])
    gains = table - _yardstick(rows, table)
    shades = LinearSegmentedColormap.from_list("gain", [WORSE, PAPER, BETTER])
    # half strength: the numbers are to be read
    colours = 0.5 + 0.25 * np.nan_to_num(np.clip(gains / _FULL_COLOUR, -1, 1))
    ax.imshow(shades(colours), aspect="auto", interpolation="nearest")
    for (y, x), value in np.ndenumerate(table):
        text = "-" if np.isnan(value) else f"{100 * value:.1f}"
        ax.text(x, y, text, ha="center", va="center", fontsize=SIZE - 1.5, color=INK)
    ax.set_yticks(range(len(names)), [literal(name) for name in names], fontsize=SIZE, color=INK)
    ax.set_xticks(range(len(titles)), [literal(t) for t in titles], rotation=90, fontsize=SIZE - 0.5, color=INK)
    ax.xaxis.tick_top()
    _bare(ax)


def _yardstick(rows: Sequence[Mapping[str, Any]], table: Any) -> Any:
    """Source-only's accuracy on each task, for the estimator of each row; NaN where there is none."""
    own = {(r["estimator"], r["preprocess"]): table[i] for i, r in enumerate(rows) if r["method"] == "sourceonly"}
    # a method that is its own classifier has no source-only of its own
    first = next(iter(own.values()), np.full(table.shape[1], np.nan))
    return np.array([own.get((r["estimator"], r["preprocess"]), first) for r in rows])


def _ranks(ax: Axes, rows: Sequence[Mapping[str, Any]], ranking: Mapping[str, Any]) -> None:
    """Mean ranks; two whose bars do not meet differ beyond chance."""
    # half on either side: two bars that do not meet are further apart than the difference
    half = ranking["critical_difference"] / 2
    for y, row in enumerate(rows):
        if row["rank"] is not None:
            ax.plot([row["rank"] - half, row["rank"] + half], [y, y], color=EVEN, linewidth=1.4, zorder=2)
            ax.plot(row["rank"], y, marker="o", color=INK, markersize=4.5, zorder=3)
    ax.set(xlim=(0.5, ranking["methods"] + 0.5), ylim=(len(rows) - 0.5, -0.5), yticks=[])
    ax.grid(axis="x", color=LINE, linewidth=0.8)
    ax.tick_params(axis="x", labelsize=SIZE - 1.5, labelcolor=MUTED)
    ax.set_title(f"mean rank over {ranking['tasks']} tasks\nbars apart: beyond chance", fontsize=SIZE - 0.5, color=INK)
    _bare(ax)


def _bare(ax: Axes) -> None:
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as its file's suffix says; the same figure gives the same bytes."""
    from matplotlib import rc_context

    # ids in SVG files are random without a salt, and the date is the day's
    with rc_context({"svg.hashsalt": "transfermap"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        dateless = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix.lower(), {})
        figure.savefig(path, metadata=dateless)


def check_format(path: Path) -> None:
    """Refuse a file name whose suffix is no image's."""
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"{path} must end in {', '.join(FORMATS)}; got {path.suffix or 'no suffix'}")
