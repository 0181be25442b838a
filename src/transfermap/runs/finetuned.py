"""A fine-tuned net as a folder on disk, and what is done with it: it predicts new images or sentences, and
is held to labelled ones.

A folder is there whole or not at all::

    run/run.json               backbone, classes, what moved, scores, tables of sweep and curve, versions
    run/weights.safetensors    the tensors in which the net differs from its backbone
    run/held_out.csv           the rows that were kept aside: class, prediction, probabilities
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from transfermap._version import __version__, versions
from transfermap.data.tables.frames import free_name
from transfermap.measure.scores import accuracy_interval
from transfermap.messages import Note
from transfermap.runs.folder import RECORD, run_folder, settle
from transfermap.runs.model_file import FORMAT, whole_file
from transfermap.tasks.items import read_items

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


def is_tuned(folder: str | Path) -> bool:
    """Whether a folder holds a fine-tuned net."""
    try:
        record = json.loads((settle(folder) / RECORD).read_text(encoding="utf8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(record, dict) and record.get("kind") == KIND


def load_tuned(folder: str | Path) -> Any:
    """The :class:`~transfermap.finetuning.finetune.Tuned` of a folder; its ``record`` beside it.

    Returns
    -------
    (Tuned, dict)

    Raises
    ------
    ValueError
        If the folder holds none, is damaged or of a newer format, or its backbone is not the one installed here.
    """
    from transfermap.finetuning.finetune import rebuilt

    record = _record(settle(folder))
    return rebuilt(record, settle(folder) / WEIGHTS), record


def _record(folder: Path) -> dict[str, Any]:
    """What a folder says of its net."""
    if not is_tuned(folder):
        raise ValueError(f"{folder} holds no fine-tuned net; expected a folder that 'transfermap finetune' wrote")
    record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf8"))
    if not isinstance(record.get("format"), int) or record["format"] > FORMAT:
        raise ValueError(
            f"{folder} has format {record.get('format')!r}; this is transfermap {__version__}: install a newer one"
        )
    lost = [name for name, kind in _CONTENT.items() if not isinstance(record.get(name), kind)]
    if lost:
        raise ValueError(f"{folder / RECORD} is damaged: it should say {', '.join(lost)}")
    return record


def report_tuned(folder: str | Path, lang: str = "en") -> str:
    """The folder's report as one HTML page; the net itself is not needed.

    Raises
    ------
    ValueError
        If the folder holds no fine-tuned net or is damaged, or there is no such language.
    """
    from jinja2 import UndefinedError

    from transfermap.report.pages.finetuned_page import tuned_page

    folder = settle(folder)
    record = _record(folder)
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


def predict_items(folder: str | Path, path: Path, output: Path) -> dict[str, Any]:
    """Predict the images of a folder, or the sentences of a table, into a CSV file.

    Returns
    -------
    dict
        ``rows``, ``output``, ``method``, and ``notes`` on items that cannot be read, which are left out.
    """
    if output.resolve() == path.resolve():
        raise ValueError(f"{output} is the table to be predicted; give another name for the predictions")
    tuned, record = load_tuned(folder)
    found = read_items(path, record["task"].get("text"))
    rows, notes = _readable(tuned, found.items, path)
    table = predicted(tuned, found.items[rows])
    table.insert(0, "row", rows)
    with whole_file(output) as part:
        table.to_csv(part, index=False, encoding="utf8")
    done = {"rows": len(table), "output": str(output), "method": called(tuned)}
    return done | {"notes": [note.to_dict() for note in notes]}


def verify_items(folder: str | Path, path: Path) -> dict[str, Any]:
    """How many labelled images or sentences the net is right about; a class that it does not know it cannot guess.

    Returns
    -------
    dict
        ``n`` rows, ``value`` with ``low`` and ``high`` (the share that is right, 95 % interval), ``method``,
        ``classes`` (of each its rows and how many are right), and ``notes``.

    Raises
    ------
    ValueError
        If the folder holds no fine-tuned net, or no item has a class.
    """
    tuned, record = load_tuned(folder)
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
    classes = [{"class": name, "rows": int(n), "right": int(k)} for name, n, k in right.itertuples()]
    done = {"n": len(table), "value": score.value, "low": score.low, "high": score.high, "method": called(tuned)}
    return done | {"classes": classes, "notes": [note.to_dict() for note in notes]}


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
