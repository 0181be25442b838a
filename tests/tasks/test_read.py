"""One reader for every command, and every column looked at once."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from counted_reading import counted, table

import transfermap as tm
from transfermap.runs import run
from transfermap.tasks.read import listed_tables, read_tables
from transfermap.tasks.task import Task


@pytest.fixture
def files(tmp_path):
    paths = tmp_path / "a.csv", tmp_path / "b.csv"
    table(200, 0).to_csv(paths[0], index=False)
    table(200, 1).drop(columns="label").to_csv(paths[1], index=False)
    return paths


def test_reading_checking_and_adapting_look_at_each_column_and_each_cell_once(files):
    assert run.adapt is tm.adapt  # loaded before anything is wrapped
    with counted() as (columns, cells):
        task = Task.from_files(*files, label="label")
        tm.check(task)
        tm.adapt(task, method="coral", budget=2.0)
    assert (columns["inferred"], cells["inferred"]) == (20, 20 * 200)
    assert (columns["coerced"], cells["coerced"]) == (40, 2 * 20 * 200)
    # decimal commas, days that might be numbers, days, and the label that might be a number
    assert columns["styled"] == 4


def test_files_tables_and_the_parts_of_one_table_make_the_same_task(files):
    frames = [pd.read_csv(path, dtype=str) for path in files]
    both = pd.concat([frames[0].assign(year="old"), frames[1].assign(year="new")], ignore_index=True)
    tasks = [
        Task.from_files(*files, label="label"),
        Task.read(frames[:1] + frames[1:], label="label"),
        Task.from_table(both, domain="year", target="new", label="label"),
    ]
    for task in tasks[1:]:
        pd.testing.assert_frame_equal(task.source, tasks[0].source)
        pd.testing.assert_frame_equal(task.cells.target, tasks[0].cells.target)
    assert [(c.name, c.role) for c in tasks[2].schema.columns if c.role != "feature"] == [
        ("label", "label"),
        ("year", "domain"),
    ]


def test_a_schema_says_why_columns_are_left_out(files):
    a, b = (pd.read_csv(path) for path in files)
    a = a.assign(clinic=np.arange(200) % 9, only=1)
    b = b.assign(answer=np.where(np.arange(200) % 2, "yes", "no"))
    schema = Task.from_frames(a, b, label="label", group="clinic").schema
    others = {c.name: (c.role, c.why) for c in schema.columns if c.role != "feature"}
    assert others == {
        "label": ("label", ""),
        "clinic": ("group", ""),
        "only": ("unused", "source_only"),
        "answer": ("unused", "label_in_disguise"),
    }


def test_a_task_of_other_rows_has_the_cells_of_those(files):
    task = Task.from_files(*files, label="label")
    part = dataclasses.replace(task, source=task.source.iloc[:50], labels=task.labels[:50], domains=task.domains[:50])
    assert len(part.cells.source) == 50 and len(part.cells.target) == 200
    assert dataclasses.replace(task, truth=None).cells is task.cells


def test_tables_are_read_by_name_and_a_backbone_is_for_images(files):
    found = read_tables(files, label="label")
    assert list(found.sources) == ["a"] and found.target_name == "b" and len(found.inputs) == 2
    assert listed_tables(files, label="label").sources["a"].equals(found.sources["a"])
    with pytest.raises(ValueError, match="is for folders of images"):
        read_tables(files, label="label", backbone="some")
    with pytest.raises(ValueError, match="label is missing"):
        read_tables(files, label=None)
