"""The wizard: each cell of the grid, every way in (Python, tables, options, questions), and the map lit."""

from __future__ import annotations

import doctest
import io
import itertools
import json
import re
import shlex
import xml.etree.ElementTree as ET
from dataclasses import replace
from html import unescape

import pandas as pd
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

import transfermap as tm
from transfermap.card import cards, find, keys
from transfermap.cli import advise as advise_cli
from transfermap.cli.app import app
from transfermap.map import entries, lookup
from transfermap.report.advice_words import AdviceView
from transfermap.report.console.advice import terminal
from transfermap.report.pages.advice_page import image, page
from transfermap.verdict.advise import advise as advising
from transfermap.verdict.advise import situation as reading
from transfermap.verdict.advise.advise import CHOICES, Situation, advise, assumed, homes, next_question
from transfermap.verdict.advise.situation import read_situation

FOUND = entries()


def every_situation():
    """All that can be answered, one after the other."""
    for answers in itertools.product(*CHOICES.values()):
        named = dict(zip(CHOICES, answers, strict=True))
        if named["task"] == "classification" or named["classes"] == "closed":
            yield Situation(**named)


def built(**answers):
    return {m.key for m in advise(Situation(**answers)).methods if m.estimator}


def fitting(**answers):
    return {m.key for m in advise(Situation(**answers)).methods}


def invoke(*line, code=0, typed=None):
    done = CliRunner().invoke(app, ["advise", *map(str, line)], input=typed)
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    return done


def predicted(*line):
    return json.loads(invoke(*line, "--json").stdout)


def flat(text):
    return " ".join(re.sub("[│├└─┌┐┘┤┬┴┼]", " ", text).split())


def shown(view, width=80):
    stream = io.StringIO()
    Console(file=stream, width=width, no_color=True).print(terminal(view))
    return stream.getvalue()


def view(lang="en", **answers):
    return AdviceView(advise(Situation(**answers)), (), (), lang)


@pytest.fixture
def tables(tmp_path, monkeypatch):
    """A labelled source, and targets with no, few and all labels, a new class, other columns; and one with sites."""
    monkeypatch.chdir(tmp_path)
    source = pd.DataFrame({"age": range(40), "pay": [3, 5, 4, 8] * 10, "y": ["no", "yes"] * 20})
    target = source.assign(age=source["age"] + 7)
    files = {
        "a": source,
        "none": target.drop(columns="y"),
        "few": target.assign(y=["no", "yes"] + [""] * 38),
        "one": target.assign(y=["no"] + [""] * 39),
        "all": target,
        "lack": target[target["y"] == "no"],
        "new": target.assign(y=["yes", "maybe"] + [""] * 38),
        "other": target.rename(columns={"age": "height", "pay": "weight"}),
        "strange": target.assign(y=["cat", "dog"] * 20),
        "sites": pd.concat([source.assign(site="north"), source.assign(site="south"), target.assign(site="west")]),
    }
    for name, table in files.items():
        table.to_csv(f"{name}.csv", index=False)
    return tmp_path


# ---- the grid


@pytest.mark.parametrize(
    ("labels", "cell", "setting", "holds"),
    [
        (("yes", "few"), "inductive", "inductive", "tradaboost"),
        (("yes", "all"), "inductive", "inductive", "multitasklearning"),
        (("yes", "none"), "transductive", "transductive", "coral"),
        (("no", "few"), "self_taught", "inductive", "selftaughtlearning"),
        (("no", "all"), "self_taught", "inductive", "soups"),
        (("no", "none"), "unsupervised", "unsupervised", "selftaughtclustering"),
    ],
)
def test_each_pair_of_labels_has_its_cell_and_its_methods(labels, cell, setting, holds):
    found = advise(Situation(source_labels=labels[0], target_labels=labels[1]))
    assert (found.cell, found.setting) == (cell, setting)
    assert holds in {m.key for m in found.methods}


def test_every_method_of_the_map_is_reached_from_some_situation_and_has_a_home():
    reached = {m.key for s in every_situation() for m in advise(s).methods}
    # what makes rows answers no question of the advice, which is about predictions
    assert reached == {e.key for e in FOUND} - {card.key for card in cards() if not card.tasks}
    assert all(homes(e) for e in FOUND)


