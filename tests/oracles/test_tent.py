"""TENT: entropy by hand, which weights move, and the net it is without a step."""

import math

import torch
from small_net import C
from source_free_case import BATCHED, changed, engine, rows

from transfermap.deep.training.batch import Batch
from transfermap.deep.training.objective import entropy
from transfermap.methods.source_free.batchnorm import BatchNorm
from transfermap.methods.source_free.tent import TENT


def normalised_by_hand(m, x):
    """Logits where every layer of batch normalisation uses the batch's moments, and nothing is dropped out."""
    for layer in m["features"]:
        if isinstance(layer, BATCHED):
            x = (x - x.mean(0)) / torch.sqrt(x.var(0, unbiased=False) + layer.eps) * layer.weight + layer.bias
        elif not isinstance(layer, torch.nn.Dropout):
            x = layer(x)
    return m["head"](x)


def test_the_loss_is_the_entropy_under_the_batchs_own_statistics():
    m, x = engine()
    predicted = TENT(weight=0.5).surer(m, {"target": Batch(x, None, torch.arange(len(x)))}, 0.0)["entropy"]
    by_hand = 0.0
    for z in normalised_by_hand(m, x):
        p = torch.exp(z) / torch.exp(z).sum()
        by_hand = by_hand - sum(share * torch.log(share) for share in p)
    torch.testing.assert_close(predicted, 0.5 * by_hand / len(x))
    layers = [b for b in m["features"] if isinstance(b, BATCHED)]
    ours = torch.autograd.grad(predicted, [p for b in layers for p in b.parameters()])
    theirs = torch.autograd.grad(0.5 * by_hand / len(x), [p for b in layers for p in b.parameters()])
    torch.testing.assert_close(ours, theirs)


def test_the_entropys_gradient_holds_against_differences():
    z = torch.randn(6, C, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: entropy(z.softmax(1)), z)
    sure = torch.tensor([[0.0, 800.0, 0.0]], dtype=torch.float64, requires_grad=True)
    entropy(sure.softmax(1)).sum().backward()
    assert torch.isfinite(sure.grad).all()
    assert math.isclose(float(entropy(torch.full((1, C), 1 / C))), math.log(C), rel_tol=1e-6)


def test_only_scales_offsets_and_statistics_change():
    m, x = engine()
    before = {k: v.clone() for k, v in m.modules.state_dict().items()}
    method = TENT(epochs=3, rate=0.01)
    noted = method.adapt(m, rows(x))
    kinds = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    layers = [i for i, b in enumerate(m["features"]) if isinstance(b, BATCHED)]
    assert changed(before, m.modules) == {f"features.{i}.{kind}" for i in layers for kind in kinds}
    assert all(p.requires_grad for p in m.modules.parameters())
    assert method.stopped_ is None
    assert len(noted) == 12
    assert noted[-1]["entropy"] < noted[0]["entropy"]


def test_without_a_step_worth_the_name_it_is_batch_norm_adaptation():
    m, x = engine()
    TENT(rate=1e-12).adapt(m, rows(x, size=40))
    other, _ = engine()
    BatchNorm().adapt(other, rows(x, size=40))
    torch.testing.assert_close(m.forward(x).z, other.forward(x).z, rtol=1e-6, atol=1e-6)
