"""The grid: tasks x methods x draws of the source, each cell one record, in parallel, resumed where it stopped."""

from __future__ import annotations

import importlib.util
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed, parallel_config
from threadpoolctl import threadpool_limits

from transfermap._version import versions
from transfermap.bench.contenders import Contender, predict, spell
from transfermap.bench.datasets import Rows, load_task
from transfermap.bench.measurements import FULL, Cell, drawn
from transfermap.bench.records import Record, appending


class Outcome(NamedTuple):
    """What a run did: cells asked for, run now, there already; faults among those run; a torn last line dropped."""

    cells: int
    run: int
    there: int
    faults: int
    torn: bool


def run_cell(cell: Cell, data_dir: Path) -> Record:
    """Measure one cell: accuracy on the target's true labels (an *oracle* score), or the fault in one sentence.

    Linear algebra is held to one thread, so that a record does not depend on how many cells run side by side.
    """
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # outside of the clock: only the method is timed
        rows = load_task(cell.dataset, cell.source, cell.target, data_dir, cell.preprocess)
        at = drawn(rows.ys, cell.seed, cell.draw)
        rows = rows._replace(Xs=rows.Xs[at], ys=rows.ys[at], domains=rows.domains[at])
        start = time.perf_counter()
        # the truth is compared here, after the method has answered
        accuracy, fault = _scored(cell, rows)
        seconds = time.perf_counter() - start
    return {
        "key": cell.key,
        **asdict(cell),
        "n_source": len(rows.ys),
        "n_target": len(rows.yt),
        "oracle_accuracy": accuracy,
        "status": "fault" if fault else "ok",
        "fault": fault,
        "versions": _versions(),
        "seconds": round(seconds, 4),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _scored(cell: Cell, rows: Rows) -> tuple[float | None, str | None]:
    try:
        predicted = predict(
            Contender(cell.method, cell.params), cell.estimator, rows, 0 if cell.seed == FULL else int(cell.seed)
        )
    except Exception as error:  # one method's fault is a record, not the end of the grid
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        # one line, and bounded: it goes into a record and a table
        return None, f"{kind}{' '.join(str(error).split())}"[:500] or type(error).__name__
    return float(np.mean(predicted == rows.yt)), None


@cache
def _versions() -> dict[str, str]:
    return versions()


def run_grid(
    cells: Sequence[Cell],
    path: Path,
    *,
    data_dir: Path,
    jobs: int = 1,
    dask: str | None = None,
    retry: bool = False,
    tick: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Run the cells that the records lack, and append each result as it arrives.

    Parameters
    ----------
    cells : list of Cell
        As :func:`plan` gives them.
    path : path
        The records, a file of JSON lines; made if it is not there.
    data_dir : path
        The data folder; on a cluster every worker must see it under this path.
    jobs : int
        How many cells run side by side; -1: one a core.
    dask : str, optional
        "local" for a cluster of ``jobs`` processes on this machine, or the address of a Dask scheduler.
    retry : bool
        Run cells again whose record is a fault.
    tick : callable
        Told how far the run is.

    Raises
    ------
    ValueError
        If the records are being written by another process or are none, or Dask is asked for and not installed.
    """
    if jobs == 0 or jobs < -1:
        raise ValueError(f"--jobs must be at least 1, or -1 for all cores; got {jobs}")
    with appending(path) as (records, append):
        # keys name the data's content too: changed files are other cells, and run again
        done = {key for key, record in records.by_key.items() if not (retry and record["status"] == "fault")}
        todo = [cell for cell in cells if cell.key not in done]
        faults = 0
        with _workers(jobs, dask) as n_jobs:
            # as they are done, one by one: what has run is on disk before the next is, and slow cells hold nobody up
            parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered", batch_size=1)
            for n, record in enumerate(parallel(delayed(run_cell)(cell, data_dir) for cell in todo), 1):
                append(record)
                faults += record["status"] == "fault"
                tick(
                    f"{n} of {len(todo)} cells, last {spell(record['method'], record['params'])} on {record['target']}"
                )
    return Outcome(len(cells), len(todo), len(cells) - len(todo), faults, records.torn)


@contextmanager
def _workers(jobs: int, dask: str | None) -> Iterator[int]:
    """Where cells run: this machine's processes, or a Dask cluster; gives how many side by side."""
    if dask is None:
        yield jobs
        return
    if importlib.util.find_spec("distributed") is None:
        raise ValueError("a cluster needs Dask, which is not installed: pip install 'transfermap[dask]'")
    from distributed import Client, LocalCluster

    if dask == "local":
        # processes, as most estimators hold the interpreter's lock
        processes = {"n_workers": None if jobs == -1 else jobs, "threads_per_worker": 1, "processes": True}
        # no dashboard: it would open a port that nobody asked for
        quiet = {"dashboard_address": None, "silence_logs": logging.ERROR}
        cluster = LocalCluster(**processes, **quiet)  # type: ignore[no-untyped-call]
        with cluster, Client(cluster) as client, parallel_config(backend="dask", client=client):  # type: ignore[no-untyped-call]
            yield -1
        return
    try:
        client = Client(dask, timeout="10s")  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ValueError(f"no Dask scheduler answers at {dask!r}; expected 'local' or an address: {error}") from None
    with client, parallel_config(backend="dask", client=client):
        yield -1
