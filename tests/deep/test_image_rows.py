"""Nets that are trained on the images themselves: the same objectives, loop, model files and predictions."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import small_images
from small_images import NAME, folders
from typer.testing import CliRunner

from transfermap.card import cards, find
from transfermap.cli.app import app
from transfermap.data.images.image_files import find_images
from transfermap.runs.run import load_run
from transfermap.tasks.task import Task
from transfermap.verdict.encoded import encode

torch = pytest.importorskip("torch")
from transfermap.deep import estimators as shells  # noqa: E402
from transfermap.deep.estimators import DeepClassifier  # noqa: E402
from transfermap.deep.pretrained import image_rows  # noqa: E402
from transfermap.deep.pretrained.image_rows import Augment, Look, remember  # noqa: E402

eyes = small_images.eyes
DEEP = [card.key for card in cards() if "torch" in card.needs and "classification" in card.tasks]


@pytest.fixture
def seen(tmp_path, eyes, monkeypatch):
    """The tiny task: encoded rows, labels, and which domain each is of; images remembered."""
    monkeypatch.setattr(image_rows, "_DECODED", type(image_rows._DECODED)())
    task = Task.from_files(*folders(tmp_path))
    _, data = encode(task)
    remember(data.Xs, task.sight.source)
    remember(data.Xt, task.sight.target)
    X = np.concatenate([data.Xs, data.Xt])
    y = np.concatenate([data.ys, np.full(len(data.Xt), data.ys[0], dtype=data.ys.dtype)])
    return task, X, y, np.repeat([0, -1], [len(data.Xs), len(data.Xt)])


def test_a_row_finds_its_image_in_any_order_and_precision(seen):
    task, X, _, _ = seen
    net = small_images.tiny()
    files = [*task.sight.source, *task.sight.target]
    order = np.random.default_rng(0).permutation(len(X))
    for kind in (np.float32, np.float64):
        found = Look(net.read, net.side)(torch.from_numpy(X[order].astype(kind)))
        assert torch.equal(found, net.read([files[i] for i in order]))
    with pytest.raises(ValueError, match="2 rows are of no image"):
        Look(net.read, net.side)(torch.from_numpy(np.concatenate([X[:3], X[:2] + 0.5])))


def test_few_decoded_images_are_kept_where_memory_is_short(seen, monkeypatch):
    task, X, _, _ = seen
    net = small_images.tiny()
    monkeypatch.setattr(image_rows, "MOST_BYTES", 10 * 3 * net.side**2)
    look = Look(net.read, net.side)
    for start in range(0, 42, 7):
        assert torch.equal(
            look(torch.from_numpy(X[start : start + 7])), net.read(list(task.sight.source[start : start + 7]))
        )
        assert len(image_rows._DECODED) <= 10


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
    monkeypatch.setattr(image_rows, "AREAS", (1.0, 1.0))
    monkeypatch.setattr(image_rows, "SHAPES", (1.0, 1.0))
    y = Augment().train()(x)
    mirrored = y[:, 1, 0, 0] > 16
    assert torch.allclose(y[~mirrored], x[~mirrored], atol=1e-3)
    assert torch.allclose(y[mirrored], x[mirrored].flip(3), atol=1e-3)


@pytest.mark.parametrize("key", DEEP)
def test_every_deep_method_trains_on_images(seen, key):
    task, X, y, d = seen
    model = DeepClassifier(find(key)(), net=NAME, steps=4, batch_size=8).fit(X, y, sample_domain=d)
    before = small_images.tiny().net.state_dict()
    after = model.modules_["features"].state_dict()
    assert not torch.equal(after["block0.0.weight"], before["block0.0.weight"])  # the backbone itself has moved
    P = model.predict_proba(X[d < 0])
    assert P.shape == (len(task.target), 3) and np.isfinite(P).all()
    assert np.allclose(model.predict_proba(X[d < 0][5:6]), P[5:6], atol=1e-5)


def test_training_on_images_learns(seen):
    _, X, y, d = seen
    model = DeepClassifier(find("erm")(), net=NAME, steps=150, batch_size=16, lr=3e-3).fit(X, y, sample_domain=d)
    assert np.mean(model.predict(X[d == 0]) == y[d == 0]) > 0.9


def test_a_run_that_was_cut_off_goes_on_to_the_same_bits(seen, tmp_path):
    _, X, y, d = seen

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


def test_from_folders_to_predictions_with_a_net_of_its_own(tmp_path, eyes, monkeypatch):
    monkeypatch.setattr(shells, "STEPS", 6)
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
        "from small_images import tiny\nbackbones.providers()\nprovider.provides('tiny-eyes', 'images')(tiny)\n"
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


def test_rows_without_their_images_are_refused_in_a_sentence(tmp_path, eyes, monkeypatch):
    monkeypatch.setattr(shells, "STEPS", 4)
    source, target = folders(tmp_path, each=8)
    command = ["adapt", source, target, "--method", "erm", "--net", NAME, "--budget", "2s", "-o", tmp_path / "run"]
    done = CliRunner().invoke(app, list(map(str, command)))
    assert done.exit_code == 0, done.output
    run = load_run(tmp_path / "run")
    rows = pd.DataFrame(np.arange(36.0).reshape(3, 12), columns=[f"f{j}" for j in range(12)])
    with pytest.raises(ValueError, match="3 rows are of no image"):
        run.predict(rows, "erm")


def test_tables_have_no_images_to_train_on(tmp_path, eyes):
    rows = "".join(f"{i},{i * i % 7},{'yes' if i % 2 else 'no'}\n" for i in range(40))
    for side in "AB":
        (tmp_path / f"{side}.csv").write_text("a,b,y\n" + rows, encoding="utf8")
    command = ["adapt", tmp_path / "A.csv", tmp_path / "B.csv", "--label", "y", "--method", "dann", "--net", NAME]
    done = CliRunner().invoke(app, [*map(str, command), "-o", str(tmp_path / "run")])
    assert done.exit_code == 2 and "expected folders of them, got tables" in " ".join(done.stderr.split())
