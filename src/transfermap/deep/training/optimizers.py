"""Optimisers and schedules of the learning rate, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from transfermap.deep.lazy import torch

if TYPE_CHECKING:
    from torch.optim import Optimizer

SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda p: 1.0,
    "anneal": lambda p: (1 + 10 * p) ** -0.75,  # Ganin et al., JMLR 2016
    "linear": lambda p: 1 - p,
}
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "adamw": lambda groups, lr, decay: torch.optim.AdamW(groups, lr, weight_decay=decay, fused=True),
    "adam": lambda groups, lr, decay: torch.optim.Adam(groups, lr, weight_decay=decay, fused=True),
    # the smaller momentum with which two players do not swing (Radford et al., ICLR 2016)
    "adam-gan": lambda groups, lr, decay: torch.optim.Adam(
        groups, lr, betas=(0.5, 0.999), weight_decay=decay, fused=True
    ),
    "sgd": lambda groups, lr, decay: _at_rest(
        torch.optim.SGD(groups, lr, momentum=0.9, nesterov=True, weight_decay=decay, fused=True)
    ),
}


def _at_rest(sgd: Any) -> Any:
    """With all momenta at 0: fused steps fail where some parameters have one and others have not moved yet."""
    for group in sgd.param_groups:
        for p in group["params"]:
            sgd.state[p]["momentum_buffer"] = torch.zeros_like(p)
    return sgd
