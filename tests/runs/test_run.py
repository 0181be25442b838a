"""Runs: in memory, on disk, and through a kill at any moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

import transfermap as tm
from transfermap.runs.folder import RECORD, check_place, run_folder, settle
from transfermap.runs.run import load_run


def toy(n=120, seed=0, shift=2.0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 2 * n)
    X = rng.normal(size=(2 * n, 3)) + 2 * y[:, None]
    X[n:] += shift
    return X[:n], y[:n], X[n:], y[n:]


@pytest.fixture(scope="module")
def run():
    Xs, ys, Xt, _ = toy()
    return tm.adapt(Xs, ys, Xt, method=["coral", "logisticratio"], budget=20)


def test_predictions_have_the_type_of_the_labels(run):
    _, _, Xt, _ = toy()
    assert run.predict(Xt).dtype.kind == "i"
    assert run.classes_.tolist() == [0, 1]
    assert run.predict_proba(Xt).shape == (len(Xt), 2)
    Xs, ys, Xt, _ = toy()
    assert tm.adapt(Xs, ys.astype(bool), Xt, method="coral").predict(Xt).dtype == bool
    assert set(tm.adapt(Xs, np.array(["no", "yes"])[ys], Xt, method="coral").predict(Xt)) <= {"no", "yes"}


def test_one_named_method_is_the_callers_decision():
    Xs, ys, Xt, yt = toy()
    run = tm.adapt(Xs, ys, Xt, method="coral")
    assert run.verdict.model == "coral"
    assert np.mean(run.predict(Xt) == yt) > 0.8
    np.testing.assert_array_equal(run.predict(Xt), run.predict(Xt, method="coral"))


def test_target_labels_change_nothing(tmp_path):
    Xs, ys, Xt, yt = toy()
    names = ["a", "b", "c"]
    source, target = pd.DataFrame(Xs, columns=names).assign(y=ys), pd.DataFrame(Xt, columns=names)
    plain = tm.adapt(tm.Task.from_frames(source, target, label="y"), method="coral")
    for labels in (yt, 1 - yt):
        known = pd.DataFrame({"row": range(len(yt)), "y": labels})
        task = tm.Task.from_frames(source, target.assign(y=labels), label="y", target_labels=known)
        predicted = tm.adapt(task, method="coral")
        np.testing.assert_array_equal(predicted.predict(target), plain.predict(target))
        assert predicted.verdict.answer == plain.verdict.answer
        for a, b in zip(predicted.record.leaderboard, plain.record.leaderboard, strict=True):
            assert a.evidence == b.evidence
        assert predicted.record.truth.n == len(yt)


def test_the_same_seed_gives_the_same_record(run):
    Xs, ys, Xt, _ = toy()
    again = tm.adapt(Xs, ys, Xt, method=["coral", "logisticratio"], budget=20)
    for part in ("verdict", "check", "label_me", "untrusted"):
        assert getattr(again.record, part) == getattr(run.record, part)
    one, other = ([replace(row, seconds=0.0) for row in made.record.leaderboard] for made in (run, again))
    assert one == other


def test_regression_and_own_estimators():
    Xs, _, Xt, _ = toy()
    ys = Xs @ [1.0, 2.0, 3.0]
    run = tm.adapt(Xs, ys, Xt, method="coral", estimator=Ridge(0.1))
    assert run.record.task.kind == "regression"
    assert run.predict(Xt).dtype == float
    assert "infomax" not in run.record.leaderboard[1].evidence
    with pytest.raises(ValueError, match="regression"):
        tm.adapt(Xs, ys, Xt, method="jda")
    own = LogisticRegression(C=0.5)
    tm.adapt(Xs, (ys > 0).astype(int), Xt, method="coral", estimator=own)
    assert not hasattr(own, "coef_")


def test_a_run_comes_back_from_disk(run, tmp_path):
    _, _, Xt, _ = toy()
    run.save(tmp_path / "run1")
    back = load_run(tmp_path / "run1")
    for method in run.methods:
        np.testing.assert_array_equal(back.predict(Xt, method), run.predict(Xt, method))
    assert back.record == run.record
    assert back.leaderboard.equals(run.leaderboard)
    names = {p.name for p in (tmp_path / "run1").iterdir()}
    assert {"run.json", "model.tmap", "evidence.npz", "predictions.csv", "label_me.csv", "leaderboard.csv"} == names
    predicted = pd.read_csv(tmp_path / "run1" / "predictions.csv")
    assert len(predicted) == len(Xt)
    assert {"prediction", "far", "distance"} <= set(predicted.columns)
    assert back.report().startswith("<!doctype html>")


def test_plots_are_figures(run):
    from matplotlib.figure import Figure

    for what in ("evidence", "shift", "maps", "shares"):
        assert isinstance(run.plot(what), Figure)
    with pytest.raises(ValueError, match="expected one of: evidence"):
        run.plot("pie")


def test_a_run_is_not_overwritten_unasked(run, tmp_path):
    run.save(tmp_path / "run1")
    with pytest.raises(ValueError, match="--overwrite"):
        run.save(tmp_path / "run1")
    run.save(tmp_path / "run1", overwrite=True)
    load_run(tmp_path / "run1")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("x", encoding="utf8")
    with pytest.raises(ValueError, match="other things"):
        check_place(tmp_path / "other", overwrite=True)
    with pytest.raises(ValueError, match="there is no folder"):
        check_place(tmp_path / "no" / "run1", overwrite=False)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_failure_while_writing_leaves_the_old_run_whole(run, tmp_path, monkeypatch):
    run.save(tmp_path / "run1")
    before = (tmp_path / "run1" / RECORD).read_bytes()
    monkeypatch.setattr("transfermap.runs.run_files.to_label", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run.save(tmp_path / "run1", overwrite=True)
    assert (tmp_path / "run1" / RECORD).read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["run1"]


def test_a_kill_between_the_two_renames_is_mended(run, tmp_path):
    run.save(tmp_path / "run1")
    aside = tmp_path / ".run1.old-1234"
    aside.mkdir()
    (tmp_path / "run1").rename(aside / "run")
    assert load_run(tmp_path / "run1").verdict == run.verdict
    assert [p.name for p in tmp_path.iterdir()] == ["run1"]


def test_leftovers_are_told_and_cleared(run, tmp_path):
    (tmp_path / ".run1.part-99").mkdir()
    with pytest.raises(ValueError, match="cut off before it was finished"):
        load_run(tmp_path / "run1")
    with run_folder(tmp_path / "run1") as part:
        (part / "x").write_text("x", encoding="utf8")
    assert [p.name for p in tmp_path.iterdir()] == ["run1"]
    assert settle(tmp_path / "run1") == tmp_path / "run1"


def test_what_is_no_run_gets_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="there is no run"):
        load_run(tmp_path / "none")
    with pytest.raises(ValueError, match=r"has no run\.json"):
        load_run(tmp_path)
    for text in ("", "[]", '{"kind": "other"}', "{"):
        (tmp_path / RECORD).write_text(text, encoding="utf8")
        with pytest.raises(ValueError, match="damaged|not the record"):
            load_run(tmp_path)
    for format_, says in (
        (9, "install a newer one"),
        (1, "made by an earlier version"),
        (2, "is damaged: record lacks"),
    ):
        (tmp_path / RECORD).write_text(json.dumps({"kind": "transfermap-run", "format": format_}), encoding="utf8")
        with pytest.raises(ValueError, match=says):
            load_run(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_kills_at_any_moment_leave_a_whole_run(tmp_path):
    Xs, ys, Xt, _ = toy(60)
    names = ["a", "b", "c"]
    pd.DataFrame(Xs, columns=names).assign(y=ys).to_csv(tmp_path / "a.csv", index=False)
    pd.DataFrame(Xt, columns=names).to_csv(tmp_path / "b.csv", index=False)
    kill_at_random(tmp_path, times=4, seed=0)


def kill_at_random(folder: Path, times: int, seed: int) -> list[str]:
    """Run ``adapt --overwrite`` again and again, kill it at random moments, and load what is there each time."""
    adapt = [sys.executable, "-m", "transfermap", "adapt", "a.csv", "b.csv", "--label", "y", "--method", "coral"]
    command = [*adapt, "--budget", "5s", "-o", "run1", "--overwrite"]
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    whole = time.perf_counter() - began
    rng, outcomes = np.random.default_rng(seed), []
    for _ in range(times):
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(float(rng.uniform(0.3, 1.05) * whole))
        process.send_signal(signal.SIGKILL)
        outcomes.append("killed" if process.wait() == -signal.SIGKILL else "finished")
        run = load_run(folder / "run1")
        assert run.predict(pd.read_csv(folder / "b.csv")).shape == (60,)
        assert run.record.leaderboard
    return outcomes
