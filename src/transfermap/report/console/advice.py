"""What the wizard found, for the terminal, for machines, and lit on the map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from transfermap.map import Entry, counts, entries, tree
from transfermap.messages import Note, say
from transfermap.report.console.terminal import finding
from transfermap.report.map_words import family_title, said
from transfermap.report.pages.map_view import Line, html
from transfermap.report.plots.map_svg import svg
from transfermap.verdict.advise.advise import CHOICES, GRID, Advice, Fit, homes

LIT, DARK = "bold green", "dim"


@dataclass(frozen=True)
class AdviceView:
    """Advice as it is shown: which answers were assumed, what was read off the tables, and in which language."""

    advice: Advice
    assumed: Sequence[str]
    reading: Sequence[Note]
    lang: str = "en"

    def say(self, key: str, **values: Any) -> str:
        """A sentence of the wizard."""
        return say(f"advise.{key}", self.lang, **values)

    def answers(self) -> list[tuple[str, str]]:
        """The situation, question by question."""
        situation = asdict(self.advice.situation)
        return [(self.say(f"title_{name}"), self._answer(name, situation[name])) for name in CHOICES]

    def _answer(self, name: str, value: str) -> str:
        answer = self.say(f"{name}_{value}")
        return self.say("assumed_mark", answer=answer) if name in self.assumed else answer

    def grid(self) -> list[list[dict[str, Any]]]:
        """The grid, row by row: its cells' names, research areas, number of methods, and which is lit."""
        everything = entries()
        return [
            [
                {
                    "lit": (cell := GRID[labelled, known]) == self.advice.cell,
                    "name": self.say(f"cell_{cell}"),
                    "areas": self.say(f"areas_{cell}"),
                    "count": say("map.count", self.lang, **counts(e for e in everything if cell in homes(e))),
                }
                for known in (True, False)
            ]
            for labelled in (True, False)
        ]

    def notes(self) -> list[Note]:
        """Findings in the tables, then what should be known beside, then what was assumed."""
        situation = asdict(self.advice.situation)
        options = " ".join(f"{option(name)} {situation[name]}" for name in self.assumed)
        last = [Note("advise.assumed", values={"options": options})] if options else []
        return [*self.reading, *self.advice.notes, *last]

    def when(self, m: Fit) -> str:
        """What a method assumes and needs, in one line; "" where nothing is known."""
        needs = say("map.needs", self.lang, words=[said("need", n, self.lang) for n in m.needs]) if m.needs else ""
        assumes = self.say("when", assumes="; ".join(m.assumes)) if m.assumes else ""
        return "; ".join(filter(None, (assumes, needs)))

    def steps(self) -> list[tuple[str, str]]:
        """Commands to run next, and what for."""
        return [(step.command, say(step.why, self.lang)) for step in self.advice.steps]

    def first(self) -> str:
        """Which methods to begin with, as a sentence; "" where none is built."""
        found = [m.key for m in self.advice.methods if m.start and m.built]
        return self.say("start_with", keys=" ".join(found)) if found else ""

    def fits(self) -> dict[str, Fit]:
        """The methods that fit, by key, the first ones first."""
        return {m.key: m for m in self.advice.methods}

    def to_dict(self) -> dict[str, Any]:
        """Everything in plain values."""
        seen = {"assumed": list(self.assumed), "reading": [n.to_dict() for n in self.reading]}
        return self.advice.to_dict() | seen

    def terminal(self) -> RenderableType:
        """For rich to print: answers, the grid with one cell lit, the map with the branches that fit, what to run."""
        answers = Table.grid(padding=(0, 2))
        for name, answer in self.answers():
            answers.add_row(Text(name), Text(answer))
        parts: list[RenderableType] = [_head(self.say("situation")), Padding(answers, (0, 2))]
        parts += [Text(), _head(self.say("grid_title")), self._grid_table()]
        parts += [Text(), self._lit_map(), Text()]
        parts += [finding(note, self.lang) for note in self.notes()]
        parts += [Text(), _head(self.say("next"))]
        for command, why in self.steps():
            parts += [Padding(Text(command, LIT, overflow="fold"), (0, 2)), Padding(Text(why, DARK), (0, 4))]
        return Group(*parts)

    def _grid_table(self) -> Table:
        table = Table(box=box.SQUARE, show_header=True, show_lines=True, header_style="")
        for head in ("", self.say("target_yes"), self.say("target_no")):
            table.add_column(Text(head), ratio=2 if head else 1, overflow="fold")
        for side, row in zip(("yes", "no"), self.grid(), strict=True):
            table.add_row(Text(self.say(f"source_{side}")), *(self._cell(cell) for cell in row))
        return table

    def _cell(self, cell: dict[str, Any]) -> Text:
        if not cell["lit"]:
            return Text(f"{cell['name']}\n{cell['areas']}\n{cell['count']}", DARK)
        name = Text(f"> {cell['name']} <", LIT)
        return Text.assemble(name, f"\n{self.say('here')}\n{cell['areas']}\n{cell['count']}")

    def _lit_map(self) -> Tree:
        fits = self.fits()
        head = Text.assemble((self.say("what_how"), "bold"), "\n", (self.say("lit", count=len(fits)), DARK))
        root = Tree(head, guide_style="dim")
        for what, families in tree(entries()).items():
            lit = any(e.key in fits for methods in families.values() for e in methods)
            name = say(f"map.transfers_{what}", self.lang)
            branch = root.add(Text(f"> {name}" if lit else name, "bold underline" if lit else DARK))
            for family, methods in families.items():
                self._grow(branch, family_title(family, self.lang), [e for e in methods if e.key in fits], len(methods))
        return root

    def _grow(self, branch: Tree, family: str, shown: list[Entry], count: int) -> None:
        if not shown:
            branch.add(Text(self.say("dark", family=family, count=count), DARK))
            return
        twig = branch.add(Text(f"> {family}", "bold"))
        for e in shown:
            fit = self.fits()[e.key]
            start = f"  [{self.say('start')}]" if fit.start and fit.built else ""
            name = Text.assemble((e.key, LIT if e.runs else ""), f"  {e.name}, {e.year}", (start, LIT))
            leaf = twig.add(Line(name, e.runs))
            if self.when(fit):
                leaf.add(Text(self.when(fit), DARK))


def option(name: str) -> str:
    """The option of ``advise`` that answers a question."""
    return "--label-sets" if name == "classes" else f"--{name.replace('_', '-')}"


def _head(text: str) -> Text:
    return Text(text, "bold")


def drawing(path: Path | None) -> Callable[[AdviceView], str]:
    """How a file of this name is drawn.

    Raises
    ------
    ValueError
        If the name ends neither in ``.html`` nor in ``.svg``.
    """
    kinds: dict[str, Callable[[AdviceView], str]] = {".html": page, ".svg": image}
    suffix = ".html" if path is None else path.suffix.lower()
    if suffix not in kinds:
        raise ValueError(f"--output must end in {' or '.join(kinds)}; got {path}")
    return kinds[suffix]


def page(view: AdviceView) -> str:
    """The map as a page, the advice above it, and the branches that fit lit."""
    return html(entries(), view.lang, advice=view)


def image(view: AdviceView) -> str:
    """The map as an image in which what does not fit is faded."""
    lines = [f"{view.say(f'cell_{view.advice.cell}')}: {view.say('here')}", view.say("lit", count=len(view.fits()))]
    return svg(entries(), view.lang, lit=set(view.fits()), about=lines)
