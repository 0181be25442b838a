"""JDOT, against the alternation by brute force on a line, its losses written out, and its limits."""

from itertools import permutations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from transfermap.adapted import Adapted
from transfermap.methods.transport.jdot import JDOT, class_losses, class_scores

rng = np.random.default_rng(0)


def both(Xs, ys, Xt, mark):
    return np.r_[Xs, Xt], np.r_[ys, np.full(len(Xt), mark)], np.repeat([1, -1], [len(Xs), len(Xt)])


def brute(C):
    """The cheapest of all assignments."""
    n = len(C)
    return np.array(min(permutations(range(n)), key=lambda p: C[range(n), p].sum()))


def test_regression_on_a_line_is_the_alternation_by_brute_force():
    Xs, Xt = np.arange(6.0)[:, None], np.array([0.3, 0.7, 2.2, 2.9, 4.1, 5.5])[:, None]
    ys = np.array([50.0, 62.0, 55.0, 81.0, 70.0, 90.0])
    C0 = (Xs - Xt.T) ** 2
    C0 = 0.3 * C0 / C0.max()
    cost = C0
    for _ in range(10):
        goal = np.empty(6)
        goal[brute(cost)] = ys
        model = LinearRegression().fit(Xt, goal)
        cost = C0 + (ys[:, None] - model.predict(Xt)) ** 2 / ys.var()
    jdot = JDOT(estimator=LinearRegression(), alpha=0.3, rounds=10)
    X, y, d = both(Xs, ys, Xt, np.nan)
    np.testing.assert_allclose(jdot.fit(X, y, sample_domain=d).predict(Xt), model.predict(Xt), atol=1e-8)
    first = JDOT(estimator=LinearRegression(), alpha=0.3, rounds=1).fit(X, y, sample_domain=d)
    assert not np.allclose(first.predict(Xt), model.predict(Xt)), "the toy must need more than one round"


def test_classes_on_a_line_are_the_alternation_by_brute_force():
    Xs, Xt = np.r_[-2.0, -1.2, -0.4, 0.5, 1.1, 2.3][:, None], np.r_[-0.9, -0.1, 0.8, 1.6, 2.0, 3.4][:, None]
    ys = np.array([0, 0, 1, 0, 1, 1])
    C0 = (Xs - Xt.T) ** 2
    C0 = 0.2 * C0 / C0.max()
    cost, fits = C0, []
    for _ in range(10):
        goal = np.empty(6, int)
        goal[brute(cost)] = ys
        fits.append(LogisticRegression(tol=1e-10).fit(Xt, goal))
        cost = C0 - np.log(np.maximum(fits[-1].predict_proba(Xt).T[ys], 1e-3))
    X, y, d = both(Xs, ys, Xt, -1)
    jdot = JDOT(estimator=LogisticRegression(tol=1e-10), alpha=0.2).fit(X, y, sample_domain=d)
    np.testing.assert_allclose(jdot.predict_proba(Xt), fits[-1].predict_proba(Xt), atol=1e-6)
    assert not np.allclose(fits[0].coef_, fits[-1].coef_), "the toy must need more than one round"


def test_where_nothing_moved_it_is_training_on_the_source():
    X0, y0 = rng.normal(size=(60, 3)), rng.integers(0, 2, 60)
    X, y, d = both(X0, y0, X0[::-1], -1)
    jdot = JDOT(rounds=1, estimator=LogisticRegression(tol=1e-10)).fit(X, y, sample_domain=d)
    plain = LogisticRegression(tol=1e-10).fit(X0, y0)
    np.testing.assert_allclose(jdot.predict_proba(X0), plain.predict_proba(X0), atol=1e-6)


def test_a_translation_is_undone():
    X0 = rng.normal(size=(300, 2))
    y0 = X0 @ [2.0, -1.0]
    v = np.array([4.0, 9.0])
    X, y, d = both(X0, y0, X0 + v, np.nan)
    jdot = JDOT(estimator=LinearRegression()).fit(X, y, sample_domain=d)
    np.testing.assert_allclose(jdot.predict(X0 + v), y0, atol=1e-8)


