"""The bench: loaders, the grid's records, its commands, killed and resumed, in parallel and on a cluster; ranks."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
from scipy import sparse
from scipy.stats import friedmanchisquare
from typer.testing import CliRunner

from transfermap.bench import datasets, grid
from transfermap.bench.baselines import BASELINES, HONEST, baseline, pca_l2_nn, pooled_pca
from transfermap.bench.contenders import contenders
from transfermap.bench.image_data import shrink
from transfermap.bench.kernelrls import KernelRLS
from transfermap.bench.measurements import drawn, plan
from transfermap.bench.preprocess import RECIPES, prepare
from transfermap.bench.ranks import alike, critical_difference, friedman, friedman_untied, task_ranks
from transfermap.bench.records import VOLATILE, appending, read_records
from transfermap.bench.summary import summarise
from transfermap.cli.app import app

METHODS = "coral,sa:n_components=2"
ALWAYS = {*BASELINES, "sourceonly"}


def invoke(*line, code=0):
    done = CliRunner().invoke(app, ["bench", *map(str, line)])
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    return done


def flat(text):
    return " ".join(text.split())


def cloud(n, seed, move=0.0):
    """Three classes in four columns, moved."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    return rng.normal(size=(n, 4)) + 3 * np.eye(4)[y] + move, y


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder with one data set of three domains in three formats, classes named alike."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "places"
    folder.mkdir()
    X, y = cloud(60, 0)
    pd.DataFrame(X, columns=list("0123")).assign(y=y).to_csv(folder / "north.csv", index=False)
    X, y = cloud(50, 1, move=2.0)
    pd.DataFrame(X, columns=list("0123")).assign(y=y).to_parquet(folder / "south.parquet")
    X, y = cloud(40, 2, move=-1.0)
    np.savez(folder / "west.npz", X=X, y=y, files=np.array(["a"] * 40))
    return root


def line(data, out, *more):
    return ("run", "places", "--methods", METHODS, "--data-dir", data, "-o", out, "--seeds", "0,1", *more)


