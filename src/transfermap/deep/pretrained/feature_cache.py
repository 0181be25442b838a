"""Features of images or sentences by a backbone: computed once, kept on disk, and read ahead of the net."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from transfermap.deep.lazy import torch
from transfermap.deep.pretrained.provider import Backbone
from transfermap.deep.training.device import pick_device

Array = np.ndarray[Any, np.dtype[Any]]
BATCH = 64
_FOLDER = "TRANSFERMAP_CACHE"


class Features(NamedTuple):
    """What a backbone makes of items.

    Attributes
    ----------
    values : ndarray of float32 of shape (n, width)
        NaN where an item could not be read.
    faults : dict
        Why not, by the item's number.
    digests : list of str
        SHA-256 of each item's content; "" where there is none.
    """

    values: Array
    faults: dict[int, str]
    digests: list[str]


def cache_folder() -> Path:
    """Where features are kept: ``$TRANSFERMAP_CACHE``, else ``~/.cache/transfermap``, else a temporary folder."""
    for wanted in (os.environ.get(_FOLDER), Path("~/.cache/transfermap").expanduser()):
        if wanted:
            try:
                Path(wanted).mkdir(parents=True, exist_ok=True)
            except OSError:
                continue
            if os.access(wanted, os.W_OK):
                return Path(wanted)
    last = Path(tempfile.gettempdir(), f"transfermap-{os.getuid() if hasattr(os, 'getuid') else 0}")
    last.mkdir(exist_ok=True)
    return last


class DiskCache:
    """A file of short binary values by key. What is damaged or cannot be written counts as not there.

    SQLite keeps it whole when a run is cut off, and lets several processes write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """The values of those keys that are there and undamaged."""
        found: dict[bytes, bytes] = {}
        asked = iter(keys)
        while some := list(islice(asked, 500)):
            marks = ",".join("?" * len(some))
            rows = self._do(f"SELECT key, value, sum FROM cache WHERE key IN ({marks})", some)
            found |= {key: value for key, value, total in rows if zlib.crc32(value) == total}
        return found

    def put(self, values: Mapping[bytes, bytes]) -> None:
        """Keep the values; they replace what their keys had."""
        rows = [(key, value, zlib.crc32(value)) for key, value in values.items()]
        self._do("INSERT OR REPLACE INTO cache VALUES (?, ?, ?)", rows, many=True)

    def _do(self, statement: str, values: Sequence[Any], many: bool = False) -> list[Any]:
        try:
            with closing(sqlite3.connect(self._path, timeout=30)) as base, base:
                # a loss of power may damage the file; then it is made anew
                base.execute("PRAGMA synchronous = OFF")
                base.execute("CREATE TABLE IF NOT EXISTS cache (key BLOB PRIMARY KEY, value BLOB, sum INTEGER)")
                return (base.executemany if many else base.execute)(statement, values).fetchall()
        except sqlite3.OperationalError:  # no room, no right to write, or busy for too long
            return []
        except sqlite3.DatabaseError:
            self._path.unlink(missing_ok=True)
            return []


class Facts(NamedTuple):
    """What the cache needs to know of a net for sentences: enough to find its features, without loading it."""

    name: str
    digest: str
    width: int
    side: int | None = None
    kind: str = "text"


def cached_texts(net: Facts, texts: Sequence[str]) -> Array | None:
    """Features of texts (n, width), float32, if those of all of them are kept."""
    disk = DiskCache(cache_folder() / f"features-{_name_of(net)}.sqlite")
    contents = list(map(_content_of(net), texts))
    kept = _kept(disk, contents, net.width)
    if not all(content in kept for content in contents):
        return None
    return np.array([kept[c] for c in contents], dtype=np.float32).reshape(len(texts), net.width)


