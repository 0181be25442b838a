"""The commands, as somebody at a terminal uses them: from two files to a verdict, predictions, the truth, a report."""

from __future__ import annotations

import json
import os
import shutil
import stat
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from transfermap.card import cards, find, keys, tools
from transfermap.cli.app import app
from transfermap.data.tables.files import read_chunks
from transfermap.map import planned
from transfermap.report.phrases import word
from transfermap.runs import predict as predicting
from transfermap.runs.run import load_run
from transfermap.verdict import investigate

FILES = {"run.json", "model.tmap", "evidence.npz", "predictions.csv", "label_me.csv", "leaderboard.csv"}
COMMANDS = [command.name for command in app.registered_commands]


def invoke(*line, code=0):
    """Run a command line in this process; it must end with this exit code."""
    done = CliRunner().invoke(app, [str(part) for part in line])
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    return done


def predicted(*line):
    """What a command prints."""
    return invoke(*line).stdout


def no_such_number(text):
    raise AssertionError(f"JSON has no {text}")


def told_json(*line):
    """The JSON that a command prints, which must be JSON to everyone."""
    done = invoke(*line, "--json")
    assert done.stderr == ""
    return json.loads(done.stdout, parse_constant=no_such_number)


def flat(text):
    """Text without the breaks and borders of the terminal's lines."""
    return " ".join(text.replace("│", " ").split())


