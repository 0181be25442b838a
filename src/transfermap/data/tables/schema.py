"""What the columns of two tables hold, how they are written and what they are used for: found out once, and kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from transfermap.data.images.grids import points_of
from transfermap.data.tables.columns import Inferred, Kind, coerced, infer_all, is_numeric, number_block, unread
from transfermap.data.tables.numerals import PLAIN
from transfermap.data.tables.spelling import MISSING, words

Role = Literal["feature", "label", "group", "domain", "id", "unused"]
# kinds of the source's columns that say nothing of its rows
USELESS: tuple[Kind, ...] = ("constant", "identifier", "empty")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the source, or one that only the target has.

    Attributes
    ----------
    name : str
    kind : str, or None
        What the source's cells hold (:func:`transfermap.data.tables.columns.infer`); None: not looked at.
    style : str
        How the source writes its numbers or dates; "" where there is nothing to settle.
    role : {"feature", "label", "group", "domain", "id", "unused"}
    why : str
        Why it is no feature: "constant", "identifier", "empty", "source_only", "target_only", "target_empty",
        "target_unreadable" or "label_in_disguise"; "" for those that have another role.
    unread, infinite : int
        Cells of the source that are there and no number or date, and infinite ones; both count as missing.
    """

    name: str
    kind: Kind | None = None
    style: str = ""
    role: Role = "feature"
    why: str = ""
    unread: int = 0
    infinite: int = 0

    @property
    def form(self) -> Kind:
        """The kind as which its cells are read: a number that never changes is read as one."""
        assert self.kind is not None, f"nobody has looked at the column {self.name!r}"
        return "number" if self.kind == "constant" and self.style else self.kind


