"""Batch-norm adaptation: the target's moments, layer by layer, and nothing else."""

import numpy as np
import pytest
import torch
from source_free_case import BATCHED, changed, engine, rows

from transfermap.methods.source_free.batchnorm import BatchNorm


def moments_by_hand(net, x):
    """Mean and variance (n - 1) that each layer sees when every layer before it is normalised by the whole of x."""
    found = []
    for layer in net["features"]:
        if isinstance(layer, BATCHED):
            mean, variance = x.mean(0), ((x - x.mean(0)) ** 2).sum(0) / (len(x) - 1)
            found.append((mean, variance))
            x = (x - mean) / torch.sqrt(x.var(0, unbiased=False) + layer.eps) * layer.weight + layer.bias
        else:
            x = layer(x)
    return found


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_statistics_are_the_targets_in_their_share(weight):
    m, x = engine()
    old = [(b.running_mean.clone(), b.running_var.clone()) for b in m["features"] if isinstance(b, BATCHED)]
    expected = moments_by_hand(m.modules, x)
    BatchNorm(weight=weight).adapt(m, rows(x, size=len(x)))
    new = [b for b in m["features"] if isinstance(b, BATCHED)]
    assert len(new) == 2
    for layer, (mean, variance), (mean_s, variance_s) in zip(new, expected, old, strict=True):
        torch.testing.assert_close(layer.running_mean, (1 - weight) * mean_s + weight * mean)
        torch.testing.assert_close(layer.running_var, (1 - weight) * variance_s + weight * variance)


def test_batches_are_averaged_and_none_is_smaller_than_asked_for():
    m, x = engine(n=23)
    parts = []
    m["features"][0].register_forward_hook(lambda layer, given, out: parts.append(given[0]))
    BatchNorm().adapt(m, rows(x, size=5))
    assert [len(part) for part in parts] == [6, 6, 6, 5]
    np.testing.assert_array_equal(np.sort(torch.cat(parts)[:, 0].numpy()), np.sort(x[:, 0].numpy()))
    mean = torch.stack([m["features"][0](part).mean(0) for part in parts[:4]]).mean(0)
    torch.testing.assert_close(m["features"][1].running_mean, mean)


def test_only_statistics_change():
    m, x = engine()
    before = {k: v.clone() for k, v in m.modules.state_dict().items()}
    BatchNorm().adapt(m, rows(x))
    assert {name.rsplit(".", 1)[1] for name in changed(before, m.modules)} == {
        "running_mean",
        "running_var",
        "num_batches_tracked",
    }
    assert all(b.momentum == 0.1 for b in m["features"] if isinstance(b, BATCHED))
