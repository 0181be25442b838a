"""T3A: templates by a loop, and what they are without rows."""

import math

import pytest
import torch
from small_net import C, K
from source_free_case import changed, engine, rows
from torch import nn

from transfermap.deep.training.batch import Outputs
from transfermap.methods.source_free.t3a import T3A, templates


@torch.no_grad()
def by_hand(head, f, keep, weight):
    """Class by class and row by row."""
    kept = {k: [] for k in range(C)}
    for row, k in [*((head.weight[k], k) for k in range(C)), *((row, None) for row in f)]:
        z = head(row)
        p = torch.exp(z) / torch.exp(z).sum()
        own = k is not None
        kept[k if own else int(z.argmax())].append((-sum(s * torch.log(s) for s in p), not own, row / row.norm()))
    made = []
    for k in range(C):
        nearest = sorted(kept[k], key=lambda x: float(x[0]))[:keep]
        total = sum((weight if is_row else 1.0) * row for _, is_row, row in nearest)
        made.append(total / total.norm())
    return torch.stack(made)


@pytest.mark.parametrize("keep", [1, 3, None])
@pytest.mark.parametrize("weight", [1.0, 0.2])
def test_templates_are_those_of_a_loop(keep, weight):
    m, x = engine()
    seen = m.forward(x)
    expected = by_hand(m["head"], seen.f, keep, weight)
    own = Outputs(m["head"].weight, m["head"](m["head"].weight), {})
    torch.testing.assert_close(templates(own, seen, keep, weight).detach(), expected)
    before = {k: v.clone() for k, v in m.modules.state_dict().items()}
    T3A(keep=keep, weight=weight).adapt(m, rows(x))
    torch.testing.assert_close(m["head"].weight.detach(), expected)
    assert changed(before, m.modules) == {"head.weight", "head.bias"}
    predicted = torch.tensor([max(range(C), key=lambda k: float(row @ expected[k])) for row in seen.f.detach()])
    torch.testing.assert_close(m.forward(x).z.argmax(1), predicted)


def test_without_rows_they_are_the_classifiers_directions():
    head = nn.Linear(K, C).double()
    none = Outputs(torch.zeros(0, K, dtype=torch.float64), torch.zeros(0, C, dtype=torch.float64), {})
    found = templates(Outputs(head.weight, head(head.weight), {}), none, keep=1)
    for made, own in zip(found, head.weight, strict=True):
        assert math.isclose(float(torch.cosine_similarity(made, own, dim=0).detach()), 1.0, rel_tol=1e-12)


def test_another_head_is_refused():
    m, x = engine()
    m.modules["head"] = nn.Sequential(m["head"])
    with pytest.raises(ValueError, match="T3A needs a head that is one linear layer; got Sequential"):
        T3A().adapt(m, rows(x))
