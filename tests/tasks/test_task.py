"""Tables are laid together without reading a target label, and what was done is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse

from transfermap.data.tables.files import digest
from transfermap.data.tables.labels import kind_of_labels
from transfermap.data.tables.row_keys import giveaways
from transfermap.data.tables.schema import read_cells
from transfermap.messages import catalogue
from transfermap.tasks.task import Task, duplicates


def table(rows=40, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "a": rng.normal(size=rows).round(6),
            "b": rng.choice(["x", "y", "z"], rows),
            "label": rng.choice(["up", "down"], rows),
            "site": np.arange(rows) // 5,
        }
    )


def target(rows=30, seed=1):
    return table(rows, seed).drop(columns="label")


def codes(task):
    return {note.code.removeprefix("task."): note for note in task.notes}


def task_of(source=None, other=None, **more):
    return Task.from_frames(
        table() if source is None else source, target() if other is None else other, label="label", **more
    )


def test_plain_task():
    source = table()
    task = task_of(source)
    assert list(task.source.columns) == list(task.target.columns) == ["a", "b", "site"]
    assert task.labels.tolist() == source["label"].tolist()
    assert task.labels.dtype.kind == "U"
    assert (task.kind, task.label, task.source_names, task.target_name) == (
        "classification",
        "label",
        ("source",),
        "target",
    )
    assert task.domains.tolist() == [0] * 40
    assert task.groups is None
    assert task.truth is None
    assert list(codes(task)) == ["classification"]


def test_every_note_is_said_in_both_languages():
    english, chinese = catalogue("en"), catalogue("zh")
    topics = {code for code in english if code.split(".")[0] in ("task", "table")}
    assert topics == {code for code in chinese if code.split(".")[0] in ("task", "table")}
    source = table().assign(only=1.0, tell=lambda t: t["label"].str.upper(), Big=2)
    source.loc[3, "label"] = None
    other = target(3).assign(label="up", answer=["up", "down", "up"], big=[1, 2, 3], tell="UP")
    task = task_of(source, other, target_labels=pd.DataFrame({"row": [0], "label": ["sideways"]}))
    found = codes(task)
    assert set(found) == {
        "classification",
        "unlabelled",
        "names_matched",
        "target_label",
        "label_in_disguise",
        "source_only",
        "few_target_rows",
        "leak",
        "foreign_labels",
    }
    for note in task.notes:
        for lang in ("en", "zh"):
            assert "{" not in note.say(lang)


@pytest.mark.parametrize(
    "values", [["up"] * 15 + ["down"] * 15, ["?"] * 30, [None] * 30, ["other"] * 30, list(range(30))]
)
def test_target_labels_are_taken_out_and_change_nothing(values):
    task, plain = task_of(other=target().assign(label=values)), task_of()
    pd.testing.assert_frame_equal(task.target, plain.target)
    pd.testing.assert_frame_equal(task.source, plain.source)
    assert set(codes(task)) - set(codes(plain)) == {"target_label"}


@pytest.mark.parametrize("name", ["Label", " LABEL ", "la bel"])
def test_target_label_written_otherwise_is_taken_out_too(name):
    task = task_of(other=target().assign(**{name: "up"}))
    assert list(task.target.columns) == ["a", "b", "site"]
    assert {"names_matched", "target_label"} <= set(codes(task))


def test_answer_under_another_name_is_taken_out():
    task = task_of(other=target().assign(outcome=["up", "down", None] * 10, other=["up", "x", "y"] * 10))
    assert codes(task)["label_in_disguise"].values["columns"] == ["outcome"]
    assert codes(task)["target_only"].values["columns"] == ["other"]


def test_columns_in_another_order_and_on_one_side():
    other = target()[["site", "b", "a"]].assign(further=1)
    task = task_of(table().assign(only=2), other)
    assert list(task.target.columns) == ["a", "b", "site"]
    pd.testing.assert_series_equal(task.target["b"], other["b"])
    assert codes(task)["source_only"].values["columns"] == ["only"]
    assert codes(task)["target_only"].values["columns"] == ["further"]


def test_plain_numbers_are_read_once_and_other_strings_stay():
    columns = {"n": ["1.5", "2"], "comma": ["1,234.5", "2"], "code": ["05", None], "odd": ["1", "2"], "c": ["x", "y"]}
    source = pd.DataFrame({name: cells * 20 for name, cells in columns.items()}).assign(label=["up", "down"] * 20)
    other = source.drop(columns="label").assign(odd="low", comma="2.25")
    task = task_of(source, other)
    assert [name for name in task.source if task.source[name].dtype.kind == "f"] == ["n"]
    assert [name for name in task.target if task.target[name].dtype.kind == "f"] == ["n"]
    assert list(task.source.columns) == list(task.target.columns) == list(columns)
    assert task.source["code"].tolist()[0] == "05"


def test_names_that_fit_two_columns_are_not_guessed():
    task = task_of(table().assign(City=1, CITY=2), target().assign(city=3))
    assert "names_matched" not in codes(task)
    assert list(task.source.columns) == ["a", "b", "site"]


def test_inputs_are_not_written_to():
    source, other = table().assign(label=lambda t: t["label"].where(t.index > 2)), target().assign(Label="up")
    before = source.copy(deep=True), other.copy(deep=True)
    task_of(source, other, group="site")
    pd.testing.assert_frame_equal(source, before[0])
    pd.testing.assert_frame_equal(other, before[1])


def test_rows_without_label_are_left_out_everywhere():
    source = table()
    source.loc[[0, 7], "label"] = [None, "NA"]
    task = task_of(source, group="site")
    kept = source.drop(index=[0, 7])
    assert codes(task)["unlabelled"].values["count"] == 2
    assert len(task.source) == len(task.labels) == len(task.domains) == len(task.groups) == 38
    assert task.labels.tolist() == kept["label"].tolist()
    assert task.source["a"].tolist() == kept["a"].tolist()
    assert task.groups.tolist() == kept["site"].astype(str).tolist()


def test_groups_are_no_feature():
    task = task_of(group="site")
    assert list(task.source.columns) == list(task.target.columns) == ["a", "b"]
    with pytest.raises(ValueError, match="no group column 'sit' in the source; did you mean site"):
        task_of(group="sit")


LABELS = [
    (["a", "b", "a"], "classification"),
    ([True, False, True], "classification"),
    ([0, 1, 1], "classification"),
    ([1.0, 2.0, None, 1.0, 2.0, 1.0], "classification"),
    (["1", "2", "1", "2"], "classification"),
    (pd.Categorical([1.5, 2.5, 1.5]), "classification"),
    (list(range(10)) * 30, "classification"),
    (list(range(65)) * 40, "classification"),
    ([0.5, 1.0, 2.0, 4.0], "regression"),
    (list(range(60)), "regression"),
    (["1,200.5", "3,400.25", "900.0"], "regression"),
    ([f"{i}.5" for i in range(50)] + ["unknown"], "regression"),
    ([1, 5, 9, 200], "regression"),
]


@pytest.mark.parametrize(("values", "kind"), LABELS)
def test_kind_of_labels(values, kind):
    assert kind_of_labels(pd.Series(values)) == kind


def test_kind_is_said_and_can_be_forced():
    source = table().assign(label=np.arange(40) % 4)
    assert codes(task_of(source))["classification"].values == {"label": "label", "count": 4}
    forced = task_of(source, kind="regression")
    assert forced.labels.dtype == np.float64
    assert forced.labels.tolist() == source["label"].tolist()
    assert "regression" not in codes(forced)
    assert task_of(source.astype({"label": float})).labels.tolist() == source["label"].astype(str).tolist()


def test_regression_labels_are_read_as_numbers_are():
    source = table().assign(label=[f"{1000 * i:,}.25" for i in range(39)] + ["n/a"])
    task = task_of(source)
    assert task.kind == "regression"
    assert task.labels.tolist() == [1000 * i + 0.25 for i in range(39)]
    assert codes(task)["unlabelled"].values["count"] == 1


BAD = {
    "no such label": (lambda: Task.from_frames(table(), target(), label="lable"), "did you mean label"),
    "label far off": (lambda: Task.from_frames(table(), target(), label="zzzz"), "it has a, b, label, site"),
    "one class": (lambda: task_of(table().assign(label="up")), "one value only in the source, up"),
    "one class, hint": (lambda: task_of(table().assign(label=["+", "-"] * 20)), "20 rows have none"),
    "no label": (lambda: task_of(table().assign(label=None)), "at least 2 source rows with a label"),
    "one row": (lambda: task_of(table(1)), "at least 2 source rows"),
    "no source rows": (lambda: task_of(table(0)), "at least 2 source rows"),
    "no target rows": (lambda: task_of(other=target(0)), "target has no rows"),
    "nothing in common": (lambda: task_of(other=pd.DataFrame({"q": [1]})), "source has a, b, site; the target has q"),
    "numbers as classes": (
        lambda: task_of(table(300).assign(label=np.linspace(0, 1, 150).repeat(2)), kind="classification"),
        "150 different values",
    ),
    "names as classes": (lambda: task_of(table().assign(label=[f"n{i}" for i in range(40)])), "no classes"),
    "words as numbers": (lambda: task_of(kind="regression"), "must hold numbers for regression; it holds '"),
    "kind": (lambda: task_of(kind="ranking"), "got 'ranking'"),
    "no sources": (lambda: Task.from_frames({}, target(), label="label"), "at least one source"),
    "no files": (lambda: Task.from_files([], "t.csv", label="y"), "at least one source"),
    "label everywhere": (lambda: Task.from_frames([table(), target()], target(), label="label"), "no label column"),
    "wrong arrays": (lambda: Task.from_arrays(np.ones((3, 2)), [0, 1], np.ones((3, 2))), "equally long, got 3, 2"),
    "label matrix": (lambda: Task.from_arrays(np.ones((3, 2)), np.ones((3, 2)), np.ones((3, 2))), "one label a row"),
    "flat": (lambda: Task.from_arrays(np.ones(3), [0, 1, 1], np.ones((3, 2))), "rows and columns"),
    "ragged": (lambda: Task.from_arrays([[1, 2], [3]], [0, 1], [[1, 2]]), "no table"),
    "domains": (
        lambda: Task.from_arrays(np.ones((3, 2)), [0, 1, 1], np.ones((3, 2)), domains=[0, -1, 0]),
        "whole numbers from 0",
    ),
    "wider target": (lambda: Task.from_arrays(np.ones((3, 2)), [0, 1, 1], np.ones((3, 3))), "columns, got 2 and 3"),
    "other width": (lambda: Task.from_arrays(pd.DataFrame({"a": [1, 2]}), [0, 1], np.ones((3, 2))), "same columns"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_makes_no_task_is_refused(case):
    make, reason = BAD[case]
    with pytest.raises(ValueError, match=reason) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_few_target_rows_and_rare_classes_are_warned_of():
    source = table().assign(label=["up"] * 19 + ["down"] * 19 + ["once", "rare"])
    task = task_of(source, target(3))
    assert codes(task)["few_target_rows"].values["count"] == 3
    assert codes(task)["rare_classes"].values["classes"] == ["once", "rare"]
    assert {codes(task)[code].level for code in ("few_target_rows", "rare_classes")} == {"warn"}


def test_columns_that_tell_the_label():
    source = table(200)
    up = (source["label"] == "up").to_numpy()
    source = source.assign(
        code=np.where(up, 7, 3),
        nearly=np.where(up ^ (np.arange(200) == 5), "p", "q"),
        half=np.where(up ^ (np.arange(200) % 9 == 0), "p", "q"),
        many=np.where(up, "u", "d") + (np.arange(200) % 5).astype(str),
        unique=np.arange(200) * 1.5 + up,
    )
    task = task_of(source, source.drop(columns="label"))
    assert task.leaks == ("code", "nearly", "many")
    assert codes(task)["leak"].values["columns"] == ["code", "nearly", "many"]


def test_rare_class_makes_no_leak_of_an_idle_column():
    labels = np.array(["no"] * 995 + ["yes"] * 5)
    assert giveaways(read_cells(pd.DataFrame({"idle": ["a", "b"] * 500})), labels) == []


def test_copies_of_numeric_labels_are_leaks():
    rng = np.random.default_rng(0)
    labels = rng.normal(size=300)
    frame = pd.DataFrame(
        {"copy": labels * 100 + 3, "near": labels + rng.normal(size=300) * 0.01, "steps": labels.round()}
    )
    assert giveaways(read_cells(frame), labels) == ["copy"]
    assert giveaways(read_cells(frame), labels.round()) == ["steps"]


def test_duplicates_are_counted_whatever_the_type():
    source, other = table(), target()
    assert duplicates(task_of(source, other)) == 0
    shared = pd.concat([other, source.drop(columns="label").iloc[:4]], ignore_index=True)
    assert duplicates(task_of(source, shared)) == 4
    strings = shared.astype(str)
    assert duplicates(task_of(source, strings)) == 4
    assert duplicates(task_of(source.assign(n=range(40)), shared.assign(n=range(34)))) == 4
    assert duplicates(task_of(source, source)) == 40


def test_truth_by_row_number():
    known = pd.DataFrame({"row": ["4", "0", "9"], "label": ["up", "down", None]})
    truth = task_of(target_labels=known).truth
    assert truth.to_dict() == {0: "down", 4: "up"}


def test_truth_by_content_for_equal_rows_and_other_types():
    other = pd.concat([target(5), target(5).iloc[[2]]], ignore_index=True)
    known = other.iloc[[5, 3, 2]].astype(str).assign(label=["up", "down", "down"])
    truth = task_of(other=other, target_labels=known).truth
    assert truth.to_dict() == {2: "up", 3: "down", 5: "down"}


def test_truth_of_numbers():
    source = table().assign(label=[f"{i},5" for i in range(40)])
    known = pd.DataFrame({"row": [1, 2], "label": ["1.000,5", "7"]})
    task = task_of(source.assign(label=source["label"].replace("39,5", "1.039,5")), target_labels=known)
    assert task.truth.to_dict() == {1: 1000.5, 2: 7.0}


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({"row": [0, 30, -1, 1.5], "label": ["up"] * 4}, "3 known target labels have no row number from 0 to 29"),
        ({"row": [0, 0], "label": ["up", "down"]}, "1 known target labels name a target row a second time"),
        ({"row": [0], "label": [None]}, "no row with a label"),
        ({"row": [0], "lab": ["up"]}, "no label column 'label'"),
        ({"a": [0.0], "label": ["up"]}, "absent: b, site"),
        ({"a": [9.0, 8.0], "b": "x", "site": 1, "label": "up"}, "2 of 2 known target labels match no row"),
    ],
)
def test_known_labels_that_fit_no_row(known, reason):
    with pytest.raises(ValueError, match=reason):
        task_of(target_labels=pd.DataFrame(known))


def test_files_of_several_formats_are_one_task(tmp_path):
    first, second, other = table(20, 2).assign(extra=1), table(20, 3), target()
    first.to_csv(tmp_path / "north.csv", index=False)
    second.rename(columns={"a": "A "}).to_parquet(tmp_path / "south.parquet")
    other.to_csv(tmp_path / "east.tsv", sep="\t", index=False)
    pd.DataFrame({"row": [3], "label": ["up"]}).to_csv(tmp_path / "known.csv", index=False)
    paths = [tmp_path / "north.csv", tmp_path / "south.parquet"]
    task = Task.from_files(
        paths, tmp_path / "east.tsv", label="label", target_labels=tmp_path / "known.csv", group="site"
    )
    assert task.source_names == ("north", "south")
    assert task.target_name == "east"
    assert task.domains.tolist() == [0] * 20 + [1] * 20
    assert task.labels.tolist() == [*first["label"], *second["label"]]
    assert task.truth.to_dict() == {3: "up"}
    assert codes(task)["some_sources"].values["columns"] == ["extra"]
    files = [*paths, tmp_path / "east.tsv", tmp_path / "known.csv"]
    assert task.inputs == {str(path): digest(path) for path in files}
    alone = Task.from_files(paths[0], tmp_path / "east.tsv", label="label")
    assert alone.source_names == ("north",)


def test_the_same_file_twice_is_refused(tmp_path):
    table().to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ValueError, match="given twice"):
        Task.from_files([tmp_path / "t.csv"] * 2, tmp_path / "t.csv", label="label")


def test_files_of_the_same_name_keep_their_folders(tmp_path):
    for folder, seed in (("p", 0), ("q", 1)):
        (tmp_path / folder).mkdir()
        table(30, seed).to_csv(tmp_path / folder / "t.csv", index=False)
    names = Task.from_files(
        [tmp_path / "p" / "t.csv", tmp_path / "q" / "t.csv"], tmp_path / "p" / "t.csv", label="label"
    ).source_names
    assert [name[-7:] for name in names] == ["p/t.csv", "q/t.csv"]


@pytest.mark.parametrize(("place", "position"), [(-1, 3), (0, 0), ("2", 2), ("-1", 3)])
@pytest.mark.parametrize("labelled", [True, False])
def test_matrix_without_header(tmp_path, place, position, labelled):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)) + 0.5, np.arange(30) % 3
    for name, rows in (("s.csv", slice(0, 20)), ("t.csv", slice(20, 30))):
        matrix = np.insert(X[rows], position, y[rows], axis=1) if name == "s.csv" or labelled else X[rows]
        np.savetxt(tmp_path / name, matrix, delimiter=",")
    task = Task.from_files(tmp_path / "s.csv", tmp_path / "t.csv", label=place)
    assert task.labels.tolist() == y[:20].astype(str).tolist()
    np.testing.assert_allclose(task.source.astype(float), X[:20])
    np.testing.assert_allclose(task.target.astype(float), X[20:])
    assert ("target_label" in codes(task)) == labelled


def test_one_table_is_parted_by_a_column(tmp_path):
    whole = table(60).assign(year=[2020, 2021, 2022] * 20)
    whole.loc[whole["year"] == 2022, "label"] = None
    whole.to_csv(tmp_path / "t.csv", index=False)
    for given in (whole, tmp_path / "t.csv"):
        task = Task.from_table(given, domain="year", target=2022, label="label", group="site")
        assert task.source_names == ("2020", "2021")
        assert task.target_name == "2022"
        assert np.bincount(task.domains).tolist() == [20, 20]
        assert list(task.source.columns) == list(task.target.columns) == ["a", "b"]
        assert len(task.target) == 20
    assert task.inputs == {str(tmp_path / "t.csv"): digest(tmp_path / "t.csv")}


def test_table_that_cannot_be_parted():
    whole = table().assign(year=2020)
    with pytest.raises(ValueError, match="at least one other value, it holds 2020"):
        Task.from_table(whole, domain="year", target=2020, label="label")
    with pytest.raises(ValueError, match="must hold '1999'"):
        Task.from_table(whole, domain="year", target=1999, label="label")
    with pytest.raises(ValueError, match="did you mean year"):
        Task.from_table(whole, domain="yaer", target=2020, label="label")
    whole["year"] = [2020, 2021, None, 2020] * 10
    task = Task.from_table(whole, domain="year", target="2021", label="label")
    assert codes(task)["no_domain"].values == {"count": 10, "column": "year"}


def test_arrays_of_any_make_and_domains_in_any_order():
    rng = np.random.default_rng(0)
    X, y, domains = rng.normal(size=(30, 3)), np.arange(30) % 2, np.array([5, 2, 5] * 10)
    names = ["x0", "x1", "x2"]
    makes = {
        "arrays": (X, y),
        "lists": (X.tolist(), y.tolist()),
        "pandas": (pd.DataFrame(X, columns=names), pd.Series(y, index=range(100, 130))),
        "polars": (pl.DataFrame(X, schema=names), pl.Series(y)),
        "sparse": (scipy.sparse.csr_matrix(X), y[:, None]),
    }
    for make, (Xs, ys) in makes.items():
        task = Task.from_arrays(Xs, ys, X[:9], domains=domains)
        np.testing.assert_array_equal(task.source.to_numpy(), X, err_msg=make)
        assert task.labels.tolist() == y.astype(str).tolist()
        assert task.domains.tolist() == [1, 0, 1] * 10
        assert task.source_names == ("source 2", "source 5")


def test_a_source_without_labels_leaves_no_gap():
    sources = {"p": table(20, 1), "q": table(20, 2).assign(label=None), "r": table(20, 3)}
    task = Task.from_frames(sources, target(), label="label")
    assert task.source_names == ("p", "r")
    assert np.bincount(task.domains).tolist() == [20, 20]


def test_duplicates_are_counted_in_wide_arrays():
    X = np.random.default_rng(0).normal(size=(3000, 1280))
    task = Task.from_arrays(X, np.arange(3000) % 10, X[:900])
    assert duplicates(task) == 900


def test_a_class_that_is_called_none_is_warned_of(tmp_path):
    table().assign(label=["none", "belt", "bearing", "belt"] * 10).to_csv(tmp_path / "a.csv", index=False)
    target().to_csv(tmp_path / "b.csv", index=False)
    task = Task.from_files(tmp_path / "a.csv", tmp_path / "b.csv", label="label")
    note = next(note for note in task.notes if note.code == "task.unlabelled")
    assert (note.level, note.values["count"]) == ("warn", 10)
    assert "none" in note.say() and "none" in note.say("zh")
