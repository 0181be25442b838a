"""What methods of translation share."""

from __future__ import annotations

import numpy as np

from transfermap.split import Array


def image_range(*images: Array) -> tuple[Array, Array]:
    """The middle of images' values and half of their range, (d,) each: they then lie from -1 to 1.

    One range for all points: a point that rarely differs would be blown up by its own.
    """
    low, high = min(X.min() for X in images), max(X.max() for X in images)
    d = images[0].shape[1]
    return np.full(d, (float(low) + float(high)) / 2), np.full(d, (float(high) - float(low)) / 2 or 1.0)
