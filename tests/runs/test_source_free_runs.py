"""Adapting without the source: from a net alone, under the guard, and as a command."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from transfermap.card import cards, find
from transfermap.cli.app import app
from transfermap.deep import source_free as sourcefree
from transfermap.deep.estimators import DeepClassifier, DeepRegressor
from transfermap.deep.source_free import adapted, classes_in_use, lost_classes
from transfermap.deep.training import settings
from transfermap.math.ratio import along
from transfermap.methods.baseline.erm import ERM
from transfermap.methods.source_free.batchnorm import BatchNorm
from transfermap.methods.source_free.tent import TENT
from transfermap.runs.model_file import load, save
from transfermap.verdict.signs import FAMILY, methods_for

KEYS = tuple(card.key for card in cards() if card.family == FAMILY)
each = pytest.mark.parametrize("key", KEYS)


def rows(n, seed, stretch=1.0, zero=0.0, apart=4):
    """Three clouds, so far apart."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    X = rng.normal(size=(n, 4))
    X[y == 1, 0] += apart
    X[y == 2, 1] += apart
    return X * stretch + zero, y


def weights(model):
    return {name: value.clone() for name, value in model.modules_.state_dict().items()}


def same(a, b):
    return set(a) == set(b) and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def trained():
    """A net that has seen the source alone."""
    X, y = rows(300, 0)
    domains = np.r_[np.ones(298, int), -1, -1]
    return DeepClassifier(ERM(), net="normed", steps=80).fit(X, y, sample_domain=domains)


@each
def test_a_net_is_adapted_by_target_rows_alone_and_the_net_itself_stays(trained, key):
    X, _ = rows(250, 1, 2.0, 1.0)
    before = weights(trained)
    after = adapted(trained, find(key)(), X)
    assert same(before, weights(trained))
    assert not same(before, weights(after))
    assert not np.allclose(after.predict_proba(X), trained.predict_proba(X))
    again = adapted(trained, find(key)(), X)
    assert same(weights(again), weights(after))


@each
def test_reset_restores_the_net_to_the_last_bit_after_saving_too(trained, key, tmp_path):
    X, _ = rows(100, 1, 2.0, 1.0)
    after = adapted(trained, find(key)(), X)
    save(after, tmp_path / "model.tmap")
    for model in (after, load(tmp_path / "model.tmap")):
        assert same(weights(model.reset()), weights(trained))
        assert not model.before_
        np.testing.assert_array_equal(model.predict_proba(X), trained.predict_proba(X))


@each
def test_fitted_with_a_source_it_is_the_same_in_two_stages(key):
    (Xs, ys), (Xt, _) = rows(200, 0), rows(120, 1, 2.0, 1.0)
    X, y, d = np.r_[Xs, Xt], np.r_[ys, -np.ones(120, int)], np.r_[np.ones(200, int), -np.ones(120, int)]
    method = find(key)(**({"smoothing": 0.0} if key == "shot" else {}))
    whole = DeepClassifier(method, net="normed", steps=40).fit(X, y, sample_domain=d)
    source = DeepClassifier(ERM(), net="normed", steps=40).fit(X, y, sample_domain=d)
    # a shell brings rows into an order of their own
    order = np.argsort(along(Xt), kind="stable")
    assert same(weights(adapted(source, method, Xt[order])), weights(whole))
    assert same(weights(whole.reset()), weights(source))


@pytest.mark.parametrize("key", ["batchnorm", "tent"])
def test_nets_without_batch_normalisation_are_refused_in_a_sentence(key):
    X, y = rows(60, 0)
    model = DeepClassifier(ERM(), net="mlp", steps=5).fit(X, y)
    with pytest.raises(ValueError, match=r"works on batch normalisation, of which this net has none.*'normed'"):
        adapted(model, find(key)(), X)


