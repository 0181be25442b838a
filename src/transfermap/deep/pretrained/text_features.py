"""Texts as features of a pretrained net, for tables: the room behind the door in :mod:`transfermap.data.encode.text`.

Nothing here imports PyTorch before a text is to be embedded.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from transfermap.deep.pretrained.backbones import at_hand, backbone, providers
from transfermap.deep.pretrained.feature_cache import features
from transfermap.deep.pretrained.provider import Backbone

Array = np.ndarray[Any, np.dtype[Any]]
# signs of a text that are handed to the net's tokenizer, which itself stops after 128 words: texts may be endless
_MOST_SIGNS = 4000


def text_net_at_hand() -> str | None:
    """Name of a text net whose packages and weights are installed; None if there is none."""
    return next(iter(at_hand("text")), None)


def embed(name: str, texts: Sequence[str], digest: str | None = None) -> tuple[Array, str]:
    """Features of texts, cached (:mod:`transfermap.deep.pretrained.feature_cache`), and the net's digest.

    Parameters
    ----------
    name : str
        A text net (:func:`transfermap.deep.pretrained.backbones.backbone`).
    texts : sequence of n str
        Only the first words are read, as many as the net takes.
    digest : str, optional
        That of the weights that the net must have.

    Returns
    -------
    ndarray of shape (n, width), float64; str

    Raises
    ------
    ValueError
        If the net is not installed, is none for text, or has other weights.
    """
    net = _net(name)
    if digest is not None and net.digest != digest:
        raise ValueError(
            f"the text net {name} has other weights here ({net.digest[:12]}) than those with which this was learned "
            f"({digest[:12]}), so that its features mean something else; install the version that was used then"
        )
    found = features(net, [text[:_MOST_SIGNS] for text in texts])
    return found.values.astype(np.float64), net.digest


@lru_cache(maxsize=2)
def _net(name: str) -> Backbone:
    known = {p.name: f"{p.name}:NAME" if p.open else p.name for p in providers("text")}
    if name.partition(":")[0] not in known:
        raise ValueError(f"no text net {name!r}; expected topics, auto or one of: {', '.join(known.values())}")
    return backbone(name)
