"""Predicted gains: the line, its intervals, where it keeps silent, and the verdict that comes of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from transfermap.card import find
from transfermap.messages import Note
from transfermap.verdict.assessment import Judgement
from transfermap.verdict.decide import Assessment, Setting, decide
from transfermap.verdict.ensembles import ENSEMBLES
from transfermap.verdict.evidence import VALIDATORS, Candidate
from transfermap.verdict.meta_model import (
    GAINS,
    LEVELS,
    Facts,
    Gains,
    LinearModel,
    MetaModel,
    levels,
    meta_features,
    predict_gains,
    shipped,
)
from transfermap.verdict.record import PredictedGain

STEADY = [np.array(["a", "b"] * 10)] * 3
SHIFTED = Setting(auc=0.8, auc_low=0.75, only_shares=False, shares=(0.5, 0.5))
TERM = {"mean": 0.1, "scale": 0.2, "weight": 0.3, "low": -0.5, "high": 0.5}
FLAT = {"mean": 0.8, "scale": 0.1, "weight": 0.05, "low": 0.4, "high": 1.0}
LEVEL = LinearModel(0.7, 0.1, {"source": FLAT})


def lines(start, spread, terms):
    """The same line for any two candidates."""
    return MetaModel(
        dict.fromkeys(("coral", "tca"), Gains(LinearModel(start, spread, terms), 1.5)), LEVEL, 0.05, 50, 10
    )


BY = lines(0.05, 0.2, {"source": TERM})


def seen(key, **scores):
    method = find(key)()
    names = dict.fromkeys((*GAINS, *LEVELS), 0.5) | scores
    kept = {name: [value] * 3 for name, value in names.items()}
    return Candidate(key, method.card.name, "candidate", method, None, scores=kept, drawn=list(STEADY))


def hoped(gain, net):
    return PredictedGain(gain, gain - 0.05, gain + 0.05, 0.8 + gain, 0.6, 0.95, 0.7, net)


def test_a_line_is_a_sum_over_standardised_traits():
    line = LinearModel(0.05, 0.2, {"source": TERM, "auc": FLAT})
    assert line.at({"source": 0.3, "auc": 0.9}) == pytest.approx(0.05 + 0.3 * (0.2 / 0.2) + 0.05 * (0.1 / 0.1))
    assert line.at({}) == pytest.approx(0.05)


def test_a_line_keeps_silent_far_from_what_it_was_drawn_through():
    assert (
        BY.gains["coral"].line.knows({"source": 2.49})
        and BY.gains["coral"].line.knows({"source": -2.49})
        and BY.gains["coral"].line.knows({})
    )
    assert not BY.gains["coral"].line.knows({"source": 2.51})
    assert not BY.gains["coral"].line.knows({"source": -2.51})


def test_gain_interval_and_chance():
    found = BY.of("coral", {"source": 0.3, "changed": 0.4}, {"source": 0.9}, n=100)
    gain = 0.4 * (0.05 + 0.3)
    error = np.sqrt((0.4 * 0.2) ** 2 + 0.4 / 100)
    reach = norm.ppf(0.95) * error
    assert found.gain == pytest.approx(gain)
    assert (found.gain_low, found.gain_high) == pytest.approx((gain - reach, gain + reach))
    assert found.better == pytest.approx(norm.cdf(1.5 * gain / error))
    assert found.net == pytest.approx(0.05 + 0.3)
    assert found.score == pytest.approx(0.75 + gain)
    whole = norm.ppf(0.95) * np.hypot(error, 0.1)
    assert found.score_low == pytest.approx(0.75 + gain - whole)
    assert found.score_high == 1.0


def test_no_gain_is_larger_than_what_changes():
    for q in (-2.0, 0.3, 2.0):
        found = lines(q, 0.5, {}).of("coral", {"changed": 0.03}, {"source": 0.8}, n=50)
        assert -0.03 <= found.gain_low <= found.gain_high <= 0.03
    still = BY.of("coral", {"changed": 0.0}, {"source": 0.8}, n=50)
    assert (still.gain, still.gain_low, still.gain_high, still.better) == (0, 0, 0, 0)


def test_traits_are_gains_over_source_only_and_how_the_candidate_stands():
    base, other = seen("sourceonly", source=0.8), seen("coral", source=0.7, clusters=0.9)
    found = meta_features(other, base, Facts(0.9, True), 0.25)
    assert found["source"] == pytest.approx(-0.1)
    assert found["clusters"] == pytest.approx(0.4)
    assert (found["steadiness"], found["changed"], found["only_shares"]) == (0, 0.25, 1)
    assert set(found) == {*GAINS, "steadiness", "changed", "only_shares"}
    del other.scores["clusters"]
    assert "clusters" not in meta_features(other, base, Facts(0.9, True), 0.25)
    assert levels(base, Facts(0.9, True)) == pytest.approx({"source": 0.8, "auc": 0.9} | dict.fromkeys(LEVELS[1:], 0.5))


def test_nothing_is_foreseen_of_what_looks_like_nothing_known():
    base, near, far = seen("sourceonly", source=0.8), seen("coral", source=0.9), seen("tca", source=-2.9)
    facts = Facts(0.8, False)
    predicted = predict_gains({"coral": (near, 0.2), "tca": (far, 0.2), "sa": (near, 0.2)}, base, facts, 100, BY)
    assert set(predicted) == {"sourceonly", "coral"}
    assert (predicted["sourceonly"].gain, predicted["coral"].gain) == (0, pytest.approx(0.2 * 0.05))
    assert predicted["sourceonly"].score == pytest.approx(0.7)
    assert (predicted["sourceonly"].score_low, predicted["sourceonly"].score_high) == pytest.approx(
        (0.7 - norm.ppf(0.95) * 0.1, 0.7 + norm.ppf(0.95) * 0.1)
    )
    assert predict_gains({"tca": (far, 0.2)}, base, facts, 100, BY) == {}
    assert predict_gains({"coral": (near, 0.2)}, seen("sourceonly", source=9.0), facts, 100, BY) == {}


def plain(*keys, vetoes=()):
    return {key: Assessment({}, {}, vetoes) for key in keys}


def test_what_promises_enough_is_used():
    predicted = {"coral": hoped(0.05, 0.3), "sourceonly": hoped(0.0, 0.3)}
    said = decide(plain("coral", "tca"), SHIFTED, True, predicted_gains=predicted, least=0.2)
    assert (said.answer, said.method, said.risk) == ("use", "coral", False)
    assert [note.code for note in said.reasons] == ["verdict.foreseen"]
    assert all(note.say(lang) for note in said.reasons for lang in ("en", "zh"))


@pytest.mark.parametrize(
    ("gain", "net", "answer", "code"),
    [
        (0.05, 0.19, "unknown", "verdict.foreseen_unsure"),
        (-0.01, -0.1, "unknown", "verdict.foreseen_worse"),
        (0.0, 0.3, "unknown", "verdict.foreseen_worse"),
        (-0.031, -0.1, "stay", "verdict.foreseen_none"),
        (-0.3, -0.4, "stay", "verdict.foreseen_none"),
    ],
)
def test_what_promises_too_little_is_not_used(gain, net, answer, code):
    said = decide(plain("coral"), SHIFTED, True, predicted_gains={"coral": hoped(gain, net)}, least=0.2)
    assert (said.answer, said.method, said.reasons[0].code) == (answer, "sourceonly", code)
    assert all(note.say(lang) for note in said.reasons for lang in ("en", "zh"))


def test_the_greatest_gain_that_nothing_forbids_is_used_and_to_stay_nothing_may_promise_more():
    veto = (Note("verdict.collapsed", "warn", {"method": "x"}),)
    stands = plain("tca") | plain("coral", vetoes=veto)
    predicted = {"coral": hoped(0.08, 0.4), "tca": hoped(0.05, 0.3)}
    assert decide(stands, SHIFTED, True, predicted_gains=predicted).method == "tca"
    assert decide(plain("tca", "coral"), SHIFTED, True, predicted_gains=predicted).method == "coral"
    # what may gain most is used once a gain is sure for one, and both say why
    mixed = {"coral": hoped(0.02, 0.3), "tca": replace(hoped(0.01, 0.01), gain_high=0.4)}
    said = decide(plain("tca", "coral"), SHIFTED, True, predicted_gains=mixed, least=0.2)
    assert (said.method, [n.values["method"] for n in said.reasons]) == (
        "tca",
        [find("tca").card.name, find("coral").card.name],
    )
    assert Judgement(plain("tca", "coral"), mixed, True, said).is_supported("tca")
    assert not Judgement(plain("tca"), {"tca": mixed["tca"]}, True, said).is_supported("tca")
    one = {"coral": hoped(-0.2, -0.4), "tca": replace(hoped(-0.3, -0.4), gain_high=0.1)}
    assert decide(plain("tca", "coral"), SHIFTED, True, predicted_gains=one).answer == "unknown"


def test_what_forbids_and_what_comes_first_still_holds():
    predicted = {"coral": hoped(0.05, 0.5)}
    veto = (Note("verdict.collapsed", "warn", {"method": "x"}),)
    said = decide(plain("coral", vetoes=veto), SHIFTED, True, predicted_gains=predicted)
    assert (said.answer, said.reasons[-1].code) == ("unknown", "verdict.collapsed")
    assert decide(plain("coral"), SHIFTED, False, predicted_gains=predicted).reasons[0].code == "verdict.not_learnable"
    alike = SHIFTED._replace(auc_low=0.5)
    assert decide(plain("coral"), alike, True, predicted_gains=predicted).reasons[0].code == "verdict.alike"


def test_where_nothing_is_foreseen_the_votes_decide():
    even = {v: {"value": 0.0, "low": 0.0, "high": 0.0} for v in VALIDATORS}
    said = decide({"coral": Assessment(even, dict.fromkeys(even, "even"), ())}, SHIFTED, True, predicted_gains={})
    assert said.reasons[0].code == "verdict.none_better_apart"


def test_a_candidate_is_backed_by_what_is_foreseen_before_the_votes():
    voted = Assessment({}, {"importance": "better", "reverse": "better"}, ())
    judged = Judgement({"coral": voted, "tca": voted}, {"coral": hoped(0.0, -0.5)}, True, None)
    assert not judged.is_supported("coral")
    assert judged.is_supported("tca")


def test_the_shipped_file_is_whole():
    by = shipped()
    assert set(by.gains) == set(ENSEMBLES)
    assert set(by.level.terms) == {*LEVELS, "auc"}
    assert 0 < by.least < 0.5 and by.sets >= 8 and by.tasks >= 60
    for line, sharpness in by.gains.values():
        assert set(line.terms) <= {*GAINS, "steadiness", "changed", "auc", "only_shares", "level", "base_consensus"}
        assert {"changed", "consensus", "steadiness"} <= set(line.terms)
        assert sharpness > 0
    for line in (by.level, *(line for line, _ in by.gains.values())):
        assert 0 < line.spread < 1
        assert all(term["low"] <= term["mean"] <= term["high"] for term in line.terms.values())
