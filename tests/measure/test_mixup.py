"""MixVal: a naive loop, what the two shares see, and what collapse does."""

from __future__ import annotations

import numpy as np
import pytest

from transfermap.measure.validators.mixup import mixval


def two_moons(n=400, seed=0):
    """Two clouds on a line, and which of them a row belongs to."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    return np.column_stack([30.0 * y, np.zeros(n)]) + rng.normal(size=(n, 2)), y


def nearest(corners):
    def predict(X):
        return np.linalg.norm(X[:, None] - corners, axis=2).argmin(axis=1)

    return predict


def test_it_agrees_with_a_loop_over_the_pairs_that_the_predictor_was_shown():
    X = np.random.default_rng(0).normal(size=(60, 3))
    predict = nearest(np.random.default_rng(1).normal(size=(4, 3)))
    shown = []

    def recording(rows):
        shown.append(rows)
        return predict(rows)

    found = mixval(recording, X, part=0.6, repeats=3, seed=5)
    assert len(shown) == 4
    own, right = predict(X), {True: [], False: []}
    for mixtures in shown[1:]:
        partners = (mixtures - 0.6 * X) / 0.4
        which = [int(np.linalg.norm(X - p, axis=1).argmin()) for p in partners]
        np.testing.assert_allclose(X[which], partners, atol=1e-9)
        assert sorted(which) == list(range(60))  # each row once
        assert all(i != j for i, j in enumerate(which))  # and never with itself
        for i, j in enumerate(which):
            right[bool(own[i] == own[j])].append(predict(mixtures[[i]])[0] == own[i])
    assert found.intra == pytest.approx(np.mean(right[True]))
    assert found.inter == pytest.approx(np.mean(right[False]))


def test_the_right_boundary_beats_a_misplaced_one_and_a_random_one():
    X, _ = two_moons()
    right, misplaced = mixval(lambda Z: Z[:, 0] > 15, X), mixval(lambda Z: Z[:, 0] > 0, X)
    assert right.inter > 0.9 > misplaced.inter
    random = mixval(lambda Z: (np.abs(Z).sum(axis=1) * 1e6).astype(int) % 2, X)
    assert right.intra == 1 > random.intra
    assert random == pytest.approx((0.5, 0.5), abs=0.12)


def test_a_convex_class_is_always_right_inside():
    X = np.random.default_rng(2).normal(size=(200, 4))
    predict = nearest(np.random.default_rng(3).normal(size=(5, 4)))  # Voronoi cells are convex
    assert mixval(predict, X, repeats=3).intra == 1


def test_a_collapsed_predictor_wins_intra_and_comes_last_in_inter():
    X, _ = two_moons()
    collapsed = mixval(lambda Z: np.full(len(Z), "a"), X)
    assert collapsed == (1, 0)
    assert collapsed.inter < mixval(lambda Z: Z[:, 1] > 0, X).inter


def test_classes_that_hold_one_row_each_have_no_inside():
    X = np.arange(5.0)[:, None]
    assert mixval(lambda Z: Z[:, 0].round(2), X) == (0, 0)


def test_names_of_classes_do_not_matter_and_the_seed_does():
    X, _ = two_moons()
    predict = nearest(np.array([[2.0, 0], [4, 1], [3, -1]]))
    named = mixval(lambda Z: np.array(["z", "x", "y"])[predict(Z)], X, seed=1)
    assert named == mixval(predict, X, seed=1) != mixval(predict, X, seed=2)


def test_the_rows_are_left_alone_and_bad_input_is_refused():
    X, _ = two_moons(20)
    before = X.copy()
    mixval(lambda Z: Z[:, 0] > 3, X)
    np.testing.assert_array_equal(X, before)
    for part in (0.5, 1.0, float("nan")):
        with pytest.raises(ValueError, match="part between"):
            mixval(lambda Z: Z[:, 0] > 3, X, part=part)
    with pytest.raises(ValueError, match="repeats"):
        mixval(lambda Z: Z[:, 0] > 3, X, repeats=0)
    with pytest.raises(ValueError, match="at least 2 rows"):
        mixval(lambda Z: Z[:, 0] > 3, X[:1])
    with pytest.raises(ValueError, match="the prediction to have shape"):
        mixval(lambda Z: Z[:3, 0], X)
    with pytest.raises(ValueError, match="finite"):
        mixval(lambda Z: Z[:, 0] > 3, [[np.nan], [1.0]])
