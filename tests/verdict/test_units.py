"""Other units and instruments: the check names the columns and asks what only the reader can know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from sample_record import sample_record

from transfermap.report.pages.run_page import html_page
from transfermap.tasks.task import Task
from transfermap.verdict.check.check import check_encoded
from transfermap.verdict.encoded import encode

MIX = np.random.default_rng(7).normal(size=(4, 4))


def readings(seed, n=300):
    """Four sensors that move together, and a label."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    X = rng.normal(size=(n, 4)) @ MIX + np.outer(y, [4, -3, 3, 5])
    return pd.DataFrame(X, columns=["heat", "press", "flow", "speed"]).assign(fault=np.array(["no", "yes"])[y])


def looked_at(target):
    task = Task.from_frames(readings(0), target.drop(columns="fault"), label="fault")
    return check_encoded(task, *encode(task), seed=0)


def test_other_units_are_named_and_asked_about():
    target = readings(1)
    target[["heat", "press", "flow"]] = target[["heat", "press", "flow"]] * [1.8, 0.0689, 3.6] + [32, 1, 0]
    found = looked_at(target)
    note = next(note for note in found.check.notes if note.code == "check.rescaled")
    assert set(note.values["columns"]) == {"heat", "press", "flow"} == set(found.setting.rescaled)
    details = {column.column: column.detail for column in found.check.columns}
    assert abs(details["heat"]["stretch"] / 1.8 - 1) < 0.2 and "stretch" not in details["speed"]
    record, arrays = sample_record("classification")
    record = replace(record, check=replace(record.check, columns=found.check.columns))
    assert "same shape, shifted and rescaled" in html_page(record, arrays) and "形状相同" in html_page(
        record, arrays, "zh"
    )


def test_rows_of_another_kind_are_not_taken_for_other_units():
    many = readings(1, 3000)
    target = many[(many["fault"] == "yes") | (np.arange(3000) % 8 == 0)]
    found = looked_at(target)
    assert not found.setting.rescaled and "check.rescaled" not in [note.code for note in found.check.notes]
    assert looked_at(readings(2)).setting.rescaled == ()
