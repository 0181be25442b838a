"""What a net has learned, as images: inputs that drive one unit, and inputs that give the features of another.

Images here are (n, channels, h, w) in [0, 1]. A net is a chain of named stages (``nn.Sequential``); a unit is a
channel of a stage, its activation the mean over the places, or an output of the last, such as a logit. The net is in
eval mode and does not move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from transfermap.card import Card, tool

Seen = Callable[[Tensor], Tensor]
GREY = 0.5


@dataclass(frozen=True, kw_only=True)
class Ascent:
    """How an input is made: steps of a fixed size, and what holds it back.

    Parameters
    ----------
    steps : int
    rate : float
        Size of a step, as the root mean square of what is added to an image; it falls linearly to a tenth.
    l2, variation : float
        Weights of the distance from grey and of the total variation, both against a gradient of size 1.
    jitter : int
        Most pixels by which the image is shifted before each step, either way.
    blur : float
        Width in pixels of the Gaussian by which it is blurred every ``blur_every`` steps; 0: not at all.
    span : pair of float, or None
        What values are kept in; None: none are.
    noise : float
        Spread of the start around grey.
    seed : int
    """

    steps: int = 128
    rate: float = 0.02
    l2: float = 0.5
    variation: float = 0.25
    jitter: int = 2
    blur: float = 0.5
    blur_every: int = 8
    span: tuple[float, float] | None = (0.0, 1.0)
    noise: float = 0.05
    seed: int = 0

    @classmethod
    def bare(cls, **more: Any) -> Ascent:
        """The same without anything that holds it back."""
        return cls(**({"l2": 0.0, "variation": 0.0, "jitter": 0, "blur": 0.0} | more))


class Made(NamedTuple):
    """Images (n, c, h, w), and the activations of their units over the steps, (steps + 1, n)."""

    x: Tensor
    curve: Tensor


@contextmanager
def still(net: nn.Module) -> Iterator[None]:
    """Within it the net is in eval mode and asks for no gradient; then it is as it was."""
    training = {module: module.training for module in net.modules()}
    moving = [p for p in net.parameters() if p.requires_grad]
    net.eval()
    for p in moving:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for module, was in training.items():
            module.training = was
        for p in moving:
            p.requires_grad_(True)


def upto(net: nn.Sequential, stage: str) -> nn.Sequential:
    """The net from its input to the named stage, which is the last that is computed.

    Raises
    ------
    ValueError
        If it has no such stage.
    """
    names = [name for name, _ in net.named_children()]
    if stage not in names:
        raise ValueError(f"the net has no stage {stage!r}; it has: {', '.join(names)}")
    return nn.Sequential(*list(net.children())[: names.index(stage) + 1])


def activations(out: Tensor, units: Sequence[int]) -> Tensor:
    """Of row i its unit ``units[i]``, (n,): the mean over all places of a channel, (n, C, ...) -> (n,)."""
    if max(units) >= out.shape[1]:
        raise ValueError(f"expected units from 0 to {out.shape[1] - 1}, got {max(units)}")
    each = out.flatten(2).mean(2) if out.ndim > 2 else out
    return each[range(len(units)), list(units)]


@tool(
    Card(
        key="activationmax",
        family="inspection",
        command="transfermap inspect BACKBONE -o FOLDER",
        name="Activation maximisation",
        year=2009,
        setting="unsupervised",
        transfers="parameters",
        tasks=(),
        reads="none",
        needs=("pretrained model", "images", "torch"),
        objective="max_x  a(x) - lambda_2 |x - 1/2|^2 / 2 - lambda_TV TV(x)",
        steps=(
            "Start from grey noise.",
            "Raise one unit's activation along its gradient, in steps of a fixed size; shift the image before each.",
            "Pull the image back towards grey and towards smoothness; blur it from time to time.",
        ),
        solver="gradient ascent, the gradient divided by its root mean square",
        cost="time: a forward and a backward pass a step for a batch of units; memory: one batch",
        assumes=("what drives a unit most is typical of what it responds to",),
        fails_when=(
            "nothing holds the image back: it drives the unit by patterns that no natural image has",
            "a unit responds to several things: one image shows one of them",
        ),
        reference=(
            "Erhan, Bengio, Courville and Vincent, Visualizing Higher-Layer Features of a Deep Network, Technical "
            "Report 1341, Universite de Montreal, 2009"
        ),
        doi="https://api.semanticscholar.org/CorpusID:15127402",
    )
)
def maximise_activation(see: Seen, units: Sequence[int], shape: tuple[int, int, int], how: Ascent) -> Made:
    """Images that drive units, one a unit, by gradient ascent from grey noise.

    .. math:: x \\leftarrow x + \\eta\\Bigl(\\frac{\\nabla a(x)}{\\mathrm{rms}} - \\lambda_2 (x - \\tfrac12)
              - \\lambda_{TV}\\frac{\\nabla TV(x)}{\\mathrm{rms}}\\Bigr)

    The unit's own value is raised, a logit and not its softmax, which could as well push the others down. Dividing by
    its size makes the weights mean the same in every net and depth. A unit without a gradient at its lowest (behind a
    ReLU that is shut) is shaken until it has one.

    Parameters
    ----------
    see : callable
        Images (n, c, h, w) -> the stage's output (n, C, ...); the net behind it is :func:`still`.
    units : sequence of n int
        Channels of the stage, or its outputs.
    shape : (channels, h, w)
        Of an image.
    how : Ascent
        Steps, their size, and what holds the image back.

    Examples
    --------
    >>> import torch
    >>> from transfermap.studies.activation import Ascent
    >>> layer = torch.nn.Conv2d(1, 1, 8).requires_grad_(False)
    >>> made = maximise_activation(layer, [0], (1, 8, 8), Ascent.bare(steps=20))
    >>> made.x.shape, bool(made.curve[-1] > made.curve[0])
    (torch.Size([1, 1, 8, 8]), True)

    References
    ----------
    Erhan, Bengio, Courville and Vincent, Visualizing Higher-Layer Features of a Deep Network, Universite de Montreal,
    Technical Report 1341, 2009. Yosinski, Clune, Nguyen, Fuchs and Lipson, Understanding Neural Networks Through Deep
    Visualization, 2015, doi:10.48550/arXiv.1506.06579.
    """
    random = torch.Generator().manual_seed(how.seed)
    x = GREY + how.noise * torch.randn(len(units), *shape, generator=random)
    curve = []
    for step in range(how.steps):
        x = x.detach().requires_grad_(True)
        value = activations(see(_jittered(x, how.jitter, random)), units)
        (up,) = torch.autograd.grad(value.sum(), x)
        curve.append(value.detach())
        x, asleep = x.detach(), curve[-1] <= curve[0]
        x = x + how.rate * (1 - 0.9 * step / how.steps) * _direction(x, up, asleep, how, random)
        if how.blur and (step + 1) % how.blur_every == 0:
            x = blurred(x, how.blur)
        x = x if how.span is None else x.clamp(*how.span)
    with torch.no_grad():
        curve.append(activations(see(x), units))
    return Made(x, torch.stack(curve))


def _direction(x: Tensor, up: Tensor, asleep: Tensor, how: Ascent, random: torch.Generator) -> Tensor:
    up = _unit(up)
    # a unit at its ceiling has no gradient either, and shall be left in peace
    dead = (up.flatten(1).abs().amax(1) == 0) & asleep
    if dead.any():
        # coarse and wide: fine noise alone wakes few units
        shake = 3 * _unit(blurred(torch.randn(x.shape, generator=random), 2.0))
        up = torch.where(dead[:, None, None, None], shake, up)
    back = how.l2 * (x - GREY)
    if how.variation:
        x = x.clone().requires_grad_(True)
        (rough,) = torch.autograd.grad(total_variation(x).sum(), x)
        back = back + how.variation * _unit(rough)
    return up - back


def _unit(g: Tensor) -> Tensor:
    """Each image's values divided by their root mean square."""
    return g / g.flatten(1).square().mean(1).sqrt().clamp(min=1e-12)[:, None, None, None]


