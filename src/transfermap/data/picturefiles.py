"""Pictures on disk: where they lie, to which class they belong, and how one is decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def read_picture(path: str | Path, side: int) -> Array:
    """A picture as bytes (side, side, 3): its middle square, red first.

    Raises
    ------
    ValueError
        If it cannot be decoded.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as file:
            upright = ImageOps.exif_transpose(file).convert("RGB")
            return np.asarray(ImageOps.fit(upright, (side, side), Image.Resampling.BICUBIC))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as a picture: {str(error)[:200]}") from error
