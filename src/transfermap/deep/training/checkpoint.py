"""A run's checkpoint: everything that moves, in one safetensors file that is there whole or not at all."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from transfermap._version import __version__

if TYPE_CHECKING:
    from transfermap.deep.training.loop import Loop


def write_state(loop: Loop, path: Path) -> None:
    """Write where a run stands.

    Raises
    ------
    ValueError
        If the file cannot be written, for example because the disk is full; the one that was there stays.
    """
    assert loop.source is not None  # what runs without one keeps no checkpoint
    tensors = {f"module/{k}": v for k, v in loop.engine.modules.state_dict().items()}
    slots, numbers = _slots(loop.optimizer)
    tensors |= slots
    for name, stream in (("source", loop.source), ("target", loop.target)):
        tensors |= {f"{name}/{k}": v for k, v in stream.state().items()}
    tensors["random/cpu"] = torch.get_rng_state()
    if loop.engine.device.type == "cuda":
        tensors["random/cuda"] = torch.cuda.get_rng_state(loop.engine.device)
    facts = _signature(loop) | {"step": loop.step, "stage": loop.stage, "history": loop.history, "numbers": numbers}
    if loop.best is not None:
        tensors |= {f"best/{k}": v for k, v in loop.best[2].items()}
        facts["best"] = loop.best[:2]
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = {k: v.detach().cpu().clone().contiguous() for k, v in tensors.items()}
        # not save_file: each time it is killed, it leaves a file of a new name behind
        part.write_bytes(save(held, {"run": json.dumps(facts)}))
        part.replace(path)
    except Exception as error:
        with suppress(OSError):
            part.unlink()
        raise ValueError(f"the checkpoint {path} could not be written ({error}); the last one is as it was") from error


def read_state(loop: Loop, path: Path) -> None:
    """Go on where a run stood.

    Raises
    ------
    ValueError
        If the file is damaged, or of another objective, net, data or plan; the message says which.
    """
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()["run"])
            tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118 -- no dict
    except Exception as error:
        raise ValueError(f"{path} is no checkpoint of a run, or it is damaged ({error})") from error
    for name, value in json.loads(json.dumps(_signature(loop))).items():
        if facts.get(name) != value:
            raise ValueError(
                f"{path} is the checkpoint of another run: its {_difference(name, facts.get(name), value)}; "
                "name another file, or delete it to begin anew"
            )
    assert loop.source is not None
    loop.engine.modules.load_state_dict(_under("module", tensors))
    _fill(loop.optimizer, _under("slot", tensors), facts["numbers"])
    loop.source.restore(_under("source", tensors))
    loop.target.restore(_under("target", tensors))
    loop.step, loop.stage, loop.history = facts["step"], facts["stage"], facts["history"]
    if "best" in facts:
        loop.best = (*facts["best"], _under("best", tensors))
    torch.set_rng_state(tensors["random/cpu"])
    if "random/cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random/cuda"], loop.engine.device)


def _signature(loop: Loop) -> dict[str, Any]:
    """What must be the same for a checkpoint to fit a run."""
    assert loop.source is not None
    plan = loop.plan
    return {
        "version": __version__,
        "objective": repr(loop.objective),
        "net": {k: list(v.shape) for k, v in loop.engine.modules.state_dict().items()},
        "rows": [loop.source.rows, loop.target.rows],
        "batch": [loop.source.size, loop.target.size],
        "plan": {k: v for k, v in vars(plan).items() if k != "checkpoint"},
    }


def _difference(name: str, there: Any, here: Any) -> str:
    """What differs first, in a few words."""
    if isinstance(there, dict) and isinstance(here, dict):
        part = next(k for k in (*here, *there) if there.get(k) != here.get(k))
        name, there, here = f"{name}'s {part}", there.get(part), here.get(part)
    return f"{name} is {there!r}, this run's {here!r}"


def _under(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(f"{name}/"): v for k, v in tensors.items() if k.startswith(f"{name}/")}


def _slots(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, float]]:
    """The optimiser's memory of each parameter: tensors, and plain numbers."""
    tensors, numbers = {}, {}
    for at, slots in optimizer.state_dict()["state"].items():
        for name, value in slots.items():
            if isinstance(value, Tensor):
                tensors[f"slot/{at}/{name}"] = value
            elif value is not None:
                numbers[f"{at}/{name}"] = value
    return tensors, numbers


def _fill(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], numbers: dict[str, float]) -> None:
    slots: dict[int, dict[str, Any]] = {}
    for key, value in (tensors | numbers).items():
        at, name = key.split("/")
        slots.setdefault(int(at), {})[name] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": slots})
    # in the parameters' order of memory, on which the last bit of a step depends
    for parameter, kept in optimizer.state.items():
        for name, value in kept.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                kept[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
