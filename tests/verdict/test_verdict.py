"""The verdict: its rule on made-up evidence, the evidence itself, the check, the truth, and that no label is read."""

from __future__ import annotations

import dataclasses
import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sample_record import sample_record
from sklearn.linear_model import LogisticRegression

import transfermap as tm
from transfermap.card import find
from transfermap.data.toy import make_toy
from transfermap.roles import Adapter
from transfermap.tasks.task import Task
from transfermap.verdict import evidence, investigate
from transfermap.verdict.assessment import Judgement
from transfermap.verdict.check.check import check
from transfermap.verdict.decide import APART, MARGIN, Setting, assess, decide, ranking
from transfermap.verdict.encoded import Domains, parts
from transfermap.verdict.evidence import (
    VALIDATORS,
    Candidate,
    fit_all,
    fitted,
    gather,
    interval,
    observe,
    steadiness,
)
from transfermap.verdict.final_verdict import final_verdict
from transfermap.verdict.labels.choosing import confidence, disagreement, untrusted
from transfermap.verdict.labels.verify import target_truth, verify, with_truth
from transfermap.verdict.named_estimators import estimator, guess
from transfermap.verdict.record import Row, Untrusted
from transfermap.verdict.scoring import shared_context

UP, DOWN, EVEN = (0.05, 0.06, 0.05, 0.07, 0.05), (-0.05, -0.06, -0.05, -0.07, -0.05), (0.0,) * 5
WILD = (0.5, -0.4, 0.3, -0.2, 0.4)
STEADY = [np.array(["a", "b"] * 10)] * 3
SHIFTED = Setting(auc=0.8, auc_low=0.75, only_shares=False, shares=(0.5, 0.5))
BOTH = (0.5, 0.5)


def made(key="coral", drawn=STEADY, **gains):
    """A candidate whose scores lie the given gains above one half, resample by resample."""
    scores = {name: [0.5 + gain for gain in gains.get(name, EVEN)] for name in ("source", "ess", *VALIDATORS)}
    method = find(key)()
    return Candidate(key, method.card.name, "candidate", method, None, scores=scores, drawn=list(drawn))


def flat(gain):
    return (gain,) * 5


BASE = made("sourceonly")


def stands(setting=SHIFTED, predicted=BOTH, base=BASE, **how):
    return assess(made(**how), base, setting, predicted)


def codes(notes):
    return [note.code for note in notes]


def in_words(notes):
    """Every reason has its sentence in both languages."""
    return all(note.say(lang) for note in notes for lang in ("en", "zh"))


# ---- the interval


def test_interval_is_that_of_nadeau_and_bengio():
    found = interval([0.1, 0.2, 0.3, 0.4, 0.6])
    # mean 0.32; squared deviations .0484 + .0144 + .0004 + .0064 + .0784 = .148, over n - 1 = 4: .037;
    # widened by 1/n + test/train = 1/5 + 1/2; the 95 % quantile of Student's t with 4 degrees is 2.131847
    reach = 2.131847 * np.sqrt(0.037 * 0.7)
    assert found["value"] == pytest.approx(0.32)
    assert found["low"] == pytest.approx(0.32 - reach, abs=1e-6)
    assert found["high"] == pytest.approx(0.32 + reach, abs=1e-6)


def test_one_resample_says_nothing():
    assert interval([0.3]) == {"value": 0.3, "low": -np.inf, "high": np.inf}
    lone = dict.fromkeys(("source", "ess", *VALIDATORS), (0.5,))
    base = made("sourceonly", **dict.fromkeys(lone, (0.0,)))
    assert set(stands(base=base, **lone).votes.values()) == {"even"}


# ---- votes


@pytest.mark.parametrize(
    ("gains", "vote"),
    [
        (UP, "better"),
        (DOWN, "worse"),
        (EVEN, "even"),
        (WILD, "even"),
        ([MARGIN * 0.9] * 5, "even"),
        ([MARGIN * 1.1] * 5, "better"),
        ([-MARGIN * 0.9] * 5, "even"),
        ([-MARGIN * 1.1] * 5, "worse"),
        # the mean is far above the margin, and the interval still reaches zero
        ([0.2, 0.0, 0.3, -0.05, 0.1], "even"),
        ([-0.2, 0.0, -0.3, 0.05, -0.1], "even"),
    ],
)
def test_a_vote_needs_a_margin_and_a_whole_interval(gains, vote):
    found = stands(reverse=gains)
    assert found.votes["reverse"] == vote
    assert found.gains["reverse"]["value"] == pytest.approx(np.mean(gains))
    assert {found.votes[v] for v in VALIDATORS if v != "reverse"} == {"even"}


def test_gains_are_paired_resample_by_resample():
    hard = np.array([0.0, -0.3, 0.1, -0.2, 0.2])
    found = stands(base=made("sourceonly", reverse=hard), reverse=hard + UP)
    assert found.votes["reverse"] == "better"
    unpaired = stands(base=made("sourceonly", reverse=hard[::-1]), reverse=hard + UP)
    assert unpaired.votes["reverse"] == "even"


def test_importance_weighting_abstains_without_overlap():
    for auc, vote in ((APART - 0.001, "better"), (APART, "abstains"), (1.0, "abstains")):
        found = stands(SHIFTED._replace(auc=auc), importance=UP, reverse=UP)
        assert found.votes == {"importance": vote, "reverse": "better", "infomax": "even"}
        assert found.supported == (vote == "better")
        assert found.gains["importance"]["value"] == pytest.approx(np.mean(UP))
    # an abstention is no vote against either
    assert stands(SHIFTED._replace(auc=1.0), importance=DOWN, reverse=UP, infomax=UP).supported


def test_a_validator_that_one_side_lacks_has_no_vote():
    plain = made(reverse=UP, importance=UP)
    del plain.scores["infomax"]
    found = assess(plain, BASE, SHIFTED, ())
    assert set(found.votes) == {"importance", "reverse"}
    assert found.supported


# ---- vetoes and support


