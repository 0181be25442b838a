"""The tasks whose rows lie in the data folder: images, their features, digits, texts, villages seen from space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from task import Array, Loaded, MetaTask, framed, generator, some_pairs

from transfermap.bench.datasets import load_task
from transfermap.bench.image_data import shrink

LIMIT = 2000
TOPICS = 100


def folder_tasks(data_dir: Path) -> Iterator[MetaTask]:
    """All of them, in an order that stays."""
    office, styles = ("amazon", "caltech10", "dslr", "webcam"), ("art_painting", "cartoon", "photo", "sketch")
    shops = ("books", "dvd", "electronics", "kitchen")
    yield from _matrices(data_dir, "office-caltech-surf", "office-caltech", "objects", 10, permutations(office, 2))
    # these are nearly saturated, so half of them will do
    half = some_pairs(office, 6, "office-caltech-efflite0")
    yield from _matrices(data_dir, "office-caltech-efflite0", "office-caltech", "features", 10, half)
    yield from _matrices(data_dir, "digits-jda", "digits", "digits", 10, permutations(("mnist", "usps"), 2))
    yield from _matrices(data_dir, "coil20", "coil20", "objects", 20, permutations(("coil1", "coil2"), 2))
    yield from _matrices(data_dir, "pacs-efflite0", "pacs", "features", 7, permutations(styles, 2))
    yield from _recoloured(data_dir)
    # both ways of a pair follow one another, for they share their columns
    for pair in sorted(permutations(shops, 2), key=sorted):
        yield _named("amazon-reviews", "amazon-reviews", "reviews", 2, pair, partial(_reviews, data_dir, *pair))
    for pair in permutations(_SENTENCES, 2):
        yield _named("sentences", "sentences", "sentences", 2, pair, partial(_sentences, data_dir, *pair))
    yield from _villages(data_dir)


def _named(start: str, dataset: str, data_kind: str, classes: int, pair: Sequence[str], read: partial) -> MetaTask:
    name = f"{start}: {pair[0]} to {pair[1]}"
    return MetaTask(name=name, dataset=dataset, data_kind=data_kind, classes=classes, read=read)


def _matrices(data_dir: Path, stored: str, dataset: str, data_kind: str, classes: int, pairs) -> Iterator[MetaTask]:
    for pair in pairs:
        yield _named(stored, dataset, data_kind, classes, pair, partial(_matrix, data_dir, stored, *pair))


def _matrix(data_dir: Path, stored: str, source: str, target: str) -> Loaded:
    """Features as they are stored: preparing each domain on its own would be adaptation already."""
    rows = load_task(stored, source, target, data_dir)
    return Loaded(framed(rows.Xs), rows.ys.astype(str), framed(rows.Xt), rows.yt.astype(str), "classification")


def _recoloured(data_dir: Path) -> Iterator[MetaTask]:
    for pair in permutations(("mnist", "mnist-m"), 2):
        yield _named("digits-grey", "digits", "digits", 10, pair, partial(_grey_digits, data_dir, *pair))


def _grey_digits(data_dir: Path, *pair: str) -> Loaded:
    """Digits as 16 x 16 grey values; MNIST's come from its training part, so that no digit is on both sides."""
    read = {"mnist": ("mnist_train.npz", None), "mnist-m": ("mnistm_test_first3000.npz", 3)}
    sides = []
    for name in pair:
        with np.load(data_dir / "digits" / read[name][0]) as stored:
            chosen = np.sort(generator(name).permutation(len(stored["y"]))[:LIMIT])
            X, y = stored["X"][chosen], stored["y"][chosen]
        grey = X if X.ndim == 3 else X.mean(axis=3)
        sides += [framed(shrink(grey, 16).reshape(len(X), -1) / 255), y.astype(str)]
    return Loaded(*sides, "classification")


def _reviews(data_dir: Path, source: str, target: str) -> Loaded:
    sides = _topics(data_dir, *sorted((source, target)))
    return Loaded(*sides[source], *sides[target], "classification")


