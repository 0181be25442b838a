"""What every method is good for: it beats source-only on its own shift, and by what it was told, not by luck."""

from __future__ import annotations

import numpy as np
import pytest
from method_case import (
    ADAPT,
    BASELINES,
    MARGIN,
    NEED_SIDE,
    SEEDS,
    accuracy,
    baseline,
    data,
    likewise,
    numeric,
    r2,
    seeds,
)

from transfermap.card import find


@pytest.mark.parametrize("key", [k for k in ADAPT if k not in BASELINES and not numeric(k)])
def test_it_beats_source_only_on_its_own_shift(key):
    shift = find(key).card.toy
    net = likewise(key).get("net")
    gain = np.mean([accuracy(key, shift, seed, net) - accuracy(baseline(key), shift, seed, net) for seed in seeds(key)])
    assert gain > MARGIN


@pytest.mark.parametrize("key", [k for k in ADAPT if k not in BASELINES and "regression" in find(k).card.tasks])
def test_it_beats_source_only_for_regression_too(key):
    shift = find(key).card.toy
    assert np.mean([r2(key, shift, seed) - r2(baseline(key), shift, seed) for seed in SEEDS]) > 0.1


@pytest.mark.parametrize("key", NEED_SIDE)
def test_with_shuffled_side_information_it_beats_source_only_no_more(key):
    shift = find(key).card.toy
    floor = np.mean([accuracy(baseline(key), shift, seed, None) for seed in SEEDS])
    floor = max(floor, 1 / len(np.unique(data(shift, n=300)[1][data(shift, n=300)[2] < 0])))  # guessing a class
    lost = np.mean([accuracy(key, shift, seed, None, shuffle) for seed in SEEDS for shuffle in range(4)])
    told_right = np.mean([accuracy(key, shift, seed, None) for seed in SEEDS])
    assert lost < floor + MARGIN < told_right
