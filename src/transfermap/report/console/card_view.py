"""One method's card, for a reader in the terminal and for a machine."""

from __future__ import annotations

import inspect
import re
from dataclasses import asdict, fields
from doctest import DocTestParser
from typing import Any, NamedTuple

from rich.console import Group
from rich.table import Table
from rich.text import Text

from transfermap.card import Card, find, tools
from transfermap.map import Entry, url
from transfermap.messages import say
from transfermap.report.map_words import family_title, said

ROLES = ("adapter", "weigher", "learner", "objective")
CODE = ("field_loss", "field_code", "field_example")


class Row(NamedTuple):
    """A row of a card: its label, its lines, and whether they are code or mathematics, to be set as they stand."""

    label: str
    lines: list[str]
    code: bool = False


class Written(NamedTuple):
    """Where a method or tool is written: module, name of the class or function, docstring."""

    module: str
    name: str
    doc: str

    @classmethod
    def of(cls, key: str) -> Written:
        """By its key. A tool's file is not imported."""
        if key in tools():
            tool = tools()[key]
            return cls(tool.module, tool.name, tool.doc)
        found = find(key)
        return cls(found.__module__, found.__name__, inspect.getdoc(found) or "")

    @property
    def idea(self) -> str:
        """The docstring's first sentence."""
        return " ".join(self.doc.split("\n\n")[0].split())

    @property
    def door(self) -> str:
        """The line that imports it."""
        return f"from transfermap import {self.name}"

    @property
    def file(self) -> str:
        """The file it lies in."""
        return self.module.replace(".", "/") + ".py"

    @property
    def example(self) -> str:
        """The docstring's example, with the import that makes it run anywhere."""
        lines = [f">>> {self.door}"]
        for e in DocTestParser().get_examples(self.doc):
            first, *more = e.source.rstrip("\n").split("\n")
            lines += [f">>> {first}", *(f"... {line}" for line in more), *e.want.splitlines()]
        return "\n".join(lines)


def card_json(found: Card | Entry) -> dict[str, Any]:
    """A card as JSON can hold it; of a planned method what the map knows of it.

    Examples
    --------
    >>> from transfermap.map import lookup
    >>> card_json(lookup("coral"))["paper"]["url"]
    'https://doi.org/10.1609/aaai.v30i1.10306'
    """
    if isinstance(found, Entry):
        return asdict(found) | {"url": url(found.doi)}
    written = Written.of(found.key)
    return {
        "key": found.key,
        "built": True,
        "category": {"transfers": found.transfers, "family": found.family},
        "method": {"name": found.name, "year": found.year, "idea": written.idea},
        "data": {
            "setting": found.setting,
            "label_sets": found.label_sets,
            "tasks": list(found.tasks),
            "reads": {"labels": found.reads, "side": found.side or None},
            "needs": list(found.needs),
        },
        "architecture": say(f"map.role_{_role(found)}"),
        "procedure": list(found.steps),
        "loss": found.objective,
        "training": {"solver": found.solver, "cost": found.cost},
        "paper": {"reference": found.reference, "doi": found.doi, "url": url(found.doi)},
        "code": {"name": f"{written.module}.{written.name}", "import": written.door, "file": written.file},
        "command": found.command or None,
        "assumes": list(found.assumes),
        "fails_when": list(found.fails_when),
        "params": params(found.key),
        "example": written.example,
    }


def card_text(found: Card | Entry, lang: str = "en") -> Group:
    """A card for rich to print: the nine fields of the template, assumptions, failures, settings, and an example."""
    built = isinstance(found, Card)
    head = Text.assemble((found.key, "bold green" if built else "bold"), "  ", (found.name, "bold"), f", {found.year}")
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    rows = card_rows(found, lang)
    for row in rows[:-1] if built else rows:
        grid.add_row(Text(row.label, "bold"), Text("\n".join(row.lines)))
    # the example below the table, as wide as the terminal is: code should not be broken
    shown = [Text(), Text(rows[-1].label, "bold"), Text("\n".join(rows[-1].lines))] if built else []
    return Group(head, Text(), grid, *shown)


def card_rows(found: Card | Entry, lang: str = "en") -> list[Row]:
    """The rows of a card, with labels in ``lang``."""
    rows = _listed_rows(found, lang) if isinstance(found, Entry) else _built_rows(found, lang)
    return [Row(say(f"map.{field}", lang), lines, field in CODE) for field, lines in rows]


