"""LoRA: what it adds to each layer has the rank that was asked for, and is what its steps written out add."""

import copy

import numpy as np
import pytest
import torch
from finetuning_case import STEPS, by_hand, logits, predicted, rows, source_net
from torch import nn

from transfermap.deep.training import settings
from transfermap.methods.tuning.lora import LoRA


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(settings, "STEPS", STEPS)


class Beside(nn.Module):
    """A linear layer and, beside it, two thin ones in a row."""

    def __init__(self, layer, rank):
        super().__init__()
        self.layer = layer.requires_grad_(False)
        self.A = nn.Parameter(torch.empty(rank, layer.in_features))
        self.B = nn.Parameter(torch.zeros(layer.out_features, rank))
        nn.init.kaiming_uniform_(self.A, a=5**0.5)

    def forward(self, x):
        return self.layer(x) + 2 * (x @ self.A.T) @ self.B.T


def test_its_steps_are_those_of_two_thin_layers_beside_each():
    X, y, d, seen = rows()
    source = source_net(X, y, d)
    net = copy.deepcopy(source.modules_)
    torch.manual_seed(0)
    for name in ("0", "2"):
        net["features"].add_module(name, Beside(net["features"].get_submodule(name), 3))
    trained = by_hand(source, X[seen], y[seen], lr=3e-3, net=net, moves=lambda name: ".layer." not in name)
    fitted = LoRA(rank=3).fit(X, y, sample_domain=d)
    np.testing.assert_allclose(predicted(fitted, X), logits(source, trained, X), atol=5e-5)


@pytest.mark.parametrize("rank", [1, 3])
def test_the_change_of_each_layer_has_that_rank(rank):
    X, y, d, _ = rows()
    start = source_net(X, y, d).modules_.state_dict()
    end = LoRA(rank=rank).fit(X, y, sample_domain=d).estimator_.modules_.state_dict()
    for name in ("features.0.weight", "features.2.weight"):
        values = np.linalg.svd((end[name] - start[name]).double().numpy(), compute_uv=False)
        # features.0 has four columns, so at most rank four
        assert values[rank - 1] > 1e-4 and (values[rank:] < 1e-6).all()
    assert torch.equal(end["features.0.bias"], start["features.0.bias"])
    assert not torch.equal(end["head.weight"], start["head.weight"])
