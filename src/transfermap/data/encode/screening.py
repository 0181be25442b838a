"""What is to be said about the columns of a table before it is encoded."""

from __future__ import annotations

from typing import Any

from transfermap.data.tables.schema import USELESS, Schema
from transfermap.messages import Note


def screened(schema: Schema) -> list[Note]:
    """The findings; which columns are used says :attr:`transfermap.data.tables.schema.Schema.used`.

    Raises
    ------
    ValueError
        If no column can be used.
    """
    if not schema.used:
        raise ValueError(f"no column can be used: {_listing(schema)}")
    absent = [_note(why, schema.named(why=why)) for why in (*USELESS, "source_only", "target_only", "target_empty")]
    absent.append(_note("target_unreadable", schema.named(why="target_unreadable"), "warn"))
    infinite = {c.name: c.infinite for c in schema.columns if c.infinite}
    unread = {c.name: c.unread for c in schema.columns if c.unread}
    lost = [
        _note(what, list(many), "warn", count=sum(many.values()))
        for what, many in (("infinite", infinite), ("unread", unread))
    ]
    return [note for note in (*absent, *lost) if note]


def _note(what: str, columns: list[str], level: Any = "info", **values: Any) -> Note | None:
    return Note(f"table.{what}", level, {"columns": columns, **values}) if columns else None


def _listing(schema: Schema) -> str:
    shown = [f"{name} is {kind}" for name, kind in list(schema.kinds.items())[:10]]
    return ", ".join(shown) or "the table has no columns"
