"""A run: what one ``adapt`` found, in memory and as a folder on disk.

A folder is written beside its place and moved there in one step, so that it is there whole or not at all::

    run1/run.json          the record: verdict, evidence, findings, command, versions, hashes
    run1/model.tmap        encoder and fitted models (see transfermap.runs.model_file)
    run1/evidence.npz      arrays for the report
    run1/predictions.csv   the target's rows
    run1/label_me.csv      rows worth labelling, with an empty label column
    run1/leaderboard.csv
    run1/truth.json        what verify found, once it has been run
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from transfermap._version import __version__, versions
from transfermap.data.encode.encoder import TableEncoder
from transfermap.data.encode.text import AUTO
from transfermap.data.images.image_files import FILE
from transfermap.data.tables.frames import free_name
from transfermap.measure.shift.support import Support
from transfermap.report.console.terminal import frame
from transfermap.report.pages.run_page import html_page
from transfermap.report.plots.run_plots import evidence_plot, maps_plot, shares_plot, shift_plot
from transfermap.runs.folder import PART, RECORD, leftovers, run_folder, settle
from transfermap.runs.model_file import FORMAT, open_model, save
from transfermap.tasks.task import Task, with_files, without_features
from transfermap.verdict.encoded import Encoded, column
from transfermap.verdict.investigate import Found, investigate
from transfermap.verdict.labels.verify import with_truth

Array = np.ndarray[Any, np.dtype[Any]]
MODEL, EVIDENCE, TRUTH = "model.tmap", "evidence.npz", "truth.json"
_CONTENT = {"task": dict, "check": dict, "verdict": dict, "leaderboard": list, "ledger": list, "inputs": dict}


@dataclass
class Run:
    """What was found on a task: ask it for predictions, the leaderboard, plots, the report; keep it with :meth:`save`.

    Attributes
    ----------
    record : dict
        Everything in plain values.
    task : Task or None
        The two tables; None for a run that was loaded.
    """

    record: dict[str, Any]
    found: Found
    task: Task | None = None

    @property
    def verdict(self) -> dict[str, Any]:
        """``answer`` ("use", "stay", "unknown"), ``method``, ``reasons``; ``model``: whose predictions are used."""
        verdict: dict[str, Any] = self.record["verdict"]
        return verdict

    @property
    def leaderboard(self) -> pd.DataFrame:
        """One row a method: evidence without target labels."""
        return frame(self.record)

    @property
    def methods(self) -> tuple[str, ...]:
        """Keys of the methods that were fitted and can predict."""
        return tuple(self.found.models)

    def predict(self, X: Any, method: str | None = None) -> Array:
        """Predictions for new target rows.

        Parameters
        ----------
        X : DataFrame or array of shape (n, d)
            Rows with the columns that the target had.
        method : str, default=None
            Whose predictions; None: the verdict's.
        """
        model = self._model(method)
        return self._typed(model.predict(self.encoded(X).read_by(model)))

    def predict_proba(self, X: Any, method: str | None = None) -> Array:
        """Class probabilities, (n, n_classes), in the order of ``classes_``."""
        model = self._model(method)
        probabilities: Array = model.predict_proba(self.encoded(X).read_by(model))
        return probabilities

    @property
    def classes_(self) -> Array:
        """The classes, in the order of :meth:`predict_proba`'s columns."""
        return self._typed(self._model(None).classes_)

    def predict_frame(self, X: Any, method: str | None = None) -> pd.DataFrame:
        """Predictions, probabilities and, for each row, whether it lies far from anything seen."""
        rows, model = self.encoded(X), self._model(method)
        own = rows.read_by(model)
        table = pd.DataFrame({"prediction": model.predict(own)})
        if FILE in X and "sight" in self.record:
            table.insert(0, FILE, X[FILE].to_numpy())
        if self.record["task"]["kind"] == "classification" and hasattr(model, "predict_proba"):
            for c, p in zip(model.classes_, model.predict_proba(own).T, strict=True):
                table[f"p({c})"] = p.round(6)
        distance = self.found.support.distance(rows.X)
        table["far"] = distance > self.found.support.threshold_
        table["distance"] = (distance / max(self.found.support.threshold_, np.finfo(float).tiny)).round(4)
        return table

    def plot(self, what: str = "evidence") -> Any:
        """A matplotlib figure: "evidence", "shift", "maps" or "shares"."""
        plots: dict[str, Callable[[], Any]] = {
            "evidence": lambda: evidence_plot(self.record),
            "shift": lambda: shift_plot(self.record),
            "maps": lambda: maps_plot(self.record, self.found.arrays),
            "shares": lambda: shares_plot(self.record),
        }
        if what not in plots:
            raise ValueError(f"no plot {what!r}; expected one of: {', '.join(plots)}")
        return plots[what]()

    def report(self, path: str | Path | None = None, lang: str = "en") -> str:
        """The report as one HTML page; written to ``path`` if one is given."""
        page = html_page(self.record, self.found.arrays, lang)
        if path is not None:
            Path(path).write_text(page, encoding="utf8")
        return page

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the run as a folder, whole or not at all.

        Raises
        ------
        ValueError
            If the folder exists and ``overwrite`` is not given, or is no run.
        """
        with run_folder(folder, overwrite=overwrite) as part:
            self._write(part)
        return Path(folder)

    def _write(self, part: Path) -> None:
        models = {"encoder": self.found.encoder, "support": self.found.support, "models": self.found.models}
        save(models, part / MODEL, inputs=self.record["inputs"], columns=list(self.found.encoder.kinds_))
        np.savez_compressed(part / EVIDENCE, **{k: _plain(v) for k, v in self.found.arrays.items()})  # type: ignore[arg-type]
        self.leaderboard.to_csv(part / "leaderboard.csv", index=False, encoding="utf8")
        if self.task is not None:
            predicted = self.predict_frame(with_files(self.task))
            predicted.insert(0, "row", np.arange(len(predicted)))
            predicted.to_csv(part / "predictions.csv", index=False, encoding="utf8")
            self._to_label(predicted).to_csv(part / "label_me.csv", index=False, encoding="utf8")
        # the record comes last: a folder that has it has everything
        text = json.dumps(self.record, ensure_ascii=False, indent=1, allow_nan=True)
        (part / RECORD).write_text(text, encoding="utf8")

    def _to_label(self, predicted: pd.DataFrame) -> pd.DataFrame:
        assert self.task is not None
        rows = [r["row"] for r in self.record["label_me"]]
        table = without_features(self.task).iloc[rows].reset_index(drop=True)
        label = self.record["task"]["label"]
        why, guess = [r["why"] for r in self.record["label_me"]], predicted["prediction"].iloc[rows].to_numpy()
        ours = {"row": rows, "why": why, "guess": guess}
        added = {free_name(name, {*table.columns, label}): column for name, column in ours.items()}
        return pd.concat([pd.DataFrame(added | {label: ""}, table.index), table], axis=1)

    def _typed(self, labels: Array) -> Array:
        """Labels as they were given to :func:`adapt`; within a run classes are strings, as in a file."""
        given = self.record.get("label_type")
        if given == "bool":
            return labels == "True"
        return labels.astype(float).astype(given) if given else labels

    def _model(self, method: str | None) -> Any:
        key = self.verdict["model"] if method is None else method.lower()
        if key not in self.found.models:
            raise ValueError(f"this run has no method {method!r}; expected one of: {', '.join(self.found.models)}")
        return self.found.models[key]

    def encoded(self, X: Any) -> Encoded:
        """Rows as the run's models take them."""
        if not isinstance(X, pd.DataFrame):
            names, X = list(self.found.encoder.feature_names_in_), np.asarray(X)
            if X.ndim > 2:
                return Encoded(self.found.encoder.transform(X))
            if X.ndim != 2 or X.shape[1] != len(names):
                raise ValueError(f"expected rows of {len(names)} columns, got an array of shape {X.shape}")
            X = pd.DataFrame(X, columns=names)
        files = column(X[FILE]) if FILE in X and "sight" in self.record else None
        return Encoded(self.found.encoder.transform(X), files)


