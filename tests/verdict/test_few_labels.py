"""Methods that learn from a few labelled target rows: no row speaks for a model that has seen its label."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from typer.testing import CliRunner

import transfermap as tm
from transfermap.cli.app import app
from transfermap.runs.run import load_run
from transfermap.tasks.task import Task
from transfermap.verdict.encoded import Domains
from transfermap.verdict.labels.few_labels import PLAIN, digests, few_label_keys, learn_from

RNG = np.random.default_rng(0)


def table(n, turned, rng):
    X = rng.normal(size=(n, 4))
    y = np.where(X[:, 0] + (-0.5 if turned else 1) * X[:, 1] + 0.2 * rng.normal(size=n) > 0, "a", "b")
    return X, y


Xs, ys = table(300, False, RNG)
Xt, yt = table(200, True, RNG)
DATA = Domains(Xs, ys, Xt, np.zeros(300, dtype=int), None, "classification")
ROWS = np.arange(90)


def frames():
    source = pd.DataFrame(Xs, columns=list("pqrs")).assign(y=ys)
    return source, pd.DataFrame(Xt, columns=list("pqrs"))


def test_each_labelled_row_is_predicted_by_a_model_that_did_not_see_it():
    found = learn_from(DATA, ROWS, yt[ROWS].astype(object), LogisticRegression(), 0)
    assert set(found.models) == {*PLAIN, *few_label_keys("classification")} and "feda" in found.models
    flipped = np.where(yt == "a", "b", "a")
    one = learn_from(DATA, ROWS, np.r_[flipped[:1], yt[1:90]].astype(object), LogisticRegression(), 0)
    # the folds depend on the labels; so does nothing else that predicts row 0
    assert np.mean(found.folded["targetonly"] == yt[ROWS]) > 0.8
    assert np.mean(one.folded["targetonly"][1:] == yt[1:90]) > 0.8
    noise = RNG.permutation(yt[ROWS]).astype(object)
    blind = learn_from(DATA, ROWS, noise, LogisticRegression(), 0)
    assert np.mean(blind.folded["targetonly"] == noise) < 0.75  # memorised labels would give 1


def test_the_plain_ways_are_the_estimator_on_these_rows():
    found = learn_from(DATA, ROWS, yt[ROWS].astype(object), LogisticRegression(), 0)
    alone = LogisticRegression().fit(Xt[ROWS], yt[ROWS]).predict(Xt)
    both = LogisticRegression().fit(np.r_[Xs, Xt[ROWS]], np.r_[ys, yt[ROWS]]).predict(Xt)
    assert found.target["targetonly"].tolist() == alone.tolist()
    assert found.target["pooled"].tolist() == both.tolist()


def test_numbers_are_learned_too():
    numbers = Domains(Xs, Xs[:, 0] * 2, Xt, DATA.sources, None, "regression")
    found = learn_from(numbers, ROWS, Xt[ROWS, 0] * 2 + 3, Ridge(), 0)
    assert {"targetonly", "pooled", "feda", "tradaboostr2"} <= set(found.models)
    assert np.abs(found.folded["targetonly"] - (Xt[ROWS, 0] * 2 + 3)).mean() < 0.5


def test_what_cannot_be_learned_from_is_refused():
    with pytest.raises(ValueError, match="at least 4 labelled target rows"):
        learn_from(DATA, ROWS[:3], yt[:3].astype(object), LogisticRegression(), 0)
    with pytest.raises(ValueError, match="classes that the source lacks: zebra"):
        learn_from(DATA, ROWS[:5], np.array(["zebra", *yt[1:5]], dtype=object), LogisticRegression(), 0)
    with pytest.raises(ValueError, match="known target labels to learn from"):
        tm.adapt(Xs, ys, Xt, learn=True)


def test_a_method_that_the_labels_do_not_suit_is_left_out_and_said():
    found = learn_from(DATA, np.flatnonzero(yt == "a")[:5], np.full(5, "a", dtype=object), LogisticRegression(), 0)
    (line,) = (row for row in found.rows if row.method == "targetonly")
    assert line.status == "failed" and "1 class" in line.fault and "targetonly" not in found.models


def test_a_run_that_learned_hands_out_what_the_labels_support_and_is_never_scored_on_them(tmp_path):
    source, target = frames()
    known = pd.DataFrame({"row": ROWS, "y": yt[ROWS]})
    task = Task.from_frames(source, target, label="y", target_labels=known)
    run = tm.adapt(task, learn=True)
    assert run.verdict.model in {"targetonly", "feda", "dama", "tradaboost"}
    assert run.verdict.reasons[-1].code == "verdict.by_labels"
    assert np.mean(run.predict(target) == yt) > 0.85
    blind = tm.adapt(Task.from_frames(source, target, label="y", target_labels=known))
    assert "feda" not in blind.methods and blind.verdict.answer == run.verdict.answer
    for lang, alone in (("en", "Target-only (labelled rows)"), ("zh", "仅用目标域（已标注的行）")):
        assert alone in run.report(lang=lang)
    folder = run.save(tmp_path / "run")
    more = tmp_path / "more.csv"
    target.assign(y=yt).iloc[:150].to_csv(more, index=False)
    truth = load_run(folder).verify(more)
    assert truth.n == 60 and "verify.learned" in [note.code for note in truth.notes]
    assert {"feda", "targetonly"} <= {row.method for row in truth.rows}
    known.to_csv(more, index=False)
    with pytest.raises(ValueError, match="has learned from all 90 labelled rows"):
        load_run(folder).verify(more)
    pd.DataFrame({"row": [89, 90, 91], "y": yt[89:92]}).to_csv(more, index=False)
    assert load_run(folder).verify(more).n == 2


def test_digests_tell_rows_apart():
    assert len(set(digests(Xt))) == len(Xt)
    assert digests(Xt[:1]) == digests(Xt[:1].copy())


def test_the_command_line_learns(tmp_path):
    source, target = frames()
    names = [tmp_path / f"{name}.csv" for name in ("source", "target", "few")]
    for frame, name in zip((source, target, pd.DataFrame({"row": ROWS, "y": yt[ROWS]})), names, strict=True):
        frame.to_csv(name, index=False)
    given = [*map(str, names[:2]), "--label", "y", "-o", str(tmp_path / "run")]
    done = CliRunner().invoke(app, ["adapt", *given, "--labelled-target", str(names[2]), "--learn"])
    assert done.exit_code == 0, done.output
    assert "learned from target labels" in " ".join(done.output.split())
    assert "its predictions are given" in " ".join(done.output.replace("│", " ").split())
    refused = CliRunner().invoke(app, ["adapt", *given, "--overwrite", "--learn"])
    assert refused.exit_code == 2
