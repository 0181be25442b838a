"""L2-SP: its penalty written out, and its limits."""

import numpy as np
import pytest
import torch
from finetuning_case import STEPS, by_hand, logits, predicted, rows, source_net

from transfermap.deep.training import settings
from transfermap.methods.tuning.l2sp import L2SP


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(settings, "STEPS", STEPS)


@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 0.0), (3.0, 0.5)])
def test_its_steps_are_those_of_the_penalty_written_out(alpha, beta):
    X, y, d, seen = rows()
    trained = source_net(X, y, d)
    start = {name: p.detach().clone() for name, p in trained.modules_.named_parameters()}

    def penalty(net, f):
        total = 0.0
        for name, p in net.named_parameters():
            for w, w0 in zip(p.flatten(), start[name].flatten(), strict=True) if p.ndim == 1 else [(p, start[name])]:
                total = total + (alpha / 2 * ((w - w0) ** 2).sum() if "features" in name else beta / 2 * (w**2).sum())
        return total

    net = by_hand(trained, X[seen], y[seen], penalty, decay=0.0)
    fitted = L2SP(alpha=alpha, beta=beta).fit(X, y, sample_domain=d)
    np.testing.assert_allclose(predicted(fitted, X), logits(trained, net, X), atol=2e-5)


def test_a_stronger_pull_leaves_the_features_nearer_to_the_start():
    X, y, d, _ = rows()
    start = source_net(X, y, d).modules_["features"].state_dict()
    far = []
    for alpha in (0.0, 10.0, 1000.0):
        end = L2SP(alpha=alpha, weight=4.0).fit(X, y, sample_domain=d).estimator_.modules_["features"].state_dict()
        far.append(sum(float((end[n] - v).square().sum()) for n, v in start.items()))
    assert far[0] > far[1] > far[2]
    assert torch.is_tensor(start["0.weight"])
