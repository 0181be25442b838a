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
    labelled: Annotated[Path, typer.Argument(help="Target rows with their label: the columns, or the row numbers.")],
    lang: Lang = "en",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """The truth: scores with intervals for each method that was tried, and whether the verdict was right."""
    from transfermap.report.console.finetuning_view import verified_view
    from transfermap.report.console.terminal import truth_view
    from transfermap.runs.finetuned import is_tuned, verify_items
    from transfermap.runs.predict import verify_file

    if is_tuned(run):
        found = verify_items(run, labelled)
        say_json(found) if as_json else console().print(verified_view(found, lang))
        return
    truth = verify_file(run, labelled)
    say_json(truth) if as_json else console().print(truth_view(truth, lang))
