"""STL: the vote by hand, the transfer against full n x n matrices without the domains' own term, known limits."""

import numpy as np
import pytest
from scipy.linalg import eigh

from transfermap.data.toy import make_toy
from transfermap.methods.alignment import stl as module
from transfermap.methods.alignment.stl import STL, Strata, second_annotation, stratified, votes

rng = np.random.default_rng(0)
toy = make_toy("mean_shift_nuisance", n=50)
X, y, d = np.r_[toy.Xs, toy.Xt], np.r_[toy.ys, np.full(50, -1)], np.repeat([1, -1], 50)


def test_a_strict_majority_makes_a_candidate():
    ballots = np.array([[0, 0, 2, 1], [0, 1, 2, 0], [0, 1, 1, 2]])
    most = stratified(ballots, 3)
    np.testing.assert_array_equal(most.agreed, [True, True, True, False])
    np.testing.assert_array_equal(most.label[:3], [0, 1, 2])
    np.testing.assert_array_equal(stratified(ballots, 3, "all").agreed, [True, False, False, False])
    assert not stratified(np.array([[0], [1]]), 2).agreed.any()  # one of two is no majority


def test_the_voters_are_three_classifiers_trained_on_the_source():
    Zs, ys = np.r_[np.arange(-10.0, 0), np.arange(1.0, 11), 6.6][:, None], np.repeat([0, 1, 0], [10, 10, 1])
    ballots = votes(Zs, ys, np.array([[-2.5], [2.5], [6.6]]), 0)
    assert ballots.shape == (3, 3)
    np.testing.assert_array_equal(ballots[:, :2], [[0, 1]] * 3)
    assert ballots[0, 2] == 0  # the nearest row
    assert ballots[1, 2] == 1  # the line
    np.testing.assert_array_equal(votes(Zs, np.zeros(5, int), Zs, 0), 0)


def test_residuals_take_the_label_of_the_nearest_source_row_or_candidate():
    strata = Strata(np.array([1, 0, 0]), np.array([True, False, False]))
    Zs, Zt = np.array([[0.0], [1]]), np.array([[5.0], [4], [0.2]])
    np.testing.assert_array_equal(second_annotation(Zs, np.array([0, 1]), Zt, strata), [1, 1, 0])


def cast(ballots):
    """A vote whose outcome is given."""
    return lambda Zs, ys, Zt, seed: np.tile(ballots, (3, 1)) if np.ndim(ballots) == 1 else ballots


@pytest.mark.parametrize("kernel", ["linear", "primal"])
def test_a_round_aligns_the_classes_over_source_and_candidates_only(monkeypatch, kernel):
    three = np.array([toy.yt, toy.yt, toy.yt])
    three[1] = (three[1] + rng.integers(0, 2, 50)) % 2
    agreed = three[0] == three[1]
    monkeypatch.setattr(module, "votes", cast(three))
    stl = STL(agree="all", kernel=kernel, n_components=3, reg=0.4, max_iter=1)
    Z = stl.fit_transform(X, y, sample_domain=d)

    taken = np.r_[np.ones(50, bool), agreed]
    rows, labels, source = X[taken], np.r_[toy.ys, toy.yt[agreed]], (d > 0)[taken]
    F = rows.T if kernel == "primal" else rows @ rows.T
    n, M = len(rows), np.zeros((len(rows), len(rows)))
    for c in (0, 1):
        e = (source & (labels == c)) / (source & (labels == c)).sum()
        e = e - (~source & (labels == c)) / (~source & (labels == c)).sum()
        M += np.outer(e, e)
    A = F @ M @ F.T / np.linalg.norm(M) + 0.4 * np.eye(len(F))
    _, V = eigh(F @ (np.eye(n) - 1 / n) @ F.T, A, subset_by_index=[len(F) - 3, len(F) - 1])
    V = V[:, ::-1] / np.linalg.norm(V[:, ::-1], axis=0)
    expected = X @ V if kernel == "primal" else X @ rows.T @ V
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(np.abs(Z), np.abs(expected), atol=1e-6)
    np.testing.assert_array_equal(stl.agreed_, agreed)
    assert stl.n_candidates_ == [agreed.sum()]


def test_residuals_do_not_move_the_map(monkeypatch):
    ballots = np.array([toy.yt, toy.yt, toy.yt])
    ballots[1, :5] = 1 - ballots[1, :5]
    monkeypatch.setattr(module, "votes", cast(ballots))
    far = X.copy()
    far[50:55] += 100
    one, two = (STL(agree="all", max_iter=1).fit(A, y, sample_domain=d) for A in (X, far))
    np.testing.assert_allclose(one.projection_, two.projection_, atol=1e-9)


def test_with_true_votes_and_no_penalty_all_class_means_agree(monkeypatch):
    monkeypatch.setattr(module, "votes", cast(toy.yt))
    Z = STL(kernel="primal", reg=1e-10, n_components=3, normalize=False).fit_transform(X, y, sample_domain=d)
    for c in (0, 1):
        np.testing.assert_allclose(Z[:50][toy.ys == c].mean(0), Z[50:][toy.yt == c].mean(0), atol=1e-4)


def test_different_class_shares_alone_move_nothing():
    shares = make_toy("label_shift", n=200)
    rows, labels = np.r_[shares.Xs, shares.Xt], np.r_[shares.ys, np.full(200, -1)]
    stl = STL().fit(rows, labels, sample_domain=np.repeat([1, -1], 200))
    assert (stl.guess_ == shares.yt).mean() > 0.9


def test_the_order_of_rows_does_not_matter_to_the_forest():
    mixed = rng.permutation(100)
    Z = STL(agree="all").fit_transform(X, y, sample_domain=d)
    np.testing.assert_allclose(STL(agree="all").fit_transform(X[mixed], y[mixed], sample_domain=d[mixed]), Z[mixed])


def test_a_vote_without_agreement_takes_all(monkeypatch):
    monkeypatch.setattr(module, "votes", cast(np.array([np.zeros(50, int), np.ones(50, int)])))
    stl = STL(max_iter=2).fit(X, y, sample_domain=d)
    assert stl.n_candidates_[0] == 0
    assert np.isfinite(stl.transform(X)).all()


def test_it_stops_when_the_labels_stay():
    clear = X + np.outer(8 * np.r_[toy.ys, toy.yt], np.eye(6)[0])
    stl = STL(max_iter=30).fit(clear, np.where(y == 1, "yes", "no"), sample_domain=d)
    assert 1 < stl.n_iter_ < 30
    assert len(stl.n_candidates_) == stl.n_iter_
    assert set(stl.guess_) == {"yes", "no"}
