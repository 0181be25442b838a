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
    table: Annotated[Path, typer.Argument(help="New target rows: a table, or a folder of images.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="CSV file for the predictions.")],
    method: Annotated[
        str | None, typer.Option(help="Method of the run to predict with, instead of the verdict's.", metavar="KEY")
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Predict new target rows with a run's model; out-of-distribution rows are marked."""
    from transfermap.runs.open_run import open_run

    if output.exists() and not overwrite:
        raise ValueError(f"{output} exists already; give another name, or --overwrite to replace it")
    with progress(as_json) as tick:
        done = open_run(run).predict_file(table, output, method, tick)
    if as_json:
        say_json(done.to_dict())
        return
    far = "" if done.far is None else f", {done.far:,} of them out of distribution"
    typer.echo(f"{done.rows:,} rows predicted by {done.method}{far}: {output}")
    for note in done.notes:
        typer.echo(f"- {note.say()}")
