"""``transfermap demo``: the main job on data that is here."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from transfermap.cli.console import progress, seconds
from transfermap.cli.options import (
    AsJson,
    Budget,
    Debug,
    Lang,
    Seed,
)
from transfermap.cli.verdict import show_run


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the run.", metavar="FOLDER")] = Path(
        "demo"
    ),
    budget: Budget = "2m",
    seed: Seed = 0,
    lang: Lang = "en",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Adapt between two collections of handwritten digits: the verdict, the truth beside it, and the report."""
    from transfermap.runs.folder import check_place
    from transfermap.runs.run import adapt as run_adapt
    from transfermap.tasks.digits import digits_task

    check_place(output, overwrite=True)
    with progress(as_json) as tick:
        tick("reading the digits")
        task = digits_task()
        run = run_adapt(task, seed=seed, budget=seconds(budget), tick=tick)
        run.note_command(shlex.join(["transfermap", "demo", "-o", str(output)]))
        run.save(output, overwrite=True)
        run.report(output / "report.html", lang)
    show_run(run, lang, as_json)
    if not as_json:
        typer.echo(f"The report: {output / 'report.html'}")
