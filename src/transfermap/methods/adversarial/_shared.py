"""What adversarial methods share: the critic's loss, and how often it is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.deep.lazy import F

if TYPE_CHECKING:
    from torch import Tensor

    from transfermap.deep.engine import Engine


def told_apart(m: Engine, ds: Tensor, dt: Tensor, ws: Tensor | None = None, wt: Tensor | None = None) -> Tensor:
    """The critic's loss: the cross-entropy of its logits ``ds`` (n_s,) and ``dt`` (n_t,), with 1 for the source.

    Each domain counts one half whatever its batch; ``ws`` and ``wt`` (mean 1) weigh rows. How often the critic is right
    (mean of both domains) is noted as "critic accuracy"; where it stays near 1, its gradient says little.
    """
    loss_s, loss_t = F.softplus(-ds), F.softplus(dt)
    m.note("critic accuracy", ((ds > 0).float().mean() + (dt <= 0).float().mean()) / 2)
    loss = (loss_s if ws is None else ws * loss_s).mean() + (loss_t if wt is None else wt * loss_t).mean()
    return loss / 2