def test_what_fits_without_target_labels_agrees_with_a_plain_loop_over_the_cards():
    for classes, task, sources in itertools.product(CHOICES["classes"], CHOICES["task"], CHOICES["sources"]):
        if task == "regression" and classes != "closed":
            continue
        expected = set()
        for card in cards():
            fits = card.setting == "transductive" and card.label_sets == classes and task in card.tasks
            if fits and (sources == "several" or "several sources" not in card.needs):
                expected.add(card.key)
        assert built(classes=classes, task=task, sources=sources) == expected


def test_few_target_labels_add_methods_that_read_them_and_put_them_first():
    without, found = built(), advise(Situation(target_labels="few"))
    inductive = {c.key for c in cards() if c.setting == "inductive" and "classification" in c.tasks}
    assert {m.key for m in found.methods if m.estimator} == without | inductive
    assert {m.key for m in found.methods if m.estimator and m.reads_target_labels} == inductive
    assert {m.key for m in found.methods if m.start} == inductive
    assert found.methods[0].reads_target_labels
    # where all rows have labels, methods that ignore them have nothing to offer
    assert built(target_labels="all") == inductive


def test_numbers_and_classes_have_their_own_methods():
    assert "tradaboostr2" in built(target_labels="few", task="regression")
    assert "tradaboost" not in built(target_labels="few", task="regression")
    assert "tradaboostr2" not in built(target_labels="few")


def test_other_columns_need_a_method_that_takes_them():
    assert built(target_labels="few", columns="different") == {"dama"}
    assert "hfa" in fitting(target_labels="few", columns="different")
    assert "hfa" not in fitting(target_labels="few")
    assert not built(columns="different")


def test_without_the_source_only_methods_that_start_from_a_model_are_left():
    for labels in CHOICES["target_labels"]:
        found = advise(Situation(source_data="gone", target_labels=labels)).methods
        assert found
        assert all("pretrained model" in lookup(m.key).needs for m in found)
        assert not any("pretrained model" in m.needs for m in found)


def test_other_classes_without_labels_are_for_descriptions_of_classes():
    found = advise(Situation(classes="disjoint"))
    assert all(lookup(m.key).needs == ("class attributes",) for m in found.methods)
    assert "advise.unseen_classes" in {n.code for n in found.notes}


def test_a_method_that_learns_other_classes_from_target_labels_learns_the_same_ones_too():
    for classes in CHOICES["classes"]:
        assert "soups" in fitting(classes=classes, target_labels="few")
        assert "soups" not in fitting(classes=classes)


def test_what_trains_on_the_source_first_and_knows_its_classes_alone_is_not_advised_for_others():
    assert "finetune" in fitting(target_labels="few")
    assert "finetune" not in fitting(classes="disjoint", target_labels="few")


# ---- the advice


@pytest.mark.parametrize("s", list(every_situation()), ids=lambda s: "-".join(getattr(s, n) for n in CHOICES))
def test_advice_is_whole_in_every_situation(s):
    found = advise(s)
    assert found == advise(s)
    assert json.loads(json.dumps(found.to_dict()))["cell"] == found.cell
    flags = [m.estimator for m in found.methods]
    assert flags == sorted(flags, reverse=True)
    runs = [m.built for m in found.methods]
    assert runs == sorted(runs, reverse=True)
    assert all(bool(m.assumes) == m.built for m in found.methods)
    assert any(m.start for m in found.methods) == bool(found.methods)
    assert ("stop" in {n.level for n in found.notes}) == (not found.methods)
    assert ("advise.only_planned" in {n.code for n in found.notes}) == (bool(runs) and not any(runs))
    assert all(note.say(lang) for note in found.notes for lang in ("en", "zh"))
    assert found.steps
    for step in found.steps:
        _, verb, *words = shlex.split(step.command)
        named = [words[i + 1] for i, w in enumerate(words) if w == "--method"]
        assert verb in {c.name for c in app.registered_commands}
        assert verb != "map" or not words or lookup(words[0])
        assert all(key in keys() and not find(key).reads.target for key in named)
        assert verb not in ("check", "adapt", "verify") or any(flags)


def test_methods_that_adapt_does_not_try_unasked_are_named_in_its_command():
    line = next(s.command for s in advise(Situation(classes="partial")).steps if " adapt " in s.command)
    assert {"iwan", "pada", "san"} == set(re.findall("--method ([a-z]+)", line))
    assert "--method" not in " ".join(s.command for s in advise(Situation()).steps)


