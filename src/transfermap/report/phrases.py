"""Numbers, names and notes as people read them; shared by the page, the plots and the terminal."""

from __future__ import annotations

import math
import shlex
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeGuard

from transfermap.messages import Note, catalogue, say
from transfermap.verdict.record import FewLabelsRow, Posterior, Record, Row, Truth, TruthRow

MISSING = "-"
_BIDI = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def absent(x: Any) -> bool:
    """Whether there is no number to show: None, NaN, or the endless bound of an interval from too few rows."""
    return x is None or not math.isfinite(x)


def known(x: float | None) -> TypeGuard[float]:
    """Whether there is a number to show."""
    return not absent(x)


def number(x: float | None) -> str:
    """A number with three significant digits; whole numbers in full, with thousands separated.

    Examples
    --------
    >>> number(12000), number(0.12345), number(None)
    ('12,000', '0.123', '-')
    """
    if x is None or absent(x):
        return MISSING
    return f"{x:,.0f}" if x == int(x) or abs(x) >= 100 else f"{x:.3g}"


def fixed(x: float | None) -> str:
    """A number with two decimals, for columns of numbers of one kind."""
    return MISSING if x is None or absent(x) else f"{x:.2f}"


def percent(x: float | None) -> str:
    """A share as a percentage with one decimal.

    Examples
    --------
    >>> percent(0.8123), percent(0.0002), percent(1.0)
    ('81.2%', '<0.1%', '100%')
    """
    if x is None or absent(x):
        return MISSING
    if x in (0, 1):
        return f"{x:.0%}"
    return "<0.1%" if 0 < x < 0.0005 else f"{x:.1%}"


def chance(x: float) -> str:
    """A chance in whole percent; never quite 0 or 1.

    Examples
    --------
    >>> chance(0.954), chance(0.999), chance(0.0)
    ('95%', '>99%', '<1%')
    """
    return ">99%" if x > 0.99 else "<1%" if x < 0.01 else f"{x:.0%}"


def posteriors(truth: Truth) -> list[tuple[TruthRow, Posterior]]:
    """The methods of which labels say how likely they are the best, the likeliest first."""
    rows = [(row, row.posterior) for row in truth.rows if row.posterior is not None]
    return sorted(rows, key=lambda pair: -pair[1].best)


def score(x: float | None, task: str) -> str:
    """A score: the share of right predictions (classification) or R2 (regression)."""
    return percent(x) if task == "classification" else MISSING if x is None or absent(x) else f"{x:.3f}"


def gain(x: float | None, task: str) -> str:
    """A difference of two scores, with its sign: percentage points (classification) or R2 (regression).

    Examples
    --------
    >>> gain(0.031, "classification"), gain(-0.031, "regression")
    ('+3.1', '-0.031')
    """
    if x is None or absent(x):
        return MISSING
    return f"{100 * x:+z.1f}" if task == "classification" else f"{x:+z.3f}"


def bounds(low: float | None, high: float | None, task: str, shape: Any = gain) -> str:
    """An interval as ``[low,high]``; empty where an end is missing."""
    if low is None or high is None or absent(low) or absent(high):
        return ""
    ends = (shape(x, task).removeprefix("+").removesuffix("%") for x in (low, high))
    return "[{},{}]".format(*ends)


def plain(text: object) -> str:
    """A stranger's name without characters that steer a terminal, break XML or turn the reading direction round.

    Examples
    --------
    >>> plain("a\\x1b[31mb")
    'a [31mb'
    """
    kinds = ((c, unicodedata.category(c)) for c in str(text))
    return "".join(" " if kind in ("Cc", "Cs") else c for c, kind in kinds if c not in _BIDI)


