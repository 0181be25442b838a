"""CycleGAN: its losses row by row, the pool of made rows, one step by hand, and what it must not do."""

import copy
from functools import cache

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from torch import nn

from transfermap.data.toy import make_toy
from transfermap.deep.nets.modules import Memory, same
from transfermap.deep.training.batch import Batch
from transfermap.deep.training.engine import Engine
from transfermap.deep.training.loop import Loop
from transfermap.deep.training.objective import InputSpec
from transfermap.methods.translation.cyclegan import CycleGAN, replayed

NAMES = ("to_target", "to_source", "real_target", "real_source")


def case(d=3, **params):
    """The method, its modules with weights that are not their start, and a batch of either domain."""
    torch.manual_seed(0)
    method = CycleGAN(width=5, **params)
    m = Engine(nn.ModuleDict(method.parts(InputSpec(shape=(d,)))), torch.device("cpu"))
    for p in m.modules.parameters():
        nn.init.normal_(p, std=0.4)
    s, t = (Batch(torch.randn(n, d), None, torch.arange(n)) for n in (6, 4))
    return method, m, {"source": s, "target": t}


def test_the_losses_are_the_papers_row_by_row():
    method, m, batches = case(cycle=7.0, identity=3.0)
    G, F, Dt, Ds = (lambda x, part=m[name]: part(x[None])[0] for name in NAMES)
    s, t = batches["source"].x, batches["target"].x
    naive = {
        "looks like target": sum((Dt(G(x)) - 1) ** 2 for x in s) / 6,
        "looks like source": sum((Ds(F(x)) - 1) ** 2 for x in t) / 4,
        "cycle": 7 * (sum(abs(F(G(x)) - x).sum() for x in s) / 18 + sum(abs(G(F(x)) - x).sum() for x in t) / 12),
        "identity": 3 * (sum(abs(G(x) - x).sum() for x in t) / 12 + sum(abs(F(x) - x).sum() for x in s) / 18),
    }
    terms = method.translate(m, batches, 0.5)
    assert set(terms) == set(naive)
    for name, value in naive.items():
        torch.testing.assert_close(terms[name], value.squeeze(), atol=1e-5, rtol=1e-5)
    told = method.tell(m, batches, 0.5)
    for name, D, real, made in (
        ("target", Dt, t, [G(x) for x in s]),
        ("source", Ds, s, [F(x) for x in t]),
    ):
        value = sum((D(x) - 1) ** 2 for x in real) / len(real) + sum(D(x) ** 2 for x in made) / len(made)
        torch.testing.assert_close(told[f"{name} discriminator"], value.squeeze() / 2)
    assert "identity" not in case()[0].translate(m, batches, 0.5)


def test_identities_have_no_cycle_term_and_no_identity_term():
    method, m, batches = case(identity=5.0)
    m.modules.update({"to_target": same(3), "to_source": same(3)})
    terms = method.translate(m, batches, 0.0)
    assert float(terms["cycle"].detach()) == float(terms["identity"].detach()) == 0


def test_translations_of_tables_start_as_the_identity():
    parts = CycleGAN().parts(InputSpec(shape=(4,)))
    x = torch.randn(9, 4)
    for name in NAMES[:2]:
        torch.testing.assert_close(parts[name](x), x, atol=0, rtol=0)


# ---- the pool


def pool(size, d=1):
    return Memory(rows=torch.zeros(size, d), held=torch.tensor(0))


def test_the_pool_shows_what_comes_until_it_is_full_and_holds_it():
    p = pool(50)
    first, second = torch.arange(30.0)[:, None], torch.arange(30.0, 50)[:, None]
    assert replayed(p, first).equal(first) and replayed(p, second).equal(second)
    assert p.held == 50 and p.rows[:, 0].tolist() == list(range(50))


