"""What columns hold is found out once, and said in plain values."""

import json

import numpy as np
import pandas as pd
import pytest

from transfermap.data.encode.encoder import TableEncoder
from transfermap.data.tables.schema import Schema, read_cells

N = 40


def source():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": [f"K-{i:03d}" for i in range(N)],
            "price": [f"{value:.2f}".replace(".", ",") for value in rng.normal(size=N)],
            "day": [f"{1 + i % 28:02d}.{1 + i % 12:02d}.2024" for i in range(N)],
            "city": ["Rome", "Oslo"] * (N // 2),
            "fixed": [7.0] * N,
            "blank": [None] * N,
            "gone": rng.normal(size=N),
            "odd": rng.normal(size=N),
            "here": rng.normal(size=N),
            "wide": np.where(np.arange(N) == 3, np.inf, rng.normal(size=N)),
            "typo": ["x", *(f"{value:.3f}" for value in rng.normal(size=N - 1))],
        }
    )


def target():
    return source().drop(columns="here").assign(gone=None, odd="low", further=1)


def test_each_column_has_its_kind_style_and_role():
    schema = read_cells(source(), target()).schema
    assert [(c.name, c.kind, c.style, c.role, c.why) for c in schema.columns] == [
        ("id", "identifier", "", "id", "identifier"),
        ("price", "number", "1.234,5", "feature", ""),
        ("day", "date", "dmy", "feature", ""),
        ("city", "category", "", "feature", ""),
        ("fixed", "constant", "1234.5", "unused", "constant"),
        ("blank", "empty", "", "unused", "empty"),
        ("gone", "number", "1234.5", "unused", "target_empty"),
        ("odd", "number", "1234.5", "unused", "target_unreadable"),
        ("here", "number", "1234.5", "unused", "source_only"),
        ("wide", "number", "1234.5", "feature", ""),
        ("typo", "number", "1234.5", "feature", ""),
        ("further", None, "", "unused", "target_only"),
    ]
    assert (schema["wide"].infinite, schema["typo"].unread) == (1, 1)
    assert "?" in schema.missing


def test_cells_stand_in_the_form_of_their_kinds_in_both_tables():
    cells = read_cells(source(), target())
    for side in (cells.source, cells.target):
        assert "here" not in side
        assert side["price"].dtype == side["fixed"].dtype == np.float64
        assert side["day"].dt.year.eq(2024).all() and side["city"].tolist()[:2] == ["Rome", "Oslo"]
    assert cells.source["price"][0] == float(source()["price"][0].replace(",", "."))
    assert np.isnan(cells.source["wide"][3]) and np.isnan(cells.source["typo"][0])
    assert list(cells.source) == list(cells.target)


def test_the_schema_survives_json():
    schema = read_cells(source(), target()).schema
    assert Schema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema


@pytest.mark.parametrize("values", [{}, {"columns": [{"name": "a", "kin": 1}], "missing": []}])
def test_what_is_no_schema_is_refused(values):
    with pytest.raises(ValueError, match="expected the missing-value words"):
        Schema.from_dict(values)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="'a' has no kind 'nmber'"):
        Schema.from_dict({"missing": [], "columns": [{"name": "a", "kind": "nmber"}]})


def test_the_encoder_learns_the_same_from_cells_as_from_tables():
    cells = read_cells(source(), target())
    ours, theirs = TableEncoder(), TableEncoder()
    X = ours.fit_cells(cells)
    np.testing.assert_array_equal(X, theirs.fit_transform(source(), target=target()))
    np.testing.assert_array_equal(ours.transform_cells(cells.target), theirs.transform(target()))
    assert [note.code for note in ours.notes] == [note.code for note in theirs.notes]
    assert {"table.target_empty", "table.target_unreadable", "table.infinite", "table.unread"} <= {
        note.code for note in ours.notes
    }


def test_a_style_is_found_on_the_cells_as_they_will_be_read():
    # "5.0" says that the comma parts no thousands here, and a comma for the decimals would make it fifty
    mixed = pd.Series(["12,5", "5.0"] * 20, name="mixed")
    cells = read_cells(mixed.to_frame())
    assert cells.schema["mixed"].kind == "category"
