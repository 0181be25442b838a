"""Images as rows of grey values."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
_SUFFIXES = (".jpg", ".jpeg", ".png")


def read_classes(folder: Path, side: int) -> tuple[Array, Array]:
    """Every image below ``folder/<class>/`` as ``side * side`` grey values in [0, 1], and its class.

    Raises
    ------
    ValueError
        If Pillow is not installed, there is no image, or one cannot be read.
    """
    if importlib.util.find_spec("PIL") is None:
        raise ValueError("images are read by Pillow, which is not installed: pip install pillow")
    # sorted: file systems list in their own order, and draws go by place
    paths = sorted(path for path in folder.glob("*/*") if path.suffix.lower() in _SUFFIXES)
    if not paths:
        raise ValueError(f"{folder} holds no images; expected {folder}/<class>/<image>.jpg")
    return np.stack([_grey(path, side) for path in paths]), np.array([path.parent.name for path in paths])


def _grey(path: Path, side: int) -> Array:
    from PIL import Image

    try:
        with Image.open(path) as image:
            # BOX averages over areas, as shrink does; other filters ring at edges and leave [0, 1]
            small = image.convert("L").resize((side, side), Image.Resampling.BOX)
    except OSError as error:
        raise ValueError(f"{path} cannot be read as an image: {error}") from None
    return np.asarray(small, dtype=np.float32).ravel() / 255


def shrink(images: Array, side: int) -> Array:
    """Square images (n, h, h) averaged over areas to (n, side * side); the mean of each stays.

    Examples
    --------
    >>> import numpy as np
    >>> from transfermap.bench.image_data import shrink
    >>> shrink(np.array([[[0.0, 2.0], [4.0, 6.0]]]), 1).tolist()
    [[3.0]]
    """
    W = _overlap(images.shape[1], side).astype(np.float32)
    # rows and columns are averaged one after the other: h^2 s instead of h^2 s^2 a row
    small: Array = np.einsum("ai,nij,bj->nab", W, images, W, optimize=True)
    return small.reshape(len(images), side * side)


def _overlap(old: int, new: int) -> Array:
    """How much of each new pixel every old one covers, (new, old), rows summing to 1."""
    edges = np.arange(new + 1) * old / new
    cells = np.arange(old)
    covered = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    # pixels that do not overlap come out negative
    return np.clip(covered, 0, None) * new / old
