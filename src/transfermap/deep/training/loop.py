"""The one training loop. It owns the run's progress, and with it everything that changes over the run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from itertools import accumulate
from operator import add
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from transfermap.deep.training.batches import Stream
from transfermap.deep.training.checkpoint import read_state, write_state
from transfermap.deep.training.engine import Engine
from transfermap.deep.training.objective import Objective, Stage, Terms, Turn

SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda p: 1.0,
    "anneal": lambda p: (1 + 10 * p) ** -0.75,  # Ganin et al., JMLR 2016
    "linear": lambda p: 1 - p,
}
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": lambda groups, lr, decay: torch.optim.AdamW(groups, lr, weight_decay=decay, fused=True),
    "adam": lambda groups, lr, decay: torch.optim.Adam(groups, lr, weight_decay=decay, fused=True),
    "adam-gan": lambda groups, lr, decay: torch.optim.Adam(
        groups, lr, betas=(0.5, 0.999), weight_decay=decay, fused=True
    ),
    "sgd": lambda groups, lr, decay: _at_rest(
        torch.optim.SGD(groups, lr, momentum=0.9, nesterov=True, weight_decay=decay, fused=True)
    ),
}
POINTS = 200


def _at_rest(sgd: torch.optim.SGD) -> torch.optim.SGD:
    """With all momenta at 0: fused steps fail where some parameters have one and others have not moved yet."""
    for group in sgd.param_groups:
        for p in group["params"]:
            sgd.state[p]["momentum_buffer"] = torch.zeros_like(p)
    return sgd


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long and how fast: what a shell tells the loop."""

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
    """An objective, the modules it moves, and two streams of batches, or the target's alone.

    ``judge`` says how good the modules are, without target labels, larger better; where there is one, the best of the
    states it has seen is kept, else the last. ``stages`` are the objective's, if none are given.
    """

    objective: Objective
    engine: Engine
    source: Stream | None
    target: Stream
    plan: Plan
    judge: Callable[[], float] | None = None
    tick: Callable[[int, int], None] = lambda done, of: None
    step: int = 0
    stage: int = -1
    history: list[dict[str, float]] = field(default_factory=list)
    best: tuple[float, int, dict[str, Tensor]] | None = None
    stages: tuple[Stage, ...] = ()

    def run(self) -> None:
        """Train to the end, from the checkpoint if there is one."""
        self.engine.modules.train()
        self._optimizer = self._made()
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
                    write_state(self, self.plan.checkpoint)
        if self.best is not None:
            self.engine.modules.load_state_dict(self.best[2])
        self.engine.modules.eval()

    def _made(self) -> torch.optim.Optimizer:
        """One optimiser for all parts; a part that does not move in a turn has no gradient there, and stays."""
        parts: dict[tuple[bool, float], list[Tensor]] = {}
        for name, p in self.engine.modules.named_parameters():
            slow = name.startswith("features.")
            parts.setdefault((slow, self.objective.lr_multiplier(name)), []).append(p)
        groups = [
            {"params": params, "part": lr_multiplier * (self.plan.backbone_lr if slow else 1.0)}
            for (slow, lr_multiplier), params in parts.items()
        ]
        return OPTIMIZERS[self.plan.optimizer](groups, self.plan.lr, self.plan.weight_decay)

    def _one(self) -> None:
        """One step: a batch of each domain, and the stage's turns on it."""
        began = time.perf_counter()
        progress = self.step / self.plan.steps
        stage = self._staged(progress)
        for group in self._optimizer.param_groups:
            group["lr"] = self.plan.lr * group["part"] * SCHEDULES[self.plan.schedule](progress)
        s = None if self.source is None else self.source.next()
        t = self.target.next()
        self.engine.noting = self.step % max(1, self.plan.steps // POINTS) == 0
        seen: Terms = {}
        for turn in stage.turns:
            with _only(self.engine, turn):
                for _ in range(turn.repeat):
                    seen |= self._turn(turn, s, t, progress)
        if self.engine.noting:
            values = {name: float(term) for name, term in (seen | self.engine.notes).items()}
            self.history.append({"step": self.step, "seconds": time.perf_counter() - began} | values)

    def _turn(self, turn: Turn, s: Any, t: Any, progress: float) -> Terms:
        terms: Terms = getattr(self.objective, turn.loss)(self.engine, s, t, progress)
        total = reduce(add, terms.values())
        if not math.isfinite(total.item()):
            values = ", ".join(f"{name} = {float(term.detach()):.3g}" for name, term in terms.items())
            raise FloatingPointError(
                f"{type(self.objective).__name__}: the loss is not finite at step {self.step} of {self.plan.steps} "
                f"({values}); a smaller lr or clip=1.0 may help"
            )
        self._optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        self.engine.average_gradients()
        if self.plan.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.engine.modules.parameters(), self.plan.clip)
        self._optimizer.step()
        return {name: term.detach() for name, term in terms.items()}

    def _staged(self, progress: float) -> Stage:
        """The stage that the run is in; what it begins with is done once."""
        # at weight 0 a method of many stages is source-only like any other
        stages = self.stages or (self.objective.stages if self.objective.weight else Objective.stages)
        ends = accumulate(stage.share for stage in stages)
        at = min(sum(end <= progress + 1e-9 for end in ends), len(stages) - 1)
        for entered in range(self.stage + 1, at + 1):
            if stages[entered].begin:
                getattr(self.objective, stages[entered].begin)(self.engine)
        self.stage = max(self.stage, at)
        return stages[at]

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

    def _resume(self, path: Path) -> None:
        read_state(self, path)

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """The optimiser of the run."""
        return self._optimizer


class _only:
    """Within it only the parts that a turn moves ask for gradients."""

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