def test_python_and_the_command_go_through_one_door():
    assert tm.advise is advise
    assert tm.Situation is Situation
    assert tm.advise(tm.Situation()).cell == "transductive"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"target_labels": "some"}, "target_labels must be one of none, few, all; got 'some'"),
        ({"classes": "same"}, "classes must be one of closed, partial, open, disjoint; got 'same'"),
        ({"task": "regression", "classes": "open"}, "classes must be closed in regression"),
    ],
)
def test_an_answer_that_is_none_is_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        Situation(**wrong)


def test_questions_that_do_not_matter_are_not_asked():
    assert assumed({}) == list(CHOICES)
    assert assumed({"source_data": "gone"}) == ["source_labels", "target_labels", "task", "classes"]
    assert "classes" not in assumed({"task": "regression"})
    assert assumed({"source_labels": "no"}) == ["source_data", "target_labels", "columns", "sources"]
    assert next_question(dict.fromkeys(CHOICES, "")) is None


@pytest.mark.parametrize("module", [advising, reading])
def test_the_examples_run(module):
    assert doctest.testmod(module).failed == 0


# ---- reading tables


@pytest.mark.parametrize(
    ("target", "labels", "classes"),
    [
        ("none", "none", None),
        ("few", "few", "closed"),
        ("one", "few", None),
        ("all", "all", "closed"),
        ("lack", "all", "partial"),
        ("new", "few", "open"),
        ("strange", "all", "disjoint"),
    ],
)
def test_tables_answer_what_they_can(tables, target, labels, classes):
    found = predicted("a.csv", f"{target}.csv", "--label", "y")
    s = found["situation"]
    assert (s["source_labels"], s["target_labels"], s["columns"]) == ("yes", labels, "same")
    assert (s["task"], s["sources"]) == ("classification", "one")
    assert s["classes"] == (classes or "closed")
    assert found["assumed"] == ([] if classes else ["classes"])
    codes = {n["code"]: n["values"] for n in found["reading"]}
    assert codes["advise.read_columns"] == {"common": 2, "source": 2, "target": 2}
    assert codes["advise.read_labels"]["source_labelled"] == 40
    assert ("advise.read_new" in codes) == (classes in ("open", "disjoint"))
    assert ("advise.read_unseen" in codes) == (target in ("one", "new"))
    if target == "new":
        assert codes["advise.read_new"]["classes"] == ["maybe"]
        assert codes["advise.read_unseen"]["classes"] == ["no"]


def test_labels_in_the_target_only_are_self_taught_learning(tables):
    found = predicted("none.csv", "all.csv", "--label", "y")
    assert (found["cell"], found["setting"]) == ("self_taught", "inductive")


def test_other_columns_several_sources_and_numbers_are_seen(tables):
    other = predicted("a.csv", "other.csv", "--label", "y")
    assert other["situation"]["columns"] == "different"
    assert [m["key"] for m in other["methods"] if m["built"]] == ["dama"]
    several = predicted("a.csv", "none.csv", "--source", "all.csv", "--label", "y")
    assert several["situation"]["sources"] == "several"
    assert several["steps"][0]["command"] == "transfermap check a.csv none.csv --source all.csv --label y"
    numbers = predicted("a.csv", "all.csv", "--label", "age")
    assert (numbers["situation"]["task"], numbers["situation"]["classes"]) == ("regression", "closed")
    assert predicted("a.csv", "all.csv", "--label", "pay", "--task", "regression")["situation"]["task"] == "regression"


def test_one_table_with_sites(tables):
    found = predicted("sites.csv", "--domain", "site", "--target-domain", "west", "--label", "y")
    assert (found["situation"]["sources"], found["situation"]["target_labels"]) == ("several", "all")
    single = predicted("sites.csv", "--domain", "site", "--target-domain", "west")
    assert single["steps"][0]["command"].endswith("sites.csv --domain site --target-domain west --label COLUMN")
    # the sites are the domain, not a feature
    assert next(n for n in found["reading"] if n["code"] == "advise.read_columns")["values"]["common"] == 2


def test_a_matrix_whose_label_is_counted_has_none_in_a_narrower_target():
    source = pd.DataFrame([[0, 1.5, 2.5], [1, 3.5, 1.5]] * 4, columns=["x0", "x1", "x2"])
    target = pd.DataFrame([[1.5, 2.5], [3.0, 1.0]] * 4, columns=["x0", "x1"])
    found = read_situation({"a": source}, target, "0")
    assert found.answers["target_labels"] == "none"
    assert found.notes[-1].values == {"common": 2, "source": 2, "target": 2}


