"""W-BDA: the paper's weights entry by entry, the released code's, and BDA where all classes are equally common."""

import numpy as np
import pytest
from scipy.linalg import eigh

from transfermap.data.toy import make_toy
from transfermap.methods.alignment._joint import nearest_labels
from transfermap.methods.alignment.bda import BDA
from transfermap.methods.alignment.wbda import WBDA, weighted_factor

ys, guess = np.array([0, 0, 0, 1, 2, 2]), np.array([1, 0, 1, 1])
toy = make_toy("class_shift", n=60)
X, y, d = np.r_[toy.Xs, toy.Xt], np.r_[toy.ys, np.full(60, -1)], np.repeat([1, -1], 60)


def test_the_papers_weights_entry_by_entry():
    # the released code's are others: it drops the first term and weighs the target's part alone
    E = weighted_factor(ys, guess, 3, 0.25, "paper")
    labels, source = np.r_[ys, guess], np.arange(10) < 6
    n = {c: ((ys == c).sum(), (guess == c).sum()) for c in range(3)}
    W = np.zeros((10, 10))
    for c in (0, 1):  # class 2 has nobody in the target
        ps, pt = n[c][0] / 6, n[c][1] / 4
        for i in np.flatnonzero(labels == c):
            for j in np.flatnonzero(labels == c):
                if source[i] and source[j]:
                    W[i, j] += ps / n[c][0] ** 2
                elif not source[i] and not source[j]:
                    W[i, j] += pt / n[c][1] ** 2
                else:
                    W[i, j] -= np.sqrt(ps * pt) / (n[c][0] * n[c][1])
    e0 = np.where(source, 1 / 6, -1 / 4)
    np.testing.assert_allclose(E @ E.T, 0.75 * 3 * np.outer(e0, e0) + 0.25 * W, atol=1e-12)


def test_the_released_codes_weights():
    E = weighted_factor(ys, guess, 3, 1.0, "code")
    np.testing.assert_array_equal(E[:, 0], 0)
    ratio = (1 / 4) / (3 / 6)
    np.testing.assert_allclose(E[:, 1], [1 / 3, 1 / 3, 1 / 3, 0, 0, 0, 0, -ratio, 0, 0])
    np.testing.assert_array_equal(E[:, 3], 0)


def test_a_label_that_the_source_lacks_leaves_no_trace():
    for weighting in ("paper", "code"):
        E = weighted_factor(np.array([0, 0, 1]), np.array([2, 0, 1]), 3, 0.5, weighting)
        assert np.isfinite(E).all()
        np.testing.assert_array_equal(E[:, 3], 0)


@pytest.mark.parametrize("weighting", ["paper", "code"])
def test_a_round_solves_the_weighted_problem(weighting):
    wbda = WBDA(mu=1.0, weighting=weighting, n_components=2, kernel="primal", reg=0.3, start="nearest", max_iter=1)
    Z = wbda.fit_transform(X, y, sample_domain=d)
    nearest = np.array([toy.ys[np.argmin(((toy.Xs - x) ** 2).sum(1))] for x in toy.Xt])
    factor = weighted_factor(toy.ys, nearest, 2, 1.0, weighting)
    M = X.T @ factor @ factor.T @ X / np.linalg.norm(factor @ factor.T)
    _, A = eigh(X.T @ (np.eye(120) - 1 / 120) @ X, M + 0.3 * np.eye(5), subset_by_index=[3, 4])
    expected = X @ (A[:, ::-1] / np.linalg.norm(A[:, ::-1], axis=0))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(np.abs(Z), np.abs(expected), atol=1e-6)
    np.testing.assert_array_equal(wbda.guess_, nearest_labels(Z[:60], toy.ys, Z[60:]))


def test_with_equally_common_classes_it_is_bda():
    yb = np.tile([0, 1], 60)
    Xb = np.random.default_rng(0).normal(size=(120, 4)) + 20 * np.outer(yb - 0.5, [1, 0, 0, 0])  # a sure guess
    Xb[60:, 1] += 3
    params = {"mu": 1.0, "n_components": 2, "reg": 0.3}
    ours, bda = (m(**params).fit_transform(Xb, yb, sample_domain=d) for m in (WBDA, BDA))
    np.testing.assert_allclose(ours, bda, atol=1e-8)
