"""A deep method that makes rows: it trains parts by losses, and these turn noise into rows of a domain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from transfermap.card import param
from transfermap.deep.lazy import torch
from transfermap.deep.self_trained import SelfTrained
from transfermap.deep.trained import Scale, scale
from transfermap.roles import Generator
from transfermap.split import Array, Split

if TYPE_CHECKING:
    from torch import Tensor

    from transfermap.deep.training.engine import Engine


@dataclass(eq=False, repr=False, kw_only=True)
class DeepGenerator(SelfTrained, Generator):
    """A deep method that makes rows.

    It writes ``parts(spec)``, ``loss(m, batches, progress)`` (or several losses, named in ``stages``), and
    :meth:`chain` where the part that makes rows is not called "generator". In a loss, noise comes from :meth:`noise`.
    """

    latent: int = param(default=16, low=1, whole=True)

    def chain(self, domain: str) -> tuple[str, ...]:
        """The parts that, one after the other, turn noise into rows of a domain."""
        return ("generator",)

    def noise(self, m: Engine, n: int) -> Tensor:
        """Standard normal numbers (n, latent) on the run's device; a checkpoint holds where they go on."""
        # drawn on the CPU: one seed gives the same run on every device
        return torch.randn(n, self.latent).to(m.device)

    def _fit(self, rows: Split) -> None:
        self._fit_net(rows, self.reads)

    def _scale(self, Xs: Array, Xt: Array) -> Scale:
        """The columns of what is made."""
        rows = {"source": Xs, "target": Xt}
        return scale(np.concatenate([rows[domain] for domain in self.makes]))

    def _sample(self, n: int, seed: int, domain: str) -> Array:
        Z = np.random.default_rng(seed).normal(size=(n, self.latent))
        return self._unscaled(self._through(Z, *self.chain(domain)))
