"""``transfermap finetune`` and ``transfermap models``: pretrained nets on your images or texts."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transfermap.cli.console import command, console, progress, say_json
from transfermap.cli.options import (
    MODELS,
    OUTPUT,
    TRAINING,
    AsJson,
    BackboneName,
    Debug,
    Device,
    ImageSize,
    Label,
    Lang,
    Overwrite,
    Repeats,
    Seed,
    TextColumn,
    Weights,
)
from transfermap.messages import Note, say

if TYPE_CHECKING:
    from transfermap.runs.finetuned import FinetunedRun

models = typer.Typer(
    name="models",
    help="Rank pretrained nets by transferability scores on your labelled images or texts.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
Data = Annotated[
    Path,
    typer.Argument(help="Folder with one sub-folder per class, or a table of paths; with --text-column, of texts."),
]


Recipe = Annotated[
    str,
    typer.Option(
        help="full, probe, lpft, lora, l2sp, bss, gradual, wise or soup.", metavar="NAME", rich_help_panel=MODELS
    ),
]
Freeze = Annotated[
    str,
    typer.Option(
        help="Frozen stages: all, none, the number of first ones, or names with commas.",
        metavar="STAGES",
        rich_help_panel=MODELS,
    ),
]
Decay = Annotated[
    float,
    typer.Option(
        help="Factor by which the learning rate falls from stage to stage; 2.6 is usual.",
        metavar="X",
        rich_help_panel=TRAINING,
    ),
]
Rank = Annotated[int, typer.Option(help="Rank of the recipe lora; 0 means 8.", metavar="N", rich_help_panel=MODELS)]
Lr = Annotated[float, typer.Option(help="Learning rate of the new head.", metavar="RATE", rich_help_panel=TRAINING)]
BackboneLr = Annotated[
    float,
    typer.Option(
        help="Learning rate of the other stages, as a multiple of --lr.", metavar="X", rich_help_panel=TRAINING
    ),
]
Epochs = Annotated[
    float | None,
    typer.Option(help="Epochs; if not given, 20, but between 60 and 600 steps.", metavar="N", rich_help_panel=TRAINING),
]
Steps = Annotated[
    int | None, typer.Option(help="Training steps, instead of --epochs.", metavar="N", rich_help_panel=TRAINING)
]
BatchSize = Annotated[int, typer.Option(help="Rows per training step.", metavar="N", rich_help_panel=TRAINING)]
Valid = Annotated[
    float,
    typer.Option(help="Share of each class that is held out to score on.", metavar="SHARE", rich_help_panel=TRAINING),
]
Sweep = Annotated[
    str | None,
    typer.Option(
        help="freeze: scores, as table and plot, over the number of frozen stages.",
        metavar="WORD",
        rich_help_panel=TRAINING,
    ),
]
Curve = Annotated[
    str | None,
    typer.Option(
        help="Learning curve over labels per class, such as 5,10,20, beside random weights.",
        metavar="COUNTS",
        rich_help_panel=TRAINING,
    ),
]
Output = Annotated[
    Path, typer.Option("-o", "--output", help="Folder for the run.", metavar="FOLDER", rich_help_panel=OUTPUT)
]


def finetune(
    data: Data,
    *,
    backbone: BackboneName = None,
    text_column: Annotated[str | None, TextColumn] = None,
    label: Label = None,
    recipe: Recipe = "full",
    freeze: Freeze = "none",
    decay: Decay = 1.0,
    rank: Rank = 0,
    lr: Lr = 1e-3,
    backbone_lr: BackboneLr = 0.1,
    epochs: Epochs = None,
    steps: Steps = None,
    batch_size: BatchSize = 32,
    valid: Valid = 0.2,
    sweep: Sweep = None,
    curve: Curve = None,
    repeats: Repeats = 1,
    image_size: Annotated[int | None, ImageSize] = None,
    weights: Weights = None,
    device: Device = "cpu",
    output: Output,
    seed: Seed = 0,
    lang: Lang = "en",
    as_json: AsJson = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Fine-tune a pretrained net on labelled images or texts; shows what is trainable, scores held-out rows."""
    from transfermap.runs.finetune_items import finetune as tune
    from transfermap.runs.folder import check_place

    check_place(output, overwrite)
    if sweep not in (None, "freeze"):
        raise ValueError(f"--sweep must be freeze; got {sweep!r}")
    with progress(as_json) as tick:
        run = tune(
            data,
            label=label,
            text=text_column,
            backbone=backbone,
            recipe=recipe,
            freeze=_freeze(freeze),
            decay=decay,
            rank=rank,
            lr=lr,
            backbone_lr=backbone_lr,
            epochs=epochs,
            steps=steps,
            batch_size=batch_size,
            valid=valid,
            sweep=sweep is not None,
            curve=_counts(curve),
            repeats=repeats,
            image_size=image_size,
            weights=weights,
            device=device,
            seed=seed,
            tick=tick,
        )
        run.record["command"] = shlex.join(["transfermap", *sys.argv[1:]])
        tick("writing the run")
        run.save(output, lang=lang, overwrite=overwrite)
    if as_json:
        say_json(run.record)
        return
    _show(run, lang)
    typer.echo(f"The run is in {output}. Next: transfermap report {output}, or predict {output} NEW -o predictions.csv")