@dataclass(frozen=True)
class Schema:
    """The columns, and the words that stand for a missing value.

    Examples
    --------
    >>> import pandas as pd
    >>> from transfermap.data.tables.schema import read_cells
    >>> schema = read_cells(pd.DataFrame({"age": ["30", "40", "x"] * 9, "city": ["Rome"] * 27})).schema
    >>> [(c.name, c.kind, c.role, c.why) for c in schema.columns]
    [('age', 'category', 'feature', ''), ('city', 'constant', 'unused', 'constant')]
    >>> Schema.from_dict(schema.to_dict()) == schema
    True
    """

    columns: tuple[Column, ...] = ()
    missing: tuple[str, ...] = tuple(sorted(MISSING))

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    def __getitem__(self, name: str) -> Column:
        return self._by_name[name]

    @property
    def kinds(self) -> dict[str, Kind]:
        """What each column holds that was looked at."""
        return {c.name: c.kind for c in self.columns if c.kind is not None}

    @property
    def used(self) -> dict[str, Kind]:
        """The features, with their kinds."""
        return {c.name: c.kind for c in self.columns if c.kind is not None and c.role == "feature"}

    @property
    def styles(self) -> dict[str, str]:
        """How the features are written."""
        return {c.name: c.style for c in self.columns if c.role == "feature"}

    def named(self, *, why: str) -> list[str]:
        """The columns that are no feature for this reason."""
        return [c.name for c in self.columns if c.why == why]

    def read(self, table: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
        """Columns of a table, each cell in the form of its column's kind; what cannot be read so is missing."""
        chosen = [self[name] for name in names]
        return coerced(table, {c.name: c.form for c in chosen}, {c.name: c.style for c in chosen})

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON and TOML can hold: what is not said of a column is left out."""
        plain = [{k: v for k, v in asdict(column).items() if v not in (None, "", 0)} for column in self.columns]
        return {"missing": list(self.missing), "columns": plain}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Schema:
        """The schema of such values.

        Raises
        ------
        ValueError
            If they are none.
        """
        try:
            columns = tuple(Column(**column) for column in values["columns"])
            found = cls(columns, tuple(values["missing"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"expected the missing-value words and the columns of a schema; {error}") from None
        for column in columns:
            if column.kind not in (None, *get_args(Kind)) or column.role not in get_args(Role):
                raise ValueError(f"the column {column.name!r} has no kind {column.kind!r} or no role {column.role!r}")
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Two tables whose cells stand in the form of their columns' kinds.

    Attributes
    ----------
    schema : Schema
        Of these two tables alone.
    source : DataFrame of shape (n_source, columns)
        float64 for numbers (never infinite) and flags, times for dates, else strings ("" is missing).
    target : DataFrame of shape (n_target, columns), or None
    written : tuple of DataFrame
        The tables that these are the cells of, as they came.
    """

    schema: Schema
    source: pd.DataFrame
    target: pd.DataFrame | None = None
    written: tuple[pd.DataFrame, pd.DataFrame | None] | None = None

    def are_of(self, source: pd.DataFrame, target: pd.DataFrame | None) -> bool:
        """Whether these are the cells of just these tables, and of no others that look alike."""
        return self.written is not None and self.written[0] is source and self.written[1] is target


def read_cells(
    source: pd.DataFrame, target: pd.DataFrame | None = None, inferred: Mapping[str, Inferred] | None = None
) -> Cells:
    """Find out what the columns hold, and read every cell: both once.

    The source settles kinds and styles, so that "1.234" does not change its meaning in between; the target says which
    columns both have, and which of them have no cell there or none that can be read as the source's kind.

    Parameters
    ----------
    source : DataFrame of shape (n_source, columns)
    target : DataFrame of shape (n_target, columns'), optional
    inferred : mapping, optional
        What the source's columns hold, where that is known already.
    """
    found = dict(infer_all(source) if inferred is None else inferred)
    whole = _whole_image(found, target)
    common = [name for name in found if target is None or name in target]
    kinds = found | {name: Inferred("number", found[name].style or PLAIN) for name in whole}
    looked_at = Schema(tuple(Column(name, *kinds[name]) for name in found))
    ours = looked_at.read(source, common)
    theirs = None if target is None else looked_at.read(target, common)
    if theirs is not None and whole and bool(theirs[whole].isna().all(axis=None)):
        # no image is there: what varies in the source is as useless as what does not
        looked_at, whole = Schema(tuple(Column(name, *found[name]) for name in found)), []
    roles = [_with_role(c, target, theirs, whole) for c in looked_at.columns]
    columns = _with_losses(roles, source, ours)
    alone = [] if target is None else [str(name) for name in target if name not in found]
    columns += [Column(name, role="unused", why="target_only") for name in alone]
    return Cells(Schema(tuple(columns)), ours, theirs, (source, target))


def _whole_image(found: Mapping[str, Inferred], target: pd.DataFrame | None) -> list[str]:
    """The points of images that both sides have: all of them are used, also those that never change."""
    points = points_of(found)
    there = any(found[name].kind == "number" for name in points)
    return points if there and (target is None or points == points_of(target.columns)) else []


def _with_role(
    column: Column, target: pd.DataFrame | None, cells: pd.DataFrame | None, whole: Collection[str]
) -> Column:
    if column.kind in USELESS:
        return replace(column, role="id" if column.kind == "identifier" else "unused", why=column.kind)
    why = "" if target is None or column.name in whole else _absence(column.name, target, cells)
    return replace(column, role="unused", why=why) if why else column


def _absence(name: str, target: pd.DataFrame, cells: pd.DataFrame | None) -> str:
    """Why the target has nothing for this column; "" where it has."""
    if name not in target or cells is None:
        return "source_only"
    column = cells[name]
    if not bool((column == "").all() if column.dtype == object else column.isna().all()):
        return ""
    # as words nothing is foreign: what is missing then is really not there
    return "target_empty" if words(target[name]).null_count == len(target) else "target_unreadable"


def _with_losses(columns: Sequence[Column], source: pd.DataFrame, cells: pd.DataFrame) -> list[Column]:
    """The columns with the number of their cells that are lost in reading the source."""
    measured = [c.name for c in columns if c.role == "feature" and c.kind in ("number", "date")]
    numeric = [name for name in measured if is_numeric(source[name].dtype)]
    infinite = dict(zip(numeric, np.isinf(number_block(source, numeric)).sum(axis=0).tolist(), strict=True))
    lost = {name: unread(source[name], cells[name]) for name in measured if name not in infinite}
    return [replace(c, infinite=infinite.get(c.name, 0), unread=lost.get(c.name, 0)) for c in columns]
