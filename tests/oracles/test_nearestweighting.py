"""Nearest-neighbour weights, against comparing all pairs one by one."""

import numpy as np
import pytest

from transfermap.methods.weighting import nearestweighting
from transfermap.methods.weighting.nearestweighting import NearestWeighting, neighbour_counts

rng = np.random.default_rng(0)


def one_by_one(Xs, Xt, k):
    """Counts by sorting every row's distances; places at equal distance are shared."""
    counts = np.zeros(len(Xs))
    for x in Xt:
        D = ((Xs - x) ** 2).sum(axis=1).round(9)
        last = np.sort(D)[k - 1]
        inside, level = last > D, last == D
        counts += inside + level * (k - inside.sum()) / level.sum()
    return counts


@pytest.mark.parametrize("d", [1, 3, 9, 60])
@pytest.mark.parametrize("k", [1, 4])
def test_counts_are_those_of_all_pairs(d, k):
    Xs, Xt = rng.normal(size=(90, d)), rng.normal(size=(70, d)) + 0.3
    np.testing.assert_allclose(neighbour_counts(Xs, Xt, k), one_by_one(Xs, Xt, k), atol=1e-9)


@pytest.mark.parametrize("d", [2, 12])
@pytest.mark.parametrize("k", [1, 3])
def test_rows_at_equal_distance_share_a_place(d, k):
    Xs, Xt = rng.integers(0, 2, size=(60, d)) * 1.0, rng.integers(0, 2, size=(50, d)) * 1.0
    counts = neighbour_counts(Xs, Xt, k)
    np.testing.assert_allclose(counts, one_by_one(Xs, Xt, k), atol=1e-9)
    mixed = rng.permutation(60)
    np.testing.assert_allclose(neighbour_counts(Xs[mixed], Xt, k), counts[mixed], atol=1e-9)


@pytest.mark.parametrize("k", [1, 2])
def test_copies_of_a_row_count_as_rows(k):
    Xs = np.repeat([[0.0], [2.0], [9.0]], [3, 1, 2], axis=0)
    Xt = np.array([[1.0], [1.0], [0.2], [8.0]])  # the first two lie as far from 0 as from 2
    np.testing.assert_allclose(neighbour_counts(Xs, Xt, k), one_by_one(Xs, Xt, k), atol=1e-12)
    assert neighbour_counts(Xs, Xt)[3] == pytest.approx(2 / 4)


@pytest.mark.parametrize("d", [3, 20])
def test_tiles_do_not_show(d, monkeypatch):
    Xs, Xt = rng.normal(size=(100, d)), rng.normal(size=(90, d))
    monkeypatch.setattr(nearestweighting, "_TILE", (7, 13))
    monkeypatch.setattr(nearestweighting, "_EXACT", 5)
    np.testing.assert_allclose(neighbour_counts(Xs, Xt), one_by_one(Xs, Xt, 1), atol=1e-9)


@pytest.mark.parametrize("far", [1e3, 1e7])
def test_columns_far_from_zero_do_no_harm(far):
    Xs, Xt = rng.normal(size=(80, 10)), rng.normal(size=(80, 10))
    np.testing.assert_allclose(neighbour_counts(Xs + far, Xt + far), one_by_one(Xs, Xt, 1), atol=1e-9)


def test_a_target_far_away_is_still_told_apart():
    # float32 alone would see every source row at the same distance
    Xs, Xt = rng.normal(size=(50, 10)), rng.normal(size=(40, 10)) + 1e4
    np.testing.assert_allclose(neighbour_counts(Xs, Xt), one_by_one(Xs, Xt, 1), atol=1e-9)


def test_all_the_weight_goes_to_source_rows_that_targets_are_near():
    # a peer inverts integer indices, which gives most of the weight to the other rows
    Xs = np.r_[rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + 20]
    w = NearestWeighting(smoothing=0.0).weigh(Xs, None, rng.normal(size=(200, 2)) + 20)
    assert w[:50].sum() == 0
    assert w.mean() == pytest.approx(1)


@pytest.mark.parametrize("d", [2, 20])
def test_equal_domains_weigh_all_rows_alike(d):
    Xs = rng.normal(size=(60, d))
    np.testing.assert_allclose(NearestWeighting().weigh(Xs, None, Xs[::-1]), 1)
    np.testing.assert_allclose(NearestWeighting(neighbours=99).weigh(Xs, None, Xs + 3), 1)


@pytest.mark.parametrize(("k", "smoothing"), [(1, 1.0), (1, 0.0), (5, 0.3)])
def test_the_formula(k, smoothing):
    Xs, Xt = rng.normal(size=(40, 3)), rng.normal(size=(60, 3)) + 0.5
    w = smoothing + one_by_one(Xs, Xt, k) / k
    np.testing.assert_allclose(NearestWeighting(neighbours=k, smoothing=smoothing).weigh(Xs, None, Xt), w / w.mean())
    assert neighbour_counts(Xs, Xt, k).sum() == pytest.approx(60 * k)


def test_a_tile_may_hold_one_row():
    Xs, Xt = rng.normal(size=(2049, 9)), rng.normal(size=(257, 9))
    np.testing.assert_allclose(neighbour_counts(Xs, Xt), one_by_one(Xs, Xt, 1), atol=1e-9)
