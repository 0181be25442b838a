"""Modules that torch does not have."""

from __future__ import annotations

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


class Memory(nn.Module):
    """Named numbers that an objective keeps from step to step; as buffers they are part of every checkpoint."""

    def __init__(self, **start: Tensor) -> None:
        super().__init__()
        for name, value in start.items():
            self.register_buffer(name, value)
