"""What may move in a pretrained net, told by the names of its stages; and what of it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from transfermap.deep.nets.low_rank import adapt_layers
from transfermap.messages import Note

Freeze = Literal["all", "none"] | int | tuple[str, ...]
# by which the rate falls from a stage to the one below it (Howard & Ruder, ACL 2018)
DECAY = 2.6


class Stages(nn.Sequential):
    """A chain of stages of which those that do not move stay in eval mode, whatever is asked for.

    So the running statistics of a frozen batch normalisation stay as they are, and nothing is dropped out of what is
    frozen. A stage without weights goes with the one before it. Unless ``statistics`` is True, no batch normalisation
    looks at its batches, whether its weights move or not.
    """

    statistics = True

    def train(self, mode: bool = True) -> Stages:
        super().train(mode)
        moving = False
        for stage in self.children():
            moving = moves(stage) if _has_weights(stage) else moving
            stage.train(mode and moving)
        for layer in self.modules():
            still = not self.statistics or (getattr(layer, "affine", False) and not moves(layer))
            if isinstance(layer, _BatchNorm) and still:
                layer.train(False)
        return self


def with_head(stages: Any, width: int, outputs: int) -> nn.ModuleDict:
    """The stages of a backbone (a ``Sequential``) under a new linear layer for so many classes.

    Examples
    --------
    >>> net = with_head(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), width=4, outputs=2)
    >>> stage_names(net)
    ('0',)
    """
    return staged({"features": stages, "head": nn.Linear(width, outputs)})


def staged(net: Any) -> nn.ModuleDict:
    """A net of ``features`` and ``head`` whose features are :class:`Stages`; the modules are not copied."""
    features = Stages()
    for name, stage in net["features"].named_children():
        features.add_module(name, stage)
    return nn.ModuleDict({"features": features, "head": net["head"]})


def stage_names(net: Any) -> tuple[str, ...]:
    """The stages of ``net["features"]`` that have weights, from the input on."""
    return tuple(name for name, stage in net["features"].named_children() if _has_weights(stage))


@dataclass(frozen=True, kw_only=True)
class Surgery:
    r"""What may move in a net of ``features`` (stages by name) and ``head``, and how fast.

    Parameters
    ----------
    freeze : "all", "none", int or tuple of str, default="none"
        All stages; none; the first so many; or modules by name, such as ("stem", "block0.0"). The head always moves,
        unless it is named.
    decay : float, default=1.0
        At least 1. The rate falls by this factor from each stage to the one below it: :math:`\eta/\text{decay}` for
        the last stage where the head has :math:`\eta`. Howard and Ruder have 2.6.
    rank : int, default=0
        Above 0, no weight of a stage moves: each linear layer and convolution of what is not frozen gets a
        correction of this rank, which moves instead (:mod:`transfermap.deep.nets.low_rank`).

    statistics : bool, default=False
        Whether batch normalisations of what moves use, and gather anew, the statistics of batches, as where a net is
        trained from random weights. False: they keep those that the net came with. On few rows, or images unlike
        those, a net whose batches are normalised by themselves is another one than that whose features a head was
        fitted to.

    References
    ----------
    Howard and Ruder, Universal Language Model Fine-tuning for Text Classification, ACL 2018, doi:10.18653/v1/P18-1031.
    """

    freeze: Freeze = "none"
    decay: float = 1.0
    rank: int = 0
    statistics: bool = False

    def apply(self, net: Any) -> Any:
        """Mark in ``net`` what moves, and return it.

        Raises
        ------
        ValueError
            If it has no such stage, or nothing would move.
        """
        if self.decay < 1 or self.rank < 0:
            raise ValueError(f"expected decay >= 1 and rank >= 0; got decay {self.decay} and rank {self.rank}")
        frozen = self.frozen(net)
        net.requires_grad_(True)
        net["features"].statistics = self.statistics
        for name in frozen:
            _module(net, name).requires_grad_(False)
        if self.rank:
            adapt_layers(net["features"], self.rank)
        if not moves(net):
            raise ValueError("nothing of the net would move; expected a part of it that is not frozen")
        return net.train(net.training)

    def frozen(self, net: Any) -> tuple[str, ...]:
        """Names of the modules that are frozen, checked against the net."""
        names = stage_names(net)
        if self.freeze in ("all", "none"):
            return names if self.freeze == "all" else ()
        if isinstance(self.freeze, int) and not isinstance(self.freeze, bool):
            if not 0 <= self.freeze <= len(names):
                raise ValueError(f"expected to freeze 0 to {len(names)} stages of this net; got {self.freeze}")
            return names[: self.freeze]
        wanted = () if isinstance(self.freeze, (str, bool)) else tuple(self.freeze)
        absent = [name for name in wanted if _module(net, name) is None]
        if absent or not wanted:
            what = ", ".join(absent) or repr(self.freeze)
            raise ValueError(
                f"no stage {what}; expected all, none, a number, or some of: {', '.join((*names, 'head'))}"
            )
        return wanted

    def cut(self, net: Any) -> int:
        """How many children of the features lie below everything that moves: what they give never changes."""
        marked = {name.partition(".")[0] for name, p in net["features"].named_parameters() if p.requires_grad}
        order = [name for name, _ in net["features"].named_children()]
        return min((order.index(name) for name in marked), default=len(order))

    def lr_multiplier(self, net: Any) -> dict[str, float]:
        """The rate of each stage as a part of the head's."""
        return {name: self.decay ** -(depth + 1.0) for depth, name in enumerate(reversed(stage_names(net)))}


def trainable(net: nn.Module) -> pd.DataFrame:
    """What of a net moves: a row a stage, with its ``weights``, how many of them move, and the share of these.

    Corrections of low rank count among the weights.
    """
    counts = [
        (name, sum(p.numel() for p in part.parameters()), sum(p.numel() for p in part.parameters() if p.requires_grad))
        for name, part in _stages(net)
    ]
    table = pd.DataFrame(counts, columns=["stage", "weights", "moving"]).set_index("stage")
    table.loc["all"] = table.sum()
    return table.assign(share=table["moving"] / table["weights"])


def moving_notes(net: nn.Module) -> list[Note]:
    """Warnings on what moves: nothing at all, or of the last layer nothing but its bias.

    The latter is what becomes of ``for p in list(net.parameters())[:-1]: p.requires_grad = False``, which is meant to
    freeze all but the last *layer* and freezes all but the last *tensor*.
    """
    if not moves(net):
        return [Note("finetune.nothing_moves", "stop")]
    layers = [(n, m) for n, m in net.named_modules() if "weight" in dict(m.named_parameters(recurse=False))]
    name, last = layers[-1]
    own = dict(last.named_parameters(recurse=False))
    if "bias" in own and own["bias"].requires_grad and not own["weight"].requires_grad:
        counts = {"name": name, "bias": own["bias"].numel(), "weights": own["weight"].numel()}
        return [Note("finetune.only_bias", "warn", counts)]
    return []


def moves(module: nn.Module) -> bool:
    """Whether any weight in it moves."""
    return any(p.requires_grad for p in module.parameters())


def _has_weights(module: nn.Module) -> bool:
    return any(True for _ in module.parameters())


def _stages(net: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The named parts of a net that have weights; those of its features one by one."""
    for name, part in net.named_children():
        inner = part.named_children() if name == "features" else [(name, part)]
        yield from ((n, m) for n, m in inner if _has_weights(m))


def _module(net: Any, name: str) -> Any:
    """The module called so, within the features or beside them; None where there is none."""
    for place in (f"features.{name}", name):
        try:
            return net.get_submodule(place)
        except AttributeError:
            continue
    return None