def _listed_rows(e: Entry, lang: str) -> list[tuple[str, list[str]]]:
    link = url(e.doi)
    return [
        ("state", [say("map.planned_note", lang)]),
        ("field_category", [_category(e, lang)]),
        ("field_data", _data(e, lang)),
        ("field_paper", [e.reference, *([link] if link else [])]),
    ]


def _built_rows(card: Card, lang: str) -> list[tuple[str, list[str]]]:
    written = Written.of(card.key)
    tasks = [say("map.words", lang, words=[said("task", t, lang) for t in card.tasks])] if card.tasks else []
    return [
        ("field_category", [_category(card, lang)]),
        ("field_method", [written.idea]),
        ("field_data", _data(card, lang) + tasks),
        ("field_architecture", [say(f"map.role_{_role(card)}", lang)]),
        ("field_procedure", [f"{i}. {step}" for i, step in enumerate(card.steps, 1)]),
        ("field_loss", [card.objective]),
        ("field_training", [card.solver, card.cost]),
        ("field_paper", [card.reference, url(card.doi)]),
        ("field_code", [*filter(None, [card.command]), written.door, written.file]),
        ("field_assumes", [f"- {a}" for a in card.assumes]),
        ("field_fails_when", [f"- {f}" for f in card.fails_when]),
        ("field_params", [_param_line(k, lang) for k in params(card.key)] or [say("map.no_params", lang)]),
        ("field_example", written.example.splitlines()),
    ]


def _category(found: Card | Entry, lang: str) -> str:
    return f"{say(f'map.transfers_{found.transfers}', lang)} / {family_title(found.family, lang)}"


def _data(found: Card | Entry, lang: str) -> list[str]:
    """Setting, label sets and needs, each with what it means."""
    labels = "" if found.setting == "unsupervised" else found.label_sets
    words = [("setting", found.setting), *([("labels", labels)] if labels else [])]
    lines = [say("map.legend_word", lang, word=said(t, w, lang), about=say(f"map.about_{w}", lang)) for t, w in words]
    needs = [said("need", n, lang) for n in found.needs]
    reads = _reads(found, lang) if isinstance(found, Card) else []
    return lines + reads + ([say("map.needs", lang, words=needs)] if needs else [])


def _reads(card: Card, lang: str) -> list[str]:
    """Whose labels the method reads, and which side information."""
    side = [said("side", card.side, lang)] if card.side else []
    return [say("map.reads", lang, words=[said("read", card.reads or "none", lang), *side])]


def params(key: str) -> list[dict[str, Any]]:
    """The hyper-parameters of a method: name, default, bounds, what the docstring says of each; a tool's arguments."""
    said_of = _parameters(Written.of(key).doc)
    if key in tools():
        return [{"name": name, "about": about} for name, about in said_of.items()]
    return [
        {
            "name": f.name,
            "default": f.default,
            **{k: v for k, v in f.metadata.items() if v is not None and v is not False and v != ()},
        }
        | {"about": said_of.get(f.name, "")}
        for f in fields(find(key))
    ]


def _parameters(doc: str) -> dict[str, str]:
    """What a numpydoc docstring says of each parameter."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n-+\n|\Z)", doc, re.S | re.M)
    found = re.findall(r"^(\w+) *:[^\n]*\n((?:[ ]+[^\n]*\n?)*)", section[1] if section else "", re.M)
    return {name: " ".join(text.split()) for name, text in found}


def _param_line(k: dict[str, Any], lang: str) -> str:
    bounds = [say(f"map.{words}", lang, bound=k[name]) for name, words in _BOUNDS.items() if name in k]
    if "choices" in k:
        bounds.append(say("map.one_of", lang, words=[repr(c) for c in k["choices"]]))
    if "none" in k:
        bounds.append(say("map.or_none", lang))
    facts = [say("map.default", lang, value=repr(k["default"])), *bounds] if "default" in k else []
    return k["name"] + (f" ({', '.join(facts)})" if facts else "") + (f": {k['about']}" if k["about"] else "")


_BOUNDS = {"low": "at_least", "above": "above", "high": "at_most"}


def _role(card: Card) -> str:
    """Which of the common shapes the method has, by the classes it comes from; "tool" where there is no class."""
    if card.command:
        return "tool"
    names = [c.__name__.lower() for c in find(card.key).__mro__]
    return next((name for name in names if name in ROLES), "learner")
