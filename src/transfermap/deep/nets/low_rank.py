r"""Corrections of low rank: the weights of a layer stay, and :math:`W + \frac{\alpha}{r} BA` is used in their place.

Hu, Shen, Wallis, Allen-Zhu, Li, Wang, Wang and Chen, LoRA: Low-Rank Adaptation of Large Language Models, ICLR 2022,
arXiv:2106.09685.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

# alpha over the rank, as in most uses of the method
SCALE = 2.0


class LowRank(nn.Module):
    """A weight (out, ...) plus ``SCALE`` times B (out, rank) by A (rank, rest); B starts at 0, so nothing changes."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        rest = weight[0].numel()
        rank = min(rank, len(weight), rest)
        self.A = nn.Parameter(torch.empty(rank, rest))
        self.B = nn.Parameter(torch.zeros(len(weight), rank))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + SCALE * (self.B @ self.A).view_as(weight)


def adapt_layers(net: nn.Module, rank: int) -> None:
    """Give each linear layer and convolution of ``net`` whose weight moves such a correction; nothing else moves then.

    Convolutions over single channels are left as they are: their few weights a channel have no low rank to speak of.
    """
    chosen: list[Any] = [layer for layer in net.modules() if _has_room(layer) and layer.weight.requires_grad]
    net.requires_grad_(False)
    for layer in chosen:
        parametrize.register_parametrization(layer, "weight", LowRank(layer.weight, rank))


def merge(net: nn.Module) -> nn.Module:
    """Write the corrections into the weights; the net is then of its first shape, and gives what it gave."""
    for layer in list(net.modules()):
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
    return net


def _has_room(layer: Any) -> bool:
    return isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.groups == 1)