@lru_cache(maxsize=1)
def _topics(data_dir: Path, first: str, second: str) -> dict[str, tuple[pd.DataFrame, Array]]:
    """TF-IDF of both shops' texts together, brought to 100 columns by a truncated decomposition of both."""
    rows = load_task("amazon-reviews", first, second, data_dir)
    svd = TruncatedSVD(TOPICS, random_state=0).fit(sparse.vstack([rows.Xs, rows.Xt], format="csr"))
    parts = (first, rows.Xs, rows.ys), (second, rows.Xt, rows.yt)
    return {name: (framed(svd.transform(X)), y.astype(str)) for name, X, y in parts}


_SENTENCES = {"movies": "rt-polarity.all", "products": "custrev.all"}


def _sentences(data_dir: Path, *pair: str) -> Loaded:
    """One column of raw text: what is said of films, and of things bought."""
    sides = []
    for name in pair:
        lines = (data_dir / "sentences" / _SENTENCES[name]).read_text("latin-1").rstrip("\n").split("\n")
        chosen = np.sort(generator(name).permutation(len(lines))[:LIMIT])
        split = [lines[i].partition(" ") for i in chosen]
        labels = np.array(["negative" if label == "0" else "positive" for label, _, _ in split])
        sides += [pd.DataFrame({"text": [text.strip() for _, _, text in split]}), labels]
    return Loaded(*sides, "classification")


_COUNTRIES = ("ethiopia", "malawi", "nigeria", "tanzania", "uganda")


def _villages(data_dir: Path) -> Iterator[MetaTask]:
    """From country to country, the wealth of villages: as a number, and as the third of its country it lies in."""
    # within Ethiopia the images do not tell wealth as a number (tasks.py --check)
    for classes, label, sources in ((0, "wealth", _COUNTRIES[1:]), (3, "third", _COUNTRIES)):
        for pair in some_pairs(_COUNTRIES, 6, f"poverty_lsms {label}", sources):
            read = partial(_village_pair, data_dir, label, *pair)
            yield _named(f"villages, {label}", "poverty_lsms", "satellite", classes, pair, read)


def _village_pair(data_dir: Path, label: str, *pair: str) -> Loaded:
    rows, country, wealth = _village_rows(data_dir / "poverty_lsms" / "poverty_lsms.npz")
    sides = []
    for name in pair:
        here = wealth[country == name]
        third = np.array(["poor", "middle", "rich"])[np.digitize(here, np.quantile(here, [1 / 3, 2 / 3]))]
        sides += [rows[country == name].reset_index(drop=True), here if label == "wealth" else third]
    return Loaded(*sides, "regression" if label == "wealth" else "classification")


@lru_cache(maxsize=1)
def _village_rows(path: Path) -> tuple[pd.DataFrame, Array, Array]:
    """Each satellite band's mean, deviation and quantiles over a village's pixels, and the lights at night."""
    with np.load(path) as stored:
        bands, histograms = stored["bands"], stored["hist"].astype(float)
        lights = {name: _logarithm(stored[key]) for name, key in _LIGHTS.items()}
        country, wealth = stored["country"], stored["y"].astype(float)
    columns = {f"{band} {what}": x for i, band in enumerate(bands) for what, x in _shape(histograms[:, i]).items()}
    return pd.DataFrame({**columns, **lights}), country, wealth


_LIGHTS = {"lights": "nl_mean", "lights in the centre": "nl_center"}


def _logarithm(lights: Array) -> Array:
    """Of the light above darkness, for a city outshines a village a hundredfold."""
    return np.log(lights.astype(float) - lights.min() + 0.01)


def _shape(counts: Array) -> dict[str, Array]:
    """The shape of histograms (n, bins), in bins."""
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    bins = np.arange(counts.shape[1])
    mean = share @ bins
    spread = np.sqrt(np.maximum(share @ bins**2 - mean**2, 0))
    levels = {f"q{int(100 * q)}": (np.cumsum(share, 1) < q).sum(1) for q in (0.1, 0.5, 0.9)}
    return {"mean": mean, "deviation": spread, **levels}