def _plain(array: Array) -> Array:
    """Arrays of strings as fixed-width text: an array of objects could only be pickled."""
    return array.astype(str) if array.dtype.kind == "O" else array


def adapt(
    Xs: Any,
    ys: Any = None,
    Xt: Any = None,
    *,
    method: str | Sequence[str] = "auto",
    estimator: Any = None,
    net: str = "auto",
    text: str = AUTO,
    learn: bool = False,
    seed: int = 0,
    budget: float = 120.0,
    tick: Callable[[str], None] = lambda _: None,
) -> Run:
    """Can I use A on B, which method, and what does it predict: the one-line door.

    Parameters
    ----------
    Xs : array, sparse matrix or DataFrame of shape (n_source, d), images (n_source, h, w), or a Task
        Source rows; with a :class:`Task` leave ``ys`` and ``Xt`` out.
    ys : array of shape (n_source,)
        Their labels.
    Xt : as Xs, of shape (n_target, d)
        Target rows, unlabelled.
    method : "auto", a key such as "coral", or a list of keys
        "auto" tries what suits the data. A single key is your decision: its predictions are handed out, and the verdict
        says whether the evidence supports it.
    estimator : str or scikit-learn estimator, default=None
        What is trained after each method: "logistic", "forest", "boosting", "svm", "knn", "ridge", or any estimator.
    net : str
        What deep methods train instead: "mlp", "normed", "dense", "lenet", "resnet"; "auto" takes "lenet" for square
        images of 16 x 16 points or more, "dense" for other images, and nets with batch normalisation for methods
        that work on it.
    text : str
        How columns of sentences are read: "topics" (TF-IDF and its first singular directions), the name of a pretrained
        text net such as "all-minilm-l6-v2", or "auto"; the run's notes say which was used and why.
    learn : bool
        Let methods learn from the known target labels of a :class:`Task` too; they are judged by cross-validation.
    seed : int
    budget : float
        Seconds for gathering evidence.

    Returns
    -------
    Run
        With ``verdict``, ``leaderboard``, ``predict(X)``, ``report()``, ``save(folder)``.

    Raises
    ------
    ValueError
        If the data cannot be used; the message says what was expected and what came.

    Examples
    --------
    >>> import numpy as np, transfermap as tm
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, 300)
    >>> X = rng.normal(size=(300, 4)) + 2 * np.c_[y, y, y, y]
    >>> run = tm.adapt(X[:150], y[:150], X[150:] * 3 + 10, method="coral")
    >>> run.predict(X[150:] * 3 + 10).shape
    (150,)
    """
    task = Xs if isinstance(Xs, Task) else Task.from_arrays(Xs, ys, Xt)
    how: dict[str, Any] = {"method": method, "using": estimator, "net": net, "text": text, "learn": learn}
    found = investigate(task, **how, seed=seed, budget=budget, tick=tick)
    more = {"versions": versions(), "command": "", "label_type": _label_type(ys, task)}
    return Run(found.record | more, found, task)


