"""What the commands show in a terminal: rich renderables that read well at 80 columns and without colour.

Names from strangers' files go in as plain ``Text``, never as markup, and all marks are ASCII, so that every terminal
can print them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from transfermap.messages import Note
from transfermap.report.phrases import (
    MISSING,
    bounds,
    called,
    chance,
    columns,
    fixed,
    gain,
    headline,
    next_steps,
    number,
    percent,
    posteriors,
    score,
    sentence,
    shorten,
    vote,
    word,
    word_or,
)
from transfermap.verdict.check.facts import Check, ClassShare, ColumnShift, SourceWorth
from transfermap.verdict.record import META_MODEL, Evidence, Oracle, Record, Row, Truth

_COLOURS = {"better": "green", "worse": "red", "use": "green", "stay": "blue", "unknown": "yellow"}
_LEVELS = {"info": "", "warn": "yellow", "stop": "bold red"}
_MOST_COLUMNS = 12
# a Chinese character, or a run of others up to a space, with the opening marks before and the closing marks behind it
_CJK = r"\u3000-\u9fff\uf900-\uffef"
_PIECES = re.compile(rf"\s*[（“《]*(?:[{_CJK}]|[^\s{_CJK}]+)[，。；：、）”》？！…]*\s*")
_VALIDATORS = ("source", META_MODEL, "importance", "reverse", "infomax")


def leaderboard_table(record: Record, lang: str = "en") -> RenderableType:
    """All methods of a run with the evidence for them; baselines first, the chosen one marked.

    Parameters
    ----------
    record : Record
    lang : {"en", "zh"}
        Language of the headings.
    """
    kind, rows = record.task.kind, record.leaderboard
    known = {v for row in rows for v in row.evidence}
    # the meta-model has taken the others in; all of them would not find room
    shown = [META_MODEL, "importance"] if META_MODEL in known else [v for v in _VALIDATORS[2:] if v in known]
    oracle = any(row.oracle is not None for row in rows)
    heads = ["score", *shown, "changed", *(["oracle"] if oracle else [])]
    rigid = [word(f"col_{head}", lang) for head in ("score", "infomax", "changed", "oracle")]
    table = _table(word("method", lang), *(word(f"col_{head}", lang) for head in heads), marked=True, rigid=rigid)
    for row in rows:
        bold = "bold" if row.method == record.verdict.model else ""
        cells = _cells(row, shown, kind, oracle, lang)
        table.add_row(_mark(row, record), Text(shorten(called(row, lang), 40)), *cells, style=bold)
    key = Text(word("board_key", lang) + "\n" + word(f"board_key_{kind}", lang), style="dim")
    return Group(Text(word("board_title", lang), style="bold"), table, key)


def _mark(row: Row, record: Record) -> Text:
    return Text(">" if row.method == record.verdict.model else "!" if row.risk else "")


def _cells(row: Row, shown: Iterable[str], kind: str, oracle: bool, lang: str) -> list[Text]:
    """One method's cells, in the order of the headings."""
    if row.status != "ok":
        return [Text(word(row.status, lang), style="dim")]
    cells = [_score_cell(row.evidence.get("importance"), kind)]
    cells += [_gain_cell(row, v, kind) for v in shown]
    cells.append(Text(percent(row.changed)))
    return cells + ([_score_cell(row.oracle, kind)] if oracle else [])


def _score_cell(found: Evidence | Oracle | None, kind: str) -> Text:
    return Text(score(None if found is None else found.value, kind).removesuffix("%"))


def _gain_cell(row: Row, validator: str, kind: str) -> Text:
    """A gain and its interval; InfoMax has its own unit, and only the gain finds room."""
    seen = row.evidence.get(validator)
    if seen is None:
        return Text(MISSING)
    style = _COLOURS.get(vote(row, validator), "")
    if validator == "infomax":
        return Text(gain(seen.gain, "regression"), style=style)
    ends = bounds(seen.gain_low, seen.gain_high, kind)
    return Text(f"{gain(seen.gain, kind)} {ends}".strip(), style=style)