def _jittered(x: Tensor, most: int, random: torch.Generator) -> Tensor:
    """Shifted by a few pixels; what goes out on one side comes in on the other, and the gradient finds its way back."""
    if not most:
        return x
    down, right = torch.randint(-most, most + 1, (2,), generator=random).tolist()
    return x.roll((down, right), (2, 3))


def total_variation(x: Tensor) -> Tensor:
    """Mean absolute difference between pixels and their neighbours below and to the right, of each image, (n,)."""
    return (x[:, :, 1:] - x[:, :, :-1]).abs().mean((1, 2, 3)) + (x[..., 1:] - x[..., :-1]).abs().mean((1, 2, 3))


def blurred(x: Tensor, width: float) -> Tensor:
    """Images under a Gaussian of that width in pixels; the edge goes on outside."""
    reach = max(1, round(3 * width))
    bell = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=x.dtype) / width) ** 2)
    bell = (bell / bell.sum()).repeat(x.shape[1], 1, 1, 1)
    x = F.conv2d(F.pad(x, (0, 0, reach, reach), mode="replicate"), bell.transpose(2, 3), groups=x.shape[1])
    return F.conv2d(F.pad(x, (reach, reach, 0, 0), mode="replicate"), bell, groups=x.shape[1])


@tool(
    Card(
        key="featureinversion",
        family="inspection",
        command="transfermap inspect BACKBONE -o FOLDER",
        name="Feature inversion",
        year=2015,
        setting="unsupervised",
        transfers="parameters",
        tasks=(),
        reads="none",
        needs=("pretrained model", "images", "torch"),
        objective="min_x  |phi(x) - phi(x_0)|^2 / |phi(x_0)|^2 + lambda TV(x)",
        steps=(
            "Take the features that a stage of the net gives for an image.",
            "Start from grey noise, and change it until the stage gives the same features.",
            "What differs between the two images is what the stage no longer knows.",
        ),
        solver="Adam, its rate falling to 0",
        cost="time: a forward and a backward pass a step; memory: one image",
        assumes=("the image that is found is typical of all those that give these features",),
        fails_when=(
            "steps are few for a deep stage: what is not yet found looks as if it were lost",
            "the variation's weight is too large: edges that the stage still knows are smoothed away",
        ),
        reference=("Mahendran and Vedaldi, Understanding Deep Image Representations by Inverting Them, IEEE CVPR 2015"),
        doi="10.48550/arXiv.1412.0035",
    )
)
def invert_features(
    see: Seen, x0: Tensor, *, steps: int = 200, rate: float = 0.05, variation: float = 0.01, seed: int = 0
) -> Made:
    """An image that gives the features of another: what a stage still knows of it.

    .. math:: \\min_x \\frac{\\|\\phi(x) - \\phi(x_0)\\|^2}{\\|\\phi(x_0)\\|^2} + \\lambda\\,TV(x)

    by Adam from grey noise, at a rate that falls to 0; values are brought into [0, 1] at the end only.

    Parameters
    ----------
    see : callable
        Images -> the stage's output.
    x0 : Tensor of shape (1, c, h, w)
        The image whose features are to be met.
    steps, rate, variation, seed
        Of Adam; the weight of the total variation; of the grey noise.

    Returns
    -------
    Made
        With the first term over the steps as its curve.

    Examples
    --------
    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> x0 = torch.rand(1, 1, 8, 8)
    >>> made = invert_features(torch.nn.Conv2d(1, 4, 3).requires_grad_(False), x0, steps=100)
    >>> made.x.shape, bool(made.curve[-1] < 0.1 * made.curve[0])
    (torch.Size([1, 1, 8, 8]), True)

    References
    ----------
    Mahendran and Vedaldi, Understanding Deep Image Representations by Inverting Them, IEEE CVPR 2015,
    doi:10.48550/arXiv.1412.0035.
    """
    with torch.no_grad():
        wanted = see(x0)
    size = wanted.square().sum().clamp(min=1e-12)
    random = torch.Generator().manual_seed(seed)
    x = (GREY + 0.05 * torch.randn(x0.shape, generator=random)).requires_grad_(True)
    optimizer = torch.optim.Adam([x], rate)
    curve = []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        apart = (see(x) - wanted).square().sum() / size
        curve.append(apart.detach())
        optimizer.zero_grad()
        (apart + variation * total_variation(x).sum()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    made = x.detach().clamp(0, 1)
    with torch.no_grad():
        curve.append((see(made) - wanted).square().sum() / size)
    return Made(made, torch.stack(curve)[:, None])


def psnr(x: Tensor, x0: Tensor) -> float:
    """Peak signal-to-noise ratio of images in [0, 1], in decibels: -10 log10 of the mean squared error.

    Examples
    --------
    >>> round(psnr(torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 0.1)), 6)
    20.0
    """
    error = float((x - x0).square().mean())
    return -10 * float(np.log10(max(error, 1e-12)))


def depths(stages: Sequence[str], count: int = 5) -> list[str]:
    """So many of the stages, from the first to the last at even distances.

    Examples
    --------
    >>> depths(["stem", "a", "b", "c", "top"], 3)
    ['stem', 'b', 'top']
    """
    at = np.unique(np.linspace(0, len(stages) - 1, count).round().astype(int))
    return [stages[i] for i in at]
