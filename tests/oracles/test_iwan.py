"""IWAN against its equations; the stages; and that the source's features stand still once they are frozen."""

import hashlib

import numpy as np
import pytest
import torch
from small_net import spec_of
from torch import nn

from transfermap.data.toy import make_toy
from transfermap.deep.estimators import DeepClassifier
from transfermap.deep.training import settings
from transfermap.deep.training.batch import Batch, Outputs
from transfermap.deep.training.engine import Engine
from transfermap.deep.training.loop import OPTIMIZERS
from transfermap.methods.partial._shared import row_weights
from transfermap.methods.partial.iwan import IWAN

C, D, K = 3, 2, 4


def case(method, ns=6, nt=4, seed=0):
    """A small net in float64, the method's parts, and a batch of each domain."""
    torch.manual_seed(seed)
    features = nn.Sequential(nn.Linear(D, K), nn.BatchNorm1d(K), nn.Tanh())
    net = nn.ModuleDict({"features": features, "head": nn.Linear(K, C)})
    net.update(method.parts(spec_of(net, C)))
    m = Engine(net.double(), torch.device("cpu"))
    m.modules.train()
    s = Batch(torch.randn(ns, D, dtype=torch.float64), torch.arange(ns) % C, torch.arange(ns))
    return m, s, Batch(torch.randn(nt, D, dtype=torch.float64), None, torch.arange(nt))


def checksum(module):
    return hashlib.sha256(b"".join(v.numpy().tobytes() for v in module.state_dict().values())).hexdigest()


def see_as_double(m):
    """The engine hands on float32 features; these tests want all of float64."""
    net = m.modules

    def forward(x, watched=(), features=None):
        f = (features or net["features"])(x)
        return Outputs(f, net["head"](f), {})

    m.forward = forward


def probability(discriminator, f):
    return torch.sigmoid(discriminator(f)[0])


def by_hand(m, fs, ft, before):
    """First discriminator's loss, weights, second discriminator's loss, entropy: one row at a time."""
    weigher, discriminator = m["weigher"], m["discriminator"]
    first = -sum(torch.log(probability(weigher, f)) for f in fs) / len(fs)
    first = first - sum(torch.log(1 - probability(weigher, f.detach())) for f in ft) / len(ft)
    raw = torch.stack([1 - probability(weigher, f).detach().clamp(0.05, 0.95) for f in fs])
    v = raw / (0.9 * before + 0.1 * raw.mean())
    second = -sum(w * torch.log(probability(discriminator, f)) for w, f in zip(v, fs, strict=True)) / len(fs)
    second = second - sum(torch.log(1 - probability(discriminator, f)) for f in ft) / len(ft)
    p = [torch.softmax(m["head"](f), 0) for f in ft]
    return first, second, -sum((q * torch.log(q)).sum() for q in p) / len(p)


def test_losses_and_gradients_are_the_equations():
    method = IWAN(memory=0.9, weight=0.7, domain_weight=2.0, entropy_weight=0.3, rate=5.0)
    m, s, t = case(method)
    see_as_double(m)
    method.part_ways(m)
    found = method.adapt(m, {"source": s, "target": t}, 0.8)
    with torch.no_grad():
        fs = m["still"](s.x)
    ft = m["features"](t.x)
    first, second, sure = by_hand(m, fs, ft, 0.5)
    for name, value in (("weigher", first), ("domain", second), ("entropy", 0.7 * 0.3 * sure)):
        torch.testing.assert_close(found[name], value)
    risen = 2 / (1 + np.exp(-5 * 0.5)) - 1  # half of the last stage is over
    moving = list(m["features"].parameters())
    expected = torch.autograd.grad(0.7 * 0.3 * sure - 0.7 * 2.0 * risen * second, moving)
    for one, other in zip(torch.autograd.grad(sum(found.values()), moving), expected, strict=True):
        torch.testing.assert_close(one, other)
    assert max(g.abs().max() for g in expected) > 1e-4


def test_gradients_go_where_they_should_and_nowhere_else():
    method = IWAN()
    m, s, t = case(method)
    see_as_double(m)
    found = method.adapt(m, {"source": s, "target": t}, 0.9)
    for name, learns in (("weigher", {"weigher"}), ("domain", {"features", "discriminator"})):
        for part in ("features", "weigher", "discriminator"):
            parts = list(m[part].parameters())
            grads = torch.autograd.grad(found[name], parts, allow_unused=True, retain_graph=True)
            moved = max(0.0 if g is None else float(g.abs().max()) for g in grads)
            assert (moved > 1e-9) == (part in learns), (name, part)
    assert not any(p.requires_grad for p in m["still"].parameters())


def test_weights_are_one_in_the_mean_and_small_where_the_discriminator_is_sure():
    m, *_ = case(IWAN())
    d = torch.tensor([40.0, 0.0, -40.0], dtype=torch.float64)
    v = row_weights(m, d, 0.0)
    torch.testing.assert_close(v, torch.tensor([0.05, 0.5, 0.95], dtype=torch.float64) / 0.5)
    assert v.mean() == pytest.approx(1)
    assert not v.requires_grad


def trained(steps=60, **params):
    toy = make_toy("partial_labels", 100, 1)
    X, y, d = np.r_[toy.Xs, toy.Xt], np.r_[toy.ys, toy.yt], np.repeat([1, -1], 100)
    return DeepClassifier(IWAN(**params), steps=steps).fit(X, y, sample_domain=d), toy


