"""Nets of our own for small data. Each is a ModuleDict of ``features`` and ``head``; any net with these two will do."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from transfermap.deep.lazy import nn, torch

NETS: dict[str, Callable[[int, int], Any]] = {}
# those before which a table's columns are brought to one scale
SCALED = ("mlp", "normed")
# of the images that lenet takes: its two convolutions and halvings leave one point of 16
LEAST_SIDE = 16


class _Names(tuple[str, ...]):
    """Names of nets; image backbones (:mod:`transfermap.deep.pretrained.backbones`) are among them unlisted."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or is_image_net(name)


def is_image_net(net: object) -> bool:
    """Whether it is the name of a pretrained net for images, whose rows are paths of images."""
    if not isinstance(net, str) or net in NETS:
        return False
    from transfermap.deep.pretrained.backbones import providers

    first, _, rest = net.partition(":")
    return any(p.name == first and p.open == bool(rest) for p in providers("images"))


def _named(make: Callable[[int, int], Any]) -> Callable[[int, int], Any]:
    NETS[make.__name__] = make
    return make


def build(net: Any, columns: int, outputs: int) -> Any:
    """The net called ``net`` for rows of ``columns`` numbers, or the caller's own, which is checked and copied.

    Raises
    ------
    ValueError
        If there is no such net, it lacks ``features`` or ``head``, or the rows do not suit it.
    """
    if isinstance(net, str):
        if is_image_net(net):
            from transfermap.deep.pretrained.augmented_net import augmented_net

            return augmented_net(net, outputs)
        if net not in NETS:
            raise ValueError(f"no net {net!r}; expected one of: {', '.join(sorted(NETS))}, or a module of your own")
        return NETS[net](columns, outputs)
    if not all(isinstance(getattr(net, part, None), torch.nn.Module) for part in ("features", "head")):
        raise ValueError(f"net must have the modules features and head; got {type(net).__name__}")
    import copy

    return nn.ModuleDict({part: copy.deepcopy(getattr(net, part)) for part in ("features", "head")})


@_named
def mlp(columns: int, outputs: int, width: int = 128, code: int = 64) -> Any:
    """Two hidden layers for tables."""
    features = nn.Sequential(nn.Linear(columns, width), nn.ReLU(), nn.Linear(width, code), nn.ReLU())
    return nn.ModuleDict({"features": features, "head": nn.Linear(code, outputs)})


@_named
def dense(columns: int, outputs: int) -> Any:
    """As mlp, but for rows on one scale, such as images: points that rarely differ in the source are not blown up."""
    return mlp(columns, outputs)


@_named
def normed(columns: int, outputs: int, width: int = 128, code: int = 64) -> Any:
    """As mlp, with batch normalisation of the columns and of each layer."""
    layers: list[Any] = [nn.BatchNorm1d(columns)]
    for before, after in ((columns, width), (width, code)):
        layers += [nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), nn.ReLU()]
    return nn.ModuleDict({"features": nn.Sequential(*layers), "head": nn.Linear(code, outputs)})


@_named
def lenet(columns: int, outputs: int) -> Any:
    """The digits net of the papers on adversarial adaptation: two convolutions, 500 features; square grey images."""
    side = square(columns)
    if side < LEAST_SIDE:
        raise ValueError(f"lenet: images must be at least {LEAST_SIDE} x {LEAST_SIDE}; got {side} x {side}")
    left = ((side - 4) // 2 - 4) // 2
    features = nn.Sequential(
        nn.Unflatten(1, (1, side, side)),
        nn.Conv2d(1, 20, 5),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(20, 50, 5),
        nn.Dropout2d(0.5),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(50 * left * left, 500),
        nn.ReLU(),
        nn.Dropout(0.5),
    )
    return nn.ModuleDict({"features": features, "head": nn.Linear(500, outputs)})


@_named
def resnet(columns: int, outputs: int, width: int = 32) -> Any:
    """A small residual net for square grey images: three pairs of convolutions, mean over places."""
    from transfermap.deep.nets.modules import Residual

    side = square(columns)
    features = nn.Sequential(
        nn.Unflatten(1, (1, side, side)),
        nn.Conv2d(1, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        Residual(width, width),
        Residual(width, 2 * width, stride=2),
        Residual(2 * width, 4 * width, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    return nn.ModuleDict({"features": features, "head": nn.Linear(4 * width, outputs)})


NAMES = _Names(NETS)


def square(columns: int) -> int:
    """The side of a square image of so many pixels."""
    side = math.isqrt(columns)
    if side * side != columns:
        raise ValueError(f"this net takes square grey images, one a row; {columns} columns are no square")
    return side


def discriminator(inputs: int, outputs: int = 1, width: int = 1024, depth: int = 2) -> Any:
    """A discriminator: ``depth`` hidden layers of ``width`` and a linear one (Ganin et al.: two of 1024)."""
    layers: list[Any] = []
    for before in [inputs, *[width] * (depth - 1)]:
        layers += [nn.Linear(before, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, outputs))


def code_size(net: Any) -> int:
    """How many features the head of a net takes."""
    for layer in net["head"].modules():
        if hasattr(layer, "in_features"):
            return int(layer.in_features)
    raise ValueError(f"the net's head must hold a linear layer; got {net['head']}")
