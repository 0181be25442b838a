"""GAN: its losses row by row, the best discriminator in closed form, one step by hand, and what it makes."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from transfermap.deep.training.batch import Batch
from transfermap.deep.training.engine import Engine
from transfermap.deep.training.loop import Loop
from transfermap.methods.translation.gan import GAN


class Shift(nn.Module):
    """A generator that moves noise by a number."""

    def __init__(self, by):
        super().__init__()
        self.by = nn.Parameter(torch.tensor(by))

    def forward(self, z):
        return z + self.by


class Log(nn.Module):
    """A discriminator with a linear logit."""

    def __init__(self, slope, at):
        super().__init__()
        self.slope, self.at = nn.Parameter(torch.tensor(slope)), nn.Parameter(torch.tensor(at))

    def forward(self, x):
        return self.slope * x + self.at


def contest(rows, by=0.0, slope=0.0, at=0.0):
    """Rows, and rows that a generator makes of N(0, 1), before a discriminator; all of one column."""
    m = Engine(nn.ModuleDict({"generator": Shift(by), "discriminator": Log(slope, at)}), torch.device("cpu"))
    x = torch.as_tensor(rows)[:, None]
    return GAN(latent=1), m, {"target": Batch(x, None, torch.arange(len(x)))}


def test_the_losses_are_the_papers_row_by_row():
    rng = np.random.default_rng(0)
    method, m, batches = contest(rng.normal(2, 1, 7), by=0.3, slope=0.8, at=-0.4)
    for loss, naive in (
        (method.tell, lambda D, x, z: -np.mean(np.log(D(x))) - np.mean(np.log(1 - D(z + 0.3)))),
        (method.fool, lambda D, x, z: -np.mean(np.log(D(z + 0.3)))),
    ):
        torch.manual_seed(5)
        (term,) = loss(m, batches, 0.5).values()
        torch.manual_seed(5)
        z = torch.randn(7, 1).double().numpy()
        x = batches["target"].x.numpy()
        assert float(term.detach()) == pytest.approx(
            naive(lambda x: 1 / (1 + np.exp(-(0.8 * x - 0.4))), x, z), rel=1e-6
        )


def test_the_best_discriminator_of_two_gaussians_is_where_the_loss_is_least():
    # p = N(1.5, 1) and q = N(0, 1): log p/q = 1.5 x - 1.5^2 / 2, and D* = p / (p + q) is its sigmoid
    x = torch.randn(400_000, generator=torch.Generator().manual_seed(0)).double().numpy() + 1.5

    def value(slope, at):
        method, m, batches = contest(x, slope=slope, at=at)
        torch.manual_seed(1)
        loss = method.tell(m, batches, 0.0)["discriminator"]
        loss.backward()
        return float(loss.detach()), np.array([float(p.grad) for p in m["discriminator"].parameters()])

    best, slopes = value(1.5, -(1.5**2) / 2)
    assert np.abs(slopes).max() < 0.005
    for slope, at in ((1.2, -1.125), (1.8, -1.125), (1.5, -0.8), (1.5, -1.4), (0.0, 0.0)):
        assert value(slope, at)[0] > best
    # what it is worth: log 4 less twice the Jensen-Shannon divergence, here by a sum over a grid
    grid = np.linspace(-10, 12, 20001)
    p, q = (np.exp(-((grid - mean) ** 2) / 2) / np.sqrt(2 * np.pi) for mean in (1.5, 0.0))
    divergence = sum(0.5 * np.sum(a * np.log(2 * a / (p + q))) for a in (p, q)) * (grid[1] - grid[0])
    assert best == pytest.approx(np.log(4) - 2 * divergence, abs=0.005)


def test_where_made_rows_are_as_the_rows_nothing_is_better_than_log_four():
    x = torch.randn(200_000, generator=torch.Generator().manual_seed(2)).numpy()
    for slope, at in ((0.0, 0.0), (0.3, 0.0), (0.0, 0.3), (-0.5, 0.2)):
        method, m, batches = contest(x, slope=slope, at=at)
        torch.manual_seed(1)
        loss = float(method.tell(m, batches, 0.0)["discriminator"].detach())
        assert loss == pytest.approx(np.log(4), abs=1e-6) if slope == at == 0 else loss > np.log(4) + 0.01


def test_the_generators_gradient_does_not_fade_where_the_discriminator_is_sure():
    method, m, batches = contest(np.zeros(50) + 60, by=0.0, slope=1.0, at=-40.0)
    method.fool(m, batches, 0.0)["generator"].backward()
    assert float(m["generator"].by.grad) == pytest.approx(-1, abs=1e-6)  # one step towards the rows, at full size


def test_a_step_of_the_loop_is_adams_by_hand(monkeypatch):
    x = np.random.default_rng(3).normal(size=(32, 3)) * [1, 2, 3] + 5
    method = GAN(latent=2, width=8, steps=1, batch_size=32, lr=0.01)
    kept = {}

    def run(loop, real=Loop.run):
        kept.update({name: copy.deepcopy(part) for name, part in loop.engine.modules.items()})
        rows = loop.sources["target"]
        kept.update(x=rows._data[0][rows._order], random=torch.get_rng_state())
        real(loop)

    monkeypatch.setattr(Loop, "run", run)
    fitted = method.fit(x)
    G, D = kept["generator"], kept["discriminator"]
    first, second = (torch.optim.Adam(part.parameters(), 0.01, betas=(0.5, 0.999)) for part in (D, G))
    torch.set_rng_state(kept["random"])
    real, made = torch.sigmoid(D(kept["x"])), torch.sigmoid(D(G(torch.randn(32, 2))))
    (-torch.log(real).mean() - torch.log(1 - made).mean()).backward()
    first.step()
    G.zero_grad()
    (-torch.log(torch.sigmoid(D(G(torch.randn(32, 2))))).mean()).backward()
    second.step()
    for name, part in (("generator", G), ("discriminator", D)):
        for key, value in part.state_dict().items():
            torch.testing.assert_close(fitted.modules_[name].state_dict()[key], value, atol=1e-6, rtol=1e-5)


def test_frozen_the_generator_is_found_out(monkeypatch):
    x = np.random.default_rng(0).normal([4, 4], 0.3, size=(200, 2))
    monkeypatch.setattr(
        GAN, "fool", lambda self, m, batches, progress: {"still": 0 * m["generator"](self.noise(m, 2)).sum()}
    )
    last = GAN(steps=200).fit(x).history_[-1]
    assert last["D of rows"] > 0.95 and last["D of made rows"] < 0.05


def test_a_ring_of_clouds_is_covered():
    rng = np.random.default_rng(0)
    angle = np.pi / 2 * np.arange(4)
    centres = 2 * np.c_[np.cos(angle), np.sin(angle)]
    x = centres[rng.integers(0, 4, 1000)] + 0.2 * rng.normal(size=(1000, 2))
    made = GAN(latent=2, steps=800, batch_size=128).fit(x).sample(1000)
    apart = np.linalg.norm(made[:, None] - centres, axis=2)
    near = apart.min(1) < 0.6
    shares = np.bincount(apart.argmin(1)[near], minlength=4) / 1000
    assert near.mean() > 0.7 and shares.min() > 0.08


def test_images_have_a_net_and_a_scale_of_their_own():
    rng = np.random.default_rng(0)
    x = 16 * (np.add.outer(np.arange(8), np.arange(8)) % 2).ravel() * rng.uniform(0.5, 1, (100, 1))
    x[:, 5] = 3  # never varies: by its own spread it would be blown up
    fitted = GAN(net="conv", width=8, latent=4, steps=20).fit(x)
    made = fitted.sample(50)
    assert made.shape == (50, 64) and made.min() >= x.min() - 1e-5 and made.max() <= x.max() + 1e-5
    with pytest.raises(ValueError, match="no square"):
        GAN(net="conv", steps=1).fit(x[:, :50])
    with pytest.raises(ValueError, match="multiple of 4"):
        GAN(net="conv", steps=1).fit(np.ones((20, 36)))


def test_source_rows_and_labels_are_not_looked_at():
    rng = np.random.default_rng(1)
    X, d = rng.normal(size=(60, 2)), np.repeat([1, -1], 30)
    other = np.where(d[:, None] > 0, X * 100, X)
    made = GAN(steps=20).fit(X, sample_domain=d).sample(5)
    np.testing.assert_array_equal(made, GAN(steps=20).fit(X, np.arange(60), sample_domain=d).sample(5))
    np.testing.assert_array_equal(made, GAN(steps=20).fit(other, sample_domain=d).sample(5))
    mixed = rng.permutation(60)
    np.testing.assert_array_equal(made, GAN(steps=20).fit(X[mixed], sample_domain=d[mixed]).sample(5))
