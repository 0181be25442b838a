"""Labels when they come: which rows are proposed, what their labels say of all rows, and the verdict that follows."""

from __future__ import annotations

import html
import io
import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from sample_record import sample_record
from scipy.stats import beta

import transfermap as tm
from transfermap.report.console.terminal import truth_view
from transfermap.report.pages.run_page import html_page
from transfermap.runs.run import load_run
from transfermap.verdict.labels.choosing import LEADING, PROPOSED, REST, SIZES, strata, worth_labelling
from transfermap.verdict.labels.posterior import PRIOR, posterior
from transfermap.verdict.labels.update import POINT, SURE, Normal, beliefs, combined, labels_needed, prior, updated
from transfermap.verdict.labels.verify import among, leading, verify
from transfermap.verdict.record import LabelDesign, Posterior, PredictedGain, Row, Truth, TruthRow

LEADERS = ["coral", "tca"]
N = 1200


@pytest.fixture
def few_draws(monkeypatch):
    """Where only estimates or wide intervals are looked at, many times over."""
    monkeypatch.setattr("transfermap.verdict.labels.posterior.DRAWS", 300)


def spoiled(y, share, rng):
    """Classes of which a share is wrong."""
    other = (y.astype(int) + rng.integers(1, 4, len(y))) % 4
    return np.where(rng.random(len(y)) < share, other.astype(str), y).astype(object)


