"""The report's plots: a record goes in, a matplotlib figure comes out; nothing global is touched.

Every mark differs in shape as well as in colour, so that the plots survive a grey printer and colour-blind eyes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from transfermap.report.phrases import called, gain, known, number, shorten, vote, word
from transfermap.report.plots.drawing import (
    BETTER,
    EVEN,
    INK,
    MIDDLE,
    MUTED,
    NARROW,
    PAPER,
    SIZE,
    SOURCE,
    TARGET,
    WIDE,
    WORSE,
    bare,
    blank,
    legend,
    literal,
    mark,
    mark_legend,
    panels,
    ticks,
)
from transfermap.verdict.record import META_MODEL, Record, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class NothingToShow(ValueError):
    """The run holds nothing that this plot could show."""


VALIDATORS = (META_MODEL, "importance", "reverse", "infomax")
_VOTES = {"better": (BETTER, "^", BETTER), "even": (EVEN, "o", PAPER), "worse": (WORSE, "v", WORSE)}
_NAME = 30  # characters of a name beside its row
_MOST_POINTS = 500  # a side: an SVG holds each as an element


def evidence_plot(record: Record, lang: str = "en") -> Figure:
    """What each method gains over source-only, by each validator, with intervals and a line at zero.

    Parameters
    ----------
    record : Record
    lang : {"en", "zh"}
        Language of the labels.

    Raises
    ------
    NothingToShow
        (a ``ValueError``) if no method has a gain to show.
    """
    # guessing is so far below that the others would shrink to a line
    rivals = [r for r in record.leaderboard if r.method not in ("majority", "mean")]
    rows = [r for r in rivals if any(_has_gain(r, v) for v in VALIDATORS)]
    shown = [v for v in VALIDATORS if any(_has_gain(r, v) for r in rows)]
    if not rows:
        raise NothingToShow(
            "an evidence plot needs at least one method with a gain over source-only; this run has none"
        )
    figure = blank(WIDE, 0.95 + 0.27 * len(rows))
    axes = panels(figure, len(shown), [shorten(called(r, lang), _NAME) for r in rows], top=0.3, bottom=0.62)
    for ax, validator in zip(axes, shown, strict=True):
        # InfoMax is in nats whatever the task: no percent sign
        task = record.task.kind if validator != "infomax" else "regression"
        ax.axvline(0, color=INK, linewidth=0.9, zorder=1)
        for y, row in enumerate(rows):
            _draw_gain(ax, row, validator, y)
        ticks(ax, lambda x, _, task=task: _short_gain(x, task), count=3)
        ax.set_title(word(f"plot_{validator}", lang), fontsize=SIZE, color=INK, loc="left")
        ax.set_xlabel(word(f"unit_{validator}_{record.task.kind}", lang), fontsize=SIZE - 1, color=MUTED)
    _vote_legend(figure, lang)
    return figure


def _has_gain(row: Row, validator: str) -> bool:
    return validator in row.evidence and known(row.evidence[validator].gain)


def _draw_gain(ax: Axes, row: Row, validator: str, y: int) -> None:
    seen = row.evidence.get(validator)
    if seen is None or not known(seen.gain):
        return
    edge, marker, face = _VOTES.get(vote(row, validator), _VOTES["even"])
    if known(seen.gain_low) and known(seen.gain_high):
        ax.plot([seen.gain_low, seen.gain_high], [y, y], color=edge, linewidth=1.4, zorder=2)
    ax.plot(seen.gain, y, marker=marker, color=edge, markerfacecolor=face, markersize=5.5, zorder=3)


def _short_gain(x: float, task: str) -> str:
    return "0" if abs(x) < 1e-12 else gain(x, task).rstrip("0").removesuffix(".")


def _vote_legend(figure: Figure, lang: str) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], color=edge, marker=marker, markerfacecolor=face, markersize=5.5, linewidth=1.4)
        for edge, marker, face in _VOTES.values()
    ]
    legend(figure, marks, [word(f"vote_{v}", lang) for v in _VOTES])


def shift_plot(record: Record, lang: str = "en", most: int = 12) -> Figure:
    """The columns that differ most between the tables; filled where more than chance would explain.

    Raises
    ------
    NothingToShow
        (a ``ValueError``) if the record's check has no columns.
    """
    found = [(c, c.shift) for c in record.check.columns if known(c.shift)][:most]
    if not found:
        raise NothingToShow("a shift plot needs at least one column; the check of this run has none")
    # as high as it has rows, so that text keeps its size
    figure = blank(NARROW, 0.75 + 0.25 * len(found))
    (ax,) = panels(figure, 1, [shorten(c.column, _NAME) for c, _ in found], top=0.08, bottom=0.62)
    for y, (column, shift) in enumerate(found):
        face, edge = (MUTED, MUTED) if column.significant else (PAPER, EVEN)
        ax.barh(y, shift, height=0.6, facecolor=face, edgecolor=edge, zorder=2)
        tip = (shift, y)
        place: dict[str, Any] = {"xytext": (5, 0), "textcoords": "offset points", "va": "center"}
        ax.annotate(f"{shift:.2f}", tip, fontsize=SIZE - 1, color=MUTED, **place)
    ax.set_xlim(0, max(0.1, *(shift for _, shift in found)) * 1.12)
    ticks(ax, lambda x, _: number(round(x, 6)), count=6)
    _patch_legend(figure, lang)
    return figure


def _patch_legend(figure: Figure, lang: str) -> None:
    from matplotlib.patches import Patch

    marks = [Patch(facecolor=MUTED, edgecolor=MUTED), Patch(facecolor=PAPER, edgecolor=EVEN)]
    legend(figure, marks, [word("bar_sure", lang), word("bar_chance", lang)])


def shares_plot(record: Record, lang: str = "en", most: int = 12) -> Figure:
    """Class shares: in the source, estimated for the target, and as the chosen model predicts them.

    Raises
    ------
    NothingToShow
        (a ``ValueError``) if the run has no class shares (regression).
    """
    found = sorted(record.check.shares, key=lambda s: -max(s.source, s.target))[:most]
    if not found:
        raise NothingToShow("a class-share plot needs classes; this run has none")
    predicted = predicted_shares(record)
    figure = blank(NARROW, 0.85 + 0.36 * len(found))
    (ax,) = panels(figure, 1, [shorten(s.name, _NAME) for s in found], top=0.08, bottom=0.62)
    for y, share in enumerate(found):
        if known(share.low) and known(share.high):
            ax.plot([share.low, share.high], [y, y], color=TARGET, linewidth=1.6, zorder=2)
        ax.plot(share.source, y - 0.18, **mark("source"))
        ax.plot(share.target, y, **mark("target"))
        if share.name in predicted:
            ax.plot(predicted[share.name], y + 0.18, **mark("model"))
    ax.set_xlim(left=0)
    ticks(ax, lambda x, _: f"{x:.0%}", count=6)
    mark_legend(figure, ("source", "target", "model"), "share", lang)
    return figure


def predicted_shares(record: Record) -> dict[str, float]:
    """The class shares that the model whose predictions are handed out gives the target; empty where unknown."""
    row = record.row(record.verdict.model)
    return {} if row is None else dict(row.shares)


def maps_plot(record: Record, arrays: Mapping[str, Any], lang: str = "en") -> Figure:
    """Source and target rows on one map, before and (where there is one) after adapting, on shared axes.

    Parameters
    ----------
    record : Record
    arrays : mapping of str to array
        ``before_source``, ``before_target`` and optionally ``after_source``, ``after_target``, each (m, 2);
        ``classes_source`` (m,) puts the classes' names where their source rows lie.

    Raises
    ------
    NothingToShow
        (a ``ValueError``) if the arrays hold no map.
    """
    if "before_source" not in arrays:
        raise NothingToShow("a map needs the arrays before_source and before_target; this run has none")
    times = ["before", "after"] if "after_source" in arrays else ["before"]
    figure = blank(MIDDLE, 3.2)
    # shared axes: only then does it show whether the clouds have come together
    axes = figure.subplots(1, 2, sharex=True, sharey=True).tolist()
    for spare in axes[len(times) :]:
        spare.remove()
    figure.subplots_adjust(left=0.02, right=0.98, top=0.9, bottom=0.13, wspace=0.05)
    clouds = {key: np.asarray(arrays[key], dtype=float) for t in times for key in (f"{t}_source", f"{t}_target")}
    # single rows far out would press all others into one dot; they are drawn at the edge
    low, high = np.nanpercentile(np.vstack(list(clouds.values())), (0.25, 99.75), axis=0)
    for ax, time in zip(axes, times, strict=False):
        for side in ("source", "target"):
            points = np.clip(_thin(clouds[f"{time}_{side}"]), low, high)
            ax.plot(*points.T, **{**mark(side), "markersize": 4, "alpha": 0.65})
        _name_classes(ax, record, arrays, np.clip(clouds[f"{time}_source"], low, high))
        bare(ax)
        ax.set_title(word(f"map_{time}", lang), fontsize=SIZE, color=INK, loc="left")
    mark_legend(figure, ("source", "target"), "rows", lang)
    return figure


def _name_classes(ax: Axes, record: Record, arrays: Mapping[str, Any], points: Any, most: int = 12) -> None:
    """Each class's name at the median of its source rows; nothing where classes are many or unknown."""
    classes = record.task.classes or ()
    if not 0 < len(classes) <= most or "classes_source" not in arrays:
        return
    belongs = np.asarray(arrays["classes_source"])
    back = {"boxstyle": "round,pad=0.15", "facecolor": PAPER, "edgecolor": "none", "alpha": 0.8}
    for k in sorted(set(belongs.tolist()) & set(range(len(classes)))):
        # the median: single rows far out do not move the name
        x, y = np.median(points[belongs == k], axis=0)
        ax.text(x, y, literal(shorten(classes[k], 14)), color=INK, fontsize=SIZE, ha="center", va="center", bbox=back)


