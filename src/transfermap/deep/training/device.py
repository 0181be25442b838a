"""Where a run computes: its device, its precision, its processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from transfermap.deep.lazy import torch

if TYPE_CHECKING:
    from torch import device as Device

PRECISIONS = ("float32", "bfloat16")


def pick_device(wanted: str) -> Device:
    """ "auto" is the first CUDA device (of this process, under torchrun), Apple's, or the CPU.

    Raises
    ------
    ValueError
        If there is no such device.
    """
    if wanted == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        wanted = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if name == "cuda" else name
    try:
        device = torch.device(wanted)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"no device {wanted!r} here ({str(error).splitlines()[0]})") from error
    return device


@contextmanager
def processes() -> Iterator[tuple[int, int]]:
    """Rank and number of this run's processes; joins the group that torchrun announces, and leaves it in order."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield 0, 1
        return
    dist: Any = torch.distributed
    mine = not dist.is_initialized()
    if mine:
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield dist.get_rank(), dist.get_world_size()
    finally:
        if mine:
            dist.barrier()  # without it some runs abort at exit
            dist.destroy_process_group()
