"""``transfermap report``: a run as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from transfermap.cli.console import say_json
from transfermap.cli.options import (
    AsJson,
    Debug,
    Lang,
)


def report(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="HTML file; run/report.html if not given.")
    ] = None,
    lang: Lang = "en",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """The run as one HTML page: verdict, evidence, domain shift, assumptions, rows to label."""
    from transfermap.runs.model_file import whole_file
    from transfermap.runs.open_run import open_run

    page = open_run(run).report(lang=lang)
    path = output or run / ("report.html" if lang == "en" else f"report.{lang}.html")
    with whole_file(path) as part:
        part.write_text(page, encoding="utf8")
    if as_json:
        say_json({"report": str(path), "lang": lang})
    else:
        typer.echo(f"wrote {path}")
