"""Subspace distribution alignment: the covariances it has to match, and the paper's matrices written out."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from transfermap.methods.subspace.sa import SA
from transfermap.methods.subspace.sda import SDA

rng = np.random.default_rng(0)
plane = np.linalg.qr(rng.normal(size=(5, 3)))[0]
turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
d = np.repeat([1, -1], [80, 60])


def domains(noise, turned=turn):
    Xs = rng.normal(size=(80, 3)) * [5, 3, 1] @ plane.T + noise * rng.normal(size=(80, 5)) + 1
    Xt = rng.normal(size=(60, 3)) * [4, 2, 1.5] @ turned @ plane.T + noise * rng.normal(size=(60, 5)) - 3
    return Xs, Xt, np.r_[Xs, Xt]


def test_in_one_subspace_the_covariance_becomes_the_targets_exactly():
    _, Xt, X = domains(0)
    Z = SDA(n_components=3, reg=0).fit_transform(X, sample_domain=d)
    spread = PCA(3).fit(Xt).explained_variance_
    np.testing.assert_allclose(np.cov(Z[80:].T), np.diag(spread), atol=1e-8)
    np.testing.assert_allclose(np.cov(Z[:80].T), np.diag(spread), atol=1e-8)
    np.testing.assert_allclose(Z[:80].mean(0), 0, atol=1e-10)
    # the printed order scales by rank: where the axes are turned within the subspace it misses
    printed = SDA(n_components=3, reg=0, order="turn").fit_transform(X, sample_domain=d)
    assert np.abs(np.cov(printed[:80].T) - np.diag(spread)).max() > 1


def test_with_all_columns_it_matches_any_two_covariances():
    _, _, X = domains(1)
    Z = SDA(n_components=5, reg=0).fit_transform(X, sample_domain=d)
    np.testing.assert_allclose(np.cov(Z[:80].T), np.cov(Z[80:].T), atol=1e-8)


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("reg", [0, 0.3])
def test_both_orders_are_their_products(k, reg):
    Xs, Xt, X = domains(0.5)
    source, target = PCA(k).fit(Xs), PCA(k).fit(Xt)
    Ps, Pt, es, et = source.components_.T, target.components_.T, source.explained_variance_, target.explained_variance_
    ridge = reg * np.r_[es, et].mean()
    up, down = np.diag(np.sqrt(et + ridge)), np.diag(1 / np.sqrt(es + ridge))
    Zt = (Xt - Xt.mean(0)) @ Pt
    for order, A in (("whiten", Ps @ down @ Ps.T @ Pt @ up), ("turn", Ps @ (Ps.T @ Pt @ down @ up))):
        Z = SDA(n_components=k, reg=reg, order=order).fit_transform(X, sample_domain=d)
        signs = np.sign((Z[80:] * Zt).sum(0))
        np.testing.assert_allclose(Z, np.r_[(Xs - Xs.mean(0)) @ A, Zt] * signs, atol=1e-8)


def test_between_equal_domains_it_is_pca():
    Xs, _, _ = domains(0.5)
    Z = SDA(n_components=2).fit_transform(np.r_[Xs, Xs], sample_domain=np.repeat([1, -1], 80))
    np.testing.assert_allclose(np.abs(Z[:80]), np.abs(PCA(2).fit_transform(Xs)), atol=1e-8)
    np.testing.assert_allclose(Z[:80], Z[80:], atol=1e-8)


def test_a_very_large_ridge_leaves_subspace_alignment():
    _, _, X = domains(0.5)
    Z = SDA(n_components=3, reg=1e9).fit_transform(X, sample_domain=d)
    np.testing.assert_allclose(Z, SA(n_components=3).fit_transform(X, sample_domain=d), atol=1e-6)
