"""Tiny images, and a tiny net for them: nothing is downloaded, nothing is large."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from transfermap.deep.pretrained import backbones, provider
from transfermap.deep.pretrained.provider import Backbone, chain, digest_of

SIDE = 16
NAME = "tiny-net"


def tiny(weights=None, seed: int = 0) -> Backbone:
    """Two convolutions with fixed random weights on 16 x 16 images: 12 features."""
    import torch
    from torch import nn

    from transfermap.deep.nets.modules import Scaling
    from transfermap.deep.pretrained.image_nets import MEAN, SPREAD, read_images

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = chain(
            scaling=Scaling(MEAN, SPREAD),
            stem=nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU()),
            block0=nn.Sequential(nn.Conv2d(8, 12, 3, stride=2), nn.ReLU()),
            pool=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        )
    net.eval()
    return Backbone(NAME, "images", net, 12, partial(read_images, side=SIDE), digest_of(net), side=SIDE)


@pytest.fixture
def tiny_backbone(monkeypatch, tmp_path):
    """The tiny backbone under its name, the only one there is, with a cache of its own."""
    backbones.providers()
    monkeypatch.setattr(provider, "PROVIDERS", dict(provider.PROVIDERS))
    for name, found in list(provider.PROVIDERS.items()):
        if found.kind == "images" and not found.open:
            del provider.PROVIDERS[name]
    provider.provides(NAME, "images")(tiny)
    monkeypatch.setenv("TRANSFERMAP_CACHE", str(tmp_path / "cache"))
    return NAME


def paint(path: Path, kind: int, rng: np.random.Generator, dark: float = 1.0) -> None:
    """A small image with bars that run down (kind 0), across (1), or none (2)."""
    points = np.indices((20, 24))[1 if kind == 0 else 0] % 6 < 3 if kind < 2 else np.zeros((20, 24), dtype=bool)
    values = np.where(points, 220.0, 60.0)[..., None] * [1.0, 0.8, 0.6] * dark + rng.normal(0, 12, (20, 24, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).save(path)


def folders(root: Path, each: int = 14, flat: bool = False) -> tuple[Path, Path]:
    """Two folders of images by class, the second darker; ``flat``: the second without classes."""
    rng = np.random.default_rng(0)
    for side, dark in (("bright", 1.0), ("dark", 0.6)):
        for kind, name in enumerate(("down", "across", "plain")):
            for i in range(each):
                within = "" if flat and side == "dark" else name
                paint(root / side / within / f"{name[0]}{i:02d}.png", kind, rng, dark)
    return root / "bright", root / "dark"
