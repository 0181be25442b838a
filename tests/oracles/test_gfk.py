"""The geodesic flow kernel, against quadrature, the paper's formula with a full complement, and its limits."""

import numpy as np
import pytest
from scipy.integrate import fixed_quad
from scipy.linalg import null_space, subspace_angles

from transfermap.math.geodesic import (
    disagreement_size,
    domain_flow,
    flow_factor,
    geodesic_flow,
    kernel_moments,
    point,
)
from transfermap.methods.subspace.gfk import GFK

rng = np.random.default_rng(0)


def basis(d, k):
    return np.linalg.qr(rng.normal(size=(d, k)))[0]


def kernel(Ps, Pt):
    flow = geodesic_flow(Ps, Pt)
    F = flow_factor(flow, kernel_moments(flow.angles))
    return F @ F.T


def tilted(angles, d=9):
    """Bases of two subspaces of d columns with these principal angles, each mixed within itself."""
    k = len(angles)
    Q = basis(d, 2 * k)
    Ps, Pt = Q[:, :k], Q[:, :k] * np.cos(angles) + Q[:, k:] * np.sin(angles)
    return Ps @ basis(k, k), Pt @ basis(k, k), Q


def printed(Ps, Pt):
    """The paper's formula: the complement of Ps in full, and the three diagonal matrices."""
    Rs = null_space(Ps.T)
    U1, cosines, Vt = np.linalg.svd(Ps.T @ Pt)
    theta = np.arccos(np.clip(cosines, -1, 1))
    U2 = -(Rs.T @ Pt @ Vt.T) / np.sin(theta)
    whole = np.concatenate([Ps @ U1, Rs @ U2], axis=1)
    L1, L2, L3 = (
        1 + np.sin(2 * theta) / (2 * theta),
        (np.cos(2 * theta) - 1) / (2 * theta),
        1 - np.sin(2 * theta) / (2 * theta),
    )
    return whole @ np.block([[np.diag(L1), np.diag(L2)], [np.diag(L2), np.diag(L3)]]) @ whole.T / 2


@pytest.mark.parametrize(("d", "k"), [(8, 3), (8, 4), (20, 1)])
def test_it_is_the_papers_formula(d, k):
    Ps, Pt = basis(d, k), basis(d, k)
    np.testing.assert_allclose(kernel(Ps, Pt), printed(Ps, Pt), atol=1e-10)


@pytest.mark.parametrize(
    "angles", [[0.3, 0.9, 1.2], [1e-7, 1e-3, 0.5], [0.00999, 0.01001, 1.5], [0.4, 0.4, 0.4], [0, 0, 1]]
)
def test_it_is_the_integral_over_the_path(angles):
    Ps, Pt, Q = tilted(np.array(angles))
    k = len(angles)

    def projection(t):
        P = Q[:, :k] * np.cos(t * np.array(angles)) + Q[:, k:] * np.sin(t * np.array(angles))
        return P @ P.T

    whole = fixed_quad(lambda ts: np.stack([projection(t) for t in ts], axis=-1), 0, 1, n=20)[0]
    np.testing.assert_allclose(kernel(Ps, Pt), whole, atol=1e-8)


def test_the_path_starts_at_the_source_and_ends_at_the_target():
    Ps, Pt = basis(9, 3), basis(9, 3)
    flow = geodesic_flow(Ps, Pt)
    np.testing.assert_allclose(flow.angles, np.sort(subspace_angles(Ps, Pt)), atol=1e-8)
    for t, P in ((0, Ps), (1, Pt)):
        np.testing.assert_allclose(point(flow, t) @ point(flow, t).T, P @ P.T, atol=1e-12)
    halfway = point(flow, 0.5)
    np.testing.assert_allclose(halfway.T @ halfway, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.sort(subspace_angles(Ps, halfway)), flow.angles / 2, atol=1e-8)


@pytest.mark.parametrize("angle", [1e-9, 1e-6, 1e-3])
def test_a_small_angle_keeps_the_digits_that_an_arc_cosine_loses(angle):
    Ps, Pt, _ = tilted(np.array([angle]))
    assert geodesic_flow(Ps, Pt).angles[0] == pytest.approx(angle, rel=1e-6)
    assert abs(np.arccos(min((Ps.T @ Pt).item(), 1)) / angle - 1) > 1e-12
    both = geodesic_flow(*tilted(np.array([angle, 1.0]))[:2]).angles
    np.testing.assert_allclose(both, [angle, 1.0], rtol=1e-6)


def test_its_trace_is_the_number_of_components_and_its_rank_at_most_twice_that():
    for d, k in ((12, 4), (12, 6), (5, 4)):
        G = kernel(basis(d, k), basis(d, k))
        values = np.linalg.eigvalsh(G)
        assert np.trace(G) == pytest.approx(k, abs=1e-12)
        assert values.min() > -1e-12
        assert values.max() < 1 + 1e-12
        assert (values > 1e-10).sum() <= min(d, 2 * k)


