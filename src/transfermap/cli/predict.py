"""``transfermap predict``: new rows by a run's model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from transfermap.cli.console import progress, say_json
from transfermap.cli.options import (
    AsJson,
    Debug,
    Overwrite,
)


def predict(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    table: Annotated[Path, typer.Argument(help="New target rows.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="CSV file for the predictions.")],
    method: Annotated[str | None, typer.Option(help="Another method of the run than the verdict's.")] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Predict new rows with a run's model, without refitting; marks rows far from anything seen."""
    from transfermap.runs.open_run import open_run

    if output.exists() and not overwrite:
        raise ValueError(f"{output} exists already; give another name, or --overwrite to replace it")
    with progress(as_json) as tick:
        done = open_run(run).predict_file(table, output, method, tick)
    if as_json:
        say_json(done.to_dict())
        return
    far = "" if done.far is None else f", {done.far:,} of them far from anything seen"
    typer.echo(f"{done.rows:,} rows predicted by {done.method}{far}: {output}")
    for note in done.notes:
        typer.echo(f"- {note.say()}")
