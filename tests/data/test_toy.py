"""Toy shifts: each holds the one difference that its name says, and nothing else moves between seeds and tasks."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from transfermap.data.toy import TOYS, make_toy

each = pytest.mark.parametrize("name", sorted(TOYS))
tasks = pytest.mark.parametrize("task", ["classification", "regression"])


@each
@tasks
def test_shapes_seeds_and_kinds(name, task):
    toy, again, other = make_toy(name, 50, 1, task), make_toy(name, 50, 1, task), make_toy(name, 50, 2, task)
    sources = 1 if toy.sources is None else len(np.unique(toy.sources))
    assert toy.Xs.shape == (50 * sources, toy.Xt.shape[1])
    assert len(toy.ys) == len(toy.Xs) and len(toy.yt) == len(toy.Xt) == 50
    assert all(np.array_equal(a, b) for a, b in zip(toy, again, strict=True))
    assert not np.array_equal(toy.Xs, other.Xs)
    assert all(np.isfinite(part).all() for part in toy[:4])
    if task == "classification":
        classes = {"partial_labels": 5, "unknown_class": 3, "unseen_classes": 12}.get(name, 2)
        assert set(toy.ys) | set(toy.yt) == set(range(classes))


@pytest.mark.parametrize("name", sorted(set(TOYS) - {"unrelated"}))
@tasks
def test_the_target_can_be_learnt_from_its_own_labels(name, task):
    toy = make_toy(name, 300, 0, task)
    estimator = LogisticRegression(max_iter=1000) if task == "classification" else Ridge()
    assert estimator.fit(toy.Xt, toy.yt).score(toy.Xt, toy.yt) > (0.8 if task == "classification" else 0.6)


def drop(name, seeds=range(5)):
    """Accuracy of a rule learnt from the target minus that of one learnt from the source."""
    toys = [make_toy(name, 300, seed) for seed in seeds]
    rule = LogisticRegression(max_iter=1000)
    return np.mean([rule.fit(t.Xt, t.yt).score(t.Xt, t.yt) - rule.fit(t.Xs, t.ys).score(t.Xt, t.yt) for t in toys])


def test_harmful_shifts_harm_and_harmless_ones_do_not():
    assert drop("no_shift") < 0.02
    assert drop("label_shift") < 0.03
    for name in set(TOYS) - {"no_shift", "label_shift", "unrelated"}:
        assert drop(name) > 0.1, name


def test_each_name_keeps_its_word():
    labels = make_toy("label_shift", 2000)
    assert labels.ys.mean() == pytest.approx(0.5, abs=0.05)
    assert labels.yt.mean() == pytest.approx(0.9, abs=0.03)
    lost = make_toy("unrelated", 2000)
    assert np.abs(np.corrcoef(np.c_[lost.Xt, lost.yt].T)[-1, :-1]).max() < 0.08
    moved = make_toy("mean_shift_nuisance", 4000)
    gap = moved.Xt.mean(0) - moved.Xs.mean(0)
    assert np.linalg.norm(gap) == pytest.approx(4, abs=0.2)
    assert abs(gap[0]) < 0.15
    turned = make_toy("class_shift", 2000)
    assert np.corrcoef(turned.Xs[:, 1], turned.ys)[0, 1] > 0.8
    assert np.corrcoef(turned.Xt[:, 1], turned.yt)[0, 1] < -0.8


@pytest.mark.parametrize(
    ("params", "says"), [({"name": "?"}, "label_shift"), ({"n": 3}, "10"), ({"task": "x"}, "task")]
)
def test_bad_requests_are_refused(params, says):
    with pytest.raises(ValueError, match=says):
        make_toy(**{"name": "no_shift"} | params)
