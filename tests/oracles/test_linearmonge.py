"""Linear Monge mapping, against the closed form by general matrix roots, and another map of the same kind."""

import numpy as np
import pytest
from scipy.linalg import inv, sqrtm

from transfermap.methods.subspace.coral import coral_map
from transfermap.methods.transport.linearmonge import monge_map

rng = np.random.default_rng(1)
Xs = rng.normal(size=(200, 4)) @ rng.normal(size=(4, 4)) + 1
Xt = rng.normal(size=(150, 4)) @ rng.normal(size=(4, 4)) - 2


@pytest.mark.parametrize("reg", [0.0, 0.1])
def test_the_map_is_the_closed_form(reg):
    A, b = monge_map(Xs, Xt, reg)
    Cs, Ct = np.cov(Xs.T), np.cov(Xt.T)
    ridge = reg * (np.trace(Cs) + np.trace(Ct)) / 8 * np.eye(4)
    half = sqrtm(Cs + ridge)
    expected = inv(half) @ sqrtm(half @ (Ct + ridge) @ half) @ inv(half)
    np.testing.assert_allclose(A, expected.real, atol=1e-8)
    np.testing.assert_allclose(Xs.mean(0) @ A + b, Xt.mean(0), atol=1e-10)


def test_it_carries_both_moments_over():
    A, b = monge_map(Xs, Xt, 0)
    np.testing.assert_allclose(np.cov((Xs @ A + b).T), np.cov(Xt.T), atol=1e-8)
    np.testing.assert_allclose((Xs @ A + b).mean(0), Xt.mean(0), atol=1e-8)


def test_the_displacement_is_the_gaussian_transport_cost_and_no_other_map_moves_less():
    A, b = monge_map(Xs, Xt, 0)
    Cs, Ct = np.cov(Xs.T), np.cov(Xt.T)
    bures = np.trace(Cs + Ct - 2 * sqrtm(sqrtm(Cs) @ Ct @ sqrtm(Cs)).real)
    moved = ((Xs @ A + b - Xs) ** 2).sum() - len(Xs) * ((Xs.mean(0) - Xt.mean(0)) ** 2).sum()
    assert moved / (len(Xs) - 1) == pytest.approx(bures)
    other, shift = coral_map(Xs, Xt, 0)
    assert ((Xs @ other + shift - Xs) ** 2).sum() > ((Xs @ A + b - Xs) ** 2).sum()


def test_the_map_is_symmetric_positive_and_its_inverse_is_the_way_back():
    A, b = monge_map(Xs, Xt, 0)
    np.testing.assert_array_equal(A, A.T)
    assert np.linalg.eigvalsh(A)[0] > 0
    back, shift = monge_map(Xt, Xs, 0)
    np.testing.assert_allclose((Xs @ A + b) @ back + shift, Xs, atol=1e-8)


def test_a_symmetric_positive_change_is_undone_exactly():
    S = np.array([[2.0, 0.5, 0, 0], [0.5, 1, 0, 0], [0, 0, 0.3, 0.1], [0, 0, 0.1, 0.5]])
    A, b = monge_map(Xs, Xs @ S + 3, 0)
    np.testing.assert_allclose(A, S, atol=1e-8)
    np.testing.assert_allclose(b, 3, atol=1e-8)
