"""The bridge both ways: what is parted and joined again is what it was; side information; who reads which labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import BaseEstimator

from transfermap.split import Reads, Side, Split, split


class Anything(BaseEstimator):
    """Whose input it is does not matter here."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


LABELS = {
    "whole": np.array([0, 2, 1, 0, 2]),
    "with minus one": np.array([-1, 1, 1, -1, 1]),
    "float": np.array([0.5, -1.0, 2.25, 3.0, 0.0], dtype=np.float32),
    "text": np.array(["a", "bb", "a", "bb", "bb"]),
    "flag": np.array([True, False, True, False, True]),
}


def same(a: Split, b: Split) -> None:
    for name, one, other in zip(Split._fields, a, b, strict=True):
        if one is None or other is None:
            assert one is None and other is None, name
        elif name == "side":
            assert np.array_equal(one.pairs, other.pairs)
        else:
            one, other = (x.toarray() if sparse.issparse(x) else np.asarray(x) for x in (one, other))
            assert one.dtype == other.dtype and np.array_equal(one, other), name


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("reads", ["none", "source", "both", "target"])
def test_split_of_joined_is_the_identity(labels, reads):
    rng = np.random.default_rng(0)
    y = LABELS[labels]
    if reads in ("both", "target") and labels == "with minus one":
        pytest.skip("-1 marks target rows without a label: a class of that name is refused")
    Xs, Xt = rng.normal(size=(5, 3)), rng.normal(size=(4, 3))
    where = np.array([0, 2, 0, 2, 2]), np.array([-1, -3, -1, -2])
    known = np.array([True, False, True, False])
    side = Side(pairs=np.arange(9))
    ys = y if reads in ("source", "both") else None
    yt = (y[:2], known) if reads in ("both", "target") else (None, None)
    before = Split(Xs, ys, Xt, *where, *yt, side)
    X, joint, d = before.joined()
    same(split(Anything(), X, joint, d, Reads(reads), before.side), before)


def test_sparse_rows_are_joined_too():
    Xs, Xt = sparse.random(6, 4, 0.5, "csr", random_state=0), sparse.random(5, 4, 0.5, "csr", random_state=1)
    before = Split.of(Xs, np.arange(6) % 2, Xt)
    X, y, d = before.joined()
    same(split(Anything(), X, y, d, Reads("source")), before)


def test_an_unlabelled_source_is_no_obstacle_where_no_label_is_read():
    X, y = np.arange(12.0).reshape(6, 2), np.array([np.nan, 1.0, np.nan, np.nan, 0.0, 1.0])
    d = np.array([0, 0, 0, -1, -1, -1])
    assert split(Anything(), X, y, d, Reads()).ys is None
    found = split(Anything(), X, y, d, Reads("target"))
    assert found.ys is None and found.yt.tolist() == [0.0, 1.0]
    with pytest.raises(ValueError, match="NaN"):
        split(Anything(), X, y, d, Reads("source"))


def test_one_target_row_is_enough_for_who_says_so():
    X, d = np.arange(6.0).reshape(3, 2), np.array([0, 0, -1])
    with pytest.raises(ValueError, match="1 target rows"):
        split(Anything(), X, None, d, Reads())
    assert split(Anything(), X, None, d, Reads(target_rows=1)).Xt.shape == (1, 2)


def test_side_information_follows_the_rows_and_is_refused_where_it_does_not_fit():
    X, d = np.arange(10.0).reshape(5, 2), np.array([-1, 0, 0, -1, 0])
    found = split(Anything(), X, None, d, Reads(side="pairs"), Side(pairs=[7, 8, 7, -1, 9]))
    assert found.side.pairs.tolist() == [8, 7, 9, 7, -1]
    with pytest.raises(ValueError, match=r"needs side information: expected side=Side\(pairs"):
        split(Anything(), X, None, d, Reads(side="pairs"))
    with pytest.raises(ValueError, match="one a row of X"):
        split(Anything(), X, None, d, Reads(), Side(pairs=[1, 2]))
    for bad in ({}, {"a": [1, 2], "b": [1]}, {"a": [np.nan]}, {"a": ["x"]}, {"a": 1.0}):
        with pytest.raises(ValueError, match="attributes"):
            split(Anything(), X, None, d, Reads(side="attributes"), Side(attributes=bad))


@given(st.lists(st.integers(-1, 4), max_size=12), st.lists(st.integers(-1, 4), max_size=12))
def test_pairs_are_all_rows_of_one_number(s, t):
    i, j = Side(pairs=np.array([*s, *t], dtype=int)).paired(len(s))
    naive = {(a, b) for a, x in enumerate(s) for b, z in enumerate(t) if x == z >= 0}
    assert set(zip(i.tolist(), j.tolist(), strict=True)) == naive and len(i) == len(naive)


def test_shuffled_side_information_holds_the_same_things_elsewhere():
    side = Side(pairs=np.arange(50), attributes={k: [float(k), 1.0] for k in range(20)})
    other = side.shuffled(0)
    assert sorted(other.pairs) == list(range(50)) and not np.array_equal(other.pairs, side.pairs)
    assert set(other.attributes) == set(side.attributes) and other.attributes != side.attributes
    assert sorted(other.attributes.values()) == sorted(side.attributes.values())


def test_pairs_are_dealt_out_with_their_rows_and_attributes_go_along_whole():
    side = Side(pairs=[3, 4, 3, -1], attributes={"a": [1.0]})
    some = side[[0, 2]]
    assert side.shape == (4,) and some.pairs.tolist() == [3, 3] and some.attributes is side.attributes
    assert not hasattr(Side(attributes={"a": [1.0]}), "shape")
    assert len(side[:2].paired(1)[0]) == 0  # the partner is not among them