def test_a_full_pool_changes_half_of_the_rows_one_after_another_as_the_papers_does():
    p, rows, rng = pool(50), torch.zeros(50, 1), 0
    replayed(p, torch.arange(50.0)[:, None])
    rows.copy_(p.rows)
    changed = 0
    for at in range(50, 2050, 40):
        made = torch.arange(float(at), at + 40)[:, None]
        rng = torch.get_rng_state()
        shown = replayed(p, made)
        torch.set_rng_state(rng)
        chances, places = torch.rand(40), torch.randint(50, (40,))
        for i in range(40):  # the paper's code, an image at a time
            wanted = made[i].clone()
            if chances[i] < 0.5:
                wanted, rows[places[i]] = rows[places[i]].clone(), made[i]
            assert shown[i].equal(wanted)
            changed += not wanted.equal(made[i])
        assert rows.equal(p.rows)
    assert 0.45 < changed / 2000 < 0.55


def test_the_pool_lets_no_gradient_through_to_old_rows_and_may_be_absent():
    made = torch.randn(4, 1, requires_grad=True)
    assert replayed(pool(0), made) is made
    p = pool(2)
    replayed(p, made)
    assert not p.rows.requires_grad and not replayed(p, made).requires_grad


# ---- the loop


def two_domains(n=64, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n, 2))
    X[n:] = X[n:] * [2.0, 0.5] + [4.0, -3.0]
    return X, np.repeat([1, -1], n)


def test_a_step_of_the_loop_is_adams_by_hand(monkeypatch):
    X, d = two_domains(32)
    kept = {}

    def run(loop, real=Loop.run):
        kept.update(copy.deepcopy(dict(loop.engine.modules.items())))
        kept.update({name: source._data[0][source._order] for name, source in loop.sources.items()})
        real(loop)

    monkeypatch.setattr(Loop, "run", run)
    fitted = CycleGAN(width=8, steps=1, batch_size=32, lr=0.01, cycle=2.0).fit(X, sample_domain=d)
    G, F, Dt, Ds = (kept[name] for name in NAMES)
    s, t = kept["source"], kept["target"]
    first, second = (
        torch.optim.Adam([*a.parameters(), *b.parameters()], 0.01, betas=(0.5, 0.999)) for a, b in ((G, F), (Dt, Ds))
    )
    loss = ((Dt(G(s)) - 1) ** 2).mean() + ((Ds(F(t)) - 1) ** 2).mean()
    (loss + 2 * ((F(G(s)) - s).abs().mean() + (G(F(t)) - t).abs().mean())).backward()
    first.step()
    second.zero_grad()
    loss = ((Dt(t) - 1) ** 2).mean() + (Dt(G(s)) ** 2).mean() + ((Ds(s) - 1) ** 2).mean() + (Ds(F(t)) ** 2).mean()
    (loss / 2).backward()
    second.step()
    for name in NAMES:
        for key, value in kept[name].state_dict().items():
            torch.testing.assert_close(fitted.modules_[name].state_dict()[key], value, atol=1e-6, rtol=1e-5)


def test_killed_and_resumed_it_ends_with_the_same_weights_and_the_same_pool(tmp_path, monkeypatch):
    X, d = two_domains()
    method = CycleGAN(steps=12, batch_size=16, every=1, width=8, pool=20)
    whole = clone(method).fit(X, sample_domain=d)
    cut, calls = clone(method).set_params(checkpoint=tmp_path / "run.safetensors"), []

    def killed(self, m, batches, progress, real=CycleGAN.tell):
        calls.append(progress)
        if len(calls) > 7:  # the pool is full by then
            raise KeyboardInterrupt
        return real(self, m, batches, progress)

    with monkeypatch.context() as patch:
        patch.setattr(CycleGAN, "tell", killed)
        with pytest.raises(KeyboardInterrupt):
            cut.fit(X, sample_domain=d)
    torch.manual_seed(99)
    resumed = clone(cut).fit(X, sample_domain=d).modules_.state_dict()
    assert whole.modules_["pool_target"].held == 20
    for name, value in whole.modules_.state_dict().items():
        assert torch.equal(value, resumed[name]), name


