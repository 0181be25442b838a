"""Sampled geodesic flow, against the concatenation written out, and the kernel that it tends to."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from transfermap.math.geodesic import domain_flow, point
from transfermap.methods.subspace.gfk import GFK
from transfermap.methods.subspace.sgf import SGF

rng = np.random.default_rng(0)
Xs = rng.normal(size=(80, 6)) * [5, 4, 3, 1, 1, 1] + 1
Xt = rng.normal(size=(60, 6)) * [1, 1, 4, 5, 3, 1] - 3
X, d = np.r_[Xs, Xt], np.repeat([1, -1], [80, 60])
U = np.r_[Xs - Xs.mean(0), Xt - Xt.mean(0)]


def side_by_side(k, n_points):
    flow = domain_flow(Xs, Xt, k)[2]
    return np.concatenate([U @ point(flow, t) for t in np.linspace(0, 1, n_points)], axis=1) / np.sqrt(n_points)


@pytest.mark.parametrize(("k", "n_points"), [(2, 5), (3, 2), (3, 10)])
def test_it_is_the_main_axes_of_all_subspaces_side_by_side(k, n_points):
    wide = side_by_side(k, n_points)
    assert wide.shape == (140, k * n_points)
    Z = SGF(n_components=k, n_points=n_points, n_kept=3).fit_transform(X, sample_domain=d)
    np.testing.assert_allclose(np.abs(Z), np.abs(PCA(3).fit_transform(wide)), atol=1e-8)


def test_none_keeps_all_inner_products():
    Z, wide = SGF(n_components=2, n_points=7).fit_transform(X, sample_domain=d), side_by_side(2, 7)
    assert Z.shape[1] <= 4
    np.testing.assert_allclose(Z @ Z.T, wide @ wide.T, atol=2e-3)


def test_with_many_points_it_is_the_geodesic_flow_kernel():
    G = GFK(n_components=3).fit_transform(X, sample_domain=d)
    gaps = []
    for n_points in (2, 20, 200, 2000):
        Z = SGF(n_components=3, n_points=n_points, n_kept=6).fit_transform(X, sample_domain=d)
        gaps.append(np.abs(Z @ Z.T - G @ G.T).max() / np.abs(G @ G.T).max())
    assert gaps[0] > 0.05
    assert gaps[3] < 1e-3
    assert 5 < gaps[1] / gaps[2] < 20
    assert 5 < gaps[2] / gaps[3] < 20


def test_two_points_are_the_two_projections():
    Ps, Pt = (np.linalg.svd(A - A.mean(0))[2][:2].T for A in (Xs, Xt))
    Z = SGF(n_components=2, n_points=2, n_kept=4).fit_transform(X, sample_domain=d)
    np.testing.assert_allclose(Z @ Z.T, U @ (Ps @ Ps.T + Pt @ Pt.T) @ U.T / 2, atol=1e-8)


def test_between_equal_domains_it_is_pca():
    Z = SGF(n_components=3).fit_transform(np.r_[Xs, Xs], sample_domain=np.repeat([1, -1], 80))
    np.testing.assert_allclose(np.abs(Z[:80]), np.abs(PCA(3).fit_transform(Xs)), atol=1e-6)


def test_without_centring_rows_stay_where_they_are():
    sgf = SGF(n_components=2, centre=False)
    np.testing.assert_allclose(sgf.fit_transform(X, sample_domain=d), X @ sgf.map_, atol=1e-10)
