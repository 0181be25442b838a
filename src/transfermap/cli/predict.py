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
from transfermap.messages import Note


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
    from transfermap.runs.finetuned import is_tuned, predict_items
    from transfermap.runs.predict import predict_file
    from transfermap.runs.run import load_run

    if output.exists() and not overwrite:
        raise ValueError(f"{output} exists already; give another name, or --overwrite to replace it")
    with progress(as_json) as tick:
        if is_tuned(run):
            done = predict_items(run, table, output)
        else:
            done = predict_file(load_run(run), table, output, method, tick)
    if as_json:
        say_json(done)
        return
    far = f", {done['far']:,} of them far from anything seen" if "far" in done else ""
    typer.echo(f"{done['rows']:,} rows predicted by {done['method']}{far}: {output}")
    for note in done["notes"]:
        typer.echo(f"- {Note(**note).say()}")
