"""A run: what one ``adapt`` found; it predicts, shows its evidence, is held to labels, and is kept as a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from transfermap.data.encode.text import AUTO
from transfermap.messages.choices import choose
from transfermap.report.console.terminal import frame, truth_view
from transfermap.report.pages.run_page import html_page
from transfermap.report.plots.run_plots import evidence_plot, maps_plot, shares_plot, shift_plot
from transfermap.runs.folder import run_folder, settle
from transfermap.runs.labelled_rows import verify_file
from transfermap.runs.predict import predict_file
from transfermap.runs.predictions import as_given, encoded, model_of, predicted_frame
from transfermap.runs.run_files import read_run, write_run, write_truth
from transfermap.runs.saved_run import Predictions, silent
from transfermap.tasks.task import Task
from transfermap.verdict.encoded import Array
from transfermap.verdict.investigate import Found, investigate
from transfermap.verdict.labels.verify import with_truth
from transfermap.verdict.record import FinalVerdict, Record, Truth

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass
class Run:
    """What was found on a task: ask it for predictions, the leaderboard, plots, the report; keep it with :meth:`save`.

    Attributes
    ----------
    found : Found
        The record, the report's arrays, and the fitted parts.
    task : Task or None
        The two tables; None for a run that was loaded.
    folder : Path or None
        Where it is kept, if it is.
    """

    found: Found
    task: Task | None = None
    folder: Path | None = None

    @property
    def record(self) -> Record:
        """Everything in plain facts; ``record.to_dict()`` is what JSON holds."""
        return self.found.record

    @property
    def verdict(self) -> FinalVerdict:
        """``answer`` ("use", "stay", "unknown"), ``method``, ``reasons``; ``model``: whose predictions are used."""
        return self.record.verdict

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
        model = model_of(self.found, method)
        return as_given(self.found, model.predict(encoded(self.found, X).read_by(model)))

    def predict_proba(self, X: Any, method: str | None = None) -> Array:
        """Class probabilities, (n, n_classes), in the order of ``classes_``."""
        model = model_of(self.found, method)
        probabilities: Array = model.predict_proba(encoded(self.found, X).read_by(model))
        return probabilities

    @property
    def classes_(self) -> Array:
        """The classes, in the order of :meth:`predict_proba`'s columns."""
        return as_given(self.found, model_of(self.found).classes_)

    def predict_frame(self, X: Any, method: str | None = None) -> pd.DataFrame:
        """Predictions, probabilities and, for each row, whether it lies far from anything seen."""
        return predicted_frame(self.found, X, method)

    def predict_file(
        self, path: str | Path, output: str | Path, method: str | None = None, tick: Callable[[str], None] = silent
    ) -> Predictions:
        """Predict the rows of a file, or the images of a folder, into a CSV file."""
        return predict_file(self.found, Path(path), Path(output), method, tick)

    def verify(self, labelled: str | Path) -> Truth:
        """Score every method on labelled target rows, and keep the result with the run for its report.

        Parameters
        ----------
        labelled : path
            A table with the label column, and the target's columns or row numbers; or a folder of images by class.
        """
        truth = verify_file(self.found, Path(labelled))
        if self.folder is not None:
            write_truth(truth, self.folder)
        self.found = replace(self.found, record=with_truth(self.record, truth))
        return truth

    def truth_view(self, truth: Truth, lang: str = "en") -> RenderableType:
        """What :meth:`verify` found, for a terminal."""
        return truth_view(truth, lang)

    def plot(self, what: str = "evidence") -> Any:
        """A matplotlib figure: "evidence", "shift", "maps" or "shares"."""
        plots: dict[str, Callable[[], Any]] = {
            "evidence": lambda: evidence_plot(self.record),
            "shift": lambda: shift_plot(self.record),
            "maps": lambda: maps_plot(self.record, self.found.arrays),
            "shares": lambda: shares_plot(self.record),
        }
        return plots[choose("plot", what, plots)]()

    def report(self, path: str | Path | None = None, lang: str = "en") -> str:
        """The report as one HTML page; written to ``path`` if one is given."""
        page = html_page(self.record, self.found.arrays, lang)
        if path is not None:
            Path(path).write_text(page, encoding="utf8")
        return page

    def note_command(self, command: str) -> None:
        """Put the command line that made the run on its record."""
        self.found = replace(self.found, record=replace(self.record, command=command))

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the run as a folder, whole or not at all (:mod:`transfermap.runs.run_files`).

        Raises
        ------
        ValueError
            If the folder exists and ``overwrite`` is not given, or is no run.
        """
        with run_folder(folder, overwrite=overwrite) as part:
            write_run(self.found, self.task, part)
        self.folder = Path(folder)
        return self.folder


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
        images of 16 x 16 pixels or more, "dense" for other images, and nets with batch normalisation for methods
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
    return Run(replace(found, record=replace(found.record, label_type=_label_type(ys, task))), task)


def _label_type(ys: Any, task: Task) -> str | None:
    """The type of numeric class labels, to hand predictions out in; None where strings are right."""
    numeric = task.kind == "classification" and ys is not None and np.asarray(ys).dtype.kind in "iufb"
    return str(np.asarray(ys).dtype) if numeric else None


def load_run(folder: str | Path) -> Run:
    """A run that :meth:`Run.save` wrote; nothing is refitted.

    Raises
    ------
    ValueError
        If the folder is missing, no run, damaged, or of another format.
    """
    folder = settle(folder)
    return Run(read_run(folder), folder=folder)