@each
def test_one_row_is_refused_and_so_are_batches_of_one(trained, key):
    X, y = rows(60, 0)
    with pytest.raises(ValueError, match="at least 2 target rows, since one row has no spread; got 1"):
        adapted(trained, find(key)(), X[:1])
    if "batch" in find(key)().get_params():
        with pytest.raises(ValueError, match="batch must be a number >= 2; got 1"):
            adapted(trained, find(key)(batch=1), X)
    number = DeepRegressor(ERM(), net="normed", steps=5).fit(X, y.astype(float))
    with pytest.raises(ValueError, match="needs classes; DeepRegressor predicts numbers"):
        adapted(number, find(key)(), X)


# the guard


def test_classes_in_use_and_lost_ones():
    even = torch.eye(4).repeat(10, 1)
    assert float(classes_in_use(even)) == pytest.approx(4)
    assert float(classes_in_use(even[::4])) == pytest.approx(1)
    assert not lost_classes(even, even)
    assert lost_classes(even, even[::4].repeat(4, 1))
    # three of four classes as they were, a little of the fourth
    rare = torch.cat([torch.eye(4)[:3].repeat(33, 1), torch.eye(4)[3:]])
    assert lost_classes(torch.cat([torch.eye(4)[:3].repeat(28, 1), torch.eye(4)[[3] * 16]]), rare)
    assert not lost_classes(rare, even)


def collapsing():
    """TENT at a rate and a length at which it loses a class, on clouds that hardly stand apart."""
    return TENT(epochs=15, rate=0.1, batch=50)


def test_a_collapsing_run_is_ended_in_a_sound_state(trained, monkeypatch):
    X, y = rows(300, 1, apart=1)
    base = adapted(trained, BatchNorm(batch=50), X)
    guarded = adapted(trained, collapsing(), X)
    kept = guarded.objective_.stopped_
    assert kept is not None and kept < 15
    assert not lost_classes(*(torch.from_numpy(m.predict_proba(X)) for m in (base, guarded)))
    monkeypatch.setattr(sourcefree, "lost_classes", lambda before, after: False)
    free = adapted(trained, collapsing(), X)
    assert free.objective_.stopped_ is None
    assert guarded.history_[-1]["step"] < free.history_[-1]["step"]
    assert lost_classes(*(torch.from_numpy(m.predict_proba(X)) for m in (base, free)))
    assert guarded.score(X, y) > free.score(X, y)


def test_a_sound_run_goes_to_its_end(trained):
    X, _ = rows(300, 1, 2.0, 1.0)
    calm = adapted(trained, TENT(epochs=4, batch=50), X)
    assert calm.objective_.stopped_ is None
    assert calm.history_[-1]["step"] > trained.history_[-1]["step"]
    assert 0.9 < calm.history_[-1]["classes in use"] <= 1


