"""Rows that a net is trained on; what its frozen lower stages make of them is computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from transfermap.deep.nets.freezing import Stages

BLOCK = 64
# of states that are kept in memory; above it the lower stages are run again in each step
MOST_BYTES = 2_000_000_000


class Rows:
    """Items, and how they are read.

    Parameters
    ----------
    items : sequence of length n, or tensor (n, ...)
        What ``read`` takes some of.
    read : callable
        Items -> tensor, rows first.
    sequences : bool
        Whether a row is a sequence of words: (n, words, ...), the last number saying whether there is a word. All
        items are then filled up to the longest, and each batch is cut to its own.
    """

    def __init__(self, items: Any, read: Callable[[Any], Tensor] = lambda x: x, sequences: bool = False) -> None:
        self.items, self.read, self.sequences = items, read, sequences
        self._kept: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self.items)

    def some(self, numbers: Sequence[int]) -> Rows:
        """The rows that ``numbers`` names."""
        tensor = isinstance(self.items, Tensor)
        items = self.items[torch.as_tensor(numbers)] if tensor else [self.items[int(i)] for i in numbers]
        return Rows(items, self.read, self.sequences)

    def states(self, features: nn.Module, cut: int) -> tuple[int, Tensor]:
        """What the first ``cut`` stages make of all rows, and after how many it is: 0 where it would not fit in memory.

        It is kept for further calls, which must not come with other lower stages.
        """
        if cut not in self._kept:
            blocks = self.through(nn.Sequential(*list(features.children())[:cut]))
            first = next(blocks)
            if cut and first[:1].numel() * first.element_size() * len(self) > MOST_BYTES:
                return self.states(features, 0)
            self._kept[cut] = stacked([first, *blocks])
            while len(self._kept) > 1 and sum(x.numel() * x.element_size() for x in self._kept.values()) > MOST_BYTES:
                del self._kept[next(iter(self._kept))]
        return cut, self._kept[cut]

    @torch.no_grad()
    def through(self, net: nn.Module) -> Iterator[Tensor]:
        """What a net in eval mode makes of the rows, block by block, on the CPU."""
        place = next((p.device for p in net.parameters()), torch.device("cpu"))
        net.eval()
        for start in range(0, len(self), BLOCK):
            yield packed(net(self.read(self.items[start : start + BLOCK]).to(place))).cpu()

    def above(self, features: nn.Module, cut: int) -> Stages:
        """The stages above the first ``cut``, themselves, to be trained on :meth:`states`."""
        children = list(features.named_children())[cut:]
        top = Stages()
        top.statistics = getattr(features, "statistics", True)
        if self.sequences and children:
            top.add_module("entry", Entry(as_states=cut > 0))
        for name, stage in children:
            top.add_module(name, stage)
        return top


class Entry(nn.Module):
    """Cuts a batch of sequences to its longest; gives states and which words are there, if these were packed."""

    def __init__(self, as_states: bool) -> None:
        super().__init__()
        self.as_states = as_states

    def forward(self, x: Tensor) -> Any:
        x = x[:, : max(1, int(x[..., -1].sum(1).max()))]
        return (x[..., :-1], x[..., -1]) if self.as_states else x


def packed(x: Any) -> Tensor:
    """A tensor as it is; states (n, words, width) and which words are there (n, words) as (n, words, width + 1)."""
    if isinstance(x, Tensor):
        return x
    states, there = x
    return torch.cat([states, there[..., None].to(states.dtype)], dim=2)


def stacked(blocks: Sequence[Tensor]) -> Tensor:
    """One below the other; sequences are filled up with zeros to the longest."""
    if blocks[0].ndim != 3:
        return torch.cat(list(blocks))
    longest = max(block.shape[1] for block in blocks)
    return torch.cat([nn.functional.pad(block, (0, 0, 0, longest - block.shape[1])) for block in blocks])
