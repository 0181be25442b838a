"""What adversarial methods share: the discriminator's loss, how often it is right, and second heads."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from transfermap.deep.lazy import F, torch
from transfermap.deep.training.objective import entropy

if TYPE_CHECKING:
    from torch import Tensor, nn

    from transfermap.deep.training.engine import Engine


def told_apart(
    m: Engine,
    ds: Tensor,
    dt: Tensor,
    ws: Tensor | None = None,
    wt: Tensor | None = None,
    note: str = "discriminator accuracy",
) -> Tensor:
    """The discriminator's loss: the cross-entropy of its logits ``ds`` (n_s,) and ``dt`` (n_t,), with 1 for the source.

    Each domain counts one half whatever its batch; ``ws`` and ``wt`` weigh rows. How often the discriminator is right
    (mean of both domains) is noted as ``note``; where it stays near 1, its gradient says little.
    """

    def accuracy() -> Tensor:
        # a domain that counts less is named less often, by a discriminator that knows the domains apart too
        even = sum(sign * w.mean().log() for sign, w in ((1, ws), (-1, wt)) if w is not None)
        return 1 - errors(ds - even, dt - even)

    m.note(note, accuracy)
    return domain_loss(ds, dt, ws, wt)


def domain_loss(ds: Tensor, dt: Tensor, ws: Tensor | None = None, wt: Tensor | None = None) -> Tensor:
    """The loss of :func:`told_apart`; of several discriminators (C, n_s), (C, n_t) the mean."""
    # -log sigmoid(d) and -log(1 - sigmoid(d)), exact also where the sigmoid rounds to 0 or 1
    loss_s, loss_t = F.softplus(-ds), F.softplus(dt)
    loss = (loss_s if ws is None else ws * loss_s).mean() + (loss_t if wt is None else wt * loss_t).mean()
    return loss / 2


def errors(ds: Tensor, dt: Tensor, ws: Tensor | None = None, wt: Tensor | None = None) -> Tensor:
    """How often discriminators are wrong, each domain counting one half; of several (C, n) one number each.

    Rows count ``ws`` and ``wt``, of any sum; where all of a domain count nothing, it counts as guessed.
    """
    wrong = []
    for miss, w in ((ds <= 0, ws), (dt > 0, wt)):
        w = torch.ones_like(ds[..., :1]) if w is None else w
        total = w.expand(miss.shape).sum(-1)
        # both branches of where are computed: no 0 / 0 in the one that is not taken
        wrong.append(torch.where(total > 0, (w * miss).sum(-1) / total.clamp(min=1e-30), 0.5))
    return (wrong[0] + wrong[1]) / 2


def sureness(p: Tensor) -> Tensor:
    """How sure of each row (n, C) a classifier is, ``1 + exp(-H)``, over its mean; no gradient through the mean."""
    w = 1 + torch.exp(-entropy(p))
    # the mean only fixes the scale; through it a row's weight would rise by others becoming unsure
    return w / w.mean().detach()


def second_head(net: nn.ModuleDict) -> nn.Module:
    """A head like the net's, begun anew.

    Raises
    ------
    ValueError
        If it comes out equal to the first: nothing would ever part the two.
    """
    # of the same shape, whatever the caller's net is; a copy that starts equal would get equal gradients for ever
    head = copy.deepcopy(net["head"])
    for layer in head.modules():
        begin: Any = getattr(layer, "reset_parameters", lambda: None)
        begin()
    if all(torch.equal(a, b) for a, b in zip(head.parameters(), net["head"].parameters(), strict=True)):
        raise ValueError(f"the net's head must have layers that can be begun anew, such as Linear; got {net['head']}")
    return head
