"""What a pretrained net is here, and how whoever makes one says so (:mod:`transfermap.deep.pretrained.backbones`)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from transfermap.deep.lazy import nn, torch

Kind = Literal["images", "text"]


@dataclass(frozen=True, eq=False)
class Backbone:
    """A pretrained net without its last layer.

    Attributes
    ----------
    name : str
    kind : {"images", "text"}
    net : torch.nn.Sequential
        Its children are the stages, named, from the input to the features: what ``read`` gives -> (n, width). The
        scaling of the input is its first child. In eval mode.
    width : int
        Features of a row.
    read : callable
        Paths of images, or sentences (n) -> the tensor that ``net`` takes; its first axis counts the rows.
    digest : str
        SHA-256 of the weights, by which cached features are told apart.
    head : torch.nn.Module, or None
        The classifier that the net was trained with: features -> logits.
    side : int, or None
        Height and width of the images that ``read`` makes.
    """

    name: str
    kind: Kind
    net: Any
    width: int
    read: Callable[[Sequence[str]], Any]
    digest: str
    head: Any = None
    side: int | None = None

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the net's stages that have weights, from the input on."""
        return tuple(name for name, stage in self.net.named_children() if any(True for _ in stage.parameters()))


@dataclass(frozen=True)
class Provider:
    """Who makes the backbones called ``name``, or ``name:...`` where the name is an open one, and what it imports."""

    name: str
    kind: Kind
    needs: tuple[str, ...]
    make: Callable[..., Backbone]
    extra: str
    open: bool
    files: Callable[[], Sequence[Path]] = tuple

    @property
    def absent(self) -> list[str]:
        """Packages that are not installed."""
        return [package for package in self.needs if find_spec(package) is None]


PROVIDERS: dict[str, Provider] = {}


def provides(
    name: str,
    kind: Kind,
    *needs: str,
    extra: str = "",
    open: bool = False,
    files: Callable[[], Sequence[Path]] = tuple,
) -> Callable[[Callable[..., Backbone]], Callable[..., Backbone]]:
    """Register a function that makes a backbone: ``make(weights)``, or ``make(rest of the name, weights)`` if open.

    ``needs`` are the packages that it imports, ``extra`` says what to install for them; ``files`` finds what it loads
    the net from: while those are the same, so is the net.
    """

    def mark(make: Callable[..., Backbone]) -> Callable[..., Backbone]:
        PROVIDERS[name] = Provider(name, kind, needs, make, extra, open, files)
        return make

    return mark


def weights_in(path: str | Path) -> tuple[dict[str, Any], str]:
    """Tensors of a file of weights (safetensors, or torch's own, read without running code), and its SHA-256.

    Raises
    ------
    ValueError
        If it cannot be read, or does not hold named tensors.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
        if path.suffix == ".safetensors":
            from safetensors.torch import load

            state: Any = load(data)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and safetensors raise many kinds for a damaged file
        raise ValueError(f"{path} cannot be read as a file of weights: {str(error)[:200]}") from error
    if not (isinstance(state, dict) and state and all(isinstance(v, torch.Tensor) for v in state.values())):
        raise ValueError(f"{path} must hold tensors by name, as a state dict has them")
    return state, hashlib.sha256(data).hexdigest()


def digest_of(net: Any) -> str:
    """SHA-256 of a module's weights and buffers, whatever file they came from."""
    total = hashlib.sha256()
    for name, value in sorted(net.state_dict().items()):
        total.update(name.encode())
        total.update(value.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()


def chain(**stages: Any) -> Any:
    """A net of named stages, one after the other."""
    net = nn.Sequential()
    for name, stage in stages.items():
        net.add_module(name, stage)
    return net
