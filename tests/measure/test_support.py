"""Rows where none has been seen: the rate of false alarms, and equal results row by row."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.base import clone
from skops.io import dumps, loads

from transfermap.measure.shift.support import Support, _kth_distance


def cloud(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


@pytest.mark.parametrize(("d", "repeats"), [(2, 10), (50, 6), (300, 3)])
def test_about_one_fresh_row_in_a_hundred_is_far_in_any_number_of_columns(d, repeats):
    rates = []
    for seed in range(repeats):
        X = cloud(2500, d, seed)
        rates.append(Support(seed=seed).fit(X[:1500]).far(X[1500:]).mean())
    assert np.mean(rates) == pytest.approx(0.01, abs=0.005)


def test_a_row_far_away_is_far_in_any_number_of_columns():
    for d in (1, 50, 300):
        X = cloud(400, d)
        assert Support().fit(X).far(X[:1] + 3).all()


def test_distance_agrees_with_a_loop():
    X, new = cloud(60, 3) * [1, 10, 100], cloud(20, 3, 1) * [1, 10, 100]
    Z = X / X.std(axis=0)
    naive = [np.sort(np.linalg.norm(Z - x / X.std(axis=0), axis=1))[2] for x in new]
    np.testing.assert_allclose(Support(k=3).fit(X).distance(new), naive)


def test_threshold_is_the_left_out_quantile():
    X = cloud(150, 2)
    Z = X / X.std(axis=0)
    own = np.sort([np.sort(np.linalg.norm(Z - z, axis=1))[5] for z in Z])
    assert Support().fit(X).threshold_ == pytest.approx(own[int(np.ceil(151 * 0.99)) - 1])


def test_rows_one_at_a_time_give_exactly_the_same():
    support = Support().fit(cloud(700, 7))
    new = cloud(1203, 7, 1)
    whole = support.distance(new)
    assert [support.distance(new[i : i + 1])[0] for i in (0, 499, 500, 1202)] == whole[[0, 499, 500, 1202]].tolist()


def test_reference_is_limited_and_seeded():
    X = cloud(3000, 2)
    support = Support(most=200, seed=3).fit(X)
    assert support.reference_.shape == (200, 2)
    np.testing.assert_array_equal(support.reference_, Support(most=200, seed=3).fit(X).reference_)
    assert not np.array_equal(support.reference_, Support(most=200, seed=4).fit(X).reference_)


def test_it_is_saved_without_pickle_and_cloned():
    support = Support(k=2).fit(cloud(50, 3))
    new = cloud(10, 3, 1)
    again = loads(dumps(support), trusted=["transfermap.measure.shift.support.Support"])
    np.testing.assert_array_equal(again.distance(new), support.distance(new))
    assert clone(support).k == 2


def test_fit_leaves_the_rows_as_they_were():
    X = cloud(30, 2)
    before = X.copy()
    Support().fit(X).far(X)
    np.testing.assert_array_equal(X, before)


def test_tiny_and_constant_data():
    assert not Support().fit([[0.0], [1.0]]).far([[0.5]]).any()
    support = Support().fit(np.ones((10, 2)))
    assert support.far([[1.0, 1.0], [1.0, 2.0]]).tolist() == [False, True]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: Support().fit([[1.0]]), "at least 2 rows"),
        (lambda: Support().fit([[np.nan], [1.0]]), "finite"),
        (lambda: Support(k=0).fit([[0.0], [1.0]]), "k >= 1"),
        (lambda: Support(quantile=0).fit([[0.0], [1.0]]), "quantile"),
        (lambda: Support().distance([[1.0]]), "call fit first"),
        (lambda: Support().fit([[0.0], [1.0]]).far([[1.0, 2.0]]), "1 columns"),
    ],
)
def test_bad_input_says_what_was_expected(call, says):
    with pytest.raises(ValueError, match=says):
        call()


@pytest.mark.parametrize("make", ["normal", "copies", "grid", "far away", "huge"])
def test_the_kth_distance_is_to_the_bit_that_of_all_pairs(make):
    rng = np.random.default_rng(0)
    R, Z = rng.normal(size=(300, 7)), rng.normal(size=(120, 7))
    if make == "copies":
        Z[:60], R[1:20] = R[:60], R[0]
    elif make == "grid":
        R, Z = R.round(), Z.round()
    elif make == "far away":
        R, Z = R + 1e8, Z + 1e8
    elif make == "huge":
        R, Z = R * 1e6, Z * np.r_[1e-6, np.ones(6)] * 1e6
    for k in (1, 5, 300):
        expected = np.partition(cdist(Z, R), k - 1, axis=1)[:, k - 1]
        np.testing.assert_array_equal(_kth_distance(Z, R, k), expected)
