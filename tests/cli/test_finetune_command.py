"""``transfermap finetune`` and ``models rank`` from a folder or a table to a run that predicts."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn
from typer.testing import CliRunner

from transfermap.cli.app import app
from transfermap.deep.pretrained import backbones, provider
from transfermap.deep.pretrained.image_nets import read_images
from transfermap.deep.pretrained.provider import Backbone, chain, digest_of, provides
from transfermap.finetuning.curves import crossover, first_of_each, freeze_sweep, learning_curve
from transfermap.finetuning.finetune import finetune, forgotten
from transfermap.finetuning.ranking import rank_models
from transfermap.finetuning.recipes import RECIPES
from transfermap.measure.transferability.linear_evidence import log_me
from transfermap.messages import say
from transfermap.runs.finetuned import load_finetuned
from transfermap.runs.run import load_run
from transfermap.tasks.items import read_items

Image = pytest.importorskip("PIL.Image")
SIDE = 12


def tiny(weights=None):
    """A net for images: two convolutions with fixed random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        net = chain(
            stem=nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU()),
            block0=nn.Sequential(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.ReLU()),
            pool=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        )
    reading = nn.Sequential(Floats(), *net.children())
    named = chain(scaling=reading[0], stem=reading[1], block0=reading[2], pool=reading[3])

    def read(paths):
        return read_images(paths, SIDE)

    return Backbone("tiny", "images", named.eval(), 8, read, digest_of(named), nn.Linear(8, 4), SIDE)


class Floats(nn.Module):
    def forward(self, x):
        return x.float() / 128 - 1


