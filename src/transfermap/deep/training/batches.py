"""Batches of one domain: every row once before any comes again, in an order of the stream's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import default_collate

from transfermap.deep.training.batch import Batch
from transfermap.split import Side

# between the generators of the two domains' streams
_APART = 2**20


class Stream:
    """An endless stream of batches from tensors ``(x, y)``, or from any Dataset of rows or of (row, label) pairs.

    It draws from a generator of its own: what else draws random numbers does not move it. Batches never hold more rows
    than there are.
    """

    def __init__(
        self,
        data: Any,
        size: int,
        seed: int,
        device: torch.device,
        labelled: bool,
        domain: Tensor | None = None,
    ) -> None:
        self._data, self._device, self._labelled, self._domain = data, device, labelled, domain
        self.rows = len(data[0]) if isinstance(data, tuple) else len(data)
        self.size = min(size, self.rows)
        self._random = torch.Generator().manual_seed(seed)
        self._order = torch.randperm(self.rows, generator=self._random)
        self._at = 0

    def next(self) -> Batch:
        """The next batch; its rows are on the run's device."""
        index = self._indices()
        x, y = self._fetch(index)
        domain = None if self._domain is None else self._domain[index]
        here = (None if part is None else part.to(self._device, non_blocking=True) for part in (y, domain))
        return Batch(x.to(self._device, non_blocking=True), next(here), index, next(here))

    def blocks(self, order: Tensor, count: int) -> Iterator[Tensor]:
        """The rows that ``order`` names, in so many parts of nearly one size; ``next`` is not moved by it."""
        for index in order.tensor_split(count):
            yield self._fetch(index)[0].to(self._device, non_blocking=True)

    def state(self) -> dict[str, Tensor]:
        """All that is needed to go on from here."""
        return {"random": self._random.get_state(), "order": self._order, "at": torch.tensor(self._at)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from what :meth:`state` gave."""
        self._random.set_state(state["random"])
        self._order, self._at = state["order"], int(state["at"])

    def _indices(self) -> Tensor:
        if self._at + self.size > len(self._order):
            # what is left comes first in the next round; its rows come again at that round's end, not in this batch
            left = self._order[self._at :]
            fresh = torch.randperm(self.rows, generator=self._random)
            again = torch.isin(fresh, left)
            self._order, self._at = torch.cat([left, fresh[~again], fresh[again]]), 0
        index = self._order[self._at : self._at + self.size]
        self._at += self.size
        return index

    def _fetch(self, index: Tensor) -> tuple[Tensor, Tensor | None]:
        if isinstance(self._data, tuple):
            at = index.to(self._data[0].device)
            return self._data[0][at], self._data[1][at] if self._labelled else None
        rows = index.tolist()
        # torch's own protocol: a Dataset may be quicker at giving many rows at once
        many = getattr(self._data, "__getitems__", None)
        items = many(rows) if many else [self._data[row] for row in rows]
        paired = isinstance(items[0], (tuple, list))
        if self._labelled and not paired:
            raise ValueError("the source's Dataset must give (row, label) pairs")
        x = default_collate([item[0] if paired else item for item in items])
        return x, default_collate([item[1] for item in items]) if self._labelled else None


@dataclass(frozen=True, kw_only=True)
class Domains:
    """The rows of both domains, as an objective may have its batches drawn from them.

    Attributes
    ----------
    source, target : tuple of tensor, or Dataset
        ``(x, y)`` or ``(x,)``; or a Dataset of (row, label) pairs or of rows.
    size, seed : int
        Most rows of a batch; of the order in which rows come.
    device : torch.device
    labelled : tuple of str
        Which of the two give their labels with their rows: those that the method reads.
    source_domains, target_domains : tensor of int, or None
        The number of each row's domain.
    side : Side, or None
        Side information; pairs in the order of the source rows, then the target rows.
    """

    source: Any
    target: Any
    size: int
    seed: int
    device: torch.device
    labelled: tuple[str, ...] = ()
    source_domains: Tensor | None = None
    target_domains: Tensor | None = None
    side: Side | None = None

    def stream(self, name: str, size: int | None = None, seed: int | None = None) -> Stream:
        """A stream of the rows of the "source" or the "target", ``size`` of them at a time."""
        data, domain = (self.source, self.source_domains) if name == "source" else (self.target, self.target_domains)
        seed = self.seed + (0 if name == "source" else _APART) if seed is None else seed
        return Stream(data, size or self.size, seed, self.device, name in self.labelled, domain)

    @property
    def facts(self) -> dict[str, Any]:
        """What must be the same for a checkpoint to fit."""
        rows = [len(data[0]) if isinstance(data, tuple) else len(data) for data in (self.source, self.target)]
        return {"rows": rows, "batch": [min(self.size, n) for n in rows], "seed": self.seed}
