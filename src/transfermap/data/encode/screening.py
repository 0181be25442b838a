"""Which columns of a table can be used, what each holds, and what is to be said about the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from transfermap.data.images.grids import grey_values, points_of
from transfermap.data.tables.columns import Kind, coerced, is_numeric, kinds_of, number_block, style_of, unread
from transfermap.messages import Note

_UNUSED: tuple[Kind, ...] = ("constant", "identifier", "empty")


@dataclass(frozen=True, slots=True)
class Screened:
    """What each source column holds, the columns that can be used, how they are written, and the findings."""

    kinds: Mapping[str, Kind]
    used: Mapping[str, Kind]
    styles: Mapping[str, str]
    notes: tuple[Note, ...]


def screen(source: pd.DataFrame, target: pd.DataFrame | None = None) -> Screened:
    """Look the columns over; the target only says which columns it has and which are wholly missing there.

    Raises
    ------
    ValueError
        If no column can be used.
    """
    kinds = kinds_of(source)
    whole = _whole_image(kinds, target)
    kinds |= dict.fromkeys(whole, "number")
    notes = [_note(kind, [n for n, found in kinds.items() if found == kind]) for kind in _UNUSED]
    used = {name: kind for name, kind in kinds.items() if kind not in _UNUSED}
    if target is not None:
        notes += [
            _note("source_only", [n for n in kinds if n not in target]),
            _note("target_only", [str(n) for n in target if n not in kinds]),
        ]
        used = {name: kind for name, kind in used.items() if name in target}
    # the source's way of writing holds for the target too: "1.234" must not change its meaning in between
    styles = {name: style_of(source[name], kind) for name, kind in used.items()}
    if target is not None:
        empty, foreign = _absent_in(target, {n: kind for n, kind in used.items() if n not in whole}, styles)
        notes += [_note("target_empty", empty), _note("target_unreadable", foreign, "warn")]
        used = {name: kind for name, kind in used.items() if name not in {*empty, *foreign}}
    if not used:
        raise ValueError(f"no column can be used: {_listing(kinds)}")
    notes += [_infinite(source, used), _unread(source, used, styles)]
    return Screened(kinds, used, styles, tuple(note for note in notes if note))


def _whole_image(kinds: Mapping[str, Kind], target: pd.DataFrame | None) -> set[str]:
    """The points of images that both sides have: all of them are used, also those that never change."""
    points = points_of(kinds)
    there = any(kinds[name] == "number" for name in points)
    if there and target is not None:
        there = points == points_of(target.columns) and not bool(np.isnan(grey_values(target)).all())
    return set(points) if there else set()


def _absent_in(
    target: pd.DataFrame, used: Mapping[str, Kind], styles: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Columns without a cell in the target, and columns with cells of which none can be read as the source's kind."""
    done = coerced(target, used, styles)
    gone = [name for name in used if _all_missing(done[name])]
    # read as words nothing is foreign: what is missing then is really not there
    empty = [name for name in gone if _all_missing(coerced(target[[name]], {name: "category"}, {})[name])]
    return empty, [name for name in gone if name not in set(empty)]


def _all_missing(column: pd.Series[Any]) -> bool:
    return bool((column == "").all() if column.dtype == object else column.isna().all())


def _infinite(source: pd.DataFrame, used: Mapping[str, Kind]) -> Note | None:
    numeric = [name for name, kind in used.items() if kind == "number" and is_numeric(source[name].dtype)]
    many = np.isinf(number_block(source, numeric)).sum(axis=0)
    names = [name for name, count in zip(numeric, many, strict=True) if count]
    return _note("infinite", names, "warn", count=int(many.sum()))


def _unread(source: pd.DataFrame, used: Mapping[str, Kind], styles: Mapping[str, str]) -> Note | None:
    """Cells of number and date columns that are no number or date."""
    written = {n: k for n, k in used.items() if k in ("number", "date") and not is_numeric(source[n].dtype)}
    done = coerced(source, written, styles)
    many = {name: unread(source[name], done[name]) for name in written}
    names = [name for name, count in many.items() if count]
    return _note("unread", names, "warn", count=sum(many.values()))


def _note(what: str, columns: list[str], level: Any = "info", **values: Any) -> Note | None:
    return Note(f"table.{what}", level, {"columns": columns, **values}) if columns else None


def _listing(kinds: Mapping[str, Kind]) -> str:
    shown = [f"{name} is {kind}" for name, kind in list(kinds.items())[:10]]
    return ", ".join(shown) or "the table has no columns"
