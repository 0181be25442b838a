"""Options that several commands have, each with one name, one meaning and one help text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

# the headings under which `--help` shows the options of the larger commands
DATA, MODELS, TRAINING, OUTPUT = "Data", "Methods and models", "Training and validation", "Output"

Tables = Annotated[
    list[Path],
    typer.Argument(
        help="SOURCE TARGET: two tables or folders of images; or one table with --domain and --target-domain.",
        metavar="A [B]",
    ),
]
LabelColumn = typer.Option(
    help="Column to predict; in a matrix without header also its number, from 0. Folders of images: their names.",
    metavar="COLUMN",
    rich_help_panel=DATA,
)
Label = Annotated[str | None, LabelColumn]
Source = Annotated[
    list[Path] | None,
    typer.Option(help="A further source; may be given several times.", metavar="FILE", rich_help_panel=DATA),
]
Domain = Annotated[
    str | None,
    typer.Option(help="One table: column that names each row's domain.", metavar="COLUMN", rich_help_panel=DATA),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target-domain",
        help="One table: value of --domain that is the target; the others are sources.",
        metavar="VALUE",
        rich_help_panel=DATA,
    ),
]
Group = Annotated[
    str | None,
    typer.Option(
        help="Column of groups whose rows are held out together (a patient, a machine).",
        metavar="COLUMN",
        rich_help_panel=DATA,
    ),
]
Kind = Annotated[
    str | None,
    typer.Option(
        "--task",
        help="classification or regression; inferred from the label if not given.",
        metavar="KIND",
        rich_help_panel=DATA,
    ),
]
TextFeatures = Annotated[
    str,
    typer.Option(
        help="Encoding of sentences: topics (TF-IDF and SVD), a pretrained text net (all-minilm-l6-v2 ...), or auto.",
        metavar="MODE",
        rich_help_panel=DATA,
    ),
]
TextColumn = typer.Option(help="Column of texts.", metavar="COLUMN", rich_help_panel=DATA)
LabelSets = Annotated[
    str | None,
    typer.Option(
        help="The target's classes compared with the source's: closed, partial, open or disjoint.", metavar="WORD"
    ),
]
BackboneName = Annotated[
    str | None,
    typer.Option(
        help="Pretrained net: efficientnet-lite0, timm:NAME ...; if not given, the first that is installed.",
        metavar="NAME",
        rich_help_panel=MODELS,
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(help="File of weights for the backbone, instead of its own.", metavar="FILE", rich_help_panel=MODELS),
]
# for an option with a default that depends on the command
ImageSize = typer.Option(
    help="Height and width of images in pixels; smaller is faster and less accurate.",
    metavar="PIXELS",
    rich_help_panel=MODELS,
)
Device = Annotated[str, typer.Option(help="cpu, cuda, mps or auto.", metavar="DEVICE", rich_help_panel=TRAINING)]
Budget = Annotated[
    str, typer.Option(help="Time for gathering evidence: 90s, 2m, 1h.", metavar="TIME", rich_help_panel=MODELS)
]
Repeats = Annotated[
    int,
    typer.Option(help="Random repeats: draws of the rows and initial weights.", metavar="N", rich_help_panel=TRAINING),
]
Seed = Annotated[
    int, typer.Option(help="Random seed; the same seed gives the same result.", metavar="N", rich_help_panel=OUTPUT)
]
Lang = Annotated[str, typer.Option(help="Language: en or zh.", metavar="LANG", rich_help_panel=OUTPUT)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.", rich_help_panel=OUTPUT)]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that are there already.", rich_help_panel=OUTPUT)
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=OUTPUT)]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of the data sets; if not given, the variable TRANSFERMAP_DATA.", metavar="FOLDER"),
]
Jobs = Annotated[int, typer.Option(help="Cells computed in parallel; -1: one for each core.", metavar="N")]


def one_table(tables: list[Path], source: list[Path] | None, domain: str | None, target: str | None) -> bool:
    """Whether the data is one table with a column of domains; else it is sources and, last, the target.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if domain is not None or target is not None:
        if domain is None or target is None or len(tables) != 1 or source:
            raise ValueError("one table with several domains needs one file, --domain COLUMN and --target-domain VALUE")
        return True
    if len(tables) + len(source or []) < 2 or len(tables) not in (1, 2):
        raise ValueError(
            f"expected two tables, SOURCE TARGET, or one with --domain and --target-domain; got {len(tables)}"
        )
    return False