def world(gain=0.1, seed=0, n=N):
    """True classes and predictions: coral differs on about a quarter of the rows and is right on ``gain`` more."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, n).astype(str).astype(object)
    base = spoiled(y, 0.4, rng)
    again = [spoiled(y, wrong, rng) for wrong in (0.4 - gain / 0.3, 0.4, 0.5)]
    redone = [np.where(rng.random(n) < 0.3, new, base) for new in again]
    return y, {
        "majority": np.full(n, "0", dtype=object),
        "sourceonly": base,
        **dict(zip((*LEADERS, "sa"), redone, strict=True)),
    }


def numbers(seed=0, n=N):
    rng = np.random.default_rng(seed)
    x = rng.standard_t(5, n)
    predicted = {"sourceonly": 0.4 * x, "coral": 0.8 * x + 0.1 * rng.normal(size=n), "tca": 0.5 * x}
    return x + rng.normal(size=n), predicted


def truth_of(y, predicted):
    """The true gain of each method over source-only on all rows."""
    if y.dtype == object:
        return {k: np.mean(p == y) - np.mean(predicted["sourceonly"] == y) for k, p in predicted.items()}
    return {
        k: (np.mean((predicted["sourceonly"] - y) ** 2) - np.mean((p - y) ** 2)) / y.var() for k, p in predicted.items()
    }


def expected(gain, low, high):
    return PredictedGain(gain, low, high, 0.8, 0.7, 0.9, 0.9, 0.5)


def record(predicted, kind="classification", n=N, gains=(), leaders=LEADERS, **more):
    roles = {"majority": "baseline", "sourceonly": "baseline"}
    board = tuple(
        Row(k, k.upper(), roles.get(k, "candidate"), "ok", predicted_gain=dict(gains).get(k)) for k in predicted
    )
    made, _ = sample_record(kind, classes=tuple("0123"))
    task = replace(made.task, n_target=n, label="y")
    said = replace(made.verdict, answer="unknown", method="sourceonly", model="sourceonly")
    design = LabelDesign(tuple(leaders), {})
    return replace(made, **({"task": task, "leaderboard": board, "verdict": said, "label_design": design} | more))


def part(predicted, rows):
    return {k: p[rows] for k, p in predicted.items()}


def proposed_rows(predicted, kind, seed, n):
    return np.array([r.row for r in worth_labelling(predicted, LEADERS, kind, seed, n)[0]])


def estimated(y, predicted, seed, n, kind="classification", rows=None):
    """Estimated gains over source-only, and draws of them."""
    rows = proposed_rows(predicted, kind, seed, n) if rows is None else rows
    found = posterior(part(predicted, rows), y[rows], LEADERS, kind, predicted, seed)
    base = list(predicted).index("sourceonly")
    return found.point - found.point[base], found.drawn - found.drawn[:, [base]]


# ---- which rows


def test_strata_by_hand():
    numbers = {"sourceonly": np.zeros(6), "coral": np.array([6.0, -2, 1, 0, 1, 2])}
    # falling: 6 2 2 1 1, in all 12; each third holds 4, so that the first holds the 6 and the next both 2
    assert strata(numbers, ["coral"], "regression").tolist() == [
        "large",
        "middle",
        "slight",
        "rest",
        "slight",
        "middle",
    ]
    new = {"sourceonly": np.zeros(4), "coral": np.array([9.0, 3.0, 1.5, 0.0])}
    assert strata(new, ["coral"], "regression", numbers).tolist() == ["large", "middle", "slight", "rest"]
    assert set(strata({"sourceonly": np.ones(3), "coral": np.ones(3)}, ["coral"], "regression")) == {REST}
    assert set(strata(numbers, [], "regression")) == set(strata(numbers, [], "classification")) == {REST}
    predicted = world()[1]
    where = strata(predicted, LEADERS, "classification")
    for i in range(50):
        differs = [k for k in LEADERS if predicted[k][i] != predicted["sourceonly"][i]]
        assert where[i] == (differs[0] if differs else REST)


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_any_prefix_of_the_proposed_rows_is_a_good_design(kind):
    predicted = (world() if kind == "classification" else numbers())[1]
    rows, design = worth_labelling(predicted, LEADERS, kind, seed=3)
    where = strata(predicted, LEADERS, kind)
    assert len(rows) == len({r.row for r in rows}) == PROPOSED
    assert all(r.stratum == where[r.row] for r in rows)
    assert list(design.leaders) == LEADERS
    assert design.sizes == {k: int(np.sum(where == k)) for k in np.unique(where.astype(str))}
    strata_named = LEADERS if kind == "classification" else SIZES
    for n in (4, 10, 30, 100):
        assert worth_labelling(predicted, LEADERS, kind, 3, n)[0] == rows[:n]
        assert {r.stratum for r in rows[:n]} >= set(strata_named)
        aimed = [r for r in rows[:n] if r.why == "disagree"]
        assert abs(len(aimed) - 0.75 * n) < 1
        assert all(r.stratum != REST for r in aimed)
        if kind == "classification":
            assert abs(sum(r.stratum == "coral" for r in aimed) - n / 2) <= 1
    assert {r.why for r in rows} == {"disagree", "random"}
    assert worth_labelling(predicted, LEADERS, kind, 4)[0] != rows


def test_proposed_rows_where_there_is_little_to_choose_from():
    same = dict.fromkeys(("sourceonly", "coral"), np.array(list("abab"), dtype=object))
    for leaders in (["coral"], []):
        rows, design = worth_labelling(same, leaders, "classification", 0)
        assert sorted(r.row for r in rows) == [0, 1, 2, 3]
        assert {r.why for r in rows} == {"random"}
        assert design.sizes == {REST: 4}
    # one row on which they differ comes first, and then the others
    other = same | {"coral": np.array(list("abaa"), dtype=object)}
    first, *others = worth_labelling(other, ["coral"], "classification", 0)[0]
    assert (first.row, first.why, first.value) == (3, "disagree", 0.5)
    assert sorted(r.row for r in others) == [0, 1, 2]


@pytest.mark.parametrize("stratum", ["coral", "tca", REST])
def test_each_row_of_a_stratum_is_drawn_equally_often(stratum):
    predicted = part(world()[1], np.arange(60))
    where, seen = strata(predicted, LEADERS, "classification"), np.zeros(60)
    for seed in range(600):
        seen[proposed_rows(predicted, "classification", seed, 12)] += 1
    inside = seen[where == stratum]
    expected = inside.mean()
    # chi-square over its degrees of freedom; without replacement it can only be smaller
    assert np.sum((inside - expected) ** 2 / expected) < len(inside) - 1 + 4 * np.sqrt(2 * (len(inside) - 1))


# ---- what labels say of all rows


@pytest.mark.parametrize("n", [4, 10, 30])
def test_estimated_gains_are_unbiased(n, few_draws):
    y, predicted = world()
    true = truth_of(y, predicted)
    found = np.array([estimated(y, predicted, seed, n)[0] for seed in range(150)])
    for j, key in enumerate(predicted):
        if key in LEADERS:
            off = found[:, j] - true[key]
            assert abs(off.mean()) < 3 * off.std() / np.sqrt(len(off))


def test_estimated_gains_are_unbiased_whichever_labels_are_left_out(few_draws):
    y, predicted = world()
    true, rng, off = truth_of(y, predicted)["coral"], np.random.default_rng(0), []
    for seed in range(150):
        rows = rng.choice(proposed_rows(predicted, "classification", seed, 60), 25, replace=False)
        off.append(estimated(y, predicted, seed, 0, rows=rows)[0][list(predicted).index("coral")] - true)
    assert abs(np.mean(off)) < 3 * np.std(off) / np.sqrt(len(off))


def test_differences_of_squared_errors_are_unbiased(few_draws):
    y, predicted = numbers()
    where, d = (
        strata(predicted, LEADERS, "regression"),
        (predicted["sourceonly"] - y) ** 2 - (predicted["coral"] - y) ** 2,
    )
    shares = {name: np.mean(where == name) for name in SIZES}
    off, ratios = [], []
    for seed in range(100):
        rows = proposed_rows(predicted, "regression", seed, 30)
        off.append(sum(shares[h] * d[rows][where[rows] == h].mean() for h in SIZES) - d.mean())
        gain = estimated(y, predicted, seed, 30, "regression")[0][1]
        # R2 divides by the estimated variance of y, which is biased by its own error only
        ratios.append(gain - d.mean() / y.var())
    assert abs(np.mean(off)) < 3 * np.std(off) / np.sqrt(len(off))
    assert abs(np.mean(ratios)) < 0.25 * np.std(ratios)


def test_the_proposed_rows_tell_more_than_as_many_random_ones(few_draws):
    y, predicted = world()
    j, spread = list(predicted).index("coral"), {}
    for how in ("proposed", "random"):
        found = []
        for seed in range(100):
            anywhere = np.random.default_rng(seed).permutation(N)[:30]
            rows = proposed_rows(predicted, "classification", seed, 30) if how == "proposed" else anywhere
            found.append(estimated(y, predicted, seed, 0, rows=rows)[0][j])
        spread[how] = np.std(found)
    assert spread["proposed"] < 0.75 * spread["random"]


@pytest.mark.parametrize(("kind", "n"), [("classification", 10), ("classification", 30), ("regression", 30)])
def test_the_posterior_covers_the_truth(kind, n, few_draws):
    y, predicted = world(0.05) if kind == "classification" else numbers()
    j, true, runs = list(predicted).index("coral"), truth_of(y, predicted)["coral"], 200
    ends = [np.quantile(estimated(y, predicted, seed, n, kind)[1][:, j], [0.05, 0.95]) for seed in range(runs)]
    covered = np.mean([low <= true <= high for low, high in ends])
    assert covered > 0.9 - 3 * np.sqrt(0.9 * 0.1 / runs)


def test_one_stratum_is_the_beta_posterior():
    """Where both methods never are wrong together, the chance to be better is that of Jeffreys' beta posterior."""
    predicted = {"sourceonly": np.full(40, "a", dtype=object), "coral": np.full(40, "b", dtype=object)}
    y = np.array(["b"] * 5 + ["a"] * 1 + ["c"] * 2, dtype=object)
    drawn = posterior(part(predicted, np.arange(8)), y, ["coral"], "classification", predicted).drawn
    third = PRIOR / 3
    exact = beta.sf(0.5, 5 + third, 1 + third)
    assert np.mean(drawn[:, 1] > drawn[:, 0]) == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 4000))


