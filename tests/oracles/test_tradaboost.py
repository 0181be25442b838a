"""TrAdaBoost, against the paper's loop in plain weights, AdaBoost where there is no source, and its own formulas."""

import numpy as np
import pytest
from sklearn.ensemble import AdaBoostClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from transfermap.data.toy import make_toy
from transfermap.methods.weighting.tradaboost import (
    TrAdaBoost,
    boost,
    source_rate,
    start_weights,
    target_rate,
    voters,
)

STUMP = DecisionTreeClassifier(max_depth=1, random_state=0)


def table(n=120, few=25, seed=0, toy="contrary_majority"):
    """Source and target rows below each other, labels with -1 where the target has none, and the domains."""
    made = make_toy(toy, n=n, seed=seed)
    X, y, d = np.r_[made.Xs, made.Xt], np.r_[made.ys, made.yt], np.repeat([0, -1], n)
    y[n + few :] = -1
    return X, y, d, made


def printed(Xs, ys, Xt, yt, Xnew, N, base):
    """The algorithm as printed, with 0/1 labels, weights that are never rescaled in place, and products for the vote.

    Its first weights give both domains the same sum; rounds with an error of a half or more must not occur.
    """
    n, m = len(ys), len(yt)
    X, y = np.r_[Xs, Xt], np.r_[ys, yt]
    w = np.r_[np.full(n, 1 / n), np.full(m, 1 / m)]
    beta, betas, guesses, errors = 1 / (1 + np.sqrt(2 * np.log(n) / N)), [], [], []
    for _ in range(N):
        h = base.fit(X, y, sample_weight=w / w.mean())
        miss = np.abs(h.predict(X) - y)
        e = (w[n:] * miss[n:]).sum() / w[n:].sum()
        assert 0 < e < 0.5
        betas.append(e / (1 - e))
        guesses.append(h.predict(Xnew))
        errors.append(e)
        w = np.r_[w[:n] * beta ** miss[:n], w[n:] * betas[-1] ** -miss[n:]]
    half = range(int(np.ceil(N / 2)) - 1, N)
    left = np.prod([betas[t] ** -guesses[t].astype(float) for t in half], axis=0)
    return (left >= np.prod([betas[t] ** -0.5 for t in half])).astype(int), np.array(errors)


@pytest.mark.parametrize("rounds", [1, 2, 5, 8])
def test_it_is_the_printed_algorithm(rounds):
    made = make_toy("prevalence_shift", n=150, seed=3)
    few = 40
    X, y = np.r_[made.Xs, made.Xt], np.r_[made.ys, made.yt]
    y[150 + few :] = -1
    expected, errors = printed(made.Xs, made.ys, made.Xt[:few], made.yt[:few], made.Xt, rounds, STUMP)
    ours = TrAdaBoost(estimator=STUMP, rounds=rounds).fit(X, y, sample_domain=np.repeat([0, -1], 150))
    np.testing.assert_allclose(ours.errors_, errors, atol=1e-12)
    np.testing.assert_array_equal(ours.predict(made.Xt), expected)


def test_the_sources_rate_takes_the_logarithm_of_the_rows_alone():
    # a peer takes ln(n / N) and gets 0.318
    assert source_rate(100, 10) == pytest.approx(1 / (1 + np.sqrt(2 * np.log(100) / 10)))
    assert source_rate(100, 10) == pytest.approx(0.510, abs=5e-4)
    assert source_rate(1, 7) == 1


def test_the_targets_rate_divides_by_one_less_the_error():
    # a peer divides by two less the error: 0.2 / 1.8 for 0.2 / 0.8
    assert target_rate(0.2, 2) == pytest.approx(0.25)
    assert target_rate(0.2, 3) == pytest.approx(0.125)
    assert target_rate(0.5, 2) == target_rate(0.9, 2) == target_rate(1.0, 2) == 1
    assert target_rate(0.6, 3) < 1
    assert target_rate(2 / 3, 3) == pytest.approx(1)
    assert 0 < target_rate(0.0, 2) < 1e-9


@pytest.mark.parametrize("n_classes", [2, 3])
def test_without_a_source_it_is_adaboost(n_classes):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 3))
    y = np.digitize(X[:, 0] + 0.7 * X[:, 1] + 0.3 * rng.normal(size=200), [0.0, 0.8][: n_classes - 1])
    found = boost(
        lambda w: DecisionTreeClassifier(max_depth=1, random_state=0).fit(X, y, sample_weight=w),
        lambda model: model.predict(X) != y,
        start_weights(0, 200, "rows"),
        0,
        n_classes,
        12,
    )
    ada = AdaBoostClassifier(DecisionTreeClassifier(max_depth=1), n_estimators=12, random_state=0).fit(X, y)
    np.testing.assert_allclose(found.errors, ada.estimator_errors_, atol=1e-9)
    np.testing.assert_allclose(found.votes, ada.estimator_weights_, atol=1e-8)


def scripted(missed, n_source, **params):
    """Boost with models whose mistakes are written down beforehand, one row a round."""
    missed = np.array(missed, dtype=bool)
    turn = iter(range(len(missed)))
    return boost(
        lambda w: next(turn),
        lambda t: missed[t],
        start_weights(n_source, missed.shape[1] - n_source, params.pop("start", "rows")),
        n_source,
        params.pop("n_classes", 2),
        len(missed),
        **params,
    )


