"""The command ``transfermap advise``: reads or asks what somebody has, and shows where on the map that is."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from transfermap.cli.console import console, progress, say_json, write_text
from transfermap.cli.options import (
    AsJson,
    Debug,
    Domain,
    Kind,
    Label,
    LabelSets,
    Lang,
    Overwrite,
    Source,
    Target,
    one_table,
)
from transfermap.messages import say
from transfermap.messages.choices import choose

if TYPE_CHECKING:
    from transfermap.verdict.advise.situation import Reading

Tables = Annotated[
    list[Path] | None,
    typer.Argument(
        help="SOURCE TARGET: two tables or folders of images; one with --domain; none: answer questions.",
        metavar="[A [B]]",
    ),
]


class _Data(NamedTuple):
    """The data, as the command line names it."""

    tables: list[Path]
    label: str | None
    source: list[Path]
    domain: str | None
    target: str | None

    @property
    def in_order(self) -> list[Path]:
        """Sources and, last, the target; or the one table."""
        return [*self.tables[:-1], *self.source, *self.tables[-1:]]

    @property
    def images(self) -> bool:
        """Whether it is folders of images, or tables that name some."""
        from transfermap.data.images.image_files import any_images

        return any_images(self.in_order)

    def read(self, kind: str | None) -> Reading:
        """What the tables say, or the folders."""
        from transfermap.data.images.image_files import CLASS
        from transfermap.tasks.read import listed_tables
        from transfermap.verdict.advise.situation import Reading, read_situation

        one_table(self.tables, self.source, self.domain, self.target)
        label = self.label or (CLASS if self.images else None)
        found = listed_tables(self.in_order, label=label, domain=self.domain, target=self.target)
        said = read_situation(found.sources, found.target, label, kind)
        gap = [note for note in found.notes if note.code == "task.no_domain"]
        return Reading(said.answers, [*gap, *said.notes])

    def named(self) -> str:
        """How further commands name the same data."""
        predicted = [("--source", str(path)) for path in self.source]
        predicted += [("--domain", self.domain or ""), ("--target-domain", self.target or "")] if self.domain else []
        predicted += [] if self.images and not self.label else [("--label", self.label or "COLUMN")]
        return shlex.join([*map(str, self.tables), *(word for pair in predicted for word in pair)])


SourceData = Annotated[
    str | None, typer.Option(help="Source rows: here, or gone (only a model is left).", metavar="WORD")
]
TargetLabels = Annotated[str | None, typer.Option(help="Labels of the target: none, few or all.", metavar="WORD")]
Columns = Annotated[str | None, typer.Option(help="Columns of source and target: same or different.", metavar="WORD")]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", help="Draw the map with your situation on it: .html or .svg.", metavar="FILE"),
]


def advise(
    tables: Tables = None,
    label: Label = None,
    source: Source = None,
    domain: Domain = None,
    target: Target = None,
    source_data: SourceData = None,
    source_labels: Annotated[str | None, typer.Option(help="Labels of the source: yes or no.", metavar="WORD")] = None,
    target_labels: TargetLabels = None,
    kind: Kind = None,
    columns: Columns = None,
    label_sets: LabelSets = None,
    sources: Annotated[str | None, typer.Option(help="Number of sources: one or several.", metavar="WORD")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing; assume the usual for what is not given.")] = False,
    output: Output = None,
    lang: Lang = "en",
    as_json: AsJson = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Which methods fit your situation, what they assume, and what to run next."""
    from transfermap.report.advice_words import AdviceView, option
    from transfermap.report.console.advice import terminal
    from transfermap.report.pages.advice_page import drawing
    from transfermap.verdict.advise.advise import CHOICES, Situation, assumed
    from transfermap.verdict.advise.advise import advise as advise_on
    from transfermap.verdict.advise.situation import Reading

    draw = drawing(output)
    options = {
        "source_data": source_data,
        "source_labels": source_labels,
        "target_labels": target_labels,
        "task": kind,
        "columns": columns,
        "classes": label_sets,
        "sources": sources,
    }
    given = {
        name: choose(option(name), answer, CHOICES[name]) for name, answer in options.items() if answer is not None
    }
    data = _Data(tables or [], label, source or [], domain, target)
    with progress(as_json or not any(data)) as tick:
        tick("reading the tables")
        reading = data.read(kind) if any(data) else Reading({}, [])
    answers = reading.answers | given
    if not (given or yes or as_json) and somebody_there():
        answers = _ask(answers, lang)
    elif not (any(data) or given or yes):
        raise ValueError("expected two tables, answers such as --target-labels none, or --yes; got none of them")
    found = advise_on(Situation(**answers), **({"tables": data.named()} if any(data) else {}))
    view = AdviceView(found, assumed(answers), reading.notes, lang)
    say_json(view.to_dict()) if as_json else console().print(terminal(view))
    if output is not None:
        write_text(output, draw(view), overwrite)


def somebody_there() -> bool:
    """Whether questions would be seen and answered."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _ask(answers: dict[str, str], lang: str) -> dict[str, str]:
    """Ask what is still open, one question after the other; Enter takes the usual answer."""
    from transfermap.verdict.advise.advise import CHOICES, Situation, next_question

    usual = Situation()
    while (name := next_question(answers)) is not None:
        asked = f"{say(f'advise.ask_{name}', lang)} ({'/'.join(CHOICES[name])})"
        answer = typer.prompt(asked, default=getattr(usual, name), err=True).strip().lower()
        if answer in CHOICES[name]:
            answers = answers | {name: answer}
        else:
            typer.echo(say("advise.ask_again", lang, choices=list(CHOICES[name])), err=True)
    return answers