def test_the_commands_that_are_advised_run(tables):
    steps = predicted("a.csv", "few.csv", "--label", "y")["steps"]
    assert [shlex.split(s["command"])[1] for s in steps] == ["check", "map", "adapt", "verify", "adapt"]
    assert "--learn" in steps[-1]["command"]
    for step in steps[:2]:
        done = CliRunner().invoke(app, shlex.split(step["command"])[1:])
        assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["a.csv"], ("two tables", "--domain")),
        (["a.csv", "nowhere.csv"], ("no file nowhere.csv",)),
        (["a.csv", "none.csv", "--label", "yy"], ("no label column 'yy'", "did you mean y")),
        (["a.csv", "none.csv", "--label", "y", "--task", "ranking"], ("task", "ranking", "regression")),
        (["a.csv", "none.csv", "--target-labels", "some"], ("--target-labels", "none, few, all", "'some'")),
        (["--task", "regression", "--label-sets", "open"], ("closed in regression", "'open'")),
        (["--domain", "site"], ("one file", "--target-domain VALUE")),
        (["a.csv", "none.csv", "--source", "few.csv", "--label", "age", "-o", "advice.pdf"], (".html or .svg", ".pdf")),
        ([], ("expected two tables", "--yes")),
        (["--yes", "--lang", "fr"], ("fr", "en, zh")),
    ],
)
def test_bad_input_is_one_sentence(tables, line, words):
    done = invoke(*line, code=2)
    assert done.stdout == ""
    assert done.stderr.startswith("transfermap: ")
    assert done.stderr.count("\n") == 1
    assert all(word in done.stderr for word in words), done.stderr


def test_folders_of_images_are_read_without_being_looked_at(tmp_path):
    for place in ("ours/cat", "ours/dog", "theirs", "sorted/cat", "sorted/cow"):
        (tmp_path / place).mkdir(parents=True)
        for i in range(3):
            Image.new("L", (4, 4)).save(tmp_path / place / f"{i}.png")
    found = predicted(tmp_path / "ours", tmp_path / "theirs")
    assert found["situation"]["target_labels"] == "none"
    assert (found["situation"]["columns"], found["cell"]) == ("same", "transductive")
    assert shlex.split(found["steps"][0]["command"])[1:] == ["check", str(tmp_path / "ours"), str(tmp_path / "theirs")]
    found = predicted(tmp_path / "ours", tmp_path / "sorted")
    assert (found["situation"]["target_labels"], found["situation"]["classes"]) == ("all", "open")
    found = predicted(tmp_path / "theirs", tmp_path / "sorted")
    assert found["cell"] == "self_taught"
    assert "finetune" in {shlex.split(step["command"])[1] for step in found["steps"]}


# ---- asking


def test_nothing_is_asked_where_nobody_is_there(tables):
    assert "?" not in invoke("a.csv", "none.csv", "--label", "y").output
    assert "--source-data here" in flat(invoke("--yes").stdout)


@pytest.mark.parametrize("line", [["--yes"], ["--target-labels", "few"], ["--json"]])
def test_nothing_is_asked_of_who_said_enough(line, tables, monkeypatch):
    monkeypatch.setattr(advise_cli, "somebody_there", lambda: True)
    assert "?" not in invoke("a.csv", "none.csv", "--label", "y", *line).output


def test_questions_lead_to_the_place(monkeypatch):
    monkeypatch.setattr(advise_cli, "somebody_there", lambda: True)
    done = invoke(typed="\nyes\nfew\n\ndifferent\n\n\n")
    assert done.stderr.count("?") == 7
    assert "> Inductive transfer <" in flat(done.stdout)
    assert "dama" in done.stdout
    assert "(assumed)" not in done.stdout
    gone = invoke("--lang", "zh", typed="gone\n\n\nregression\n")
    assert "直推式迁移" in gone.stdout
    assert "源数据还在，还是只剩训练好的模型？ (here/gone)" in gone.stderr


def test_a_wrong_answer_is_asked_again_and_an_end_of_input_ends_it(monkeypatch):
    monkeypatch.setattr(advise_cli, "somebody_there", lambda: True)
    done = invoke(typed="lost\ngone\nno\nnone\n")
    assert done.stderr.count("Are the source's rows still there") == 2
    assert "one of: here, gone" in done.stderr
    assert "> Unsupervised transfer <" in flat(done.stdout)
    assert "What to run next" not in invoke(typed="here\n", code=1).output