# as a command


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Tables, and runs whose models are a net with and without batch normalisation, and none."""
    folder = tmp_path_factory.mktemp("runs")
    names = np.array(["low", "middle", "high"])
    made = (("a", 0, 1.0, 0.0, 120), ("b", 1, 1.2, 0.2, 80), ("c", 2, 2.5, 1.0, 150))
    for name, seed, stretch, zero, n in made:
        X, y = rows(n, seed, stretch, zero)
        frame = pd.DataFrame(X, columns=list("pqrs"))
        frame.assign(level=names[y]).to_csv(folder / f"{name}_known.csv", index=False)
        frame.to_csv(folder / f"{name}.csv", index=False)
    steps, settings.STEPS = settings.STEPS, 40
    try:
        pair = [folder / "a_known.csv", folder / "b.csv", "--label", "level", "--budget", "1s"]
        for name, more in (("net", ["erm", "--net", "normed"]), ("plain", ["erm"]), ("table", ["coral"])):
            done = called("adapt", *pair, "--method", *more, "-o", folder / name)
            assert done.exit_code == 0, done.output
    finally:
        settings.STEPS = steps
    return folder


def called(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def record(folder):
    return json.loads((folder / "run.json").read_text("utf8"))


def test_adapting_a_run_gives_a_run_that_predicts_reports_and_is_verified(place):
    done = called("adapt", "--model", place / "net", place / "c.csv", "--method", "tent", "-o", place / "adapted")
    assert done.exit_code == 0, done.output
    found = record(place / "adapted")
    assert found["verdict"]["answer"] == "unknown"
    assert found["verdict"]["model"] == "tent"
    codes = [note["code"] for note in found["verdict"]["reasons"]]
    assert codes[:2] == ["source_free.nothing", "source_free.signs"] and codes[-1] == "verdict.named"
    for out, more in (("p.csv", []), ("q.csv", ["--method", "sourceonly"])):
        done = called("predict", place / "adapted", place / "c.csv", "-o", place / out, *more)
        assert done.exit_code == 0, done.output
    first, predicted, plain = (pd.read_csv(place / f) for f in ("adapted/predictions.csv", "p.csv", "q.csv"))
    assert first["prediction"].equals(predicted["prediction"])
    # "sourceonly" is the net as it was
    called("predict", place / "net", place / "c.csv", "-o", place / "r.csv")
    assert plain["prediction"].equals(pd.read_csv(place / "r.csv")["prediction"])
    line = found["leaderboard"][1]
    assert line["changed"] == pytest.approx(np.mean(predicted["prediction"] != plain["prediction"]))
    for lang in ("en", "zh"):
        assert called("report", place / "adapted", "--lang", lang).exit_code == 0
    labels = pd.read_csv(place / "adapted" / "label_me.csv")
    labels["level"] = pd.read_csv(place / "c_known.csv")["level"].to_numpy()[labels["row"]]
    labels.to_csv(place / "labels.csv", index=False)
    done = called("verify", place / "adapted", place / "labels.csv")
    assert done.exit_code == 0, done.output
    assert "TENT" in done.output or "entropy" in done.output


def test_auto_tries_all_and_hands_out_the_net_as_it_was(place):
    done = called("adapt", "--model", place / "plain", place / "c.csv", "-o", place / "all", "--json")
    assert done.exit_code == 0, done.output
    found = record(place / "all")
    assert found["verdict"] | {"reasons": 0} == {
        "answer": "unknown",
        "method": "sourceonly",
        "name": "Source only, by a net",
        "model": "sourceonly",
        "reasons": 0,
        "risk": True,
    }
    board = {row["method"]: row for row in found["leaderboard"]}
    assert set(board) == {"sourceonly", *KEYS}
    # this net has no batch normalisation
    assert {key for key, row in board.items() if row["status"] == "failed"} == {"batchnorm", "tent"}
    assert "has none" in board["tent"]["note"]["values"]["fault"]
    for row in board.values():
        if row["status"] == "ok":
            assert sum(row["shares"].values()) == pytest.approx(1)


def test_rows_that_change_nothing_are_a_reason_to_stay(place):
    done = called("adapt", "--model", place / "net", place / "a.csv", "--method", "t3a", "-o", place / "same")
    assert done.exit_code == 0, done.output
    found = record(place / "same")
    changed = found["leaderboard"][1]["changed"]
    assert found["verdict"]["answer"] == ("stay" if changed < 0.01 else "unknown")
    assert changed < 0.01


@pytest.mark.parametrize(
    ("run", "more", "says"),
    [
        ("table", [], "which is no net, and only nets are adapted without the source"),
        ("plain", ["--method", "tent"], "works on batch normalisation, of which this net has none"),
        ("net", ["--method", "dann"], "needs the source's rows; without: batchnorm, shot, t3a, tent"),
        ("net", ["--label", "level"], "no options of a source; got 1 tables, --label"),
        ("none", [], "there is no run"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(place, run, more, says):
    done = called("adapt", "--model", place / run, place / "c.csv", *more, "-o", place / "never")
    assert done.exit_code == 2
    assert says in " ".join(done.output.split())
    assert not (place / "never").exists()


def test_the_methods_that_need_no_source():
    assert methods_for("auto") == list(KEYS) == ["batchnorm", "shot", "t3a", "tent"]
    assert methods_for(["tent", "TENT", "shot"]) == ["tent", "shot"]


def test_methods_on_batch_normalisation_get_a_net_that_has_it(place):
    done = called(
        *("adapt", place / "a_known.csv", place / "b.csv", "--label", "level", "--budget", "1s"),
        *("--method", "batchnorm", "-o", place / "both"),
    )
    assert done.exit_code == 0, done.output
    assert record(place / "both")["net"] == "normed"
