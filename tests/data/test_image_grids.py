"""Arrays of images: read whole, brought to one size and range, seen as images by nets, and predicted again."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import scipy.io
from scipy import ndimage
from typer.testing import CliRunner

from transfermap.card import find
from transfermap.cli.app import app
from transfermap.data.encode.encoder import TableEncoder
from transfermap.data.images.grids import (
    SPANS,
    alike,
    fitted,
    image_shape,
    image_table,
    interpolation,
    point_names,
    points_of,
    resized,
    shape_in,
)
from transfermap.data.tables.files import read_table
from transfermap.deep.estimators import DeepClassifier, estimator_for
from transfermap.deep.training import settings
from transfermap.runs.model_file import load, save
from transfermap.runs.run import adapt, load_run
from transfermap.tasks.task import Task
from transfermap.verdict.investigate import _net


def bars(n, side, seed=0, noise=0.1):
    """Images (n, side, side) in [0, 1] with a bar that lies (0) or stands (1) somewhere, and which."""
    rng = np.random.default_rng(seed)
    X, y = noise * rng.random((n, side, side)), rng.integers(0, 2, n)
    wide = max(1, side // 6)
    for image, stands in zip(X, y, strict=True):
        at = rng.integers(1, side - wide)
        (image.T if stands else image)[at : at + wide, 1:-1] = 1 - noise * rng.random()
    return X, y


def eight_bit(X):
    return np.rint(255 * X).astype(np.uint8)


# names


def test_names_carry_the_shape_through_files(tmp_path):
    X = np.arange(24, dtype=float).reshape(2, 3, 4)
    table = image_table(X, "X")
    assert image_shape(list(table.columns)) == (3, 4)
    np.testing.assert_array_equal(table[[f"x[{i},{j}]" for i in range(3) for j in range(4)]], X.reshape(2, 12))
    for name in ("a.csv", "a.tsv", "a.parquet"):
        if name.endswith("parquet"):
            table.to_parquet(tmp_path / name)
        else:
            table.to_csv(tmp_path / name, index=False, sep="\t" if name.endswith("tsv") else ",")
        assert shape_in(read_table(tmp_path / name)) == (3, 4)


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["a"],
        point_names((2, 3))[:-1],
        point_names((2, 3))[1:],
        point_names((2, 2))[::-1],
        [*point_names((2, 2)), "age"],
        ["x[0,0]", "x[0,0]"],
        ["x[0, 0]"],
    ],
)
def test_other_names_are_no_image(names):
    assert image_shape(names) is None


def test_points_are_found_beside_other_columns():
    names = [*point_names((2, 2)), "age"]
    assert points_of(names) == point_names((2, 2))
    assert points_of(["age", *point_names((2, 2))[:3]]) == []


# files


@pytest.mark.parametrize("shape", [(5, 3, 4), (5, 3, 4, 1), (5, 1, 3, 4)])
def test_an_array_of_images_is_read(tmp_path, shape):
    X = np.arange(60, dtype=np.uint8)
    np.savez(tmp_path / "a.npz", X=X.reshape(shape), y=np.arange(5))
    table = read_table(tmp_path / "a.npz")
    assert list(table.columns) == [*point_names((3, 4)), "y"]
    np.testing.assert_array_equal(table[point_names((3, 4))], X.reshape(5, 12))


@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 3, 1, 2)], ids=["channels last", "channels second"])
def test_colours_become_grey_by_their_luminance(axes):
    X = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3)).astype(np.uint8)
    grey = image_table(X.transpose(axes), "X").to_numpy().reshape(6, 4, 5)
    assert grey.dtype == np.uint8
    by_hand = np.array(
        [[[round(0.299 * r + 0.587 * g + 0.114 * b) for r, g, b in row] for row in rows] for rows in X.tolist()]
    )
    np.testing.assert_array_equal(grey, by_hand)
    assert image_table(np.full((1, 2, 2, 3), 0.5), "X").to_numpy() == pytest.approx(0.5)


def test_matlab_arrays_with_rows_first_or_last(tmp_path):
    X, y = np.random.default_rng(0).random((7, 3, 4)), np.arange(7)
    scipy.io.savemat(tmp_path / "first.mat", {"X": X, "y": y})
    scipy.io.savemat(tmp_path / "last.mat", {"X": np.moveaxis(X, 0, 2), "y": y})
    for name in ("first.mat", "last.mat"):
        np.testing.assert_array_equal(read_table(tmp_path / name)[point_names((3, 4))], X.reshape(7, 12))


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"X": np.zeros((4, 5, 5, 2))}, "one .grey. or three .colour. channels"),
        ({"X": np.zeros((4, 5, 5, 4))}, r"got an array of shape \(4, 5, 5, 4\)"),
        ({"X": np.zeros((4, 0, 3))}, "1 to 16,384 points"),
        ({"X": np.zeros((2, 300, 200), np.uint8)}, "128 x 128"),
        ({"X": np.zeros((0, 3, 3))}, "without rows"),
        ({"X": np.zeros((2, 3, 3, 3, 3))}, "array of images"),
        ({"A": np.zeros((4, 3, 3)), "B": np.zeros((4, 3, 3))}, "A 4x3x3 float64, B 4x3x3"),
        ({"X": np.full((4, 3, 3), "a")}, "array of images"),
    ],
)
def test_what_is_no_array_of_images_is_refused_with_a_sentence(tmp_path, arrays, says):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=says):
        read_table(tmp_path / "a.npz")


# size


@pytest.mark.parametrize(("before", "after"), [((16, 16), (28, 28)), ((3, 5), (7, 5)), ((1, 1), (4, 3))])
def test_larger_images_are_what_scipy_makes_of_them(before, after):
    X = np.random.default_rng(0).random((3, *before))
    factors = tuple(b / a for a, b in zip(before, after, strict=True))
    theirs = [ndimage.zoom(x, factors, order=1, mode="nearest", grid_mode=True) for x in X]
    np.testing.assert_allclose(resized(X.reshape(3, -1), before, after).reshape(3, *after), theirs, atol=1e-12)


def test_interpolation_point_by_point():
    for before, after in ((4, 7), (5, 5), (9, 4)):
        weights = interpolation(before, after)
        reach = max(1, before / after)
        for i in range(after):
            place = (i + 0.5) * before / after - 0.5
            row = [max(0, 1 - abs(place - j) / reach) for j in range(before)]
            assert weights[i] == pytest.approx(np.array(row) / sum(row))
    np.testing.assert_array_equal(interpolation(5, 5), np.eye(5))


def test_an_even_image_stays_even_and_missing_points_have_no_weight():
    X = np.full((2, 9), 0.25)
    assert resized(X, (3, 3), (7, 4)) == pytest.approx(np.full((2, 28), 0.25))
    X[0, 4] = np.nan
    assert resized(X, (3, 3), (4, 4)) == pytest.approx(np.full((2, 16), 0.25))
    X[0] = np.nan
    done = resized(X, (3, 3), (4, 4))
    assert np.isnan(done[0]).all()
    assert not np.isnan(done[1]).any()


# values


def frame_of(X):
    return image_table(np.asarray(X), "X")


def test_eight_bits_and_fractions_meet_between_0_and_1():
    X, _ = bars(20, 6)
    whole = eight_bit(X)
    (source, target), spans, notes = alike([frame_of(whole), frame_of(X)], ["a", "b"])
    np.testing.assert_allclose(source.to_numpy(), whole.reshape(20, -1) / whole.max())
    np.testing.assert_array_equal(target.to_numpy(), X.reshape(20, -1))
    assert spans == SPANS
    assert [(note.code, note.values["tables"]) for note in notes] == [("task.image_values", [f"a [0, {whole.max()}]"])]
    assert "from the range they had: a [0, " in notes[0].say()
    assert "灰度" in notes[0].say("zh")


def test_standardised_images_come_back_between_0_and_1():
    X, _ = bars(20, 6)
    Z = 3 * X - 1
    (_, target), spans, _ = alike([frame_of(X), frame_of(Z)], ["a", "b"])
    np.testing.assert_allclose(target.to_numpy(), ((Z - Z.min()) / (Z.max() - Z.min())).reshape(20, -1))
    assert spans["fraction"] == (Z.min(), Z.max())


def test_sizes_meet_at_the_largest():
    tables, _, notes = alike([frame_of(np.zeros((3, s, s))) for s in (4, 8, 6)], ["a", "b", "c"])
    assert [shape_in(table) for table in tables] == [(8, 8)] * 3
    assert notes[0].values == {"tables": ["a (4 x 4)", "c (6 x 6)"], "size": "8 x 8"}
    assert not alike([frame_of(np.zeros((3, 4, 4))), pd.DataFrame({"a": [1]})], ["a", "b"])[2]


def test_a_row_becomes_the_same_whatever_stands_beside_it_and_twice_is_once():
    X, _ = bars(12, 6)
    mixed = [frame_of(eight_bit(X)), frame_of(X), frame_of(np.zeros((1, 6, 6)))]
    together = fitted(pd.concat([t.astype(float) for t in mixed], ignore_index=True), (8, 8), SPANS)
    alone = pd.concat([fitted(t, (8, 8), SPANS) for t in mixed], ignore_index=True)
    np.testing.assert_allclose(together, alone, atol=1e-15)
    np.testing.assert_array_equal(fitted(together, (8, 8), SPANS), together)
    assert together.max().max() <= 1 + 1e-12


# the encoder


def test_a_image_is_encoded_whole_with_one_mean_and_one_scale():
    X, _ = bars(50, 8)
    X[:, 0, :] = 0
    encoder = TableEncoder().fit(frame_of(X))
    assert encoder.image_ == (8, 8)
    assert encoder.get_feature_names_out().tolist() == point_names((8, 8))
    assert not encoder.notes
    np.testing.assert_allclose(encoder.transform(frame_of(X)), (X.reshape(50, 64) - X.mean()) / X.std())


def test_points_that_are_empty_or_have_gaps_stay_points():
    X, _ = bars(50, 6)
    X[:, 1, 1], X[3, 2, 2] = np.nan, np.nan
    encoder = TableEncoder().fit(frame_of(X), target=frame_of(X))
    Z = encoder.transform(frame_of(X))
    assert encoder.get_feature_names_out().tolist() == point_names((6, 6))
    assert np.isfinite(Z).all()
    fill = X.copy()
    fill[3, 2, 2] = np.nanmedian(X[:, 2, 2])
    fill[:, 1, 1] = np.nanmedian(X)
    np.testing.assert_allclose(Z, (fill.reshape(50, 36) - fill.mean()) / fill.std())


def test_images_beside_other_columns_are_scaled_together_and_the_rest_by_itself():
    X, y = bars(60, 5)
    table = frame_of(X).assign(age=np.arange(60) % 7 * 10.0, city=np.where(y, "Rome", "Oslo"))
    encoder = TableEncoder().fit(table)
    Z = pd.DataFrame(encoder.transform(table), columns=encoder.get_feature_names_out())
    assert list(Z) == [*point_names((5, 5)), "age", "city=Oslo", "city=Rome"]
    np.testing.assert_allclose(Z[point_names((5, 5))], (X.reshape(60, 25) - X.mean()) / X.std())
    assert Z["age"].std(ddof=0) == pytest.approx(1)


def test_new_rows_of_another_size_and_range_are_read_alike():
    X, _ = bars(40, 8)
    encoder = TableEncoder().fit(frame_of(X))
    np.testing.assert_allclose(encoder.transform(eight_bit(X)), encoder.transform(X), atol=0.02)
    twice = X.repeat(2, axis=1).repeat(2, axis=2)
    assert encoder.transform(twice).shape == (40, 64)
    small = X[:, ::2, ::2]
    by_hand = resized(small.reshape(40, 16), (4, 4), (8, 8))
    np.testing.assert_allclose(encoder.transform(small), (by_hand - X.mean()) / X.std())
    with pytest.raises(ValueError, match="lacks the columns"):
        encoder.transform(X.reshape(40, 64))


@pytest.mark.parametrize("empty", [0.0, np.nan], ids=["black", "missing"])
def test_images_without_anything_in_them_cannot_be_used(empty):
    with pytest.raises(ValueError, match="no column can be used"):
        TableEncoder().fit(frame_of(np.full((10, 4, 4), empty)))
    X, _ = bars(10, 4)
    nothing = frame_of(np.full((10, 4, 4), np.nan))
    with pytest.raises(ValueError, match="no column can be used"):
        TableEncoder().fit(frame_of(X), target=nothing)


def test_images_of_flags_and_half_floats_are_numbers():
    X, _ = bars(10, 4)
    np.testing.assert_array_equal(frame_of(X > 0.5), (X > 0.5).reshape(10, 16).astype(int))
    np.testing.assert_allclose(frame_of(X.astype(np.float16)), X.reshape(10, 16), atol=1e-3)


# tasks


def test_a_task_of_two_collections_of_other_size_and_range():
    (Xs, ys), (Xt, yt) = bars(30, 8), bars(25, 6, seed=1)
    task = Task.from_arrays(eight_bit(Xs), ys, Xt)
    assert list(task.source) == list(task.target) == point_names((8, 8))
    codes = [note.code for note in task.notes]
    assert codes[:2] == ["task.image_size", "task.image_values"]
    known = frame_of(Xt).iloc[[3, 7]].assign(label=yt[[3, 7]].astype(str))
    source = frame_of(eight_bit(Xs)).assign(label=ys.astype(str))
    found = Task.from_frames(source, frame_of(Xt), label="label", target_labels=known)
    assert found.truth.to_dict() == {3: str(yt[3]), 7: str(yt[7])}
    np.testing.assert_array_equal(found.target, task.target)


def test_images_and_flat_rows_do_not_meet():
    X, y = bars(30, 6)
    with pytest.raises(ValueError, match="no column in common"):
        Task.from_arrays(X, y, X.reshape(30, -1))


# nets


def test_the_net_is_the_objectives_unless_the_estimator_says_another():
    X, y = bars(24, 16)
    rows, d = X.reshape(24, -1), np.repeat([1, -1], 12)
    by_objective = DeepClassifier(find("dann")(net="lenet"), steps=2, batch_size=8).fit(rows, y, sample_domain=d)
    by_shell = DeepClassifier(find("dann")(), net="lenet", steps=2, batch_size=8).fit(rows, y, sample_domain=d)
    np.testing.assert_array_equal(by_objective.decision_function(rows), by_shell.decision_function(rows))
    other = DeepClassifier(find("dann")(net="lenet"), net="mlp", steps=2, batch_size=8).fit(rows, y, sample_domain=d)
    assert other.features(rows).shape == (24, 64)
    assert by_objective.features(rows).shape == (24, 500)
    assert estimator_for(find("dann")(net="lenet"))._own_net() == "lenet"


def test_dense_takes_rows_as_they_are_and_mlp_scales_columns():
    X, y = bars(40, 6)
    rows, d = X.reshape(40, -1), np.repeat([1, -1], 20)
    rows[:20, 0], rows[20:, 0] = 1e-4 * (np.arange(20) == 3), 0.5
    dense, mlp = (
        DeepClassifier(find("erm")(), net=net, steps=2).fit(rows, y, sample_domain=d) for net in ("dense", "mlp")
    )
    assert np.abs(dense._scaled(rows)).max() <= 1
    assert np.abs(mlp._scaled(rows)).max() > 1000
    assert dense.features(rows).shape == mlp.features(rows).shape == (40, 64)


def test_a_method_with_a_net_for_images_is_saved_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "STEPS", 2)
    X, y = bars(24, 16)
    rows, d = X.reshape(24, -1), np.repeat([1, -1], 12)
    model = find("cdan")(net="lenet").fit(rows, y, sample_domain=d)
    save(model, tmp_path / "model.tmap")
    loaded = load(tmp_path / "model.tmap")
    assert loaded.net == "lenet"
    np.testing.assert_allclose(loaded.decision_function(rows), model.decision_function(rows), rtol=1e-9)


@pytest.mark.parametrize(
    ("shape", "net"),
    [((16, 16), "lenet"), ((28, 28), "lenet"), ((15, 15), "dense"), ((16, 17), "dense"), ((1, 4), "dense")],
)
def test_square_images_of_16_points_get_the_net_for_images(shape, net):
    X = np.random.default_rng(0).random((8, *shape))
    task = Task.from_arrays(X, np.arange(8) % 2, X)
    assert _net("auto", task) == net
    assert _net("resnet", task) == "resnet"
    with pytest.raises(ValueError, match="no net 'vgg'; expected auto, one of: mlp, dense, normed, lenet, resnet, or"):
        _net("vgg", task)


# from files to the report


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    (Xs, ys), (Xt, yt), (Xn, _) = bars(90, 16), bars(80, 12, seed=1), bars(9, 12, seed=2)
    np.savez(folder / "a.npz", X=eight_bit(Xs), y=ys)
    np.savez(folder / "b.npz", images=Xt)
    np.savez(folder / "new.npz", X=Xn)
    np.savez(folder / "new_bytes.npz", X=eight_bit(Xn)[..., None])
    np.savez(folder / "new_large.npz", X=resized(Xn.reshape(9, -1), (12, 12), (16, 16)).reshape(9, 16, 16))
    np.savez(folder / "flat.npz", X=Xn.reshape(9, -1))
    pd.DataFrame({"row": np.arange(80), "y": yt}).to_csv(folder / "truth.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "STEPS", 5)
        invoke("adapt", folder / "a.npz", folder / "b.npz", "--label", "y", "--method", "cdan", "-o", folder / "run")
    return folder


def invoke(*line, code=0):
    done = CliRunner().invoke(app, [str(part) for part in line])
    assert done.exit_code == code, done.output
    return done


def test_the_run_says_what_was_done_with_the_images(run_folder):
    record = json.loads((run_folder / "run" / "run.json").read_text("utf8"))
    notes = {note["code"]: note["values"] for note in record["notes"]}
    assert notes["task.image_size"] == {"tables": ["b (12 x 12)"], "size": "16 x 16"}
    assert notes["task.image_values"]["tables"] == ["a [0, 255]"]
    assert notes["task.net"] == {"net": "lenet", "size": "16 x 16"}
    assert record["net"] == "lenet"
    assert record["task"]["features"] == 256
    assert {row["method"]: row["status"] for row in record["leaderboard"]}["cdan"] == "ok"


def test_new_images_of_any_size_and_range_are_predicted(run_folder):
    predicted = {}
    for name in ("new", "new_bytes", "new_large"):
        out = run_folder / f"{name}.csv"
        invoke("predict", run_folder / "run", run_folder / f"{name}.npz", "-o", out)
        predicted[name] = pd.read_csv(out)
        assert len(predicted[name]) == 9
    chances = [c for c in predicted["new"] if c.startswith("p(")]
    np.testing.assert_array_equal(predicted["new"], predicted["new_large"])
    np.testing.assert_allclose(predicted["new"][chances], predicted["new_bytes"][chances], atol=0.01)
    with np.load(run_folder / "new.npz") as file:
        run = load_run(run_folder / "run")
        np.testing.assert_array_equal(run.predict(file["X"]), predicted["new"]["prediction"].astype(str))
    refused = invoke("predict", run_folder / "run", run_folder / "flat.npz", "-o", run_folder / "no.csv", code=2)
    assert "lacks the columns x[0,0]" in refused.output.replace("\n", " ")


def test_the_truth_and_the_report_of_images(run_folder):
    invoke("verify", run_folder / "run", run_folder / "truth.csv")
    labelled = pd.read_csv(run_folder / "run" / "label_me.csv")
    truth = pd.read_csv(run_folder / "truth.csv")
    labelled["y"] = truth["y"].to_numpy()[labelled["row"]]
    labelled.to_csv(run_folder / "labelled.csv", index=False)
    invoke("verify", run_folder / "run", run_folder / "labelled.csv")
    for lang, says in (("en", "the net that is trained is lenet"), ("zh", "所训练的神经网络是 lenet")):
        invoke("report", run_folder / "run", "--lang", lang, "-o", run_folder / f"{lang}.html")
        page = (run_folder / f"{lang}.html").read_text("utf8")
        assert says in page
        assert "16 x 16" in page


def test_arrays_in_python_need_no_files(monkeypatch):
    monkeypatch.setattr(settings, "STEPS", 3)
    (Xs, ys), (Xt, _) = bars(60, 16), bars(50, 16, seed=1)
    run = adapt(Xs, ys, Xt, method="erm", net="resnet")
    assert run.record.net == "resnet"
    assert run.predict(Xt, method="erm").dtype == ys.dtype
    assert adapt(Xs, ys, Xt, method="coral").record.net is None


def test_an_unknown_net_is_refused_on_the_command_line(run_folder):
    line = ("adapt", run_folder / "a.npz", run_folder / "b.npz", "--label", "y", "--method", "erm")
    done = invoke(*line, "--net", "vgg", "-o", run_folder / "none", code=2)
    assert "no net 'vgg'" in done.output
    assert not (run_folder / "none").exists()
