"""What the wizard found, for the terminal: answers, the grid, the part of the map that fits, and what to run."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from transfermap.map import Entry, entries, tree
from transfermap.messages import say
from transfermap.report.advice_words import AdviceView
from transfermap.report.console.terminal import finding
from transfermap.report.map_words import family_title
from transfermap.report.pages.map_view import Line

LIT, DARK = "bold green", "dim"


def terminal(view: AdviceView) -> RenderableType:
    """For rich to print: answers, the grid with one cell lit, the map with the branches that fit, what to run."""
    answers = Table.grid(padding=(0, 2))
    for name, answer in view.answers():
        answers.add_row(Text(name), Text(answer))
    parts: list[RenderableType] = [_head(view.say("situation")), Padding(answers, (0, 2))]
    parts += [Text(), _head(view.say("grid_title")), _grid_table(view)]
    parts += [Text(), _lit_map(view), Text()]
    parts += [finding(note, view.lang) for note in view.notes()]
    parts += [Text(), _head(view.say("next"))]
    for command, why in view.steps():
        parts += [Padding(Text(command, LIT, overflow="fold"), (0, 2)), Padding(Text(why, DARK), (0, 4))]
    return Group(*parts)


def _grid_table(view: AdviceView) -> Table:
    table = Table(box=box.SQUARE, show_header=True, show_lines=True, header_style="")
    for head in ("", view.say("target_yes"), view.say("target_no")):
        table.add_column(Text(head), ratio=2 if head else 1, overflow="fold")
    for side, row in zip(("yes", "no"), view.grid(), strict=True):
        table.add_row(Text(view.say(f"source_{side}")), *(_cell(view, cell) for cell in row))
    return table


def _cell(view: AdviceView, cell: dict[str, Any]) -> Text:
    if not cell["lit"]:
        return Text(f"{cell['name']}\n{cell['areas']}\n{cell['count']}", DARK)
    name = Text(f"> {cell['name']} <", LIT)
    return Text.assemble(name, f"\n{view.say('here')}\n{cell['areas']}\n{cell['count']}")


def _lit_map(view: AdviceView) -> Tree:
    fits = view.fits()
    head = Text.assemble((view.say("what_how"), "bold"), "\n", (view.say("lit", count=len(fits)), DARK))
    root = Tree(head, guide_style="dim")
    for what, families in tree(entries()).items():
        lit = any(e.key in fits for methods in families.values() for e in methods)
        name = say(f"map.transfers_{what}", view.lang)
        branch = root.add(Text(f"> {name}" if lit else name, "bold underline" if lit else DARK))
        for family, methods in families.items():
            _grow(view, branch, family_title(family, view.lang), [e for e in methods if e.key in fits], len(methods))
    return root


def _grow(view: AdviceView, branch: Tree, family: str, shown: list[Entry], count: int) -> None:
    if not shown:
        branch.add(Text(view.say("dark", family=family, count=count), DARK))
        return
    twig = branch.add(Text(f"> {family}", "bold"))
    for e in shown:
        fit = view.fits()[e.key]
        start = f"  [{view.say('start')}]" if fit.start and fit.estimator else ""
        name = Text.assemble((e.key, LIT if e.built else ""), f"  {e.name}, {e.year}", (start, LIT))
        leaf = twig.add(Line(name, e.built))
        if view.when(fit):
            leaf.add(Text(view.when(fit), DARK))


def _head(text: str) -> Text:
    return Text(text, "bold")
