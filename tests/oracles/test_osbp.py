"""OSBP against the paper's losses over C + 1 outputs; which way each part is pushed; how unknown rows are reported."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from small_net import spec_of
from torch import nn

from transfermap.data.toy import make_toy
from transfermap.deep.estimators import DeepClassifier
from transfermap.deep.training.batch import Batch, Outputs
from transfermap.deep.training.engine import Engine
from transfermap.deep.training.objective import source_loss
from transfermap.methods.open_set.osbp import OSBP, log_unknown
from transfermap.runs.model_file import load, save

C, K = 3, 4


def case(method, ns=5, nt=3, seed=0):
    """A net that is only a head, the method's part, and views of both domains; float64."""
    torch.manual_seed(seed)
    net = nn.ModuleDict({"features": nn.Identity(), "head": nn.Linear(K, C)})
    net.update(method.parts(spec_of(net, C)))
    m = Engine(net.double(), torch.device("cpu"))
    f = [torch.randn(n, K, dtype=torch.float64, requires_grad=True) for n in (ns, nt)]
    a, b = (Outputs(x, m["head"](x), {}) for x in f)
    return m, a, b, Batch(f[0], torch.arange(ns) % C, torch.arange(ns)), Batch(f[1], None, torch.arange(nt))


def by_hand(m, fs, y, ft, aim):
    """Cross-entropy over C + 1 outputs on the source, and A on the target, one row at a time."""
    every = lambda f: torch.softmax(torch.cat([m["head"](f), m["unknown"](f)]), 0)  # noqa: E731
    source = -sum(torch.log(every(f)[k]) for f, k in zip(fs, y, strict=True)) / len(fs)
    p = [every(f)[C] for f in ft]
    return source, -sum(aim * torch.log(q) + (1 - aim) * torch.log(1 - q) for q in p) / len(ft)


@pytest.mark.parametrize("aim", [0.5, 0.3])
def test_losses_and_gradients_are_the_papers(aim):
    method = OSBP(threshold=aim)
    m, a, b, s, t = case(method)
    found = {"source": source_loss(a.z, s.y)} | method.terms(m, a, b, s, t, 0.0)
    fs, ft = (x.f.detach().clone().requires_grad_() for x in (a, b))
    source, adversary = by_hand(m, fs, s.y, ft, aim)
    torch.testing.assert_close(found["source"] + found["known"], source)
    torch.testing.assert_close(found["unknown"], adversary)
    outputs = [*m["head"].parameters(), *m["unknown"].parameters()]
    got = torch.autograd.grad(sum(found.values()), [a.f, b.f, *outputs])
    down = torch.autograd.grad(source + adversary, outputs, retain_graph=True)  # the outputs descend on A
    up = torch.autograd.grad(source - adversary, [fs, ft])  # the features climb
    for one, other in zip(got, [*up, *down], strict=True):
        torch.testing.assert_close(one, other)
        assert one.abs().max() > 1e-6


def test_the_features_push_each_row_further_to_its_side():
    # a peer's note says that the paper's signs are reversed: then all rows gather at the threshold
    method = OSBP()
    m, a, b, s, t = case(method)
    loss = method.terms(m, a, b, s, t, 0.0)["unknown"]
    moved = b.f - 1e-3 * torch.autograd.grad(loss, b.f)[0]
    p, q = (log_unknown(m["head"](f), m["unknown"](f))[0].exp() for f in (b.f, moved))
    assert ((q - 0.5).abs() > (p - 0.5).abs()).all()


def test_probabilities_add_up_and_do_not_overflow():
    z, u = torch.tensor([[1e4, 0.0], [-1e4, -1e4], [0.0, 0.0]]), torch.tensor([[0.0], [1e4], [0.0]])
    new, known = log_unknown(z, u)
    torch.testing.assert_close(new.exp() + known.exp(), torch.ones(3))
    torch.testing.assert_close(new.exp(), torch.tensor([0.0, 1.0, 1 / 3]))
    assert torch.isfinite(new).all() and torch.isfinite(known).all()


def test_each_term_has_its_switch():
    m, a, b, s, t = case(OSBP())
    assert OSBP(known_weight=0.0).terms(m, a, b, s, t, 0.0)["known"] == 0
    off = OSBP(domain_weight=0.0).terms(m, a, b, s, t, 0.0)["unknown"]
    assert not torch.autograd.grad(off, b.f)[0].any()
    whole, half = (OSBP(weight=w).terms(m, a, b, s, t, 0.0) for w in (1.0, 0.5))
    for name, term in whole.items():
        torch.testing.assert_close(half[name], term / 2)


def test_unknown_rows_are_found_and_classes_stay_the_sources(tmp_path):
    toy = make_toy("unknown_class", 300, 1001)
    X, y, d = np.r_[toy.Xs, toy.Xt], np.r_[toy.ys, toy.yt], np.repeat([1, -1], 300)
    alone, inside = OSBP().fit(X, y, sample_domain=d), DeepClassifier(OSBP()).fit(X, y, sample_domain=d)
    p = alone.unknown(toy.Xt)
    assert roc_auc_score(toy.yt == 2, p) > 0.9
    assert ((p >= 0) & (p <= 1)).all()
    assert alone.classes_.tolist() == inside.classes_.tolist() == [0, 1]
    assert set(alone.predict(toy.Xt)) <= {0, 1} and alone.predict_proba(toy.Xt).shape == (300, 2)
    np.testing.assert_array_equal(inside.objective_.unknown(toy.Xt, inside), p)
    save(alone, tmp_path / "m.tmap")
    np.testing.assert_array_equal(load(tmp_path / "m.tmap").unknown(toy.Xt), p)
