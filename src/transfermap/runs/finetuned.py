"""A fine-tuned net as a folder on disk, and what is done with it: it predicts new images or sentences, and
is held to labelled ones.

A folder is there whole or not at all::

    run/run.json               backbone, classes, what moved, scores, tables of sweep and curve, versions
    run/weights.safetensors    the tensors in which the net differs from its backbone
    run/held_out.csv           the rows that were kept aside: class, prediction, probabilities
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from transfermap._version import versions
from transfermap.data.plain_values import to_plain
from transfermap.data.tables.frames import free_name
from transfermap.measure.scores import accuracy_interval
from transfermap.messages import Note
from transfermap.report.console.finetuning_view import verified_view
from transfermap.runs.folder import RECORD, read_record, run_folder, settle
from transfermap.runs.model_file import whole_file
from transfermap.runs.saved_run import Predictions, silent
from transfermap.tasks.items import read_items
from transfermap.verdict.record import FORMAT

if TYPE_CHECKING:
    from rich.console import RenderableType

KIND = "transfermap-finetune"
WEIGHTS, HELD = "weights.safetensors", "held_out.csv"
_CONTENT = {"backbone": dict, "classes": list, "facts": dict, "moved": list, "task": dict}


def save_tuned(
    tuned: Any,
    folder: str | Path,
    record: Mapping[str, Any],
    held: pd.DataFrame,
    *,
    files: Mapping[str, str] = MappingProxyType({}),
    overwrite: bool = False,
) -> None:
    """Write a :class:`~transfermap.finetuning.finetune.Tuned`, what else is known of it, and its held-out rows.

    ``files`` are further texts by name.

    Raises
    ------
    ValueError
        If the folder holds other things, or a run and ``overwrite`` is not given.
    """
    from safetensors.torch import save

    from transfermap.finetuning.finetune import moved_tensors

    backbone = tuned.backbone
    whole = {
        "kind": KIND,
        "format": FORMAT,
        "backbone": {"name": backbone.name, "kind": backbone.kind, "digest": backbone.digest, "side": backbone.side},
        "classes": tuned.classes.tolist(),
        "facts": tuned.facts,
        "moved": tuned.moved.reset_index().to_dict("records"),
        "notes": [note.to_dict() for note in tuned.notes],
        "history": tuned.history,
        "versions": versions(),
        **record,
    }
    with run_folder(folder, overwrite=overwrite) as part:
        (part / WEIGHTS).write_bytes(save(moved_tensors(tuned)))
        held.to_csv(part / HELD, index=False, encoding="utf8")
        for name, text in files.items():
            (part / name).write_text(text, encoding="utf8")
        (part / RECORD).write_text(json.dumps(whole, ensure_ascii=False, indent=1), encoding="utf8")


@dataclass(frozen=True)
class FinetunedRun:
    """A folder with a fine-tuned net; the net is read when it is first needed (a report does not need it)."""

    folder: Path
    record: Mapping[str, Any]

    @cached_property
    def tuned(self) -> Any:
        """The :class:`~transfermap.finetuning.finetune.Tuned`."""
        from transfermap.finetuning.finetune import rebuilt

        return rebuilt(self.record, self.folder / WEIGHTS)

    def predict_file(
        self, path: str | Path, output: str | Path, method: str | None = None, tick: Callable[[str], None] = silent
    ) -> Predictions:
        """Predict the images of a folder, or the sentences of a table, into a CSV file."""
        if method is not None:
            raise ValueError(f"{self.folder} holds one net and no other method; got --method {method}")
        return predict_items(self.tuned, self.record, Path(path), Path(output))

    def verify(self, labelled: str | Path) -> ItemsTruth:
        """How many labelled images or sentences the net is right about."""
        return verify_items(self.tuned, self.record, Path(labelled))

    def truth_view(self, truth: ItemsTruth, lang: str = "en") -> RenderableType:
        """What :meth:`verify` found, for a terminal."""
        return verified_view(truth, lang)

    def report(self, path: str | Path | None = None, lang: str = "en") -> str:
        """The report as one HTML page; the net itself is not needed.

        Raises
        ------
        ValueError
            If the folder is damaged, or there is no such language.
        """
        page = _page(self.folder, self.record, lang)
        if path is not None:
            Path(path).write_text(page, encoding="utf8")
        return page


@dataclass(frozen=True, slots=True)
class ClassScore:
    """A class: its rows, and how many of them are right."""

    name: str
    rows: int
    right: int


@dataclass(frozen=True, slots=True)
class ItemsTruth:
    """The share of ``n`` labelled items that is right, with its 95 % interval, and each class's score."""

    n: int
    value: float
    low: float
    high: float
    method: str
    classes: tuple[ClassScore, ...]
    notes: tuple[Note, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        plain: dict[str, Any] = to_plain(self)
        return plain


def load_finetuned(folder: str | Path) -> FinetunedRun:
    """The fine-tuned net of a folder that 'transfermap finetune' wrote.

    Raises
    ------
    ValueError
        If the folder holds none, is damaged or of another format.
    """
    folder = settle(folder)
    record = read_record(folder)
    if record["kind"] != KIND:
        raise ValueError(f"{folder} holds no fine-tuned net; expected a folder that 'transfermap finetune' wrote")
    if lost := [name for name, kind in _CONTENT.items() if not isinstance(record.get(name), kind)]:
        raise ValueError(f"{folder / RECORD} is damaged: it should say {', '.join(lost)}")
    return FinetunedRun(folder, record)


def _page(folder: Path, record: Mapping[str, Any], lang: str) -> str:
    from jinja2 import UndefinedError

    from transfermap.report.pages.finetuned_page import tuned_page

    try:
        held = pd.read_csv(folder / HELD, dtype={"item": str, "class": str, "prediction": str}, keep_default_na=False)
        return tuned_page(record, held, lang)
    except (OSError, KeyError, TypeError, AttributeError, UndefinedError, pd.errors.ParserError) as error:
        raise ValueError(f"{folder} is damaged: its report cannot be made ({type(error).__name__}: {error})") from error


def predicted(tuned: Any, items: np.ndarray[Any, Any], label: np.ndarray[Any, Any] | None = None) -> pd.DataFrame:
    """A row an item: what it is, its class if that is known, the prediction, and each class's probability."""
    P = tuned.predict_proba(list(items))
    table = pd.DataFrame({"item": items})
    if label is not None:
        table["class"] = label
    table["prediction"] = tuned.classes[P.argmax(axis=1)]
    for name, p in zip(tuned.classes, P.T, strict=True):
        table[free_name(f"p({name})", table.columns)] = p.round(6)
    return table


def predict_items(tuned: Any, record: Mapping[str, Any], path: Path, output: Path) -> Predictions:
    """Predict the images of a folder, or the sentences of a table, into a CSV file; what cannot be read is left out."""
    if output.resolve() == path.resolve():
        raise ValueError(f"{output} is the table to be predicted; give another name for the predictions")
    found = read_items(path, record["task"].get("text"))
    rows, notes = _readable(tuned, found.items, path)
    table = predicted(tuned, found.items[rows])
    table.insert(0, "row", rows)
    with whole_file(output) as part:
        table.to_csv(part, index=False, encoding="utf8")
    return Predictions(len(table), called(tuned), str(output), tuple(notes))


def verify_items(tuned: Any, record: Mapping[str, Any], path: Path) -> ItemsTruth:
    """How many labelled images or sentences the net is right about; a class that it does not know it cannot guess.

    Raises
    ------
    ValueError
        If no item has a class.
    """
    task = record["task"]
    found = read_items(path, task.get("text"), task.get("label"))
    if found.labels is None:
        raise ValueError(f"{path} has no classes; expected a sub-folder a class, or a table with a column of them")
    rows, notes = _readable(tuned, found.items, path)
    rows = rows[found.labels[rows] != ""]
    if not len(rows):
        raise ValueError(f"no item of {path} has a class")
    table = predicted(tuned, found.items[rows], found.labels[rows])
    if unknown := sorted(set(table["class"]) - set(tuned.classes)):
        notes.append(Note("finetune.unknown", "warn", {"classes": unknown}))
    right = (table["prediction"] == table["class"]).groupby(table["class"]).agg(["size", "sum"])
    score = accuracy_interval(int(right["sum"].sum()), len(table))
    classes = tuple(ClassScore(str(name), int(n), int(k)) for name, n, k in right.itertuples())
    return ItemsTruth(len(table), score.value, score.low, score.high, called(tuned), classes, tuple(notes))


def called(tuned: Any) -> str:
    """The recipe and the backbone."""
    return f"{tuned.facts['recipe']} on {tuned.backbone.name}"


def _readable(tuned: Any, items: np.ndarray[Any, Any], path: Path) -> tuple[np.ndarray[Any, Any], list[Note]]:
    """Which items can be read, and what is to be said of the others."""
    from transfermap.finetuning.finetune import unreadable

    faults = unreadable(tuned.backbone, items.tolist())
    if len(faults) == len(items):
        raise ValueError(f"none of the {len(items)} items of {path} can be read: {faults[0]}")
    lost = Note("finetune.unreadable", "warn", {"count": len(faults), "items": [str(items[i]) for i in faults]})
    return np.delete(np.arange(len(items)), list(faults)), [lost] if faults else []
