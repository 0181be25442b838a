"""A tiny text net: fixed random vectors of words, and their mean. Nothing is downloaded, nothing is large."""

from __future__ import annotations

import pytest

from transfermap.deep.pretrained import backbones, provider
from transfermap.deep.pretrained import text_features as embedding
from transfermap.deep.pretrained.provider import Backbone, chain, digest_of

NAME, WIDTH = "tiny-reader", 8


def read(sentences):
    """Words as numbers below 100, the same for the same letters; (n, longest, 2)."""
    import torch

    rows = [[1 + sum(map(ord, word)) % 99 for word in text.lower().split()[:20]] or [0] for text in sentences]
    table = torch.zeros(len(rows), max(map(len, rows)), 2, dtype=torch.int64)
    for i, row in enumerate(rows):
        table[i, : len(row), 0], table[i, : len(row), 1] = torch.tensor(row), 1
    return table


def tiny(weights=None, seed: int = 0) -> Backbone:
    """Eight features."""
    import torch
    from torch import nn

    from transfermap.deep.pretrained.text_modules import Pooled

    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.vectors = nn.Embedding(100, WIDTH)

        def forward(self, x):
            words, there = x.unbind(2)
            return self.vectors(words), there

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = chain(embedding=Table(), pool=Pooled())
    net.eval()
    return Backbone(NAME, "text", net, WIDTH, read, digest_of(net))


@pytest.fixture
def reader(monkeypatch, tmp_path):
    """The tiny text net under its name, the only one there is, with a cache of its own."""
    backbones.providers()
    others = {n: p for n, p in provider.PROVIDERS.items() if p.kind != "text" or p.open}
    monkeypatch.setattr(provider, "PROVIDERS", others)
    provider.provides(NAME, "text")(tiny)
    monkeypatch.setenv("TRANSFERMAP_CACHE", str(tmp_path / "cache"))
    embedding._net.cache_clear()
    yield NAME
    embedding._net.cache_clear()