def test_the_frozen_source_features_do_not_change_by_a_bit(monkeypatch):
    seen = []
    adapt = IWAN.adapt

    def watched(self, m, batches, progress):
        seen.append((checksum(m["still"].body), checksum(m["head"]), checksum(m["features"])))
        return adapt(self, m, batches, progress)

    monkeypatch.setattr(IWAN, "adapt", watched)
    model, _ = trained()
    still, head, moving = (set(column) for column in zip(*seen, strict=True))
    assert len(seen) == 24
    assert still == {checksum(model.modules_["still"].body)} and head == {checksum(model.modules_["head"])}
    assert len(moving) == 24
    assert seen[0][0] == seen[0][2]  # the target's features begin as a copy


def test_normalisation_layers_of_the_frozen_features_stand_still():
    m, s, t = case(IWAN())
    m.modules.float()
    before = checksum(m["still"])
    IWAN().adapt(m, {"source": s._replace(x=s.x.float()), "target": t._replace(x=t.x.float())}, 1.0)
    assert checksum(m["still"]) == before
    assert m["features"][1].num_batches_tracked == 1  # those of the target see the target alone


def test_the_stages_are_three_and_log_their_own_terms():
    model, _ = trained()
    names = [frozenset(h) & {"source", "weigher", "domain", "entropy"} for h in model.history_]
    assert (
        names
        == [frozenset({"source"})] * 30
        + [frozenset({"weigher"})] * 6
        + [frozenset({"weigher", "domain", "entropy"})] * 24
    )


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_every_optimizer_goes_through_the_stages(optimizer):
    toy = make_toy("partial_labels", 60)
    X, y, d = np.r_[toy.Xs, toy.Xt], np.r_[toy.ys, toy.yt], np.repeat([1, -1], 60)
    model = DeepClassifier(IWAN(), steps=20, optimizer=optimizer).fit(X, y, sample_domain=d)
    assert {"weigher", "domain", "entropy"} <= set(model.history_[-1])


def test_momenta_that_start_at_nought_are_those_that_start_with_the_first_gradient():
    a, b = (nn.Linear(3, 2) for _ in range(2))
    b.load_state_dict(a.state_dict())
    ours = OPTIMIZERS["sgd"]([{"params": list(a.parameters())}], 0.1, 0.01)
    plain = torch.optim.SGD(b.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=0.01, fused=True)
    x = torch.arange(12.0).reshape(4, 3)
    for _ in range(3):
        for net, optimizer in ((a, ours), (b, plain)):
            optimizer.zero_grad()
            net(x).square().mean().backward()
            optimizer.step()
    torch.testing.assert_close(a.weight, b.weight, rtol=0, atol=0)


def test_each_discriminator_is_on_record_by_itself():
    method = IWAN()
    m, s, t = case(method)
    see_as_double(m)
    sides = torch.tensor([1.0] * 6 + [-1.0] * 4, dtype=torch.float64)[:, None]
    m["weigher"].register_forward_hook(lambda _m, _x, d: sides + 0 * d)
    m["discriminator"].register_forward_hook(lambda _m, _x, d: 1.0 + 0 * d)
    method.adapt(m, {"source": s, "target": t}, 0.9)
    assert float(m.notes["weigher accuracy"]) == 1  # it knows all rows of both domains
    assert float(m.notes["discriminator accuracy"]) == 0.5  # it calls all rows the source's


def test_source_rows_can_be_ranked_and_those_of_absent_classes_count_least():
    model, toy = trained(300)
    v = model.objective_.source_weights(toy.Xs, model)
    assert v.mean() == pytest.approx(1)
    present = np.isin(toy.ys, toy.yt)
    assert v[present].mean() > 1.3 * v[~present].mean()
    assert (IWAN(rowwise=0.0).source_weights(toy.Xs, model) == 1).all()


def test_nothing_of_it_is_left_at_weight_zero(monkeypatch):
    monkeypatch.setattr(settings, "STEPS", 20)
    model, toy = trained(20, weight=0.0)
    assert {name for h in model.history_ for name in h} == {"step", "seconds", "source"}
    assert (model.objective_.source_weights(toy.Xs, model) == 1).all()


def test_a_run_that_was_cut_off_in_the_last_stage_goes_on_to_the_same_bits(tmp_path):
    def cut(done, of):
        if done == 30:
            raise KeyboardInterrupt

    toy = make_toy("partial_labels", 60)
    X, y, d = np.r_[toy.Xs, toy.Xt], np.r_[toy.ys, toy.yt], np.repeat([1, -1], 60)
    how = {"steps": 40, "every": 10}
    with pytest.raises(KeyboardInterrupt):
        DeepClassifier(IWAN(), checkpoint=tmp_path / "run", tick=cut, **how).fit(X, y, sample_domain=d)
    resumed = DeepClassifier(IWAN(), checkpoint=tmp_path / "run", **how).fit(X, y, sample_domain=d)
    whole = DeepClassifier(IWAN(), **how).fit(X, y, sample_domain=d)
    np.testing.assert_array_equal(resumed.decision_function(X), whole.decision_function(X))
    np.testing.assert_array_equal(
        resumed.objective_.source_weights(toy.Xs, resumed), whole.objective_.source_weights(toy.Xs, whole)
    )
