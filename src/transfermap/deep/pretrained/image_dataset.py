"""Image files as a Dataset: rows by number, decoded when they are first wanted."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor
from torch.utils.data import Dataset

# of decoded images, a Dataset; a run has two
MOST_BYTES = 1_000_000_000


class ImageDataset(Dataset[Tensor]):
    """Images of files by the number of their row, bytes (3, side, side).

    Parameters
    ----------
    files : sequence of str of length n
        Paths; a file may stand in several rows.
    read : callable
        Paths (k) -> bytes (k, 3, side, side).
    most_bytes : int
        Of decoded images that are kept, by this Dataset alone and as long as it lives; the first decoded go first.

    Raises
    ------
    ValueError
        If a file is not there; later, if one cannot be decoded.
    """

    def __init__(
        self, files: Iterable[str], read: Callable[[Sequence[str]], Tensor], most_bytes: int = MOST_BYTES
    ) -> None:
        self._files, self._read, self._most = list(map(str, files)), read, most_bytes
        self._kept: OrderedDict[str, Tensor] = OrderedDict()
        # found out now, not after an hour of training
        if lost := [file for file in dict.fromkeys(self._files) if not os.path.isfile(file)]:
            raise ValueError(f"{len(lost)} of {len(self)} images are not there; the first: {lost[0]}")

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, row: int) -> Tensor:
        return self.__getitems__([row])[0]

    def __getitems__(self, rows: Sequence[int]) -> list[Tensor]:
        """The images of several rows; a file among them is decoded once, several at a time."""
        files = [self._files[row] for row in rows]
        found = {file: self._kept[file] for file in files if file in self._kept}
        found |= self._decoded([file for file in dict.fromkeys(files) if file not in found])
        return [found[file] for file in files]

    def blocks(self, size: int) -> Iterator[Tensor]:
        """All images in their order, (size, 3, side, side) at a time."""
        for start in range(0, len(self), size):
            yield torch.stack(self.__getitems__(range(start, min(start + size, len(self)))))

    def _decoded(self, files: Sequence[str]) -> dict[str, Tensor]:
        """Images that are not kept yet; they are now, as far as there is room."""
        if not files:
            return {}
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1, len(files))) as pool:
            images = dict(zip(files, pool.map(lambda file: self._read([file])[0], files), strict=True))
        self._kept.update(images)
        room = self._most // next(iter(images.values())).nbytes
        while len(self._kept) > room:
            self._kept.popitem(last=False)
        return images
