"""Modules that torch does not have."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """Two 3 x 3 convolutions around a shortcut (He et al., CVPR 2016, doi:10.1109/CVPR.2016.90)."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, 1, 1, bias=False),
            nn.BatchNorm2d(after),
        )
        same = before == after and stride == 1
        self.short = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = torch.relu(self.body(x) + self.short(x))
        return out


class Added(nn.Module):
    """What a module makes of rows, added to them."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


class Memory(nn.Module):
    """Named numbers that an objective keeps from step to step; as buffers they are part of every checkpoint."""

    def __init__(self, **start: Tensor) -> None:
        super().__init__()
        for name, value in start.items():
            self.register_buffer(name, value)


def same(size: int) -> nn.Linear:
    """A linear map that starts as the identity."""
    layer = nn.Linear(size, size)
    nn.init.eye_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class Frozen(nn.Module):
    """A copy of a module that learns nothing any more.

    Its running statistics stay as they are. Its dropout is on when the original's is: where only one of two domains'
    features have zeros, a discriminator needs nothing else to tell them apart.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.body = copy.deepcopy(module).requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        super().train(False)
        for layer in self.modules():
            if isinstance(layer, nn.modules.dropout._DropoutNd):
                layer.train(mode)
        return self

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x)
        return out


class Discriminators(nn.Module):
    """Discriminators of equal shape, one a class, in one product a layer: rows (C, n, k) to logits (C, n)."""

    def __init__(self, discriminators: Sequence[nn.Module]) -> None:
        super().__init__()
        layers = list(zip(*([x for x in c.modules() if isinstance(x, nn.Linear)] for c in discriminators), strict=True))
        self.maps = nn.ParameterList(torch.stack([x.weight.detach().T for x in layer]) for layer in layers)
        self.shifts = nn.ParameterList(torch.stack([x.bias.detach()[None] for x in layer]) for layer in layers)

    def forward(self, x: Tensor) -> Tensor:
        for at, (a, b) in enumerate(zip(self.maps, self.shifts, strict=True)):
            x = torch.baddbmm(b, torch.relu(x) if at else x, a)
        return x[..., 0]


class Scaling(nn.Module):
    """Images (n, 3, h, w) of bytes, or of numbers from 0 to 255, as a pretrained net wants them.

    ``mean`` and ``spread`` are of its images, a colour each, where 255 counts as one. The colours of a point are laid
    side by side in memory: on CPUs the convolutions after it then train almost twice as fast.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, mean: Sequence[float], spread: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", 255 * torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("spread", 255 * torch.tensor(spread).view(3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        scaled = (x.to(self.mean.dtype) - self.mean) / self.spread
        return scaled.contiguous(memory_format=torch.channels_last)
