"""From a shell's settings to a finished run, and from trained modules to outputs."""

from __future__ import annotations

import copy
import numbers
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import StackDataset

from transfermap.deep.nets.small import build
from transfermap.deep.pretrained.image_dataset import ImageDataset
from transfermap.deep.training.batches import Stream
from transfermap.deep.training.engine import PRECISIONS, Engine, pick_device, processes
from transfermap.deep.training.loop import OPTIMIZERS, SCHEDULES, Loop, Plan
from transfermap.deep.training.objective import Objective
from transfermap.measure.validators.label_free import corr_c, infomax, snd
from transfermap.split import Array

JUDGES: dict[str, Callable[[Array], float]] = {"infomax": infomax, "snd": snd, "corr_c": corr_c}
_CHOICES = {
    "optimizer": tuple(OPTIMIZERS),
    "schedule": tuple(SCHEDULES),
    "precision": tuple(PRECISIONS),
    "select": ("last", *JUDGES),
}
_LEAST = {"steps": 1, "batch_size": 2, "every": 1, "patience": 1, "random_state": 0}
# rows that a score is taken on; rows of tables and images that are predicted at once
_SHOWN, _BLOCK, _IMAGES = 2000, 1024, 64


def check_settings(shell: Any) -> None:
    """Refuse a setting out of its bounds with a sentence that says what was expected and what came."""
    name = type(shell).__name__
    if not isinstance(shell.objective, Objective):
        raise ValueError(f"{name}: objective must be a deep method, such as DANN(); got {shell.objective!r}")
    for key, choices in _CHOICES.items():
        if getattr(shell, key) not in choices:
            raise ValueError(f"{name}: {key} must be one of {', '.join(choices)}; got {getattr(shell, key)!r}")
    for key, least in _LEAST.items():
        value = getattr(shell, key)
        if not (value is None or (isinstance(value, numbers.Integral) and int(value) >= least)):
            raise ValueError(f"{name}: {key} must be a whole number >= {least}; got {value!r}")
    for key in ("lr", "clip"):
        value = getattr(shell, key)
        if not (value is None and key == "clip") and not (isinstance(value, numbers.Real) and float(value) > 0):
            raise ValueError(f"{name}: {key} must be a number > 0; got {value!r}")


def trained(shell: Any, source: Any, target: Any, outputs: int) -> tuple[nn.ModuleDict, list[dict[str, float]], int]:
    """Run the loop; the modules on the CPU, the history, and the step that was kept."""
    seed = shell.random_state
    with ready(shell, lambda: fresh(shell, outputs, int(shell.n_features_in_))) as engine:
        source, target = placed(source, engine), placed(target, engine)
        streams = (
            Stream(source, shell.batch_size, seed, engine.device, labelled=True),
            Stream(target, shell.batch_size, seed + 2**20, engine.device, labelled=False),
        )
        loop = Loop(shell.objective_, engine, *streams, _plan(shell), _judge(shell, engine, target))
        loop.tick = shell.tick or loop.tick
        loop.run()
    return engine.modules.cpu(), loop.history, loop.step if loop.best is None else loop.best[1]


@contextmanager
def ready(shell: Any, make: Callable[[], nn.ModuleDict]) -> Iterator[Engine]:
    """The engine of a run with the modules that ``make`` gives, on the shell's device."""
    device = pick_device(shell.device)
    # random numbers in three streams: the net's start, the parts' start, and dropout; what one uses moves no other
    with (
        _roomy(shell, device),
        processes() as (rank, world),
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
    ):
        engine = Engine(make(), device, shell.precision, shell.compile, rank, world)
        torch.manual_seed(shell.random_state)
        yield engine


@contextmanager
def _roomy(shell: Any, device: torch.device) -> Iterator[None]:
    """Say what helps where memory runs out; on a processor torch has no error of its own for it."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
            raise MemoryError(
                f"{type(shell).__name__}: {device} is out of memory; a smaller batch_size or net helps"
            ) from error
        raise


def fresh(shell: Any, outputs: int, columns: int) -> nn.ModuleDict:
    """The net and the objective's parts, at their start."""
    torch.manual_seed(shell.random_state)
    modules: nn.ModuleDict = build(shell._net, columns, outputs)
    torch.manual_seed(shell.random_state + 1)
    modules.update(shell.objective_.parts(modules, outputs))
    return modules


def rebuilt(shell: Any, columns: int, outputs: int, weights: dict[str, Array]) -> nn.ModuleDict:
    """Trained modules from their weights."""
    with torch.random.fork_rng(devices=[]):
        modules = fresh(shell, outputs, columns)
    modules.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in weights.items()})
    return modules.eval()


@torch.no_grad()
def outputs_of(modules: nn.ModuleDict, X: Array, part: str = "head") -> Array:
    """Logits (n, C), or features (n, k), of rows; computed in the rows' own precision, of images in float32."""
    kind = torch.float64 if X.dtype == np.float64 else torch.float32
    net = {name: copy.deepcopy(modules[name]).to(kind) for name in ("features", "head")}
    found = []
    for x in _blocks(modules, X):
        f = net["features"](x)
        found.append((f if part == "features" else net["head"](f)).numpy())
    return np.concatenate(found)


def _blocks(modules: nn.ModuleDict, X: Array) -> Iterator[Tensor]:
    """Rows as the net takes them, so many at once as memory has room for."""
    features: Any = modules["features"]
    if X.dtype.kind == "U":
        # each image is wanted once
        return ImageDataset(X[:, 0], features.read, most_bytes=0).blocks(_IMAGES)
    return (torch.from_numpy(np.ascontiguousarray(X[i : i + _BLOCK])) for i in range(0, len(X), _BLOCK))


def _plan(shell: Any) -> Plan:
    from transfermap.deep import estimators as shells

    return Plan(
        steps=shell.steps or shells.STEPS,
        optimizer=shell.optimizer,
        lr=shell.lr,
        backbone_lr=shell.backbone_lr,
        weight_decay=shell.weight_decay,
        schedule=shell.schedule,
        clip=shell.clip,
        every=shell.every,
        patience=shell.patience,
        checkpoint=None if shell.checkpoint is None else Path(shell.checkpoint),
    )


def _judge(shell: Any, engine: Engine, target: Any) -> Any:
    """The label-free score of a state, on some of the target's rows; None where the last state is kept."""
    if shell.select == "last":
        return None
    if not hasattr(shell, "classes_"):
        raise ValueError(
            f"{type(shell).__name__}: select={shell.select!r} scores classes; a regressor keeps the last state"
        )
    shown = Stream(target, _SHOWN, shell.random_state + 2**21, engine.device, labelled=False).next()

    @torch.no_grad()
    def judge() -> float:
        return JUDGES[shell.select](engine.forward(shown.x).p.double().cpu().numpy())

    return judge


def placed(data: Any, m: Engine) -> Any:
    """What batches are drawn from: tensors on the run's device, where every batch will be wanted; for paths, a Dataset
    of the images as the net reads them; a Dataset as it is."""
    if not isinstance(data, tuple):
        return data
    if isinstance(data[0], torch.Tensor):
        return tuple(part.to(m.device) for part in data)
    images = ImageDataset(data[0][:, 0], m["features"].read)
    return images if len(data) == 1 else StackDataset(images, *data[1:])
