"""What trained modules make of rows, on the device of the run and in the rows' own precision."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from transfermap.deep.pretrained.image_dataset import ImageDataset
from transfermap.deep.training.device import pick_device
from transfermap.split import Array

# rows of tables and images that are predicted at once
_BLOCK, _IMAGES = 1024, 64


class Predictor:
    """Chains of modules applied to rows, block by block.

    Rows of a table are computed in float64 where they are float64: in float32 a row alone and the same row in a batch
    differ in the seventh digit. The copy of the weights that this needs is made once, and made anew only when the
    weights have changed.

    Parameters
    ----------
    modules : ModuleDict
        On the CPU, in eval mode; they are not changed.
    device : str
        Where to compute; the CPU, if there is no such device here.
    """

    def __init__(self, modules: nn.ModuleDict, device: str) -> None:
        self.modules, self._device = modules, _at_hand(device)
        self._copies: dict[tuple[str, torch.dtype], tuple[Any, nn.Module]] = {}

    @torch.no_grad()
    def __call__(self, X: Array, chain: Sequence[str]) -> Array:
        """What the modules named in ``chain``, one after the other, make of rows (n, ...)."""
        kind = torch.float64 if X.dtype == np.float64 else torch.float32
        if self._device.type == "mps":
            kind = torch.float32  # it has no float64
        net = [self._copy(name, kind) for name in chain]
        found = []
        for block in self._blocks(X):
            x = block.to(self._device)
            for module in net:
                x = module(x)
            found.append(x.cpu().numpy())
        return np.concatenate(found)

    def _blocks(self, X: Array) -> Iterator[Tensor]:
        """Rows as the net takes them, so many at once as memory has room for."""
        if X.dtype.kind == "U":
            read: Any = self.modules["features"].read
            return ImageDataset(X[:, 0], read, most_bytes=0).blocks(_IMAGES)  # each image is wanted once
        return (torch.from_numpy(np.ascontiguousarray(X[i : i + _BLOCK])) for i in range(0, len(X), _BLOCK))

    def _copy(self, name: str, kind: torch.dtype) -> nn.Module:
        """A module in this precision on the device; itself, where that is what it is."""
        module = self.modules[name]
        state = module.state_dict(keep_vars=True).values()
        if all(v.device == self._device and v.dtype in (kind, torch.int64) for v in state):
            return module
        # every change in place counts a tensor's version up, and a tensor that has been replaced has another address
        stamp = [(id(v), v._version) for v in state]
        if (name, kind) not in self._copies or self._copies[name, kind][0] != stamp:
            self._copies[name, kind] = stamp, copy.deepcopy(module).to(self._device, kind)
        return self._copies[name, kind][1]


def _at_hand(wanted: str) -> torch.device:
    try:
        return pick_device(wanted)
    except ValueError:
        return torch.device("cpu")  # a model that was trained on another machine