def test_tables_leave_few_questions(tables, monkeypatch):
    monkeypatch.setattr(advise_cli, "somebody_there", lambda: True)
    done = invoke("a.csv", "none.csv", "--label", "y", typed="partial\n")
    assert done.stderr.count("?") == 1
    assert "3 methods that fit" in flat(done.stdout)
    assert invoke("a.csv", "all.csv", "--label", "y", typed="").stderr == ""


# ---- drawing


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_terminal_lights_one_cell_and_the_branches_that_fit_within_80_columns(lang):
    for answers in ({}, {"classes": "open"}, {"source_labels": "no"}, {"columns": "different"}):
        seen = view(lang, **answers)
        text = shown(seen)
        assert all(len(line) <= 80 for line in text.splitlines())
        assert text.count(f"> {seen.say(f'cell_{seen.advice.cell}')} <") == 1
        assert len(re.findall("> .* <", text)) == 1
        assert set(re.findall(r"[●○] ([a-z][a-z0-9]+)  ", text)) == set(seen.fits())
        assert all(command in flat(text) for command, _ in seen.steps())


def test_terminal_says_what_each_method_assumes():
    text = flat(shown(view(classes="open"), width=200))
    assert all(a in text for a in find("osbp").card.assumes)
    assert "needs torch" in text
    assert "Open label sets" in text
    assert "Optimal transport: none of its 5 fit" in text


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_page_lights_the_cell_and_the_branches(lang):
    seen = view(lang, classes="partial")
    text = page(seen)
    lit = re.findall(r'<details class="method(?: built)? lit"[^>]*>\s*<summary><span><code>(\w+)</code>', text)
    dark = re.findall(r'<details class="method(?: built)? unlit"[^>]*>\s*<summary><span><code>(\w+)</code>', text)
    assert sorted(lit) == sorted(seen.fits()) == ["iwan", "pada", "san"]
    assert sorted([*lit, *dark]) == sorted(e.key for e in FOUND)
    assert text.count('class="family lit" open') == len({(e.transfers, e.family) for e in FOUND if e.key in lit})
    assert text.count('class="branch lit" open') == len({e.transfers for e in FOUND if e.key in lit})
    assert not re.search(r'class="(family|branch) unlit" open', text)
    cells = re.findall(r'<td data-head="[^"]*"( class="lit")?>\s*<strong>([^<]*)', text)
    assert [name for mark, name in cells if mark] == [seen.say("cell_transductive")]
    assert len(cells) == 4
    plain = unescape(text)
    assert all(a in plain for m in seen.advice.methods for a in m.assumes)
    assert all(f"<pre>{command}</pre>" in plain for command, _ in seen.steps())
    assert not re.search(r"<link|<img|\bsrc=|@import|url\(|fetch\(|<iframe", text)


def test_names_from_strangers_are_shown_not_obeyed():
    found = advise(Situation(), tables="'<script>alert(1)</script> [red].csv' b.csv")
    seen = AdviceView(found, (), ())
    assert "<script>alert" not in page(seen)
    assert "[red].csv" in flat(shown(seen, width=200))


def test_image_fades_what_does_not_fit():
    seen = view(classes="open")
    space = {"s": "http://www.w3.org/2000/svg"}
    root = ET.fromstring(image(seen))
    faded = {t[0].text for t in root.findall(".//s:g[@class='faded']/s:text", space) if len(t)}
    clear = {t[0].text for t in root.findall("./s:text", space) if len(t)}
    assert clear == {"osbp"}
    assert faded == {e.key for e in FOUND} - clear
    # from the root by the branch and the family to the method
    assert len([p for p in root.findall("./s:path", space) if p.get("class") is None]) == 3
    assert "you are here" in "".join(root.itertext())


def test_files_are_written_once(tables):
    for name in ("advice.html", "advice.svg"):
        done = invoke("a.csv", "none.csv", "--label", "y", "-o", name)
        assert f"wrote {name}" in done.stderr
        assert "What to run next" in done.stdout
        before = (tables / name).read_bytes()
        assert "--overwrite" in invoke("--yes", "-o", name, code=2).stderr
        assert (tables / name).read_bytes() == before
    invoke("--yes", "-o", "advice.html", "--overwrite", "--lang", "zh")
    assert 'lang="zh"' in (tables / "advice.html").read_text("utf8")


def test_what_was_assumed_is_said():
    seen = AdviceView(advise(Situation()), ["classes"], ())
    assert "--label-sets closed" in flat(shown(seen))
    assert dict(seen.answers())["label sets"].endswith("(assumed)")
    assert replace(seen, assumed=()).notes() == list(seen.advice.notes)
