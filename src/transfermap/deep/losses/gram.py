"""Gram matrices of kernel banks with gradients of their own, faster and smaller than what autograd would keep."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from transfermap.deep.losses.kernel_bank import bank, squared_distances


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
