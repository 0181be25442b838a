"""ERM: the mean loss of source rows, term by term, and nothing else."""

import pytest
import torch
from small_net import case, cross_entropy, gradients

from transfermap.card import check_params
from transfermap.deep.training.batch import Batch
from transfermap.deep.training.objective import source_loss
from transfermap.methods.baseline.erm import ERM


def test_the_loss_and_its_gradient_are_the_mean_cross_entropys():
    m, s, t = case(ERM())
    terms = ERM().loss(m, {"source": s, "target": t}, 0.3)
    assert list(terms) == ["source"]
    a = m.forward(s.x)
    naive = cross_entropy(a.z, s.y)
    torch.testing.assert_close(terms["source"], naive)
    got = gradients(terms, m, "features", "head")
    torch.testing.assert_close(got, gradients(naive, m, "features", "head"))
    assert (gradients(terms, m, "features") != 0).any() and (gradients(terms, m, "head") != 0).all()
    # in closed form, for the head's shift: the mean of p less the labels' indicators
    closed = (a.p - torch.eye(3, dtype=torch.float64)[s.y]).mean(0)
    torch.testing.assert_close(torch.autograd.grad(terms["source"], m["head"].bias)[0], closed)


def test_numbers_are_learnt_by_squares():
    z, y = torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([0.0, 2.0, 1.0])
    assert source_loss(z, y) == pytest.approx((1 + 0 + 9) / 3)
    # a peer subtracts (n,) from (n, 1), and so compares all rows with all
    assert source_loss(y[:, None], y) == 0


def test_no_target_row_is_looked_at():
    m, s, t = case(ERM())
    spoilt = Batch(t.x * float("nan"), None, t.rows)
    assert (
        ERM().loss(m, {"source": s, "target": spoilt}, 0.5)["source"]
        == ERM().loss(m, {"source": s, "target": t}, 0.5)["source"]
    )
    with pytest.raises(ValueError, match="weight must be"):
        check_params(ERM(weight=1.0))
