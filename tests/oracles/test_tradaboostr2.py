"""Two-stage TrAdaBoost.R2, against loops over rows written from the paper, and what each stage must keep."""

import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeRegressor

from transfermap.data.toy import make_toy
from transfermap.methods.weighting.tradaboostr2 import (
    TrAdaBoostR2,
    adjusted_errors,
    dealt,
    frozen_boost,
    held_out_error,
    lowered,
    predict,
    target_share,
    two_stage,
    weighted_median,
)

rng = np.random.default_rng(0)
TREE = DecisionTreeRegressor(max_depth=2, random_state=0)


def learn(X, y, w):
    return DecisionTreeRegressor(max_depth=2, random_state=0).fit(X, y, sample_weight=w)


def table(n=60, few=15, seed=0):
    """Source and labelled target rows of the toy, and the number of the former."""
    toy = make_toy("contrary_majority", n=n, seed=seed, task="regression")
    return np.r_[toy.Xs, toy.Xt[:few]], np.r_[toy.ys, toy.yt[:few]], n


def printed_boost(X, y, w, n, N):
    """AdaBoost.R2 of Drucker by loops, with the first n weights never touched."""
    w, models, votes = list(np.array(w) / np.sum(w)), [], []
    for _ in range(N):
        h = learn(X, y, np.array(w) * len(w))
        off = [abs(a - b) for a, b in zip(y, h.predict(X), strict=True)]
        e = [v / max(off) for v in off]
        error = sum(a * b for a, b in zip(w, e, strict=True)) / sum(w)
        if error >= 0.5:
            break
        beta = error / (1 - error)
        models.append(h)
        votes.append(np.log(1 / beta))
        before = sum(w[n:])
        w[n:] = [w[i] * beta ** (1 - e[i]) for i in range(n, len(w))]
        w[n:] = [v * before / sum(w[n:]) for v in w[n:]]
    return models, np.array(votes)


def test_the_inner_boosting_is_adaboost_r2_with_a_frozen_source():
    X, y, n = table()
    w = rng.random(len(y)) + 0.1
    models, votes = printed_boost(X, y, w, n, 8)
    ours = frozen_boost(learn, X, y, w, n, 8)
    assert len(votes) > 3
    np.testing.assert_allclose(ours.votes, votes, rtol=1e-9)
    for a, b in zip(ours.models, models, strict=True):
        np.testing.assert_allclose(a.predict(X), b.predict(X))


def test_no_round_moves_a_source_weight():
    X, y, n = table()
    seen = []

    def watched(X, y, w):
        seen.append(w)
        return learn(X, y, w)

    frozen_boost(watched, X, y, np.ones(len(y)), n, 6)
    assert len(seen) > 3
    for w in seen:
        np.testing.assert_allclose(w[:n], 1)
        assert w.sum() == pytest.approx(len(y))
    assert np.ptp(seen[-1][n:]) > 0.05


def test_rows_without_weight_take_no_part():
    X, y, n = table()
    w = np.r_[np.zeros(n), np.ones(len(y) - n)]
    X[0], y[0] = 1e6, 1e9
    with_source, alone = frozen_boost(learn, X, y, w, n, 5), frozen_boost(learn, X[n:], y[n:], w[n:], 0, 5)
    np.testing.assert_allclose(with_source.votes, alone.votes)
    np.testing.assert_allclose(predict(with_source, X), predict(alone, X))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_the_rate_is_the_root_that_gives_the_target_its_share(share):
    w, e = rng.random(40) / 10 + 0.05, rng.random(40)
    found = lowered(w, e, share)
    assert 1 / (1 + found.sum()) == pytest.approx(share)
    beta = brentq(lambda b: (w * b**e).sum() - (1 - share) / share, 1e-300, 1, xtol=1e-300, rtol=1e-14)
    np.testing.assert_allclose(found, w * beta**e, rtol=1e-9)