def test_a_source_row_that_is_always_right_keeps_its_weight_and_others_shrink():
    # four source rows, three target rows that are wrong never, at first, and so on
    rounds = [[0, 1, 1, 0, 0, 1, 0], [0, 1, 0, 0, 1, 0, 0], [0, 1, 0, 0, 1, 0, 0]]
    found = scripted(rounds, 4)
    beta = source_rate(4, 3)
    ratio = found.weights / found.weights[:, :1]  # beside the row that was never wrong
    np.testing.assert_allclose(ratio[:, 1], [1, beta, beta**2])
    np.testing.assert_allclose(ratio[:, 2], [1, beta, beta])
    np.testing.assert_allclose(ratio[:, 3], 1)
    np.testing.assert_allclose(ratio[1, 4:], [1, 2, 1])  # error 1/3: the wrong one grows by (2/3) / (1/3)
    np.testing.assert_allclose(found.errors[:2], [1 / 3, 1 / 4])
    np.testing.assert_allclose(found.weights.mean(axis=1), 1)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_dynamic_updates_keep_the_share_of_a_source_that_is_never_wrong(n_classes):
    rounds = [[0, 0, 1, 0, 0, 0], [0, 0, 0, 1, 0, 0], [0, 0, 1, 0, 0, 0]]
    share = lambda w: w[:, :2].sum(axis=1) / w.sum(axis=1)  # noqa: E731
    plain, held = (scripted(rounds, 2, dynamic=k, n_classes=n_classes) for k in (False, True))
    assert (np.diff(share(plain.weights)) < -0.01).all()
    np.testing.assert_allclose(share(held.weights), 1 / 3)
    if n_classes == 2:
        factor = held.weights[1, 0] / held.weights[1, 5] / (plain.weights[1, 0] / plain.weights[1, 5])
        assert factor == pytest.approx(2 * (1 - plain.errors[0]))


def test_a_round_no_better_than_guessing_has_no_vote_and_the_whole_source_gives_way():
    found = scripted([[0, 1, 1, 1, 0], [0, 0, 0, 0, 0]], 2)
    assert found.votes[0] == 0
    np.testing.assert_allclose(found.weights[1, :2] / found.weights[1, 2:4], source_rate(2, 2))
    np.testing.assert_allclose(found.weights[1, 2:], found.weights[1, 2])
    # three classes: an error of 0.6 still beats guessing
    assert scripted([[0, 1, 1, 1, 0]], 0, n_classes=3).votes[0] > 0


def test_only_the_last_half_votes():
    for N, first in ((1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (20, 9)):
        found = scripted([[0, 1, 0, 0]] * N, 1)
        models, votes = voters(found)
        assert models == list(range(first, N))
        assert len(votes) == len(models)


def test_where_nothing_beats_guessing_the_best_model_speaks_alone():
    models, votes = voters(scripted([[0, 1, 1, 0], [0, 1, 1, 1], [0, 1, 1, 0]], 1))
    assert models == [1, 2]
    assert votes.tolist() == [0, 1]


def test_the_source_that_contradicts_the_target_loses_its_weight():
    X, y, d, made = table(n=300, few=30)
    ours = TrAdaBoost().fit(X, y, sample_domain=d)
    contrary = (made.Xs[:, 0] > 0) != made.ys
    last = ours.source_weights_[-1]
    # most contrary rows are wrong in each of the nine rounds before the last, most others in none
    assert np.median(last[contrary]) / np.median(last[~contrary]) == pytest.approx(source_rate(300, 10) ** 9)
    assert last[~contrary].mean() > 5 * last[contrary].mean()
    assert ours.source_weights_.shape == (10, 300)
    alone = LogisticRegression().fit(made.Xs, made.ys)
    assert ours.score(made.Xt, made.yt) > alone.score(made.Xt, made.yt) + 0.5


def test_the_estimator_gets_weights_of_mean_one():
    seen = []

    class Watcher(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            seen.append(sample_weight.mean())
            return super().fit(X, y, sample_weight)

    X, y, d, _ = table()
    TrAdaBoost(estimator=Watcher(), rounds=30).fit(X, y, sample_domain=d)
    assert len(seen) == 30
    np.testing.assert_allclose(seen, 1)


def test_many_rounds_neither_overflow_nor_vanish():
    X, y, d, _ = table()
    ours = TrAdaBoost(rounds=400, estimator=STUMP).fit(X, y, sample_domain=d)
    assert np.isfinite(ours.source_weights_).all()
    assert np.isfinite(ours.decision_function(X)).all()


def test_three_classes_and_their_probabilities():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 400)
    X = rng.normal(size=(400, 2)) + 3 * np.array([[0, 0], [1, 0], [0, 1]])[y]
    d, seen = np.repeat([0, -1], 200), np.array(["low", "mid", "top"], dtype=object)[y]
    seen[:150] = np.array(["mid", "top", "low"])[y[:150]]  # most of the source calls them by other names
    seen[230:] = None
    ours = TrAdaBoost().fit(X, seen, sample_domain=d)
    truth, alone = np.array(["low", "mid", "top"])[y[230:]], LogisticRegression().fit(X[:200], list(seen[:200]))
    assert ours.score(X[230:], truth) > alone.score(X[230:], truth) + 0.5
    P = ours.predict_proba(X)
    np.testing.assert_allclose(P.sum(axis=1), 1)
    assert (P > 0).all()
    np.testing.assert_array_equal(ours.classes_[P.argmax(axis=1)], ours.predict(X))


def test_what_it_refuses():
    X, y, d, _ = table()
    with pytest.raises(ValueError, match="takes no sample_weight"):
        TrAdaBoost(estimator=KNeighborsClassifier()).fit(X, y, sample_domain=d)
    y[120] = 7
    with pytest.raises(ValueError, match="class '7', which no source row has"):
        TrAdaBoost().fit(X, y, sample_domain=d)
