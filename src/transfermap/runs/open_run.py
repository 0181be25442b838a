"""A run's folder opened as the kind of run that it holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from transfermap.runs import finetuned, run
from transfermap.runs.folder import RECORD, read_record, settle
from transfermap.runs.saved_run import SavedRun
from transfermap.verdict.record import KIND

OPENERS: Mapping[str, Callable[[Path], SavedRun]] = {KIND: run.load_run, finetuned.KIND: finetuned.load_finetuned}


def open_run(folder: str | Path) -> SavedRun:
    """The run of a folder that 'transfermap adapt' or 'finetune' wrote.

    Raises
    ------
    ValueError
        If the folder is missing, no run, damaged, or of another format.
    """
    folder = settle(folder)
    kind = read_record(folder)["kind"]
    if kind not in OPENERS:
        raise ValueError(f"{folder / RECORD} is not the record of a run")
    return OPENERS[kind](folder)
