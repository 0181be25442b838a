"""Fewer classes in the target: plain alignment harms, class and row weights help, and the weights show why.

Here too: each part of these methods has a switch, its terms are on record, and the report shows the weights.
"""

from functools import cache

import numpy as np
import pytest

from transfermap.card import cards, find
from transfermap.data.toy import make_toy
from transfermap.deep.estimators import DeepClassifier
from transfermap.measure.validators.absent_classes import absent_classes
from transfermap.report.plots.run_plots import weights_plot
from transfermap.report.plots.training_plot import training_plot
from transfermap.verdict.assessment import Judgement
from transfermap.verdict.decide import Verdict
from transfermap.verdict.encoded import Domains
from transfermap.verdict.evidence import Candidate
from transfermap.verdict.report_arrays import curves, maps

SEEDS = (1000, 1001, 1002)
STEPS = 300


NET_KEYS = sorted(c.key for c in cards() if c.label_sets in ("partial", "open") and "torch" in c.needs)
SWITCHES = [
    (key, param) for key in NET_KEYS for param in find(key)().get_params() if param.endswith(("_weight", "wise"))
]


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


@cache
def brief(key, switch=None):
    """A short run with one param at 0."""
    toy = make_toy("partial_labels", 100)
    X, y, d = np.r_[toy.Xs, toy.Xt], np.r_[toy.ys, toy.yt], np.repeat([1, -1], 100)
    objective = find(key)(**({switch: 0.0} if switch else {}))
    return DeepClassifier(objective, steps=60).fit(X, y, sample_domain=d), toy


def test_every_term_is_found_to_have_a_switch():
    assert {"pada", "san", "iwan", "osbp"} <= set(NET_KEYS)
    for key in NET_KEYS:
        assert {param for k, param in SWITCHES if k == key} >= {"domain_weight"}


@pytest.mark.parametrize(("key", "switch"), SWITCHES)
def test_each_switch_changes_the_net_and_leaves_all_terms_on_record(key, switch):
    (whole, toy), (part, _) = brief(key), brief(key, switch)
    assert not np.allclose(whole.decision_function(toy.Xt), part.decision_function(toy.Xt))
    assert [set(h) for h in part.history_] == [set(h) for h in whole.history_]
    terms = {name for h in whole.history_ for name in h}
    term = switch.removesuffix("_weight")
    if f"{term}_weight" == switch and term != "domain":
        assert term in terms
        assert {h[term] for h in part.history_ if term in h} == {0.0}
        assert any(h.get(term, 0.0) != 0 for h in whole.history_)
    assert {"source"} < terms


@pytest.mark.parametrize("key", ["pada", "san"])
def test_the_report_draws_the_share_of_every_class(key):
    model, _ = fitted(key)
    terms, shares, discriminator = training_plot(curves(model.history_)).axes
    assert len(shares.lines) == 5
    ends = [line.get_ydata()[-1] for line in shares.lines]
    assert ends == sorted(ends, reverse=True)
    assert {t.get_text() for t in shares.get_legend().get_texts()} == {f"share of class {k}" for k in range(5)}
    assert not {t.get_text() for t in terms.get_legend().get_texts()} & {f"share of class {k}" for k in range(5)}
    assert len(discriminator.lines) == 2


def test_the_report_draws_all_of_many_classes_and_names_the_largest():
    steps = np.arange(30.0)
    shares = np.arange(1, 13)[::-1] / 78 + 0 * steps[:, None]
    arrays = {"curve_names": [f"share of class {k}" for k in range(12)], "curves": np.c_[steps, shares]}
    (ax,) = training_plot(arrays).axes
    assert len(ax.lines) == 12
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [f"share of class {k}" for k in range(6)]


def test_the_report_draws_the_weights_of_source_rows():
    toy = make_toy("partial_labels", 100)
    X, y, d = np.r_[toy.Xs, toy.Xt], np.r_[toy.ys, toy.yt], np.repeat([1, -1], 100)
    model = find("iwan")().fit(X, y, sample_domain=d)
    candidate = Candidate("iwan", "IWAN", "method", find("iwan")(), None, model=type("", (), {"adapter_": model})())
    data = Domains(toy.Xs, toy.ys, toy.Xt, np.zeros(100, int), None, "classification")
    arrays = maps([candidate], Judgement({}, {}, True, Verdict("use", "iwan", (), False)), data, 0)
    np.testing.assert_array_equal(arrays["weights"], model.source_weights(toy.Xs))
    assert arrays["weights"].std() > 0.05
    assert weights_plot(arrays).axes
    assert {"weigher", "spread of weights"} <= set(arrays["curve_names"])