def test_many_different_rows_are_as_good_as_normal(monkeypatch):
    y, predicted = numbers()
    exact = estimated(y, predicted, 0, 100, "regression")[1]
    monkeypatch.setattr("transfermap.verdict.labels.posterior.MANY", 1)
    normal = estimated(y, predicted, 0, 100, "regression")[1]
    np.testing.assert_allclose(normal.mean(axis=0), exact.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(normal.std(axis=0), exact.std(axis=0), rtol=0.15, atol=1e-12)


def test_methods_that_agree_everywhere_have_no_gain():
    y, predicted = world()
    predicted["tca"] = predicted["sourceonly"]
    gains = estimated(y, predicted, 0, 20)[1][:, list(predicted).index("tca")]
    assert not gains.any()


# ---- what was predicted, and the updated verdict


def test_predicted_gains_and_labels_add_up_as_normals():
    drawn = np.random.default_rng(0).normal(0.04, 0.03, 4000)
    mean, sd = drawn.mean(), drawn.std()
    both = combined(drawn, Normal(0.02, 0.02))
    precision = 1 / sd**2 + 1 / 0.02**2
    assert both.mean() == pytest.approx((mean / sd**2 + 0.02 / 0.02**2) / precision)
    assert both.std() == pytest.approx(precision**-0.5)
    assert combined(drawn, None) is drawn
    assert combined(np.zeros(5), Normal(0.1, 0.1)).tolist() == [0] * 5


def test_a_predicted_gain_that_labels_contradict_counts_less():
    drawn = np.random.default_rng(0).normal(-0.10, 0.02, 4000)
    both = combined(drawn, Normal(0.20, 0.02))
    assert abs(both.mean() - drawn.mean()) < 0.01


@pytest.mark.parametrize(
    "predicted",
    [
        None,
        expected(np.nan, 0.0, 0.2),
        expected(0.1, np.nan, 0.2),
        expected(0.1, -np.inf, 0.2),
        expected(0.1, 0.2, 0.0),
    ],
)
def test_what_says_nothing_is_no_prior(predicted):
    assert prior(predicted) is None


def test_a_predicted_interval_is_read_as_normal():
    found = prior(expected(0.03, -0.02, 0.08))
    assert found.mean == 0.03
    assert found.sd == pytest.approx(0.05 / 1.6449, rel=1e-4)


def test_beliefs_by_hand():
    gains = np.array([[0.02, 0.02], [0.005, -0.1], [-0.02, -0.02], [0.0, 0.0]])
    (first, second), base = beliefs(gains)
    assert (first["better"], first["matters"], first["even"]) == (0.5, 0.25, 0.5)
    assert (second["better"], second["matters"], second["even"]) == (0.25, 0.25, 0.25)
    assert first["best"] == pytest.approx((1 / 2 + 1 + 0 + 1 / 3) / 4)
    assert second["best"] == pytest.approx((1 / 2 + 0 + 0 + 1 / 3) / 4)
    assert base == pytest.approx((0 + 0 + 1 + 1 / 3) / 4)
    assert first["gain"] == pytest.approx(0.00125)


def believed(method="coral", gain=0.05, better=0.5, matters=0.5, even=0.1, needs=40):
    found = Posterior(gain, gain - 0.1, gain + 0.1, better, matters, even, 0.1, needs)
    return TruthRow(method, method, "candidate", 0.8, 0.7, 0.9, gain, gain - 0.1, gain + 0.1, found)


RULE = [
    ([believed(better=SURE)], 0.0, "use", "verify.now_use"),
    ([believed(better=0.94)], 0.06, "unknown", "verify.now_open"),
    ([believed(better=0.94, needs=1000)], 0.06, "unknown", "verify.now_never"),
    ([believed(matters=0.05, better=0.6)], 0.4, "stay", "verify.now_stay"),
    ([believed(matters=0.06)], 0.95, "stay", "verify.now_best"),
    # one that did not lead must be surer, by the number of methods
    ([believed(better=0.9), believed("sa", better=0.97)], 0.0, "unknown", "verify.now_open"),
    ([believed(better=0.9), believed("sa", better=0.98)], 0.0, "use", "verify.now_use"),
]


@pytest.mark.parametrize(("rows", "base", "answer", "code"), RULE)
def test_the_rule_of_the_updated_verdict(rows, base, answer, code):
    found = updated(rows, ["coral"], base, left=100)
    assert found.answer == answer
    assert found.method == (rows[-1].method if answer == "use" else "sourceonly")
    assert found.notes[0].code == code
    assert found.more == {"verify.now_open": 40, "verify.now_never": None}.get(code, 0)
    for lang in ("en", "zh"):
        assert found.notes[0].say(lang)


def test_that_it_does_not_matter_is_said():
    found = updated([believed(even=0.9, gain=0.001)], ["coral"], 0.4)
    assert [n.code for n in found.notes] == ["verify.now_open", "verify.even"]


def test_so_many_more_labels_make_it_sure():
    labels = Normal(0.05, 0.05)
    more = labels_needed(labels, labels, 100)
    assert Normal(0.05, 0.05 * np.sqrt(100 / (100 + more))).sd * 1.645 < 0.05 * 1.001
    assert Normal(0.05, 0.05 * np.sqrt(100 / (90 + more))).sd * 1.645 > 0.05 * 0.99
    assert labels_needed(Normal(0.3, 0.05), labels, 100) == 0
    # a gain of nothing is sure to be at most a point once a point is 1.645 standard deviations
    assert labels_needed(Normal(0.0, 0.05), Normal(0.0, 0.05), 100) == pytest.approx(
        100 * ((1.645 * 0.05 / POINT) ** 2 - 1), rel=0.02
    )
    assert labels_needed(Normal(0.0, 0.0), Normal(0.0, 0.0), 10) == 0


def verified(y, predicted, n, seed=0, kind="classification", gains=()):
    drawn, design = worth_labelling(predicted, LEADERS, kind, seed, n)
    rows = np.array([r.row for r in drawn])
    known = record(predicted, kind, len(y), gains, label_me=drawn, label_design=design)
    return verify(known, part(predicted, rows), y[rows], predicted, proposed=True)


def test_a_clear_winner_is_seen_with_30_labels():
    y, predicted = world(0.15)
    answers = [verified(y, predicted, 30, seed).updated for seed in range(10)]
    assert [(a.answer, a.method) for a in answers].count(("use", "coral")) >= 8


def test_a_tie_is_not_decided_by_100_labels():
    y, predicted = world(0.0)
    answers = [verified(y, predicted, 100, seed).updated.answer for seed in range(10)]
    assert answers.count("use") <= 2


def test_what_never_differs_is_left_alone():
    y, predicted = world()
    predicted |= dict.fromkeys((*LEADERS, "sa"), predicted["sourceonly"])
    found = verified(y, predicted, 10).updated
    assert (found.answer, found.method, found.more) == ("stay", "sourceonly", 0)


def test_a_wrong_predicted_gain_is_overruled_by_100_labels():
    y, predicted = world(-0.15)
    wrong = {"coral": expected(0.15, 0.10, 0.20)}
    found = verified(y, predicted, 100, gains=wrong)
    coral = next(r for r in found.rows if r.method == "coral")
    assert found.updated.answer != "use"
    assert coral.posterior.better < 0.05


def test_a_right_predicted_gain_helps_few_labels():
    y, predicted = world(0.10)
    right = {"coral": expected(0.10, 0.02, 0.18)}
    with_it, without = (
        np.mean([verified(y, predicted, 10, s, gains=f).updated.answer == "use" for s in range(10)])
        for f in (right, ())
    )
    assert with_it > without


def test_the_first_named_winner_in_numbers():
    y, predicted = numbers()
    found = verified(y, predicted, 60, kind="regression")
    coral = next(r for r in found.rows if r.method == "coral")
    assert (found.updated.answer, found.updated.method) == ("use", "coral")
    assert coral.gain_low < truth_of(y, predicted)["coral"] < coral.gain_high


def test_guessing_is_no_method_to_use():
    y, predicted = world()
    predicted["majority"] = y
    found = verified(y, predicted, 40)
    assert next(r for r in found.rows if r.method == "majority").posterior is None
    assert found.updated.method != "majority"


def test_who_leads():
    predicted = world()[1]
    board = record(predicted).leaderboard
    assert leading(board, "sourceonly", predicted) == ["coral", "tca", "sa"][:LEADING]
    assert leading(board, "sa", predicted) == ["sa", "coral", "tca"]
    assert among(["tca", "nosuch"], predicted) == ["tca"]
    alone = {k: predicted[k] for k in ("majority", "sourceonly")}
    assert leading(record(alone).leaderboard, "sourceonly", alone) == []
    assert verify(record(alone, leaders=()), part(alone, np.arange(9)), world()[0][:9]).updated is None


def test_random_rows_are_scored_as_they_are():
    y, predicted = world()
    rows = np.random.default_rng(0).permutation(N)[:50]
    found = verify(record(predicted), part(predicted, rows), y[rows], predicted)
    for row in found.rows:
        assert row.value == np.mean(predicted[row.method][rows] == y[rows])
    assert "verify.weighted" not in [n.code for n in found.notes]
    assert "verify.weighted" in [n.code for n in verified(y, predicted, 50).notes]


# ---- from a file to the report


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run whose target labels are known to the test."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("labels")
    y = rng.integers(0, 2, 500)
    X = rng.normal(size=(500, 3)) + 1.5 * np.column_stack([y, y, 0 * y])
    X[250:] = X[250:] * (1, 3, 1) + (0.2, -1.0, 0)
    run = tm.adapt(X[:250], y[:250], X[250:], method="coral", budget=20)
    run.save(folder / "run")
    return folder / "run", y[250:]


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made[0], tmp_path / "run"), made[1], tmp_path / "told.csv"