def features(
    net: Backbone,
    items: Sequence[str],
    *,
    tick: Callable[[int, int], None] = lambda done, of: None,
    batch: int = BATCH,
    workers: int | None = None,
    device: str = "auto",
    cache: bool = True,
) -> Features:
    """What a backbone makes of images or sentences.

    An item is known by its content, so that an image that was moved or copied is not computed again. Others are read
    in threads, ahead of the net, which never waits where they are as quick as it is.

    Parameters
    ----------
    net : Backbone
        In eval mode, as :func:`transfermap.deep.pretrained.backbones.backbone` gives it.
    items : sequence of str of length n
        Paths of images, or sentences.
    tick : callable
        Told ``(items done, n)``.
    batch : int
        Items that go through the net at once.
    workers : int, default=None
        Threads that read; None: one for each processor, at most eight.
    device : str
        Where the net runs; "auto" takes a GPU if there is one.
    cache : bool
        Whether features are looked up and kept in :func:`cache_folder`.
    """
    threads = workers or min(8, os.cpu_count() or 1)
    disk = DiskCache(cache_folder() / f"features-{_name_of(net)}.sqlite") if cache else None
    with ThreadPoolExecutor(threads) as pool:
        # files are read in threads; a sentence is at hand, and dearer to hand over than to digest
        each = pool.map if net.kind == "images" else map
        contents: list[Any] = list(each(_content_of(net), items))
        kept = _kept(disk, contents, net.width)
        # of equal items one is computed
        wanted = {c: i for i, c in enumerate(contents) if isinstance(c, bytes) and c not in kept}
        done = len(items) - len(wanted)
        wrong: dict[Any, str] = {}
        tick(done, len(items))
        for numbers, rows, faults in _computed(net, items, _in_order(net, items, wanted), batch, pool, threads, device):
            fresh = {contents[i]: row for i, row in zip(numbers, rows, strict=True)}
            kept |= fresh
            wrong |= {contents[i]: why for i, why in faults.items()}
            if disk is not None:
                disk.put({key: row.tobytes() for key, row in fresh.items()})
            done += len(numbers) + len(faults)
            tick(done, len(items))
    absent = np.full(net.width, np.nan, np.float32)
    values = np.array([kept.get(c, absent) for c in contents], dtype=np.float32).reshape(len(items), net.width)
    faults = {i: c if isinstance(c, str) else wrong[c] for i, c in enumerate(contents) if c not in kept}
    return Features(values, faults, ["" if isinstance(c, str) else c.hex() for c in contents])


def _kept(disk: DiskCache | None, contents: Sequence[bytes | str], width: int) -> dict[Any, Array]:
    """Features that are on disk, by the content they are of."""
    if disk is None:
        return {}
    found = disk.get(dict.fromkeys(c for c in contents if isinstance(c, bytes)))
    return {key: np.frombuffer(value, np.float32) for key, value in found.items() if len(value) == 4 * width}


def _content_of(net: Backbone | Facts) -> Callable[[str], bytes | str]:
    """What tells an item's content: its SHA-256, or why it cannot be read."""

    def of_file(path: str) -> bytes | str:
        try:
            return hashlib.sha256(Path(path).read_bytes()).digest()
        except OSError as error:
            return f"{path} cannot be opened: {error.strerror or error}"

    return of_file if net.kind == "images" else lambda sentence: hashlib.sha256(sentence.encode()).digest()


def _name_of(net: Backbone | Facts) -> str:
    """The same for nets that make the same of an item: weights, and the size of images."""
    return hashlib.sha256(f"1 {net.name} {net.digest} {net.side}".encode()).hexdigest()[:24]


def _in_order(net: Backbone, items: Sequence[str], wanted: Mapping[Any, int]) -> list[int]:
    """Numbers of items to be computed; sentences of like length together, which saves filling up."""
    return sorted(wanted.values(), key=lambda i: len(items[i]) if net.kind == "text" else i)


def _computed(
    net: Backbone,
    items: Sequence[str],
    numbers: list[int],
    batch: int,
    pool: ThreadPoolExecutor,
    ahead: int,
    device: str,
) -> Iterator[tuple[list[int], Array, dict[int, str]]]:
    """Batch by batch: numbers of items, their features, and why others could not be read."""
    if not numbers:
        return
    place = pick_device(device)
    module = net.net.to(place, memory_format=torch.channels_last)
    batches = (numbers[start : start + batch] for start in range(0, len(numbers), batch))
    waiting: deque[Future[Any]] = deque(pool.submit(_read, net, items, some) for some in islice(batches, ahead + 1))
    try:
        while waiting:
            good, x, wrong = waiting.popleft().result()
            waiting.extend(pool.submit(_read, net, items, some) for some in islice(batches, 1))
            with torch.inference_mode():
                rows = module(x.to(place)).float().cpu().numpy() if good else np.empty((0, net.width))
            yield good, rows, wrong
    finally:
        net.net.cpu()


def _read(net: Backbone, items: Sequence[str], numbers: list[int]) -> tuple[list[int], Any, dict[int, str]]:
    """A batch as the net takes it, without the items that cannot be read, which are named."""
    try:
        return numbers, net.read([items[i] for i in numbers]), {}
    except ValueError:
        wrong = {}
        for i in numbers:
            try:
                net.read([items[i]])
            except ValueError as error:
                wrong[i] = str(error)
        good = [i for i in numbers if i not in wrong]
        return good, net.read([items[i] for i in good]) if good else None, wrong