def test_the_unit_of_the_label_does_not_matter():
    Xs, Xt = rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + 1
    ys = Xs[:, 0] ** 2
    small, large = (
        JDOT(estimator=Ridge()).fit(*both(Xs, k * ys, Xt, np.nan)[:2], sample_domain=np.repeat([1, -1], 50)).predict(Xt)
        for k in (1, 1e6)
    )
    np.testing.assert_allclose(large, 1e6 * small, rtol=1e-6)


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        LinearSVC(),
        RidgeClassifier(),
        KNeighborsClassifier(3),
        DecisionTreeClassifier(max_depth=3),
    ],
    ids=lambda e: type(e).__name__,
)
@pytest.mark.parametrize("classes", [2, 3])
def test_any_classifier_will_do(estimator, classes):
    inner = np.random.default_rng(3)
    y0 = np.arange(240) % classes
    X0 = inner.normal(size=(240, 2)) + 6 * np.column_stack([np.cos(2.1 * y0), np.sin(2.1 * y0)])
    X, y, d = both(X0[:120], y0[:120], X0[120:] + 3, -1)
    model = Adapted(JDOT(), estimator).fit(X, y, sample_domain=d)
    assert model.score(X0[120:] + 3, y0[120:]) > 0.95
    assert model.predict_proba(X0).shape == (240, classes)


def test_the_losses_of_classes():
    X0, y0 = rng.normal(size=(90, 2)), np.arange(90) % 3
    sure = LogisticRegression().fit(X0, y0)
    np.testing.assert_allclose(class_losses(sure, X0, np.arange(3)), -np.log(sure.predict_proba(X0)), rtol=1e-9)
    svm = LinearSVC().fit(X0, y0)
    h = svm.decision_function(X0)
    signs = 2 * np.eye(3) - 1
    expected = np.stack([(np.maximum(1 - signs[c] * h, 0) ** 2).sum(axis=1) for c in range(3)], axis=1)
    np.testing.assert_allclose(class_losses(svm, X0, np.arange(3)), expected, rtol=1e-9)
    pair = LinearSVC().fit(X0, y0 > 0)
    h = pair.decision_function(X0)
    expected = 2 * np.column_stack([np.maximum(1 + h, 0) ** 2, np.maximum(1 - h, 0) ** 2])
    np.testing.assert_allclose(class_losses(pair, X0, np.array([False, True])), expected, rtol=1e-9)
    scores = class_scores(pair, X0, np.array([False, True]))
    np.testing.assert_allclose(scores[:, 1] - scores[:, 0], h)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_batches_of_all_rows_are_no_batches_and_small_ones_come_near(task):
    inner = np.random.default_rng(4)
    y0 = inner.integers(0, 2, 800)
    X0 = inner.normal(size=(800, 3)) + 4 * y0[:, None]
    X, y, d = both(X0[:400], y0[:400] * 1.0 if task == "regression" else y0[:400], X0[400:] + 5, -1)
    last = Ridge() if task == "regression" else LogisticRegression()
    whole = JDOT(estimator=last).fit(X, y, sample_domain=d)
    one = JDOT(estimator=last, batch_size=400).fit(X, y, sample_domain=d)
    np.testing.assert_array_equal(one.predict(X), whole.predict(X))
    small = JDOT(estimator=last, batch_size=60).fit(X, y, sample_domain=d)
    assert np.abs(small.predict(X0[400:] + 5) - y0[400:]).mean() < 0.15


def test_a_plan_without_room_is_refused_at_once_with_a_way_out():
    X = rng.normal(size=(2000, 2))
    y, d = rng.integers(0, 2, 2000), np.repeat([1, -1], 1000)
    with pytest.raises(ValueError, match=r"JDOT: .* more than max_gb=0.001; set batch_size=1000 or raise max_gb"):
        JDOT(max_gb=1e-3).fit(X, y, sample_domain=d)
    assert JDOT(max_gb=1e-3, batch_size=100, rounds=1).fit(X, y, sample_domain=d).predict(X).shape == (2000,)
