"""Images for the report: the farthest from the source, the most and least surely predicted, some of each class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from transfermap.data.images.image_files import thumbnail
from transfermap.measure.shift.support import Support
from transfermap.tasks.task import ImageFiles
from transfermap.verdict.encoded import Array, Domains
from transfermap.verdict.labels.choosing import confidence
from transfermap.verdict.record import ClassImages, Gallery, ShownImage

# points of a thumbnail's longer side; images in a row; of the source's in a row of classes; classes; rows looked at
SIDE, SHOWN, FROM_SOURCE, CLASSES, LOOKED_AT = 96, 8, 2, 20, 1000


def gallery(images: ImageFiles, data: Domains, model: Any, predicted: Array, seed: int) -> tuple[Gallery, Array]:
    """Which images the report shows, and their thumbnails.

    Parameters
    ----------
    images : ImageFiles
        The rows' files.
    data : Domains
    model : fitted estimator
        Whose predictions are handed out.
    predicted : ndarray of shape (n_target,)
        They themselves.
    seed : int

    Returns
    -------
    gallery : Gallery
        ``shifted`` (``value``: distance to the source in units of what is usual there), ``sure`` and ``unsure``
        (``value``: the probability of the predicted class), and ``classes``.
    thumbnails : ndarray of bytes of shape (n,)
        JPEG.
    """
    rng = np.random.default_rng([seed, 5])
    some = np.sort(rng.permutation(len(predicted))[:LOOKED_AT])
    near = Support(seed=seed).fit(data.Xs)
    away = near.distance(data.Xt[some]) / max(near.threshold_, np.finfo(float).tiny)
    picked: dict[str, Any] = {"shifted": _ranked(some, away)}
    sure = confidence(model, data.target) if data.kind == "classification" else None
    if sure is not None:
        every = np.arange(len(sure))
        picked |= {"sure": _ranked(every, sure), "unsure": _ranked(every, sure, -1)}
    frames = _Thumbnails(images, predicted)
    shown = {name: frames.of("target", rows, values) for name, (rows, values) in picked.items()}
    classes = _by_class(frames, data, predicted, sure, rng) if data.kind == "classification" else ()
    return Gallery(**shown, classes=classes), np.array(frames.taken, dtype=np.bytes_)


def _ranked(rows: Array, values: Array, sign: int = 1) -> tuple[Array, Array]:
    order = np.argsort(-sign * values, kind="stable")[:SHOWN]
    return rows[order], values[order]


def _by_class(
    frames: _Thumbnails, data: Domains, predicted: Array, sure: Array | None, rng: np.random.Generator
) -> tuple[ClassImages, ...]:
    """Some of the source's images of each class beside some that are predicted to be of it, all drawn at random."""
    found = []
    for name in data.classes[:CLASSES]:
        ours, theirs = (rng.permutation(np.flatnonzero(side == name)) for side in (data.ys, predicted))
        theirs = theirs[: SHOWN - FROM_SOURCE]
        values = np.full(len(theirs), np.nan) if sure is None else sure[theirs]
        source = frames.of("source", ours[:FROM_SOURCE], np.full(FROM_SOURCE, np.nan))
        found.append(ClassImages(str(name), source, frames.of("target", theirs, values)))
    return tuple(found)


class _Thumbnails:
    """Thumbnails of rows, each file's made once; a file that is gone by now is left out."""

    def __init__(self, images: ImageFiles, predicted: Array) -> None:
        self._files: Mapping[str, tuple[str, ...]] = {"source": images.source, "target": images.target}
        self._predicted = predicted
        self._places: dict[str, int] = {}
        self.taken: list[bytes] = []

    def of(self, side: str, rows: Array, values: Array) -> tuple[ShownImage, ...]:
        """The rows' images, as the report wants them."""
        return tuple(self._made(side, rows, values))

    def _made(self, side: str, rows: Array, values: Array) -> Iterator[ShownImage]:
        for row, value in zip(rows.tolist(), values.tolist(), strict=False):
            file = self._files[side][row]
            try:
                place = self._place(file)
            except ValueError:
                continue
            known = float(value) if np.isfinite(value) else None
            predicted = str(self._predicted[row]) if side == "target" else ""
            yield ShownImage(row, file, predicted, known, place)

    def _place(self, file: str) -> int:
        if file not in self._places:
            self.taken.append(thumbnail(file, SIDE))
            self._places[file] = len(self.taken) - 1
        return self._places[file]