def _label_type(ys: Any, task: Task) -> str | None:
    """The type of numeric class labels, to hand predictions out in; None where strings are right."""
    numeric = task.kind == "classification" and ys is not None and np.asarray(ys).dtype.kind in "iufb"
    return str(np.asarray(ys).dtype) if numeric else None


def load_run(folder: str | Path) -> Run:
    """A run that :meth:`Run.save` wrote; nothing is refitted.

    Raises
    ------
    ValueError
        If the folder is missing, no run, damaged, or of a newer format.
    """
    folder = settle(folder)
    if not (folder / RECORD).is_file():
        raise ValueError(_no_run(folder))
    record = _json(folder / RECORD)
    if not isinstance(record, dict) or record.get("kind") != "transfermap-run":
        raise ValueError(f"{folder / RECORD} is not the record of a run")
    if not isinstance(record.get("format"), int) or record["format"] > FORMAT:
        raise ValueError(
            f"{folder} has format {record.get('format')!r}; this is transfermap {__version__}: install a newer one"
        )
    _whole(folder / RECORD, record, _CONTENT)
    model = _parts(folder / MODEL, record["verdict"].get("model"))
    if (folder / TRUTH).is_file():
        truth = _json(folder / TRUTH)
        _whole(folder / TRUTH, truth, {"rows": list, "notes": list, "n": int})
        record = with_truth(record, truth)
    return Run(record, Found(record, _arrays(folder / EVIDENCE), **model))


def _whole(path: Path, content: Any, wanted: Mapping[str, type]) -> None:
    """Refuse a file that is JSON, but not what was written there."""
    found = content if isinstance(content, dict) else {}
    lost = [name for name, kind in wanted.items() if not isinstance(found.get(name), kind)]
    if lost:
        raise ValueError(f"{path} is damaged: it should say {', '.join(lost)}")


def _parts(path: Path, used: Any) -> dict[str, Any]:
    """Encoder, support and models of a run's model file, which must hold the model that the run's verdict uses."""
    model, _ = open_model(path)
    found = model if isinstance(model, dict) else {}
    sound = isinstance(found.get("encoder"), TableEncoder) and isinstance(found.get("support"), Support)
    if not sound or not isinstance(found.get("models"), dict) or used not in found["models"]:
        raise ValueError(f"{path} is not the model file of this run: it lacks the model {used!r} or what goes with it")
    return {name: found[name] for name in ("encoder", "support", "models")}


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf8"))
    except (ValueError, OSError, RecursionError) as error:
        raise ValueError(f"{path} is damaged or cannot be read; expected the JSON that transfermap wrote") from error


def _arrays(path: Path) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except Exception as error:  # numpy and zipfile raise many kinds for a damaged file
        raise ValueError(
            f"{path} is missing or damaged: expected the arrays that adapt wrote beside its run"
        ) from error


def _no_run(folder: Path) -> str:
    if leftovers(folder, PART):
        return f"{folder} holds no run: a run into it was cut off before it was finished; run adapt again"
    if folder.is_dir():
        return f"{folder} is a folder, but no run: it has no {RECORD}"
    return f"there is no run {folder}; expected a folder that 'transfermap adapt ... -o {folder.name}' wrote"
