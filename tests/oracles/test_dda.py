"""DDA: the estimated balance against refitting without each row, and on shifts whose balance is known; its rounds."""

import numpy as np
import pytest

from transfermap.data.toy import make_toy
from transfermap.methods.alignment._dynamic import _left_out, a_distance, adaptive_factor
from transfermap.methods.alignment.bda import BDA
from transfermap.methods.alignment.dda import DDA

rng = np.random.default_rng(0)


def domains(n, d, whole=0.0, classes=0.0, seed=0):
    """Two classes a side; the target is moved along one column, and its classes apart along another."""
    r = np.random.default_rng(seed)
    y = np.tile([0, 1], n // 2)
    Xs, Xt = r.normal(size=(n, d)), r.normal(size=(n, d))
    Xt[:, 0] += whole
    Xt[:, 1] += classes * (2 * y - 1)
    return Xs, y, Xt, y


@pytest.mark.parametrize("d", [3, 60])
def test_predictions_are_those_of_the_rule_refitted_without_the_row(d):
    Z, side = rng.normal(size=(40, d)), np.repeat([1.0, -1.0], [25, 15])
    w = np.repeat([0.5 / 25, 0.5 / 15], [25, 15])
    centred = Z - w @ Z
    penalty = np.trace((centred * w[:, None]).T @ centred) / 40
    P, A = np.diag(np.r_[0, np.full(d, penalty)]), np.c_[np.ones(40), Z]
    refitted = []
    for i in range(40):
        rest = np.arange(40) != i
        WA = A[rest] * w[rest, None]
        refitted.append(A[i] @ np.linalg.solve(WA.T @ A[rest] + P, WA.T @ side[rest]))
    np.testing.assert_allclose(_left_out(Z, side, w), refitted, atol=1e-10)


def test_wide_tables_that_any_rule_can_part_do_not_all_give_one_half():
    # the error on the rows it was fitted to is 0 for both distances here, as in the released codes: always one half
    assert adaptive_factor(*domains(60, 200, classes=8), 2) > 0.9
    assert adaptive_factor(*domains(60, 200, whole=8), 2) == pytest.approx(0.5, abs=0.1)


def test_the_balance_is_where_it_should_be():
    assert adaptive_factor(*domains(400, 5, whole=3), 2) == pytest.approx(0.5, abs=0.05)  # each class moves too
    assert adaptive_factor(*domains(400, 5, classes=3), 2) > 0.9
    shares = make_toy("label_shift", n=600)  # only the domains as a whole differ
    assert adaptive_factor(shares.Xs, shares.ys, shares.Xt, shares.yt, 2) < 0.2


def test_distances_are_zero_for_one_distribution_and_two_for_two_worlds():
    alike, apart = domains(400, 5), domains(400, 5, whole=30)
    assert a_distance(alike[0], alike[2]) < 0.3
    assert a_distance(apart[0], apart[2]) == 2
    assert a_distance(apart[0], apart[2][:7]) == 2  # a small domain counts as much as a large one
    assert a_distance(np.ones((6, 2)), np.ones((6, 2))) == 0


def test_the_sum_over_classes_is_near_one_where_there_are_many():
    y = np.tile(np.arange(10), 40)
    Xs, Xt = rng.normal(size=(400, 4)), rng.normal(size=(400, 4)) + 4
    assert adaptive_factor(Xs, y, Xt, y, 10) == pytest.approx(0.5, abs=0.02)
    assert adaptive_factor(Xs, y, Xt, y, 10, "sum") == pytest.approx(10 / 11, abs=0.02)


def test_classes_with_fewer_than_five_rows_are_left_out_and_without_any_it_is_one_half():
    Xs, ys, Xt, yt = domains(40, 3, classes=5)
    rare = yt.copy()
    rare[np.flatnonzero(yt == 1)[4:]] = 2
    only = adaptive_factor(Xs, np.where(ys == 1, 3, 0), Xt, np.where(rare == 0, 0, 4), 5)
    assert adaptive_factor(Xs, ys, Xt, rare, 3) == only
    assert adaptive_factor(Xs[:8], ys[:8], Xt, yt, 2) == 0.5
    assert adaptive_factor(np.ones((20, 2)), ys[:20], np.ones((20, 2)), ys[:20], 2) == 0.5


def test_the_order_and_the_unit_do_not_matter():
    Xs, ys, Xt, yt = domains(100, 120, 0.4, 0.4)
    mixed, other = rng.permutation(100), rng.permutation(100)
    value = adaptive_factor(Xs, ys, Xt, yt, 2)
    # up to the rounding of sums in another order
    assert adaptive_factor(Xs[mixed], ys[mixed], Xt[other], yt[other], 2) == pytest.approx(value, rel=1e-12)
    assert adaptive_factor(1e3 * Xs + 5, ys, 1e3 * Xt + 5, yt, 2) == pytest.approx(value, rel=1e-12)
    assert 0 < value < 1


def test_a_round_is_bdas_with_the_estimated_balance():
    toy = make_toy("class_shift", n=60)
    X, y, d = np.r_[toy.Xs, toy.Xt], np.r_[toy.ys, toy.ys], np.repeat([1, -1], 60)
    dda = DDA(n_components=3, reg=1.0, max_iter=2).fit(X, y, sample_domain=d)
    assert len(dda.mu_) == 1
    bda = BDA(mu=dda.mu_[0], n_components=3, reg=1.0, max_iter=2).fit(X, y, sample_domain=d)
    np.testing.assert_array_equal(dda.projection_, bda.projection_)
    first = BDA(n_components=3, reg=1.0, max_iter=1).fit(X, y, sample_domain=d).guess_
    assert dda.mu_[0] == adaptive_factor(toy.Xs, toy.ys, toy.Xt, first, 2)


def test_each_round_estimates_anew():
    toy = make_toy("class_shift", n=100, seed=1)
    X, y, d = np.r_[toy.Xs, toy.Xt], np.r_[toy.ys, toy.ys], np.repeat([1, -1], 100)
    dda = DDA().fit(X, y, sample_domain=d)
    assert len(dda.mu_) == dda.n_iter_ - 1
    assert len(set(dda.mu_)) > 1
    nearest = DDA(start="nearest").fit(X, y, sample_domain=d)
    assert nearest.mu_[0] != dda.mu_[0]
    assert DDA(together="sum").fit(X, y, sample_domain=d).mu_[0] > dda.mu_[0]
