"""Nets that are trained on the images themselves, though what they are given is a table of features.

All that judges and compares methods works on one table. A row of it tells which image it was made of, so a net that
begins with :class:`Look` finds the image again and sees it in full: objectives, the loop, predictions and model files
are the same for it as for any net.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from transfermap.deep.pretrained.backbones import backbone
from transfermap.deep.pretrained.feature_cache import Shelf, cache_folder
from transfermap.deep.pretrained.provider import chain

Array = np.ndarray[Any, np.dtype[Any]]
# bytes of decoded images that are kept, and images that are predicted at once
MOST_BYTES, BLOCK = 2_000_000_000, 64
# of the area that a crop keeps, and of its width to its height
AREAS, SHAPES = (0.5, 1.0), (3 / 4, 4 / 3)
BOTTLENECK = 256
_DECODED: OrderedDict[tuple[bytes, int], Tensor] = OrderedDict()


def remember(Z: Array, files: Sequence[str]) -> None:
    """Keep on disk, where other processes find it too, which image each encoded row (n, d) was made of."""
    _shelf().put({key: file.encode() for key, file in zip(_keys(Z), files, strict=True)})


def _shelf() -> Shelf:
    return Shelf(cache_folder() / "rows.sqlite")


def _keys(Z: Array) -> list[bytes]:
    """What tells rows apart in the precision that nets take them in."""
    return [hashlib.sha256(row.tobytes()).digest() for row in np.ascontiguousarray(Z, dtype=np.float32)]


class Look(nn.Module):
    """Rows of features (n, d) to the images that they were made of, bytes (n, 3, side, side).

    Raises ValueError for rows that are of no image that was seen here.
    """

    def __init__(self, read: Callable[[Sequence[str]], Tensor], side: int) -> None:
        super().__init__()
        self.read, self.side = read, side

    def forward(self, x: Tensor) -> Tensor:
        keys = [(key, self.side) for key in _keys(x.detach().cpu().numpy())]
        absent = [key for key in dict.fromkeys(keys) if key not in _DECODED]
        fresh = dict(zip(absent, self._read(absent), strict=True)) if absent else {}
        images = torch.stack([fresh[key] if key in fresh else _DECODED[key] for key in keys])
        _DECODED.update(fresh)
        while len(_DECODED) * 3 * self.side**2 > MOST_BYTES:
            _DECODED.popitem(last=False)
        return images.to(x.device)

    def _read(self, keys: Sequence[tuple[bytes, int]]) -> Tensor:
        places = _shelf().get(key for key, _ in keys)
        if lost := sum(key not in places for key, _ in keys):
            raise ValueError(
                f"{lost} rows are of no image that was seen here: a net that looks at images needs them, not only "
                f"their features"
            )
        return self.read([places[key].decode() for key, _ in keys])


class Augment(nn.Module):
    """In training: a random part of each image (n, 3, h, w), stretched to the whole, every second one mirrored.

    Its random numbers are torch's own, which a checkpoint holds. Otherwise images pass as they are.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        u = torch.rand(len(x), 5)
        area = AREAS[0] + (AREAS[1] - AREAS[0]) * u[:, 0]
        shape = torch.tensor(SHAPES).log()
        ratio = (shape[0] + (shape[1] - shape[0]) * u[:, 1]).exp()
        wide, high = ((area * r).sqrt().clamp(max=1.0) for r in (ratio, 1 / ratio))
        theta = torch.zeros(len(x), 2, 3)
        theta[:, 0, 0] = wide * torch.where(u[:, 4] < 0.5, -1.0, 1.0)
        theta[:, 1, 1] = high
        theta[:, 0, 2], theta[:, 1, 2] = (1 - wide) * (2 * u[:, 2] - 1), (1 - high) * (2 * u[:, 3] - 1)
        grid = F.affine_grid(theta, [*x.shape], align_corners=False).to(x.device)
        return F.grid_sample(x.float(), grid, padding_mode="border", align_corners=False)


def seeing(name: str, outputs: int) -> nn.ModuleDict:
    """The backbone ``name`` on images found by their rows, a bottleneck of 256 behind it, and a linear head."""
    made = backbone(name)
    if made.kind != "images" or made.side is None:
        raise ValueError(f"the net {name} is a backbone for {made.kind}; expected one for images")
    features = chain(
        look=Look(made.read, made.side),
        augment=Augment(),
        **dict(made.net.named_children()),
        bottleneck=nn.Sequential(nn.Linear(made.width, BOTTLENECK), nn.ReLU()),
    )
    features.block = BLOCK
    return nn.ModuleDict({"features": features, "head": nn.Linear(BOTTLENECK, outputs)})