def filled(folder, y, n, columns=None):
    table = pd.read_csv(folder / "label_me.csv")
    table["label"] = y[table["row"]].astype(object)
    return table[:n] if columns is None else table.loc[: n - 1, columns]


def test_label_me_is_weighted_by_columns_and_by_row(copy):
    folder, y, path = copy
    found = []
    for columns in (None, ["row", "label"]):
        filled(folder, y, 30, columns).to_csv(path, index=False)
        found.append(load_run(folder).verify(path))
    assert found[0].rows == found[1].rows
    assert found[0].updated == found[1].updated
    assert "verify.weighted" in [n.code for n in found[0].notes]
    run = load_run(folder)
    sizes = run.record.label_design.sizes
    proposed = pd.DataFrame(run.record.to_dict()["label_me"])[:30]
    predicted = run.found.arrays["predicted_sourceonly"][proposed["row"]]
    right = pd.Series(predicted == y[proposed["row"]].astype(str)).groupby(proposed["stratum"]).mean()
    base = next(r for r in found[0].rows if r.method == "sourceonly")
    assert base.value == pytest.approx(sum(right[h] * size for h, size in sizes.items()) / sum(sizes.values()))


def test_rows_that_were_not_proposed_are_a_random_sample(copy):
    folder, y, path = copy
    proposed = {r.row for r in load_run(folder).record.label_me}
    other = next(i for i in range(len(y)) if i not in proposed)
    rows = [*list(proposed)[:20], other]
    pd.DataFrame({"row": rows, "label": y[rows]}).to_csv(path, index=False)
    found = load_run(folder).verify(path)
    assert "verify.weighted" not in [n.code for n in found.notes]
    base = next(r for r in found.rows if r.method == "sourceonly")
    predicted = load_run(folder).found.arrays["predicted_sourceonly"][rows]
    assert base.value == pytest.approx(np.mean(predicted == y[rows].astype(str)))