def verdict_panel(record: Record, lang: str = "en") -> RenderableType:
    """The verdict in one sentence, the risk where there is one, the reasons, and what to do next."""
    verdict = record.verdict
    colour = _COLOURS[verdict.answer]
    parts: list[RenderableType] = [Prose(Text(headline(record, lang), style=f"bold {colour}"))]
    if verdict.risk:
        risk = word("labelled", lang, label=word("risk_title", lang), text=word("risk_body", lang))
        parts.append(Prose(Text(risk, style="bold red")))
    parts += [_item("-", sentence(note, lang)) for note in verdict.reasons]
    parts.append(Text(f"\n{word('next', lang)}", style="bold"))
    for n, step in enumerate(next_steps(record, lang), 1):
        parts.append(_item(f"{n}.", step["text"]))
        if step["command"]:
            parts.append(Padding(Text(step["command"], style="cyan"), (0, 0, 0, 3)))
    title = Text(word(f"answer_{verdict.answer}", lang))
    return Panel(Group(*parts), title=title, title_align="left", border_style=colour, box=box.ROUNDED)


def check_view(check: Check, lang: str = "en") -> RenderableType:
    """What differs between two tables: the findings in words, the columns ranked, the class shares."""
    parts: list[RenderableType] = [finding(note, lang) for note in (*check.notes, *check.reading)]
    if check.columns:
        parts += [Text(f"\n{word('columns_title', lang)}", style="bold"), _columns_table(check.columns, lang)]
    if check.shares:
        parts += [Text(f"\n{word('shares_title', lang)}", style="bold"), _shares_table(check.shares, lang)]
    if check.sources:
        parts += [Text(f"\n{word('sources_title', lang)}", style="bold"), _sources_table(check.sources, lang)]
    return Group(*parts)


def _columns_table(found: Sequence[ColumnShift], lang: str) -> RenderableType:
    kind = word("kind", lang)
    heads = (kind, word("shift", lang), "", word("carries", lang), word("col_missing", lang))
    table = _table(word("column", lang), *heads, left=(kind, ""), rigid=("",))
    for column in found[:_MOST_COLUMNS]:
        table.add_row(
            Text(shorten(column.column, 24)),
            Text(word_or(f"kind_{column.kind}", column.kind, lang)),
            Text(fixed(column.shift), style="bold" if column.significant else "dim"),
            Text(word("sure" if column.significant else "chance", lang), style="dim"),
            Text(fixed(column.carries)),
            Text(f"{percent(column.missing_source)} / {percent(column.missing_target)}"),
        )
    more = len(found) - _MOST_COLUMNS
    return Group(table, Text(word("more_columns_json", lang, count=more), style="dim")) if more > 0 else table


def _shares_table(shares: Iterable[ClassShare], lang: str) -> Table:
    table = _table(*(word(k, lang) for k in ("class", "share_source", "share_target")))
    for share in shares:
        ends = (share.low, share.high)
        interval = "" if None in ends else "[{},{}]".format(*(percent(x) for x in ends))
        target = Text(f"{percent(share.target)} {interval}")
        table.add_row(Text(shorten(share.name, 30)), Text(percent(share.source)), target)
    return table


def _sources_table(sources: Iterable[SourceWorth], lang: str) -> Table:
    table = _table(*(word(f"source_{k}", lang) for k in ("name", "rows", "useful", "quality", "distance")))
    for row in sources:
        useful = f"{fixed(row.useful)} [{fixed(row.low)},{fixed(row.high)}]"
        numbers = (number(row.rows), useful, fixed(row.quality), fixed(row.distance))
        table.add_row(Text(shorten(row.source, 30)), *(Text(x) for x in numbers))
    return table


def truth_view(truth: Truth, lang: str = "en") -> RenderableType:
    """The truth on labelled target rows: every method's score with its interval, and what follows from it.

    Parameters
    ----------
    truth : Truth
    lang : {"en", "zh"}
        Language.
    """
    metric = word_or(f"metric_{truth.metric}", truth.metric, lang)
    kind = "classification" if truth.metric == "accuracy" else "regression"
    table = _table(*(word(k, lang) for k in ("method", "truth_role", "truth_value", "truth_interval")))
    for row in truth.rows:
        role = Text(word_or(f"role_{row.role}", row.role, lang), style="dim")
        ends = bounds(row.low, row.high, kind, score)
        table.add_row(
            Text(shorten(called(row, lang), 40)), role, Text(score(row.value, kind), style="bold"), Text(ends)
        )
    title = Text(word("truth_title", lang, metric=metric, n=number(truth.n)), style="bold")
    parts = [title, table, *(finding(note, lang) for note in truth.notes)]
    return Group(*parts, *_updated_view(truth, kind, lang))


