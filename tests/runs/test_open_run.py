"""A folder is opened as the kind of run that it holds, and every kind does the same things."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pandas as pd
import pytest

import transfermap as tm
from transfermap.runs.finetuned import FinetunedRun
from transfermap.runs.folder import RECORD
from transfermap.runs.open_run import open_run
from transfermap.runs.run import Run
from transfermap.runs.saved_run import SavedRun


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 120)
    X = rng.normal(size=(120, 3)) + 2 * y[:, None]
    place = tmp_path_factory.mktemp("opened")
    names = list("abc")
    target = pd.DataFrame(X[60:] + 0.5, columns=names)
    target.to_csv(place / "b.csv", index=False)
    target.assign(y=y[60:]).to_csv(place / "known.csv", index=False)
    source = pd.DataFrame(X[:60], columns=names).assign(y=y[:60])
    run = tm.adapt(tm.Task.from_frames(source, target, label="y"), method="coral", budget=5)
    run.save(place / "run")
    return place


@pytest.mark.parametrize("kind", [Run, FinetunedRun])
def test_every_kind_does_what_a_run_does(kind):
    for name, asked in vars(SavedRun).items():
        if inspect.isfunction(asked) and not name.startswith("_"):
            given, wanted = (inspect.signature(function).parameters for function in (getattr(kind, name), asked))
            assert list(given) == list(wanted), name


def test_an_ordinary_run_is_opened_predicts_is_verified_and_reports(folder):
    run = open_run(folder / "run")
    done = run.predict_file(folder / "b.csv", folder / "p.csv")
    assert isinstance(run, Run) and (done.rows, done.method, done.notes) == (60, "coral", ())
    assert pd.read_csv(folder / "p.csv")["far"].sum() == done.far
    truth = run.verify(folder / "known.csv")
    assert run.record.truth == truth == open_run(folder / "run").record.truth
    assert truth.to_dict()["n"] == 60 and "60" in run.report()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kind": "other"}, "not the record of a run"),
        ({"format": 1}, "made by an earlier version of transfermap, in format 1"),
        ({"format": 3}, "install a newer one"),
        ({"seed": "none"}, r"run.json is damaged: record.seed should be a whole number; got 'none'"),
        ({"kind": "transfermap-finetune"}, "damaged: it should say backbone, classes"),
    ],
)
def test_what_a_folder_cannot_hold_is_said_in_a_sentence(folder, tmp_path, change, says):
    (tmp_path / "run").mkdir()
    plain = json.loads((folder / "run" / RECORD).read_text("utf8"))
    (tmp_path / "run" / RECORD).write_text(json.dumps(plain | change), encoding="utf8")
    with pytest.raises(ValueError, match=says):
        open_run(tmp_path / "run")