def test_numbers_that_count_other_rows_are_not_taken_for_the_targets(copy):
    folder, y, path = copy
    table = filled(folder, y, 40)
    features = [c for c in table.columns if c not in ("row", "why", "guess", "label")]
    table[features] = table[features].to_numpy()[::-1]
    table.to_csv(path, index=False)
    predicted = load_run(folder).found.arrays["predicted_sourceonly"][table["row"]]
    assert np.mean(predicted == predicted[::-1]) < 0.8
    assert "verify.weighted" not in [n.code for n in load_run(folder).verify(path).notes]


@pytest.mark.parametrize("change", [{"sizes": {"rest": 3}}, {"leaders": ["nosuch"]}])
def test_a_design_that_does_not_fit_the_run_is_refused(copy, change):
    folder, y, path = copy
    forged = json.loads((folder / "run.json").read_text("utf8"))
    forged["label_design"] |= change
    (folder / "run.json").write_text(json.dumps(forged), encoding="utf8")
    filled(folder, y, 30, ["row", "label"]).to_csv(path, index=False)
    with pytest.raises(ValueError, match="the run is damaged"):
        load_run(folder).verify(path)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_updated_verdict_is_shown(copy, lang):
    folder, y, path = copy
    filled(folder, y, 30, ["row", "label"]).to_csv(path, index=False)
    truth = load_run(folder).verify(path)
    said = truth.updated.notes[0].say(lang)
    screen = Console(width=80, color_system=None, file=io.StringIO())
    screen.print(truth_view(truth, lang))
    shown = screen.file.getvalue()
    assert said[:12].split()[0] in shown
    assert max(map(len, shown.splitlines())) <= 80
    loaded = load_run(folder)
    page = html_page(loaded.record, loaded.found.arrays, lang)
    assert said[:12] in html.unescape(page)
    assert Truth.from_dict(json.loads((folder / "truth.json").read_text("utf8"))) == truth == loaded.record.truth
