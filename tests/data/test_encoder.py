"""A column is what it holds, not how a file types it; the encoder learns from source rows alone."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler

from transfermap.data.encode.encoder import TableEncoder
from transfermap.data.encode.fill import MedianFill
from transfermap.data.encode.scale import NumberScaler
from transfermap.data.encode.topics import Topics
from transfermap.data.tables.columns import coerce, kind_of, style_of

NAN = float("nan")
TRUSTED = [
    "transfermap.data.encode.encoder.TableEncoder",
    "transfermap.data.encode.fill.MedianFill",
    "transfermap.data.encode.scale.NumberScaler",
    "transfermap.data.encode.topics.Topics",
    "numpy.dtype",
]


def read(values, name="column"):
    column = pd.Series(values, name=name)
    kind = kind_of(column)
    return kind, coerce(column, kind)


NUMBERS = {
    "thousands": (["1,234.5", "12", "?"], [1234.5, 12, NAN]),
    "decimal commas": (["1.234,5", "3,25", "7"], [1234.5, 3.25, 7]),
    "comma only, short": (["0,5", "1,25"], [0.5, 1.25]),
    "many groups": (["1,234,567", "2"], [1234567, 2]),
    "many groups, points": (["1.234.567", "2"], [1234567, 2]),
    "small ones plain": (["950", "1,234", "12,500"], [950, 1234, 12500]),
    "all grouped": (["1,234", "45,000"], [1234, 45000]),
    "blanks between": (["1 234", "12 000 000"], [1234, 12000000]),
    "blanks around, sign": ([" +3 ", "\t-4", "5e2"], [3, -4, 500]),
    "percent": (["12%", "5 %", "1.5%"], [0.12, 0.05, 0.015]),
    "currency": (["$1,200.00", "-$15", "¥3"], [1200, -15, 3]),
    "full width": (["１２", "３．５"], [12, 3.5]),
    "infinity": (["1", "2", "inf", "-Infinity"], [1, 2, NAN, NAN]),
    "decimals": ([Decimal("1.5"), Decimal("2"), None], [1.5, 2, NAN]),
    "nullable": (pd.array([1, None, 3], dtype="Int64"), [1, NAN, 3]),
    "codes": ([0, 1, 1, 0], [0, 1, 1, 0]),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_numbers(case):
    values, expected = NUMBERS[case]
    kind, done = read(values)
    assert kind == "number"
    np.testing.assert_allclose(done.to_numpy(), expected, rtol=1e-15)


def test_commas_that_could_be_either_make_no_number():
    assert read(["1500", "1,234"])[0] == "category"


def test_a_style_is_the_columns_and_holds_for_a_single_row():
    source = pd.Series(["1.234,5", "2.000"])
    style = style_of(source, "number")
    assert coerce(pd.Series(["2.000"]), "number", style).tolist() == [2000.0]
    assert coerce(pd.Series(["2.000"]), "number").tolist() == [2.0]
    assert coerce(pd.Series([2.0]), "number", style).tolist() == [2.0]


@pytest.mark.parametrize(("bad", "kind"), [(5, "number"), (6, "category")])
def test_nineteen_in_twenty_cells_must_be_numbers(bad, kind):
    values = [str(i % 9) for i in range(100 - bad)] + ["many"] * bad
    found, done = read(values)
    assert found == kind
    if kind == "number":
        assert done.isna().sum() == bad


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1e12, 1e12, allow_nan=False), min_size=3, max_size=30, unique=True))
def test_written_numbers_come_back(values):
    grouped = pd.Series([f"{value:,.3f}" for value in values])
    swapped = pd.Series([text.translate(str.maketrans(",.", ".,")) for text in grouped])
    expected = [round(value, 3) for value in values]
    if len(set(expected)) > 1:
        np.testing.assert_allclose(coerce(grouped, "number"), expected, rtol=1e-12, atol=1e-9)
    if any(abs(value) >= 1000 for value in expected):
        np.testing.assert_allclose(coerce(swapped, "number"), expected, rtol=1e-12, atol=1e-9)


DATES = {
    "iso": ["2024-03-01", "2023-12-31"],
    "slashes": ["2024/3/1", "2023/12/31"],
    "points": ["01.03.2024", "31.12.2023"],
    "day first": ["01/03/2024", "31/12/2023"],
    "month first": ["03/01/2024", "12/31/2023"],
    "chinese": ["2024年3月1日", "2023年12月31日"],
    "zone": ["2024-03-01T00:00:00Z", "2023-12-31 00:00:00+08:00"],
    "date": [dt.date(2024, 3, 1), dt.date(2023, 12, 31)],
    "stamps": pd.to_datetime(["2024-03-01", "2023-12-31"]),
    "stamps with zone": pd.to_datetime(["2024-03-01", "2023-12-31"]).tz_localize("Asia/Shanghai"),
}


@pytest.mark.parametrize("case", DATES)
def test_dates(case):
    kind, done = read(DATES[case])
    assert kind == "date"
    assert done.tolist() == [pd.Timestamp(2024, 3, 1), pd.Timestamp(2023, 12, 31)]


def test_impossible_dates_are_none():
    assert read(["2024-13-45", "2024-02-31", "2023-99-01"])[0] == "category"
    assert coerce(pd.Series(["2024-02-31", "2024-02-29"]), "date").isna().tolist() == [True, False]


@pytest.mark.parametrize(
    "values",
    [["Yes", "no", None], ["true", "False", ""], ["是", "否", "?"], ["y", "N", "-"], pd.array([True, False, None])],
)
def test_flags(values):
    kind, done = read(values)
    assert kind == "flag"
    np.testing.assert_array_equal(done, [1, 0, NAN])


KINDS = {
    "empty": [["", "NA", None], [NAN, NAN], [np.inf, NAN], pd.array([None, None], dtype="Float64")],
    "constant": [["a", "a"], [1, 1.0], [True, True]],
    "category": [
        ["red", "blue", "red"],
        ["yes", None, "yes"],
        [5.0, NAN, 5.0],
        pd.Categorical([1, 2, 1]),
        ["北京", "上海", "北京"],
        ["1", "A", "2"],
        ["one two three", "four five six"] * 40,
    ],
    "identifier": [
        range(1, 31),
        [str(i) for i in range(30)],
        [f"A{i}" for i in range(30)],
        [f"John Smith{i}" for i in range(30)],
        [i for i in range(60) if i % 7],
    ],
    "number": [range(1990, 2021), [3, 1, 2], list(range(12)) * 5, np.random.default_rng(0).permutation(500)[:99]],
    "text": [
        [f"this one is sentence {i}" for i in range(30)],
        [f"这家酒店真的很不错{i}" for i in range(30)],
        ["a fine long day", "no way is this it", "we will see you"],
    ],
}


@pytest.mark.parametrize(("kind", "values"), [(kind, values) for kind, cases in KINDS.items() for values in cases])
def test_other_kinds(kind, values):
    assert read(values)[0] == kind


def test_integer_keys_are_known_by_their_name():
    values = np.random.default_rng(0).permutation(5000)[:99]
    assert [read(values, name)[0] for name in ("customer_id", "userID", "编号", "income", "paid")] == [
        "identifier",
        "identifier",
        "identifier",
        "number",
        "number",
    ]
    assert read([*range(60), *range(60)], "row_id")[0] == "identifier"


def test_complex_numbers_are_refused():
    with pytest.raises(ValueError, match="complex"):
        kind_of(pd.Series([1j, 2.0]))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=8), st.booleans(), st.dates()), max_size=25
    )
)
def test_any_column_has_a_kind_and_survives_it(values):
    column = pd.Series(values, dtype=object, name="c")
    kind = kind_of(column)
    done = coerce(column, kind)
    assert len(done) == len(column)
    if kind in ("number", "flag"):
        assert not np.isinf(done.to_numpy()).any()


def test_categories_agree_whatever_the_type():
    frames = [
        [1, 2],
        [1.0, 2.0],
        ["1", "2"],
        ["1.0", " 2 "],
        ["１", "２"],
        ["1.000e+00", "2.0e+00"],
        pd.Categorical([1, 2]),
    ]
    spelled = [coerce(pd.Series(values), "category").tolist() for values in frames]
    assert spelled == [["1", "2"]] * len(frames)


def mixed(rows=240, seed=0):
    rng = np.random.default_rng(seed)
    words = np.array([f"word{i}" for i in range(80)])
    table = pd.DataFrame(
        {
            "age": rng.normal(40, 9, rows).round(2),
            "pay": [f"{value:,.2f}" for value in rng.uniform(500, 9000, rows)],
            "city": rng.choice(["Rome", "Oslo", "Bonn"], rows),
            "rare": [*rng.choice(["p", "q"], rows - 1), "once"],
            "member": rng.choice(["yes", "no"], rows),
            "when": pd.date_range("2023-01-30", periods=rows, freq="31h").astype(str),
            "review": [" ".join(rng.choice(words, 9)) for _ in range(rows)],
            "id": np.arange(rows),
            "same": "x",
            "void": None,
        }
    )
    table.loc[::9, "age"] = np.nan
    table.loc[::11, "city"] = None
    table.loc[::13, "member"] = None
    table.loc[::17, "when"] = None
    return table


def as_strings(table):
    return table.map(lambda cell: None if pd.isna(cell) else str(cell))


def test_every_kind_is_encoded_and_named():
    encoder = TableEncoder(text_components=5)
    encoded = encoder.fit_transform(mixed())
    names = encoder.get_feature_names_out().tolist()
    assert encoded.dtype == np.float64
    assert encoded.shape == (240, len(names))
    assert len(encoder.origin_) == len(names) == len(set(names))
    assert np.isfinite(encoded).all()
    assert set(encoder.origin_) == {"age", "pay", "city", "rare", "member", "when", "review"}
    wanted = [
        "age",
        "pay",
        "when.days",
        "when.month_sin",
        "when.weekday",
        "when.hour",
        "age (missing)",
        "member (missing)",
    ]
    assert set(wanted) <= set(names)
    assert {"when (missing)", "city=Rome", "city=(missing)", "review~5"} - set(names) == {"when (missing)"}
    assert encoder.kinds_["id"] == "identifier"
    found = {"table.constant", "table.identifier", "table.empty", "table.topics_asked"}
    assert {note.code for note in encoder.notes} == found
    assert [note.say(lang) for note in encoder.notes for lang in ("en", "zh")]


def test_blocks_hold_what_they_say():
    table = mixed()
    encoder = TableEncoder().fit(table)
    encoded = dict(zip(encoder.get_feature_names_out(), encoder.transform(table).T, strict=True))
    age = table["age"].fillna(table["age"].median()).to_numpy()
    np.testing.assert_allclose(encoded["age"], StandardScaler().fit_transform(age[:, None])[:, 0], rtol=1e-12)
    np.testing.assert_array_equal(encoded["age (missing)"], table["age"].isna())
    np.testing.assert_array_equal(encoded["city=Rome"], table["city"] == "Rome")
    np.testing.assert_array_equal(encoded["city=(missing)"], table["city"].isna())
    there = table["member"].notna().to_numpy()
    np.testing.assert_array_equal(encoded["member"][there], table["member"][there] == "yes")


def test_parts_of_dates_that_do_not_vary_are_left_out():
    table = pd.DataFrame({"d": ["2024-03-04", "2024-03-11", "2024-03-18"], "x": [3.0, 1.0, 7.0]})
    assert TableEncoder().fit(table).get_feature_names_out().tolist() == ["x", "d.days"]


def test_fit_is_fit_transform_and_reads_nothing_but_columns_of_the_target():
    source, target = mixed(), mixed(90, seed=1)
    encoded = TableEncoder().fit_transform(source, target=target)
    np.testing.assert_array_equal(encoded, TableEncoder().fit(source, target=target).transform(source))
    far = target.assign(age=target["age"] * 1e6, city="Paris", review="nothing of the kind here")
    np.testing.assert_array_equal(encoded, TableEncoder().fit(source, target=far).transform(source))
    np.testing.assert_array_equal(encoded, TableEncoder().fit(source).transform(source))


def test_inputs_and_hyperparameters_are_left_alone():
    source, target = mixed(), mixed(90, seed=1)
    before = source.copy(deep=True), target.copy(deep=True)
    encoder = TableEncoder(max_categories=7)
    encoder.fit(source, target=target).transform(target)
    pd.testing.assert_frame_equal(source, before[0])
    pd.testing.assert_frame_equal(target, before[1])
    assert encoder.get_params() == {"max_categories": 7, "text_components": 32, "random_state": 0, "text": "topics"}
    np.testing.assert_array_equal(encoder.transform(target), clone(encoder).fit(source).transform(target))


def test_rows_one_at_a_time_in_chunks_of_other_types_and_columns_in_any_order():
    encoder = TableEncoder().fit(mixed())
    new = mixed(12, seed=3)
    whole = encoder.transform(new)
    single = np.vstack([encoder.transform(new.iloc[[i]]) for i in range(len(new))])
    strings = encoder.transform(as_strings(new)[list(reversed(new.columns))].assign(further="?"))
    np.testing.assert_array_equal(single, whole)
    np.testing.assert_array_equal(strings, whole)
    assert encoder.transform(new.iloc[:0]).shape == (0, whole.shape[1])


def test_fitting_on_strings_is_fitting_on_types():
    table = mixed()
    typed, strings = TableEncoder().fit(table), TableEncoder().fit(as_strings(table))
    assert typed.kinds_ == strings.kinds_
    np.testing.assert_allclose(typed.transform(table), strings.transform(table), rtol=0, atol=1e-12)


def test_absent_column_is_named():
    encoder = TableEncoder().fit(mixed())
    with pytest.raises(ValueError, match="lacks the columns age, review"):
        encoder.transform(mixed().drop(columns=["age", "review", "id"]))


def test_unseen_and_rare_categories():
    source = pd.DataFrame({"c": ["a"] * 1000 + ["b"] * 1000 + [f"r{i}" for i in range(9)], "x": np.arange(2009) % 7})
    encoder = TableEncoder().fit(source)
    assert encoder.get_feature_names_out().tolist() == ["x", "c=a", "c=b", "c=(other)"]
    assert encoder.transform(pd.DataFrame({"c": ["new", "r3", "a", None], "x": [1] * 4}))[:, 1:].tolist() == [
        [0, 0, 1],
        [0, 0, 1],
        [1, 0, 0],
        [0, 0, 1],
    ]
    small = TableEncoder().fit(source.iloc[900:1100])
    assert small.transform(pd.DataFrame({"c": ["new"], "x": [1]}))[0, 1:].tolist() == [0, 0]
    capped = TableEncoder(max_categories=3).fit(pd.DataFrame({"c": list("aaabbbcccdd")}))
    assert len(capped.origin_) == 3


def test_extreme_target_values_stay_finite():
    source = pd.DataFrame({"a": [1.0, 2.0, 4.0], "b": [1e-300, 2e-300, 5e-300], "c": [1e308, -1e308, 5.0]})
    encoder = TableEncoder().fit(source)
    far = pd.DataFrame({"a": [1e308, -np.inf], "b": [1.0, -1e308], "c": [np.inf, 1e308]})
    encoded = encoder.transform(far)
    assert np.isfinite(encoded).all()
    assert np.isfinite((encoded**2).sum())
    assert np.isfinite(encoder.transform(source)).all()


def test_infinite_and_unreadable_cells_are_noted():
    source = pd.DataFrame({"a": [1.0, np.inf, 2.0, 5.0] * 10, "b": ["7", "8"] * 19 + ["9", "many"]})
    notes = {note.code: note.values for note in TableEncoder().fit(source).notes}
    assert notes["table.infinite"] == {"columns": ["a"], "count": 10}
    assert notes["table.unread"] == {"columns": ["b"], "count": 1}


def test_columns_the_target_does_not_have_or_cannot_say():
    source = pd.DataFrame({"x": [1.0, 2, 4], "only": [1.0, 2, 5], "void": [2.0, 1, 7], "odd": [3.0, 2, 9]})
    target = pd.DataFrame({"x": [1.0, 2], "void": [None, "?"], "odd": ["low", "high"], "further": [1, 2]})
    encoder = TableEncoder().fit(source, target=target)
    assert encoder.get_feature_names_out().tolist() == ["x"]
    notes = {note.code: note.values["columns"] for note in encoder.notes}
    assert notes == {
        "table.source_only": ["only"],
        "table.target_only": ["further"],
        "table.target_empty": ["void"],
        "table.target_unreadable": ["odd"],
    }


@pytest.mark.parametrize(
    "source", [pd.DataFrame({"a": [1, 1], "b": [None, None]}), pd.DataFrame(index=range(3)), pd.DataFrame({"a": []})]
)
def test_table_without_a_usable_column(source):
    with pytest.raises(ValueError, match="no column can be used"):
        TableEncoder().fit(source)


def test_bad_hyperparameters_and_inputs():
    with pytest.raises(ValueError, match="max_categories >= 2"):
        TableEncoder(max_categories=1).fit(mixed())
    with pytest.raises(ValueError, match="text_components >= 1"):
        TableEncoder(text_components=0).fit(mixed())
    with pytest.raises(ValueError, match="rows and columns"):
        TableEncoder().fit(np.ones(4))
    with pytest.raises(ValueError, match="same name: a"):
        TableEncoder().fit(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_arrays_and_polars_frames_are_tables():
    X = np.random.default_rng(0).normal(size=(30, 3))
    encoded = TableEncoder().fit_transform(X)
    np.testing.assert_allclose(encoded, StandardScaler().fit_transform(X), atol=1e-12)
    frame = pl.DataFrame({"x0": X[:, 0], "c": ["a", "b", "a"] * 10})
    assert TableEncoder().fit(frame).transform(frame).shape == (30, 3)


@pytest.mark.parametrize("strings", [False, True])
def test_fitted_encoder_is_kept_without_pickle(strings):
    table = as_strings(mixed()) if strings else mixed()
    encoder = TableEncoder().fit(table, target=table.drop(columns="rare"))
    data = skops.io.dumps(encoder)
    assert set(skops.io.get_untrusted_types(data=data)) <= set(TRUSTED)
    again = skops.io.loads(data, trusted=TRUSTED)
    new = mixed(50, seed=5)
    np.testing.assert_array_equal(again.transform(new), encoder.transform(new))
    assert again.notes == encoder.notes
    assert again.origin_ == encoder.origin_
    assert again.get_feature_names_out().tolist() == encoder.get_feature_names_out().tolist()


def test_topics_are_the_singular_directions_of_tf_idf():
    rng = np.random.default_rng(0)
    texts = np.array([" ".join(rng.choice([f"w{i}" for i in range(12)], 6)) for _ in range(60)], dtype=object)
    places = Topics(components=4).fit_transform(texts)
    weights = TfidfVectorizer(sublinear_tf=True).fit_transform(texts).toarray()
    exact = weights @ np.linalg.svd(weights, full_matrices=False)[2][:4].T
    exact = (exact - exact.mean(axis=0)) / np.sqrt(exact.var(axis=0).mean())
    np.testing.assert_allclose(np.abs(places), np.abs(exact), atol=1e-8)
    assert places.var(axis=0).mean() == pytest.approx(1)


@pytest.mark.parametrize(
    "texts", [["。！", "？", "、。"], ["a b", "c d", "a d"], ["我喜欢这家酒店", "房间太小了", "服务很好"]]
)
def test_topics_of_signs_letters_and_chinese(texts):
    topics = Topics(components=3).fit(np.array(texts, dtype=object))
    places = topics.transform(np.array([*texts, "", "其他"], dtype=object))
    assert places.shape == (5, topics.size_)
    assert np.isfinite(places).all()


def test_median_fill_agrees_with_the_definition():
    X = np.random.default_rng(0).normal(size=(41, 6))
    X[::5, 1], X[3:30, 4] = np.nan, np.nan
    filled = MedianFill().fit_transform(X)
    for before, after in zip(X.T, filled.T, strict=True):
        middle = np.median(before[~np.isnan(before)])
        np.testing.assert_array_equal(after, np.where(np.isnan(before), middle, before))


def test_fewer_sentences_than_topics_have_as_many_names_as_outputs():
    texts = np.array([[f"word{i} and more of w{i * 7}x to say in row r{i}"] for i in range(8)], dtype=object)
    topics = Topics(components=32).fit(texts)
    assert topics.transform(texts).shape == (8, topics.size_)
    assert len(topics.get_feature_names_out()) == topics.size_


def test_a_column_that_rarely_moves_is_measured_by_its_moves():
    rng = np.random.default_rng(0)
    X = np.c_[rng.normal(5, 3, 1000), rng.lognormal(0, 3, 1000), rng.random(1000) < 0.3, np.full(1000, 0.1)]
    np.testing.assert_allclose(NumberScaler().fit_transform(X), StandardScaler().fit_transform(X), atol=1e-9)
    for share in (0.001, 0.01, 0.05):
        rare = np.where(np.arange(1000) < 1000 * share, rng.choice([-40.0, 40.0], 1000), 7.0)[:, None]
        scaler = NumberScaler().fit(rare)
        assert scaler.scale_[0] == pytest.approx(0.3 * np.sqrt(np.mean((rare[rare != 7] - 7) ** 2)))
        assert abs(scaler.transform([[40.0], [-40.0]])).max() < 5
        # scaled by the standard deviation, a target in which it moves would lie far from all others
        assert share > 0.02 or StandardScaler().fit(rare).transform([[40.0]])[0, 0] > 8
