"""Several sources: the check says which of them should carry over best, in the terminal and in the report."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pandas as pd
from rich.console import Console
from sample_record import sample_record

from transfermap.report.console.terminal import check_view
from transfermap.report.pages.run_page import html_page
from transfermap.tasks.task import Task
from transfermap.verdict.check.check import check


def table(seed, n=160, move=0.0, noise=0.0):
    """Two classes, apart along the first column; some labels drawn anew."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    X = rng.normal(size=(n, 3)) + np.c_[2.5 * y, np.zeros((n, 2))] + [0, move, 0]
    y = np.where(rng.random(n) < noise, rng.integers(0, 2, n), y)
    return pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=np.array(["no", "yes"])[y])


SOURCES = {"noisy": table(1, noise=0.9), "near": table(2), "far": table(3, move=6.0)}
TARGET = table(4).drop(columns="y")


def test_the_source_that_lies_near_and_is_learnt_well_stands_first():
    found = check(Task.from_frames(SOURCES, TARGET, label="y"))
    near, *others = found.sources
    assert (near.source, near.rows) == ("near", 160)
    assert near.low < near.useful < near.high
    assert all(row.useful < near.low for row in others)
    assert {row.source: row.distance for row in found.sources}["far"] > 1.5
    note = next(note for note in found.notes if note.code == "check.sources")
    assert (note.values["best"], note.values["last"]) == ("near", others[-1].source)


def test_equal_sources_are_called_equal_and_small_ones_are_passed_over():
    twins = {"north": table(5), "south": table(6), "tiny": table(7, n=12)}
    found = check(Task.from_frames(twins, TARGET, label="y"))
    assert {row.source for row in found.sources} == {"north", "south"}
    assert "check.sources_even" in [note.code for note in found.notes]


def test_one_source_is_not_ranked():
    found = check(Task.from_frames(SOURCES["near"], TARGET, label="y"))
    assert found.sources == () and not any("check.sources" in note.code for note in found.notes)


def test_numbers_are_ranked_by_how_much_is_explained():
    rng = np.random.default_rng(0)
    frames = {name: frame.drop(columns="y") for name, frame in SOURCES.items()}
    predicted = {
        name: frame.assign(y=3 * frame["a"] + rng.normal(0, 0.1, len(frame))) for name, frame in frames.items()
    }
    predicted["noisy"]["y"] = rng.normal(size=160)
    found = check(Task.from_frames(predicted, TARGET, label="y"))
    assert found.task.kind == "regression" and found.sources[0].source == "near"
    assert found.sources[0].useful > 0.7


def test_terminal_and_report_show_the_sources():
    found = check(Task.from_frames(SOURCES | {"<b>&": table(8)}, TARGET, label="y"))
    screen = Console(record=True, width=100, file=io.StringIO())
    screen.print(check_view(found))
    shown = screen.export_text()
    assert "most transferable first" in shown and "near" in shown and "[b]" not in shown
    record, arrays = sample_record("classification")
    plain = html_page(record, arrays)
    record = replace(record, check=replace(record.check, sources=found.sources))
    for lang, title in (("en", "Sources, most transferable first"), ("zh", "各个源")):
        page = html_page(record, arrays, lang)
        assert title in page and "&lt;b&gt;&amp;" in page and title not in plain
