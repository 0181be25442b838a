"""BBSE, against matrix algebra on the spec's example, an unhurried count of the confusion, and known shares."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from transfermap.data.toy import make_toy
from transfermap.methods.weighting._shared import cross_fitted, spread
from transfermap.methods.weighting.bbse import BBSE, class_weights, confusion

JOINT, MU = np.array([[0.35, 0.10], [0.15, 0.40]]), np.array([0.65, 0.35])
CENTRES = np.array([[0.0, 0.0], [2.5, 0.0], [0.0, 2.5]])


def clouds(n, shares, seed):
    rng = np.random.default_rng(seed)
    y = rng.choice(len(shares), n, p=shares)
    return rng.normal(size=(n, 2)) + CENTRES[y], y


def one_hot(guess, C):
    return np.eye(C)[guess]


def test_the_worked_example():
    np.testing.assert_allclose(class_weights(JOINT, MU, 0.0), [1.8, 0.2], atol=1e-8)
    np.testing.assert_allclose(class_weights(JOINT, MU, 0.0), np.linalg.solve(JOINT, MU), atol=1e-8)


def test_no_shift_gives_one_at_any_ridge():
    for ridge in (0.0, 0.01, 1.0):
        np.testing.assert_allclose(class_weights(JOINT, JOINT.sum(axis=1), ridge), 1, atol=1e-8)


@pytest.mark.parametrize("ridge", [0.001, 0.1])
def test_the_ridge_solves_its_problem(ridge):
    def cost(w):
        return ((JOINT @ w - MU) ** 2).sum() + ridge * (JOINT**2).sum() * ((w - 1) ** 2).sum()

    rival = minimize(cost, np.ones(2), bounds=[(0, None)] * 2, tol=1e-14).x
    np.testing.assert_allclose(class_weights(JOINT, MU, ridge), rival / (JOINT.sum(axis=0) @ rival), atol=1e-5)
    assert np.abs(class_weights(JOINT, MU, ridge) - 1).max() < 0.8


def test_a_perfect_classifier_gives_the_ratio_of_predicted_shares():
    truth, target = np.repeat([0, 1, 2], [50, 30, 20]), np.repeat([0, 1, 2], [10, 30, 60])
    for kind in ("hard", "soft"):
        joint, mu = confusion(one_hot(truth, 3), truth, one_hot(target, 3), kind)
        np.testing.assert_allclose(joint, np.diag([0.5, 0.3, 0.2]))
        np.testing.assert_allclose(class_weights(joint, mu, 0.0), [0.2, 1, 3], atol=1e-8)


def test_a_singular_confusion_leaves_what_it_cannot_tell_at_one():
    # classes 1 and 2 are always called 1: only their sum can be known
    truth, guess = np.repeat([0, 1, 2], [50, 30, 20]), np.repeat([0, 1, 1], [50, 30, 20])
    joint, mu = confusion(one_hot(guess, 3), truth, one_hot(np.repeat([0, 1], [20, 80]), 3), "hard")
    assert np.linalg.matrix_rank(joint) == 2
    w = class_weights(joint, mu, 0.0)
    assert w[0] == pytest.approx(0.4, abs=1e-5)
    assert 0.3 * w[1] + 0.2 * w[2] == pytest.approx(0.8, abs=1e-5)
    # nearest to no shift: the excess over one goes along (0.3, 0.2)
    assert (w[1] - 1) / (w[2] - 1) == pytest.approx(1.5, abs=1e-3)
    blind = one_hot(np.zeros(100, int), 3)
    np.testing.assert_allclose(class_weights(*confusion(blind, truth, blind, "hard"), 0.0), 1, atol=1e-6)


def test_the_confusion_counted_row_by_row():
    rng = np.random.default_rng(0)
    Ps, Pt, truth = rng.dirichlet([1, 1, 1], 40), rng.dirichlet([1, 2, 3], 30), rng.integers(0, 3, 40)
    hard, soft = np.zeros((3, 3)), np.zeros((3, 3))
    for p, c in zip(Ps, truth, strict=True):
        hard[np.argmax(p), c] += 1 / 40
        soft[:, c] += p / 40
    for kind, joint in (("hard", hard), ("soft", soft)):
        ours, mu = confusion(Ps, truth, Pt, kind)
        np.testing.assert_allclose(ours, joint)
        assert mu.sum() == pytest.approx(1)
    np.testing.assert_allclose(confusion(Ps, truth, Pt, "soft")[1], Pt.mean(axis=0))


def test_each_source_row_is_judged_by_a_rule_that_never_saw_it():
    Xs, ys = clouds(24, [0.5, 0.5], 3)
    Xt, _ = clouds(10, [0.5, 0.5], 4)
    count = min(np.bincount(ys))
    found = cross_fitted(Xs, ys, Xt, 1.0, count)  # as many folds as the rarer class has rows
    along = Xs @ np.random.default_rng(0).normal(size=2)
    turn = np.array([(along[ys == ys[i]] < along[i]).sum() % count for i in range(24)])
    for i in range(24):
        kept = turn != turn[i]
        scale = StandardScaler().fit(Xs[kept])
        rule = LogisticRegression().fit(scale.transform(Xs[kept]), ys[kept])
        np.testing.assert_allclose(found.Ps[i], rule.predict_proba(scale.transform(Xs[i : i + 1]))[0], atol=1e-6)
    scale = StandardScaler().fit(Xs)
    whole = LogisticRegression().fit(scale.transform(Xs), ys)
    np.testing.assert_allclose(found.Pt, whole.predict_proba(scale.transform(Xt)), atol=1e-6)


def test_copies_of_a_row_are_left_out_together():
    rng = np.random.default_rng(0)
    Xs, ys = rng.normal(size=(60, 20)), rng.integers(0, 2, 60)  # nothing to learn but the rows themselves
    twice = cross_fitted(np.repeat(Xs, 2, axis=0), np.repeat(ys, 2), Xs, 1e4, 5)
    right = (twice.Ps.argmax(axis=1) == np.repeat(ys, 2)).mean()
    assert right < 0.7


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_shares_are_recovered(kind):
    shares, found = np.array([0.15, 0.25, 0.6]), []
    for seed in range(8):
        (Xs, ys), (Xt, _) = clouds(1500, [0.5, 0.3, 0.2], seed), clouds(1500, shares, 100 + seed)
        y, d = np.r_[ys, np.full(1500, -1)], np.repeat([0, -1], 1500)
        bbse = BBSE(kind=kind).fit(np.r_[Xs, Xt], y, sample_domain=d)
        found.append(bbse.shares_)
        assert bbse.shares_.sum() == pytest.approx(1)
        np.testing.assert_allclose(bbse.class_weights_ * np.bincount(ys) / 1500, bbse.shares_)
        np.testing.assert_allclose(bbse.weights_, bbse.class_weights_[ys])
        np.testing.assert_allclose(bbse.shares_, shares, atol=0.12)  # four standard errors
    np.testing.assert_allclose(np.mean(found, axis=0), shares, atol=0.04)


def test_equal_domains_get_weights_near_one():
    for seed in range(4):
        X, y = clouds(2000, [0.6, 0.3, 0.1], seed)
        np.testing.assert_allclose(BBSE().weigh(X, y, X[::-1]), 1, atol=0.15)
        alike = BBSE().weigh(X, y, clouds(2000, [0.6, 0.3, 0.1], seed + 50)[0])
        assert np.abs(alike - 1).max() < 0.4


def test_names_of_classes_and_order_of_rows_change_nothing():
    X, y = clouds(200, [0.5, 0.3, 0.2], 0)
    Xt, _ = clouds(200, [0.2, 0.2, 0.6], 1)
    names, mixed = np.array(["b", "c", "z"])[y], np.random.default_rng(0).permutation(200)
    straight = BBSE().weigh(X, y, Xt)
    np.testing.assert_allclose(BBSE().weigh(X, names, Xt), straight)
    np.testing.assert_allclose(BBSE().weigh(X[mixed], y[mixed], Xt[::-1]), straight[mixed], atol=1e-9)


def test_weights_are_shrunk_and_held():
    truth, w = np.repeat([0, 1], [75, 25]), np.array([0.0, 4.0])
    np.testing.assert_array_equal(spread(w, truth, 0.0, 100.0).weights, 1)
    np.testing.assert_allclose(spread(w, truth, 0.5, 100.0).class_weights, [0.5, 2.5])
    held = spread(w, truth, 1.0, 2.0)
    np.testing.assert_allclose(held.class_weights, np.array([0.5, 2.0]) / 0.875)
    assert held.weights.mean() == pytest.approx(1)
    assert held.shares.sum() == pytest.approx(1)
    assert (spread(w, truth, 1.0, 100.0).weights > 0).all()


def test_too_few_rows_to_leave_any_out_change_nothing():
    X = np.arange(12.0)[:, None]
    one_of_a_kind = np.r_[np.zeros(5, int), 1]
    assert cross_fitted(X[:6], one_of_a_kind, X[6:], 1.0, 5) is None
    np.testing.assert_array_equal(BBSE().weigh(X[:6], one_of_a_kind, X[6:]), 1)
    three = np.r_[np.zeros(4, int), np.ones(4, int), 2]  # the third class alone is rare
    found = cross_fitted(X[:9], three, X[9:], 1.0, 5)
    np.testing.assert_allclose(found.Ps.sum(axis=1), 1)
    assert found.Ps[8, 2] == 0


def test_it_weighs_the_classes_of_the_toy():
    toy = make_toy("prevalence_shift", n=2000, seed=50)
    bbse = BBSE().fit(np.r_[toy.Xs, toy.Xt], np.r_[toy.ys, -toy.yt], sample_domain=np.repeat([0, -1], 2000))
    assert bbse.shares_[1] == pytest.approx(0.9, abs=0.05)
    assert bbse.weights_[toy.ys == 1].mean() == pytest.approx(1.8, abs=0.1)