def test_source_and_target_may_change_places():
    Ps, Pt = basis(10, 4), basis(10, 4)
    np.testing.assert_allclose(kernel(Ps, Pt), kernel(Pt, Ps), atol=1e-12)


def test_at_angle_zero_the_limits_are_one_and_zero_where_gfk_m_gives_one_half():
    np.testing.assert_array_equal(kernel_moments(np.zeros(1))[:, 0], [1, 0, 0])
    P = basis(8, 3)
    np.testing.assert_allclose(kernel(P, P), P @ P.T, atol=1e-12)
    flow = geodesic_flow(P, P @ basis(3, 3))
    assert flow_factor(flow, kernel_moments(flow.angles)).shape == (8, 3)


def test_at_a_right_angle_both_ends_count_one_half():
    np.testing.assert_allclose(kernel_moments(np.array([np.pi / 2]))[:, 0], [0.5, 1 / np.pi, 0.5])
    e = np.eye(4)
    G = kernel(e[:, :1], e[:, 1:2])
    np.testing.assert_allclose(np.abs(G[:2, :2]), [[0.5, 1 / np.pi], [1 / np.pi, 0.5]], atol=1e-12)
    assert np.abs(G[2:]).max() == 0


def test_distances_of_the_features_are_the_kernels():
    Xs, Xt = rng.normal(size=(40, 6)) * [5, 4, 3, 1, 1, 1], rng.normal(size=(30, 6)) * [1, 1, 4, 5, 3, 1]
    d = np.repeat([1, -1], [40, 30])
    Z = GFK(n_components=2).fit_transform(np.r_[Xs, Xt], sample_domain=d)
    Ps, Pt = (np.linalg.svd(X - X.mean(0))[2][:2].T for X in (Xs, Xt))
    U = np.r_[Xs - Xs.mean(0), Xt - Xt.mean(0)]
    np.testing.assert_allclose(Z @ Z.T, U @ printed(Ps, Pt) @ U.T, atol=1e-8)
    raw = GFK(n_components=2, centre=False).fit_transform(np.r_[Xs, Xt] + 3, sample_domain=d)
    V = np.r_[Xs, Xt] + 3
    np.testing.assert_allclose(raw @ raw.T, V @ printed(Ps, Pt) @ V.T, atol=1e-8)


def test_turning_all_columns_changes_no_inner_product():
    X, d, Q = rng.normal(size=(60, 5)) * [5, 4, 2, 1, 1], np.repeat([1, -1], 30), basis(5, 5)
    Z, turned = (GFK(n_components=2).fit_transform(A, sample_domain=d) for A in (X, X @ Q))
    np.testing.assert_allclose(Z @ Z.T, turned @ turned.T, atol=1e-8)


def test_none_takes_the_first_size_at_which_the_domains_part():
    d = 12
    shared, own_s, own_t = np.eye(d)[:, :3], np.eye(d)[:, 3:6], np.eye(d)[:, 6:9]
    Ps, Pt = np.c_[shared, own_s], np.c_[shared, own_t]
    Pp = np.c_[shared, (own_s + own_t) / np.sqrt(2)]
    assert disagreement_size(Ps, Pt, Pp) is None
    assert disagreement_size(Ps, np.c_[shared, own_t], np.c_[shared, own_s]) is None
    assert disagreement_size(Ps, Pt, np.c_[shared, np.eye(d)[:, 9:]]) == 4
    naive = [np.mean([np.sin(subspace_angles(P[:, :k], Pp[:, :k])[0]) for P in (Ps, Pt)]) for k in range(1, d // 2 + 1)]
    assert max(naive) < 0.995


def test_domains_that_never_part_keep_nine_tenths_of_their_variance():
    X = rng.normal(size=(200, 4)) * [5, 4, 3, 0.1]
    assert len(domain_flow(X, X, None)[2].angles) == 3


def test_wide_tables_give_what_a_full_decomposition_gives():
    Xs, Xt = rng.normal(size=(20, 200)) * np.linspace(3, 0.1, 200), rng.normal(size=(25, 200))
    Z = GFK(n_components=5).fit_transform(np.r_[Xs, Xt], sample_domain=np.repeat([1, -1], [20, 25]))
    Ps, Pt = (np.linalg.svd(X - X.mean(0))[2][:5].T for X in (Xs, Xt))
    U = np.r_[Xs - Xs.mean(0), Xt - Xt.mean(0)]
    np.testing.assert_allclose(Z @ Z.T, U @ printed(Ps, Pt) @ U.T, atol=1e-7)
