"""How a net is trained: the settings that everything fitted by the loop has, with their bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transfermap.card import param
from transfermap.deep.training.device import PRECISIONS
from transfermap.deep.training.optimizers import OPTIMIZERS, SCHEDULES
from transfermap.measure.validators.label_free import corr_c, infomax, snd
from transfermap.split import Array

STEPS = 600
# how a pretrained net is trained on images: what it knows is worth small steps
ON_IMAGES: dict[str, Any] = {"lr": 1e-4, "batch_size": 32, "device": "auto"}
JUDGES: dict[str, Callable[[Array], float]] = {"infomax": infomax, "snd": snd, "corr_c": corr_c}


@dataclass(eq=False, repr=False, kw_only=True)
class Training:
    """The settings that every role has."""

    steps: int | None = param(default=None, low=1, whole=True, none=True)
    batch_size: int = param(default=64, low=2, whole=True)
    optimizer: str = param(default="adamw", choices=tuple(OPTIMIZERS))
    lr: float = param(default=1e-3, above=0)
    weight_decay: float = param(default=1e-4, low=0)
    schedule: str = param(default="anneal", choices=tuple(SCHEDULES))
    device: str = param(default="cpu")
    every: int = param(default=100, low=1, whole=True)
    checkpoint: str | Path | None = param(default=None)
    random_state: int = param(default=0, low=0, whole=True)


@dataclass(eq=False, repr=False, kw_only=True)
class NetTraining(Training):
    """And those of a net with ``features`` and ``head``."""

    backbone_lr: float = param(default=1.0, low=0)
    clip: float | None = param(default=None, above=0, none=True)
    precision: str = param(default="float32", choices=PRECISIONS)
    compile: bool = param(default=False, choices=(True, False))
    select: str = param(default="last", choices=("last", *JUDGES))
    patience: int | None = param(default=None, low=1, whole=True, none=True)
    tick: Callable[[int, int], None] | None = param(default=None)
