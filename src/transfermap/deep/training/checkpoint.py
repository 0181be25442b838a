"""A run's checkpoint: everything that moves, in one safetensors file that is there whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

Tensors = Mapping[str, Tensor]


def write_state(path: Path, tensors: Tensors, signature: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """Write where a run stands.

    Parameters
    ----------
    path : Path
    tensors : mapping of str to tensor
    signature : mapping
        What must be the same for this checkpoint to fit a run; JSON must be able to hold it.
    facts : mapping
        What else is to be known of the run, as plain values.

    Raises
    ------
    ValueError
        If the file cannot be written, for example because the disk is full; the one that was there stays.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = {k: v.detach().cpu().clone().contiguous() for k, v in tensors.items()}
        # not save_file: each time it is killed, it leaves a file of a new name behind
        part.write_bytes(save(held, {"signature": json.dumps(signature), "facts": json.dumps(facts)}))
        part.replace(path)
    except Exception as error:
        with suppress(OSError):
            part.unlink()
        raise ValueError(f"the checkpoint {path} could not be written ({error}); the last one is as it was") from error


def read_state(path: Path, signature: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and facts of a run with the same signature.

    Raises
    ------
    ValueError
        If the file is damaged, or of another objective, net, data or plan; the message says which.
    """
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata()
            there, facts = json.loads(about["signature"]), json.loads(about["facts"])
            tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118 -- no dict
    except Exception as error:
        raise ValueError(f"{path} is no checkpoint of a run, or it is damaged ({error})") from error
    for name, value in json.loads(json.dumps(signature)).items():
        if there.get(name) != value:
            raise ValueError(
                f"{path} is the checkpoint of another run: its {_difference(name, there.get(name), value)}; "
                "name another file, or delete it to begin anew"
            )
    return tensors, facts


def _difference(name: str, there: Any, here: Any) -> str:
    """What differs first, in a few words."""
    if isinstance(there, dict) and isinstance(here, dict):
        part = next(k for k in (*here, *there) if there.get(k) != here.get(k))
        name, there, here = f"{name}'s {part}", there.get(part), here.get(part)
    return f"{name} is {there!r}, this run's {here!r}"


def under(name: str, tensors: Tensors) -> dict[str, Tensor]:
    """The tensors whose names begin with ``name/``, without that."""
    return {k.removeprefix(f"{name}/"): v for k, v in tensors.items() if k.startswith(f"{name}/")}


def within(name: str, tensors: Tensors) -> dict[str, Tensor]:
    """The tensors with ``name/`` before their names."""
    return {f"{name}/{k}": v for k, v in tensors.items()}


def slots(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, float]]:
    """An optimiser's memory of each parameter: tensors, and plain numbers."""
    tensors, numbers = {}, {}
    for at, kept in optimizer.state_dict()["state"].items():
        for name, value in kept.items():
            if isinstance(value, Tensor):
                tensors[f"{at}/{name}"] = value
            elif value is not None:
                numbers[f"{at}/{name}"] = value
    return tensors, numbers


def fill(optimizer: torch.optim.Optimizer, tensors: Tensors, numbers: Mapping[str, float]) -> None:
    """Give an optimiser the memory that :func:`slots` read."""
    kept: dict[int, dict[str, Any]] = {}
    for key, value in {**tensors, **numbers}.items():
        at, name = key.split("/")
        kept.setdefault(int(at), {})[name] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": kept})
    # in the parameters' order of memory, on which the last bit of a step depends
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
