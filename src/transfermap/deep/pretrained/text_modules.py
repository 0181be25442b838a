"""The stages of a sentence encoder as a chain: each passes on the words' states and which words are there."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

States = tuple[Tensor, Tensor]


class Embedded(nn.Module):
    """Word numbers (n, words, 2), with a 1 where there is a word, to states (n, words, width)."""

    def __init__(self, embeddings: Any) -> None:
        super().__init__()
        self.embeddings = embeddings

    def forward(self, x: Tensor) -> States:
        words, there = x.unbind(2)
        return self.embeddings(input_ids=words), there


class Layer(nn.Module):
    """One layer of an encoder; words that are not there are looked at by none."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: States) -> States:
        states, there = x
        away = (1.0 - there[:, None, None].to(states.dtype)) * torch.finfo(states.dtype).min
        out = self.layer(states, attention_mask=away)
        return (out[0] if isinstance(out, tuple) else out), there


class Pooled(nn.Module):
    """The mean of the states of the words that are there, scaled to length 1 (Reimers & Gurevych, EMNLP 2019)."""

    def forward(self, x: States) -> Tensor:
        states, there = x
        weights = there.to(states.dtype)[..., None]
        mean = (states * weights).sum(1) / weights.sum(1).clamp(min=1)
        return nn.functional.normalize(mean, dim=1)
