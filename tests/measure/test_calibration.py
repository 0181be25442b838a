"""Temperature scaling: what is calibrated stays, what is too sharp is flattened by the right amount."""

from __future__ import annotations

import numpy as np
import pytest

from transfermap.measure.validators.calibration import temperature, tempered


def drawn(T, n=20_000, seed=0):
    """Labels drawn from honest probabilities, and these probabilities sharpened to ``P ** T``."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 3)) * 1.5
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = (rng.random((n, 1)) > honest.cumsum(axis=1)).sum(axis=1)
    return tempered(honest, 1 / T), y, honest


@pytest.mark.parametrize("T", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_put_in_is_found(T):
    P, y, honest = drawn(T)
    found = temperature(P, y)
    assert found == pytest.approx(T, rel=0.1)
    np.testing.assert_allclose(tempered(P, T), honest, atol=1e-12)


def test_the_likeliest_class_never_changes():
    P, _, _ = drawn(1.0, n=500)
    for T in (0.1, 2.0, 15.0):
        np.testing.assert_array_equal(tempered(P, T).argmax(1), P.argmax(1))
        np.testing.assert_allclose(tempered(P, T).sum(axis=1), 1)


def test_certain_predictions_stay_finite():
    P = np.eye(2)[[0, 1, 0, 1]]
    assert np.isfinite(temperature(P, [0, 1, 0, 1]))
    assert np.isfinite(temperature(P, [1, 0, 1, 0]))
    np.testing.assert_allclose(tempered(P, 5.0), P, atol=1e-12)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="columns of Ph"):
        temperature([[0.5, 0.5]], [2])
    with pytest.raises(ValueError, match="positive temperature"):
        tempered([[0.5, 0.5]], 0)
