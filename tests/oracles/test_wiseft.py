"""WiSE-FT: its ends are the probe and LP-FT, and between them lies the mean of their weights."""

import numpy as np
import pytest
from finetuning_case import STEPS, predicted, rows

from transfermap.deep.training import settings
from transfermap.methods.tuning.linearprobe import LinearProbe
from transfermap.methods.tuning.lpft import LPFT
from transfermap.methods.tuning.wiseft import WiSEFT


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(settings, "STEPS", STEPS)


def test_its_ends_are_the_probe_and_what_is_fine_tuned_from_it():
    X, y, d, _ = rows()
    for alpha, end in ((0.0, LinearProbe()), (1.0, LPFT())):
        got = predicted(WiSEFT(alpha=alpha).fit(X, y, sample_domain=d), X)
        np.testing.assert_array_equal(got, predicted(end.fit(X, y, sample_domain=d), X))


@pytest.mark.parametrize("alpha", [0.25, 0.5])
def test_between_them_lies_the_mean_of_the_weights(alpha):
    X, y, d, _ = rows()
    nets = [
        m.fit(X, y, sample_domain=d).estimator_.modules_.state_dict()
        for m in (LinearProbe(), LPFT(), WiSEFT(alpha=alpha))
    ]
    for name, value in nets[2].items():
        expected = (1 - alpha) * nets[0][name].numpy() + alpha * nets[1][name].numpy()
        np.testing.assert_allclose(value.numpy(), expected, atol=1e-6)
