"""Images on disk: where they lie, to which class they belong, and how one is decoded."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd

from transfermap.data.tables.files import read_chunks, read_table
from transfermap.data.tables.spelling import spelled
from transfermap.messages import Note

Array = np.ndarray[Any, np.dtype[Any]]
PathText = str | PathLike[str]
# the column that names a row's image, and the one that folders give their names to unless it is called otherwise
FILE, CLASS = "file", "class"
# names of columns that a pretrained net has made of the images
FEATURE = r"^f\d+$"
SUFFIXES = frozenset(
    (
        ".jpg",
        ".jpeg",
        ".jfif",
        ".png",
        ".gif",
        ".bmp",
        ".webp",
        ".tif",
        ".tiff",
        ".ppm",
        ".pgm",
        ".pbm",
        ".jp2",
        ".avif",
    )
)
# a larger one would take more than 600 MB of memory
MOST_POINTS = 200_000_000
_LISTS = (".csv", ".tsv", ".txt", ".parquet", ".pq")
_LOOKED_AT = 20
_WHITE = (255, 255, 255, 255)
_OPENING = Lock()


@dataclass(frozen=True)
class Images:
    """Where the images of one domain lie.

    Attributes
    ----------
    table : DataFrame
        A row an image: its path as :data:`FILE`, and what else is known of it, such as its class.
    notes : tuple of Note
    """

    table: pd.DataFrame
    notes: tuple[Note, ...] = ()

    @property
    def files(self) -> list[str]:
        """Paths that can be opened."""
        return self.table[FILE].tolist()


def holds_images(path: PathText) -> bool:
    """Whether it is a folder, or a table with a column of paths at which images lie."""
    path = Path(path)
    if path.is_dir():
        return True
    if not path.is_file() or not path.name.lower().removesuffix(".gz").endswith(_LISTS):
        return False
    try:
        return _column_of_paths(next(read_chunks(path, _LOOKED_AT)), path) is not None
    except ValueError:  # whoever reads it as a table says what is wrong with it
        return False


def any_images(paths: Sequence[PathText]) -> bool:
    """Whether there are images; then all of the paths must hold some.

    Raises
    ------
    ValueError
        If only some do.
    """
    held = [holds_images(path) for path in paths]
    if any(held) and not all(held):
        some, other = paths[held.index(True)], paths[held.index(False)]
        if not Path(other).exists():
            raise ValueError(f"there is no file or folder {other}")
        what = "is a folder, as of images," if Path(some).is_dir() else "names images"
        raise ValueError(f"{some} {what} and {other} is a table without any; expected images on both sides, or tables")
    return any(held)


def find_images(path: PathText, label: str = CLASS) -> Images:
    """The images of a folder, or those that a table names.

    Parameters
    ----------
    path : path
        A folder whose sub-folders are the classes, a folder of images without classes, or a table with a column of
        paths, absolute or beginning where the table lies.
    label : str
        What the column of classes is called.

    Raises
    ------
    ValueError
        If no image is found.
    """
    path = Path(path)
    return _in_folder(path, label) if path.is_dir() else _in_table(path)


def _in_folder(folder: Path, label: str) -> Images:
    """Sub-folders name classes where they hold images; an image beside them has no class."""
    rows: list[tuple[str, str]] = []
    empty, others = [], []
    within = sorted(entry for entry in folder.iterdir() if not _hidden(entry))
    for entry in within:
        if entry.is_dir():
            files = sorted(_files_below(entry))
            found = [(str(f), entry.name) for f in files if _is_image(f)]
            rows += found
            empty += [] if found else [entry.name]
        else:
            files = [entry]
            rows += [(str(entry), "")] if _is_image(entry) else []
        others += [str(f.relative_to(folder)) for f in files if not _is_image(f)]
    if not rows:
        raise ValueError(
            f"{folder} holds no images; expected them in it or in sub-folders that are called as their classes "
            f"({', '.join(sorted(SUFFIXES))})"
        )
    table = pd.DataFrame(rows, columns=[FILE, label]) if any(name for _, name in rows) else _unlabelled(rows)
    return Images(table, tuple(_folder_notes(folder, empty, others)))


def _unlabelled(rows: list[tuple[str, str]]) -> pd.DataFrame:
    return pd.DataFrame({FILE: [file for file, _ in rows]})


def _folder_notes(folder: Path, empty: list[str], others: list[str]) -> Iterator[Note]:
    if empty:
        yield Note("images.empty_class", "warn", {"folder": str(folder), "classes": empty})
    if others:
        yield Note("images.others", "info", {"folder": str(folder), "files": others, "count": len(others)})


def _files_below(folder: Path) -> Iterator[Path]:
    """All files in a folder and below it that are not hidden; links to folders are followed, each folder once."""
    seen = {str(above) for above in Path(os.path.realpath(folder)).parents}
    for where, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(where)
        folders[:] = [] if real in seen else [name for name in folders if not _hidden(Path(name))]
        yield from (Path(where, name) for name in files if not _hidden(Path(name)) and real not in seen)
        seen.add(real)


def _hidden(entry: Path) -> bool:
    # macOS leaves its own files in archives
    return entry.name.startswith(".") or entry.name == "__MACOSX"


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES


def _in_table(path: Path) -> Images:
    table = read_table(path)
    column = _column_of_paths(table, path)
    if column is None:
        raise ValueError(f"{path} has no column of paths at which images lie")
    if column != FILE and FILE in table:
        raise ValueError(f"{path} has a column {FILE!r} beside {column!r}, which names the images; rename one of them")
    paths = spelled(table[column])
    if nameless := int((paths == "").sum()):
        raise ValueError(f"{nameless} rows of {path} name no image in the column {column!r}")
    files = [str(path.parent / name) for name in paths]
    return Images(table.drop(columns=column).assign(**{FILE: files}))


def _column_of_paths(table: pd.DataFrame, path: Path) -> str | None:
    """The first column whose cells are names of images, some of which are there."""
    for name in table.columns:
        cells = [cell for cell in spelled(table[name].head(_LOOKED_AT)) if cell]
        named = cells and all(_is_image(Path(cell)) for cell in cells)
        if named and any((path.parent / cell).is_file() for cell in cells):
            return str(name)
    return None


def read_image(path: PathText, side: int) -> Array:
    """An image as bytes (side, side, 3): its middle square, red first.

    It is turned upright as its EXIF data say; what is transparent becomes white, values of 16 bits are scaled to 8, and
    of an animation the first frame is taken. Large JPEGs are decoded at a fraction of their size.

    Raises
    ------
    ValueError
        If it cannot be decoded, or has more than 200 million pixels.
    """
    upright = _opened(path, side)
    width, height = upright.size
    edge = min(width, height)
    left, top = (width - edge) / 2, (height - edge) / 2
    box = (left, top, left + edge, top + edge)
    return np.asarray(upright.resize((side, side), _bicubic(), box=box, reducing_gap=3.0))


def thumbnail(path: PathText, side: int) -> bytes:
    """A small JPEG of an image, whole, its longer side ``side`` points at most; raises as :func:`read_image`."""
    image = _opened(path, side)
    image.thumbnail((side, side), _bicubic())
    data = io.BytesIO()
    image.save(data, "JPEG", quality=78)
    return data.getvalue()


def _bicubic() -> Any:
    from PIL import Image

    return Image.Resampling.BICUBIC


def _opened(path: PathText, side: int) -> Any:
    """An image in red, green and blue, upright, and no smaller than about twice ``side``."""
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise ValueError(f"images need Pillow ({error}); install it with: pip install pillow") from error
    try:
        with Path(path).open("rb") as file, _of_any_size(partial(Image.open, file)) as image:
            if (points := image.width * image.height) > MOST_POINTS:
                raise ValueError(f"it has {points:,} points, more than {MOST_POINTS:,}")
            image.draft(None, (2 * side, 2 * side))
            return _coloured(ImageOps.exif_transpose(image))
    except Exception as error:  # Pillow's many decoders raise many kinds for a damaged file
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path} cannot be read as an image: {reason[:200]}") from error


def _of_any_size(open_it: Any) -> Any:
    """Open without Pillow's own bound, which warns at half the size that we take and cannot be set for one image."""
    from PIL import Image

    with _OPENING:
        bound, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return open_it()
        finally:
            Image.MAX_IMAGE_PIXELS = bound


def _coloured(image: Any) -> Any:
    """In red, green and blue of 8 bits each, whatever it came in."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_eight_bits(np.asarray(image, dtype=np.float64), image.mode)).convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        seen = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, _WHITE), seen).convert("RGB")
    return image.convert("RGB")


def _eight_bits(values: Array, mode: str) -> Array:
    """Grey values of 16 bits, of 32, or fractions, as bytes."""
    high = float(np.nanmax(values, initial=0.0))
    if mode.startswith("I"):
        top = 65535.0 if mode != "I" or 255 < high <= 65535 else max(high, 255.0)
    else:
        top = 1.0 if high <= 1 else max(high, 255.0)
    return np.nan_to_num(np.clip(values / top, 0, 1) * 255).round().astype(np.uint8)
