"""Deep CORAL, against covariances summed entry by entry, and the paper's own gradient."""

import pytest
import torch
from torch import nn

from transfermap.deep.losses.discrepancy import coral2
from transfermap.deep.training.batch import Batch
from transfermap.deep.training.engine import Engine
from transfermap.methods.discrepancy.deepcoral import DeepCORAL

torch.manual_seed(0)
A, B = torch.randn(9, 3, dtype=torch.float64), 2 * torch.randn(6, 3, dtype=torch.float64)


def covariance(x):
    """C[i, j] from sums over rows."""
    n, d = x.shape
    return torch.stack(
        [
            torch.stack([((x[:, i] * x[:, j]).sum() - x[:, i].sum() * x[:, j].sum() / n) / (n - 1) for j in range(d)])
            for i in range(d)
        ]
    )


def test_the_penalty_is_the_papers():
    expected = ((covariance(A) - covariance(B)) ** 2).sum() / (4 * 3**2)
    torch.testing.assert_close(coral2(A, B), expected)


def test_the_gradient_is_the_papers():
    a, b = A.clone().requires_grad_(), B.clone().requires_grad_()
    coral2(a, b).backward()
    gap = covariance(A) - covariance(B)
    torch.testing.assert_close(a.grad, (A - A.mean(0)) @ gap / (9 * (len(A) - 1)))
    torch.testing.assert_close(b.grad, -(B - B.mean(0)) @ gap / (9 * (len(B) - 1)))


def test_a_scale_counts_to_the_fourth_power_and_a_mean_not_at_all():
    torch.testing.assert_close(coral2(3 * A, 3 * B), 81 * coral2(A, B))
    assert coral2(A, A + 5) < 1e-20
    turn = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64))[0]
    torch.testing.assert_close(coral2(A @ turn, B @ turn), coral2(A, B))


def test_a_peers_four_times_the_size_and_its_mean_term_are_not_ours():
    gap = A.T.cov() - B.T.cov()
    peer = (gap**2).mean() + ((A.mean(0) - B.mean(0)) ** 2).mean()
    torch.testing.assert_close(peer - ((A.mean(0) - B.mean(0)) ** 2).mean(), 4 * coral2(A, B))


def test_one_row_has_no_covariance():
    with pytest.raises(ValueError, match="at least two rows"):
        coral2(A, B[:1])


@pytest.mark.parametrize("layers", ["head", "features", "features.0"])
def test_the_layer_named_gets_the_gradient(layers):
    net = nn.ModuleDict({"features": nn.Sequential(nn.Linear(3, 4), nn.Tanh()), "head": nn.Linear(4, 2)}).double()
    m = Engine(net, torch.device("cpu"))
    s, t = Batch(A, torch.arange(9) % 2, torch.arange(9)), Batch(B, None, torch.arange(6))
    a, b = m.forward_both(s.x, t.x, DeepCORAL(layers=layers).watched())
    own = {"features": (a.f, b.f), "head": (a.z, b.z)} | {name: (a.layers[name], b.layers[name]) for name in a.layers}
    (term,) = DeepCORAL(layers=layers, weight=0.5).terms(m, a, b, s, t, 0.5).values()
    torch.testing.assert_close(term, 0.5 * coral2(*own[layers]))
    term.backward()
    assert net["features"][0].weight.grad.abs().sum() > 0
    assert (net["head"].weight.grad is not None) == (layers == "head")