def test_the_rate_where_no_root_exists():
    w = np.array([0.2, 0.3, 0.5])
    assert lowered(w, np.array([0.0, 0.4, 1.0]), 1.0).tolist() == [0, 0, 0]
    # no row errs: all give way alike
    np.testing.assert_allclose(lowered(w, np.zeros(3), 0.8), w / 4)
    # rows that are right hold more than is left: what no rate can take is taken from them
    np.testing.assert_allclose(lowered(w, np.array([0.0, 1.0, 1.0]), 0.9), [1 / 9, 0, 0], atol=1e-12)


def test_the_targets_share_rises_evenly_to_all_of_it():
    assert [target_share(t, 5, 90, 10) for t in range(5)] == pytest.approx([0.1, 0.325, 0.55, 0.775, 1.0])
    assert target_share(0, 1, 90, 10) == pytest.approx(0.1)
    X, y, n = table()
    found = two_stage(learn, X, y, n, 5, 3, 3)
    np.testing.assert_allclose(found.shares, [target_share(t, 5, n, len(y) - n) for t in range(5)])
    np.testing.assert_array_equal(found.weights[-1], 0)
    np.testing.assert_allclose(found.weights[0], 1)


def test_both_stages_are_the_printed_ones():
    X, y, n = table()
    m, S = len(y) - n, 4
    found = two_stage(learn, X, y, n, S, 3, 3)
    w, fold = np.ones(n + m) / (n + m), dealt(X[n:], y[n:], 3)
    for t in range(S):
        np.testing.assert_allclose(found.weights[t], w[:n] * (n + m), rtol=1e-6, atol=1e-12)
        squares = []
        for k in range(3):
            kept = np.r_[np.ones(n, bool), fold != k]
            models, votes = printed_boost(X[kept & (w > 0)], y[kept & (w > 0)], w[kept & (w > 0)], n * (t < S - 1), 3)
            for i in np.flatnonzero(fold == k) + n:
                guess = sorted((h.predict(X[i : i + 1])[0], v) for h, v in zip(models, votes, strict=True))
                reached = np.cumsum([v for _, v in guess])
                value = next(g for (g, _), r in zip(guess, reached, strict=True) if r >= reached[-1] / 2)
                squares.append((value - y[i]) ** 2)
        assert found.errors[t] == pytest.approx(np.mean(squares))
        if t < S - 1:
            e = adjusted_errors(y, learn(X, y, w * (n + m)).predict(X))
            goal = m / (n + m) + (t + 1) / (S - 1) * (1 - m / (n + m))
            if goal < 1:
                gap = lambda b, w=w, e=e, goal=goal: w[n:].sum() / (w[n:].sum() + w[:n] @ b ** e[:n]) - goal  # noqa: E731
                w[:n] *= brentq(gap, 1e-300, 1, xtol=1e-300, rtol=1e-14) ** e[:n]
            else:
                w[:n] = 0
            w /= w.sum()
    assert found.chosen == found.errors.argmin()


def test_errors_are_divided_by_the_largest_and_bent_by_the_loss():
    y, guess = np.array([0.0, 1.0, 4.0]), np.array([0.0, 2.0, 2.0])
    np.testing.assert_allclose(adjusted_errors(y, guess), [0, 0.5, 1])
    np.testing.assert_allclose(adjusted_errors(y, guess, "square"), [0, 0.25, 1])
    np.testing.assert_allclose(adjusted_errors(y, guess, "exponential"), 1 - np.exp([0, -0.5, -1]))
    np.testing.assert_array_equal(adjusted_errors(y, y), 0)


