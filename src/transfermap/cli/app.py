"""The commands, in the order in which people need them.

Each lies in a file of its own, reads its arguments, calls the library and shows what came.

Heavy imports stand inside the commands, so that ``transfermap --help`` is there at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from transfermap.cli.adapt import adapt
from transfermap.cli.advise import advise
from transfermap.cli.bench import bench
from transfermap.cli.check import check
from transfermap.cli.console import command, lenient_streams
from transfermap.cli.demo import demo
from transfermap.cli.finetune import finetune, models
from transfermap.cli.inspect import inspect
from transfermap.cli.layers import layers
from transfermap.cli.map import map_
from transfermap.cli.predict import predict
from transfermap.cli.report import report
from transfermap.cli.verify import verify

START, IMAGES, JUDGE, INSIDE = "Start here", "Images and text", "Judge and compare", "Look inside"

app = typer.Typer(
    name="transfermap",
    help="Transfer learning and domain adaptation with a verdict: can I use A on B, which method, and did it help?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        from transfermap._version import __version__

        typer.echo(f"transfermap {__version__}")
        raise typer.Exit


command(app, "demo", "transfermap demo", START)(demo)
command(app, "check", "transfermap check last_year.csv this_year.csv --label churned", START)(check)
command(app, "adapt", "transfermap adapt last_year.csv this_year.csv --label churned -o run1", START)(adapt)
command(app, "report", "transfermap report run1 --lang zh", START)(report)
command(app, "predict", "transfermap predict run1 new_rows.parquet -o predictions.csv", START)(predict)
command(app, "verify", "transfermap verify run1 run1/label_me.csv", START)(verify)
command(app, "finetune", "transfermap finetune images --backbone efficientnet-lite0 -o run1", IMAGES)(finetune)
app.add_typer(models, rich_help_panel=IMAGES)
command(app, "advise", "transfermap advise last_year.csv this_year.csv --label churned -o advice.html", JUDGE)(advise)
command(app, "map", "transfermap map --setting transductive", JUDGE)(map_)
app.add_typer(bench, rich_help_panel=JUDGE)
command(app, "inspect", "transfermap inspect efficientnet-lite0 -o inspected", INSIDE)(inspect)
command(
    app, "layers", "transfermap layers films.csv shops.csv --text-column review --label verdict -o layers.svg", INSIDE
)(layers)


def main() -> None:
    """The console script."""
    lenient_streams()
    app()
