"""Fine-tuning of a backbone on labelled images or sentences: the four steps, and all of them in one call."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import softmax
from torch import nn

from transfermap.deep.nets.freezing import Freeze, Surgery, moving_notes, trainable, with_head
from transfermap.deep.pretrained.backbones import backbone as backbone_called
from transfermap.deep.pretrained.image_nets import read_images
from transfermap.deep.pretrained.provider import Backbone, digest_of, weights_in
from transfermap.deep.training.loop import Plan
from transfermap.finetuning.frozen_rows import Rows
from transfermap.finetuning.recipes import LOW_RANK, check_recipe, whole
from transfermap.finetuning.training import Array, Job
from transfermap.messages import Note

EPOCHS = 20
_FEWEST, _MOST = 60, 600
# of random features, as a part of the head's: at the head's own an encoder of sentences does not learn its rows
SCRATCH_RATE = 0.3


@dataclass(frozen=True)
class Tuned:
    """A fine-tuned net: it predicts images or sentences.

    Attributes
    ----------
    net : ModuleDict
        ``features`` and ``head``, in eval mode.
    backbone : Backbone
        What it was made from.
    classes : ndarray of shape (n_classes,)
    facts : dict
        Recipe, seed, steps, seconds and the like, in plain values.
    moved : DataFrame
        What could move (:func:`transfermap.deep.nets.freezing.trainable`).
    history : list of dict
        The terms of the loss over the run.
    notes : list of Note
    """

    net: nn.ModuleDict
    backbone: Backbone
    classes: Array
    facts: dict[str, Any]
    moved: pd.DataFrame
    history: list[dict[str, float]] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def decision_function(self, items: Sequence[str]) -> Array:
        """Logits (n, n_classes) of paths or sentences."""
        net = nn.Sequential(self.net["features"], self.net["head"])
        Z: Array = torch.cat(list(rows_of(self.backbone, items).through(net))).double().numpy()
        return Z

    def predict_proba(self, items: Sequence[str]) -> Array:
        """Class probabilities (n, n_classes)."""
        P: Array = softmax(self.decision_function(items), axis=1)
        return P

    def predict(self, items: Sequence[str]) -> Array:
        """The likeliest class of each item, (n,)."""
        predicted: Array = self.classes[self.decision_function(items).argmax(axis=1)]
        return predicted


def finetune(
    backbone: Backbone,
    items: Sequence[str],
    labels: Any,
    *,
    recipe: str = "full",
    freeze: Freeze = "none",
    decay: float = 1.0,
    rank: int = 0,
    lr: float = 1e-3,
    backbone_lr: float = 0.1,
    steps: int | None = None,
    batch: int = 32,
    seed: int = 0,
    device: str = "cpu",
    scratch: bool = False,
    rows: Rows | None = None,
    tick: Callable[[int, int], None] = lambda done, of: None,
) -> Tuned:
    """Load, replace the head, choose what moves, train.

    Parameters
    ----------
    backbone : Backbone
        Its net is copied.
    items : sequence of str of length n
        Paths of images, or sentences.
    labels : array-like of shape (n,)
        Their classes, of any kind; two or more.
    recipe : str, default="full"
        One of :data:`transfermap.finetuning.recipes.RECIPES`.
    freeze, decay, rank
        As in :class:`~transfermap.deep.nets.freezing.Surgery`; ``rank`` is for the recipe "lora", 0 its usual one.
    lr, backbone_lr : float, default=0.001, 0.1
        The head's rate, and by what it is multiplied for the features.
    steps : int, default=None
        None: 20 times through the rows, but 60 to 600 steps.
    batch, seed : int
    device : str
    scratch : bool, default=False
        Start from random weights, as if nobody had trained the net before; ``backbone_lr`` is then 0.3.
    rows : Rows, default=None
        The items, if what frozen stages make of them is to be kept for further calls with the same backbone.

    Raises
    ------
    ValueError
        If a recipe, stage or class is not as expected.

    Examples
    --------
    The four steps that it takes::

        net = with_head(backbone("efficientnet-lite0").net, 1280, outputs=10)  # load, replace the head
        Surgery(freeze=12).apply(net)  # choose what moves
        print(trainable(net))
        net, history = train(Job(net=net, rows=rows, y=y, plan=plan, surgery=Surgery(freeze=12)))
    """
    cook = check_recipe(recipe)
    classes, codes = np.unique(np.asarray(labels), return_inverse=True)
    if len(classes) < 2 or len(codes) != len(items):
        raise ValueError(
            f"expected a label for each of {len(items)} items, of two or more classes; got {len(codes)} labels of "
            f"{len(classes)}"
        )
    low = rank or LOW_RANK if recipe == "lora" else 0
    # a net from random weights has no statistics to keep
    surgery = whole(Surgery(freeze=freeze, decay=decay, rank=low, statistics=scratch), recipe)
    size = min(batch, len(items))
    count = steps or min(max(EPOCHS * len(items) // size, _FEWEST), _MOST)
    job = Job(
        net=start_of(backbone, len(classes), seed, scratch),
        rows=rows or rows_of(backbone, items),
        y=torch.from_numpy(codes.astype(np.int64)),
        surgery=surgery,
        plan=Plan(steps=count, lr=lr, backbone_lr=SCRATCH_RATE if scratch else backbone_lr),
        batch=size,
        random_state=seed,
        device=device,
        tick=tick,
    )
    operated = surgery.apply(copy.deepcopy(job.net))
    began = time.perf_counter()
    done = cook(job)
    facts = {"backbone": backbone.name, "recipe": recipe, "scratch": scratch, "lr": lr, "batch": size, "seed": seed}
    facts |= {"freeze": freeze if isinstance(freeze, (str, int)) else list(freeze), "rows": len(items)}
    facts |= {"steps": 0 if recipe == "probe" else count, "seconds": time.perf_counter() - began, **done.predicted}
    return Tuned(done.net, backbone, classes, facts, trainable(operated), done.history, moving_notes(operated))


def start_of(backbone: Backbone, outputs: int, seed: int = 0, scratch: bool = False) -> nn.ModuleDict:
    """A copy of a backbone under a new head; with random weights if it is to learn from scratch."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = with_head(copy.deepcopy(backbone.net), backbone.width, outputs)
        if scratch:
            forget(net)
    return net.eval()