# ---- what it is good for, and what it must not do


@cache
def turned():
    """Source rows moved to the target's look, on the toy of its card."""
    toy = make_toy("rotation_and_scale", n=300, seed=0)
    d = np.repeat([1, -1], 300)
    return toy, CycleGAN().fit(np.r_[toy.Xs, toy.Xt], sample_domain=d)


def test_translated_the_source_has_the_targets_mean_and_covariance():
    toy, fitted = turned()
    Z = fitted.transform(toy.Xs, sample_domain=np.ones(300, int))
    assert np.abs(Z.mean(0) - toy.Xt.mean(0)).max() < 0.3 < np.abs(toy.Xs.mean(0) - toy.Xt.mean(0)).max()
    wanted, got, before = (np.cov(X.T) for X in (toy.Xt, Z, toy.Xs))
    assert np.linalg.norm(got - wanted) < 0.35 * np.linalg.norm(before - wanted)
    np.testing.assert_array_equal(fitted.transform(toy.Xt), toy.Xt)


def test_there_and_back_is_where_a_row_began_even_with_a_little_noise_between():
    toy, fitted = turned()
    for domain, X in (("source", toy.Xs), ("target", toy.Xt)):
        spread = X.std()
        assert np.abs(fitted.round_trip(X, domain) - X).mean() < 0.15 * spread
    there = fitted.transform(toy.Xs, sample_domain=np.ones(300, int))
    # what is written in faint traces would not survive this
    noisy = there + 0.05 * there.std(0) * np.random.default_rng(0).normal(size=there.shape)
    assert np.abs(fitted.to_source(noisy) - toy.Xs).mean() < 0.25 * toy.Xs.std()
    with pytest.raises(ValueError, match="domain must be 'source' or 'target'"):
        fitted.round_trip(toy.Xs, "elsewhere")


def test_between_equal_domains_rows_come_back_and_stay_near_where_they_are():
    X = np.random.default_rng(0).normal(size=(200, 3))
    fitted = CycleGAN(steps=200).fit(X)  # every row is both
    assert np.abs(fitted.round_trip(X) - X).mean() < 0.05
    assert np.abs(fitted.transform(X, sample_domain=np.ones(200, int)) - X).mean() < 0.3


def stripes(n, seed, negative):
    """8 x 8 images of a bright row or a bright column somewhere; or their negatives."""
    rng = np.random.default_rng(seed)
    y, at = rng.integers(0, 2, n), rng.integers(1, 7, n)
    X = np.zeros((n, 8, 8))
    for image, upright, place in zip(X, y, at, strict=True):
        (image.T if upright else image)[place] = 1
    X = 0.7 * (1 - X) + 0.1 if negative else X
    return (X + 0.03 * rng.normal(size=X.shape)).reshape(n, 64), y


def test_images_are_translated_to_their_negatives_and_back_and_keep_what_they_show():
    (Xs, ys), (Xt, yt) = stripes(200, 0, False), stripes(200, 1, True)
    X, d = np.r_[Xs, Xt], np.repeat([1, -1], 200)
    method = CycleGAN(net="conv", width=16, cycle=10.0, steps=300, batch_size=32, lr=2e-3)
    fitted = method.fit(X, sample_domain=d)
    Z = fitted.transform(Xs, sample_domain=np.ones(200, int))
    assert abs(Z.mean() - Xt.mean()) < 0.1 < abs(Xs.mean() - Xt.mean())
    rule = LogisticRegression(max_iter=2000).fit(Xs, ys)
    assert rule.score(fitted.to_source(Xt), yt) > 0.9 > 0.6 > rule.score(Xt, yt)
    assert np.abs(fitted.round_trip(Xs) - Xs).mean() < 0.05
    assert Z.min() >= X.min() - 1e-6 and Z.max() <= X.max() + 1e-6
