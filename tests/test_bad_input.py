"""Hostile input through the real command line: refused in one sentence, or answered with what was found said.

The collection stands in hostile.py and the files beside it; nothing in it may end in "an error of ours".
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import hostile_files
import hostile_options
import hostile_runs
import hostile_tables
from hostile import CASES, RUN_CASES, Case, sound, target
from transfermap.cli import app

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
