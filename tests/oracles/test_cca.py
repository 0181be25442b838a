"""Canonical correlation analysis: the generalised eigenproblem, what is known of it, and pairs that say nothing."""

import numpy as np
import pytest
from scipy.linalg import eigh
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from transfermap.adapted import Adapted
from transfermap.methods.crossmodal.cca import CCA
from transfermap.split import Side

rng = np.random.default_rng(0)
d = np.repeat([0, -1], 200)
things = rng.normal(size=(200, 3))
A = things @ rng.normal(size=(3, 5)) + 0.5 * rng.normal(size=(200, 5)) + 3
B = np.c_[things @ rng.normal(size=(3, 4)) + 0.5 * rng.normal(size=(200, 4)), np.full(200, np.nan)]
WHOLE = Side(pairs=np.tile(np.arange(200), 2))


def fitted(A, B, side=WHOLE, **params):
    return CCA(**params).fit(np.r_[A, B], sample_domain=np.repeat([0, -1], [len(A), len(B)]), side=side)


def naive(A, B, reg):
    """Correlations and axes from [0 Cab; Cba 0] w = rho [Ca 0; 0 Cb] w, with the ridges on the right."""
    p, q, n = A.shape[1], B.shape[1], len(A)
    A, B = A - A.mean(0), B - B.mean(0)
    Ca, Cb, Cab = A.T @ A / (n - 1), B.T @ B / (n - 1), A.T @ B / (n - 1)
    left, right = np.zeros((p + q, p + q)), np.zeros((p + q, p + q))
    left[:p, p:], left[p:, :p] = Cab, Cab.T
    right[:p, :p] = Ca + reg * np.trace(Ca) / p * np.eye(p)
    right[p:, p:] = Cb + reg * np.trace(Cb) / q * np.eye(q)
    values, W = eigh(left, right)
    k = min(p, q)
    values, W = values[::-1][:k], W[:, ::-1][:, :k] * np.sqrt(2)  # each view's half has length one
    return values, A @ W[:p], B @ W[p:]


@pytest.mark.parametrize("reg", [0, 0.01, 2.0])
@pytest.mark.parametrize("power", [0, 1, 0.5])
def test_it_solves_the_generalised_eigenproblem(reg, power):
    m = fitted(A, B, reg=reg, power=power, other_columns=True)
    values, Za, Zb = naive(A, B[:, :4], reg)
    np.testing.assert_allclose(m.correlations_, values, atol=1e-10)
    found = m.transform(np.r_[A, B], sample_domain=d)
    for mine, own in ((found[:200], Za), (found[200:], Zb)):
        expected = own * values**power
        signs = np.sign((mine * expected).sum(0))
        np.testing.assert_allclose(mine * signs, expected, atol=1e-8)
    # one sign for both views: what agrees in one space may not be turned over in one of them
    assert ((found[:200] * found[200:]).sum(0) > 0).all()


def test_without_a_ridge_the_variates_are_white_and_correlate_as_told():
    m = fitted(A, B, reg=0, power=0, other_columns=True)
    Z = m.transform(np.r_[A, B], sample_domain=d)
    np.testing.assert_allclose(np.cov(Z[:200].T), np.eye(4), atol=1e-10)
    np.testing.assert_allclose(np.cov(Z[200:].T), np.eye(4), atol=1e-10)
    np.testing.assert_allclose(np.cov(np.c_[Z[:200], Z[200:]].T)[:4, 4:], np.diag(m.correlations_), atol=1e-10)


def test_a_view_seen_through_an_invertible_map_correlates_fully_and_noise_hardly():
    turned = A @ rng.normal(size=(5, 5)) - 7
    m = fitted(A, turned, reg=0)
    np.testing.assert_allclose(m.correlations_, 1, atol=1e-10)
    Z = m.transform(np.r_[A, turned], sample_domain=d)
    np.testing.assert_allclose(Z[:200], Z[200:], atol=1e-8)
    far, n = np.random.default_rng(1), 2000
    noise = fitted(far.normal(size=(n, 5)), far.normal(size=(n, 5)), Side(pairs=np.tile(np.arange(n), 2)), reg=0)
    assert noise.correlations_.max() < 3 * np.sqrt(5 / n)


