"""Pretrained nets by name: what others' labels have taught a net, ready to be frozen, fine-tuned or looked into.

A backbone is a chain of named stages from images or sentences to features. Who provides one writes a function under
:func:`transfermap.deep.pretrained.provider.provides`; no library is imported before its net is asked for.
"""

from __future__ import annotations

from pathlib import Path

from transfermap.deep.lazy import require
from transfermap.deep.pretrained import provider
from transfermap.deep.pretrained.provider import Backbone, Kind, Provider
from transfermap.messages.choices import choose


def providers(kind: Kind | None = None) -> list[Provider]:
    """All who provide backbones, of one kind or of both, by name."""
    # importing them is what registers their nets; neither imports torch, or a library of nets, before one is asked for
    from transfermap.deep.pretrained import image_nets, text_nets  # noqa: F401

    return [p for _, p in sorted(provider.PROVIDERS.items()) if kind in (None, p.kind)]


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
    listed = "expected one of: " + ", ".join(f"{p.name}:NAME" if p.open else p.name for p in providers())
    offered = {p.name: p for p in providers()}
    found = offered[choose("backbone", first, offered, also=listed)]
    if bool(rest) != found.open:
        raise ValueError(f"no backbone {name!r}; {listed}")
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


def _help(found: Provider) -> str:
    return f"install it with: pip install {found.extra or ' '.join(found.needs)}"
