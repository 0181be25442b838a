"""Texts as features of a pretrained net, for tables: what :class:`transfermap.data.encode.text.TextNets` asks for.

Nothing here imports PyTorch before a text is to be embedded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from transfermap.deep.pretrained.backbones import at_hand, backbone, providers
from transfermap.deep.pretrained.feature_cache import DiskCache, Facts, cache_folder, cached_texts, features
from transfermap.deep.pretrained.provider import Backbone

Array = np.ndarray[Any, np.dtype[Any]]
# signs of a text that are handed to the net's tokenizer, which itself stops after 128 words: texts may be endless
_MOST_SIGNS = 4000
# mean squared distance of the source's texts from their centre: of 1, 2, 4, 16, 32 and 384 (one a feature) the one with
# which logistic regression did best on held-out source rows of four collections of 500 texts
_SIZE = 2.0


class Sentences(TransformerMixin, BaseEstimator):
    r"""Sentences -> features of a pretrained text net, centred and divided by one number for all.

    With :math:`f(x)` the net's features, a sentence becomes :math:`(f(x) - m) / s`, where m is their mean over the
    source and s makes the mean squared distance from the centre 2, so that they keep their proportions and a linear
    model of so many columns stays tame. Only the name and the digest of the net are kept, not its weights: where it is
    loaded again, the same net must be installed.

    Parameters
    ----------
    net : str
        Name of a text net, such as "all-minilm-l6-v2" (:func:`transfermap.deep.pretrained.backbones.backbone`).

    Raises
    ------
    ValueError
        If the net is not installed, or has other weights than when this was fitted.
    """

    def __init__(self, net: str) -> None:
        self.net = net

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn centre and spread from sentences of shape (n, 1)."""
        self._learn(X)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Array:
        """As ``fit(X).transform(X)``, with one look at the net."""
        return self._scaled(self._learn(X))

    def transform(self, X: Any) -> Array:
        """Map sentences of shape (n, 1) to numbers of shape (n, size)."""
        found, _ = embed(self.net, _flat(X), self.digest_)
        return self._scaled(found)

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Names of the outputs: their numbers, from 1."""
        return np.array([str(i + 1) for i in range(self.size_)], dtype=object)

    def _learn(self, X: Any) -> Array:
        found, self.digest_ = embed(self.net, _flat(X))
        self.size_ = found.shape[1]
        self.centre_ = found.mean(axis=0)
        self.spread_ = float(np.sqrt(found.var(axis=0).sum() / _SIZE)) or 1.0
        return found

    def _scaled(self, found: Array) -> Array:
        scaled: Array = (found - self.centre_) / self.spread_
        return scaled


class InstalledTextNets:
    """The text nets that are installed here (:class:`transfermap.data.encode.text.TextNets`)."""

    def at_hand(self) -> str | None:
        """Name of a text net whose packages and weights are installed; None if there is none."""
        return text_net_at_hand()

    def sentences(self, net: str) -> Sentences:
        """What reads sentences through it."""
        return Sentences(net)


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
    cut = [text[:_MOST_SIGNS] for text in texts]
    if (net := _remembered(name)) is not None and (kept := cached_texts(net, cut)) is not None:
        _same_weights(name, net.digest, digest)
        return kept.astype(np.float64), net.digest
    loaded = _net(name)
    _same_weights(name, loaded.digest, digest)
    _remember(loaded)
    return features(loaded, cut).values.astype(np.float64), loaded.digest


def _same_weights(name: str, digest: str, wanted: str | None) -> None:
    if wanted not in (None, digest):
        raise ValueError(
            f"the text net {name} has other weights here ({digest[:12]}) than those with which this was learned "
            f"({str(wanted)[:12]}), so that its features mean something else; install the version that was used then"
        )


def _remembered(name: str) -> Facts | None:
    """What was known of an installed net when it was last loaded; None where its files have changed since."""
    key = _files_key(name)
    found = _nets().get([key]) if key else {}
    return Facts(name, *json.loads(found[key])) if key in found else None


def _remember(net: Backbone) -> None:
    if key := _files_key(net.name):
        _nets().put({key: json.dumps([net.digest, net.width]).encode()})


def _nets() -> DiskCache:
    return DiskCache(cache_folder() / "nets.sqlite")


def _files_key(name: str) -> bytes:
    """What tells the files of a net from any others: their paths, sizes and times; empty where they are not known."""
    found = {p.name: p for p in providers("text")}.get(name)
    if found is None or found.absent:
        return b""
    told = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in found.files()]
    return hashlib.sha256(repr((name, told)).encode()).digest() if told else b""


@lru_cache(maxsize=2)
def _net(name: str) -> Backbone:
    known = {p.name: f"{p.name}:NAME" if p.open else p.name for p in providers("text")}
    if name.partition(":")[0] not in known:
        raise ValueError(f"no text net {name!r}; expected topics, auto or one of: {', '.join(known.values())}")
    return backbone(name)


def _flat(column: Any) -> list[str]:
    return [str(text) for text in np.asarray(column, dtype=object).ravel()]
