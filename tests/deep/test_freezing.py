"""What may move in a net, and the mathematics of fine-tuning held against closed forms."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from transfermap.deep.losses.penalties import distance_from, size_of, smallest_spectrum
from transfermap.deep.nets.freezing import Surgery, moving_notes, stage_names, trainable, with_head
from transfermap.deep.nets.low_rank import adapt_layers, merge
from transfermap.finetuning.averaging import between, greedy_soup, mean_of, recalibrate


def chain():
    """Stages as an image backbone has them: batch normalisation, a single-channel convolution, dropout."""
    torch.manual_seed(0)
    stages = nn.Sequential()
    stages.add_module("scaling", nn.Identity())
    stages.add_module("stem", nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()))
    stages.add_module("block0", nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.Conv2d(8, 6, 1)))
    stages.add_module("drop", nn.Dropout(0.5))
    stages.add_module("block1", nn.Sequential(nn.BatchNorm2d(6), nn.Conv2d(6, 5, 1)))
    stages.add_module("pool", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    return stages


def net():
    return with_head(chain(), width=5, outputs=3)


X = torch.randn(6, 3, 7, 7, generator=torch.Generator().manual_seed(1))


def moving(m):
    return {name for name, p in m.named_parameters() if p.requires_grad}


@pytest.mark.parametrize(
    ("freeze", "stages"),
    [
        ("none", {"stem", "block0", "block1"}),
        ("all", set()),
        (1, {"block0", "block1"}),
        (3, set()),
        (("block0",), {"stem", "block1"}),
    ],
)
def test_what_is_frozen_is_told_by_stage(freeze, stages):
    m = Surgery(freeze=freeze).apply(net())
    assert {name.split(".")[1] for name in moving(m) if name.startswith("features")} == stages
    assert {"head.weight", "head.bias"} <= moving(m)
    assert Surgery(freeze=freeze).cut(m) == {"none": 1, "all": 6, 1: 2, 3: 6}.get(freeze, 1)


def test_a_part_of_a_stage_and_the_head_can_be_named():
    m = Surgery(freeze=("stem", "block1.0", "head")).apply(net())
    assert {name.rsplit(".", 1)[0] for name in moving(m)} == {
        "features.block0.0",
        "features.block0.1",
        "features.block1.1",
    }


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"freeze": 4}, "0 to 3 stages of this net; got 4"),
        ({"freeze": ("blck0",)}, "no stage blck0; expected .*stem, block0, block1, head"),
        ({"freeze": ()}, "no stage"),
        ({"freeze": "some"}, "no stage 'some'"),
        ({"freeze": True}, "no stage True"),
        ({"freeze": ("stem", "block0", "block1", "head")}, "nothing of the net would move"),
        ({"decay": 0.5}, "decay >= 1"),
    ],
)
def test_a_wrong_surgery_is_refused(how, says):
    with pytest.raises(ValueError, match=says):
        Surgery(**how).apply(net())


def test_running_statistics_of_frozen_stages_do_not_move_and_those_of_others_do():
    m = Surgery(freeze=("stem",), statistics=True).apply(net()).train()
    before = {name: b.clone() for name, b in m.named_buffers()}
    for _ in range(3):
        m["features"](X * 9 + 4)
    changed = {name for name, b in m.named_buffers() if not torch.equal(b, before[name])}
    assert changed == {f"features.block1.0.{b}" for b in ("running_mean", "running_var", "num_batches_tracked")}
    assert m["features"].drop.training  # it follows block0, which moves
    assert not Surgery(freeze="all").apply(net()).train()["features"].drop.training


def test_statistics_stay_where_nothing_else_is_asked_for():
    m = Surgery().apply(net())
    before = {name: b.clone() for name, b in m.named_buffers()}
    predicted = m.eval()["features"](X)
    assert m.train()["features"].drop.training
    m["features"].drop.p = 0.0
    torch.testing.assert_close(m["features"](X), predicted)
    assert all(torch.equal(b, before[name]) for name, b in m.named_buffers())
    assert all(p.requires_grad for p in m["features"].stem[1].parameters())


def test_a_frozen_normalisation_within_a_moving_stage_stays_still_too():
    m = Surgery(freeze=("block1.0",), statistics=True).apply(net()).train()
    assert not m["features"].block1[0].training
    assert m["features"].block1[1].training


def test_the_table_counts_every_weight_once():
    m = Surgery(freeze=("stem",)).apply(net())
    table = trainable(m)
    assert list(table.index) == ["stem", "block0", "block1", "head", "all"]
    assert table.loc["all", "weights"] == sum(p.numel() for p in m.parameters())
    assert table.loc["stem"].tolist() == [8 * 27 + 8 + 16, 0, 0.0]
    assert table.loc["head"].tolist() == [18, 18, 1.0]
    assert table.loc["all", "moving"] == table["moving"][:-1].sum()


def test_rates_fall_from_stage_to_stage():
    paces = Surgery(decay=2.6).lr_multiplier(net())
    assert paces == pytest.approx({"block1": 1 / 2.6, "block0": 1 / 2.6**2, "stem": 1 / 2.6**3})


def test_leaving_out_the_last_tensor_is_found_out():
    # what is meant to freeze all but the last layer of a classifier with 512 features and 100 classes
    m = nn.Sequential(nn.Linear(20, 512), nn.ReLU(), nn.Linear(512, 100))
    for p in list(m.parameters())[:-1]:
        p.requires_grad = False
    (note,) = moving_notes(m)
    assert note.code == "finetune.only_bias"
    assert note.values == {"name": "2", "bias": 100, "weights": 51_200}
    assert "51,200" in note.say() and "51,200" in note.say("zh")
    m[2].weight.requires_grad = True
    assert moving_notes(m) == []
    assert moving_notes(m.requires_grad_(False))[0].level == "stop"
    assert moving_notes(Surgery(freeze="all").apply(net())) == []


# corrections of low rank


def test_low_rank_corrections_start_as_nothing_and_merge_into_what_they_gave():
    base = net().eval()
    expected = base["head"](base["features"](X))
    m = Surgery(rank=2).apply(copy.deepcopy(base)).eval()
    assert torch.equal(m["head"](m["features"](X)), expected)
    # of the stages nothing but corrections moves, and of these each layer that has a rank to speak of has one
    assert {name.rsplit(".", 1)[1] for name in moving(m) if name.startswith("features")} == {"A", "B"}
    assert sum(name.endswith(".B") for name in moving(m)) == 3
    optimizer = torch.optim.SGD(m.parameters(), 0.05)
    for _ in range(5):
        m["head"](m["features"](X)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    original = {
        name.replace("parametrizations.weight.original", "weight"): p for name, p in m.named_parameters() if p.ndim == 4
    }
    for name, p in base.named_parameters():
        if p.ndim == 4:
            assert torch.equal(original[name], p)
    with torch.no_grad():
        unmerged = m["head"](m["features"](X))
        merge(m)
        torch.testing.assert_close(m["head"](m["features"](X)), unmerged, atol=1e-5, rtol=0)
    assert not torch.allclose(unmerged, expected, atol=1e-3) and unmerged.isfinite().all()
    assert m.state_dict().keys() == base.state_dict().keys()


@pytest.mark.parametrize("layer", [nn.Linear(7, 4), nn.Conv2d(7, 4, 1), nn.Conv2d(7, 4, 3)])
def test_a_correction_is_the_layer_of_the_product(layer):
    x = torch.randn(2, 7) if isinstance(layer, nn.Linear) else torch.randn(2, 7, 5, 5)
    base = copy.deepcopy(layer)
    adapt_layers(layer, rank=2)
    low = layer.parametrizations.weight[0]
    nn.init.normal_(low.B)
    # as two layers in a row: A to rank channels, then B one by one
    if isinstance(base, nn.Linear):
        inner = nn.functional.linear(nn.functional.linear(x, low.A), low.B)
    else:
        narrow = nn.functional.conv2d(x, low.A.view(2, 7, *base.kernel_size))
        inner = nn.functional.conv2d(narrow, low.B[:, :, None, None])
    torch.testing.assert_close(layer(x), base(x) + 2.0 * inner, atol=1e-5, rtol=1e-5)


# penalties


def test_least_squares_drawn_to_the_start_have_their_closed_form():
    rng = np.random.default_rng(0)
    A, y, w0 = rng.normal(size=(30, 4)), rng.normal(size=30), rng.normal(size=4)
    linear = nn.Linear(4, 1, bias=False).double()
    linear.weight.data = torch.from_numpy(w0[None].copy())
    start = {name: p.detach().clone() for name, p in linear.named_parameters()}
    a, b = torch.from_numpy(A), torch.from_numpy(y)
    for alpha in (0.0, 3.0, 1e9):
        optimizer = torch.optim.LBFGS(linear.parameters(), line_search_fn="strong_wolfe", tolerance_change=0)

        def closure(alpha=alpha, optimizer=optimizer):
            optimizer.zero_grad()
            loss = (linear(a)[:, 0] - b).square().sum() / 2 + alpha * distance_from(start, linear)
            loss.backward()
            return loss

        optimizer.step(closure)
        exact = np.linalg.solve(A.T @ A + alpha * np.eye(4), A.T @ y + alpha * w0)
        np.testing.assert_allclose(linear.weight.detach().numpy()[0], exact, atol=1e-6)
    np.testing.assert_allclose(exact, w0, atol=1e-6)


def test_the_distance_from_the_start_leaves_out_statistics_heads_and_what_is_frozen():
    m = Surgery(freeze=("stem",)).apply(net())
    start = {name: p.detach().clone() for name, p in m["features"].named_parameters()}
    for b in m.buffers():
        b.add_(1)
    with torch.no_grad():
        m["features"].stem[0].weight.add_(1)
        m["head"].weight.add_(1)
        assert distance_from(start, m["features"]) == 0
        m["features"].block1[1].bias.add_(2)
    assert distance_from(start, m["features"]).item() == pytest.approx(5 * 4 / 2)
    assert distance_from({}, m["features"]) == 0
    assert size_of(nn.Linear(1, 1).requires_grad_(False)) == 0
    one = nn.Linear(2, 1)
    nn.init.constant_(one.weight, 3.0)
    nn.init.constant_(one.bias, 0.0)
    assert size_of(one).item() == 9


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (6, 6)])
@pytest.mark.parametrize("k", [1, 3])
def test_the_spectral_penalty_is_that_of_the_singular_values(shape, k):
    F = torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).requires_grad_()
    small = smallest_spectrum(F, k)
    values = torch.linalg.svdvals(F.detach())
    torch.testing.assert_close(small.detach(), values[-k:].square().sum())
    assert torch.autograd.gradcheck(lambda x: smallest_spectrum(x, k), (F,))


def test_the_spectral_penalty_has_a_gradient_where_singular_values_coincide():
    F = torch.eye(4, dtype=torch.float64).requires_grad_()
    smallest_spectrum(F, 4).backward()
    torch.testing.assert_close(F.grad, 2 * torch.eye(4, dtype=torch.float64))


# means of nets


def state(seed):
    torch.manual_seed(seed)
    return with_head(chain(), 5, 3).state_dict() | {"w": torch.randn(3)}


def test_between_two_nets_the_ends_are_exact():
    a, b = state(0), {k: v + 1 for k, v in state(1).items()}
    for alpha, end in ((0.0, a), (1.0, b)):
        got = between(a, b, alpha)
        assert all(torch.equal(got[k], end[k]) for k in a if a[k].is_floating_point())
    middle = between(a, b, 0.25)
    torch.testing.assert_close(middle["w"], 0.75 * a["w"] + 0.25 * b["w"])
    with pytest.raises(ValueError, match=r"alpha in \[0, 1\], got 2"):
        between(a, b, 2)
    with pytest.raises(ValueError, match="names differ"):
        between(a, {"w": a["w"]}, 0.5)


def test_the_mean_of_equal_nets_is_that_net_and_of_others_their_mean():
    a = state(0)
    assert all(torch.equal(mean_of([a, a, a])[k], v) for k, v in a.items())
    many = [{"w": torch.randn(5, dtype=torch.float64)} for _ in range(4)]
    torch.testing.assert_close(mean_of(many)["w"], torch.stack([m["w"] for m in many]).mean(0))


def test_a_greedy_soup_is_never_worse_than_its_best_member():
    rng = torch.Generator().manual_seed(3)
    for _ in range(20):
        members = [{"w": torch.randn(2, generator=rng)} for _ in range(5)]
        goal = torch.randn(2, generator=rng)

        def score(s, goal=goal):
            return -float((s["w"] - goal).norm())

        found, chosen = greedy_soup(members, score)
        assert score(found) >= max(map(score, members))
        assert chosen[0] == int(np.argmax([score(m) for m in members]))
    same, _ = greedy_soup([members[0]] * 3, score)
    assert torch.equal(same["w"], members[0]["w"])
    # opposite errors cancel; a member that only harms is left out
    soup, chosen = greedy_soup([{"w": goal + d} for d in (torch.ones(2), -torch.ones(2), 50 * torch.ones(2))], score)
    assert sorted(chosen) == [0, 1] and score(soup) > -1e-6


def test_statistics_taken_anew_are_those_of_the_rows():
    m = net()
    m.eval()
    momentum = m["features"].block1[0].momentum
    batches = list(torch.randn(4, 6, 3, 7, 7, generator=torch.Generator().manual_seed(4)) * 3 + 2)
    recalibrate(m, m["features"], batches)
    first = m["features"].stem[0](torch.cat(batches))
    torch.testing.assert_close(m["features"].stem[1].running_mean, first.mean((0, 2, 3)))
    each = torch.stack([m["features"].stem[0](b).var((0, 2, 3)) for b in batches]).mean(0)
    torch.testing.assert_close(m["features"].stem[1].running_var, each)
    assert m["features"].block1[0].momentum == momentum and not m["features"].stem[1].training
    kept = copy.deepcopy(m.state_dict())
    recalibrate(Surgery(freeze="all").apply(m), m["features"], [b * 5 for b in batches])
    assert all(torch.equal(kept[k], v) for k, v in m.state_dict().items())


def test_stage_names_are_those_with_weights():
    assert stage_names(net()) == ("stem", "block0", "block1")
