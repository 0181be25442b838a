"""Sums of Gaussian kernels of several widths, and the distances that they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.deep.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

KERNELS = 5


def squared_distances(z: Tensor, other: Tensor | None = None) -> Tensor:
    r""":math:`\|z_i-z'_j\|^2` of all pairs of rows, (n, m); ``other`` None: of the rows with themselves."""
    other = z if other is None else other
    # about the mean, or far from 0 the three parts would cancel
    centre = other.detach().mean(0)
    left = z - centre
    right = left if other is z else other - centre
    sizes = (left * left).sum(1)[:, None], (right * right).sum(1)
    return torch.addmm(sizes[0] + sizes[1], left, right.T, alpha=-2).clamp(min=0)


def mean_distance(z: Tensor) -> Tensor:
    r"""Mean of :math:`\|z_i-z_j\|^2` over all :math:`i\ne j`, from n rows in O(n); no gradient passes.

    Were there one, a kernel of this width would not see the features' scale.
    """
    z = z.detach()
    mean = 2 * (z - z.mean(0)).square().sum() / (len(z) - 1)
    # rows that differ by no more than rounding are equal: their kernel is 1
    rounding = (100 * torch.finfo(z.dtype).eps) ** 2
    return torch.maximum(mean, rounding * (1 + z.square().sum(1).mean()))


def bank(D: Tensor, width: Tensor | float, kernels: int = KERNELS) -> Tensor:
    r"""Sum of Gaussians :math:`\sum_u\exp(-D/(2^u\,\mathrm{width}))` with u around 0: -2 ... 2 for five, 0 for one."""
    # each Gaussian is the square of the next wider one: one exponential does for all
    one = torch.exp(D * (-1 / (width * 2 ** (kernels // 2))))
    total = one
    for _ in range(kernels - 1):
        one = one * one
        total = total + one
    return total