def test_vetoes():
    assert codes(stands(predicted=(1.0, 0.0)).vetoes) == ["verdict.collapsed"]
    assert codes(stands(SHIFTED._replace(shares=(0.97, 0.03)), predicted=(0.97, 0.03)).vetoes) == []
    half = [STEADY[0], np.roll(STEADY[0], 1), STEADY[0]]
    slightly = [STEADY[0], np.where(np.arange(20) == 3, "a", STEADY[0]), STEADY[0]]
    assert steadiness(made(drawn=half)) == pytest.approx(1 / 3)
    assert codes(stands(drawn=half).vetoes) == ["verdict.unsteady"]
    assert codes(stands(drawn=slightly).vetoes) == []
    # what matters is the comparison: where source-only wavers too, nothing is held against the method
    assert codes(stands(drawn=half, base=made("sourceonly", drawn=half)).vetoes) == []
    for key, expected in (("coral", ["verdict.shares_veto"]), ("kmm", []), ("logisticratio", [])):
        assert codes(stands(SHIFTED._replace(only_shares=True), key=key).vetoes) == expected
    assert assess(BASE, BASE, SHIFTED._replace(only_shares=True), BOTH).vetoes == ()
    assert in_words(stands(SHIFTED._replace(only_shares=True), predicted=(0.0, 1.0), drawn=half).vetoes)


SUPPORT = {
    "two votes": ({"importance": UP, "reverse": UP}, True),
    "three votes": ({"importance": UP, "reverse": UP, "infomax": UP}, True),
    "one vote": ({"reverse": UP}, False),
    "two votes, the source forgotten": ({"importance": UP, "reverse": UP, "source": DOWN}, True),
    "a vote against two": ({"importance": UP, "reverse": UP, "infomax": DOWN}, False),
    "one vote against": ({"reverse": DOWN}, False),
    "better source alone": ({"source": UP}, False),
}


@pytest.mark.parametrize("name", SUPPORT)
def test_support(name):
    gains, expected = SUPPORT[name]
    assert stands(**gains).supported is expected


def test_no_veto_can_be_outvoted():
    everything = dict.fromkeys((*VALIDATORS, "ess", "source"), UP)
    assert stands(**everything).supported
    assert not stands(predicted=(0.0, 1.0), **everything).supported
    assert not stands(SHIFTED._replace(only_shares=True), **everything).supported
    assert not stands(drawn=[STEADY[0], np.roll(STEADY[0], 1)], **everything).supported


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_one_class_for_all_rows_is_never_supported(classes):
    rng = np.random.default_rng(0)
    for _, one in itertools.product(range(20), range(classes)):
        shares = rng.dirichlet(np.ones(classes) * rng.choice([0.5, 1, 5]))
        gains = {v: rng.uniform(0.02, 1) + 0.001 * rng.random(5) for v in (*VALIDATORS, "ess", "source")}
        found = stands(SHIFTED._replace(shares=shares), predicted=np.eye(classes)[one], **gains)
        assert not found.supported
        said = decide({"coral": found}, SHIFTED, learnable=True)
        assert said.answer == "unknown"
        assert codes(said.reasons) == ["verdict.vetoed", "verdict.collapsed"]


# ---- ranking and the answers


def test_ranking():
    # gains by importance, reverse, infomax; the mean rank behind them
    gains = {
        "tca": (0.004, 0.20, 0.020),  # (2 + 0 + 1) / 3
        "coral": (0.060, 0.05, 0.003),  # (1 + 1 + 3) / 3, supported
        "kmm": (0.070, 0.001, 0.030),  # (0 + 3 + 0) / 3, supported
        "jda": (0.001, 0.003, 0.006),  # (3 + 2 + 2) / 3
        "sa": (-0.004, -0.004, -0.004),  # the last by all
    }
    made_up = {key: dict(zip(VALIDATORS, map(flat, found), strict=True)) for key, found in gains.items()}
    field = {key: stands(key=key, **found) for key, found in made_up.items()}
    field["tca"].votes["infomax"] = "worse"  # a lower mean rank than coral's does not help without support
    order = ranking(field)
    assert [key for key in order if field[key].supported] == ["kmm", "coral"]
    assert order == ["kmm", "coral", "tca", "jda", "sa"]
    for shuffled in itertools.permutations(field):
        assert ranking({key: field[key] for key in shuffled}) == order
    assert ranking({}) == []


def test_ranking_passes_over_a_validator_that_abstains():
    apart = SHIFTED._replace(auc=1.0)
    field = {
        "coral": stands(apart, importance=flat(0.9), reverse=flat(0.001), infomax=flat(0.001)),
        "sa": stands(apart, key="sa", reverse=flat(0.002), infomax=flat(0.002)),
    }
    assert ranking(field) == ["sa", "coral"]


def test_equal_gains_are_not_ranked_by_the_alphabet():
    field = {
        "coral": stands(importance=UP, reverse=UP),
        "sa": stands(key="sa", importance=UP, reverse=UP, infomax=flat(0.005)),
    }
    assert ranking(field) == ["sa", "coral"]


