"""Published tables: every row's settings are real, the arithmetic is right, and the figures come out where data are."""

from __future__ import annotations

import json
import os
from dataclasses import fields, replace

import numpy as np
import pytest

from transfermap.bench import published_tables as tables
from transfermap.bench.baselines import BASELINES
from transfermap.bench.catalogue import Domain
from transfermap.bench.contenders import classifier
from transfermap.bench.datasets import Rows
from transfermap.bench.paper_recipes import _two_fold_c, recipe
from transfermap.bench.preprocess import prepare
from transfermap.bench.published_tables import Row, compute, draw, names, place, published
from transfermap.card import find
from transfermap.cli.app import app
from transfermap.report.console.published import agrees, table_view

ROWS = [(name, row) for name in names() for row in published(name).rows]
DATA = os.environ.get("TRANSFERMAP_DATA")


def named(pair):
    return f"{pair[0]}-{pair[1].method}"


@pytest.mark.parametrize("case", ROWS, ids=named)
def test_a_rows_settings_exist_and_its_figures_are_one_a_task(case):
    name, row = case
    table = published(name)
    assert bool(row.adapt) + bool(row.recipe) <= 1
    assert row.classify in BASELINES or classifier(row.classify)
    assert row.fit_on in ("labelled", "all")
    prepare(row.prepare, np.ones((2, 3)))
    for figures in (row.paper, row.rerun, *row.each.values()):
        assert len(figures) in (0, len(table.tasks))
    if row.adapt:
        assert {*row.params, *row.each} <= {f.name for f in fields(find(row.adapt))}
    if row.recipe:
        recipe(row.recipe)


@pytest.mark.parametrize("name", names())
def test_every_table_says_where_it_is_from_and_ends_with_the_honest_baselines(name):
    table = published(name)
    assert table.title and table.reference and table.protocol and table.doi
    said = [row.method for row in table.rows]
    assert len(set(said)) == len(said)
    assert {"1-NN", "row L2 + 1-NN", "PCA + row L2 + 1-NN", "linear SVM", "kernel RLS"} <= set(said)


def test_a_table_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"no table 'nope'; expected one of: .*jda-2013"):
        published("nope")


