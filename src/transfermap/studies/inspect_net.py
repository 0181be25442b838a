"""A pretrained net looked at from end to end: galleries by depth, and an image inverted from five depths."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from transfermap.data.images.image_files import read_image
from transfermap.deep.pretrained.provider import Backbone
from transfermap.studies.activation import Ascent, Seen, depths, invert_features, maximise_activation, psnr, still, upto

Array = np.ndarray[Any, np.dtype[Any]]
LOGITS = "logits"


@dataclass(frozen=True)
class Gallery:
    """One stage: its ``name``, the ``units`` (n), images (n, c, h, w) that drive them, and curves (steps + 1, n)."""

    name: str
    units: tuple[int, ...]
    images: Array
    curves: Array


@dataclass(frozen=True)
class Inverted:
    """A stage, the image (c, h, w) that gives its features, what is left of their distance, and the PSNR in dB."""

    name: str
    image: Array
    left: float
    psnr: float


@dataclass(frozen=True)
class Look:
    """All that was seen in a net: galleries by depth, and an image with its inversions by depth."""

    net: str
    digest: str
    galleries: Sequence[Gallery]
    original: Array
    inversions: Sequence[Inverted]
    settings: Mapping[str, Any]


def looked(
    backbone: Backbone,
    image: str | Path | None = None,
    stages: Sequence[str] | None = None,
    *,
    units: int = 6,
    steps: int = 96,
    side: int = 96,
    seed: int = 0,
    tick: Callable[[str], None] = lambda _: None,
) -> Look:
    """Look at a pretrained net for images.

    Parameters
    ----------
    backbone : Backbone
        Of kind "images"; it is not changed.
    image : path, default=None
        Whose features are inverted; None: a photograph that comes with scikit-learn.
    stages : sequence of str, default=None
        Which are looked at; None: five by depth, and the logits where the net has a classifier.
    units : int
        Units a stage, drawn by the seed; all, where there are fewer.
    steps, side : int
        Of gradient, for each image, and the pixels of its side.
    seed : int
    tick : callable
        Told what is being done.

    Raises
    ------
    ValueError
        If the net has no such stage, or the image cannot be read.
    """
    net = _in_unit_range(backbone)
    chosen = depths(backbone.stages) if stages is None else list(stages)
    own = [*chosen, LOGITS] if stages is None and backbone.head is not None else chosen
    random = np.random.default_rng(seed)
    galleries, inversions = [], []
    with still(net):
        for name in own:
            tick(f"making images for {name}")
            how = Ascent(steps=steps, seed=seed)
            galleries.append(_gallery(name, upto(net, name), units, (3, side, side), how, random))
        x0 = _photograph(image, side)
        for name in chosen:
            tick(f"inverting {name}")
            inversions.append(_inverted(name, upto(net, name), x0, steps, seed))
    settings = {"steps": steps, "side": side, "units": units, "seed": seed}
    return Look(backbone.name, backbone.digest, galleries, x0[0].numpy(), inversions, settings)


def _in_unit_range(backbone: Backbone) -> nn.Sequential:
    """The net as a chain that takes images in [0, 1] where the backbone's takes bytes; its logits last."""
    net = nn.Sequential()
    net.add_module("bytes", Times(255.0))
    for name, stage in backbone.net.named_children():
        net.add_module(name, stage)
    if backbone.head is not None:
        net.add_module(LOGITS, backbone.head)
    return net


class Times(nn.Module):
    """Its input, so many times."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


def _gallery(
    name: str, see: Seen, most: int, shape: tuple[int, int, int], how: Ascent, random: np.random.Generator
) -> Gallery:
    with torch.no_grad():
        count = see(torch.zeros(1, *shape)).shape[1]
    units = tuple(np.sort(random.permutation(count)[:most]).tolist())
    made = maximise_activation(see, units, shape, how)
    return Gallery(name, units, made.x.numpy(), made.curve.numpy())


def _inverted(name: str, see: Seen, x0: Tensor, steps: int, seed: int) -> Inverted:
    made = invert_features(see, x0, steps=2 * steps, seed=seed)
    return Inverted(name, made.x[0].numpy(), float(made.curve[-1]), psnr(made.x, x0))


def _photograph(image: str | Path | None, side: int) -> Tensor:
    """An image (1, 3, side, side) in [0, 1]."""
    if image is not None:
        pixels = read_image(image, side)
    else:
        with as_file(files("sklearn.datasets.images") / "china.jpg") as path:
            pixels = read_image(path, side)
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None] / 255
