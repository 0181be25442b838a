"""From settings, an objective and rows to trained modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils.data import StackDataset

from transfermap.deep.nets.small import build
from transfermap.deep.pretrained.image_dataset import ImageDataset
from transfermap.deep.training import settings
from transfermap.deep.training.batches import Domains
from transfermap.deep.training.device import pick_device, processes
from transfermap.deep.training.engine import Engine
from transfermap.deep.training.loop import Loop, Plan
from transfermap.deep.training.objective import InputSpec, Objective
from transfermap.deep.training.settings import NetTraining, Training

Judge = Callable[[], float]


class Outcome(NamedTuple):
    """Trained modules on the CPU, the terms of the loss over the run, and the step that was kept."""

    modules: nn.ModuleDict
    history: list[dict[str, float]]
    step: int


def train(
    est: Training,
    objective: Objective,
    make: Callable[[], nn.ModuleDict],
    domains: Callable[[Engine], Domains],
    judge: Callable[[Engine, Domains], Judge | None] = lambda engine, domains: None,
) -> Outcome:
    """Train the modules that ``make`` gives with the settings of an estimator."""
    with ready(est, make) as engine:
        drawn = domains(engine)
        scored = judge(engine, drawn)
        loop = Loop(objective, engine, objective.sources(drawn), plan(est), scored, facts=drawn.facts)
        loop.tick = getattr(est, "tick", None) or loop.tick
        loop.run()
    return Outcome(engine.modules.cpu(), loop.history, loop.step if loop.best is None else loop.best[1])


@contextmanager
def ready(est: Any, make: Callable[[], nn.ModuleDict]) -> Iterator[Engine]:
    """The engine of a run with the modules that ``make`` gives, on the estimator's device."""
    device = pick_device(est.device)
    # random numbers in three streams: the net's start, the parts' start, and dropout; what one uses moves no other
    with (
        _roomy(est, device),
        processes() as (rank, world),
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
    ):
        how = getattr(est, "precision", "float32"), getattr(est, "compile", False)
        engine = Engine(make(), device, how[0], how[1], rank, world)
        torch.manual_seed(est.random_state)
        yield engine


@contextmanager
def _roomy(est: Any, device: torch.device) -> Iterator[None]:
    """Say what helps where memory runs out; on a processor torch has no error of its own for it."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
            raise MemoryError(
                f"{type(est).__name__}: {device} is out of memory; a smaller batch_size or net helps"
            ) from error
        raise


def placed(data: Any, m: Engine) -> Any:
    """What batches are drawn from: tensors on the run's device, where every batch will be wanted; for paths, a Dataset
    of the images as the net reads them; a Dataset as it is."""
    if not isinstance(data, tuple):
        return data
    if isinstance(data[0], torch.Tensor):
        return tuple(part.to(m.device) for part in data)
    images = ImageDataset(data[0][:, 0], m["features"].read)
    return images if len(data) == 1 else StackDataset(images, *data[1:])


def begun(objective: Objective, spec: InputSpec, seed: int, net: Any = None) -> nn.ModuleDict:
    """The net, where there is one, and the objective's parts, at their start."""
    torch.manual_seed(seed)
    modules: nn.ModuleDict = nn.ModuleDict() if net is None else build(net, spec.columns, spec.outputs)
    torch.manual_seed(seed + 1)
    modules.update(objective.parts(replace(spec, net=None if net is None else modules)))
    return modules


def rebuilt(objective: Objective, spec: InputSpec, net: Any, weights: dict[str, Any]) -> nn.ModuleDict:
    """Trained modules from their weights."""
    with torch.random.fork_rng(devices=[]):
        modules = begun(objective, spec, 0, net)
    modules.load_state_dict({k: torch.tensor(v) for k, v in weights.items()})
    return modules.eval()


def plan(est: Training) -> Plan:
    """What the loop is told of the settings."""
    shared = {name: getattr(est, name) for name in ("optimizer", "lr", "weight_decay", "schedule", "every")}
    if isinstance(est, NetTraining):
        shared |= {name: getattr(est, name) for name in ("backbone_lr", "clip", "patience")}
    checkpoint = None if est.checkpoint is None else Path(est.checkpoint)
    return Plan(steps=est.steps or settings.STEPS, checkpoint=checkpoint, **shared)
