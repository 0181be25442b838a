"""``transfermap verify``: a run held against labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from transfermap.cli.console import console, say_json
from transfermap.cli.options import (
    AsJson,
    Debug,
    Lang,
)


def verify(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    labelled: Annotated[
        Path, typer.Argument(help="Labelled target rows, known by their columns or by a column of row numbers.")
    ],
    lang: Lang = "en",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Score a run on labelled target rows: every method with its interval, and whether the verdict was right."""
    from transfermap.runs.open_run import open_run

    opened = open_run(run)
    truth = opened.verify(labelled)
    say_json(truth.to_dict()) if as_json else console().print(opened.truth_view(truth, lang))
