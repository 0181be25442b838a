"""torch, when it is first used: so that the map, the cards and the whole table path work without it.

Everything that uses torch says ``from transfermap.deep.lazy import F, nn, torch``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn
    from torch.nn import functional as F
else:

    class _Later:
        """Stands for a module until an attribute of it is asked for."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, attribute: str) -> Any:
            try:
                found = getattr(importlib.import_module(self._name), attribute)
            except ImportError as error:
                raise _without(error) from error
            setattr(self, attribute, found)  # from then on at hand
            return found

    torch, nn, F = _Later("torch"), _Later("torch.nn"), _Later("torch.nn.functional")

__all__ = ["F", "nn", "require", "torch"]


def require() -> None:
    """Raise ValueError, with what to install, unless training can start: it needs PyTorch and safetensors."""
    try:
        importlib.import_module("torch")
        importlib.import_module("safetensors")
    except ImportError as error:
        raise _without(error) from error


def _without(error: ImportError) -> ValueError:
    return ValueError(f"deep methods need PyTorch ({error}); install it with: pip install 'transfermap[deep]'")
