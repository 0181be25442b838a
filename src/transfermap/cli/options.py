"""Options that several commands have: how data is named, and how the answer is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Tables = Annotated[
    list[Path],
    typer.Argument(help="SOURCE TARGET, or one table with --domain; folders of images too.", metavar="A [B]"),
]
Group = Annotated[str | None, typer.Option(help="Column whose rows belong together (a patient, a machine).")]
Seed = Annotated[int, typer.Option(help="Seed; the same seed gives the same answer.")]
Label = Annotated[
    str | None,
    typer.Option(help="Column to predict; in a matrix without header also its number, from 0. Folders: class."),
]
Source = Annotated[list[Path] | None, typer.Option(help="A further source table; may be given several times.")]
Domain = Annotated[str | None, typer.Option(help="One table: the column that names each row's domain.")]
Target = Annotated[str | None, typer.Option(help="One table: the value of --domain that is the target.")]
Kind = Annotated[str | None, typer.Option("--task", help="classification or regression; inferred if not given.")]
Backbone = Annotated[
    str | None,
    typer.Option(
        help="Images: the pretrained net (backbone) whose features are the columns; the first that is installed."
    ),
]
Text = Annotated[
    str,
    typer.Option(help="How sentences are read: topics, a pretrained text net (all-minilm-l6-v2 ...), or auto."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Lang = Annotated[str, typer.Option(help="Language: en or zh.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]


def one_table(tables: list[Path], source: list[Path] | None, domain: str | None, target: str | None) -> bool:
    """Whether the data is one table with a column of domains; else it is sources and, last, the target.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if domain is not None or target is not None:
        if domain is None or target is None or len(tables) != 1 or source:
            raise ValueError("one table with several domains needs one file, --domain COLUMN and --target VALUE")
        return True
    if len(tables) + len(source or []) < 2 or len(tables) not in (1, 2):
        raise ValueError(f"expected two tables, SOURCE TARGET, or one with --domain and --target; got {len(tables)}")
    return False
