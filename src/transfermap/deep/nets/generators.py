"""Nets that make or change rows, and that judge them: for tables, and for square grey images a row."""

from __future__ import annotations

from typing import Any

from transfermap.deep.lazy import nn
from transfermap.deep.nets.small import discriminator, square

# what the nets of a method that makes or moves rows are for: tables, or square grey images
KINDS = ("mlp", "conv")
# two halvings leave maps of 2 x 2: instance normalisation makes zeros of smaller ones
_LEAST = 8


def maker(kind: str, latent: int, columns: int, width: int) -> Any:
    """From noise (n, latent) to rows (n, columns); images have values from -1 to 1."""
    if kind == "conv":
        return _image_maker(latent, _side(columns), width)
    hidden = [nn.Linear(latent, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*hidden, nn.Linear(width, columns))


def mover(kind: str, columns: int, width: int) -> Any:
    """From rows to rows (n, columns); those of a table start where they are."""
    from transfermap.deep.nets.modules import Added

    if kind == "conv":
        return _image_mover(_side(columns), width)
    last = nn.Linear(width, columns)
    # the identity at first: what the losses do not ask for stays as it is
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return Added(nn.Sequential(nn.Linear(columns, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), last))


def judge(kind: str, columns: int, width: int) -> Any:
    """From rows to logits: one a row (n, 1); of images one a patch, (n, patches)."""
    return _patch_judge(_side(columns), width) if kind == "conv" else discriminator(columns, width=width)


def _image_maker(latent: int, side: int, width: int) -> Any:
    """A linear layer and two doublings, after Radford et al., ICLR 2016 (arXiv 1511.06434), without its norms."""
    least = side // 4
    return nn.Sequential(
        nn.Linear(latent, 2 * width * least * least),
        nn.ReLU(),
        nn.Unflatten(1, (2 * width, least, least)),
        nn.ConvTranspose2d(2 * width, width, 4, 2, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(width, width, 4, 2, 1),
        nn.ReLU(),
        nn.Conv2d(width, 1, 3, padding=1),
        nn.Tanh(),
        nn.Flatten(),
    )


def _image_mover(side: int, width: int) -> Any:
    """CycleGAN's net in small: a halving, a residual block, a doubling, instance normalisation after each."""
    from transfermap.deep.nets.modules import Added

    def normed(convolution: Any) -> list[Any]:
        return [convolution, nn.InstanceNorm2d(width), nn.ReLU()]

    block = normed(nn.Conv2d(width, width, 3, padding=1))
    return nn.Sequential(
        nn.Unflatten(1, (1, side, side)),
        *normed(nn.Conv2d(1, width, 3, padding=1)),
        *normed(nn.Conv2d(width, width, 3, 2, 1)),
        Added(nn.Sequential(*block, nn.Conv2d(width, width, 3, padding=1), nn.InstanceNorm2d(width))),
        *normed(nn.ConvTranspose2d(width, width, 4, 2, 1)),
        nn.Conv2d(width, 1, 3, padding=1),
        nn.Tanh(),
        nn.Flatten(),
    )


def _patch_judge(side: int, width: int) -> Any:
    """PatchGAN in small: each of its logits sees 18 x 18 points."""
    return nn.Sequential(
        nn.Unflatten(1, (1, side, side)),
        nn.Conv2d(1, width, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, 4, 2, 1),
        nn.InstanceNorm2d(2 * width),
        nn.LeakyReLU(0.2),
        nn.Conv2d(2 * width, 1, 3, padding=1),
        nn.Flatten(),
    )


def _side(columns: int) -> int:
    side = square(columns)
    if side < _LEAST or side % 4:
        raise ValueError(f"conv: the side of images must be a multiple of 4, at least {_LEAST}; got {side} x {side}")
    return side