def test_wide_rows_agree_with_matrices_over_columns_and_the_ridge_keeps_from_learning_by_heart():
    few = Side(pairs=np.tile(np.arange(20), 2))
    wide = [rng.normal(size=(20, 60)), rng.normal(size=(20, 50))]
    padded = [wide[0], np.c_[wide[1], np.full((20, 10), np.nan)]]
    m = fitted(*padded, few, reg=0.5, power=0, other_columns=True)
    values, Za, _ = naive(*wide, 0.5)
    np.testing.assert_allclose(m.correlations_[:19], values[:19], atol=1e-8)
    Z = m.transform(padded[0], sample_domain=np.zeros(20, int))[:, :19]
    np.testing.assert_allclose(np.abs(Z), np.abs(Za[:, :19]), atol=1e-6)
    assert fitted(*padded, few, reg=1e-9, other_columns=True).correlations_[:19].min() > 0.999
    assert fitted(*padded, few, reg=50.0, other_columns=True).correlations_.max() < 0.1


def test_only_pairs_are_learnt_from_and_their_order_is_theirs():
    half, order = np.arange(100), rng.permutation(100)
    plain = fitted(A[:100], B[:100], Side(pairs=np.r_[half, half]), other_columns=True)
    X = np.r_[A[:100], rng.normal(size=(30, 5)), B[:100][order], B[100:] + 50]
    where = np.repeat([0, 3, -1, -2], [100, 30, 100, 100])
    side = Side(pairs=np.r_[half, np.full(30, -1), half[order], np.full(100, 999)])
    mixed = np.random.default_rng(2).permutation(len(X))
    m = CCA(other_columns=True).fit(X[mixed], sample_domain=where[mixed], side=side[mixed])
    np.testing.assert_allclose(m.projections_, plain.projections_, atol=1e-9)
    np.testing.assert_allclose(m.means_, plain.means_, atol=1e-9)


@pytest.mark.parametrize("pairs", [np.arange(400), np.full(400, -1), np.r_[0, np.full(199, -1), 0, np.full(199, -1)]])
def test_too_few_pairs_are_refused(pairs):
    with pytest.raises(ValueError, match=r"joins [01] of a source and a target row; expected at least 2"):
        fitted(A, B, Side(pairs=pairs), other_columns=True)


def test_columns_that_are_there_by_half_and_rows_that_lack_one_later_are_refused():
    broken = B.copy()
    broken[3, 1] = np.nan
    with pytest.raises(ValueError, match="column 1 is NaN in 1 of 200 rows of the target"):
        fitted(A, broken, other_columns=True)
    with pytest.raises(ValueError, match="column 1 is NaN in rows of the target, which had it in fit"):
        fitted(A, B, other_columns=True).transform(broken)
    with pytest.raises(ValueError, match="contains NaN"):
        fitted(A, B)


def test_halves_of_digits_teach_one_another_without_a_label_and_shuffled_halves_do_not():
    """The left half of an image is one view, the right half the other; only left halves have labels."""
    X, y = load_digits(return_X_y=True)
    left = np.arange(64) % 8 < 4
    pairs, taught, asked = np.split(np.random.default_rng(0).permutation(len(X)), [500, 1100])
    views = [np.where(left, X[np.r_[pairs, taught]], np.nan), np.where(left, np.nan, X[np.r_[pairs, asked]])]
    number = np.r_[np.arange(500), np.full(600, -1), np.arange(500), np.full(len(asked), -1)]
    where = np.repeat([0, -1], [1100, 500 + len(asked)])
    labels = np.r_[y[np.r_[pairs, taught]], np.full(500 + len(asked), -1)]
    scores = []
    for side in (Side(pairs=number), Side(pairs=number).shuffled(0)):
        m = Adapted(CCA(other_columns=True, reg=0.1), LogisticRegression(max_iter=1000))
        m.fit(np.concatenate(views), labels, sample_domain=where, side=side)
        scores.append(m.score(views[1][500:], y[asked]))
    assert scores[0] > 0.6
    assert scores[1] < 0.2
