"""Subspace alignment, against scikit-learn's PCA and the paper's matrices written out."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from transfermap.methods.subspace.sa import SA, axes_for_share

rng = np.random.default_rng(0)
Xs = rng.normal(size=(80, 5)) * [5, 4, 3, 1, 0.5] + 1
Xt = rng.normal(size=(60, 5)) @ np.linalg.qr(rng.normal(size=(5, 5)))[0] * [4, 4, 2, 1, 1] - 3
X, d = np.r_[Xs, Xt], np.repeat([1, -1], [80, 60])


@pytest.mark.parametrize("k", [1, 3, 5])
def test_it_is_the_papers_formula_up_to_signs(k):
    Ps, Pt = PCA(k).fit(Xs).components_.T, PCA(k).fit(Xt).components_.T
    Zs, Zt = (Xs - Xs.mean(0)) @ Ps @ Ps.T @ Pt, (Xt - Xt.mean(0)) @ Pt
    Z = SA(n_components=k).fit_transform(X, sample_domain=d)
    signs = np.sign((Z[80:] * Zt).sum(0))
    np.testing.assert_allclose(Z, np.r_[Zs, Zt] * signs, atol=1e-8)


def test_between_equal_domains_it_is_pca():
    Z = SA(n_components=2).fit_transform(np.r_[Xs, Xs], sample_domain=np.repeat([1, -1], 80))
    np.testing.assert_allclose(np.abs(Z[:80]), np.abs(PCA(2).fit_transform(Xs)), atol=1e-8)
    np.testing.assert_allclose(Z[:80], Z[80:], atol=1e-8)


def test_with_all_axes_no_inner_product_between_the_domains_changes():
    Z = SA(n_components=5).fit_transform(X, sample_domain=d)
    np.testing.assert_allclose(Z[:80] @ Z[80:].T, (Xs - Xs.mean(0)) @ (Xt - Xt.mean(0)).T, atol=1e-8)


def test_none_takes_the_fewest_axes_that_explain_nine_tenths_of_both():
    wanted = max(PCA(0.9, svd_solver="full").fit(A).n_components_ for A in (Xs, Xt))
    assert SA().fit(X, sample_domain=d).target_map_.shape == (5, wanted)
    assert axes_for_share(np.array([0.5, 0.4, 0.1]), 0.9) == 2


def test_wide_tables_give_what_a_full_decomposition_gives():
    wide = rng.normal(size=(40, 300)) * np.linspace(3, 0.1, 300)
    d = np.repeat([1, -1], 20)
    Zt = SA(n_components=4).fit_transform(wide, sample_domain=d)[20:]
    np.testing.assert_allclose(np.abs(Zt), np.abs(PCA(4, svd_solver="full").fit_transform(wide[20:])), atol=1e-8)
    assert SA(n_components=100).fit(wide, sample_domain=d).target_map_.shape[1] == 19
