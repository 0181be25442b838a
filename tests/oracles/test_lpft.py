"""LP-FT: it starts at the probe, and goes on as fine-tuning does at a fifth of the rate."""

import numpy as np
import pytest
from finetuning_case import STEPS, by_hand, logits, predicted, rows, source_net

from transfermap.deep.training import settings
from transfermap.methods.tuning.linearprobe import LinearProbe
from transfermap.methods.tuning.lpft import LPFT


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(settings, "STEPS", STEPS)


def test_its_steps_are_those_of_fine_tuning_from_the_probe():
    X, y, d, seen = rows()
    trained = source_net(X, y, d)
    probe = LinearProbe().fit(X, y, sample_domain=d)
    net = by_hand(trained, X[seen], y[seen], lr=2e-4, net=probe.estimator_.modules_)
    np.testing.assert_allclose(predicted(LPFT().fit(X, y, sample_domain=d), X), logits(trained, net, X), atol=2e-5)


def test_without_a_step_to_speak_of_it_is_the_probe():
    X, y, d, _ = rows()
    still = predicted(LPFT(lr=1e-20).fit(X, y, sample_domain=d), X)
    np.testing.assert_array_equal(still, predicted(LinearProbe().fit(X, y, sample_domain=d), X))
