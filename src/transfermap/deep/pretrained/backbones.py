"""Pretrained nets by name: what others' labels have taught a net, ready to be frozen, fine-tuned or looked into.

A backbone is a chain of named stages from images or sentences to features. Who provides one writes a function under
:func:`provides`; nothing is listed by hand, and no library is imported before its net is asked for.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from transfermap.deep.lazy import nn, require, torch

Kind = Literal["images", "text"]
PROVIDERS = ("transfermap.deep.pretrained.image_nets", "transfermap.deep.pretrained.text_nets")


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

    @property
    def absent(self) -> list[str]:
        """Packages that are not installed."""
        return [package for package in self.needs if find_spec(package) is None]


_PROVIDERS: dict[str, Provider] = {}


def provides(
    name: str, kind: Kind, *needs: str, extra: str = "", open: bool = False
) -> Callable[[Callable[..., Backbone]], Callable[..., Backbone]]:
    """Register a function that makes a backbone: ``make(weights)``, or ``make(rest of the name, weights)`` if open.

    ``needs`` are the packages that it imports, ``extra`` says what to install for them.
    """

    def mark(make: Callable[..., Backbone]) -> Callable[..., Backbone]:
        _PROVIDERS[name] = Provider(name, kind, needs, make, extra, open)
        return make

    return mark


def providers(kind: Kind | None = None) -> list[Provider]:
    """All who provide backbones, of one kind or of both, by name."""
    for module in PROVIDERS:
        importlib.import_module(module)
    return [p for _, p in sorted(_PROVIDERS.items()) if kind in (None, p.kind)]


def at_hand(kind: Kind | None = None) -> list[str]:
    """Names of the backbones whose packages and weights are installed; open names (timm, a folder) not counted."""
    return [p.name for p in providers(kind) if not p.open and not p.absent]


def backbone(name: str, weights: str | Path | None = None) -> Backbone:
    """The pretrained net called ``name``.

    Parameters
    ----------
    name : str
        Such as "efficientnet-lite0", "timm:resnet18", or "all-minilm-l6-v2"; :func:`providers` has all.
    weights : path, default=None
        A file of weights to be used instead of those that come with the name.

    Raises
    ------
    ValueError
        If nobody provides it, a package is missing or broken, or the weights do not suit it.
    """
    require()
    first, _, rest = name.partition(":")
    found = {p.name: p for p in providers()}.get(first)
    if found is None or (bool(rest) != found.open):
        known = ", ".join(f"{p.name}:NAME" if p.open else p.name for p in providers())
        raise ValueError(f"no backbone {name!r}; expected one of: {known}")
    if found.absent:
        raise ValueError(f"the backbone {name} needs {', '.join(found.absent)}, not installed here; {_help(found)}")
    if weights is not None and not Path(weights).is_file():
        raise ValueError(f"there is no file of weights {weights}")
    try:
        made = found.make(rest, weights) if found.open else found.make(weights)
    except (ImportError, AttributeError, RuntimeError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"the backbone {name} could not be loaded: {reason[:300]}; {_help(found)}") from error
    made.net.eval()
    return made


def _help(provider: Provider) -> str:
    return f"install it with: pip install {provider.extra or ' '.join(provider.needs)}"


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
