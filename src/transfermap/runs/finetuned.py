"""A fine-tuned net as a folder on disk, and what is done with it: it predicts new images or sentences, and
is held to labelled ones.

A folder is there whole or not at all::

    run/run.json               backbone, classes, what moved, scores, tables of sweep and curve, versions
    run/weights.safetensors    the tensors in which the net differs from its backbone
    run/held_out.csv           the rows that were kept aside: class, prediction, probabilities
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from transfermap._version import versions
from transfermap.data.plain_values import to_plain
from transfermap.data.tables.frames import free_name
from transfermap.measure.scores import accuracy_interval
from transfermap.messages import Note
from transfermap.report.console.finetuning_view import verified_view
from transfermap.report.pages.finetuned_page import tuned_page
from transfermap.report.plots.drawing import to_svg
from transfermap.report.plots.finetuning_plot import curve_plot, sweep_plot
from transfermap.runs.folder import RECORD, read_record, run_folder, settle
from transfermap.runs.model_file import whole_file
from transfermap.runs.saved_run import Predictions, silent
from transfermap.tasks.items import read_items
from transfermap.verdict.record import FORMAT

if TYPE_CHECKING:
    from rich.console import RenderableType

KIND = "transfermap-finetune"
WEIGHTS, HELD = "weights.safetensors", "held_out.csv"
_PLOTS = {"sweep": sweep_plot, "curve": curve_plot}
_CONTENT = {"backbone": dict, "classes": list, "facts": dict, "moved": list, "task": dict}


def record_of(tuned: Any, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a :class:`~transfermap.finetuning.finetune.Tuned` beside its weights; ``facts`` come on top."""
    net = tuned.backbone
    return {
        "kind": KIND,
        "format": FORMAT,
        "backbone": {"name": net.name, "kind": net.kind, "digest": net.digest, "side": net.side},
        "classes": tuned.classes.tolist(),
        "facts": tuned.facts,
        "moved": tuned.moved.reset_index().to_dict("records"),
        "notes": [note.to_dict() for note in tuned.notes],
        "history": tuned.history,
        "versions": versions(),
        "command": "",
        **facts,
    }


@dataclass
class FinetunedRun:
    """A fine-tuned net, just made or opened from its folder; then the net is read when it is first needed.

    Attributes
    ----------
    record : mapping
        Backbone, classes, scores on held-out items, notes ...
    folder : path, or None
        Where it lies.
    net : Tuned, or None
        The net, once it is in memory.
    held : DataFrame, or None
        Held-out items with their classes and predictions, where the net was just made.
    studies : mapping of DataFrame
        "sweep" and "curve", where they were asked for.
    """

    record: dict[str, Any]
    folder: Path | None = None
    net: Any = None
    held: pd.DataFrame | None = None
    studies: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def tuned(self) -> Any:
        """The :class:`~transfermap.finetuning.finetune.Tuned`."""
        if self.net is None:
            from transfermap.finetuning.finetune import rebuilt

            assert self.folder is not None
            self.net = rebuilt(self.record, self.folder / WEIGHTS)
        return self.net

    def predict(self, items: Sequence[str]) -> np.ndarray[Any, Any]:
        """The likeliest class of each image (its path) or sentence, (n,)."""
        classes: np.ndarray[Any, Any] = self.tuned.predict(items)
        return classes

    def predict_proba(self, items: Sequence[str]) -> np.ndarray[Any, Any]:
        """Class probabilities (n, n_classes), in the order of ``record["classes"]``."""
        P: np.ndarray[Any, Any] = self.tuned.predict_proba(items)
        return P

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
        page = _page(self, lang)
        if path is not None:
            Path(path).write_text(page, encoding="utf8")
        return page

    def save(self, folder: str | Path, *, lang: str = "en", overwrite: bool = False) -> Path:
        """Write the run as a folder, whole or not at all; ``lang`` is that of the plots of its studies.

        Raises
        ------
        ValueError
            If the folder holds other things, or a run and ``overwrite`` is not given.
        """
        from safetensors.torch import save

        from transfermap.finetuning.finetune import moved_tensors

        with run_folder(folder, overwrite=overwrite) as part:
            (part / WEIGHTS).write_bytes(save(moved_tensors(self.tuned)))
            self._held().to_csv(part / HELD, index=False, encoding="utf8")
            for name, table in self.studies.items():
                table.to_csv(part / f"{name}.csv", index=False, encoding="utf8")
                (part / f"{name}.svg").write_text(to_svg(_PLOTS[name](table, lang)), encoding="utf8")
            (part / RECORD).write_text(json.dumps(self.record, ensure_ascii=False, indent=1), encoding="utf8")
        self.folder = Path(folder)
        return self.folder

    def _held(self) -> pd.DataFrame:
        """The held-out items, from memory or from the folder."""
        if self.held is None:
            assert self.folder is not None
            text = {"item": str, "class": str, "prediction": str}
            self.held = pd.read_csv(self.folder / HELD, dtype=text, keep_default_na=False)
        return self.held


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
    return FinetunedRun(record, folder)


def _page(run: FinetunedRun, lang: str) -> str:
    from jinja2 import UndefinedError

    try:
        return tuned_page(run.record, run._held(), lang)
    except (OSError, KeyError, TypeError, AttributeError, UndefinedError, pd.errors.ParserError) as error:
        raise ValueError(
            f"{run.folder} is damaged: its report cannot be made ({type(error).__name__}: {error})"
        ) from error


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
