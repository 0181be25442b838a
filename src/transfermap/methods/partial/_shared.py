"""What methods for partial label sets share: what each class, and each source row, counts.

Both kinds of weights are without gradient, are blended with "all alike" by one number, and rest on an exponential
moving average, kept in a :class:`~transfermap.deep.nets.modules.Memory`: an objective sees batches, never the whole
target, and a mean over one batch is too noisy to rule a class out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transfermap.deep.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

    from transfermap.deep.nets.modules import Memory
    from transfermap.deep.training.engine import Engine

# the weighing discriminator's probabilities are held inside these: beyond them they are noise of a discriminator that
# has won
SURE = 0.05


def class_memory(outputs: int) -> Memory:
    """The target's class shares as far as they are known; at first all alike."""
    from transfermap.deep.nets.modules import Memory

    return Memory(share=torch.full((outputs,), 1.0 / outputs))


def target_shares(m: Engine, z: Tensor, temperature: float, memory: float) -> Tensor:
    """The target's class shares (C,), adding to 1: the mean softmax of its rows.

    ``z`` (n_t, C) are the batch's logits, and the mean runs over all batches so far, each further back counting
    ``memory`` times the next: about 1 / (1 - memory) batches. Each class's share is noted.
    """
    share: Tensor = m["classes"].share
    with torch.no_grad():
        # target rows alone: in a released program of SAN source rows count too, and all of their classes are present
        share.lerp_((z / temperature).softmax(1).mean(0), 1 - memory)
    for k, value in enumerate(share.unbind()):
        m.note(f"share of class {k}", value.clone())
    return share.clone()


def blend(weights: Tensor, strength: float, alike: float = 1.0) -> Tensor:
    """``weights`` at strength 1, all ``alike`` at strength 0."""
    return alike + strength * (weights - alike)


def row_memory() -> Memory:
    """The source's mean of 1 - D: one half, as long as a discriminator knows nothing."""
    from transfermap.deep.nets.modules import Memory

    return Memory(mean=torch.full((), 0.5))


def likeness(d: Any) -> Any:
    """How much rows look like target rows: 1 - D of a discriminator's logits ``d`` (n,), held inside [.05, .95]."""
    # detached: the weigher must not learn to give the weights that please the opponent
    return torch.sigmoid(-d.detach()).clamp(SURE, 1 - SURE)


def row_weights(m: Engine, d: Tensor, memory: float) -> Tensor:
    """What source rows count (n_s,): their likeness over its mean in the source, so 1 in the mean (not in each batch).

    Their spread is noted: 0 where the discriminator finds all rows alike.
    """
    mean: Tensor = m["rows"].mean
    with torch.no_grad():
        # over many batches: within one of a few dozen rows, weights would jump with the classes that it happens to hold
        mean.lerp_(likeness(d).mean(), 1 - memory)
    w: Tensor = likeness(d) / mean
    m.note("spread of weights", w.std(correction=0))
    return w