def weights_plot(arrays: Mapping[str, Any], lang: str = "en") -> Figure:
    """How evenly a weighing method uses the source rows: share of all weight held by the heaviest rows.

    Raises
    ------
    NothingToShow
        (a ``ValueError``) if the arrays hold no weights, or none above zero.
    """
    # the heaviest first: a Lorenz curve, turned round
    w = np.sort(np.asarray(arrays.get("weights", []), dtype=float))[::-1]
    if w.size == 0 or not w.sum() > 0:
        raise NothingToShow("a weights plot needs the array weights with a sum above 0; this run has none")
    held = np.concatenate([[0.0], np.cumsum(w) / w.sum()])
    rows = np.linspace(0, 1, held.size)
    # 200 points draw the curve of a million rows as well
    at = np.unique(np.linspace(0, held.size - 1, 200).astype(int))
    figure = blank(NARROW, 2.9)
    ax = figure.add_axes((0.12, 0.2, 0.83, 0.74))
    ax.plot([0, 1], [0, 1], color=EVEN, linewidth=1, linestyle="--", label=word("weights_even", lang))
    ax.plot(rows[at], held[at], color=SOURCE, linewidth=2, label=word("weights_here", lang))
    ax.set(xlim=(0, 1), ylim=(0, 1.01))
    ticks(ax, lambda x, _: f"{x:.0%}", count=6)
    ax.yaxis.set_major_formatter(lambda y, _: f"{y:.0%}")
    ax.set_xlabel(word("weights_x", lang), fontsize=SIZE - 0.5, color=MUTED)
    ax.legend(loc="lower right", frameon=False, fontsize=SIZE - 0.5, labelcolor=INK)
    return figure


def weighed_rows(arrays: Mapping[str, Any], most: int = 10) -> dict[str, Any] | None:
    """The heaviest and the lightest source rows, and how many rows of equal weight would carry as much.

    Returns
    -------
    dict or None
        ``heaviest`` and ``lightest``: (row, weight) pairs, rows counted from 0 through all sources in order;
        ``effective``: Kish's effective sample size, (sum w)^2 / sum w^2; ``total``: the number of rows. None without
        weights.
    """
    w = np.asarray(arrays.get("weights", []), dtype=float)
    if w.size == 0 or not w.sum() > 0:
        return None
    order = np.argsort(-w, kind="stable")
    # with few rows the two lists must not name the same ones
    most = min(most, w.size // 2)
    return {
        "heaviest": [(int(i), float(w[i])) for i in order[:most]],
        "lightest": [(int(i), float(w[i])) for i in order[::-1][:most]],
        "effective": float(w.sum() ** 2 / (w**2).sum()),
        "total": int(w.size),
    }


def _thin(points: Any) -> Any:
    """At most ``_MOST_POINTS`` rows, evenly spread, so that a page stays light."""
    return points[np.unique(np.linspace(0, len(points) - 1, _MOST_POINTS).astype(int))]