def test_the_weighted_median_by_hand():
    guesses = np.array([[3.0, 1.0, 2.0], [5.0, 5.0, 9.0]])
    assert weighted_median(guesses, np.array([1.0, 1.0, 1.0])).tolist() == [2, 5]
    assert weighted_median(guesses, np.array([5.0, 1.0, 1.0])).tolist() == [3, 5]
    assert weighted_median(guesses, np.array([1.0, 1.0, 9.0])).tolist() == [2, 9]
    assert weighted_median(guesses, np.array([1.0, 2.0, 1.0])).tolist() == [1, 5]  # half is enough
    np.testing.assert_array_equal(weighted_median(rng.normal(size=(6, 1)).repeat(4, 1), rng.random(4) + 1).shape, (6,))


def test_folds_follow_the_rows_not_their_order():
    X, y = rng.normal(size=(23, 2)), np.repeat(np.arange(12.0), 2)[:23]
    fold, mixed = dealt(X, y, 5), rng.permutation(23)
    np.testing.assert_array_equal(dealt(X[mixed], y[mixed], 5), fold[mixed])
    assert np.bincount(fold).tolist() == [5, 5, 5, 4, 4]
    sums = [y[fold == k].mean() for k in range(5)]
    assert np.ptp(sums) < 3  # each fold has low and high labels


def test_rows_left_out_are_not_learnt_from():
    X, y, n = table()
    fold = dealt(X[n:], y[n:], 3)
    learnt = []

    def boosted(X, y, w):
        learnt.append(set(y))
        return frozen_boost(learn, X, y, w, n, 1)

    error = held_out_error(boosted, X, y, np.ones(len(y)), n, fold)
    assert len(learnt) == 3
    for k, seen in enumerate(learnt):
        assert seen == set(y[:n]) | set(y[n:][fold != k])
    wild = y.copy()
    wild[n:][fold == 0] += 1000
    assert held_out_error(boosted, X, wild, np.ones(len(y)), n, fold) > error + 900**2 / 3


def test_a_source_that_helps_is_kept_and_one_that_harms_is_not():
    made = rng.normal(size=(230, 3))
    y = made @ [1.0, -2.0, 0.5] + 0.3 * rng.normal(size=230)
    y_few = np.r_[y[:212], np.full(18, np.nan)]
    d = np.repeat([0, -1], [200, 30])
    same = TrAdaBoostR2(estimator=LinearRegression()).fit(made, y_few, sample_domain=d)
    assert same.step_ < 5
    upside_down = np.r_[-y[:200], y_few[200:]]
    other = TrAdaBoostR2(estimator=LinearRegression()).fit(made, upside_down, sample_domain=d)
    assert other.errors_[0] > 10 * other.errors_[-1]
    assert other.score(made[212:], y[212:]) > 0.5
    own = two_stage(lambda X, y, w: LinearRegression().fit(X, y, w), made[:212], y[:212], 200, 6, 5, 5)
    assert own.errors[own.chosen] <= own.errors[-1]  # never worse, by cross-validation, than the target alone


def test_the_order_of_rows_changes_nothing_with_trees():
    X, y, n = table(few=20)
    d, mixed = np.r_[np.zeros(n, int), -np.ones(20, int)], rng.permutation(len(y))
    one = TrAdaBoostR2(estimator=TREE).fit(X, y, sample_domain=d)
    two = TrAdaBoostR2(estimator=TREE).fit(X[mixed], y[mixed], sample_domain=d[mixed])
    assert one.step_ == two.step_
    np.testing.assert_allclose(one.errors_, two.errors_, rtol=1e-9)
    np.testing.assert_allclose(one.predict(X), two.predict(X), atol=1e-9)


def test_what_it_refuses():
    X, y, n = table(few=5)
    d = np.r_[np.zeros(n, int), -np.ones(5, int)]
    with pytest.raises(ValueError, match="takes no sample_weight"):
        TrAdaBoostR2(estimator=KNeighborsRegressor()).fit(X, y, sample_domain=d)
    y[n + 1 :] = np.nan
    with pytest.raises(ValueError, match="expected 2 or more labels, got 1"):
        TrAdaBoostR2(estimator=Ridge()).fit(X, y, sample_domain=d)
