"""Training of a pretrained net on labelled rows: one function under every recipe."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from transfermap.deep.nets.freezing import Surgery, moves, stage_names
from transfermap.deep.nets.low_rank import merge
from transfermap.deep.training.batch import Batches, Outputs, Stage, Terms, Turn
from transfermap.deep.training.batches import Stream
from transfermap.deep.training.engine import Engine
from transfermap.deep.training.fitting import ready
from transfermap.deep.training.loop import Loop, Plan
from transfermap.deep.training.objective import Objective, source_loss
from transfermap.finetuning.averaging import recalibrate
from transfermap.finetuning.frozen_rows import Rows

Array = np.ndarray[Any, np.dtype[Any]]
Penalty = Callable[[Engine, Outputs], Terms]
# batches over which the running statistics of what moved are taken anew
_STATISTICS = 20


@dataclass(frozen=True, kw_only=True)
class Job:
    """Labelled rows, the net that is to learn them, and how; no recipe changes any of it.

    Attributes
    ----------
    net : ModuleDict
        Where it starts: ``features``, a chain of stages, and ``head``.
    rows : Rows
    y : tensor (n,)
        Class numbers, or floats.
    surgery : Surgery
    plan : Plan
        Steps and rates; ``lr`` is the head's, ``backbone_lr`` the features' part of it.
    batch, random_state, device, precision, compile
        As an estimator has them.
    """

    net: nn.ModuleDict
    rows: Rows
    y: Tensor
    plan: Plan
    surgery: Surgery = field(default_factory=Surgery)
    batch: int = 32
    random_state: int = 0
    device: str = "cpu"
    precision: str = "float32"
    compile: bool = False
    tick: Callable[[int, int], None] = lambda done, of: None

    def some(self, numbers: Array) -> Job:
        """The same job on some of its rows."""
        return replace(self, rows=self.rows.some(numbers.tolist()), y=self.y[torch.from_numpy(numbers)])


class Tuning(Objective):
    """The loss of labelled rows, and a penalty; parameters may have lower learning rates, or wait for their turn."""

    def __init__(self, penalty: Penalty, multipliers: dict[str, float], waiting: list[list[nn.Parameter]]) -> None:
        self.penalty, self.multipliers, self.waiting = penalty, multipliers, waiting

    def loss(self, m: Engine, batches: Batches, progress: float) -> Terms:
        t = batches["target"]
        seen = m.forward(t.x)
        return {"loss": source_loss(seen.z, t.y)} | self.penalty(m, seen)

    def lr_multiplier(self, name: str) -> float:
        part, _, rest = name.partition(".")
        return self.multipliers.get(rest.partition(".")[0], 1.0) if part == "features" else 1.0

    def thaw(self, m: Engine) -> None:
        """Let the next of those that wait move as well."""
        for p in self.waiting.pop():
            p.requires_grad_(True)
        m.modules.train()


def train(
    job: Job, penalty: Callable[[nn.ModuleDict], Penalty] | None = None, gradual: bool = False
) -> tuple[nn.ModuleDict, list[dict[str, float]]]:
    """Train a copy of the job's net; lower stages of which nothing moves are run once, not in every step.

    Parameters
    ----------
    job : Job
    penalty : callable, default=None
        Given the net at its start: what is added to the loss of a batch.
    gradual : bool
        Let only the head move at first, then also the last stage, then the one below it (Howard & Ruder, ACL 2018).

    Returns
    -------
    (ModuleDict, list of dict)
        The net, in eval mode, on the CPU; and the terms of the loss over the run.
    """

    def operated() -> nn.ModuleDict:
        torch.manual_seed(job.random_state)
        net: nn.ModuleDict = job.surgery.apply(copy.deepcopy(job.net))
        return net

    with ready(job, operated) as whole:
        net = whole.modules
        multipliers = job.surgery.lr_multiplier(net)
        cut, x = job.rows.states(net["features"], job.surgery.cut(net))
        part = nn.ModuleDict({"features": job.rows.above(net["features"], cut), "head": net["head"]})
        added = penalty(part) if penalty else _nothing
        waiting = _set_aside(net) if gradual else []
        share = 1 / (1 + len(waiting))
        stages = (Stage(share, (Turn(),)), *(Stage(share, (Turn(),), begin="thaw") for _ in waiting))
        engine = Engine(part, whole.device, job.precision, job.compile)
        stream = Stream((x, job.y), job.batch, job.random_state, engine.device, labelled=True)
        loop = Loop(
            Tuning(added, multipliers, waiting), engine, {"target": stream}, job.plan, tick=job.tick, stages=stages
        )
        loop.run()
        if job.surgery.statistics:
            blocks = [stream.next().x for _ in range(min(_STATISTICS, -(-stream.rows // stream.size)))]
            recalibrate(part, lambda block: part["features"](block), blocks)
    merge(net)
    return net.cpu().eval().requires_grad_(True), loop.history


def _nothing(m: Engine, seen: Outputs) -> Terms:
    return {}


def _set_aside(net: nn.ModuleDict) -> list[list[nn.Parameter]]:
    """Freeze all stages; what of each is to move later, the last stage at the end of the list."""
    parts = (net["features"].get_submodule(name) for name in stage_names(net))
    waiting = [[p for p in part.parameters() if p.requires_grad] for part in parts if moves(part)]
    net["features"].requires_grad_(False)
    return waiting