@pytest.fixture(autouse=True)
def only_tiny(monkeypatch, tmp_path):
    monkeypatch.setenv("TRANSFERMAP_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    backbones.providers()  # what registers itself has done so before the register is emptied
    monkeypatch.setattr(provider, "PROVIDERS", {})
    provides("tiny", "images")(tiny)


@pytest.fixture
def folder(tmp_path):
    """Reddish and bluish noise, and one file that is no image."""
    rng = np.random.default_rng(0)
    for name, colour in (("red", (90, 0, 0)), ("蓝", (0, 0, 90)), ("grey", (40, 40, 40))):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(15):
            noise = rng.integers(0, 120, (SIDE, SIDE, 3)) + np.array(colour)
            Image.fromarray(noise.astype(np.uint8)).save(tmp_path / "data" / name / f"{i}.png")
    return tmp_path / "data"


def cli(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    return done.exit_code, done.output


def test_a_folder_becomes_a_run_that_predicts(folder, tmp_path):
    (folder / "red" / "bad.png").write_text("no image")
    code, out = cli("finetune", folder, "-o", tmp_path / "run", "--recipe", "lpft", "--steps", 10, "--freeze", "stem")
    assert code == 0, out
    assert "The backbone is tiny" in out and "bad.png" in out
    assert "block0" in out and "9 held-out rows" in out
    record = json.loads((tmp_path / "run" / "run.json").read_text("utf8"))
    assert record["classes"] == sorted(["red", "蓝", "grey"])
    assert record["facts"]["freeze"] == ["stem"]
    assert record["scores"]["score"] > 0.8
    assert record["moved"][0]["moving"] == 0
    # what is frozen is not kept a second time
    kept = load_file(tmp_path / "run" / "weights.safetensors")
    assert all(name.startswith(("features.block0", "head")) for name in kept)
    code, out = cli("predict", tmp_path / "run", folder, "-o", tmp_path / "p.csv")
    assert code == 0 and "45 rows predicted by lpft on tiny" in out and "bad.png" in out
    predicted = pd.read_csv(tmp_path / "p.csv")
    held = pd.read_csv(tmp_path / "run" / "held_out.csv")
    both = held.merge(predicted, on="item")
    assert len(both) == 9 and (both["prediction_x"] == both["prediction_y"]).all()
    np.testing.assert_allclose(both["p(red)_x"], both["p(red)_y"], atol=2e-6)
    assert (held["class"] == held["prediction"]).mean() == pytest.approx(record["scores"]["score"])


def test_a_net_is_held_to_labelled_images(folder, tmp_path):
    run = tmp_path / "run"
    assert cli("finetune", folder, "-o", run, "--recipe", "probe", "--steps", 10)[0] == 0
    unseen = tmp_path / "unseen"
    for kind in ("red", "grey"):
        shutil.copytree(folder / kind, unseen / kind)
    (unseen / "green").mkdir()
    shutil.copy(next((folder / "red").glob("*.png")), unseen / "green" / "x.png")
    code, out = cli("verify", run, unseen, "--json")
    truth = json.loads(out)
    assert code == 0 and {row["name"]: row["rows"] for row in truth["classes"]} == {"green": 1, "grey": 15, "red": 15}
    assert cli("predict", run, unseen, "-o", tmp_path / "p.csv")[0] == 0
    predicted = pd.read_csv(tmp_path / "p.csv")
    right = predicted["prediction"] == predicted["item"].map(lambda item: Path(item).parent.name)
    assert truth["value"] == pytest.approx(right.mean()) and truth["n"] == 31
    assert truth["low"] < truth["value"] < truth["high"]
    code, out = cli("verify", run, unseen)
    assert code == 0 and "green" in out and "count as wrong" in out
    flat = tmp_path / "flat"
    flat.mkdir()
    shutil.copy(unseen / "green" / "x.png", flat)
    code, out = cli("verify", run, flat)
    assert code == 2 and "has no classes" in out


def test_the_report_shows_mistakes_and_what_was_asked_for(folder, tmp_path):
    run, evil = tmp_path / "run", "<script>x</script>"
    (folder / "red").rename(folder / "a&b")
    for i in range(6):  # images of the other colour, of which some are kept aside: the net cannot know
        shutil.copy(folder / "蓝" / f"{i}.png", folder / "a&b" / f"wrong{i}.png")
    tuned = ("finetune", folder, "-o", run, "--recipe", "lpft", "--steps", 12, "--valid", 0.4)
    assert cli(*tuned, "--sweep", "freeze", "--curve", "2,4")[0] == 0
    code, out = cli("report", run)
    assert code == 0 and "report.html" in out, out
    page = (run / "report.html").read_text("utf8")
    held = pd.read_csv(run / "held_out.csv")
    wrong = held[held["class"] != held["prediction"]]
    assert len(wrong) and "a&amp;b, predicted as 蓝" in page
    images = min(len(wrong), 8) + min(len(held) - len(wrong), 8)
    assert page.count('src="data:image/jpeg') == images and page.count("<svg") == 3
    for row in held.groupby("class"):
        assert f">{int((row[1]['class'] == row[1]['prediction']).sum())}</td>" in page
    # without its files, in another language, and with a name from a stranger: still whole
    shutil.rmtree(folder)
    record = json.loads((run / "run.json").read_text("utf8"))
    (run / "run.json").write_text(json.dumps(record | {"task": record["task"] | {"data": evil}}), "utf8")
    assert cli("report", run, "--lang", "zh")[0] == 0
    page = (run / "report.zh.html").read_text("utf8")
    assert 'src="data:image/jpeg' not in page and "被预测为" in page and "<script" not in page
    lacking = {name: value for name, value in record.items() if name != "scores"}
    (run / "run.json").write_text(json.dumps(lacking), "utf8")
    code, out = cli("report", run)
    assert code == 2 and "damaged" in out
    (run / "run.json").write_text(json.dumps(record), "utf8")
    (run / "held_out.csv").write_text("item\n", "utf8")
    code, out = cli("report", run)
    assert code == 2 and "damaged" in out


def test_a_table_of_paths_will_do_and_json_is_printed(folder, tmp_path):
    rows = [(f"data/{path.parent.name}/{path.name}", path.parent.name) for path in folder.glob("*/*.png")]
    pd.DataFrame(rows, columns=["where", "what"]).to_csv(tmp_path / "list.csv", index=False)
    code, out = cli(
        "finetune", tmp_path / "list.csv", "--label", "what", "--recipe", "probe", "-o", tmp_path / "run", "--json"
    )
    assert code == 0, out
    predicted = json.loads(out)
    assert predicted["scores"]["score"] > 0.8 and predicted["facts"]["recipe"] == "probe"
    code, out = cli("predict", tmp_path / "run", tmp_path / "list.csv", "-o", tmp_path / "p.csv", "--json")
    assert code == 0 and json.loads(out)["rows"] == 45


def test_sweep_and_curve_are_tables_and_plots(folder, tmp_path):
    options = ("--steps", 5, "--sweep", "freeze", "--curve", "2,4,400", "--lang", "zh")
    code, out = cli("finetune", folder, "-o", tmp_path / "run", *options)
    assert code == 0, out
    sweep, curve = (pd.read_csv(tmp_path / "run" / f"{name}.csv") for name in ("sweep", "curve"))
    assert sweep["frozen"].tolist() == [0, 1, 2]
    assert (np.diff(sweep["moving"]) < 0).all() and sweep["moving"].iloc[-1] == 27
    assert set(zip(curve["n"], curve["recipe"], strict=True)) == {
        (n, r) for n in (2, 4) for r in ("scratch", "probe", "full")
    }
    for name in ("sweep", "curve"):
        assert (tmp_path / "run" / f"{name}.svg").read_text("utf8").startswith("<svg")
    assert "随机权重" in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--recipe", "magic"), "no recipe 'magic'"),
        (("--freeze", "9"), "0 to 2 stages"),
        (("--freeze", "blok0"), "no stage blok0"),
        (("--sweep", "all"), "--sweep must be freeze"),
        (("--curve", "a,b"), "--curve must be numbers"),
        (("--curve", "999"), "from 1 to 12"),
        (("--valid", "1"), "valid must be a share"),
        (("--steps", "0"), "above 0"),
        (("--text-column", "sentence"), "folder|no column"),
        (("--backbone", "nonesuch"), "no backbone 'nonesuch'"),
        (("--image-size", "3"), "side of 32"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_leaves_nothing(folder, tmp_path, words, says):
    code, out = cli("finetune", folder, "-o", tmp_path / "run", "--steps", 1, *words)
    assert code == 2, out
    assert re.search(says, out), out
    assert not (tmp_path / "run").exists()


def test_thin_data_are_refused(folder, tmp_path):
    for path in list((folder / "red").glob("*"))[1:]:
        path.unlink()
    code, out = cli("finetune", folder, "-o", tmp_path / "run")
    assert code == 2 and "one item only of red" in out
    with pytest.raises(ValueError, match="no classes"):
        read_items(folder / "grey").labelled()


def test_a_run_is_refused_where_it_is_damaged_or_foreign(folder, tmp_path, monkeypatch):
    run = tmp_path / "run"
    assert cli("finetune", folder, "-o", run, "--recipe", "probe")[0] == 0
    assert "holds a run already" in cli("finetune", folder, "-o", run, "--recipe", "probe")[1]
    with pytest.raises(ValueError, match="not the record of a run"):
        load_run(run)
    with pytest.raises(ValueError, match="no run"):
        load_finetuned(folder)
    opened = load_finetuned(run)
    record = opened.record
    assert opened.tuned  # in memory, for the last lines
    text = (run / "run.json").read_text("utf8")
    for old, new, says in (
        ('"format": 2', '"format": 99', "install a newer one"),
        ('"format": 2', '"format": 1', "made by an earlier version"),
        ('"classes"', '"clasess"', "it should say classes"),
        (record["backbone"]["digest"], "0" * 64, "other weights here"),
        ('"grey",', "", "does not suit tiny"),
    ):
        (run / "run.json").write_text(text.replace(old, new, 1), encoding="utf8")
        with pytest.raises(ValueError, match=says):
            assert load_finetuned(run).tuned
    (run / "run.json").write_text(text, encoding="utf8")
    data = (run / "weights.safetensors").read_bytes()
    for broken in (b"", data[:-9], b"x" * 50):
        (run / "weights.safetensors").write_bytes(broken)
        with pytest.raises(ValueError, match="cannot be read as a file of weights"):
            assert load_finetuned(run).tuned
    (run / "weights.safetensors").unlink()
    with pytest.raises(ValueError, match="cannot be read"):
        assert load_finetuned(run).tuned
    # a run that is cut off while it is written leaves the old one as it was
    monkeypatch.setattr(pd.DataFrame, "to_csv", lambda *_, **__: (_ for _ in ()).throw(OSError("no room")))
    with pytest.raises(OSError, match="no room"):
        opened.save(run, overwrite=True)
    assert (run / "run.json").read_text("utf8") == text


# studies


def drawn(folder):
    found = read_items(folder).labelled()
    aside = np.arange(len(found.items)) % 3 == 0
    return (found.items[~aside], found.labels[~aside]), (found.items[aside], found.labels[aside])


def test_smaller_draws_are_parts_of_larger_ones():
    y = np.repeat(["a", "b"], [5, 9])
    small, large = first_of_each(y, 2, seed=3), first_of_each(y, 4, seed=3)
    assert set(small) < set(large)
    assert [int((y[large] == c).sum()) for c in "ab"] == [4, 4]
    assert not np.array_equal(small, first_of_each(y, 2, seed=4))


def test_studies_give_what_single_runs_give(folder):
    learnt, held = drawn(folder)
    sweep = freeze_sweep(tiny(), learnt, held, depths=[1, 2], steps=6)
    alone = finetune(tiny(), learnt[0].tolist(), learnt[1], freeze=1, steps=6)
    assert sweep["score"][0] == (alone.predict(held[0].tolist()) == held[1]).mean()
    assert sweep["above"].tolist() == ["stem", "block0"]
    np.testing.assert_allclose(sweep["gap"], sweep["learnt"] - sweep["score"])
    curve = learning_curve(tiny(), learnt, held, [3], repeats=2, steps=6)
    assert sorted(curve["draw"]) == [0, 0, 0, 1, 1, 1]


def test_the_crossover_is_where_scratch_stays_ahead():
    def table(scratch, full):
        rows = [(n, "scratch", s) for n, s in zip((5, 10, 20), scratch, strict=True)]
        rows += [(n, "full", s) for n, s in zip((5, 10, 20), full, strict=True)]
        return pd.DataFrame(rows, columns=["n", "recipe", "score"])

    assert crossover(table((0.1, 0.9, 0.9), (0.5, 0.8, 0.8)), "full") == 10
    assert crossover(table((0.9, 0.1, 0.9), (0.5, 0.8, 0.8)), "full") == 20
    assert crossover(table((0.1, 0.1, 0.1), (0.5, 0.8, 0.8)), "full") is None
    assert crossover(table((0.9, 0.9, 0.9), (0.5, 0.8, 0.9)), "full") == 5


# models rank


def test_models_are_ranked_by_the_exact_evidence(folder):
    found = read_items(folder).labelled()
    blind = forgotten(tiny(), seed=1)
    with torch.no_grad():
        blind.net.block0[0].weight.zero_()
    table = rank_models([blind, tiny()], found.items.tolist(), found.labels)
    assert list(table.index) == ["tiny", "tiny, random weights"]
    assert table["probe"]["tiny"] > 0.8 > table["probe"].iloc[1]
    assert table["leep"].notna().tolist() == [True, False]
    with torch.no_grad():
        F = tiny().net(tiny().read(found.items.tolist())).numpy()
    assert table["log_me"]["tiny"] == pytest.approx(log_me(F, found.labels), abs=1e-5)


def test_the_command_ranks_what_is_at_hand(folder):
    code, out = cli("models", "rank", folder)
    assert code == 0 and "tiny" in out and "LogME" in out
    code, out = cli("models", "rank", folder, "--json", "--backbone", "tiny", "--image-size", 32)
    assert code == 0 and json.loads(out)["models"][0]["backbone"] == "tiny"
    assert cli("models", "rank", folder, "--backbone", "none")[0] == 2


def test_every_recipe_of_the_help_exists():
    code, out = cli("finetune", "--help")
    assert code == 0
    words = set(out.replace(",", " ").replace(".", " ").split())
    assert set(RECIPES) <= words
    assert say("finetune.scratch") == "random weights"


def test_the_function_does_what_the_command_does(folder, tmp_path):
    import transfermap as tm

    assert cli("finetune", folder, "-o", tmp_path / "run", "--recipe", "probe")[0] == 0
    opened = load_finetuned(tmp_path / "run")
    run = tm.finetune(folder, recipe="probe")
    timed = {"command", "facts", "task"}
    assert {k: v for k, v in run.record.items() if k not in timed} == {
        k: v for k, v in opened.record.items() if k not in timed
    }
    items = read_items(folder).items.tolist()
    np.testing.assert_array_equal(run.predict(items), opened.predict(items))
    again = load_finetuned(run.save(tmp_path / "again"))
    np.testing.assert_allclose(again.predict_proba(items), run.predict_proba(items))
    # titles apart, a run in memory and one from its folder are the same page
    assert again.report() == run.report()


def test_items_of_ones_own_need_no_folder(folder):
    import transfermap as tm

    run = tm.finetune(read_items(folder), recipe="probe")
    assert run.record["task"]["data"] is None and 0 <= run.record["scores"]["score"] <= 1