def people(n, seed, older=0.0, **more):
    """Who has left (the label) and how much they spend (a number to predict), in columns of several kinds."""
    rng = np.random.default_rng(seed)
    left = rng.random(n) < 0.5
    age = 40 + older + 12 * left + 8 * rng.normal(size=n)
    table = {
        "age": age.round(1),
        "income": (30 + 6 * left + 5 * rng.normal(size=n)).round(2),
        "city": rng.choice(["Rome", "Oslo", "Bonn"], n),
        "since": pd.Timestamp("2021-03-01") + pd.to_timedelta(rng.integers(0, 200, n), unit="D"),
        "spent": (age / 2 + rng.normal(size=n)).round(3),
        "churned": np.where(left, "yes", "no"),
    }
    return pd.DataFrame(table | {name: np.resize(values, n) for name, values in more.items()})


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A folder with tables, and three runs: classes from two files, numbers from two sources, one table with sites."""
    folder = tmp_path_factory.mktemp("house")
    source, target = people(70, 0), people(50, 1, older=10)
    churn = ["age", "income", "city", "since", "churned"]
    source[churn].to_csv(folder / "a.csv", index=False)
    target[churn[:-1]].to_csv(folder / "b.csv", index=False)
    target.assign(row=range(50))[["row", "churned"]].to_csv(folder / "by_row.csv", index=False)
    target[churn].to_csv(folder / "by_columns.csv", index=False)
    source.drop(columns="churned").assign(patient=np.repeat(range(14), 5)).to_csv(folder / "s1.csv", index=False)
    people(60, 2).drop(columns="churned").assign(patient=np.repeat(range(20, 32), 5)).to_csv(folder / "s2.csv")
    target.drop(columns=["spent", "churned"]).to_parquet(folder / "t.parquet")
    target.drop(columns="churned").to_csv(folder / "spent.csv", index=False)
    sites = people(120, 3, site=["north", "south", "west"]).drop(columns="spent")
    sites.to_csv(folder / "sites.csv", index=False)
    west = sites[sites["site"] == "west"].reset_index(drop=True)
    west.assign(row=west.index)[["row", "churned"]][:25].to_csv(folder / "west.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(investigate, "RESAMPLES", 2)
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def churn(house):
    """The run of classes, and what was printed."""
    line = ("adapt", "a.csv", "b.csv", "--label", "churned", "--method", "coral", "--method", "kmm", "-o", "run1")
    return house / "run1", predicted(*line)


@pytest.fixture(scope="module")
def spending(house):
    """The run of numbers, from two sources with patients, and its JSON."""
    sources = ("s1.csv", "t.parquet", "--source", "s2.csv", "--group", "patient", "--label", "spent")
    return house / "run2", told_json("adapt", *sources, "--method", "coral", "--estimator", "ridge", "-o", "run2")


@pytest.fixture(scope="module")
def west(house):
    """The run on one table with known target labels, and what was printed in Chinese."""
    table = (
        "sites.csv",
        "--domain",
        "site",
        "--target-domain",
        "west",
        "--label",
        "churned",
        "--labelled-target",
        "west.csv",
    )
    return house / "run3", predicted("adapt", *table, "--method", "logisticratio", "--lang", "zh", "-o", "run3")


# ---- help


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example(name):
    said = flat(predicted(name, "--help"))
    assert f"Example: transfermap {name}" in said
    assert said == flat(predicted(name, "-h"))


def test_help_names_every_command():
    said = predicted("--help")
    assert len(COMMANDS) == 11
    assert all(name in said for name in COMMANDS)
    assert "Usage" in invoke(code=2).output


def test_version():
    from transfermap import __version__

    assert predicted("--version") == f"transfermap {__version__}\n"


def test_nobody_is_shown_a_traceback_unasked(tmp_path):
    done = invoke("check", tmp_path / "none.csv", tmp_path / "none.csv", "--label", "y", code=2)
    assert done.stdout == ""
    assert done.stderr.startswith("transfermap: there is no file")
    asked = CliRunner().invoke(app, ["check", "none.csv", "none.csv", "--label", "y", "--debug"])
    assert isinstance(asked.exception, ValueError)


# ---- map


def test_map():
    said = predicted("map")
    assert find("coral").card.name in flat(said)
    assert all(card.name in flat(predicted("map", "--built")) for card in cards())
    built, plans = told_json("map", "--built"), told_json("map", "--planned")
    assert (built["built"], built["planned"]) == (len(keys()) + len(tools()), 0)
    assert (plans["built"], plans["planned"]) == (0, len(planned()))
    assert told_json("map")["built"] == built["built"]
    assert predicted("map", "--format", "json") == predicted("map", "--json")


def test_map_filters():
    def found(*filters):
        branches = told_json("map", *filters)["map"]
        return [m for branch in branches for family in branch["families"] for m in family["methods"]]

    everything = found()
    for name, field in (("--setting", "setting"), ("--label-sets", "label_sets")):
        for value in {m[field] for m in everything} - {""}:
            assert found(name, value) == [m for m in everything if m[field] == value]
    assert found("--needs", "nothing") == [m for m in everything if not m["needs"]]
    assert found("--needs", "torch", "--setting", "inductive") == [
        m for m in everything if "torch" in m["needs"] and m["setting"] == "inductive"
    ]
    assert "transductive" in invoke("map", "--setting", "sideways", code=2).stderr


def test_map_to_files(tmp_path):
    page, image = tmp_path / "map.html", tmp_path / "map.svg"
    invoke("map", "--format", "html", "-o", page)
    assert page.read_text("utf8").lower().startswith("<!doctype html>")
    invoke("map", "--format", "svg", "-o", image, "--lang", "zh")
    assert ET.parse(image).getroot().tag.endswith("svg")
    before = page.read_bytes()
    assert "--overwrite" in invoke("map", "--format", "html", "-o", page, code=2).stderr
    assert page.read_bytes() == before
    invoke("map", "--format", "html", "-o", page, "--lang", "zh", "--overwrite")
    assert 'lang="zh' in page.read_text("utf8")
    assert {p.name for p in tmp_path.iterdir()} == {"map.html", "map.svg"}


def test_one_card():
    said = flat(predicted("map", "CORAL"))
    assert "10.1609/aaai.v30i1.10306" in said
    card = told_json("map", "coral")
    assert (card["key"], card["built"]) == ("coral", True)
    plan = planned()[0]
    assert told_json("map", plan.key)["built"] is False
    assert plan.name in flat(predicted("map", plan.key))
    assert any("一" <= c <= "鿿" for c in predicted("map", "coral", "--lang", "zh"))
    assert "did you mean" in invoke("map", "corall", code=2).stderr


# ---- check


def test_check(house):
    said = flat(predicted("check", "a.csv", "b.csv", "--label", "churned"))
    assert "Untestable from these tables" in said
    assert "churned is taken as a class to predict" in said
    found = told_json("check", "a.csv", "b.csv", "--label", "churned")
    assert found["columns"][0]["column"] == "age"
    assert found["task"]["n_target"] == 50


def test_check_of_one_table_in_chinese(house):
    line = ("check", "sites.csv", "--domain", "site", "--target-domain", "west", "--label", "churned")
    said = predicted(*line, "--lang", "zh")
    assert any("一" <= c <= "鿿" for c in said)
    assert "tables" not in said


def test_the_task_is_a_choice(house):
    rows = ("check", "s1.csv", "t.parquet", "--label", "patient")
    assert told_json(*rows, "--task", "regression")["task"]["kind"] == "regression"
    assert "no --task 'ranking'" in invoke(*rows, "--task", "ranking", code=2).stderr


# ---- adapt


def test_adapt(churn):
    folder, said = churn
    assert {p.name for p in folder.iterdir()} == FILES
    assert find("coral").card.name in flat(said)
    assert f"The run is in {folder.name}." in flat(said)
    run = load_run(folder)
    assert run.methods == ("majority", "sourceonly", "domainscaler", "coral", "kmm", "voting", "pseudolabelling")
    assert run.record.truth is None
    assert run.record.inputs.keys() == {"a.csv", "b.csv"}
    board = pd.read_csv(folder / "leaderboard.csv")
    assert board["method"].tolist()[:3] == ["majority", "sourceonly", "domainscaler"]
    assert set(board["method"]) == set(run.methods)


def test_adapt_to_numbers_from_two_sources(spending):
    folder, record = spending
    assert record["task"]["kind"] == "regression"
    assert set(record["task"]["source_names"]) == {"s1", "s2"}
    assert record["task"]["n_source"] == 130
    assert "patient" not in {column["column"] for column in record["check"]["columns"]}
    assert record == load_run(folder).record.to_dict()
    assert "infomax" not in record["leaderboard"][1]["evidence"]


def test_adapt_on_one_table_with_known_labels_in_chinese(west):
    folder, said = west
    assert any("一" <= c <= "鿿" for c in said)
    record = load_run(folder).record
    assert (record.task.source_names, record.task.target_name) == (("north", "south"), "west")
    assert record.truth.n == 25
    assert all(row.oracle is not None for row in record.leaderboard)
    assert "oracle" in pd.read_csv(folder / "leaderboard.csv")


def test_the_same_seed_gives_the_same_run(spending, house, tmp_path):
    sources = ("s1.csv", "t.parquet", "--source", "s2.csv", "--group", "patient", "--label", "spent")
    again = told_json("adapt", *sources, "--method", "coral", "--estimator", "ridge", "-o", tmp_path / "again")
    for part in ("verdict", "check", "label_me", "untrusted", "assumptions", "inputs"):
        assert again[part] == spending[1][part]
    for name in ("predictions.csv", "label_me.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (spending[0] / name).read_bytes()


def test_a_run_is_not_replaced_unasked(churn):
    before = (churn[0] / "run.json").read_bytes()
    done = invoke("adapt", "a.csv", "b.csv", "--label", "churned", "-o", "run1", code=2)
    assert "--overwrite" in done.stderr
    assert (churn[0] / "run.json").read_bytes() == before


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps no permissions of this kind")
def test_files_have_ordinary_permissions(churn, tmp_path):
    invoke("predict", churn[0], "b.csv", "-o", tmp_path / "p.csv")
    invoke("report", churn[0], "-o", tmp_path / "r.html")
    (tmp_path / "plain").write_text("x", encoding="utf8")
    (tmp_path / "folder").mkdir()

    def bits(path):
        return stat.S_IMODE(path.stat().st_mode)

    for path in (*churn[0].iterdir(), tmp_path / "p.csv", tmp_path / "r.html"):
        assert bits(path) == bits(tmp_path / "plain"), path.name
    assert bits(churn[0]) == bits(tmp_path / "folder")


# ---- predict


def test_predict(churn, tmp_path):
    out = tmp_path / "out.csv"
    assert "50 rows predicted" in predicted("predict", churn[0], "b.csv", "-o", out)
    rows = pd.read_csv(out)
    assert rows.columns.tolist() == ["row", "prediction", "p(no)", "p(yes)", "far", "distance"]
    assert rows["row"].tolist() == list(range(50))
    assert set(rows["prediction"]) <= {"yes", "no"}
    np.testing.assert_allclose(rows["p(no)"] + rows["p(yes)"], 1, atol=2e-6)
    assert (rows["far"] == (rows["distance"] > 1)).all()
    # what adapt predicted for the same rows
    pd.testing.assert_frame_equal(rows, pd.read_csv(churn[0] / "predictions.csv"))
    assert "--overwrite" in invoke("predict", churn[0], "b.csv", "-o", out, code=2).stderr
    done = told_json("predict", churn[0], "b.csv", "-o", out, "--overwrite")
    assert (done["rows"], done["far"], done["notes"]) == (50, int(rows["far"].sum()), [])


@pytest.mark.parametrize("rows", [3, 50])
def test_predictions_in_chunks_are_those_in_one_piece(churn, spending, tmp_path, monkeypatch, rows):
    tables = [(churn[0], "b.csv"), (spending[0], "t.parquet")]
    for i, (run, table) in enumerate(tables):
        invoke("predict", run, table, "-o", tmp_path / f"whole{i}.csv")
    seen = []

    def chunks(path):
        for chunk in read_chunks(path, rows=rows):
            seen.append(len(chunk))
            yield chunk

    monkeypatch.setattr(predicting, "read_chunks", chunks)
    for i, (run, table) in enumerate(tables):
        invoke("predict", run, table, "-o", tmp_path / f"parts{i}.csv")
        whole, parts = (pd.read_csv(tmp_path / f"{name}{i}.csv") for name in ("whole", "parts"))
        pd.testing.assert_frame_equal(whole, parts, rtol=1e-9)
    assert seen == 2 * ([rows] * (50 // rows) + [50 % rows] * bool(50 % rows))


def test_predict_reads_parquet_and_csv_alike(churn, tmp_path):
    people(50, 1, older=10)[["since", "city", "age", "income"]].to_parquet(tmp_path / "b.parquet")
    invoke("predict", churn[0], tmp_path / "b.parquet", "-o", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == (churn[0] / "predictions.csv").read_bytes()


def test_predict_with_another_method(churn, tmp_path):
    run = load_run(churn[0])
    table = pd.read_csv("b.csv")
    for method in run.methods:
        done = told_json("predict", churn[0], "b.csv", "--method", method, "-o", tmp_path / f"{method}.csv")
        assert done["method"] == method
        rows = pd.read_csv(tmp_path / f"{method}.csv")
        assert rows["prediction"].tolist() == run.predict(table, method).tolist()
    assert len(set(pd.read_csv(tmp_path / "majority.csv")["prediction"])) == 1
    said = invoke("predict", churn[0], "b.csv", "--method", "tca", "-o", tmp_path / "no.csv", code=2).stderr
    assert "expected one of: majority" in said
    assert not (tmp_path / "no.csv").exists()


def test_predict_tells_what_it_could_not_read(churn, tmp_path):
    table = pd.read_csv("b.csv").assign(city="Lima")
    table["age"] = table["age"].astype(object)
    table.loc[:2, "age"] = "unknown to us"
    table.to_csv(tmp_path / "new.csv", index=False)
    said = flat(predicted("predict", churn[0], tmp_path / "new.csv", "-o", tmp_path / "out.csv"))
    assert "3 cells could not be read" in said
    assert "50 cells hold categories that the source never had, in: city" in said


# ---- verify


@pytest.fixture
def copy(churn, tmp_path):
    """The run of classes to write a truth into."""
    return shutil.copytree(churn[0], tmp_path / "copy")


def test_verify_by_row_and_by_columns_find_the_same(copy):
    by_row, by_columns = (told_json("verify", copy, f"{name}.csv") for name in ("by_row", "by_columns"))
    for part in ("n", "rows", "verdict_right", "notes", "metric"):
        assert by_row[part] == by_columns[part]
    truth = pd.read_csv("by_row.csv")["churned"]
    predicted = pd.read_csv(copy / "predictions.csv")["prediction"]
    model = load_run(copy).verdict.model
    row = next(row for row in by_row["rows"] if row["method"] == model)
    assert row["value"] == np.mean(truth == predicted)
    assert row["low"] < row["value"] < row["high"]
    assert by_row["labelled"] == "by_row.csv"


def test_verify_takes_rows_in_any_order_and_needs_no_unused_column(copy, tmp_path):
    expected = told_json("verify", copy, "by_row.csv")["rows"]
    pd.read_csv("by_row.csv").sample(frac=1, random_state=0).to_csv(tmp_path / "shuffled.csv", index=False)
    points = [{k: v for k, v in row.items() if k in ("method", "value", "gain")} for row in expected]
    shuffled = told_json("verify", copy, tmp_path / "shuffled.csv")["rows"]
    assert [{k: row[k] for k in ("method", "value", "gain")} for row in shuffled] == points
    pd.read_csv("by_columns.csv").assign(more="x")[::-1].to_parquet(tmp_path / "more.parquet")
    more = told_json("verify", copy, tmp_path / "more.parquet")["rows"]
    assert [{k: row[k] for k in ("method", "value", "gain")} for row in more] == points


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_report_shows_the_truth_once_it_is_known(copy, lang):
    name = "report.html" if lang == "en" else "report.zh.html"
    assert f"wrote {copy / name}" in predicted("report", copy, "--lang", lang).replace("\n", "")
    before = (copy / name).read_text("utf8")
    said = predicted("verify", copy, "by_row.csv", "--lang", lang)
    assert said.strip()
    invoke("report", copy, "--lang", lang)
    after = (copy / name).read_text("utf8")
    head = f'<th class="oracle">{word("oracle", lang)}</th>'
    assert head in after
    assert head not in before
    oracle = {row.method: row.oracle.value for row in load_run(copy).record.leaderboard if row.oracle}
    assert oracle["sourceonly"] == np.mean(
        pd.read_csv("by_row.csv")["churned"] == load_run(copy).predict(pd.read_csv("b.csv"), "sourceonly")
    )


def test_label_me_can_be_filled_in_and_handed_back_as_it_is(copy, tmp_path):
    table = pd.read_csv(copy / "label_me.csv", dtype=str, keep_default_na=False)
    assert table.columns.tolist() == ["row", "why", "guess", "churned", "age", "income", "city", "since"]
    assert (table["churned"] == "").all()
    assert len(table) == 50
    assert "no row has a label yet" in invoke("verify", copy, copy / "label_me.csv", code=2).stderr
    truth = pd.read_csv("by_row.csv").set_index("row")["churned"]
    table["churned"] = table["row"].astype(int).map(truth).to_numpy()
    table.loc[15:, "churned"] = ""
    table.to_csv(copy / "label_me.csv", index=False)
    found = told_json("verify", copy, copy / "label_me.csv")
    assert found["n"] == 15
    assert "verify.weighted" in {note["code"] for note in found["notes"]}
    assert found["updated"]["answer"] in ("use", "stay", "unknown")
    table.loc[:14, ["row", "churned"]].to_csv(tmp_path / "rows.csv", index=False)
    assert told_json("verify", copy, tmp_path / "rows.csv")["rows"] == found["rows"]


def test_verify_numbers(spending, tmp_path):
    run = shutil.copytree(spending[0], tmp_path / "run")
    found = told_json("verify", run, "spent.csv")
    assert found["metric"] == "r2"
    values = {row["method"]: row["value"] for row in found["rows"]}
    assert values["mean"] < 0 < 0.5 < values["sourceonly"]
    assert "R²" in predicted("verify", run, "spent.csv") or "R2" in predicted("verify", run, "spent.csv")
    invoke("report", run)
    y, loaded = pd.read_csv("spent.csv")["spent"], load_run(run)
    told_now = loaded.predict(pd.read_parquet("t.parquet"), "sourceonly")
    assert values["sourceonly"] == pytest.approx(1 - ((y - told_now) ** 2).mean() / y.var(ddof=0))


def test_verify_reads_numbers_as_the_source_writes_them(house, tmp_path):
    def comma(values):
        return [f"{value:.3f}".replace(".", ",") for value in values]

    source, target = people(60, 4)[["age", "spent"]], people(40, 5)[["age", "spent"]]
    source.assign(spent=[text[:-1] for text in comma(source["spent"])]).to_csv(tmp_path / "a.csv", index=False)
    target[["age"]].to_csv(tmp_path / "b.csv", index=False)
    target.assign(spent=comma(target["spent"])).to_csv(tmp_path / "truth.csv", index=False)
    tables = ("a.csv", "b.csv", "--labelled-target", "truth.csv")
    files = [tmp_path / part if part.endswith(".csv") else part for part in tables]
    known = told_json("adapt", *files, "--label", "spent", "--method", "sourceonly", "-o", tmp_path / "run")["truth"]
    assert known["rows"][1]["value"] > 0.5
    assert told_json("verify", tmp_path / "run", tmp_path / "truth.csv")["rows"] == known["rows"]


# ---- report


def test_report(west, tmp_path):
    page = tmp_path / "page.html"
    invoke("report", west[0], "-o", page)
    text = page.read_text("utf8")
    assert text.startswith("<!doctype html>")
    assert "west" in text
    assert word("oracle", "en") in text
    assert told_json("report", west[0], "-o", page) == {"report": str(page), "lang": "en"}
    assert page.read_text("utf8") == text
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]
