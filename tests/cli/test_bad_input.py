"""Hostile input through the real command line: refused in one sentence, or answered with what was found said.

The collection stands in hostile.py and the files beside it; nothing in it may end in "an error of ours".
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hostile_files
import hostile_options
import hostile_runs
import hostile_tables
import numpy as np
import pandas as pd
import pytest
from hostile import ADAPT, CASES, CHECK, RUN_CASES, Case, sound, source, target
from typer.testing import CliRunner, Result

from transfermap.cli.app import app
from transfermap.cli.console import say_json

# whatever the words of a refusal are, these belong to a programmer
FOREIGN = ("Traceback", "Warning", "Error", "error of ours", "Errno", "allow_pickle", "NoneType", "codec", "Xs", "Xt")
assert hostile_files and hostile_tables and hostile_options and hostile_runs  # importing them fills the collection


def invoke(line: list[str]) -> Result:
    """Run a command line in this process, with JSON for an answer where the command knows that."""
    silent = line[0] == "report" or "--format" in line
    return CliRunner().invoke(app, line if silent else [*line, "--json"])


def codes(value: object) -> Iterator[str]:
    """The codes of all findings anywhere in an answer."""
    if isinstance(value, dict):
        if "code" in value and "level" in value:
            yield value["code"]
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from codes(part)


def check_outcome(case: Case, done: Result) -> None:
    """One sentence and exit code 2, or an answer that holds the finding."""
    if case.words:
        assert done.exit_code == 2, done.output
        assert done.stdout == ""
        assert done.stderr.startswith("transfermap: ")
        assert done.stderr.count("\n") == 1
        assert [word for word in case.words if word not in done.stderr] == [], done.stderr
        assert [word for word in FOREIGN if word in done.stderr] == [], done.stderr
        assert len(done.stderr) < 600
    else:
        assert done.exit_code == 0, done.output
        assert done.stderr == ""
        assert case.note in set(codes(json.loads(done.stdout)))


@pytest.mark.parametrize("name", CASES)
def test_hostile_input(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = CASES[name].write(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    check_outcome(CASES[name], invoke(line))
    assert not (tmp_path / "exploded").exists()
    if CASES[name].words:
        assert sorted(tmp_path.rglob("*")) == before, "a refused command left something behind"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a sound run, the tables that it was made from, and new and labelled rows."""
    folder = tmp_path_factory.mktemp("made")
    sound(folder)
    target().to_csv(folder / "new.csv", index=False)
    target().assign(churned=np.resize(["yes", "no"], 50)).to_csv(folder / "told.csv", index=False)
    line = ["adapt", str(folder / "a.csv"), str(folder / "b.csv"), "-o", str(folder / "run1")]
    done = invoke([*line, "--label", "churned", "--method", "sourceonly", "--budget", "1s"])
    assert done.exit_code == 0, done.output
    return folder


@pytest.mark.parametrize("name", RUN_CASES)
def test_hostile_run(name, made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    check_outcome(RUN_CASES[name], invoke(RUN_CASES[name].write(tmp_path)))
    assert not (tmp_path / "exploded").exists()
    assert not list(tmp_path.rglob("*.part-*"))


def test_the_collection_is_large():
    assert len(CASES) + len(RUN_CASES) >= 75


def test_the_bomb_would_go_off(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hostile_files.pickle.loads(hostile_files.pickle.dumps(hostile_files.Bomb()))
    assert (tmp_path / "exploded").exists()


def test_strange_strings_on_the_terminal_and_in_the_report(tmp_path, monkeypatch):
    """Markup, HTML, format strings and control characters of strangers' files are shown, and do nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    tables = source(), target()
    for change in (hostile_tables.strange_names, hostile_tables.strange_cells, hostile_tables.strange_classes):
        change(*tables)
    for name, table in zip(("a.csv", "b.csv"), tables, strict=True):
        table.to_csv(name, index=False)
    shown, adapted = (CliRunner().invoke(app, line) for line in (CHECK, ADAPT))
    assert shown.exit_code == adapted.exit_code == 0, shown.output + adapted.output
    assert "\x1b" not in shown.output + adapted.output
    assert [text for text in ("[red]x[/red]", "<script>alert", "<b>[bold]{0}") if text not in shown.output] == []
    done = CliRunner().invoke(app, hostile_runs.REPORT)
    assert done.exit_code == 0, done.output
    page = Path("page.html").read_text(encoding="utf8")
    assert "&lt;script&gt;alert" in page
    assert [text for text in ("<script>alert", "<b>[bold]", "\x1b") if text in page] == []


def test_control_characters_stay_out_of_error_messages(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source().rename(columns={"city": "\x1b[2J\x07city"}).to_csv("a.csv", index=False)
    target().to_csv("b.csv", index=False)
    done = invoke([*CHECK[:4], "zzz"])
    assert done.exit_code == 2
    assert "city" in done.stderr
    assert done.stderr.rstrip("\n").isprintable()


def test_columns_called_as_ours_go_round(tmp_path, monkeypatch):
    """A table may have columns row, prediction, far, why, guess, and the label may be called label."""
    monkeypatch.chdir(tmp_path)
    assert invoke(CASES["names that collide with ours"].write(tmp_path)).exit_code == 0
    predicted = pd.read_csv("run1/label_me.csv")
    assert {"row", "row_", "why", "why_", "guess", "guess_"} <= set(predicted.columns)
    pd.testing.assert_series_equal(
        predicted["row"], target()["age"].iloc[predicted["row_"]], check_index=False, check_names=False
    )
    predicted.assign(label=np.resize(["yes", "no"], len(predicted))).to_csv("told.csv", index=False)
    assert invoke(["verify", "run1", "told.csv"]).exit_code == 0
    predicted[["row_", "label"]].assign(label="yes").to_csv("told.csv", index=False)
    done = invoke(["verify", "run1", "told.csv"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["n"] == len(predicted)
    predicted[["row", "label"]].assign(label="yes").to_csv("told.csv", index=False)
    assert "row_" in invoke(["verify", "run1", "told.csv"]).stderr
    assert invoke(["predict", "run1", "b.csv", "-o", "out.csv"]).exit_code == 0
    assert pd.read_csv("out.csv").columns[:2].tolist() == ["row", "prediction"]


def test_a_label_called_row(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source().rename(columns={"churned": "row"}).to_csv("a.csv", index=False)
    target().to_csv("b.csv", index=False)
    assert invoke([*ADAPT[:4], "row", *ADAPT[5:]]).exit_code == 0
    predicted = pd.read_csv("run1/label_me.csv", dtype={"row": str})
    predicted[["row_"]].assign(row="yes").to_csv("told.csv", index=False)
    done = invoke(["verify", "run1", "told.csv"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["n"] == len(predicted)


def test_a_terminal_that_knows_only_ascii(tmp_path):
    """Chinese words cannot be shown there; what can be is, and nothing is an error."""
    line = [sys.executable, "-m", "transfermap", "map", "--lang", "zh"]
    done = subprocess.run(line, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"dann" in done.stdout


def test_json_loses_nothing_where_only_ascii_can_be_printed(monkeypatch):
    bytes_ = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(bytes_, encoding="ascii"))
    say_json({"城市": float("nan")})
    sys.stdout.flush()
    assert json.loads(bytes_.getvalue()) == {"城市": None}
