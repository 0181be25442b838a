"""Fine-tuning of backbones: what each recipe moves, what is kept, and what comes out."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from transfermap.deep.nets.freezing import Surgery
from transfermap.deep.pretrained.provider import Backbone, digest_of
from transfermap.deep.training.loop import Plan
from transfermap.finetuning.finetune import finetune, forgotten, rows_of, start_of
from transfermap.finetuning.frozen_rows import Rows
from transfermap.finetuning.recipes import RECIPES, held_aside, linear_head
from transfermap.finetuning.training import Job, train

SIDE = 6


def image(item):
    """The image called "2-7" is the seventh of class 2: its columns are bright there."""
    label, number = map(int, item.split("-"))
    x = torch.randn(3, SIDE, SIDE, generator=torch.Generator().manual_seed(1000 * label + number))
    x[:, :, 2 * label : 2 * label + 2] += 1.5
    return x


def small(kind="images"):
    torch.manual_seed(0)
    stages = nn.Sequential()
    stages.add_module("scaling", nn.Identity())
    stages.add_module("stem", nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()))
    stages.add_module("block0", nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()))
    stages.add_module("pool", nn.Sequential(nn.AdaptiveAvgPool2d((1, 3)), nn.Flatten()))
    return Backbone("small", kind, stages.eval(), 24, lambda items: torch.stack(list(map(image, items))), "0" * 64)


def items(each=8, first=0):
    names = [f"{label}-{number}" for label in range(3) for number in range(first, first + each)]
    return names, np.repeat(["ant", "bee", "cat"], each)


def accuracy(tuned, each=20):
    names, y = items(each, first=100)
    return float((tuned.predict(names) == y).mean())


@pytest.fixture(scope="module")
def backbone():
    return small()


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_every_recipe_learns_and_leaves_the_backbone_as_it_was(backbone, recipe):
    before = digest_of(backbone.net)
    tuned = finetune(backbone, *items(), recipe=recipe, steps=60, lr=3e-3, backbone_lr=1.0)
    assert accuracy(tuned) > 0.8
    assert digest_of(backbone.net) == before
    again = finetune(backbone, *items(), recipe=recipe, steps=60, lr=3e-3, backbone_lr=1.0)
    names, _ = items(2)
    np.testing.assert_array_equal(tuned.decision_function(names), again.decision_function(names))
    assert tuned.net.state_dict().keys() == start_of(backbone, 3).state_dict().keys()
    assert not any(module.training for module in tuned.net.modules())
    np.testing.assert_allclose(tuned.predict_proba(names).sum(axis=1), 1)


def test_what_is_frozen_comes_out_as_it_went_in(backbone):
    for recipe in ("full", "lpft", "lora", "gradual", "wise", "soup"):
        tuned = finetune(backbone, *items(), recipe=recipe, freeze=1, steps=10)
        new, old = tuned.net["features"].state_dict(), backbone.net.state_dict()
        assert all(torch.equal(new[k], v) for k, v in old.items() if k.startswith("stem")), recipe
        assert any(not torch.equal(new[k], v) for k, v in old.items() if k.startswith("block0")), recipe


def test_what_could_move_is_told(backbone):
    assert finetune(backbone, *items(2), recipe="probe").moved["moving"].tolist() == [0, 0, 75, 75]
    one = finetune(backbone, *items(2), freeze=("stem",), steps=1).moved
    assert one.loc["stem", "moving"] == 0 and one.loc["block0", "share"] == 1
    low = finetune(backbone, *items(2), recipe="lora", rank=2, steps=1).moved
    assert low.loc["block0", "moving"] == 2 * 8 + 2 * 72


def test_states_below_the_cut_give_what_the_whole_net_gives(backbone):
    names, _ = items(4)
    job = Job(
        net=start_of(backbone, 3),
        rows=rows_of(backbone, names),
        y=torch.arange(12) // 4,
        plan=Plan(steps=7),
        surgery=Surgery(freeze=("stem",)),
        batch=5,
    )
    cached, _ = train(job)
    assert list(job.rows._kept) == [2]
    # the same, with no stage below the cut
    job.rows.states = lambda features, cut: Rows.states(job.rows, features, 0)
    plain, _ = train(job)
    for (name, a), b in zip(cached.state_dict().items(), plain.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5, msg=name)


def test_states_that_do_not_fit_are_not_kept(backbone, monkeypatch):
    rows = rows_of(backbone, items(4)[0])
    monkeypatch.setattr("transfermap.finetuning.frozen_rows.MOST_BYTES", 5000)
    cut, x = rows.states(backbone.net, 2)
    assert cut == 0 and x.shape == (12, 3, SIDE, SIDE)
    assert rows.states(backbone.net, 4)[1].shape == (12, 24)
    assert list(rows._kept) == [4]  # both together are more than that


def test_fine_tuning_after_the_probe_starts_at_the_probe(backbone):
    names, y = items()
    fresh = items(5, 50)[0]
    predicted = finetune(backbone, names, y, recipe="probe").decision_function(fresh)
    for freeze in ("none", 1, "all"):
        still = finetune(backbone, names, y, recipe="lpft", freeze=freeze, steps=3, lr=1e-30)
        np.testing.assert_allclose(still.decision_function(fresh), predicted, atol=1e-5)


def test_the_loss_of_fine_tuning_begins_at_the_probe_s(backbone):
    names, y = items()
    probe = finetune(backbone, names, y, recipe="probe")
    loss = -np.log(probe.predict_proba(names)[np.arange(24), np.arange(24) // 8]).mean()
    run = finetune(backbone, names, y, recipe="lpft", steps=2)
    # a net that normalises its batches by themselves would be another one than the head was fitted to
    assert run.history[0]["loss"] == pytest.approx(loss, rel=1e-4)


def test_the_statistics_of_a_net_from_scratch_are_those_of_its_rows(backbone):
    names, y = items()
    net = finetune(backbone, names, y, scratch=True, steps=5).net["features"]
    with torch.no_grad():
        x = net.stem[0](backbone.read(names))
    torch.testing.assert_close(net.stem[1].running_mean, x.mean((0, 2, 3)), atol=1e-4, rtol=1e-4)


def test_the_mean_of_probe_and_tuned_net_has_both_as_its_ends(backbone):
    names, _ = items()
    job = Job(
        net=start_of(backbone, 3),
        rows=rows_of(backbone, names),
        y=torch.arange(24) // 8,
        plan=Plan(steps=10),
        surgery=Surgery(freeze="all"),
        batch=8,
    )
    ends = [RECIPES["wise"](job, alpha=a).net.state_dict() for a in (0.0, 0.5, 1.0)]
    for got, recipe in ((ends[0], "probe"), (ends[2], "lpft")):
        want = RECIPES[recipe](job).net.state_dict()
        assert all(torch.equal(got[k], v) for k, v in want.items())
    torch.testing.assert_close(ends[1]["head.weight"], (ends[0]["head.weight"] + ends[2]["head.weight"]) / 2)


def test_a_strong_pull_to_the_start_holds_the_features_there(backbone):
    names, _ = items()
    job = Job(
        net=start_of(backbone, 3),
        rows=rows_of(backbone, names),
        y=torch.arange(24) // 8,
        plan=Plan(steps=80, lr=1e-3, optimizer="sgd", weight_decay=0.1),
        batch=24,
    )
    far = {}
    for alpha in (0.0, 1.0, 100.0):
        net = RECIPES["l2sp"](job, alpha=alpha, beta=0.0).net["features"]
        start = dict(job.net["features"].named_parameters())
        far[alpha] = sum(float((p - start[n]).detach().square().sum()) for n, p in net.named_parameters())
    assert far[100.0] < 0.01 * far[1.0] < 0.01 * far[0.0]
    # nothing pulls to 0 at the same time, whatever the plan says
    decayed = RECIPES["l2sp"](replace(job, plan=replace(job.plan, weight_decay=100.0)), alpha=100.0, beta=0.0).net
    assert all(torch.equal(p, net.state_dict()[n]) for n, p in decayed["features"].state_dict().items())


def test_one_stage_after_the_other_begins_to_move(backbone):
    names, _ = items(4)
    job = Job(
        net=start_of(backbone, 3), rows=rows_of(backbone, names), y=torch.arange(12) // 4, plan=Plan(steps=2), batch=4
    )
    # of the three stages of the run (head; block0; stem) two steps reach the first two
    net, _ = train(job, gradual=True)
    old = job.net.state_dict()
    moved = {n for n, p in net.named_parameters() if not torch.equal(p, old[n])}
    assert {n.split(".")[1] for n in moved if n.startswith("features")} == {"block0"}
    assert "head.weight" in moved
    whole, _ = train(replace(job, plan=Plan(steps=3)), gradual=True)
    assert not torch.equal(whole["features"].stem[0].weight, job.net["features"].stem[0].weight)


def test_scratch_forgets_everything_and_random_weights_are_another_backbone(backbone):
    fresh = start_of(backbone, 3, seed=1, scratch=True)
    assert not torch.equal(fresh["features"].stem[0].weight, backbone.net.stem[0].weight)
    assert torch.equal(fresh["head"].weight, start_of(backbone, 3, seed=1, scratch=True)["head"].weight)
    other = forgotten(backbone)
    assert other.digest != backbone.digest and other.name != backbone.name
    assert finetune(backbone, *items(2), steps=1, scratch=True).facts["scratch"] is True


# sentences: rows of unlike length


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(20, 4)

    def forward(self, x):
        words, there = x.unbind(2)
        return self.table(words), there


class Mix(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        states, there = x
        return torch.tanh(self.linear(states)), there


class Mean(nn.Module):
    def forward(self, x):
        states, there = x
        weights = there.to(states.dtype)[..., None]
        return (states * weights).sum(1) / weights.sum(1)


def text_backbone():
    def read(sentences):
        longest = max(len(s) for s in sentences)
        x = torch.zeros(len(sentences), longest, 2, dtype=torch.long)
        for i, s in enumerate(sentences):
            x[i, : len(s), 0] = torch.tensor([ord(c) % 20 for c in s])
            x[i, : len(s), 1] = 1
        return x

    torch.manual_seed(0)
    stages = nn.Sequential()
    for name, stage in (("embedding", Words()), ("layer0", Mix()), ("layer1", Mix()), ("pool", Mean())):
        stages.add_module(name, stage)
    return Backbone("words", "text", stages.eval(), 4, read, "0" * 64)


def test_sentences_of_unlike_length_are_cut_and_kept_alike(monkeypatch):
    monkeypatch.setattr("transfermap.finetuning.frozen_rows.BLOCK", 3)
    backbone, sentences = text_backbone(), ["a", "bcd" * 9, "ab", "ddddcc", "cc", "dcd", "aabb"]
    direct = torch.cat([backbone.net(backbone.read([s])) for s in sentences])
    rows = rows_of(backbone, sentences)
    for cut in range(5):
        _, x = rows.states(backbone.net, cut)
        features = torch.cat([rows.above(backbone.net, cut)(part) for part in (x[:2], x[2:])])
        torch.testing.assert_close(features, direct)
    labels = ["abc"[len(s) % 2] for s in sentences]
    for freeze in ("none", 1, 2, "all"):
        tuned = finetune(backbone, sentences, labels, freeze=freeze, steps=3, batch=4)
        assert tuned.predict(["abcd", "a"]).shape == (2,)


# heads and choices


def test_the_probe_is_a_logistic_regression_on_the_features():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 60)
    F = (rng.normal(size=(60, 7)) + np.eye(3, 7)[y] * 2) * 50 + 1000
    head, C = linear_head(F, y, 3)
    from sklearn.linear_model import LogisticRegression

    Z = (F - F.mean(0)) / np.sqrt(((F - F.mean(0)) ** 2).sum(1).mean())
    expected = LogisticRegression(C=C, max_iter=2000).fit(Z, y).predict_proba(Z)
    with torch.no_grad():
        predicted = head.double()(torch.from_numpy(F)).softmax(1).numpy()
    np.testing.assert_allclose(predicted, expected, atol=1e-3)


@pytest.mark.parametrize("kind", ["two classes", "numbers", "one row each"])
def test_the_probe_of(kind):
    rng = np.random.default_rng(1)
    F = rng.normal(size=(40, 5))
    y = F[:, 0] * 2 + 1 if kind == "numbers" else (F[:, 0] > 0).astype(int)
    if kind == "one row each":
        F, y = F[[y.argmin(), y.argmax()]], np.array([0, 1])
    head, _ = linear_head(F, y, 1 if kind == "numbers" else 2)
    with torch.no_grad():
        Z = head.double()(torch.from_numpy(F)).numpy()
    if kind == "numbers":
        assert np.corrcoef(Z[:, 0], y)[0, 1] > 0.99
    else:
        assert Z.shape[1] == 2 and (Z.argmax(1) == y).mean() > 0.9


def test_rows_kept_aside_are_of_each_class_and_never_all():
    y = np.repeat([0, 1, 2], [10, 2, 1])
    aside = held_aside(y, 0.2, seed=0)
    assert [int(aside[y == c].sum()) for c in range(3)] == [2, 1, 0]
    np.testing.assert_array_equal(aside, held_aside(torch.from_numpy(y), 0.2, seed=0))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"recipe": "magic"}, "no recipe 'magic'; expected one of: full, probe"),
        ({"labels": ["ant"] * 24}, "two or more classes; got 24 labels of 1"),
        ({"labels": ["ant", "bee"]}, "a label for each of 24 items"),
        ({"freeze": 9}, "0 to 2 stages"),
    ],
)
def test_what_cannot_be_is_refused(backbone, how, says):
    names, y = items()
    with pytest.raises(ValueError, match=says):
        finetune(backbone, names, how.pop("labels", y), **how)


def test_the_copy_is_deep(backbone):
    tuned = finetune(backbone, *items(2), steps=2)
    assert copy.deepcopy(tuned.net)["features"].stem[0].weight is not backbone.net.stem[0].weight
