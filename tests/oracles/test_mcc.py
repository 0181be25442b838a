"""MCC: the confusion matrix written out, its bounds, and classes that no row is of."""

import pytest
import torch
from small_net import C, case, gradients, views

from transfermap.methods.adversarial.mcc import MCC, confusion

torch.manual_seed(0)
Z = torch.randn(9, 4, dtype=torch.float64)


def naive(Z):
    """Entry by entry; what a row counts carries no gradient."""
    P = [torch.exp(z) / sum(torch.exp(v) for v in z) for z in Z]
    v = [1 + torch.exp(sum(x * torch.log(x) for x in p)).detach() for p in P]
    v = [len(Z) * x / sum(v) for x in v]
    classes = range(Z.shape[1])
    N = [[sum(w * p[j] * p[k] for w, p in zip(v, P, strict=True)) for k in classes] for j in classes]
    return sum(N[j][k] / sum(N[j]) for j in classes for k in classes if k != j) / len(classes), v


def test_loss_and_gradient_are_those_of_the_equation():
    a, b = Z.clone().requires_grad_(), Z.clone().requires_grad_()
    fast, (slow, v) = confusion(a), naive(b)
    torch.testing.assert_close(fast, slow)
    torch.testing.assert_close(torch.autograd.grad(fast, a)[0], torch.autograd.grad(slow, b)[0])
    assert float(sum(v)) == pytest.approx(len(Z))


def test_it_looks_at_softened_target_rows_only():
    method = MCC(weight=0.5)
    m, s, t = case(method)
    a, b = views(m, s, t)
    terms = method.terms(m, a, b, s, t, 0.0)
    torch.testing.assert_close(terms["confusion"], 0.5 * naive(b.z / 2.5)[0])
    for part in ("features", "head"):
        assert gradients(terms, m, part).any()
    torch.testing.assert_close(method.terms(m, b, b, s, t, 0.9)["confusion"], terms["confusion"])


def test_bounds_and_order():
    sure = 100 * torch.eye(C)[[0, 1, 2, 1, 0]]
    assert float(confusion(sure)) == pytest.approx(0, abs=1e-6)
    assert float(confusion(torch.zeros(6, C))) == pytest.approx(1 - 1 / C)
    torch.testing.assert_close(confusion(Z[torch.randperm(9)][:, torch.randperm(4)]), confusion(Z))


def test_a_class_without_rows_is_no_nan_and_counts_as_confused():
    # a peer divides by its sum of 0; one that drops such rows finds a net without fault that knows one class only
    one = torch.zeros(6, C)
    one[:, 0] = 1000
    one.requires_grad_()
    loss = confusion(one)
    assert float(loss.detach()) == pytest.approx(1 - 1 / C)
    assert torch.isfinite(torch.autograd.grad(loss, one)[0]).all()
    # the limit of the equation, which a constant beside the sum would miss
    near = torch.zeros(6, C, dtype=torch.float64)
    near[:, 0] = 60
    torch.testing.assert_close(confusion(near), naive(near)[0])
