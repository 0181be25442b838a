"""DASVM, against the same rules written row by row, by-hand moves, and a guard that must catch what goes wrong."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC, LinearSVC

from transfermap.data.toy import make_toy
from transfermap.methods.predictor.dasvm import DASVM, class_scores, cross, dropped, foremost, leads, ramped

LOGISTIC = LogisticRegression(tol=1e-10, max_iter=10_000)


def learn(X, y, w):
    return LogisticRegression(tol=1e-10, max_iter=10_000).fit(X, y, sample_weight=w)


def table(toy, n=300, seed=0):
    made = make_toy(toy, n=n, seed=seed)
    return np.r_[made.Xs, made.Xt], np.r_[made.ys, np.full(n, -1)], np.repeat([0, -1], n), made


def row_by_row(Xs, ys, Xt, rounds, margin, start):
    """The rounds with lists and sorting, for two classes 0 and 1."""
    source, label, age = set(range(len(ys))), {}, {}
    model, turn = learn(Xs, ys, np.ones(len(ys))), 0
    quota = int(np.ceil(len(Xt) / (2 * rounds)))
    counts = [int(np.ceil((ys == c).sum() / rounds)) for c in (0, 1)]
    while turn < 2 * rounds:
        turn += 1
        f, g = model.decision_function(Xt), model.decision_function(Xs)
        guess = [int(v > 0) for v in f]
        edge = margin
        if margin is None:
            edge = np.median([abs(g[i]) for i in source] + [abs(f[j]) for j in label])
        leave = [j for j in label if label[j] != guess[j]]
        join = []
        for c in (0, 1):
            inside = [j for j in range(len(Xt)) if j not in label and guess[j] == c and abs(f[j]) <= edge]
            join += sorted(inside, key=lambda j: -abs(f[j]))[:quota]
        for j in leave:
            del label[j]
        for j in join:
            label[j], age[j] = guess[j], turn
        gone = []
        for c in (0, 1):
            own = sorted((i for i in source if ys[i] == c), key=lambda i, c=c: -g[i] if c else g[i])
            far = own[: counts[c]]
            if len(far) < len(own) or c in label.values():
                gone += far
        source -= set(gone)
        i, j = sorted(source), sorted(label)
        wt = [start + (1 - start) * min((turn - age[k]) / (rounds / 4), 1) ** 2 for k in j]
        ws = [1 - (1 - start) * min(turn / rounds, 1) ** 2] * len(i)
        w = np.array(ws + wt)
        model = learn(np.r_[Xs[i], Xt[j]], np.r_[ys[i], [label[k] for k in j]], w / w.mean())
        if not gone and max(len(join), len(leave)) <= 0.03 * len(Xt):
            break
    return model, turn, len(label) / len(Xt)


@pytest.mark.parametrize(("rounds", "margin", "start"), [(20, None, 1.0), (8, 2.0, 1.0), (10, None, 0.2), (1, None, 1)])
@pytest.mark.parametrize("toy", ["drifting_rule", "class_shift"])
def test_the_rounds_are_those_written_row_by_row(toy, rounds, margin, start):
    made = make_toy(toy, n=90, seed=2)
    model, turn, labelled = row_by_row(made.Xs, made.ys, made.Xt, rounds, margin, start)
    ours = cross(learn, made.Xs, made.ys, made.Xt, rounds, margin, start)
    assert (ours.rounds, ours.labelled) == (turn, labelled)
    np.testing.assert_allclose(ours.model.coef_, model.coef_, atol=1e-6)


def test_it_follows_the_rule_as_it_drifts():
    gains = []
    for seed in range(70, 76):
        X, y, d, made = table("drifting_rule", seed=seed)
        ours, alone = DASVM().fit(X, y, sample_domain=d), LogisticRegression().fit(made.Xs, made.ys)
        assert ours.accepted_ and ours.reason_ == "the way back succeeds"
        assert ours.way_back_ > 0.95
        assert ours.labelled_ > 0.9
        gains.append(ours.score(made.Xt, made.yt) - alone.score(made.Xt, made.yt))
    assert min(gains) > 0.1
    assert np.mean(gains) > 0.2


def test_the_guard_falls_back_to_exactly_source_only():
    # self-training runs away here: the source's curved rule is no line, and the target lies in one part of it
    harm = []
    for seed in range(70, 74):
        X, y, d, made = table("covariate_shift", seed=seed)
        ours = DASVM(estimator=LOGISTIC).fit(X, y, sample_domain=d)
        assert not ours.accepted_
        assert ours.reason_ == "the way back does worse than source-only's"
        assert ours.way_back_ < ours.way_back_source_only_ - 0.05
        alone = learn(made.Xs, made.ys, None)
        np.testing.assert_allclose(ours.predict_proba(made.Xt), alone.predict_proba(made.Xt), atol=1e-9)
        unguarded = DASVM(estimator=LOGISTIC, slack=1.0).fit(X, y, sample_domain=d)
        assert unguarded.accepted_
        harm.append(unguarded.score(made.Xt, made.yt) - alone.score(made.Xt, made.yt))
    assert np.mean(harm) < -0.1  # what the guard has saved us from


def test_the_ways_back_are_what_they_say():
    X, y, d, made = table("covariate_shift", n=150, seed=70)
    ours = DASVM(estimator=LOGISTIC, rounds=10).fit(X, y, sample_domain=d)
    there = cross(learn, made.Xs, made.ys, made.Xt, 10, None, 1.0).model.predict(made.Xt)
    back = cross(learn, made.Xt, there, made.Xs, 10, None, 1.0).model.predict(made.Xs)
    plain = learn(made.Xs, made.ys, None).predict(made.Xt)
    bar = learn(made.Xt, plain, None).predict(made.Xs)
    for found, guess in ((ours.way_back_, back), (ours.way_back_source_only_, bar)):
        assert found == pytest.approx(np.mean([(guess[made.ys == c] == c).mean() for c in (0, 1)]))


def test_a_target_out_of_the_margins_sight_is_left_alone():
    X, y, d, _ = table("no_shift", n=60)
    X[60:, 0] += 50
    ours = DASVM().fit(X, y, sample_domain=d)
    assert not ours.accepted_
    assert ours.reason_ == "no target row lies inside the margin"
    assert np.isnan(ours.way_back_)
    assert set(ours.predict(X[60:])) == {1}


def test_the_farthest_on_their_own_side_are_dropped_and_a_class_keeps_its_last():
    truth, kept = np.array([0, 0, 0, 1, 1, 1]), np.array([True, True, True, True, True, False])
    lead = np.array([2.0, -3.0, 1.0, 0.5, 4.0, -np.inf])
    gone = dropped(lead, truth, kept, np.array([0, 0]), np.array([1, 1]))
    assert gone.tolist() == [True, False, False, False, True, False]
    all_of_them = np.array([3, 3])
    assert not dropped(lead, truth, kept, np.array([0, 0]), all_of_them).any()
    assert dropped(lead, truth, kept, np.array([0, 7]), all_of_them).tolist() == [False] * 3 + [True, True, False]


def test_the_foremost_of_each_group_with_their_ties():
    values, group = np.array([1.0, 3.0, 3.0, 2.0, 9.0, 5.0]), np.array([0, 0, 0, 0, -1, 1])
    assert foremost(values, group, np.array([1, 1])).tolist() == [False, True, True, False, False, True]
    assert foremost(values, group, np.array([3, 4])).tolist() == [False, True, True, True, False, True]
    assert foremost(values, group, np.array([9, 1])).tolist() == [True, True, True, True, False, True]


def test_leads_of_two_and_more_classes():
    F = np.array([[1.0, 4.0, 2.0], [5.0, 0.0, 4.5]])
    assert leads(F, np.array([1, 0])).tolist() == [2, 0.5]
    assert leads(F, np.array([0, 2])).tolist() == [-3, -0.5]
    X, y = make_toy("no_shift", n=50)[:2]
    for model in (LOGISTIC, LinearSVC(dual=False)):
        model.fit(X, y)
        f = model.decision_function(X)
        np.testing.assert_allclose(leads(class_scores(model, X), y), np.where(y == 1, f, -f))
    bayes = GaussianNB().fit(X, y)
    odds = np.diff(bayes.predict_log_proba(X))[:, 0]
    near = np.abs(odds) < 20
    np.testing.assert_allclose(leads(class_scores(bayes, X), y)[near], np.where(y == 1, odds, -odds)[near], atol=1e-6)


def test_weights_grow_and_fall_as_squares():
    wt, ws = ramped(np.array([0, 1, 2, 5, 9]), 10, 20, 0.2)
    np.testing.assert_allclose(wt, 0.2 + 0.8 * np.array([0, 1 / 25, 4 / 25, 1, 1]))
    assert ws == pytest.approx(1 - 0.8 / 4)
    assert ramped(np.array([3]), 30, 20, 0.2)[1] == pytest.approx(0.2)
    assert ramped(np.array([0, 7]), 3, 20, 1.0)[0].tolist() == [1, 1]


def three_clouds(n, turn, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    angle = 2 * np.pi * y / 3 + turn
    return rng.normal(size=(n, 2)) + 4 * np.column_stack([np.cos(angle), np.sin(angle)]), y


@pytest.mark.parametrize("estimator", [None, SVC(), LinearSVC(dual=False), GaussianNB()], ids=type)
def test_three_classes_turn_together(estimator):
    (Xs, ys), (Xt, yt) = three_clouds(300, 0.0, 0), three_clouds(300, 0.8, 1)
    names = np.array(["ash", "elm", "oak"])
    y = np.r_[names[ys], np.full(300, "?")].astype(object)
    y[300:] = None
    ours = DASVM(estimator=estimator).fit(np.r_[Xs, Xt], y, sample_domain=np.repeat([0, -1], 300))
    alone = (LogisticRegression() if estimator is None else estimator).fit(Xs, names[ys])
    assert ours.accepted_
    assert ours.score(Xt, names[yt]) > max(0.95, alone.score(Xt, names[yt]) + 0.03)
    np.testing.assert_allclose(ours.predict_proba(Xt).sum(axis=1), 1)


def test_probabilities_are_the_estimators():
    X, y, d, made = table("drifting_rule", n=100)
    ours = DASVM().fit(X, y, sample_domain=d)
    np.testing.assert_allclose(ours.predict_proba(made.Xt), ours.estimator_.predict_proba(made.Xt), atol=1e-9)


@pytest.mark.parametrize("toy", ["drifting_rule", "covariate_shift", "prevalence_shift"])
def test_the_order_of_rows_and_names_of_classes_change_nothing(toy):
    X, y, d, _ = table(toy, n=120)
    mixed = np.random.default_rng(0).permutation(240)
    one = DASVM(estimator=LOGISTIC).fit(X, y, sample_domain=d)
    two = DASVM(estimator=LOGISTIC).fit(X[mixed], y[mixed], sample_domain=d[mixed])
    assert (one.accepted_, one.n_rounds_, one.labelled_) == (two.accepted_, two.n_rounds_, two.labelled_)
    np.testing.assert_allclose(one.decision_function(X), two.decision_function(X), atol=1e-6)
    named = DASVM(estimator=LOGISTIC).fit(X, np.array(["no", "yes", "?"])[y], sample_domain=d)
    np.testing.assert_array_equal(named.decision_function(X), one.decision_function(X))


def test_an_estimator_without_weights_is_refused():
    X, y, d, _ = table("no_shift", n=30)
    with pytest.raises(ValueError, match="DASVM weighs rows, but KNeighborsClassifier"):
        DASVM(estimator=KNeighborsClassifier()).fit(X, y, sample_domain=d)
