"""The net around a backbone that is trained on the images themselves: augmentation, the backbone, a bottleneck."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from transfermap.deep.pretrained.backbones import backbone

# of the area that a crop keeps, and of its width to its height
AREAS, SHAPES = (0.5, 1.0), (3 / 4, 4 / 3)
BOTTLENECK = 256


class ImageFeatures(nn.Sequential):
    """Stages by name from images, bytes (n, 3, side, side), to features; ``read`` gives the images of paths (n)."""

    read: Callable[[Sequence[str]], Tensor]


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


def augmented_net(name: str, outputs: int) -> nn.ModuleDict:
    """The backbone ``name`` on augmented images, a bottleneck of 256 behind it, and a linear head."""
    made = backbone(name)
    if made.kind != "images":
        raise ValueError(f"the net {name} is a backbone for {made.kind}; expected one for images")
    bottleneck = nn.Sequential(nn.Linear(made.width, BOTTLENECK), nn.ReLU())
    stages = {"augment": Augment(), **dict(made.net.named_children()), "bottleneck": bottleneck}
    features = ImageFeatures(OrderedDict(stages))
    features.read = made.read
    return nn.ModuleDict({"features": features, "head": nn.Linear(BOTTLENECK, outputs)})