def forget(net: nn.Module) -> nn.Module:
    """Give each layer of a net the weights that it is made with."""
    for layer in net.modules():
        if callable(anew := getattr(layer, "reset_parameters", None)):
            anew()
    return net


def forgotten(backbone: Backbone, seed: int = 0) -> Backbone:
    """The same net with random weights: what its shape alone is good for."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = forget(copy.deepcopy(backbone.net)).eval()
    return replace(backbone, name=f"{backbone.name}, random weights", net=net, digest=digest_of(net), head=None)


def at_side(backbone: Backbone, side: int) -> Backbone:
    """The same net on images of another size: smaller ones are quicker, and tell less."""
    if backbone.kind != "images" or side < 32:
        raise ValueError(f"expected a backbone for images and a side of 32 pixels or more; got {backbone.name}, {side}")
    return replace(backbone, read=partial(read_images, side=side), side=side)


def rows_of(backbone: Backbone, items: Sequence[str]) -> Rows:
    """Items as a backbone reads them."""
    return Rows(list(items), backbone.read, sequences=backbone.kind == "text")


def unreadable(backbone: Backbone, items: Sequence[str]) -> dict[int, str]:
    """Why items cannot be read, by their number."""

    def fault(item: str) -> str | None:
        try:
            backbone.read([item])
        except ValueError as error:
            return str(error)
        return None

    with ThreadPoolExecutor() as pool:
        return {i: why for i, why in enumerate(pool.map(fault, items)) if why is not None}


def moved_tensors(tuned: Tuned) -> dict[str, Any]:
    """The tensors of a fine-tuned net that its backbone does not have, or has otherwise, by name."""
    old = {f"features.{name}": value for name, value in tuned.backbone.net.state_dict().items()}
    state = tuned.net.state_dict().items()
    return {n: v.contiguous() for n, v in state if n not in old or not torch.equal(old[n], v)}


def rebuilt(record: Mapping[str, Any], weights: Path) -> Tuned:
    """A fine-tuned net from its record and the file of what moved.

    Raises
    ------
    ValueError
        If the backbone that is installed here has other weights, or the file does not suit it.
    """
    given = record["backbone"]
    found = backbone_called(given["name"], record["task"].get("weights"))
    if found.digest != given["digest"]:
        raise ValueError(f"the backbone {found.name} has other weights here than the one this net was made from")
    if given.get("side") not in (None, found.side):
        found = at_side(found, given["side"])
    state, _ = weights_in(weights)
    net = start_of(found, len(record["classes"]))
    try:
        strange = net.load_state_dict(state, strict=False).unexpected_keys
    except RuntimeError as error:
        raise ValueError(f"{weights} does not suit {found.name}: {str(error).splitlines()[-1].strip()}") from error
    if strange or not {"head.weight", "head.bias"} <= state.keys():
        raise ValueError(f"{weights} is not the file of this net's weights")
    moved = pd.DataFrame(record["moved"]).set_index("stage")
    return Tuned(net.eval(), found, np.asarray(record["classes"]), dict(record["facts"]), moved)
