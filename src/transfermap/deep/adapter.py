"""A deep method that moves rows: it trains parts by losses, and these map rows of either domain."""

from __future__ import annotations

from dataclasses import dataclass

from transfermap.deep.self_trained import SelfTrained
from transfermap.roles import Adapter
from transfermap.split import Array, Split


@dataclass(eq=False, repr=False, kw_only=True)
class DeepAdapter(SelfTrained, Adapter):
    """A deep method that moves rows.

    It writes ``parts(spec)``, ``loss(m, batches, progress)`` (or several losses, named in ``stages``), and
    ``_map_source(X)`` and/or ``_map_target(X)``, by :meth:`translated` where rows become rows, or by :meth:`outputs`
    where they become something else. Labels reach a loss only where ``reads`` says so.
    """

    def translated(self, X: Array, *chain: str) -> Array:
        """What trained parts, one after the other, make of rows (n, d), where that is again rows (n, d)."""
        Z: Array = self._unscaled(self.outputs(X, *chain)).astype(X.dtype, copy=False)
        return Z

    def _fit_rows(self, rows: Split) -> None:
        self._fit_net(rows, self.reads)