@pytest.fixture(scope="module")
def records(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "records.jsonl"
    said = invoke(*line(data, path)).stdout
    assert "108 cells: 108 run now, 0 were there" in flat(said)
    return path


def settled(path, target=None):
    """What of the records may not change from one run to the next; those of the tasks north:``target`` only."""
    found = {k: {f: v for f, v in r.items() if f not in VOLATILE} for k, r in read_records(path).by_key.items()}
    return {k: r for k, r in found.items() if target is None or (r["source"], r["target"]) == ("north", target)}


# ---- run


def test_records_say_what_was_measured(records):
    found = list(read_records(records).by_key.values())
    assert {r["method"] for r in found} == {*ALWAYS, "coral", "sa"}
    assert {(r["source"], r["target"]) for r in found} == {
        (a, b) for a in ("north", "south", "west") for b in ("north", "south", "west") if a != b
    }
    one = next(r for r in found if r["method"] == "sa" and r["source"] == "north" and r["target"] == "south")
    assert one["params"] == {"n_components": 2}
    assert (one["dataset"], one["estimator"], one["preprocess"]) == ("places", "nn", "none")
    assert (one["n_source"], one["n_target"], one["draw"], one["status"], one["fault"]) == (48, 50, "80%", "ok", None)
    assert 0 <= one["oracle_accuracy"] <= 1 and one["seconds"] >= 0
    assert {"transfermap", "numpy", "scikit-learn"} <= set(one["versions"])
    assert all(r["estimator"] == "own" for r in found if r["method"] in BASELINES)


def test_a_record_is_what_the_method_does_by_hand(records, data):
    rows = datasets.load_task("places", "north", "south", data)
    at = drawn(rows.ys, 1, "80%")
    predicted = baseline("nn", rows.Xs[at], rows.ys[at], rows.Xt)
    cells = {(r["method"], r["seed"], r["source"], r["target"]): r for r in read_records(records).by_key.values()}
    assert cells["nn", 1, "north", "south"]["oracle_accuracy"] == np.mean(predicted == rows.yt)
    assert cells["sourceonly", 1, "north", "south"]["oracle_accuracy"] == np.mean(predicted == rows.yt)


def test_what_is_there_is_not_run_again(records, data, monkeypatch):
    before = records.read_bytes()
    monkeypatch.setattr(grid, "run_cell", None)
    done = json.loads(invoke(*line(data, records, "--json")).stdout)
    assert (done["cells"], done["run"], done["there"]) == (108, 0, 108)
    assert records.read_bytes() == before


def test_other_data_under_the_same_name_are_other_cells(records, data, tmp_path):
    X, y = cloud(60, 7)
    other = tmp_path / "places"
    other.mkdir()
    for name in ("north", "south"):
        np.savez(other / f"{name}.npz", X=X, y=y)
    keys = {cell.key for cell in plan(["places"], contenders("coral"), data_dir=tmp_path)}
    assert not keys & set(read_records(records).by_key)
    same = {cell.key for cell in plan(["places"], contenders("coral"), [0, 1], data_dir=data)}
    assert same < set(read_records(records).by_key)


def test_order_of_params_and_spaces_make_no_other_cell():
    first, second = (contenders(t)[0] for t in ("jda:n_components=3,reg=0.5", "jda: reg=0.5 ,n_components=3"))
    assert first == second and first.spelled == "jda:n_components=3,reg=0.5"


def test_two_at_a_time_give_the_same_records(records, data, tmp_path):
    invoke(*line(data, tmp_path / "r.jsonl", "--jobs", "2", "--pair", "north:west"))
    assert settled(tmp_path / "r.jsonl") == settled(records, "west")


def test_a_cluster_gives_the_same_records(records, data, tmp_path):
    path = tmp_path / "r.jsonl"
    invoke(*line(data, path, "--dask", "local", "--jobs", "2", "--pair", "north:west"))
    assert settled(path) == settled(records, "west")


def test_without_dask_one_sentence_says_so(data, tmp_path, monkeypatch):
    monkeypatch.setattr(grid.importlib.util, "find_spec", lambda name: None)
    said = invoke(*line(data, tmp_path / "r.jsonl", "--dask", "local"), code=2).stderr
    assert "transfermap[dask]" in said


SLOW = """
import sys, time
from transfermap.bench import grid
fast = grid.run_cell
def slow(cell, data_dir):
    time.sleep(0.2)
    return fast(cell, data_dir)
grid.run_cell = slow
from transfermap.cli.app import app
app(sys.argv[1:])
"""


def killed(data, path, at_least):
    """Run the grid in a process of its own and kill it, no notice given, once some records are there."""
    words = [str(part) for part in ("bench", *line(data, path, "--pair", "north:south"))]
    process = subprocess.Popen([sys.executable, "-c", SLOW, *words], stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while not path.exists() or path.read_bytes().count(b"\n") < at_least:
            assert process.poll() is None and time.monotonic() < until, "the run ended before it could be killed"
            time.sleep(0.01)
        assert "another bench" in invoke(*line(data, path), code=2).stderr
    finally:
        process.kill()
        process.wait()


def test_a_killed_run_goes_on_to_the_same_records(records, data, tmp_path):
    path = tmp_path / "r.jsonl"
    killed(data, path, at_least=5)
    kept = path.read_bytes().count(b"\n")
    assert 5 <= kept < 18
    done = json.loads(invoke(*line(data, path, "--pair", "north:south", "--json")).stdout)
    assert (done["there"], done["run"]) == (kept, 18 - kept)
    assert settled(path) == settled(records, "south")
    assert path.read_bytes().count(b"\n") == 18


def test_a_torn_last_line_is_dropped(records, data, tmp_path):
    path = tmp_path / "r.jsonl"
    whole = records.read_bytes()
    path.write_bytes(whole[:-40])
    assert read_records(path).torn and len(read_records(path).by_key) == 107
    assert "torn" in invoke("show", path).stdout
    assert path.read_bytes() == whole[:-40]
    assert "torn" in invoke(*line(data, path)).stdout
    assert settled(path) == settled(records)
    assert not read_records(path).torn


def test_a_damaged_line_is_no_torn_one(records, tmp_path):
    path = tmp_path / "r.jsonl"
    lines = records.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"half": \n' + lines[1])
    assert "line 2" in invoke("show", path, code=2).stderr


def test_one_bench_a_file(data, tmp_path):
    path = tmp_path / "r.jsonl"
    with appending(path):
        assert "another bench" in invoke(*line(data, path), code=2).stderr
    invoke("run", "places", "--pair", "north:west", "--data-dir", data, "-o", path)


def test_a_fault_is_a_record_and_can_be_tried_again(data, tmp_path):
    path = tmp_path / "r.jsonl"
    words = ("run", "places", "--methods", "kmm", "--pair", "north:west", "--data-dir", data, "-o", path)
    assert "1 of them without a score" in flat(invoke(*words).stdout)
    one = next(r for r in read_records(path).by_key.values() if r["method"] == "kmm")
    assert (one["status"], one["oracle_accuracy"]) == ("fault", None) and "sample_weight" in one["fault"]
    assert json.loads(invoke(*words, "--json").stdout)["run"] == 0
    assert json.loads(invoke(*words, "--retry", "--json").stdout)["run"] == 1
    assert "without a score" in flat(invoke("show", path).stdout)
    invoke(*words, "--estimators", "logistic")
    assert any(r["method"] == "kmm" and r["status"] == "ok" for r in read_records(path).by_key.values())


def test_no_method_gets_the_targets_labels(data):
    rows = datasets.load_task("places", "north", "south", data)
    who = contenders("jda:n_components=2")[0]
    other = rows._replace(yt=rows.yt[::-1])
    assert np.array_equal(grid.predict(who, "nn", rows), grid.predict(who, "nn", other))


def test_several_sources(data, tmp_path):
    path = tmp_path / "r.jsonl"
    words = ("run", "places", "--methods", "coral", "--seeds", "full", "--data-dir", data, "-o", path)
    invoke(*words, "--pair", "north+west:south")
    one = next(r for r in read_records(path).by_key.values() if r["method"] == "coral")
    assert (one["source"], one["n_source"], one["seed"]) == ("north+west", 100, "full")
    rows = datasets.load_task("places", "north+west", "south", data, "z")
    assert rows.domains.tolist() == [0] * 60 + [1] * 40
    assert np.allclose(rows.Xs[:60].mean(axis=0), 0) and np.allclose(rows.Xs[60:].mean(axis=0), 0)


# ---- what is refused


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--methods", "corall"), ("corall", "coral")),
        (("--methods", "coral:regg=1"), ("coral", "regg", "reg")),
        (("--methods", "coral:reg=-1"), ("reg", "-1")),
        (("--methods", "coral:reg"), ("reg", "name=value")),
        (("--methods", "nn:neighbours=3"), ("neighbours", "k")),
        (("--estimators", "forrest"), ("forrest", "forest", "nn")),
        (("--preprocess", "l3"), ("l3", "l1z")),
        (("--seeds", "-1"), ("-1", "full")),
        (("--seeds", "many"), ("many", "full")),
        (("--per-class", "0"), ("--per-class", "0")),
        (("--jobs", "0"), ("--jobs", "0")),
        (("--pair", "north"), ("SOURCE:TARGET", "north")),
        (("--pair", "north:north"), ("twice",)),
        (("--pair", "north:east"), ("east", "south")),
        (("-o", "no/such/r.jsonl"), ("no folder",)),
        (("-o", "."), ("is a folder",)),
    ],
)
def test_bad_options(data, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    predicted = flat(invoke("run", "places", "--data-dir", data, "-o", "r.jsonl", *words, code=2).stderr)
    assert all(word in predicted for word in said), predicted
    assert predicted.count("transfermap:") == 1
    assert not (tmp_path / "r.jsonl").exists() or not (tmp_path / "r.jsonl").read_bytes()


def test_missing_data_say_which_file_is_expected_where(tmp_path, monkeypatch):
    monkeypatch.delenv("TRANSFERMAP_DATA", raising=False)
    out = tmp_path / "r.jsonl"
    assert "TRANSFERMAP_DATA" in invoke("run", "coil20", "-o", out, code=2).stderr
    said = invoke("run", "coil20", "--data-dir", tmp_path, "-o", out, code=2).stderr
    assert str(tmp_path / "coil20" / "COIL1_vs_COIL2.mat") in said.replace("\n", "")
    assert "no folder" in invoke("run", "coil20", "--data-dir", tmp_path / "x", "-o", out, code=2).stderr
    monkeypatch.setenv("TRANSFERMAP_DATA", str(tmp_path))
    assert "nothing" in flat(invoke("run", "nothing", "-o", out, code=2).stderr)
    (tmp_path / "empty").mkdir()
    assert "at least two files" in flat(invoke("run", "empty", "-o", out, code=2).stderr)


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"a": "x,y\n1,u\n", "b": "x,z,y\n1,2,u\n"}, "same columns"),
        ({"a": "x,y\n1,u\n", "b": "x,y\nred,u\n"}, "numbers"),
        ({"a": "x,y\n1,u\n", "b": "x,y\n1,\n2,u\n"}, "without a label"),
        ({"a": "x,y\n1,1.5\n2,1.25\n", "b": "x,y\n1,1\n"}, "no classes"),
        ({"a": "y\nu\n", "b": "y\nu\n"}, "a matrix"),
    ],
)
def test_folders_that_do_not_fit(tmp_path, tables, said):
    (tmp_path / "mine").mkdir()
    for name, text in tables.items():
        (tmp_path / "mine" / f"{name}.csv").write_text(text, encoding="utf8")
    with pytest.raises(ValueError, match=said):
        datasets.load_domains("mine", tmp_path)


