"""A published table in the terminal: ours above the paper's, and how many tasks agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from rich.text import Text

AGREE = 0.11  # percentage points: one row of the smallest target may flip on a tie, and figures are printed rounded
_LABEL, _CELL = 7, 6


def table_view(title: str, protocol: str, rows: Iterable[dict[str, Any]], width: int = 80) -> Text:
    """Cells (``method``, ``task``, ``ours``, ``paper``, ``rerun``), a method a block, a task a column.

    A figure that agrees with the paper's (:func:`agrees`) is green, another red; a baseline has none to compare with.
    """
    text = Text(f"{title}\n", style="bold")
    text.append(" ".join(protocol.split()) + "\n", style="dim")
    fit = max((width - _LABEL) // _CELL, 1)
    for name, group in groupby(rows, key=lambda cell: cell["method"]):
        cells = list(group)
        text.append(f"\n{name}", style="bold").append(_verdict(cells) + "\n", style="default")
        for start in range(0, len(cells), fit):
            _block(text, cells[start : start + fit])
    return text


def agrees(ours: float, paper: float | None, error: float = 0.0) -> bool:
    """Whether a figure is the published one, but for one row and rounding.

    ``error`` is the standard error over draws: two means of as many draws differ by chance with sqrt(2) times that.
    """
    return paper is not None and abs(ours - paper) <= max(AGREE + 1e-9, 2 * 2**0.5 * error)


def _verdict(cells: Sequence[dict[str, Any]]) -> str:
    """The means, and how many tasks agree."""
    parts = [f"mean {_mean(cells, 'ours')}"]
    parts += [f"{side} {_mean(cells, side)}" for side in ("paper", "rerun") if all(c[side] is not None for c in cells)]
    known = [c for c in cells if c["paper"] is not None]
    if known:
        parts.append(f"{sum(agrees(c['ours'], c['paper'], c['error']) for c in known)} of {len(known)} tasks agree")
    return ": " + ", ".join(parts)


def _mean(cells: Sequence[dict[str, Any]], side: str) -> str:
    return f"{sum(c[side] for c in cells) / len(cells):.2f}"


def _block(text: Text, cells: Sequence[dict[str, Any]]) -> None:
    wide = max(_CELL, *(len(c["task"]) + 1 for c in cells))
    text.append(" " * _LABEL + "".join(f"{c['task']:>{wide}}" for c in cells) + "\n", style="dim")
    for side in ("ours", "paper", "rerun"):
        if all(c[side] is None for c in cells):
            continue
        text.append(f"{side:{_LABEL}}", style="default")
        for c in cells:
            said = "-" if c[side] is None else f"{c[side]:.2f}"
            text.append(f"{said:>{wide}}", style=_colour(c) if side == "ours" else "default")
        text.append("\n")


def _colour(cell: dict[str, Any]) -> str:
    if cell["paper"] is None:
        return "default"
    return "green" if agrees(cell["ours"], cell["paper"], cell["error"]) else "red"
