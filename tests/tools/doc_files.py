"""Small files under the names that the pages use: tables, sentences, folders of images; and their arrays and paths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

N = 80
GOOD, BAD = (
    ("a lovely warm story well told", "great fun and a fine ending"),
    ("dull slow and far too long", "a bad waste"),
)
PARTS = ("the first half", "the second half", "the cast", "the music", "the plot", "the price", "the service")
TABLES = ("last_year.csv", "this_year.csv", "next_year.csv", "new_rows.parquet")
SENTENCES = ("books.csv", "kitchen.csv", "films.csv", "shops.csv", "reviews.csv", "new_reviews.csv")
IMAGES = ("photos", "sketches", "new_sketches", "sketches_by_class", "new_photos", "labelled_photos")
UNLABELLED = ("this_year.csv", "next_year.csv", "new_rows.parquet", "kitchen.csv", "new_reviews.csv")
FLAT = ("sketches", "new_sketches", "new_photos")


def arrays(seed: int = 0) -> dict[str, object]:
    """What the pages' Python calls its data by: parted, joined, new rows."""
    rng = np.random.default_rng(seed)
    ys, yt = np.tile([0, 1], N), np.tile([1, 0], N)
    Xs, Xt = rng.normal(size=(2, 2 * N, 4))
    Xs[:, 0] += 2 * ys
    Xt[:, 0] += 2 * yt
    Xt = 2 * Xt + 1
    X, y, d = np.r_[Xs, Xt], np.r_[ys, np.full(2 * N, -1)], np.repeat([1, -1], 2 * N)
    return {"Xs": Xs, "ys": ys, "Xt": Xt, "X": X, "y": y, "d": d, "X_new": Xt[:10]}


def write_tables(folder: Path) -> None:
    for seed, name in enumerate(TABLES):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(N, 3)) + seed / 4
        frame = pd.DataFrame(X, columns=["age", "visits", "spent"]).assign(city=rng.choice(["north", "south"], N))
        frame["churned"] = np.where(X[:, 0] + 0.3 * rng.normal(size=N) > seed / 4, "yes", "no")
        frame = frame.drop(columns="churned") if name in UNLABELLED else frame
        frame.to_parquet(folder / name) if name.endswith("parquet") else frame.to_csv(folder / name, index=False)


def write_sentences(folder: Path) -> None:
    for seed, name in enumerate(SENTENCES):
        rng = np.random.default_rng(seed)
        good = rng.random(N) < 0.5
        texts = [f"{rng.choice(PARTS)} {rng.choice(GOOD if g else BAD)} {rng.choice(PARTS)}" for g in good]
        frame = pd.DataFrame({"review": texts, "verdict": np.where(good, "good", "bad")})
        frame = frame.drop(columns="verdict") if name in UNLABELLED else frame
        frame.to_csv(folder / name, index=False)


def write_images(folder: Path, each: int = 6) -> None:
    for seed, name in enumerate(IMAGES):
        rng = np.random.default_rng(seed)
        for which, kind in enumerate(("dog", "horse")):
            at = folder / name / ("" if name in FLAT else kind)
            at.mkdir(parents=True, exist_ok=True)
            for i in range(each):
                pixels = rng.integers(0, 120, (32, 32, 3))
                pixels[8 * which : 8 * which + 12] += 120
                Image.fromarray(pixels.astype(np.uint8)).save(at / f"{kind}{i}.png")


def write_all(folder: Path) -> None:
    """Every file that a page names."""
    write_tables(folder)
    write_sentences(folder)
    write_images(folder)


def image_rows(folder: Path) -> dict[str, object]:
    """Paths of images, their labels, in words and as a tensor of codes, and paths of new ones."""
    import torch

    paths = sorted((folder / "photos").rglob("*.png"))
    labels = np.array([path.parent.name for path in paths])
    codes = torch.from_numpy(np.unique(labels, return_inverse=True)[1])
    new_paths = sorted((folder / "new_photos").glob("*.png"))
    return {
        "paths": paths,
        "labels": labels,
        "codes": codes,
        "new_paths": new_paths,
    }