GOOD = {"importance": UP, "reverse": UP, "infomax": UP}
ANSWERS = {
    "nothing learned": (SHIFTED, False, {"coral": GOOD}, "unknown sourceonly verdict.not_learnable risk"),
    "no difference": (SHIFTED._replace(auc_low=0.52), True, {"coral": GOOD}, "stay sourceonly verdict.alike"),
    "support": (SHIFTED, True, {"coral": GOOD}, "use coral verdict.supported"),
    "the best of two": (
        SHIFTED,
        True,
        {"coral": GOOD, "sa": {v: flat(0.1) for v in VALIDATORS}},
        "use sa verdict.supported",
    ),
    "shares only": (
        SHIFTED._replace(only_shares=True),
        True,
        {"coral": GOOD, "kmm": {}},
        "stay sourceonly verdict.only_shares risk",
    ),
    "shares only, weighting helps": (
        SHIFTED._replace(only_shares=True),
        True,
        {"coral": GOOD, "kmm": {"importance": UP, "reverse": UP}},
        "use kmm verdict.supported",
    ),
    "nothing ahead": (
        SHIFTED._replace(auc=0.64),
        True,
        {"coral": {}, "sa": {"reverse": DOWN}},
        "stay sourceonly verdict.none_better risk",
    ),
    "nothing ahead, tables apart": (
        SHIFTED,
        True,
        {"coral": {}, "sa": {"reverse": DOWN}},
        "unknown sourceonly verdict.none_better_apart risk",
    ),
    "no candidates": (SHIFTED, True, {}, "unknown sourceonly verdict.none_better_apart risk"),
    "contradiction": (
        SHIFTED,
        True,
        {"coral": {"importance": UP, "infomax": UP, "reverse": DOWN}},
        "unknown sourceonly verdict.contradict risk",
    ),
    "one vote": (SHIFTED, True, {"coral": {"reverse": UP}}, "unknown sourceonly verdict.too_little risk"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers(name):
    setting, learnable, field, expected = ANSWERS[name]
    assessments = {key: stands(setting, key=key, **gains) for key, gains in field.items()}
    for order in (assessments, dict(reversed(assessments.items()))):
        said = decide(order, setting, learnable)
        assert [said.answer, said.method, *codes(said.reasons), *["risk"] * said.risk] == expected.split()
        assert in_words(said.reasons)


def test_what_the_reader_may_know_is_asked_where_nobody_can_tell():
    asked = SHIFTED._replace(rescaled=("a", "b", "c"))
    said = decide({"coral": stands(asked, reverse=UP)}, asked, learnable=True)
    assert (said.answer, codes(said.reasons)) == ("unknown", ["verdict.rescaled", "verdict.too_little"])
    assert said.reasons[0].values == {"count": 3, "method": find("domainscaler").card.name}
    assert in_words(said.reasons)
    used = decide({"coral": stands(asked, **GOOD)}, asked, learnable=True)
    assert (used.answer, codes(used.reasons)) == ("use", ["verdict.supported"])


def test_a_veto_is_told_with_its_reason():
    said = decide({"coral": stands(predicted=(1.0, 0.0), **GOOD)}, SHIFTED, learnable=True)
    assert (said.answer, codes(said.reasons)) == ("unknown", ["verdict.vetoed", "verdict.collapsed"])
    assert said.reasons[0].values == {"method": find("coral").card.name}
    against = decide({"coral": stands(predicted=(1.0, 0.0), **GOOD | {"infomax": DOWN})}, SHIFTED, learnable=True)
    assert codes(against.reasons) == ["verdict.contradict", "verdict.collapsed"]


@pytest.mark.parametrize(("key", "said"), [("erm", True), ("coral", False)])
def test_where_what_wins_does_not_adapt_it_is_said(key, said):
    predicted = {"sourceonly": np.array(["a", "b"]), key: np.array(["a", "b"])}
    verdict = SimpleNamespace(answer="use", method=key, reasons=(), risk=False)
    notes = final_verdict(Judgement({}, {}, True, verdict), key, [made(key), BASE], predicted, 5).reasons
    assert ("verdict.no_transfer" in codes(notes)) == said
    assert in_words(notes)


@pytest.mark.parametrize(("others", "said"), [([], True), (["erm"], False)])
def test_a_net_asked_for_alone_is_said_to_prove_nothing_of_transfer(others, said):
    predicted = {key: np.array(["a", "b"]) for key in ("sourceonly", "dann", *others)}
    assessments = {"dann": stands(key="dann")}
    verdict = SimpleNamespace(answer="unknown", method="sourceonly", reasons=(), risk=True)
    field = [made("dann"), *map(made, others), BASE]
    notes = final_verdict(Judgement(assessments, {}, True, verdict), "dann", field, predicted, 5).reasons
    assert ("verdict.net_alone" in codes(notes)) == said
    assert in_words(notes)


def test_who_abstains_is_not_counted():
    apart = SHIFTED._replace(auc=1.0)
    said = decide({"coral": stands(apart, **GOOD)}, apart, learnable=True)
    assert said.reasons[0].values == {"votes": 2, "of": 2}
    assert decide({"coral": stands(**GOOD)}, SHIFTED, learnable=True).reasons[0].values == {"votes": 3, "of": 3}


def test_too_few_resamples_recommend_nothing():
    field = {"coral": stands(**GOOD)}
    for resamples, answer in ((2, "unknown"), (3, "use"), (5, "use")):
        said = decide(field, SHIFTED, learnable=True, resamples=resamples)
        assert said.answer == answer
        assert in_words(said.reasons)
    assert codes(decide(field, SHIFTED, learnable=True, resamples=2).reasons) == ["verdict.few_resamples"]
    # what the check has found needs no resample
    assert decide(field, SHIFTED._replace(auc_low=0.5), learnable=True, resamples=2).answer == "stay"
    assert codes(decide(field, SHIFTED, learnable=False, resamples=2).reasons) == ["verdict.not_learnable"]


# ---- resamples


def domains(name="site_offsets", n=90, seed=0, groups=None, kind="classification"):
    toy = make_toy(name, n, seed, kind)
    ys = np.array(["no", "yes"])[toy.ys] if kind == "classification" else toy.ys
    data = Domains(toy.Xs, ys, toy.Xt, np.zeros(n, dtype=int), groups, kind)
    for array in (data.Xs, data.ys, data.Xt, data.sources):
        array.flags.writeable = False
    return data


def drawn(data, seed=0, most=1500, times=4):
    return list(itertools.islice(parts(data, seed, most), times))


def same(first, second):
    return all(
        np.array_equal(a, b) for one, two in zip(first, second, strict=True) for a, b in zip(one, two, strict=True)
    )


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_parts_hold_out_a_third_and_repeat_with_the_seed(kind):
    data = domains(kind=kind)
    first = drawn(data)
    assert same(first, drawn(data))
    assert not same(first, drawn(data, seed=1))
    assert len({part.held.tobytes() for part in first}) == len({part.target.tobytes() for part in first}) == 4
    for part in first:
        assert sorted([*part.train, *part.held]) == list(range(90))
        assert len(part.held) == 30
        assert len(np.unique(part.target)) == len(part.target) == 72
        if kind == "classification":
            assert np.mean(data.ys[part.held] == "yes") == pytest.approx(np.mean(data.ys == "yes"), abs=0.02)


def test_parts_never_split_a_group():
    groups = np.repeat([f"patient {i}" for i in range(15)], 6)
    for part in drawn(domains(groups=groups), times=10):
        assert not set(groups[part.train]) & set(groups[part.held])
        assert len(set(groups[part.held])) == 5


def test_groups_of_one_class_leave_two_classes_to_train_on():
    data = domains(n=60)
    data = dataclasses.replace(data, ys=np.repeat(["ill", "well"], [36, 24]), groups=np.repeat(np.arange(5), 12))
    for part in drawn(data, times=10):
        assert len(set(data.ys[part.train])) == 2


def test_parts_are_capped():
    for part in drawn(domains(n=200), most=40):
        assert [len(rows) for rows in part] == [40, 40, 40]
        assert not set(part.train) & set(part.held)
        assert all((np.diff(rows) > 0).all() for rows in part)


# ---- evidence


class Crush(Adapter):
    """Sees the same row in every target row: whatever comes after it predicts one class."""

    card = find("coral").card

    def _fit(self, Xs, ys, Xt):
        self.centre_ = Xs.mean(axis=0) + 3

    def _map_target(self, X):
        return np.tile(self.centre_, (len(X), 1))


class Choosy(Adapter):
    """Refuses whatever has more rows than ``most``, or breaks."""

    card = find("coral").card

    def __init__(self, most=0, error=ValueError):
        self.most, self.error = most, error

    def _fit(self, Xs, ys, Xt):
        if len(Xs) > self.most:
            raise self.error("too  many\nrows")


# the contract between a method and the rule of its params: these two declare none
Crush.__dataclass_fields__ = Choosy.__dataclass_fields__ = {}


def field_of(*more, kind="classification"):
    last = estimator(None, kind)
    named = [Candidate.of("sourceonly", last, "baseline")]
    return [
        *named,
        *(Candidate(f"own{i}", f"own {i}", "candidate", m, last, optional=True) for i, m in enumerate(more)),
    ]


def collect(candidates, data, resamples=2, budget=1e6, seed=0):
    count = gather(candidates, data, seed=seed, resamples=resamples, most=1500, budget=budget, tick=lambda _: None)
    return count, {c.key: c.scores for c in candidates}


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_evidence_is_the_same_for_the_same_seed(kind):
    data = domains(kind=kind)
    count, scores = collect(field_of(find("coral")(), kind=kind), data)
    assert count == 2
    names = {"source", "ess", "importance", "dev", "reverse", "consensus"}
    of_classes = {"infomax", "entropy", "corr_c", "bnm", "snd", "thresholded", "confidences", "shares", "clusters"}
    names |= of_classes | {"transfer", "mixed"} if kind == "classification" else set()
    for seen in scores.values():
        assert set(seen) == names
        assert all(len(values) == 2 and np.isfinite(values).all() for values in seen.values())
    again, other = (collect(field_of(find("coral")(), kind=kind), data, resamples=1, seed=s)[1] for s in (0, 1))
    first = {key: {name: values[:1] for name, values in seen.items()} for key, seen in scores.items()}
    assert again == first
    assert other != first


def test_several_processes_find_the_same_as_one(monkeypatch):
    data, alone, shared = domains(), field_of(find("coral")()), field_of(find("coral")())
    expected = collect(alone, data, resamples=1)[1]
    fit_all(alone, data, lambda _: None)
    monkeypatch.setattr(evidence, "WORTH_PROCESSES", 0)
    monkeypatch.setattr(evidence, "cpu_count", lambda: 2)
    assert collect(shared, data, resamples=1)[1] == expected
    fit_all(shared, data, lambda _: None)
    for one, other in zip(alone, shared, strict=True):
        assert all(map(np.array_equal, one.drawn, other.drawn))
        np.testing.assert_array_equal(one.model.predict_proba(data.Xt), other.model.predict_proba(data.Xt))


def test_a_spent_budget_skips_candidates_and_cuts_resamples():
    candidates = field_of(find("coral")())
    count, scores = collect(candidates, domains(), resamples=5, budget=-1.0)
    assert count == 2
    assert [c.status for c in candidates] == ["ok", "skipped"]
    assert len(scores["sourceonly"]["source"]) == 2
    assert scores["own0"] == {}
    fit_all(candidates, domains(), lambda _: None)
    assert candidates[0].model is not None
    assert candidates[1].model is None


def test_what_was_asked_for_by_name_is_not_skipped():
    candidates = field_of(find("coral")())
    candidates[1].optional = False
    collect(candidates, domains(), resamples=5, budget=-1.0)
    assert [c.status for c in candidates] == ["ok", "ok"]


def test_who_was_in_time_once_stays_in_the_race(monkeypatch):
    ticks = map(float, itertools.count())
    # began at 0, the baseline's first piece of work from 1 to 2, the candidate's from 3 to 4, then the budget is gone
    monkeypatch.setattr(evidence, "time", SimpleNamespace(time=lambda: next(ticks)))
    candidates = field_of(find("coral")())
    count, scores = collect(candidates, domains(n=40), resamples=5, budget=3.5)
    assert count == 2
    assert [c.status for c in candidates] == ["ok", "ok"]
    assert [len(seen["source"]) for seen in scores.values()] == [2, 2]
    assert [c.seconds for c in candidates] == [2, 2]


@pytest.mark.parametrize(("costly", "status"), [(False, "ok"), (True, "skipped")])
def test_a_net_that_comes_late_is_skipped_while_others_may_still_start(monkeypatch, costly, status):
    ticks = map(float, itertools.count())
    # began at 0; the net's turn comes at 3, after the fifth part of the budget
    monkeypatch.setattr(evidence, "time", SimpleNamespace(time=lambda: next(ticks)))
    candidates = field_of(find("coral")())
    candidates[1].costly = costly
    collect(candidates, domains(n=40), resamples=5, budget=10.0)
    assert [c.status for c in candidates] == ["ok", status]


@pytest.mark.parametrize(
    ("over", "left"), [(-1, ["quick net", "slow net"]), (0, ["quick net", "slow net"]), (1, ["quick net"]), (21, [])]
)
def test_nets_whose_resamples_would_not_fit_are_let_go_the_slowest_first(over, left):
    candidates = [made("coral"), made("tca"), made("jda")]
    for c, (c.key, c.costly, c.seconds) in zip(
        candidates, [("slow", False, 50.0), ("quick net", True, 2.0), ("slow net", True, 4.0)], strict=True
    ):
        c.optional = True
    evidence._let_go(candidates, over, resamples=5)
    assert [c.key for c in candidates if c.status == "ok"] == ["slow", *left]


@pytest.mark.parametrize(("rows", "there"), [(1000, True), (999, True), (1000, False)])
def test_auto_tries_nets_on_tables_of_some_length_where_pytorch_is(monkeypatch, rows, there):
    monkeypatch.setattr(investigate, "find_spec", lambda name: name if there else None)
    frame = pd.DataFrame({"a": np.arange(1000.0), "y": ["x", "z"] * 500})
    task = Task.from_frames(frame, frame[["a"]].head(rows), label="y")
    tried = investigate.line_up(task, "auto", None, "mlp", 0)
    nets = [c.key for c in tried if "torch" in c.method.card.needs]
    assert bool(nets) == (rows == 1000 and there)
    own = [c.key for c in tried if not c.is_ensemble]
    assert [c.key for c in tried][: len(own)] == own and len(own) < len(tried)
    assert own[len(own) - len(nets) :] == nets
    assert all(c.costly and c.optional for c in tried if c.key in nets)
    (named,) = (c for c in investigate.line_up(task, "dann", None, "mlp", 0) if c.key == "dann")
    assert not named.costly


def test_the_net_of_learners_is_not_given_to_what_has_nets_of_its_own_and_what_makes_rows_is_refused():
    toy = make_toy("no_shift", n=40)
    task = Task.from_arrays(toy.Xs, toy.ys, toy.Xt)
    pytest.importorskip("torch")
    tried = {c.key: c.method for c in investigate.line_up(task, ["dann", "cyclegan"], None, "lenet", 0)}
    assert tried["dann"].net == "lenet" and tried["cyclegan"].net == find("cyclegan")().net
    with pytest.raises(ValueError, match=r"makes rows and predicts nothing; use it in Python: GAN\(\)"):
        investigate.line_up(task, "gan", None, "mlp", 0)


def test_what_does_not_suit_a_method_is_told_and_the_others_go_on():
    data = domains()
    candidates = field_of(Choosy(0), Choosy(80), Choosy(90), Choosy(0, np.linalg.LinAlgError))
    assert collect(candidates, data, resamples=1)[0] == 1
    predicted = [("ok", ""), ("failed", "too many rows"), ("ok", ""), ("ok", ""), ("failed", "too many rows")]
    assert [(c.status, c.fault) for c in candidates] == predicted
    fit_all(candidates, data, lambda _: None)  # all 90 rows now
    assert [c.status for c in candidates] == ["ok", "failed", "failed", "ok", "failed"]
    assert candidates[2].model is None
    with pytest.raises(ZeroDivisionError):
        collect(field_of(Choosy(0, ZeroDivisionError)), data, resamples=1)


def test_a_method_that_crushes_the_target_is_not_supported():
    data = domains("label_shift", n=60)
    base, crushed = candidates = field_of(Crush())
    collect(candidates, data, resamples=3)
    fit_all(candidates, data, lambda _: None)
    predicted = crushed.model.predict(data.Xt)
    assert len(set(predicted)) == 1
    assert crushed.scores["infomax"] == pytest.approx([0, 0, 0])
    assert crushed.scores["reverse"] == [0.5] * 3
    found = assess(crushed, base, SHIFTED, [np.mean(predicted == c) for c in data.classes])
    assert "verdict.collapsed" in codes(found.vetoes)
    assert not found.supported


def test_no_target_label_reaches_a_fit():
    """Placeholders stand where the target's labels would: the label given there is the source's first."""
    data = domains(n=30)
    model = fitted(find("sourceonly")(), LogisticRegression(), data.Xs, data.ys, data.Xt, data.sources)
    plain = LogisticRegression().fit(data.Xs, data.ys)
    np.testing.assert_allclose(model.predict_proba(data.Xt), plain.predict_proba(data.Xt))


def test_the_source_score_is_that_on_rows_held_out():
    data = domains(n=60)
    part = drawn(data)[0]
    seen = observe(find("sourceonly")(), LogisticRegression(), data, shared_context(data, part, np.arange(10)))
    plain = LogisticRegression().fit(data.Xs[part.train], data.ys[part.train])
    assert seen.scores["source"] == plain.score(data.Xs[part.held], data.ys[part.held])
    np.testing.assert_allclose(seen.shown, plain.predict_proba(data.Xt[:10]))
    np.testing.assert_allclose(seen.held, plain.predict_proba(data.Xs[part.held]))


def test_guesses_look_at_nothing():
    X, ys = np.arange(6.0)[:, None], np.array(["a", "b", "b", "b", "a", "b"])
    assert set(guess("classification").fit(X, ys).predict(X)) == {"b"}
    assert guess("regression").fit(X, X[:, 0]).predict(X).tolist() == [2.5] * 6
    for kind in ("classification", "regression"):
        with pytest.raises(ValueError, match="no estimator 'tree'; for "):
            estimator("tree", kind)


# ---- rows


def test_disagreement_by_hand():
    predicted = {"x": np.array(list("aaab")), "y": np.array(list("aabb")), "z": np.array(list("abcb"))}
    assert disagreement(predicted, "classification") == pytest.approx([0, 1 / 3, 2 / 3, 0])
    assert disagreement(dict(reversed(predicted.items())), "classification") == pytest.approx([0, 1 / 3, 2 / 3, 0])
    numbers = {"x": np.array([1.0, 2.0]), "y": np.array([1.0, 4.0])}
    # all four: mean 2, variance (1 + 0 + 1 + 4) / 4 = 1.5; the second row's own deviation is 1
    assert disagreement(numbers, "regression") == pytest.approx([0, 1 / np.sqrt(1.5)])
    assert disagreement({"x": np.ones(3)}, "regression").tolist() == [0, 0, 0]


def test_untrusted_by_hand():
    found = untrusted(np.array([0.5, 4.0, 2.0, 6.0, 1.0]), 2.0, np.array([0.55, 0.5, 0.9, 0.95, 0.51]))
    assert found.count == 4
    assert [(r.row, r.why, r.value) for r in found.rows] == [
        (3, "far", 3.0),
        (1, "far", 2.0),
        (4, "unsure", 0.51),
        (0, "unsure", 0.55),
    ]
    assert untrusted(np.arange(40.0) + 10, 2.0, None).count == 40
    assert len(untrusted(np.arange(40.0) + 10, 2.0, None).rows) == 20
    assert untrusted(np.zeros(3), 0.0, None) == Untrusted(0, ())


def test_confidence_is_the_probability_of_the_predicted_class():
    data = domains(n=40)
    model = LogisticRegression().fit(data.Xs, data.ys)
    P = model.predict_proba(data.Xt)
    np.testing.assert_array_equal(confidence(model, data.target), P.max(axis=1))
    assert confidence(estimator("ridge", "regression"), data.target) is None


# ---- check


def toy_task(name, n=200, seed=0, kind="classification"):
    toy = make_toy(name, n, seed, kind)
    return Task.from_arrays(toy.Xs, toy.ys, toy.Xt, kind=kind)


def people(n, seed, **change):
    """A table of a label and columns of every kind that follow it or not."""
    rng = np.random.default_rng(seed)
    ill = rng.random(n) < 0.5
    table = {
        "age": 50 + 15 * ill + 10 * rng.normal(size=n),
        "weight": 70 + 10 * rng.normal(size=n),
        "town": rng.choice(["Rome", "Oslo", "Bonn"], n),
        "seen": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D"),
        "ill": np.where(ill, "yes", "no"),
    }
    frame = pd.DataFrame(table)
    return frame.assign(**{name: make(frame, rng) for name, make in change.items()})


def compared(source, target, **more):
    return check(Task.from_frames(source, target.drop(columns="ill", errors="ignore"), label="ill", **more))


def note_of(found, code):
    return next(note for note in (*found.notes, *found.reading) if note.code == code)


@pytest.mark.parametrize("seed", range(2))
def test_check_without_a_shift(seed):
    found = check(toy_task("no_shift", n=100, seed=seed))
    assert found.notes[0].code == "check.same"
    assert found.auc.low <= 0.52
    assert not found.only_shares
    assert found.duplicates == 0
    assert codes(found.notes)[-1] == "check.unknowable"
    assert in_words((*found.notes, *found.reading))


@pytest.mark.parametrize("seed", range(2))
def test_check_sees_that_only_the_shares_differ(seed):
    toy = make_toy("label_shift", 200, seed)
    found = check(Task.from_arrays(toy.Xs, toy.ys, toy.Xt))
    assert found.only_shares
    assert "check.only_shares" in codes(found.notes)
    ones = next(share for share in found.shares if share.name == "1")
    assert ones.low <= toy.yt.mean() <= ones.high
    assert ones.source == pytest.approx(toy.ys.mean(), abs=0.01)


@pytest.mark.parametrize("moved", [0.0, 3.0])
def test_check_names_the_classes_that_the_target_seems_to_lack(moved):
    rng = np.random.default_rng(0)
    y = np.tile(["red", "green", "blue", "grey"], 200)
    place = {"red": (2, 0), "green": (-2, 0), "blue": (0, 2), "grey": (0, -2)}
    X = np.c_[np.array([place[c] for c in y]) + rng.normal(size=(800, 2)) * 0.4, rng.normal(size=800)]
    source, there = np.arange(800) < 400, ~np.isin(y, ["blue", "grey"])
    for target in (~source, ~source & there):
        Xt = X[target] + [0, 0, moved]
        found = check(Task.from_arrays(X[source], y[source], Xt))
        lacking = ["blue", "grey"] * (len(Xt) < 400)
        assert [s.name for s in found.shares if s.absent] == lacking
        notes = [note for note in found.notes if note.code.startswith("check.absent")]
        # where another column has moved too, it is a guess, and said to be one
        expected = [("check.absent_unclear" if moved else "check.absent", lacking)] if lacking else []
        assert [(note.code, note.values["classes"]) for note in notes] == expected
        assert in_words(found.notes)


@pytest.mark.parametrize("name", ["rotation_and_scale", "site_offsets", "covariate_shift", "mean_shift_nuisance"])
def test_check_does_not_take_other_shifts_for_one_of_shares(name):
    found = check(toy_task(name, n=150))
    assert not found.only_shares
    assert found.notes[0].code in ("check.clear", "check.apart")


@pytest.mark.parametrize("name", ["age", "weight", "town", "seen"])
def test_check_names_the_column_that_has_moved(name):
    moves = {
        "age": lambda t, rng: t.age + 20,
        "weight": lambda t, rng: t.weight * 1.6,
        "town": lambda t, rng: rng.choice(["Rome", "Oslo", "Bonn"], len(t), p=[0.8, 0.1, 0.1]),
        "seen": lambda t, rng: t.seen + pd.Timedelta(days=365),
    }
    found = compared(people(150, 0), people(150, 1, **{name: moves[name]}))
    first, *others = found.columns
    assert first.column == name
    assert first.significant
    assert first.shift > 0.2
    assert not any(column.significant for column in others)
    assert note_of(found, "check.carriers").values["columns"][0] == name
    assert note_of(found, "check.moved").values == {"count": 1, "of": 4}
    assert found.frame()["column"].tolist() == [column.column for column in found.columns]


def test_check_names_categories_that_the_source_never_shows():
    target = people(100, 1, town=lambda t, rng: np.where(np.arange(100) < 25, "Lima", t.town))
    found = compared(people(100, 0), target)
    assert note_of(found, "check.unseen").values == {"column": "town", "share": 0.25, "categories": ["Lima"]}


def test_check_names_gaps():
    found = compared(people(100, 0), people(100, 1, age=lambda t, rng: t.age.where(np.arange(100) >= 30)))
    assert note_of(found, "check.gaps").values == {"columns": ["age"]}
    age = next(column for column in found.columns if column.column == "age")
    assert (age.missing_source, age.missing_target) == (0.0, 0.3)
    assert age.significant


def test_check_counts_rows_that_stand_in_both():
    source, target = people(80, 0), people(60, 1)
    some = compared(source, pd.concat([target, source[:7]], ignore_index=True))
    assert some.duplicates == 7
    assert note_of(some, "check.duplicates").level == "warn"
    everything = compared(source, source)
    assert everything.duplicates == 80
    assert note_of(everything, "check.duplicates").level == "stop"
    assert everything.notes[0].code == "check.same"


def test_check_finds_a_column_that_gives_the_label_away():
    leaking = {"code": lambda t, rng: np.where(t.ill == "yes", "K7", "K1")}
    found = compared(people(100, 0, **leaking), people(60, 1, **leaking))
    leak = note_of(found, "check.leak")
    assert (leak.level, leak.values) == ("stop", {"columns": ["code"]})
    assert "check.leak" not in codes(compared(people(100, 0), people(60, 1)).notes)


def test_check_reads_text():
    words = [
        "the",
        "patient",
        "came",
        "back",
        "with",
        "a",
        "cough",
        "that",
        "would",
        "not",
        "go",
        "and",
        "slept",
        "badly",
        "after",
        "dinner",
        "on",
        "most",
        "days",
    ]
    other = [
        "delivery",
        "of",
        "steel",
        "pipes",
        "was",
        "late",
        "again",
        "because",
        "rain",
        "had",
        "flooded",
        "both",
        "roads",
        "near",
        "our",
        "northern",
        "depot",
    ]

    def sentences(vocabulary):
        return lambda t, rng: [" ".join(rng.choice(vocabulary, 8)) for _ in range(len(t))]

    moved = compared(people(80, 0, said=sentences(words)), people(80, 1, said=sentences(other)))
    assert (moved.columns[0].column, moved.columns[0].kind) == ("said", "text")
    assert moved.columns[0].significant
    assert moved.columns[0].shift > 0.5
    still = compared(people(80, 0, said=sentences(words)), people(80, 1, said=sentences(words)))
    assert not any(column.significant for column in still.columns)


def test_check_of_a_regression_task():
    found = check(toy_task("site_offsets", n=100, kind="regression"))
    assert found.task.kind == "regression"
    assert found.task.classes is None
    assert found.shares == ()
    assert not found.only_shares
    assert found.notes[0].code in ("check.clear", "check.apart")
    assert not any(code.startswith("check.shares") for code in codes(found.notes))


def test_check_is_the_same_for_the_same_seed_and_writes_to_no_table():
    source, target = people(80, 0), people(80, 1)
    before = source.copy(), target.copy()
    assert repr(compared(source, target)) == repr(compared(source, target))
    pd.testing.assert_frame_equal(source, before[0])
    pd.testing.assert_frame_equal(target, before[1])


# ---- no target label is read


class Secret:
    """A cell that may be passed around, and never looked at."""

    def _refuse(self, *_):
        raise AssertionError("a target label was read")

    __eq__ = __ne__ = __lt__ = __gt__ = __hash__ = __str__ = __repr__ = __float__ = __int__ = __bool__ = _refuse
    __len__ = __iter__ = __format__ = __getstate__ = __reduce_ex__ = _refuse


class Sealed:
    """Known target labels behind a lock: any look at them before ``open`` is set is an error."""

    def __init__(self):
        object.__setattr__(self, "open", False)

    def __getattribute__(self, name):
        if not object.__getattribute__(self, "open"):
            raise AssertionError(f"the known target labels were asked for {name!r} before the verdict stood")
        raise InterruptedError(name)

    def __len__(self):
        return self.index


SOURCE, TARGET = people(50, 0), people(50, 1, age=lambda t, rng: t.age + 12)
LABELLED = TARGET["ill"]
TARGET = TARGET.drop(columns="ill")


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(investigate, "RESAMPLES", 2)


def predicted(task):
    """All that a run says of a task, but for seconds, the date, and the sentence that a label column was taken out."""
    record = tm.adapt(task, method=["coral"], seed=3).record
    rows = [dataclasses.replace(row, seconds=0.0, oracle=None) for row in record.leaderboard]
    check = dataclasses.replace(record.check, reading=())
    return [record.verdict, record.label_me, record.untrusted, record.assumptions, rows, check]


@pytest.fixture(scope="module")
def unlabelled():
    """What a run says where the target has no label column."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(investigate, "RESAMPLES", 2)
        return predicted(Task.from_frames(SOURCE, TARGET, label="ill"))


def test_no_cell_of_the_targets_label_column_is_read(quick, unlabelled):
    secrets = [Secret() for _ in range(len(TARGET))]
    with pytest.raises(AssertionError, match="was read"):
        Task.from_frames(SOURCE.assign(ill=secrets), TARGET, label="ill")
    hidden = Task.from_frames(SOURCE, TARGET.assign(ill=secrets), label="ill")
    assert check(hidden, seed=3).columns == unlabelled[-1].columns
    assert predicted(hidden) == unlabelled


def test_labels_in_the_target_change_nothing_whatever_they_are(quick, unlabelled):
    shuffled = np.random.default_rng(0).permutation(LABELLED)
    assert predicted(Task.from_frames(SOURCE, TARGET.assign(ill=shuffled), label="ill")) == unlabelled
    for flip in ({"yes": "no", "no": "yes"}, {"yes": "no", "no": "no"}):
        table = TARGET.assign(ill=LABELLED.map(flip))
        task = Task.from_frames(SOURCE, table, label="ill")
        pd.testing.assert_frame_equal(task.target, Task.from_frames(SOURCE, TARGET, label="ill").target)
        assert task.truth is None


def test_known_target_labels_are_asked_for_when_all_else_is_done(quick, unlabelled, monkeypatch):
    known = pd.DataFrame({"row": range(len(TARGET)), "ill": LABELLED})
    task = Task.from_frames(SOURCE, TARGET, label="ill", target_labels=known)
    assert predicted(task) == unlabelled
    sealed = Sealed()
    locked = dataclasses.replace(task, truth=sealed)
    assert check(locked, seed=3).columns == unlabelled[-1].columns
    with pytest.raises(AssertionError, match="before the verdict stood"):
        len(sealed)

    finish = investigate.Record

    def last_step(**parts):
        found = finish(**parts)
        object.__setattr__(sealed, "open", True)
        return found

    monkeypatch.setattr(investigate, "Record", last_step)
    with pytest.raises(InterruptedError):
        tm.adapt(locked, method="sourceonly")


# ---- the truth


def record(answer="use", method="coral", kind="classification", classes=("no", "yes")):
    lines = [("majority", "baseline"), ("sourceonly", "baseline"), ("coral", "candidate"), ("sa", "candidate")]
    made, _ = sample_record(kind)
    said = dataclasses.replace(made.verdict, answer=answer, method=method if answer == "use" else "sourceonly")
    return dataclasses.replace(
        made,
        task=dataclasses.replace(made.task, label="ill", classes=classes if kind == "classification" else None),
        leaderboard=tuple(Row(key, key, role, "ok") for key, role in lines),
        verdict=said,
    )


def wrong(labels, rows):
    """Predictions that are right but in these rows."""
    return np.where(np.isin(np.arange(len(labels)), rows), np.where(labels == "yes", "no", "yes"), labels)


LABELS = np.array(["yes", "no"] * 50, dtype=object)
MANY, FEW = range(40), range(10)
TRUTHS = [
    ("use", MANY, FEW, True, "verify.helped"),
    ("use", FEW, MANY, False, "verify.harmed"),
    ("use", FEW, range(1, 11), None, "verify.undecided"),
    ("stay", MANY, FEW, False, "verify.missed"),
    ("stay", FEW, MANY, True, "verify.stayed"),
    ("stay", FEW, range(1, 11), True, "verify.stayed"),
    ("unknown", MANY, FEW, None, "verify.would_help"),
    ("unknown", FEW, MANY, None, "verify.would_not"),
]


@pytest.mark.parametrize(("answer", "base", "coral", "right", "code"), TRUTHS)
def test_whether_the_verdict_was_right(answer, base, coral, right, code):
    predicted = {"majority": np.full(100, "no"), "sourceonly": wrong(LABELS, base), "coral": wrong(LABELS, coral)}
    found = verify(record(answer), predicted, LABELS)
    assert found.verdict_right is right
    assert found.notes[0].code == code
    assert found.notes[0].values["method"] == "coral"
    rows = {row.method: row for row in found.rows}
    assert list(rows) == ["majority", "sourceonly", "coral"]  # sa was not fitted
    assert rows["coral"].value == 1 - len(coral) / 100
    assert rows["coral"].gain == pytest.approx((len(base) - len(coral)) / 100)
    assert rows["sourceonly"].gain == rows["sourceonly"].gain_low == rows["sourceonly"].gain_high == 0
    for row in rows.values():
        assert row.low <= row.value <= row.high
        assert row.gain_low <= row.gain <= row.gain_high
    assert all(note.say(lang) for note in found.notes for lang in ("en", "zh"))


@pytest.mark.parametrize(("noise", "right"), [(0.1, True), (3.0, False)])
def test_whether_a_verdict_on_numbers_was_right(noise, right):
    rng = np.random.default_rng(0)
    y = rng.normal(size=80)
    predicted = {"sourceonly": y + rng.normal(size=80), "coral": y + noise * rng.normal(size=80)}
    found = verify(record(kind="regression"), predicted, y)
    assert found.metric == "r2"
    assert found.verdict_right is right
    coral = next(row for row in found.rows if row.method == "coral")
    assert coral.value == pytest.approx(1 - ((y - predicted["coral"]) ** 2).mean() / y.var())


def test_few_and_strange_labels_are_told():
    labels = np.array(["yes", "no", "maybe"], dtype=object)
    predicted = dict.fromkeys(("sourceonly", "coral"), np.array(["yes", "no", "no"]))
    found = verify(record("stay"), predicted, labels)
    notes = {note.code: note.values for note in found.notes}
    assert notes["verify.few"] == {"n": 3}
    assert notes["verify.strange"] == {"classes": ["maybe"]}
    assert [row.value for row in found.rows] == pytest.approx([2 / 3, 2 / 3])
    enough = verify(record("stay"), {k: np.tile(v, 10) for k, v in predicted.items()}, np.tile(labels, 10))
    assert "verify.few" not in {note.code for note in enough.notes}


@pytest.mark.parametrize(
    "values", [[1, 0, 2], ["1", "0", "2"], [1.0, 0.0, 2.0], ["1.0", " 0", "2.000"], ["１", "0", "2"]]
)
def test_labels_may_be_spelled_differently(values):
    labels, there = target_truth(pd.Series(values), record(classes=("0", "1", "2")).task)
    assert there.all()
    assert labels.tolist() == ["1", "0", "2"]
    # the run itself spells its classes so, whatever its table held
    assert set(Task.from_arrays([[0.0], [1.0], [2.0]], values, [[0.5], [1.5]], kind="classification").labels) == set(
        labels
    )


def test_a_class_that_exists_is_itself():
    assert target_truth(pd.Series(["v1", "v1.0"]), record(classes=("v1", "v1.0")).task)[0].tolist() == ["v1", "v1.0"]
    assert target_truth(pd.Series([True, False]), record(classes=("False", "True")).task)[0].tolist() == [
        "True",
        "False",
    ]


@pytest.mark.parametrize("gap", ["", "  ", None, np.nan, pd.NA, "NA", "?"])
def test_rows_without_label_are_left_out(gap):
    labels, there = target_truth(pd.Series(["yes", gap, "no"], dtype=object), record().task)
    assert there.tolist() == [True, False, True]
    assert labels.tolist() == ["yes", "no"]
    numbers, there = target_truth(pd.Series(["1.5", gap, "2"], dtype=object), record(kind="regression").task)
    assert there.tolist() == [True, False, True]
    assert numbers.tolist() == [1.5, 2.0]
    with pytest.raises(ValueError, match="no row has a label yet"):
        target_truth(pd.Series([gap, gap], dtype=object), record().task)


def test_labels_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="1 labels are no numbers"):
        target_truth(pd.Series(["1", "tall"]), record(kind="regression").task)


def test_the_truth_stands_beside_each_method():
    predicted = {"sourceonly": wrong(LABELS, MANY), "coral": wrong(LABELS, FEW)}
    truth = verify(record(), predicted, LABELS)
    before = record()
    joined = with_truth(before, truth)
    assert before == record()
    oracle = {row.method: row.oracle for row in joined.leaderboard}
    assert oracle["coral"].value == 0.9
    assert oracle["coral"].n == 100
    assert oracle["majority"] is oracle["sa"] is None
    assert joined.truth == truth
    assert with_truth(joined, truth) == joined


# ---- from end to end: what must never be recommended


def verdict_on(name, seed, n=120, kind="classification"):
    return tm.adapt(toy_task(name, n, seed, kind), method=["coral", "sourceonly"], seed=seed).verdict


def test_tables_that_are_alike_are_left_alone(quick):
    said = verdict_on("no_shift", 0)
    assert (said.answer, said.model) == ("stay", "sourceonly")
    assert said.reasons[0].code == "verdict.alike"
    assert not said.risk


def test_a_target_that_is_the_source_is_left_alone(quick):
    toy = make_toy("no_shift", 120)
    said = tm.adapt(toy.Xs, toy.ys, toy.Xs, method=["coral", "sourceonly"]).verdict
    assert (said.answer, said.reasons[0].code) == ("stay", "verdict.alike")


@pytest.mark.parametrize("seed", range(2))
def test_no_feature_method_where_only_shares_have_moved(seed):
    said = verdict_on("label_shift", seed)
    assert said.answer != "use"
    assert said.model == "sourceonly"


def test_labels_that_are_noise_carry_nothing_over():
    toy = make_toy("site_offsets", 120)
    noise = np.random.default_rng(5).integers(0, 2, 120)
    said = tm.adapt(toy.Xs, noise, toy.Xt, method=["coral", "sourceonly"]).verdict
    assert (said.answer, said.reasons[0].code) == ("unknown", "verdict.not_learnable")
    assert said.risk


def test_a_target_whose_labels_are_unrelated_gets_no_method():
    said = verdict_on("unrelated", 0)
    assert said.answer != "use"
    assert said.model == "sourceonly"
