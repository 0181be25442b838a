"""What happened while a net was trained: the terms of its loss, and how often its discriminator was right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from transfermap.report.phrases import word
from transfermap.report.plots.drawing import (
    BETTER,
    EVEN,
    INK,
    MUTED,
    SIZE,
    SOURCE,
    TARGET,
    WORSE,
    blank,
    literal,
    ticks,
)
from transfermap.report.plots.run_plots import NothingToShow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACCURACY, SHARE = "accuracy", "share of class "
_LINES = [(SOURCE, "-"), (TARGET, "--"), (BETTER, "-."), (WORSE, ":"), (EVEN, "-"), (INK, "--")]
_SURE = 0.98  # right so often, its gradient says next to nothing


def training_plot(arrays: Mapping[str, Any], lang: str = "en") -> Figure:
    """The terms of the loss over the steps, and below them each class's share of the target and what is an accuracy.

    Raises
    ------
    NothingToShow
        (a ``ValueError``) if the arrays hold no curves.
    """
    names, table = [str(n) for n in arrays.get("curve_names", [])], np.asarray(arrays.get("curves", np.empty((0, 1))))
    if not names or len(table) < 2:
        raise NothingToShow("a training plot needs the arrays curve_names and curves; this run has none")
    accurate, shares = [n for n in names if ACCURACY in n], [n for n in names if n.startswith(SHARE)]
    terms = [n for n in names if n not in (*accurate, *shares)]
    groups = [g for g in (terms, _largest_first(shares, names, table), accurate) if g]
    figure = blank(6.2, 0.5 + 1.9 * len(groups))
    axes = figure.subplots(len(groups), 1, sharex=True, squeeze=False)[:, 0]
    for ax, group in zip(axes, groups, strict=True):
        for at, name in enumerate(group):
            values = smooth(table[:, 1 + names.index(name)])
            # those beyond the first few are drawn, but have no name
            (color, line), label = (_LINES[at], literal(name)) if at < len(_LINES) else ((EVEN, "-"), None)
            ax.plot(table[:, 0], values, line, color=color, linewidth=1.6 if label else 0.7, label=label)
        ax.legend(loc="upper right", frameon=False, fontsize=SIZE - 1, labelcolor=INK, ncols=3)
        if group is accurate:
            # a discriminator that guesses: what adversarial methods aim at
            ax.axhline(0.5, color=EVEN, linewidth=0.8)
            # above one there is room for the legend
            ax.set_ylim(0, 1.25)
    ticks(axes[-1], lambda x, _: f"{x:,.0f}", count=5)
    axes[-1].set_xlabel(word("training_x", lang), fontsize=SIZE - 0.5, color=MUTED)
    figure.subplots_adjust(0.11, 0.5 / (0.5 + 1.9 * len(groups)), 0.97, 0.96, hspace=0.12)
    return figure


def _largest_first(shares: list[str], names: list[str], table: Any) -> list[str]:
    """The classes' shares in the order in which they end."""
    return sorted(shares, key=lambda n: -table[-1, 1 + names.index(n)])


def discriminator_won(arrays: Mapping[str, Any]) -> bool:
    """Whether the discriminator hardly erred at the end: its gradient then says little."""
    names, table = [str(n) for n in arrays.get("curve_names", [])], np.asarray(arrays.get("curves", np.empty((0, 1))))
    accuracies = [
        # the last tenth: single batches say little
        table[-max(len(table) // 10, 1) :, 1 + i]
        for i, n in enumerate(names)
        if n.startswith("discriminator accuracy")
    ]
    return any(float(np.nanmean(t)) > _SURE for t in accuracies if np.isfinite(t).any())


def smooth(values: Any, share: int = 25) -> Any:
    """A running mean over a 25th of the points: single batches say little."""
    width = max(1, len(values) // share)
    # terms of a later stage have no value before it; the mean is over what is there
    known = np.where(np.isfinite(values), values, 0.0)
    weight = np.convolve(np.isfinite(values).astype(float), np.ones(width), "same")
    return np.convolve(known, np.ones(width), "same") / np.where(weight > 0, weight, np.nan)