def _updated_view(truth: Truth, kind: str, lang: str) -> list[RenderableType]:
    """The updated verdict: what to do now, and each method's gain and chances, the most likely best first."""
    if truth.updated is None:
        return []
    table = _table(*(word(k, lang) for k in ("method", "truth_gain", "truth_better", "truth_best")))
    for row, found in posteriors(truth)[:_MOST_COLUMNS]:
        ends = bounds(found.gain_low, found.gain_high, kind)
        cells = (f"{gain(found.gain, kind)} {ends}", chance(found.better), chance(found.best))
        table.add_row(Text(shorten(called(row, lang), 40)), *map(Text, cells))
    said = [finding(note, lang) for note in truth.updated.notes]
    return [Text(f"\n{word('truth_now', lang)}", style="bold"), *said, table]


def _table(first: str, *heads: str, marked: bool = False, left: Sequence[str] = (), rigid: Sequence[str] = ()) -> Table:
    """A calm table: one rule under the heading, names left and free to wrap, figures right, marks before the names.

    The columns ``left`` hold words; those in ``rigid`` keep their figures on one line.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0, header_style="bold")
    if marked:
        table.add_column(width=1)
    table.add_column(Text(first), overflow="fold", min_width=12)
    for head in heads:
        table.add_column(
            Text(head), justify="left" if head in left else "right", no_wrap=head in rigid, overflow="fold"
        )
    return table


@dataclass(frozen=True)
class Prose:
    """Running text that breaks between Chinese characters too, never before a closing mark (rich: at spaces only)."""

    text: Text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        for line in self.text.divide(breaks(self.text.plain, options.max_width)):
            line.rstrip()
            yield line

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(16, options.max_width), min(columns(self.text.plain), options.max_width))


def breaks(text: str, width: int) -> list[int]:
    """Offsets at which lines of at most ``width`` columns begin, but the first.

    Examples
    --------
    >>> breaks("one two three", 8)
    [8]
    """
    offsets, filled = [], 0
    for piece in _PIECES.finditer(text):
        needs = columns(piece[0].rstrip())
        if filled and filled + needs > width:
            offsets.append(piece.start())
            filled = 0
        filled += columns(piece[0])
    return offsets


def _item(mark: str, text: str | Text) -> Table:
    """A list item whose lines hang under its first word."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_row(Text(mark), Prose(Text(text) if isinstance(text, str) else text))
    return grid


def finding(note: Note, lang: str) -> RenderableType:
    """A finding as a list item, its level said first where it asks for attention."""
    level, said = note.level, sentence(note, lang)
    if level == "info":
        return _item("-", said)
    label = word(f"level_{level}", lang)
    text = Text(word("labelled", lang, label=label, text=said))
    text.stylize(_LEVELS[level], 0, len(label))
    return _item("-", text)


def frame(record: Record) -> pd.DataFrame:
    """The leaderboard as a DataFrame, one row a method, in the record's order.

    Returns
    -------
    DataFrame
        ``method name role status``, each validator's score, gain and interval, ``ess agreement changed supported risk
        seconds``, and ``oracle`` with its interval where target labels were known.
    """
    oracle = ("value", "low", "high") if any(row.oracle is not None for row in record.leaderboard) else ()
    return pd.DataFrame([_flat(row) | _part("oracle", row.oracle, oracle) for row in record.leaderboard])


def _flat(row: Row) -> dict[str, Any]:
    flat: dict[str, Any] = {key: getattr(row, key) for key in ("method", "name", "role", "status")}
    for validator in _VALIDATORS:
        parts = ("value", "low", "high") if validator == "source" else ("value", "gain", "gain_low", "gain_high")
        flat |= _part(validator, row.evidence.get(validator), parts)
    return flat | {key: getattr(row, key) for key in ("ess", "agreement", "changed", "supported", "risk", "seconds")}


def _part(name: str, seen: Evidence | Oracle | None, parts: Iterable[str]) -> dict[str, float]:
    """``name`` for the value itself, ``name_gain`` and so on for the rest; NaN where it was not measured."""
    found = {part: getattr(seen, part, None) for part in parts}
    return {
        name if part == "value" else f"{name}_{part}": float("nan") if x is None else float(x)
        for part, x in found.items()
    }
