"""The map for the terminal (a rich tree) and for the browser (one page that needs no network)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from jinja2 import Template
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from transfermap.card import LabelSets, LabelsRead, Setting
from transfermap.map import NOTHING, Entry, counts, lookup, tree, vocabulary
from transfermap.messages import say
from transfermap.report.advice_words import AdviceView
from transfermap.report.console.card_view import card_rows
from transfermap.report.map_words import family_does, family_title, legend, said, tags
from transfermap.report.pages.templating import environment

ASCII = {"●": "*", "○": "o"}


@dataclass(frozen=True, slots=True)
class Line:
    """Text behind a mark, then small print: in the same line where that holds both, else in one of its own."""

    text: Text
    built: bool
    small: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        mark, style = ("●", "bold green") if self.built else ("○", "dim")
        fits = self.text.cell_len + cell_len(self.small) + 4 <= options.max_width
        text = Text.assemble(self.text, ("  " if fits else "\n") * bool(self.small), (self.small, "dim"))
        grid = Table.grid(padding=(0, 1))
        grid.add_row(Text(ASCII[mark] if options.ascii_only else mark, style), text)
        yield grid


def terminal(found: Iterable[Entry], lang: str = "en") -> Tree:
    """The map as a tree for rich to print: built methods strong behind a filled mark, planned ones dim.

    Examples
    --------
    >>> from transfermap.map import entries, select
    >>> [branch.label.plain for branch in terminal(select(entries(), label_sets="partial")).children]
    ['Instances', 'Features']
    """
    found = list(found)
    root = Tree(_legend(found, lang), guide_style="dim")
    for what, families in tree(found).items():
        branch = root.add(Text(say(f"map.transfers_{what}", lang), "bold underline"))
        for family, methods in families.items():
            twig = branch.add(Text(family_title(family, lang), "bold"))
            for e in methods:
                twig.add(_method(e, lang))
    return root


def _method(e: Entry, lang: str) -> Line:
    text = Text.assemble(
        (e.key, "bold green" if e.built else ""), f"  {e.name}, {e.year}", style="" if e.built else "dim"
    )
    return Line(text, e.built, say("map.small", lang, tags=say("map.words", lang, words=tags(e, lang))))


def _legend(found: list[Entry], lang: str) -> Table:
    head = Table.grid()
    head.add_row(Text.assemble((say("map.title", lang), "bold"), "  ", say("map.count", lang, **counts(found))))
    head.add_row(Line(Text(say("map.legend_built", lang)), True))
    head.add_row(Line(Text(say("map.legend_planned", lang), "dim"), False))
    for line in legend(found, lang) or [say("map.none", lang)]:
        head.add_row(Text(line, "dim"))
    return head


def html(found: Iterable[Entry], lang: str = "en", advice: AdviceView | None = None) -> str:
    """The map as one self-contained page: a tree to open and close, filters, the card of every method that is built.

    Advice stands above the map, and what fits is lit on it.
    """
    found = list(found)
    branches = [
        {
            "name": say(f"map.transfers_{what}", lang),
            "does": say(f"map.about_{what}", lang),
            "families": _families(kin, lang),
        }
        for what, kin in tree(found).items()
    ]
    return _template().render(
        lang=lang,
        say=lambda key, **values: say(f"map.{key}", lang, **values),
        counts=counts(found),
        legend=legend(found, lang),
        branches=branches,
        filters=_filters(found, lang),
        advice=advice,
        fits=advice.fits() if advice else {},
    )


@cache
def _template() -> Template:
    return environment().get_template("map.html")


def _families(kin: dict[str, list[Entry]], lang: str) -> list[dict[str, Any]]:
    return [
        {"name": family_title(f, lang), "does": family_does(f, lang), "methods": [_leaf(e, lang) for e in methods]}
        for f, methods in kin.items()
    ]


def _leaf(e: Entry, lang: str) -> dict[str, Any]:
    rows = card_rows(lookup(e.key) if e.built else e, lang)
    return {"entry": e, "tags": tags(e, lang), "rows": rows}


def _filters(found: list[Entry], lang: str) -> list[dict[str, Any]]:
    """The boxes above the map: what each filters by, and its choices as (value, words)."""
    needs = [(w, said("need", w, lang)) for w in (NOTHING, *vocabulary(found))]
    states = [(s, say(f"map.{s}", lang)) for s in ("built", "planned")]
    boxes = [("state", say("map.state", lang), states)]
    boxes += [("setting", say("map.setting", lang), [(w, said("setting", w, lang)) for w in get_args(Setting)])]
    boxes += [("labels", say("map.labels", lang), [(w, said("labels", w, lang)) for w in get_args(LabelSets)])]
    boxes += [("reads", say("map.reads_title", lang), [(w, said("read", w, lang)) for w in get_args(LabelsRead)])]
    boxes += [("needs", say("map.needs_title", lang), needs)]
    return [{"id": name, "title": words, "choices": choices} for name, words, choices in boxes]
