"""The one training loop. It owns the run's progress, and with it everything that changes over the run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from itertools import accumulate
from operator import add
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from transfermap._version import __version__
from transfermap.deep.training.batch import Batch, BatchSource, Own, Stage, Terms, Turn
from transfermap.deep.training.checkpoint import fill, read_state, slots, under, within, write_state
from transfermap.deep.training.engine import Engine
from transfermap.deep.training.objective import Objective
from transfermap.deep.training.optimizers import OPTIMIZERS, SCHEDULES

POINTS = 200
# the parts that an optimiser trains (None: all), and what it is (None: the run's)
Key = tuple[tuple[str, ...] | None, Own | None]
SHARED: Key = (None, None)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long and how fast: what an estimator tells the loop."""

    steps: int
    optimizer: str = "adamw"
    lr: float = 1e-3
    backbone_lr: float = 1.0
    weight_decay: float = 1e-4
    schedule: str = "anneal"
    clip: float | None = None
    every: int = 100
    patience: int | None = None
    checkpoint: Path | None = None


@dataclass
class Loop:
    """An objective, the modules that it trains, and what its batches are drawn from, by name.

    ``judge`` says how good the modules are, without target labels, larger better; where there is one, the best of the
    states it has seen is kept, else the last. ``stages`` are the objective's, if none are given. ``facts`` say of the
    data what must be the same for a checkpoint to fit.
    """

    objective: Objective
    engine: Engine
    sources: Mapping[str, BatchSource]
    plan: Plan
    judge: Callable[[], float] | None = None
    tick: Callable[[int, int], None] = lambda done, of: None
    step: int = 0
    stage: int = -1
    history: list[dict[str, float]] = field(default_factory=list)
    best: tuple[float, int, dict[str, Tensor]] | None = None
    stages: tuple[Stage, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def run(self) -> None:
        """Train to the end, from the checkpoint if there is one."""
        self.engine.modules.train()
        self.stages = self.stages or self.objective.course()
        turns = [turn for stage in self.stages for turn in stage.turns]
        self.optimizers = {key: self._made(key) for key in dict.fromkeys(map(_key, turns))}
        if self.plan.checkpoint is not None and self.plan.checkpoint.exists():
            self._resume(self.plan.checkpoint)
        while self.step < self.plan.steps:
            self._one()
            self.step += 1
            if self.step % self.plan.every == 0 or self.step == self.plan.steps:
                self.tick(self.step, self.plan.steps)
                if self.judge is not None and self._judged():
                    break
                if self.plan.checkpoint is not None and self.engine.rank == 0:
                    self._keep(self.plan.checkpoint)
        if self.best is not None:
            self.engine.modules.load_state_dict(self.best[2])
        self.engine.modules.eval()

    def _made(self, key: Key) -> torch.optim.Optimizer:
        """An optimiser of all parts, or of some; what does not move in a turn has no gradient there, and stays."""
        trains, own = key
        parts: dict[tuple[bool, float], list[Tensor]] = {}
        for name, p in self.engine.modules.named_parameters():
            if trains is None or name.partition(".")[0] in trains:
                slow = name.startswith("features.")
                parts.setdefault((slow, self.objective.lr_multiplier(name)), []).append(p)
        rate = self.plan.lr if own is None or own.lr is None else own.lr
        groups = [
            {"params": params, "rate": rate * multiplier * (self.plan.backbone_lr if slow else 1.0)}
            for (slow, multiplier), params in parts.items()
        ]
        make = OPTIMIZERS[self.plan.optimizer if own is None else own.name]
        return make(groups, rate, self.plan.weight_decay)

    def _one(self) -> None:
        """One step: the stage's turns, on a batch of each source or on several."""
        began = time.perf_counter()
        progress = self.step / self.plan.steps
        stage = self._staged(progress)
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = group["rate"] * SCHEDULES[self.plan.schedule](progress)
        self.engine.noting = self.step % max(1, self.plan.steps // POINTS) == 0
        found: Terms = {}
        batches: dict[str, Batch] = {}
        for turn in stage.turns:
            with _only(self.engine, turn):
                for _ in range(turn.repeat):
                    if turn.fresh or not batches:
                        batches = {name: source.next() for name, source in self.sources.items()}
                    found |= self._turn(turn, batches, progress)
        if self.engine.noting:
            values = {name: float(term) for name, term in (found | self.engine.notes).items()}
            self.history.append({"step": self.step, "seconds": time.perf_counter() - began} | values)

    def _turn(self, turn: Turn, batches: Mapping[str, Batch], progress: float) -> Terms:
        terms: Terms = getattr(self.objective, turn.loss)(self.engine, batches, progress)
        total = reduce(add, terms.values())
        if not math.isfinite(total.item()):
            values = ", ".join(f"{name} = {float(term.detach()):.3g}" for name, term in terms.items())
            raise FloatingPointError(
                f"{type(self.objective).__name__}: the loss is not finite at step {self.step} of {self.plan.steps} "
                f"({values}); a smaller lr or clip=1.0 may help"
            )
        # of all of them: gradients of another turn would count in the norm that clip looks at
        for optimizer in self.optimizers.values():
            optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        self.engine.average_gradients()
        if self.plan.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.engine.modules.parameters(), self.plan.clip)
        self.optimizers[_key(turn)].step()
        return {name: term.detach() for name, term in terms.items()}

    def _staged(self, progress: float) -> Stage:
        """The stage that the run is in; what it begins with is done once."""
        ends = accumulate(stage.share for stage in self.stages)
        at = min(sum(end <= progress + 1e-9 for end in ends), len(self.stages) - 1)
        for entered in range(self.stage + 1, at + 1):
            if self.stages[entered].begin:
                getattr(self.objective, self.stages[entered].begin)(self.engine)
        self.stage = max(self.stage, at)
        return self.stages[at]

    def _judged(self) -> bool:
        """Keep the state if it is the best so far; whether nothing better has come for too long."""
        assert self.judge is not None
        self.engine.modules.eval()
        score = self.judge()
        self.engine.modules.train()
        if self.best is None or score > self.best[0]:
            kept = {name: value.detach().clone() for name, value in self.engine.modules.state_dict().items()}
            self.best = (score, self.step, kept)
        return self.plan.patience is not None and self.step - self.best[1] >= self.plan.patience * self.plan.every

    def _keep(self, path: Path) -> None:
        """Write a checkpoint."""
        tensors = within("module", self.engine.modules.state_dict())
        numbers = []
        for at, optimizer in enumerate(self.optimizers.values()):
            memory, plain = slots(optimizer)
            tensors |= within(f"optimizer {at}", memory)
            numbers.append(plain)
        for name, source in self.sources.items():
            tensors |= within(f"batches {name}", source.state())
        tensors["random/cpu"] = torch.get_rng_state()
        if self.engine.device.type == "cuda":
            tensors["random/cuda"] = torch.cuda.get_rng_state(self.engine.device)
        facts = {"step": self.step, "stage": self.stage, "history": self.history, "numbers": numbers}
        if self.best is not None:
            tensors |= within("best", self.best[2])
            facts["best"] = self.best[:2]
        write_state(path, tensors, self._signature(), facts)

    def _resume(self, path: Path) -> None:
        """Go on where the run of a checkpoint stood."""
        tensors, facts = read_state(path, self._signature())
        self.engine.modules.load_state_dict(under("module", tensors))
        for at, (optimizer, plain) in enumerate(zip(self.optimizers.values(), facts["numbers"], strict=True)):
            fill(optimizer, under(f"optimizer {at}", tensors), plain)
        for name, source in self.sources.items():
            source.restore(under(f"batches {name}", tensors))
        self.step, self.stage, self.history = facts["step"], facts["stage"], facts["history"]
        if "best" in facts:
            self.best = (*facts["best"], under("best", tensors))
        torch.set_rng_state(tensors["random/cpu"])
        if "random/cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random/cuda"], self.engine.device)

    def _signature(self) -> dict[str, Any]:
        """What must be the same for a checkpoint to fit."""
        return {
            "version": __version__,
            "objective": self.objective.signature(),
            "net": {k: list(v.shape) for k, v in self.engine.modules.state_dict().items()},
            "sources": list(self.sources),
            **self.facts,
            "plan": {k: v for k, v in vars(self.plan).items() if k != "checkpoint"},
        }


def _key(turn: Turn) -> Key:
    """Turns with the same key share an optimiser."""
    return SHARED if turn.optimizer is None else (turn.trains, turn.optimizer)


class _only:
    """Within it only the parts that a turn trains ask for gradients."""

    def __init__(self, engine: Engine, turn: Turn) -> None:
        trains = turn.trains
        still = [] if trains is None else [m for name, m in engine.modules.items() if name not in trains]
        self._still = [p for m in still for p in m.parameters() if p.requires_grad]

    def __enter__(self) -> None:
        for p in self._still:
            p.requires_grad_(False)

    def __exit__(self, *_: Any) -> None:
        for p in self._still:
            p.requires_grad_(True)
