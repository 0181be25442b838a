"""Modules that torch does not have."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from transfermap.deep.losses.discrepancy import bank, squared_distances


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


class SelfGram(torch.autograd.Function):
    """``bank(squared_distances(z), width, kernels)``, three times as fast backwards: its gradient is one product."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, width: Tensor | float, kernels: int) -> Tensor:
        z = z - z.mean(0)
        total, slope = _sloped_bank(squared_distances(z), width, kernels)
        ctx.save_for_backward(z, slope)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        z, slope = ctx.saved_tensors
        pull = grads[0] * slope
        pull = pull + pull.T
        return 2 * torch.addmm(pull.sum(1)[:, None] * z, pull, z, alpha=-1), None, None


def _sloped_bank(D: Tensor, width: Tensor | float, kernels: int) -> tuple[Tensor, Tensor]:
    """The bank of kernels and its derivative by the distances, both of D's shape; D itself is used up."""
    rate = 1 / (width * 2 ** (kernels // 2))
    one = D.mul_(-rate).exp_()
    total, slope = one.clone(), one.clone()
    for u in range(1, kernels):
        one.square_()
        total += one
        slope.add_(one, alpha=2**u)
    return total, slope.mul_(-rate)


class TiledMMD(torch.autograd.Function):
    """``mmd2(gram(a, b), n)`` and, on the same way, its gradient, from one tile of the Gram matrix after another.

    The matrix is symmetric: of two tiles that mirror each other one is made. What is kept for the way back is of the
    rows' size.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, width: Tensor, kernels: int, unbiased: bool, block: int) -> Tensor:
        n, m, spare = len(a), len(b), int(unbiased)
        z = torch.cat([a, b])
        z -= z.mean(0)
        shares = {(0, 0): 1 / (n * (n - spare)), (0, 1): -1 / (n * m), (1, 1): 1 / (m * (m - spare))}
        parts = [(0, rows) for rows in _parts(0, n, block)] + [(1, rows) for rows in _parts(n, n + m, block)]
        pull = torch.zeros_like(z) if any(ctx.needs_input_grad) else None
        # a row's kernels with itself are 1 each
        value = -z.new_tensor(spare * kernels * (1 / (n - spare) + 1 / (m - spare)))
        for (first, rows), (second, others) in combinations_with_replacement(parts, 2):
            share = shares[first, second]
            K = _tile(z, rows, others, width, kernels, pull, share)
            value += K * (share if rows is others else 2 * share)
        if pull is not None:
            ctx.save_for_backward(pull)
        ctx.n = n
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        pull = grads[0] * ctx.saved_tensors[0]
        return pull[: ctx.n], pull[ctx.n :], None, None, None, None


def _parts(start: int, stop: int, block: int) -> list[slice]:
    return [slice(at, min(at + block, stop)) for at in range(start, stop, block)]


def _tile(
    z: Tensor, rows: slice, others: slice, width: Tensor, kernels: int, pull: Tensor | None, share: float
) -> Tensor:
    """The sum of one tile's kernels; ``pull`` (n + m, k) gets what they weigh, each ``share``, in the gradient."""
    x, y = z[rows], z[others]
    D = squared_distances(x, y)
    if pull is None:
        return bank(D, width, kernels).sum()
    total, slope = _sloped_bank(D, width, kernels)
    slope *= 4 * share
    pull[rows] += torch.addmm(slope.sum(1)[:, None] * x, slope, y, alpha=-1)
    if rows is not others:
        pull[others] += torch.addmm(slope.sum(0)[:, None] * y, slope.T, x, alpha=-1)
    return total.sum()


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
