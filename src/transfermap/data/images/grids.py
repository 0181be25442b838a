"""Images as rows of a table: a point's column says by its name where it lies, so that the shape is never lost.

``x[0,0] x[0,1] ...`` are an image's points, row by row, from the upper left. Such columns survive frames, files and
saving; :func:`image_shape` reads the shape back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from transfermap.data.tables.columns import Kind, coerced
from transfermap.messages import Note

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, int]
Span = tuple[float, float]
# what becomes 0 and 1 where nothing else has been seen: eight-bit whole numbers, and fractions that are there already
SPANS: Mapping[str, Span] = {"whole": (0.0, 255.0), "fraction": (0.0, 1.0)}
MOST_POINTS = 128 * 128
_ROUNDING = 1e-9
_POINT = re.compile(r"x\[(\d+),(\d+)\]")
# of red, green and blue (Rec. ITU-R BT.601)
_LUMINANCE = np.array([0.299, 0.587, 0.114])


def point_names(shape: Shape) -> list[str]:
    """The columns of an image (height, width).

    Examples
    --------
    >>> from transfermap.data.images.grids import image_shape, point_names
    >>> point_names((2, 2)), image_shape(point_names((28, 16)))
    (['x[0,0]', 'x[0,1]', 'x[1,0]', 'x[1,1]'], (28, 16))
    """
    return [f"x[{i},{j}]" for i in range(shape[0]) for j in range(shape[1])]


def points_of(names: Iterable[str]) -> list[str]:
    """Those of the names that are points, if together they make one whole image, row by row; else none."""
    points = [name for name in names if _POINT.fullmatch(name)]
    return points if image_shape(points) else []


def image_shape(names: Sequence[str]) -> Shape | None:
    """Height and width of the image whose points these are, row by row; None where they are not just that."""
    last = _POINT.fullmatch(names[-1]) if len(names) else None
    if last is None:
        return None
    shape = int(last[1]) + 1, int(last[2]) + 1
    return shape if shape[0] * shape[1] == len(names) and list(names) == point_names(shape) else None


def image_table(images: Array, what: str) -> pd.DataFrame:
    """Images as a table with a column a point; colours become grey by their luminance.

    Parameters
    ----------
    images : array of shape (n, h, w), (n, h, w, 1 or 3) or (n, 1 or 3, h, w)
    what : str
        What they are called in messages.

    Returns
    -------
    DataFrame of shape (n, h w)

    Raises
    ------
    ValueError
        If the shape is another, or an image has more than 128 x 128 pixels.
    """
    grey = images if images.ndim == 3 else _grey(images, what)
    height, width = grey.shape[1:]
    if not 0 < height * width <= MOST_POINTS:
        raise ValueError(
            f"{what}: expected images of 1 to {MOST_POINTS:,} points (128 x 128), one after the other along the "
            f"first axis; got an array of shape {images.shape}"
        )
    # pandas computes with neither half floats nor, as numbers, with flags
    wide = grey.astype({"e": np.float32, "?": np.uint8}.get(grey.dtype.char, grey.dtype), copy=False)
    return pd.DataFrame(wide.reshape(len(grey), height * width), columns=point_names((height, width)))


def shape_in(frame: pd.DataFrame) -> Shape | None:
    """Height and width of the image that a table holds, perhaps beside other columns."""
    return image_shape(points_of(frame.columns))


def alike(
    tables: Sequence[pd.DataFrame], names: Sequence[str]
) -> tuple[list[pd.DataFrame], dict[str, Span], list[Note]]:
    """Tables of images brought to one size, the largest there is, and to grey values from 0 to 1.

    Values that are within 0 and 1 already stay as they are; otherwise a table's lowest value (or 0, if none is
    negative) becomes 0 and its highest 1.

    Parameters
    ----------
    tables : sequence of DataFrame
        The target last.
    names : sequence of str
        What they are called.

    Returns
    -------
    tables
        As they came, unless every one holds images.
    spans : dict
        What becomes 0 and 1 in rows of the target that do not lie there already: rows of "whole" numbers, and rows
        that hold a "fraction". Empty without images.
    notes : list of Note
    """
    shapes = [shape for table in tables if (shape := shape_in(table))]
    if len(shapes) < len(tables):
        return list(tables), {}, []
    largest = max(shapes, key=lambda shape: shape[0] * shape[1])
    spans = [_spans(grey_values(table)) for table in tables]
    smaller = [f"{name} ({_by(s)})" for name, s in zip(names, shapes, strict=True) if s != largest]
    notes = [Note("task.image_size", "info", {"tables": smaller, "size": _by(largest)})] if smaller else []
    lifted = [(name, *span["fraction"]) for name, span in zip(names, spans, strict=True) if span != SPANS]
    scaled = [f"{name} [{low:g}, {high:g}]" for name, low, high in lifted]
    notes += [Note("task.image_values", "info", {"tables": scaled})] if scaled else []
    return [fitted(table, largest, span) for table, span in zip(tables, spans, strict=True)], spans[-1], notes


def fitted(frame: pd.DataFrame, shape: Shape, spans: Mapping[str, Span]) -> pd.DataFrame:
    """A table whose images have this shape and values from 0 to 1; one without images as it came.

    Every row is judged by itself, so that it becomes the same whatever rows stand beside it: what lies within 0 and 1
    stays, and all else is brought there by the span of whole numbers or of fractions.
    """
    points = points_of(frame.columns)
    found = image_shape(points)
    if found is None:
        return frame
    done = resized(_unit(grey_values(frame), spans), found, shape)
    return pd.concat([pd.DataFrame(done, frame.index, point_names(shape)), frame.drop(columns=points)], axis=1)


def grey_values(frame: pd.DataFrame) -> Array:
    """The points of a table of images as numbers (n, h w); missing and infinite ones are NaN."""
    kinds: dict[str, Kind] = dict.fromkeys(points_of(frame.columns), "number")
    return coerced(frame, kinds, {}).to_numpy(dtype=np.float64)


def resized(images: Array, before: Shape, after: Shape) -> Array:
    """Images (n, h w) of one shape as (n, h' w') of another, by bilinear interpolation between points' middles.

    Missing points (NaN) have no weight; a point that takes from nothing else is missing too.
    """
    if before == after:
        return images
    down, across = (interpolation(old, new) for old, new in zip(before, after, strict=True))

    def spread(values: Array) -> Array:
        return np.asarray(down @ values.reshape(-1, *before) @ across.T).reshape(len(images), -1)

    gaps = np.isnan(images)
    if not gaps.any():
        return spread(images)
    weight = spread(np.where(gaps, 0.0, 1.0))
    return np.where(weight > _ROUNDING, spread(np.where(gaps, 0.0, images)) / np.maximum(weight, _ROUNDING), np.nan)


def interpolation(before: int, after: int) -> Array:
    """Weights (after, before) that take a line of points to another number of them.

    Point i of the new line lies at (i + 1/2) before / after - 1/2 of the old one and takes from the old points
    linearly in their distance; where points become fewer, from as many as it stands for.
    """
    place = (np.arange(after) + 0.5) * before / after - 0.5
    reach = max(1.0, before / after)
    weights = np.maximum(0.0, 1 - np.abs(place[:, None] - np.arange(before)) / reach)
    out: Array = weights / weights.sum(axis=1, keepdims=True)
    return out


def _grey(images: Array, what: str) -> Array:
    """Images with one or three channels, which stand last or second, as (n, h, w)."""
    if images.ndim != 4 or not {images.shape[1], images.shape[3]} & {1, 3}:
        raise ValueError(
            f"{what}: expected images as (n, h, w), or with one (grey) or three (colour) channels as (n, h, w, c) or "
            f"(n, c, h, w); got an array of shape {images.shape}"
        )
    last = images if images.shape[3] in (1, 3) else np.moveaxis(images, 1, 3)
    if last.shape[3] == 1:
        return last[..., 0]
    grey: Array = last @ _LUMINANCE
    return np.rint(grey).astype(images.dtype) if images.dtype.kind in "iu" else grey


def _unit(values: Array, spans: Mapping[str, Span]) -> Array:
    low, high = _extremes(values, axis=1)
    done = values.copy()
    outside = (low < -_ROUNDING) | (high > 1 + _ROUNDING)
    whole = _whole(values).all(axis=1)
    for kind, rows in (("whole", outside & whole), ("fraction", outside & ~whole)):
        least, most = spans[kind]
        done[rows] = (values[rows] - least) / ((most - least) or 1.0)
    return done


def _spans(values: Array) -> dict[str, Span]:
    """What becomes 0 and 1 in a table of these values, and in rows that come to it later."""
    low, high = (float(extreme) for extreme in _extremes(values, axis=None))
    if low >= 0 and high <= 1:
        return dict(SPANS)
    return dict.fromkeys(SPANS, (min(0.0, low), high))


def _extremes(values: Array, axis: int | None) -> tuple[Array, Array]:
    """Lowest and highest number; 0 and 1 where there is none."""
    there = ~np.isnan(values)
    low = np.where(there, values, np.inf).min(axis=axis, initial=np.inf)
    high = np.where(there, values, -np.inf).max(axis=axis, initial=-np.inf)
    return np.where(np.isinf(low), 0.0, low), np.where(np.isinf(high), 1.0, high)


def _whole(values: Array) -> Array:
    return np.isnan(values) | (values == np.floor(values))


def _by(shape: Shape) -> str:
    return f"{shape[0]} x {shape[1]}"