def _freeze(given: str) -> Any:
    """all, none, a number, or names."""
    if given in ("all", "none"):
        return given
    return int(given) if given.isdigit() else tuple(name.strip() for name in given.split(",") if name.strip())


def _counts(given: str | None) -> list[int]:
    try:
        return [] if given is None else [int(n) for n in given.replace(",", " ").split()]
    except ValueError:
        raise ValueError(f"--curve must be numbers of labels per class, such as 5,10,20; got {given!r}") from None


def _show(run: FinetunedRun, lang: str) -> None:
    from transfermap.report.console.finetuning_view import curve_view, moved_view, sweep_view

    screen, facts = console(), run.record["facts"]
    screen.print(moved_view(run.tuned.moved, lang))
    views = {"sweep": sweep_view, "curve": curve_view}
    for name, table in run.studies.items():
        screen.print(views[name](table, lang))
    values = {name: facts[name] for name in ("recipe", "backbone", "rows", "seconds")} | run.record["scores"]
    typer.echo(say("finetune.result", lang, held=run.record["held"], **values))
    for note in run.record["notes"]:
        typer.echo(f"- {Note(**note).say(lang)}")


@command(models, "rank", "transfermap models rank images")
def rank(
    data: Data,
    text_column: Annotated[str | None, TextColumn] = None,
    label: Label = None,
    backbone: Annotated[
        list[str] | None,
        typer.Option(help="Pretrained net; may be given several times; if not given, all installed.", metavar="NAME"),
    ] = None,
    image_size: Annotated[int | None, ImageSize] = None,
    device: Device = "auto",
    lang: Lang = "en",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Rank pretrained nets by transferability scores (LogME, LEEP, linear probe ...), without fine-tuning any."""
    from transfermap.deep.pretrained.backbones import at_hand
    from transfermap.finetuning.ranking import rank_models
    from transfermap.report.console.finetuning_view import rank_view
    from transfermap.runs.finetune_items import kind_of, net_for, readable
    from transfermap.tasks.items import read_items

    with progress(as_json) as tick:
        tick("reading the items")
        found = read_items(data, text_column, label).labelled()
        names: list[Any] = backbone or at_hand(kind_of(found)) or [None]
        nets = [net_for(found, name, image_size)[0] for name in names]
        items, y, lost = readable(nets[0], found)
        table = rank_models(nets, items.tolist(), y, device=device, tick=tick)
    notes = [*found.notes, *lost]
    if len(table) > 1:
        best = {"count": len(table), "best": table["probe"].idxmax(), "first": table.index[0]}
        notes.append(Note("finetune.agree", "info", best))
    if as_json:
        say_json({"models": table.reset_index().to_dict("records"), "notes": [note.to_dict() for note in notes]})
        return
    console().print(rank_view(table, lang))
    for note in notes:
        typer.echo(f"- {note.say(lang)}")
