"""What methods on distances share: which layers they compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from transfermap.deep.training.batch import Outputs

Layers = str | tuple[str, ...]
# what every Outputs has of itself: the last features, and the logits
_OWN = {"features": "f", "head": "z"}


def names(layers: Layers) -> tuple[str, ...]:
    """Layers as the param gives them, ("features.1", "head") or "features.1,head", one by one, each once.

    Raises
    ------
    ValueError
        If they are no names, or none at all.
    """
    single = layers.split(",") if isinstance(layers, str) else layers
    if not isinstance(single, (tuple, list)) or not all(isinstance(name, str) and name.strip() for name in single):
        raise ValueError(f'layers must be names such as "features" or ("features.1", "head"); got {layers!r}')
    if not single:
        raise ValueError("layers must name at least one layer; got none")
    # each once, in the order given: a layer named twice would count double
    return tuple(dict.fromkeys(name.strip() for name in single))


def inner(layers: Layers) -> tuple[str, ...]:
    """Those that the net must be watched for."""
    return tuple(name for name in names(layers) if name not in _OWN)


def pairs(a: Outputs, b: Outputs, layers: Layers) -> list[tuple[Tensor, Tensor]]:
    """What each layer makes of the two domains' batches, flattened to (n, k)."""
    return [(_output(a, name), _output(b, name)) for name in names(layers)]


def _output(view: Outputs, name: str) -> Tensor:
    out: Tensor = getattr(view, _OWN[name]) if name in _OWN else view.layers[name]
    return out