def columns(text: str) -> int:
    """How many terminal columns a text takes: two for each Chinese, Japanese or Korean character."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def shorten(text: object, most: int = 24) -> str:
    """A name cut to ``most`` columns, with an ellipsis where something was cut."""
    name = plain(text)
    if columns(name) <= most:
        return name
    while columns(name) >= most:
        name = name[:-1]
    return name + "…"


def sentence(note: Note | None, lang: str) -> str:
    """What a note says; one that this version has no words for shows its code and values."""
    if note is None:
        return ""
    try:
        return plain(replace(note, values=_called(note.values, lang)).say(lang))
    except (KeyError, IndexError, ValueError, TypeError):
        values = ", ".join(f"{k} = {v}" for k, v in note.values.items())
        return plain(f"{note.code} ({values})" if values else note.code)


def _called(values: Mapping[str, Any], lang: str) -> dict[str, Any]:
    """The values of a note, its validators and its method called as the tables call them."""
    named, said = values.get("validators", ()), dict(values)
    if named:
        said["validators"] = [word_or(f"v_{v}", v, lang) for v in named]
    if "method" in values:
        said["method"] = _method(values["method"], lang)
    return said


def _method(name: object, lang: str) -> object:
    """A method's name in ``lang``; ensembles and guessing, which have no card, stand in notes by their English name."""
    named = (key for key, text in catalogue("en").items() if key.startswith("report.name_") and text == name)
    key = next(named, None)
    return name if key is None else catalogue(lang)[key]


def word(key: str, lang: str, **values: Any) -> str:
    """The report's own phrase ``key``."""
    return say(f"report.{key}", lang, **{name: plain(value) for name, value in values.items()})


def word_or(key: str, default: object, lang: str) -> str:
    """The report's own phrase ``key``, or ``default`` where the catalogue has none (a kind that is new)."""
    return catalogue(lang).get(f"report.{key}", plain(default))


def called(row: Row | TruthRow | FewLabelsRow, lang: str) -> str:
    """What the method of a leaderboard's row is called: its card's name; guessing, which has no card, in words."""
    return word_or(f"name_{row.method}", row.name, lang)


def names(record: Record, lang: str) -> dict[str, str]:
    """What each method of a run is called, by key."""
    rows: tuple[Row | FewLabelsRow, ...] = (*record.leaderboard, *record.few_labels)
    return {row.method: called(row, lang) for row in rows}


def headline(record: Record, lang: str) -> str:
    """The verdict in one plain sentence."""
    verdict, task = record.verdict, record.task
    name = names(record, lang).get(verdict.method, verdict.method)
    return word(f"headline_{verdict.answer}", lang, name=name, target=task.target_name, label=task.label)


def vote(row: Row, validator: str) -> str:
    """What a validator says of a method: "better", "even", "worse", or "" where it says nothing."""
    return row.votes.get(validator, "")


def steadiness(agreement: float | None, task: str) -> str:
    """Share of predictions that change over resamples (classes), or how alike their order stays (numbers)."""
    if agreement is None or absent(agreement):
        return MISSING
    return percent(1 - agreement) if task == "classification" else f"{agreement:.2f}"


def next_steps(record: Record, lang: str) -> list[dict[str, str]]:
    """What to do next, the most useful first: a sentence and, where there is one, the command."""
    folder, verdict = run_folder(record.command), record.verdict
    run, filled = shlex.quote(folder), shlex.quote(f"{folder}/label_me.csv")
    rows = "new.csv" if record.images is None else "NEW_FOLDER"
    predict = {"text": word("next_predict", lang), "command": f"transfermap predict {run} {rows} -o out.csv"}
    verify = {"text": word("next_label", lang), "command": f"transfermap verify {run} {filled}"}
    if verdict.answer == "unknown":
        verify["text"], predict["text"] = word("next_label_first", lang), word("next_predict_provisional", lang)
        steps = [verify, predict]
    else:
        steps = [predict, verify]
    if verdict.risk:
        steps.append({"text": word("next_risk", lang), "command": ""})
    if count := record.untrusted.count:
        steps.append({"text": word("next_untrusted", lang, count=number(count)), "command": ""})
    return steps


def run_folder(command: str) -> str:
    """The folder that a command wrote to (``-o``), or RUN where it names none."""
    try:
        parts = shlex.split(command)
    except ValueError:
        parts = command.split()
    return next((b for a, b in pairwise(parts) if a in ("-o", "--out", "--output")), "RUN")
