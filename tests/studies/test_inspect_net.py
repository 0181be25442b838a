"""Looking into nets: inputs that drive a unit, against a closed form; inversions; and the command with its page."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from typer.testing import CliRunner

from transfermap.cli.app import app
from transfermap.deep.nets.modules import Scaling
from transfermap.deep.pretrained import backbones
from transfermap.deep.pretrained.provider import Backbone, chain, digest_of
from transfermap.report.pages.inspection import as_shown, drawn, page, write_look
from transfermap.studies.activation import (
    Ascent,
    activations,
    blurred,
    depths,
    invert_features,
    maximise_activation,
    psnr,
    still,
    total_variation,
    upto,
)
from transfermap.studies.inspect_net import looked

SIDE = 8
IMAGE = (1, SIDE, SIDE)


def net(seed, classes=10):
    """A small net for digits, with dropout and batch normalisation."""
    torch.manual_seed(seed)
    return chain(
        stem=nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
        block=nn.Sequential(nn.Conv2d(16, 32, 3, padding=1, stride=2), nn.BatchNorm2d(32), nn.ReLU()),
        pool=nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(32 * 16, 64), nn.ReLU()),
        logits=nn.Linear(64, classes),
    )


@pytest.fixture(scope="module")
def digits():
    """Two nets, of different seeds and halves, that know the digits."""
    X, y = load_digits(return_X_y=True)
    X, y = torch.from_numpy(X / 16).float().view(-1, *IMAGE), torch.from_numpy(y)
    nets = []
    for seed in (0, 1):
        made = net(seed)
        optimizer = torch.optim.Adam(made.parameters(), 3e-3)
        rows = torch.arange(seed, len(X), 2)
        for _ in range(150):
            at = rows[torch.randperm(len(rows))[:64]]
            optimizer.zero_grad()
            nn.functional.cross_entropy(made(X[at]), y[at]).backward()
            optimizer.step()
        made.eval()
        assert float((made(X).argmax(1) == y).float().mean()) > 0.95
        nets.append(made)
    return nets, X


# activation maximisation


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_linear_filter_is_driven_most_by_itself(seed):
    torch.manual_seed(seed)
    layer = nn.Conv2d(1, 4, SIDE, bias=True)
    how = Ascent.bare(l2=0.5, span=None, steps=200, rate=0.05)
    made = maximise_activation(layer, range(4), IMAGE, how)
    for x, w in zip(made.x, layer.weight, strict=True):
        assert float(torch.cosine_similarity((x - 0.5).flatten(), w.flatten(), dim=0).detach()) >= 0.99


def test_its_length_is_what_the_penalty_allows():
    # the direction's root mean square is 1, and so is the penalty's pull at a distance of 1 / l2
    layer = nn.Conv2d(1, 1, SIDE)
    made = maximise_activation(layer, [0], IMAGE, Ascent.bare(l2=0.5, span=None, steps=400, rate=0.05))
    assert float((made.x - 0.5).square().mean().sqrt()) == pytest.approx(2.0, rel=0.01)


def test_an_offset_changes_nothing(digits):
    (first, _), _ = digits
    how = Ascent(steps=10)
    with still(first):
        before = maximise_activation(first, range(10), IMAGE, how)
        with torch.no_grad():
            first.logits.bias += 3
        after = maximise_activation(first, range(10), IMAGE, how)
        with torch.no_grad():
            first.logits.bias -= 3
    torch.testing.assert_close(before.x, after.x)
    torch.testing.assert_close(before.curve + 3, after.curve)


def test_the_activation_rises_in_nearly_every_small_step(digits):
    (first, _), _ = digits
    with still(first):
        made = maximise_activation(first, range(10), IMAGE, Ascent.bare(steps=100, rate=0.003))
    assert made.curve.shape == (101, 10)
    assert float((made.curve.diff(dim=0) > 0).float().mean()) >= 0.95
    assert (made.curve[-1] > made.curve[0]).all()


def test_the_net_and_its_hooks_stay_as_they_were():
    made = net(0).train()
    made.stem[0].weight.requires_grad_(False)
    before = {k: v.clone() for k, v in made.state_dict().items()}
    with still(made):
        assert not any(module.training for module in made.modules())
        maximise_activation(upto(made, "block"), [0, 1], IMAGE, Ascent(steps=5))
        invert_features(upto(made, "stem"), torch.rand(1, *IMAGE), steps=5)
        assert all(p.grad is None for p in made.parameters())
    assert all(torch.equal(v, before[k]) for k, v in made.state_dict().items())
    assert all(module.training for module in made.modules())
    assert [p.requires_grad for p in made.parameters()] == [False] + [True] * (len(list(made.parameters())) - 1)
    assert not any(module._forward_hooks or module._backward_hooks for module in made.modules())


def test_a_unit_behind_a_shut_relu_is_shaken_awake():
    layer = nn.Sequential(nn.Conv2d(1, 1, SIDE), nn.ReLU())
    with torch.no_grad():
        layer[0].weight.fill_(1.0)
        layer[0].bias.fill_(-SIDE * SIDE * 0.5 - 1.0)
    asleep = maximise_activation(layer, [0], IMAGE, Ascent.bare(steps=1, noise=0.0))
    assert float(asleep.curve[0]) == 0
    made = maximise_activation(layer, [0], IMAGE, Ascent.bare(steps=80, rate=0.05, noise=0.0))
    assert float(made.curve[-1]) > 1


def test_a_unit_at_its_ceiling_is_left_in_peace():
    layer = nn.Sequential(nn.Conv2d(1, 1, SIDE), nn.ReLU6())
    with torch.no_grad():
        layer[0].weight.fill_(1.0)
        layer[0].bias.fill_(-SIDE * SIDE * 0.5 + 5.0)
    made = maximise_activation(layer, [0], IMAGE, Ascent.bare(steps=60, rate=0.05, noise=0.0))
    assert float(made.curve[-1]) == 6
    # all points went up together, and none of them moved any more
    torch.testing.assert_close(made.x, made.x.mean().expand_as(made.x))
    assert float(made.x.max()) < 0.6


def test_maximised_logits_are_told_right_by_the_net_and_by_another(digits):
    (first, second), X = digits
    with still(first), still(second):
        real = torch.quantile(first(X), 0.99, dim=0)
        # eight points are a small image to be moved about in
        held = maximise_activation(first, range(10), IMAGE, Ascent(steps=100, jitter=1, variation=0.2))
        free = maximise_activation(first, range(10), IMAGE, Ascent.bare(steps=100))
        for made, other in ((held, 6), (free, 0)):
            right = [int((judge(made.x).argmax(1) == torch.arange(10)).sum()) for judge in (first, second)]
            assert right[0] >= 9
            assert right[1] >= other
        assert (free.curve[-1] > real).all()
        assert float(total_variation(held.x).mean()) < float(total_variation(free.x).mean())


# its parts


def test_activations_are_means_over_places_or_outputs():
    out = torch.arange(24.0).view(2, 3, 2, 2)
    assert activations(out, [1, 2]).tolist() == [out[0, 1].mean(), out[1, 2].mean()]
    assert activations(out[:, :, 0, 0], [0, 2]).tolist() == [0.0, 20.0]
    with pytest.raises(ValueError, match="expected units from 0 to 2, got 3"):
        activations(out, [0, 3])


def test_variation_and_blur():
    assert float(total_variation(torch.full((1, 3, 5, 5), 0.7))) == 0
    edge = torch.zeros(1, 1, 4, 4)
    edge[..., 2:] = 1
    assert float(total_variation(edge)) == pytest.approx(1 / 3)
    torch.testing.assert_close(blurred(torch.full((2, 3, 9, 9), 0.7), 1.0), torch.full((2, 3, 9, 9), 0.7))
    point = torch.zeros(1, 1, 15, 15)
    point[0, 0, 7, 7] = 1
    soft = blurred(point, 1.0)[0, 0]
    distance = torch.arange(15.0) - 7
    expected = torch.exp(-0.5 * (distance[:, None] ** 2 + distance**2)) * (distance.abs()[:, None] <= 3)
    expected = expected * (distance.abs() <= 3)
    torch.testing.assert_close(soft, expected / expected.sum())


def test_stages_are_named_and_asked_for_by_name(digits):
    (first, _), X = digits
    with still(first), torch.no_grad():
        torch.testing.assert_close(upto(first, "block")(X[:3]), first.block(first.stem(X[:3])))
    with pytest.raises(ValueError, match="no stage 'blok'; it has: stem, block, pool, logits"):
        upto(first, "blok")
    assert depths([str(i) for i in range(18)]) == ["0", "4", "8", "13", "17"]
    assert depths(["a", "b"]) == ["a", "b"]


# inversion


def test_an_invertible_stage_gives_the_image_back_and_deeper_ones_less(digits):
    (first, _), X = digits
    x0 = X[:1]
    square = nn.Conv2d(1, 1, 1)
    with still(square):
        exact = invert_features(square, x0, steps=300, variation=0.0)
    assert psnr(exact.x, x0) > 30
    found = []
    with still(first):
        for stage in ("stem", "block", "logits"):
            made = invert_features(upto(first, stage), x0, steps=300, variation=1e-3)
            assert float(made.curve[-1]) < 0.1 * float(made.curve[0])
            found.append(psnr(made.x, x0))
    assert found == sorted(found, reverse=True)
    assert found[0] > 25


def test_the_loss_is_the_share_of_the_features_that_is_missed():
    see = nn.Conv2d(1, 3, 3)
    x0 = torch.rand(1, *IMAGE)
    with still(see):
        made = invert_features(see, x0, steps=3)
        by_hand = sum(float(d) ** 2 for d in (see(made.x) - see(x0)).flatten())
        by_hand /= sum(float(v) ** 2 for v in see(x0).flatten())
    assert float(made.curve[-1]) == pytest.approx(by_hand, rel=1e-5)
    assert float(made.x.min()) >= 0 and float(made.x.max()) <= 1


# as a command


def backbone():
    torch.manual_seed(0)
    made = chain(
        scaling=Scaling((0.5,) * 3, (0.25,) * 3),
        stem=nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU()),
        block=nn.Sequential(nn.Conv2d(4, 6, 3, stride=2), nn.ReLU()),
        pool=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    ).eval()
    return Backbone("tiny <b>", "images", made, 6, lambda paths: None, digest_of(made), nn.Linear(6, 5))


def test_a_backbone_is_looked_at_by_depth():
    tiny = backbone()
    seen = looked(tiny, units=3, steps=4, side=32)
    assert [g.name for g in seen.galleries] == ["stem", "block", "logits"]
    assert [x.name for x in seen.inversions] == ["stem", "block"]
    for g in seen.galleries:
        assert g.images.shape == (3, 3, 32, 32)
        assert g.curves.shape == (5, 3)
        assert len(set(g.units)) == 3
    again = looked(tiny, units=3, steps=4, side=32)
    np.testing.assert_array_equal(again.galleries[1].images, seen.galleries[1].images)
    assert digest_of(tiny.net) == tiny.digest
    only = looked(tiny, stages=["block"], units=9, steps=2, side=32)
    assert [len(g.units) for g in only.galleries] == [6]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_stands_alone_and_escapes_names(lang, tmp_path):
    seen = looked(backbone(), units=2, steps=2, side=32)
    written = write_look(seen, tmp_path, lang)
    assert {path.suffix for path in written} == {".png", ".html"}
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in written if path.suffix == ".png")
    html = page(seen, drawn(seen), lang)
    assert "tiny &lt;b&gt;" in html and "tiny <b>" not in html
    assert not re.search(r"https?://|<script", html)
    assert html.count("data:image/png;base64,") == len(seen.galleries) + 2
    assert html == written[-1].read_text("utf8")


def test_images_of_little_contrast_are_stretched():
    assert as_shown(np.full((3, 2, 2), 0.4)).max() == 0
    pale = as_shown(np.linspace(0.4, 0.6, 12).reshape(3, 2, 2))
    assert (pale.min(), pale.max(), pale.shape) == (0, 1, (2, 2, 3))
    full = np.random.default_rng(0).random((1, 8, 8))
    np.testing.assert_array_equal(as_shown(full)[..., 2], full[0])


def test_the_command_writes_figures_and_a_page(tmp_path, monkeypatch):
    monkeypatch.setattr(backbones, "backbone", lambda name, weights=None: backbone())
    predicted = ["inspect", "tiny", "-o", str(tmp_path / "look"), "--units", "2", "--steps", "2", "--image-size", "32"]
    done = CliRunner().invoke(app, predicted)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "look" / "inspect.html").is_file() and (tmp_path / "look" / "inversions.png").is_file()
    again = CliRunner().invoke(app, predicted)
    assert again.exit_code == 2 and "exists already" in again.output
    for more, says in (
        (["--stage", "nose"], "no stage 'nose'"),
        (["--image-size", "8"], "--image-size must be at least 32; got 8"),
        (["--image", str(tmp_path / "none.jpg")], "none.jpg"),
    ):
        done = CliRunner().invoke(app, [*predicted, "--overwrite", *more])
        assert done.exit_code == 2
        assert says in " ".join(done.output.split())