def clouds(seed, shift=0.0, n=40):
    rng = np.random.default_rng(seed)
    y = np.tile([1, 2], n // 2)
    return Domain(rng.random((n, 5)) + y[:, None] + shift, y)


def serve(monkeypatch, domains):
    def load_task(name, source, target, data_dir, preprocess):
        s, t = domains[source], domains[target]
        return Rows(prepare(preprocess, s.X), s.y, prepare(preprocess, t.X), t.y, np.zeros(len(s.y), int))

    monkeypatch.setattr(tables, "load_domains", lambda name, data_dir: domains)
    monkeypatch.setattr(tables, "load_task", load_task)


@pytest.fixture
def small(monkeypatch):
    """A table of two tasks on made-up domains."""
    domains = {"alpha": clouds(0), "beta": clouds(1, 0.7)}
    serve(monkeypatch, domains)
    rows = [
        Row(method="plain", prepare="none", paper=[50.0, float("nan")]),
        Row(method="coral", prepare="z", adapt="coral", params={"reg": 0.1}, classify="linear-svm"),
        Row(method="easytl", prepare="z", adapt="easytl"),
        Row(method="latent", prepare="none", recipe="latent", params={"n_components": 3, "key": "coral"}),
        Row(method="logistic", prepare="none", classify="logistic"),
        Row(method="drawn", prepare="z", per_class=3),
        Row(method="release", prepare="z", recipe="coral_release"),
    ]
    return replace(published("jda-2013"), name="small", tasks=["AB", "BA"], rows=rows), domains


def test_a_cell_is_what_one_would_compute_by_hand(small):
    table, domains = small
    cells = {(c.method, c.task): c for c in compute(table, None)}
    s, t = domains["alpha"], domains["beta"]
    nearest = s.y[((t.X[:, None] - s.X[None]) ** 2).sum(2).argmin(1)]
    assert cells["plain", "AB"].ours == pytest.approx(100 * np.mean(nearest == t.y))
    assert cells["plain", "AB"].paper == 50.0 and cells["plain", "BA"].paper is None
    from sklearn.svm import SVC

    Xs, Xt = ((d.X - d.X.mean(0)) / d.X.std(0) for d in (t, s))
    coral = find("coral")(reg=0.1).fit(np.r_[Xs, Xt], sample_domain=np.repeat([1, -1], 40))
    predicted = SVC(kernel="linear").fit(coral.transform(Xs, sample_domain=np.ones(40, int)), t.y).predict(Xt)
    assert cells["coral", "BA"].ours == pytest.approx(100 * np.mean(predicted == s.y))
    assert cells["easytl", "AB"].ours > 90
    assert len(cells) == 14


def test_trials_draw_rows_anew_and_their_error_is_the_means(small):
    table, _ = small
    (cell,) = compute(replace(table, tasks=["AB"], trials=4), None, only=["drawn"])
    singles = []
    for trial in range(4):
        s, t = clouds(0), clouds(1, 0.7)
        rows = draw(s.y, 3, trial)
        assert np.bincount(s.y[rows])[1:].tolist() == [3, 3]
        Xs, Xt = prepare("z", s.X)[rows], prepare("z", t.X)
        singles.append(100 * np.mean(s.y[rows][((Xt[:, None] - Xs[None]) ** 2).sum(2).argmin(1)] == t.y))
    assert cell.ours == pytest.approx(np.mean(singles))
    assert cell.error == pytest.approx(np.std(singles, ddof=1) / 2)


def test_the_labels_of_the_target_only_score(small, monkeypatch):
    table, domains = small
    before = [c.ours for c in compute(table, None, only=["coral", "easytl"])]
    flipped = {"alpha": domains["alpha"], "beta": Domain(domains["beta"].X, 3 - domains["beta"].y)}
    serve(monkeypatch, flipped)
    after = [c.ours for c in compute(table, None, only=["coral", "easytl"])]
    assert [a + b for a, b in zip(before[::2], after[::2], strict=True)] == pytest.approx([100, 100])


def test_a_row_that_is_not_there_is_refused(small):
    with pytest.raises(ValueError, match="no row 'TCA'"):
        list(compute(small[0], None, only=["TCA"]))


def test_tasks_name_their_domains():
    domains = {"shops": ["amazon", "Caltech10"], "digits": ["usps", "mnist"]}
    assert place("CA", domains) == ("shops", "Caltech10", "amazon")
    assert place("MNIST-USPS", domains) == ("digits", "mnist", "usps")
    with pytest.raises(ValueError, match="XY"):
        place("XY", domains)


def test_the_release_of_coral_is_an_svm_on_a_kernel_that_is_not_symmetric():
    s, t = clouds(0), clouds(1)
    predicted = recipe("coral_release")(s.X, s.y, t.X, None)
    from scipy.linalg import fractional_matrix_power as power
    from sklearn.svm import SVC

    A = power(np.cov(s.X.T) + np.eye(5), -0.5) @ power(np.cov(t.X.T) + np.eye(5), 0.5)
    K = s.X @ A @ s.X.T
    assert not np.allclose(K, K.T)
    naive = SVC(kernel="precomputed", C=_two_fold_c(K, s.y)).fit(K, s.y).predict((s.X @ A @ t.X.T).T)
    np.testing.assert_array_equal(predicted, naive)


def test_the_view_says_how_many_tasks_agree():
    cells = [
        {"method": "NN", "task": "CA", "ours": 23.7, "paper": 23.7, "rerun": None, "error": 0.0},
        {"method": "NN", "task": "CW", "ours": 25.0, "paper": 25.76, "rerun": None, "error": 0.0},
        {"method": "SVM", "task": "CA", "ours": 40.0, "paper": None, "rerun": None, "error": 0.0},
    ]
    said = table_view("Title", "protocol", cells, 40).plain
    assert "NN: mean 24.35, paper 24.73, 1 of 2 tasks agree" in said
    assert "SVM: mean 40.00" in said
    assert max(map(len, said.splitlines())) <= 60
    assert agrees(23.8, 23.7) and not agrees(23.9, 23.7) and not agrees(1.0, None)
    assert agrees(24.5, 23.7, error=0.3) and not agrees(24.7, 23.7, error=0.3)


def run(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        app(arguments)
    return left.value.code, capsys.readouterr()


def test_the_commands(capsys, tmp_path):
    code, said = run(["bench", "tables"], capsys)
    assert code == 0 and "jda-2013" in said.out
    code, said = run(["bench", "tables", "--json"], capsys)
    assert {row["name"] for row in json.loads(said.out)} == set(names())
    code, said = run(["bench", "table", "jda-2013", "--data-dir", str(tmp_path)], capsys)
    assert code == 2 and "nothing is downloaded" in said.err
    code, said = run(["bench", "table", "nope", "--data-dir", str(tmp_path)], capsys)
    assert code == 2 and "no table" in said.err


@pytest.mark.skipif(not DATA, reason="needs the data sets: set TRANSFERMAP_DATA to their folder")
@pytest.mark.parametrize("task", ["WD", "DW", "AD"])
def test_published_figures_come_out_exactly(task):
    table = published("jda-2013")
    i = list(table.tasks).index(task)
    rows = [
        replace(row, paper=[row.paper[i]], each={k: [v[i]] for k, v in row.each.items()})
        for row in table.rows
        if row.paper
    ]
    for cell in compute(replace(table, tasks=[task], rows=rows), DATA):
        assert cell.ours == pytest.approx(cell.paper, abs=0.11), cell.method
