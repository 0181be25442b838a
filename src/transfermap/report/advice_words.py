"""What the wizard found, in words: the same for the terminal, for machines and for the map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from transfermap.map import counts, entries
from transfermap.messages import Note, say
from transfermap.report.map_words import said
from transfermap.verdict.advise.advise import CHOICES, GRID, Advice, Fit, homes


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
        found = [m.key for m in self.advice.methods if m.start and m.estimator]
        return self.say("start_with", keys=" ".join(found)) if found else ""

    def fits(self) -> dict[str, Fit]:
        """The methods that fit, by key, the first ones first."""
        return {m.key: m for m in self.advice.methods}

    def to_dict(self) -> dict[str, Any]:
        """Everything in plain values."""
        seen = {"assumed": list(self.assumed), "reading": [n.to_dict() for n in self.reading]}
        return self.advice.to_dict() | seen


def option(name: str) -> str:
    """The option of ``advise`` that answers a question."""
    return "--label-sets" if name == "classes" else f"--{name.replace('_', '-')}"
