"""BSS: its penalty from singular values, step by step."""

import numpy as np
import pytest
import torch
from finetuning_case import STEPS, by_hand, logits, predicted, rows, source_net

from transfermap.deep.training import settings
from transfermap.methods.tuning.bss import BSS


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(settings, "STEPS", STEPS)


@pytest.mark.parametrize(("eta", "k"), [(0.0, 1), (0.5, 2)])
def test_its_steps_are_those_of_the_singular_values(eta, k):
    X, y, d, seen = rows()
    trained = source_net(X, y, d)
    net = by_hand(trained, X[seen], y[seen], lambda _, f: eta * torch.linalg.svdvals(f)[-k:].square().sum())
    fitted = BSS(eta=eta, k=k).fit(X, y, sample_domain=d)
    np.testing.assert_allclose(predicted(fitted, X), logits(trained, net, X), atol=2e-4)


def test_the_smallest_singular_values_shrink():
    X, y, d, seen = rows()
    small = []
    for eta in (0.0, 10.0):
        F = BSS(eta=eta, k=3, weight=3.0).fit(X, y, sample_domain=d).features(X[seen])
        small.append((np.linalg.svd(F, compute_uv=False)[-3:] ** 2).sum())
    assert small[1] < small[0] / 2
