"""EasyTL: the assignment against a solver for linear programs, the rest against scikit-learn's nearest centroids."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import linprog
from sklearn.neighbors import NearestCentroid

from transfermap.data.toy import make_toy
from transfermap.methods.alignment.easytl import EasyTL, cheapest_assignment
from transfermap.methods.subspace.coral import CORAL


def program(D):
    """The least cost of the paper's linear program."""
    n, C = D.shape
    of_row = sparse.kron(sparse.eye_array(n), np.ones((1, C)))
    of_class = sparse.kron(np.ones((1, n)), sparse.eye_array(C))
    found = linprog(D.ravel(), A_eq=of_row, b_eq=np.ones(n), A_ub=-of_class, b_ub=-np.ones(C), bounds=(0, 1))
    assert found.status == 0
    return found.fun


def cost(D, choice):
    return D[np.arange(len(D)), choice].sum()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("n", "C"), [(40, 3), (12, 5), (6, 6), (30, 10)])
def test_it_is_the_optimum_of_the_linear_program(n, C, seed):
    D = np.random.default_rng(seed).random((n, C)) + 0.1
    choice = cheapest_assignment(D)
    assert len(np.unique(choice)) == C
    assert cost(D, choice) == pytest.approx(program(D), abs=1e-8)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("n", "C", "far"), [(40, 4, 1), (15, 6, 4), (8, 6, 5), (7, 7, 6), (60, 9, 8)])
def test_it_is_the_optimum_also_where_nearest_means_leave_classes_empty(n, C, far, seed):
    D = np.random.default_rng(seed).random((n, C))
    D[:, :far] += 2
    choice = cheapest_assignment(D)
    assert len(np.unique(D.argmin(axis=1))) < C
    assert len(np.unique(choice)) == C
    assert cost(D, choice) == pytest.approx(program(D), abs=1e-8)


def test_a_class_with_one_row_may_have_to_give_it_up():
    D = np.array([[1.0, 5.0, 1.1], [1.0, 5.0, 9.0], [9.0, 2.0, 2.5]])
    choice = cheapest_assignment(D)
    np.testing.assert_array_equal(choice, [2, 0, 1])
    assert cost(D, choice) == pytest.approx(program(D))


def test_fewer_rows_than_classes_keep_their_nearest():
    D = np.random.default_rng(0).random((3, 5))
    np.testing.assert_array_equal(cheapest_assignment(D), D.argmin(axis=1))


@pytest.mark.parametrize("labels", [[0, 1], ["b", "a"]])
def test_it_is_nearest_means_after_coral(labels):
    toy = make_toy("site_offsets", n=80)
    X, d, y = np.r_[toy.Xs, toy.Xt], np.repeat([1, -1], 80), np.array(labels)[np.r_[toy.ys, toy.yt]]
    Z = CORAL(reg=1.0).fit_transform(X, sample_domain=d)
    for align, rows in (("none", X), ("coral", Z)):
        easy = EasyTL(align=align).fit(X, y, sample_domain=d)
        plain = NearestCentroid().fit(rows[:80], y[:80])
        np.testing.assert_array_equal(easy.predict(toy.Xt), plain.predict(toy.Xt))
        np.testing.assert_allclose(easy.means_, plain.centroids_, atol=1e-10)


def test_the_guess_differs_from_the_nearest_mean_only_where_a_class_would_be_empty():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 20)
    Xs = rng.normal(size=(60, 2)) + 8 * np.eye(3)[y][:, :2]
    Xt = rng.normal(loc=[8, 0], size=(40, 2))
    easy = EasyTL(align="none").fit(
        np.r_[Xs, Xt], np.r_[y, -np.ones(40, int)], sample_domain=np.repeat([1, -1], [60, 40])
    )
    assert set(easy.predict(Xt)) == {0}
    assert (np.unique(easy.guess_, return_counts=True)[1] == [38, 1, 1]).all()


def test_probabilities_follow_the_source():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 4000)
    Xs = rng.normal(size=(4000, 1)) + 2.0 * y[:, None]
    easy = EasyTL(align="none").fit(np.r_[Xs, Xs], np.r_[y, y], sample_domain=np.repeat([1, -1], 4000))
    at = np.array([[0.0], [1.0], [2.0]])
    truth = 1 / (1 + np.exp(2 - 2 * at.ravel()))  # two unit Gaussians, 2 apart
    np.testing.assert_allclose(easy.predict_proba(at)[:, 1], truth, atol=0.03)
