"""A small net with batch normalisation in float64, and target rows, for the tests of methods without the source."""

import torch
from small_net import C, D, Exact, K
from torch import nn

from transfermap.deep.training.batches import Stream

BATCHED = nn.BatchNorm1d


def engine(n=40, seed=0):
    """An engine whose net has seen other rows than the target's (n, D), which are the second value."""
    torch.manual_seed(seed)
    features = nn.Sequential(nn.Linear(D, K), BATCHED(K), nn.ReLU(), nn.Dropout(0.5), nn.Linear(K, K), BATCHED(K))
    net = nn.ModuleDict({"features": features, "head": nn.Linear(K, C)}).double()
    net.train()
    for _ in range(20):
        features(torch.randn(30, D, dtype=torch.float64))
    net.eval()
    return Exact(net, torch.device("cpu")), 2 * torch.randn(n, D, dtype=torch.float64) + 3


def rows(x, size=10):
    """A stream of the rows."""
    return Stream((x,), size, 0, torch.device("cpu"), labelled=False)


def changed(before, modules):
    """Names of the tensors that are no longer what they were."""
    return {k for k, v in modules.state_dict().items() if k not in before or not torch.equal(before[k], v)}
