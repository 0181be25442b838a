"""Fewer classes in the target: plain alignment harms, class and row weights help, and the weights show why."""

from functools import cache

import numpy as np
import pytest

from transfermap.card import find
from transfermap.data.toy import make_toy
from transfermap.deep.shells import DeepClassifier
from transfermap.measure.absent import absent_classes

SEEDS = (1000, 1001, 1002)
STEPS = 300


@cache
def fitted(key, seed=1000):
    toy = make_toy("partial_labels", 300, seed)
    X, y, d = np.r_[toy.Xs, toy.Xt], np.r_[toy.ys, toy.yt], np.repeat([1, -1], 300)
    return DeepClassifier(find(key)(), steps=STEPS).fit(X, y, sample_domain=d), toy


def accuracy(key, seed):
    model, toy = fitted(key, seed)
    return model.score(toy.Xt, toy.yt)


def test_the_toy_keeps_its_word():
    toy = make_toy("partial_labels", 600)
    assert set(toy.ys) == set(range(5)) and set(toy.yt) == {0, 2}
    numbers = make_toy("partial_labels", 600, task="regression")
    assert numbers.ys.max() > 4.9 and numbers.yt.max() < 2.5


@pytest.mark.parametrize("key", ["pada", "san", "iwan"])
def test_alignment_of_all_classes_harms_and_of_the_right_ones_helps(key):
    plain, dann, ours = ([accuracy(k, seed) for seed in SEEDS] for k in ("erm", "dann", key))
    assert np.mean(dann) < np.mean(plain) - 0.03
    assert np.mean(ours) > np.mean(plain) + 0.05


@pytest.mark.parametrize("key", ["pada", "san"])
def test_class_weights_fall_for_absent_classes(key):
    model, _ = fitted(key)
    first, last = ([model.history_[at][f"share of class {k}"] for k in range(5)] for at in (0, -1))
    np.testing.assert_allclose(first, 0.2, atol=0.02)
    share = model.modules_["classes"].share.numpy()
    np.testing.assert_allclose(share, last, atol=0.02)
    assert share.sum() == pytest.approx(1, abs=1e-5)
    assert share[[1, 3, 4]].max() < 0.2 < share[[0, 2]].min()
    assert share[[1, 3, 4]].sum() < 0.35  # from 0.6


@pytest.mark.parametrize("key", ["erm", "iwan"])
def test_absent_classes_are_detected_where_nothing_is_mistaken_for_them(key):
    model, toy = fitted(key)
    found = absent_classes(model.predict_proba(toy.Xt))
    assert not found.absent[[0, 2]].any()
    assert found.absent[4]  # the shift moves rows towards classes 1 and 3, which may therefore go unseen