def test_classes_are_the_same_whether_written_as_words_or_numbers(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.csv").write_text("x,y\n1,1\n2,2\n", encoding="utf8")
    (tmp_path / "mine" / "b.csv").write_text("x,y\n1,1\n2,other\n", encoding="utf8")
    found = datasets.load_domains("mine", tmp_path)
    assert found["a"].y.tolist() == ["1", "2"] and found["b"].y.tolist() == ["1", "other"]


def test_changed_files_are_read_again(tmp_path):
    (tmp_path / "mine").mkdir()
    for name in "ab":
        (tmp_path / "mine" / f"{name}.csv").write_text("x,y\n1,1\n2,2\n", encoding="utf8")
    first = datasets.load_domains("mine", tmp_path)["a"].X
    (tmp_path / "mine" / "a.csv").write_text("x,y\n10,1\n20,2\n", encoding="utf8")
    assert (10 * first == datasets.load_domains("mine", tmp_path)["a"].X).all()


# ---- show, plot, sets


def test_show(records):
    said = flat(invoke("show", records).stdout)
    assert all(name in said for name in (*ALWAYS, "sa:n_components=2 + nn", "oracle", "Friedman", "north"))
    (group,) = json.loads(invoke("show", records, "--json").stdout)["groups"]
    assert (group["draw"], len(group["tasks"]), len(group["rows"])) == ("80%", 6, 9)
    rows = {row["name"]: row for row in group["rows"]}
    assert (
        rows["nn"]["mean"] == rows["sourceonly + nn"]["mean"] and rows["nn"]["rank"] == rows["sourceonly + nn"]["rank"]
    )
    assert sum(row["rank"] for row in rows.values()) == pytest.approx(9 * 10 / 2)
    assert [row["rank"] for row in group["rows"]] == sorted(row["rank"] for row in group["rows"])
    one = rows["coral + nn"]["scores"]["places/north:south"]
    found = read_records(records).by_key.values()
    pair = [
        r["oracle_accuracy"] for r in found if (r["method"], r["source"], r["target"]) == ("coral", "north", "south")
    ]
    assert one == {"mean": pytest.approx(np.mean(pair)), "sd": pytest.approx(np.std(pair, ddof=1)), "n": 2}


def test_a_method_without_a_score_on_every_task_has_no_rank(records):
    found = list(read_records(records).by_key.values())
    lame = [r | {"status": "fault", "fault": "no", "oracle_accuracy": None} for r in found if r["method"] == "coral"][
        :2
    ]
    kept = {r["key"]: r for r in [*found, *lame]}
    (group,) = summarise(kept.values())
    row = next(row for row in group["rows"] if row["method"] == "coral")
    assert (row["faults"], row["rank"], row["mean"], row["fault"]) == (2, None, None, "no")
    assert group["ranking"]["methods"] == 8


def test_a_preparation_tells_methods_apart_only_where_a_task_has_several(records):
    found = list(read_records(records).by_key.values())
    other = [r | {"dataset": "towns", "preprocess": "l2"} for r in found]
    (group,) = summarise([*found, *other])
    assert len(group["rows"]) == 9 and group["ranking"]["tasks"] == 12
    assert {row["preprocess"] for row in group["rows"]} == {"l2, none"}
    (group,) = summarise([*found, *other, other[0] | {"preprocess": "zscore"}])
    assert {"nn [l2]", "nn [none]"} <= {row["name"] for row in group["rows"]} and group["ranking"] is None


def test_draws_are_not_mixed(records, data, tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_bytes(records.read_bytes())
    invoke("run", "places", "--seeds", "full", "--pair", "north:west", "--data-dir", data, "-o", path)
    groups = json.loads(invoke("show", path, "--json").stdout)["groups"]
    assert [(g["draw"], len(g["tasks"])) for g in groups] == [("80%", 6), ("full", 1)]
    assert "Friedman" in invoke("show", path).stdout
    invoke("plot", path, "-o", tmp_path / "p.svg", "--draw", "full")
    assert "holds no draw" in invoke("plot", path, "-o", tmp_path / "q.svg", "--draw", "90%", code=2).stderr


def test_plot(records, tmp_path):
    image = tmp_path / "plot.svg"
    invoke("plot", records, "-o", image)
    assert ET.parse(image).getroot().tag.endswith("svg")
    assert "--overwrite" in invoke("plot", records, "-o", image, code=2).stderr
    before = image.read_bytes()
    invoke("plot", records, "-o", image, "--overwrite")
    assert image.read_bytes() == before
    invoke("plot", records, "-o", tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert ".svg" in invoke("plot", records, "-o", tmp_path / "plot.txt", code=2).stderr
    assert {p.name for p in tmp_path.iterdir()} == {"plot.svg", "plot.png"}


def test_nothing_to_show(tmp_path):
    assert "no file" in invoke("show", tmp_path / "r.jsonl", code=2).stderr
    (tmp_path / "r.jsonl").write_bytes(b"")
    assert "no record" in invoke("show", tmp_path / "r.jsonl", code=2).stderr


def test_sets(data):
    found = {s["name"]: s for s in json.loads(invoke("sets", "--data-dir", data, "--json").stdout)}
    assert found["places"]["there"] and found["places"]["tasks"] == 6
    assert not found["office-caltech-surf"]["there"] and len(found["office-caltech-surf"]["missing"]) == 4
    assert all(s["about"].endswith(".") and s["licence"] for s in found.values())
    assert "places" in invoke("sets", "--data-dir", data).stdout


def test_help_of_the_bench_loads_nothing_heavy():
    code = (
        "import sys\nfrom transfermap.cli.app import app\n"
        "try: app(['bench', '--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('matplotlib','sklearn','pandas','numpy','joblib','distributed') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip().endswith("[]")


def test_a_run_that_is_stopped_says_that_it_goes_on(data, tmp_path, monkeypatch):
    def stop(cell, data_dir):
        raise KeyboardInterrupt

    monkeypatch.setattr(grid, "run_cell", stop)
    said = flat(invoke(*line(data, tmp_path / "r.jsonl"), code=130).stderr)
    assert "goes on from there" in said and "nothing was written" not in said


# ---- the published data sets, from small files of their form


def matlab73(path, **arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


def review(title, text):
    parts = {"title": title, "rating": "5.0", "review_text": text}
    return "<review>\n" + "".join(f"<{k}>\n{v}\n</{k}>\n" for k, v in parts.items()) + "</review>\n"


@pytest.fixture
def forms(tmp_path):
    rng = np.random.default_rng(0)
    surf = tmp_path / "office_caltech10" / "surf"
    surf.mkdir(parents=True)
    for name in ("Caltech10", "amazon", "webcam", "dslr"):
        content = {"fts": rng.integers(0, 9, (12, 8)).astype(np.uint8), "labels": np.arange(12)[:, None] % 2 + 1}
        scipy.io.savemat(surf / f"{name}_SURF_L10.mat", content)
    Xs, Xt = rng.random((6, 256)), rng.random((4, 256))
    ys, yt = np.arange(6.0)[None] % 3 + 1, np.arange(4.0)[None] % 3 + 1
    matlab73(tmp_path / "digits" / "USPS_vs_MNIST.mat", Xs=Xs, Ys=ys, Xt=Xt, Yt=yt)
    for name in ("books", "dvd", "electronics", "kitchen"):
        for n, label in enumerate(("negative", "positive")):
            folder = tmp_path / "amazon_reviews" / name
            folder.mkdir(parents=True, exist_ok=True)
            text = "".join(review(f"title{i}", f"{['bad', 'good'][n]} {name} indeed") for i in range(4))
            (folder / f"{label}.review").write_bytes(f"<reviews>\n{text}</reviews>".encode() + b"\xff")
    return tmp_path


def test_surf(forms):
    found = datasets.load_domains("office-caltech-surf", forms)
    assert list(found) == ["caltech10", "amazon", "webcam", "dslr"]
    assert found["amazon"].X.shape == (12, 8) and found["amazon"].X.dtype == float
    assert datasets.find_set("office-caltech-surf").pairs[:2] == (("caltech10", "amazon"), ("caltech10", "webcam"))


def test_digits_of_the_jda_paper(forms):
    found = datasets.load_domains("digits-jda", forms)
    with h5py.File(forms / "digits" / "USPS_vs_MNIST.mat") as file:
        assert np.array_equal(found["usps"].X, file["Xs"][()]) and np.array_equal(found["mnist"].X, file["Xt"][()])
    assert found["usps"].y.tolist() == [1, 2, 3, 1, 2, 3]


def test_reviews(forms):
    rows = datasets.load_task("amazon-reviews", "books", "dvd", forms)
    assert sparse.issparse(rows.Xs) and rows.Xs.shape == (8, rows.Xt.shape[1])
    assert np.allclose(sparse.linalg.norm(rows.Xt, axis=1), 1)
    assert rows.ys.tolist() == ["negative"] * 4 + ["positive"] * 4
    count = datasets.load_task("amazon-reviews-counts", "books", "dvd", forms)
    # "title0", "bad", "books", "indeed" and three pairs
    assert np.all(count.Xs.sum(axis=1) == 7)
    with pytest.raises(ValueError, match="fill a sparse"):
        datasets.load_task("amazon-reviews", "books", "dvd", forms, "z")


def test_a_grid_over_texts(forms):
    path = forms / "r.jsonl"
    words = ("run", "amazon-reviews", "--methods", "coral,sourceonly", "--estimators", "logistic")
    invoke(*words, "--pair", "books:dvd", "--data-dir", forms, "-o", path)
    found = {r["method"]: r for r in read_records(path).by_key.values()}
    assert all(r["status"] == "ok" for r in found.values()), found
    assert found["linear-svm"]["oracle_accuracy"] == 1.0


def test_images(tmp_path):
    from PIL import Image

    for name in ("caltech10", "amazon", "webcam", "dslr"):
        for n, label in enumerate(("mug", "bike")):
            folder = tmp_path / "office_caltech10" / "images_160" / name / label
            folder.mkdir(parents=True)
            Image.new("RGB", (40, 30), (255 * n,) * 3).save(folder / "1.jpg")
    found = datasets.load_domains("office-caltech-images", tmp_path)
    assert found["amazon"].X.shape == (2, 256) and found["amazon"].y.tolist() == ["bike", "mug"]
    assert np.allclose(found["amazon"].X, [[1.0] * 256, [0.0] * 256])


def test_shrinking_keeps_every_mean():
    images = np.random.default_rng(0).random((3, 28, 28)).astype(np.float32)
    small = shrink(images, 16)
    assert np.allclose(small.mean(axis=1), images.mean(axis=(1, 2)), atol=1e-6)
    assert np.allclose(shrink(images, 14)[0, 0], images[0, :2, :2].mean())


def test_damaged_files_are_one_sentence(forms):
    (forms / "digits" / "USPS_vs_MNIST.mat").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"USPS_vs_MNIST\.mat cannot be read"):
        datasets.load_domains("digits-jda", forms)


# ---- preparations, baselines, draws


def test_recipes():
    X = np.array([[1.0, 3.0, 0.0], [2.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
    share = np.array([[0.25, 0.75, 0], [0.5, 0.5, 0], [0, 0, 0]])
    z = share - share.mean(axis=0)
    z[:, :2] /= share[:, :2].std(axis=0)
    assert np.allclose(prepare("l1z", X), z)
    assert np.allclose(prepare("l1z-l2", X), z / np.linalg.norm(z, axis=1, keepdims=True))
    assert np.allclose(prepare("rowz", X)[:2].mean(axis=1), 0) and np.allclose(prepare("rowz", X)[:2].std(axis=1), 1)
    assert prepare("none", X) is X
    for name in RECIPES:
        before = X.copy()
        assert np.isfinite(prepare(name, X)).all() and np.array_equal(X, before)
        assert prepare(name, X.astype(np.float32)).dtype == np.float32


def test_baselines_are_plain_functions():
    (Xs, ys), (Xt, _) = cloud(40, 0), cloud(30, 1)
    for name in HONEST:
        predicted = baseline(name, Xs, ys, Xt)
        assert predicted.shape == (30,) and set(predicted) <= set(ys)
        rough = baseline(name, sparse.csr_array(Xs), ys, sparse.csr_array(Xt))
        assert np.array_equal(rough, predicted), name
    assert set(baseline("majority", Xs, ys, Xt)) == {np.bincount(ys).argmax()}
    with pytest.raises(ValueError, match="no baseline"):
        baseline("none", Xs, ys, Xt)


def test_pooled_components_are_those_of_all_rows():
    (Xs, ys), (Xt, _) = cloud(40, 0), cloud(30, 1, move=2)
    Zs, Zt = pooled_pca(Xs, Xt, 2)
    X = np.r_[Xs, Xt] - np.r_[Xs, Xt].mean(axis=0)
    U, s, _ = np.linalg.svd(X, full_matrices=False)
    assert np.allclose(np.abs(np.r_[Zs, Zt]), np.abs(U[:, :2] * s[:2]))
    assert pca_l2_nn(Xs, ys, Xt, n_components=100).shape == (30,)


def test_kernel_rls_is_ridge_in_the_kernels_space():
    (Xs, ys), (Xt, _) = cloud(40, 0), cloud(30, 1)
    A, B = (X / np.linalg.norm(X, axis=1, keepdims=True) for X in (Xs, Xt))

    def kernel(P, Q):
        return np.exp(-((P[:, None] - Q[None]) ** 2).sum(axis=2) / 2)

    F = kernel(B, A) @ np.linalg.solve(kernel(A, A) + 0.1 * np.eye(40), np.eye(3)[ys])
    model = KernelRLS().fit(Xs, ys)
    assert np.allclose(model.decision_function(Xt), F)
    assert np.array_equal(model.predict(Xt), F.argmax(axis=1))


def test_draws():
    y = np.repeat(["a", "b", "c"], [50, 20, 1])
    first = drawn(y, 0, "80%")
    assert [np.sum(y[first] == c) for c in "abc"] == [40, 16, 1]
    assert np.array_equal(first, drawn(y, 0, "80%")) and not np.array_equal(first, drawn(y, 1, "80%"))
    assert [np.sum(y[drawn(y, 3, "5 a class")] == c) for c in "abc"] == [5, 5, 1]
    assert np.array_equal(drawn(y, "full", "full"), np.arange(71))


# ---- ranks

# ranks of four ways to grow trees on 14 data sets, and what follows from them (Demsar, 2006, table 6, section 3.2.3)
DEMSAR = np.array(
    [
        [4, 3, 2, 1],
        [1, 2, 3, 4],
        [4, 1, 2, 3],
        [4, 1, 3, 2],
        [4, 2, 3, 1],
        [1, 2.5, 4, 2.5],
        [3, 2, 4, 1],
        [2.5, 2.5, 4, 1],
        [4, 3, 2, 1],
        [2.5, 2.5, 2.5, 2.5],
        [4, 2.5, 1, 2.5],
        [3, 2, 4, 1],
        [4, 1, 2, 3],
        [3, 1, 4, 2],
    ]
)


def test_the_example_of_demsar():
    means = DEMSAR.mean(axis=0)
    assert np.round(means, 3).tolist() == [3.143, 2.0, 2.893, 1.964]
    found = friedman_untied(means, 14)
    assert (round(found.chi2, 2), round(found.F, 2)) == (9.28, 3.69)
    assert found.F_p < 0.05
    assert round(critical_difference(4, 14, 0.05), 2) == 1.25 and round(critical_difference(4, 14, 0.1), 2) == 1.12
    # at 10 %, plain trees are worse than those with m and those with both
    assert [0, 3] not in [sorted(g) for g in alike(means, 1.12)]


@pytest.mark.parametrize(("k", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (7, 2.949), (10, 3.164)])
def test_discriminatoral_values_of_nemenyi(k, q):
    assert critical_difference(k, 30) / np.sqrt(k * (k + 1) / 180) == pytest.approx(q, abs=1e-3)


@pytest.mark.parametrize("decimals", [8, 1])
def test_friedman_is_scipys_with_ties_and_without(decimals):
    scores = np.random.default_rng(0).random((20, 5)).round(decimals)
    found, theirs = friedman(task_ranks(scores)), friedmanchisquare(*scores.T)
    assert found.chi2 == pytest.approx(theirs.statistic) and found.p == pytest.approx(theirs.pvalue)


def test_ranks():
    assert task_ranks(np.array([[0.5, 0.7, 0.5]])).tolist() == [[2.5, 1.0, 2.5]]
    assert alike([3.0, 1.0, 1.9, 2.8], 1.0) == [[1, 2], [2, 3], [3, 0]]
    assert alike([1.0, 5.0], 1.0) == []
    same = friedman(np.full((6, 3), 2.0))
    assert (same.chi2, same.p) == (0.0, 1.0)
    for bad in (np.ones((1, 4)), np.ones((4, 2))):
        with pytest.raises(ValueError, match="at least 2 tasks and 3 methods"):
            friedman(bad)
    with pytest.raises(ValueError, match="score of every method"):
        task_ranks(np.array([[1.0, np.nan]]))
