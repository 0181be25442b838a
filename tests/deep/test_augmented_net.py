"""Nets that are trained on the images themselves: the same objectives, loop, model files and predictions."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import small_images
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from small_images import NAME, folders, tiny
from typer.testing import CliRunner

from transfermap.adapted import Adapted
from transfermap.card import cards, find
from transfermap.cli.app import app
from transfermap.data.images.image_files import find_images
from transfermap.runs.model_file import load, save
from transfermap.runs.run import load_run

torch = pytest.importorskip("torch")
from transfermap.deep.estimators import DeepClassifier  # noqa: E402
from transfermap.deep.learner import DeepLearner  # noqa: E402
from transfermap.deep.pretrained import augmented_net, provider  # noqa: E402
from transfermap.deep.pretrained.augmented_net import Augment  # noqa: E402
from transfermap.deep.pretrained.image_nets import read_images  # noqa: E402
from transfermap.deep.training import settings  # noqa: E402

tiny_backbone = small_images.tiny_backbone
DEEP = [card.key for card in cards() if issubclass(find(card.key), DeepLearner) and "classification" in card.tasks]


@pytest.fixture
def seen(tmp_path, tiny_backbone):
    """Paths of the tiny task's images, their labels (the target's withheld), and which domain each is of."""
    sides = [find_images(side).table for side in folders(tmp_path)]
    X = np.concatenate([side["file"] for side in sides])
    y = np.concatenate([sides[0]["class"], ["down"] * len(sides[1])])
    return X, y, np.repeat([0, -1], [len(side) for side in sides])


def test_images_are_varied_in_training_only_and_by_torchs_numbers():
    x = torch.randint(0, 256, (64, 3, 16, 16), dtype=torch.uint8)
    vary = Augment().eval()
    assert vary(x) is x
    vary.train()
    torch.manual_seed(0)
    first = vary(x)
    assert first.shape == x.shape and first.min() >= 0 and first.max() <= 255
    assert not torch.equal(first, vary(x))
    torch.manual_seed(0)
    assert torch.equal(first, vary(x))


def test_a_variation_is_a_part_of_the_image_and_every_second_one_is_mirrored(monkeypatch):
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    x = torch.stack([rows, columns, torch.zeros(32, 32)]).expand(400, 3, 32, 32)
    torch.manual_seed(1)
    y = Augment().train()(x)
    down, across = y[:, 0, :, 16], y[:, 1, 16, :]
    high, wide = (side[:, -1] - side[:, 0] for side in (down, across))
    assert (high > 0).all() and 0.4 < (wide < 0).float().mean() < 0.6  # never upside down
    area = (high.abs() + 1) * (wide.abs() + 1) / 32**2
    assert area.min() > 0.4 and area.max() < 1.05 and 0.68 < area.mean() < 0.82
    monkeypatch.setattr(augmented_net, "AREAS", (1.0, 1.0))
    monkeypatch.setattr(augmented_net, "SHAPES", (1.0, 1.0))
    y = Augment().train()(x)
    mirrored = y[:, 1, 0, 0] > 16
    assert torch.allclose(y[~mirrored], x[~mirrored], atol=1e-3)
    assert torch.allclose(y[mirrored], x[mirrored].flip(3), atol=1e-3)


@pytest.mark.parametrize("key", DEEP)
def test_every_deep_method_trains_on_images(seen, key):
    X, y, d = seen
    model = DeepClassifier(find(key)(), net=NAME, steps=4, batch_size=8).fit(X, y, sample_domain=d)
    before = small_images.tiny().net.state_dict()
    after = model.modules_["features"].state_dict()
    assert not torch.equal(after["block0.0.weight"], before["block0.0.weight"])  # the backbone itself has moved
    P = model.predict_proba(X[d < 0])
    assert P.shape == (42, 3) and np.isfinite(P).all()
    assert np.allclose(model.predict_proba(X[d < 0][5:6]), P[5:6], atol=1e-5)


def test_training_on_images_learns(seen):
    X, y, d = seen
    model = DeepClassifier(find("erm")(), net=NAME, steps=150, batch_size=16, lr=3e-3).fit(X, y, sample_domain=d)
    assert np.mean(model.predict(X[d == 0]) == y[d == 0]) > 0.9


def test_rows_may_come_in_any_order_and_more_than_once(seen):
    X, y, d = seen
    order = np.random.default_rng(0).permutation(np.r_[np.arange(len(X)), 3, 3, 50])
    model = DeepClassifier(find("dann")(), net=NAME, steps=4, batch_size=8)
    once = clone(model).fit(X[np.sort(order)], y[np.sort(order)], sample_domain=d[np.sort(order)])
    mixed = clone(model).fit(X[order], y[order], sample_domain=d[order])
    assert np.array_equal(once.predict_proba(X), mixed.predict_proba(X))
    assert np.array_equal(once.predict_proba(X[order]), once.predict_proba(X)[order])


def test_paths_may_be_a_column_a_list_or_a_frame(seen):
    X, y, d = seen
    model = DeepClassifier(find("erm")(), net=NAME, steps=4, batch_size=8)
    first = clone(model).fit(X, y, sample_domain=d).predict_proba(X[:5])
    for rows in (X[:, None], X.tolist(), [Path(x) for x in X], pd.DataFrame({"file": X})):
        again = clone(model).fit(rows, y, sample_domain=d)
        assert np.array_equal(again.predict_proba(rows[:5]), first)


def test_what_is_no_path_is_refused_in_a_sentence(seen):
    X, y, d = seen
    model = DeepClassifier(find("erm")(), net=NAME, steps=2)
    for rows in (np.zeros((84, 12)), np.column_stack([X, X]), np.where(d < 0, None, X), np.where(d < 0, "", X), 3.0):
        with pytest.raises(ValueError, match="expected X to hold the path of an image a row, of shape"):
            model.fit(rows, y, sample_domain=d)
    with pytest.raises(ValueError, match=r"1 of 42 images are not there; the first: .*nothing\.png"):
        model.fit([*X[:-1], "nothing.png"], y, sample_domain=d)


@pytest.mark.parametrize("how", ["method", "adapted"])
def test_a_model_is_saved_and_predicts_files_that_it_has_never_seen(seen, tmp_path, monkeypatch, how):
    X, y, d = seen
    monkeypatch.setattr(settings, "STEPS", 4)
    method = find("dann")(net=NAME)
    model = (method if how == "method" else Adapted(method, LogisticRegression())).fit(X, y, sample_domain=d)
    new = find_images(folders(tmp_path / "new", each=3)[1]).files
    P = model.predict_proba(new)
    assert P.shape == (9, 3) and set(model.predict(new)) <= {"across", "down", "plain"}
    save(model, tmp_path / "m.tmap")
    assert np.array_equal(load(tmp_path / "m.tmap").predict_proba(new), P)
    assert np.array_equal(model.predict_proba([new[0]]).argmax(1), P[:1].argmax(1))


def test_images_in_memory_train_the_same_net_as_their_files(seen):
    X, y, d = seen
    classes, codes = np.unique(y, return_inverse=True)
    images = tiny().read(X.tolist())
    settings = {"net": NAME, "steps": 4, "batch_size": 8}
    # in the order that fit sorts rows by, the same images give the same net
    s, t = (np.flatnonzero(part)[np.argsort(X[part], kind="stable")] for part in (d >= 0, d < 0))
    given = (images[s], torch.from_numpy(codes[s])), (images[t],)
    by_images = DeepClassifier(find("dann")(), **settings).fit_datasets(*given, classes)
    by_paths = DeepClassifier(find("dann")(), **settings).fit(X, y, sample_domain=d)
    assert np.array_equal(by_images.predict_proba(X), by_paths.predict_proba(X))


def test_two_nets_see_the_same_files_at_their_own_sizes(seen):
    X, y, d = seen

    def larger(weights=None):
        return replace(tiny(), name="larger", read=partial(read_images, side=24), side=24)

    provider.provides("larger", "images")(larger)
    small, large = (
        DeepClassifier(find("dann")(), net=name, steps=3, batch_size=8).fit(X, y, sample_domain=d)
        for name in (NAME, "larger")
    )
    before = small.predict_proba(X)
    assert not np.allclose(large.predict_proba(X), before)
    assert np.array_equal(small.predict_proba(X), before)


def test_nothing_is_written_and_each_image_is_decoded_once_a_run(seen, tmp_path, monkeypatch):
    X, y, d = seen
    times = Counter()

    def counted(weights=None):
        made = tiny()
        return replace(made, read=lambda paths: times.update(map(str, paths)) or made.read(paths))

    provider.provides(NAME, "images")(counted)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    DeepClassifier(find("dann")(), net=NAME, steps=40, batch_size=16).fit(X, y, sample_domain=d)
    assert set(times) == set(X) and set(times.values()) == {1}
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_label_free_score_may_choose_the_state(seen):
    X, y, d = seen
    settings = {"net": NAME, "steps": 6, "every": 2, "batch_size": 8, "select": "infomax"}
    model = DeepClassifier(find("erm")(), **settings).fit(X, y, sample_domain=d)
    assert model.chosen_step_ in (2, 4, 6)


def test_a_run_that_was_cut_off_goes_on_to_the_same_bits(seen, tmp_path):
    X, y, d = seen

    def stop(done, of):
        if done >= 4:
            raise KeyboardInterrupt

    settings = {"net": NAME, "steps": 8, "batch_size": 8, "every": 2}
    whole = DeepClassifier(find("dann")(), **settings).fit(X, y, sample_domain=d)
    file = tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        DeepClassifier(find("dann")(), **settings, checkpoint=file, tick=stop).fit(X, y, sample_domain=d)
    again = DeepClassifier(find("dann")(), **settings, checkpoint=file).fit(X, y, sample_domain=d)
    assert np.array_equal(whole.predict_proba(X), again.predict_proba(X))


def test_from_folders_to_predictions_with_a_net_of_its_own(tmp_path, tiny_backbone, monkeypatch):
    monkeypatch.setattr(settings, "STEPS", 6)
    source, target = folders(tmp_path, each=8)
    run = tmp_path / "run"
    command = ["adapt", source, target, "--method", "dann", "--net", NAME, "--budget", "2s", "-o", run]
    done = CliRunner().invoke(app, list(map(str, command)))
    assert done.exit_code == 0, done.output
    record = json.loads((run / "run.json").read_text("utf8"))
    assert record["net"] == NAME and record["verdict"]["model"] == "dann"
    assert any(note["code"] == "images.net" for note in record["notes"])
    predicted = pd.read_csv(run / "predictions.csv")
    # in another process, from other copies of the images, the same comes out: weights, not pickles
    shutil.copytree(target, tmp_path / "copies")
    code = (
        "import sys\nsys.path.insert(0, sys.argv[1])\nfrom transfermap.deep.pretrained import backbones, provider\n"
        "from small_images import tiny\nbackbones.providers()\nprovider.provides('tiny-net', 'images')(tiny)\n"
        "from transfermap.cli.app import main\nsys.argv = sys.argv[2:]\nmain()"
    )
    at = str(small_images.__file__).rsplit("/", 1)[0]
    arguments = ["transfermap", "predict", "run", "copies", "-o", "again.csv"]
    subprocess.run([sys.executable, "-c", code, at, *arguments], cwd=tmp_path, check=True, capture_output=True)
    again = pd.read_csv(tmp_path / "again.csv")
    assert again["prediction"].tolist() == predicted["prediction"].tolist()
    assert np.allclose(again["p(down)"], predicted["p(down)"], atol=1e-4)
    done = CliRunner().invoke(app, ["verify", str(run), str(target), "--json"])
    assert done.exit_code == 0, done.output
    right = np.mean(predicted["prediction"] == find_images(target).table["class"])
    (line,) = (r for r in json.loads(done.stdout)["rows"] if r["method"] == "dann")
    assert line["value"] == pytest.approx(right)


def test_a_net_on_images_is_adapted_to_a_folder_without_the_sources(tmp_path, tiny_backbone, monkeypatch):
    monkeypatch.setattr(settings, "STEPS", 4)
    source, target = folders(tmp_path, each=8)
    before, after = tmp_path / "with", tmp_path / "without"
    for command in (
        ["adapt", source, target, "--method", "erm", "--net", NAME, "--budget", "2s", "-o", before],
        ["adapt", "--model", before, target, "--method", "batchnorm", "-o", after],
        ["predict", after, target, "-o", tmp_path / "again.csv"],
    ):
        done = CliRunner().invoke(app, list(map(str, command)))
        assert done.exit_code == 0, done.output
    base, adapted, again = (
        pd.read_csv(path)["p(down)"]
        for path in (before / "predictions.csv", after / "predictions.csv", tmp_path / "again.csv")
    )
    assert np.allclose(adapted, again, atol=1e-5) and not np.allclose(adapted, base, atol=1e-3)


def test_rows_without_their_images_are_refused_in_a_sentence(tmp_path, tiny_backbone, monkeypatch):
    monkeypatch.setattr(settings, "STEPS", 4)
    source, target = folders(tmp_path, each=8)
    command = ["adapt", source, target, "--method", "erm", "--net", NAME, "--budget", "2s", "-o", tmp_path / "run"]
    done = CliRunner().invoke(app, list(map(str, command)))
    assert done.exit_code == 0, done.output
    run = load_run(tmp_path / "run")
    rows = pd.DataFrame(np.arange(36.0).reshape(3, 12), columns=[f"f{j}" for j in range(12)])
    with pytest.raises(ValueError, match="expected X to hold the path of an image a row"):
        run.predict(rows, "erm")


def test_tables_have_no_images_to_train_on(tmp_path, tiny_backbone):
    rows = "".join(f"{i},{i * i % 7},{'yes' if i % 2 else 'no'}\n" for i in range(40))
    for side in "AB":
        (tmp_path / f"{side}.csv").write_text("a,b,y\n" + rows, encoding="utf8")
    command = ["adapt", tmp_path / "A.csv", tmp_path / "B.csv", "--label", "y", "--method", "dann", "--net", NAME]
    done = CliRunner().invoke(app, [*map(str, command), "-o", str(tmp_path / "run")])
    assert done.exit_code == 2 and "expected folders of them, got tables" in " ".join(done.stderr.split())
