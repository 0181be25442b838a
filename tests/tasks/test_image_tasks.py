"""Folders of images through every command: the rest of the program works on them as on tables."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import small_images
from PIL import Image
from small_images import NAME, folders, paint, tiny
from typer.testing import CliRunner

from transfermap.cli.app import app
from transfermap.data.images.image_files import find_images, thumbnail
from transfermap.deep.pretrained import provider
from transfermap.deep.pretrained.feature_cache import features
from transfermap.runs.run import adapt, load_run
from transfermap.tasks.task import Task

pytest.importorskip("torch")
tiny_backbone = small_images.tiny_backbone
QUICK = ["--method", "coral", "--budget", "5s"]


def command(*arguments, code=0):
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code == code, done.output
    return done


def codes(notes):
    return {note["code"] if isinstance(note, dict) else note.code for note in notes}


@pytest.fixture
def sides(tmp_path, tiny_backbone):
    return folders(tmp_path)


def test_a_folder_becomes_a_table_of_features(sides):
    task = Task.from_files(sides[0], sides[1])
    found = find_images(sides[0])
    assert list(task.source) == [f"f{j}" for j in range(12)] == list(task.target)
    assert task.labels.tolist() == found.table["class"].tolist() and task.label == "class"
    assert list(task.images.source) == found.files
    assert np.array_equal(task.source.to_numpy(np.float32), features(tiny(), found.files).values)
    assert task.images.features_of == {"backbone": NAME, "side": 16, "digest": tiny().digest}
    assert {"images.backbone_first", "task.target_label"} <= codes(task.notes)
    assert set(task.inputs) == {str(sides[0]), str(sides[1])} and task.source_names == ("bright",)


def test_the_targets_classes_are_never_read(sides, tmp_path):
    flat = folders(tmp_path / "again", flat=True)
    by_class, without = (Task.from_files(sides[0], target) for target in (sides[1], flat[1]))
    assert np.array_equal(by_class.labels, without.labels)
    rows = [sorted(map(tuple, task.target.to_numpy())) for task in (by_class, without)]
    assert rows[0] == rows[1]


def test_a_table_of_paths_brings_its_other_columns(sides, tmp_path):
    files = find_images(sides[0]).files
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"image": files, "species": [f.split("/")[-2] for f in files], "age": rng.normal(size=42)})
    table.loc[3, "species"] = None
    table.to_csv(tmp_path / "a.csv", index=False)
    table.drop(columns="species").to_csv(tmp_path / "b.csv", index=False)
    task = Task.from_files(tmp_path / "a.csv", tmp_path / "b.csv", label="species", backbone=NAME)
    assert "age" in task.source and task.source.shape == (41, 13)
    assert list(task.images.source) == [f for i, f in enumerate(files) if i != 3]  # the one without a label left out
    assert "images.backbone" in codes(task.notes)
    both = table.assign(place=["lab"] * 21 + ["field"] * 21).to_csv(tmp_path / "c.csv", index=False)
    assert both is None
    one = Task.from_table(tmp_path / "c.csv", domain="place", target="field", label="species", backbone=NAME)
    assert list(one.images.target) == files[21:] and one.target_name == "field"


def test_damaged_images_are_left_out_and_named_and_many_are_an_error(sides):
    bad = sides[0] / "plain" / "bad.png"
    bad.write_bytes(b"\x89PNG")
    task = Task.from_files(sides[0], sides[1])
    (note,) = (n for n in task.notes if n.code == "images.unreadable")
    assert note.values["count"] == 1 and str(bad) in note.say() and str(bad) not in task.images.source
    assert len(task.source) == len(task.images.source) == 42
    for i in range(9):
        (sides[0] / "plain" / f"bad{i}.png").write_bytes(b"\x89PNG")
    with pytest.raises(ValueError, match="10 of 52 images in .*bright cannot be read; the first: "):
        Task.from_files(sides[0], sides[1])


def test_a_class_of_one_image_and_an_empty_class_are_said(sides):
    paint(sides[0] / "独" / "一.png", 2, np.random.default_rng(1))
    (sides[0] / "空").mkdir()
    notes = {n.code: n.values for n in Task.from_files(sides[0], sides[1]).notes}
    assert notes["task.rare_classes"]["classes"] == ["独"] and notes["images.empty_class"]["classes"] == ["空"]


def test_a_backbone_must_be_there_and_see_images(sides, monkeypatch):
    with pytest.raises(ValueError, match="no backbone 'nobody'"):
        Task.from_files(sides[0], sides[1], backbone="nobody")
    monkeypatch.setattr(provider, "PROVIDERS", {"words": provider.PROVIDERS["all-minilm-l6-v2"]})
    provider.provides("some-net", "images", "a_package_that_is_not_there")(tiny)
    with pytest.raises(ValueError, match="none is installed here; one comes with: pip install a-package-that-is-not-"):
        Task.from_files(sides[0], sides[1])


def test_check_speaks_of_images(sides):
    found = json.loads(command("check", *sides, "--json").stdout)
    assert found["task"]["columns"] == 12 and found["auc"]["value"] > 0.9
    assert "images.backbone_first" in codes(found["reading"])
    assert "tiny-net" in command("check", *sides).stdout
    assert "由 tiny-net 提取" in command("check", *sides, "--lang", "zh").stdout.replace("\n", "")


def test_backbone_is_for_images(sides, tmp_path):
    (tmp_path / "a.csv").write_text("a,y\n1,0\n2,1\n", encoding="utf8")
    done = command("check", tmp_path / "a.csv", tmp_path / "a.csv", "--label", "y", "--backbone", NAME, code=2)
    assert "--backbone is for folders of images" in done.stderr
    done = command("adapt", sides[0], tmp_path / "a.csv", "-o", tmp_path / "run", code=2)
    assert "expected images on both sides" in " ".join(done.stderr.split())


def test_adapt_predict_verify_and_report_on_folders(sides, tmp_path):
    run = tmp_path / "run"
    command("adapt", *sides, *QUICK, "-o", run)
    record = json.loads((run / "run.json").read_text("utf8"))
    assert record["images"]["backbone"] == NAME and record["task"]["label"] == "class"
    predicted = pd.read_csv(run / "predictions.csv")
    assert predicted.columns[:3].tolist() == ["row", "file", "prediction"] and len(predicted) == 42
    assert predicted["file"].tolist() == find_images(sides[1]).files
    to_label = pd.read_csv(run / "label_me.csv")
    assert list(to_label) == ["row", "why", "guess", "class", "file"]

    # new images: flat, one damaged
    flat = folders(tmp_path / "new", each=4, flat=True)[1]
    (flat / "bad.png").write_bytes(b"\x89PNG")
    done = command("predict", run, flat, "-o", tmp_path / "p.csv")
    assert "12 rows predicted" in done.output and "bad.png" in done.output
    new = pd.read_csv(tmp_path / "p.csv")
    assert new["row"].tolist() == list(range(12)) and "bad.png" not in "".join(new["file"])
    # the same images get the same predictions in any company
    (tmp_path / "one").mkdir()
    first = flat / "a00.png"
    (tmp_path / "one" / "x.png").write_bytes(first.read_bytes())
    command("predict", run, tmp_path / "one", "-o", tmp_path / "q.csv")
    (alone,) = pd.read_csv(tmp_path / "q.csv").to_dict("records")
    (among,) = new[new["file"] == str(first)].to_dict("records")
    assert alone["prediction"] == among["prediction"] and np.isclose(alone["p(down)"], among["p(down)"], atol=1e-4)

    # the truth: by class folders, by the numbers of rows, and by a table of paths
    for labelled in (sides[1], _filled(run / "label_me.csv", tmp_path), _listed(sides[1], tmp_path)):
        truth = json.loads(command("verify", run, labelled, "--json").stdout)
        right = predicted["prediction"] == predicted["file"].str.split("/").str[-2]
        base = next(r for r in truth["rows"] if r["method"] == "coral")
        if truth["n"] == 42:
            assert base["value"] == pytest.approx(right.mean())
    for lang, said in (("en", "Most out of distribution"), ("zh", "最偏离分布")):
        page = run / f"report.{lang}.html"
        command("report", run, "--lang", lang, "-o", page)
        assert said in page.read_text("utf8") and page.read_text("utf8").count("data:image/jpeg;base64,/9j/") > 20


def test_a_net_that_saw_the_sources_images_is_adapted_to_a_folder_without_them(sides, tmp_path):
    before, after = tmp_path / "with", tmp_path / "without"
    command("adapt", *sides, "--method", "erm", "--budget", "5s", "-o", before)
    command("adapt", "--model", before, sides[1], "--method", "shot", "-o", after)
    files = find_images(sides[1]).files
    predicted = pd.read_csv(after / "predictions.csv")
    assert len(predicted) == len(files)
    assert command("verify", after, sides[1]).output
    command("predict", after, sides[1], "-o", tmp_path / "told.csv")
    assert (pd.read_csv(tmp_path / "told.csv")["prediction"] == predicted["prediction"]).all()


def test_the_gallery_shows_what_it_says(sides):
    rng = np.random.default_rng(3)
    strange = sides[1] / "plain" / "strange.png"
    Image.fromarray(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(strange)
    task = Task.from_files(*sides)
    run = adapt(task, method="coral", budget=2.0)
    shown, thumbnails = run.record.images.gallery, run.found.arrays["thumbnails"]
    model, Xt = run.found.models[run.verdict.model], run.found.encoder.transform(task.target)
    sure = model.predict_proba(Xt).max(axis=1)
    assert shown.shifted[0].file == str(strange)
    assert [p.value for p in shown.sure] == sorted(sure, reverse=True)[:8]
    assert [p.value for p in shown.unsure] == sorted(sure)[:8]
    predicted = dict(zip(task.images.target, run.predict(task.target), strict=True))
    kind = dict(zip(task.images.source, task.labels, strict=True))
    assert [c.name for c in shown.classes] == ["across", "down", "plain"]
    for line in shown.classes:
        assert {kind[p.file] for p in line.source} == {line.name}
        assert {predicted[p.file] for p in line.target} <= {line.name}
    for part in (*shown.sure, *shown.classes[0].source):
        assert bytes(thumbnails[part.thumbnail]) == thumbnail(part.file, 96)


def test_images_that_are_gone_leave_the_report_whole(sides, monkeypatch):
    task = Task.from_files(*sides)
    for file in task.images.target[:30]:
        os.unlink(file)
    run = adapt(task, method="coral", budget=2.0)
    left = [p.file for p in run.record.images.gallery.sure]
    assert set(left) <= set(task.images.target[30:]) and "<h2>The images" in run.report()


def _filled(label_me, tmp_path):
    table = pd.read_csv(label_me)
    table["class"] = table["file"].str.split("/").str[-2]
    table.head(20).to_csv(tmp_path / "filled.csv", index=False)
    return tmp_path / "filled.csv"


def _listed(folder, tmp_path):
    table = find_images(folder).table.rename(columns={"file": "image"})
    table.to_csv(tmp_path / "listed.csv", index=False)
    return tmp_path / "listed.csv"


def test_known_target_labels_may_name_files(sides, tmp_path):
    found = find_images(sides[1]).table
    found.iloc[[5, 20, 40]].to_csv(tmp_path / "few.csv", index=False)
    task = Task.from_files(sides[0], sides[1], target_labels=tmp_path / "few.csv")
    assert task.truth.to_dict() == found["class"].iloc[[5, 20, 40]].to_dict()
    found.iloc[[5]].assign(file="elsewhere.png").to_csv(tmp_path / "wrong.csv", index=False)
    with pytest.raises(ValueError, match="have no row number"):
        Task.from_files(sides[0], sides[1], target_labels=tmp_path / "wrong.csv")


def test_a_run_refuses_other_weights_and_absent_backbones(sides, tmp_path, monkeypatch):
    run = adapt(Task.from_files(*sides), method="coral", budget=2.0)
    run.save(tmp_path / "run")
    loaded = load_run(tmp_path / "run")
    provider.provides(NAME, "images")(lambda weights=None: tiny(seed=3))
    with pytest.raises(ValueError, match="other weights"):
        loaded.predict_file(sides[1], tmp_path / "p.csv")
    del provider.PROVIDERS[NAME]
    with pytest.raises(ValueError, match=f"no backbone '{NAME}'"):
        loaded.verify(sides[1])


def test_tables_are_read_without_torch(tmp_path):
    rows = "".join(f"{i},{i * i % 7},{'yes' if i % 2 else 'no'}\n" for i in range(40))
    for side in "AB":
        (tmp_path / f"{side}.csv").write_text("a,b,y\n" + rows, encoding="utf8")
    code = (
        "import sys\nfrom transfermap.tasks.task import Task\nTask.from_files('A.csv', 'B.csv', label='y')\n"
        "print([m for m in ('torch', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_broken_torchvision_or_timm_leaves_the_rest_working(sides, tmp_path):
    broken = {"torchvision": "raise RuntimeError('operator torchvision::nms does not exist')", "timm": "x = 1"}
    for package, content in broken.items():
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(content, encoding="utf8")
    code = (
        "import sys, json\nsys.path.insert(0, sys.argv[1])\n"
        "from typer.testing import CliRunner\nfrom transfermap.deep.pretrained import backbones, provider\n"
        "from small_images import tiny\n"
        "backbones.providers()\nprovider.provides('tiny-net', 'images')(tiny)\n"
        "from transfermap.cli.app import app\n"
        "for name in ('tiny-net', 'torchvision:resnet18', 'timm:resnet18'):\n"
        "    done = CliRunner().invoke(app, ['check', *sys.argv[2:], '--backbone', name, '--json'])\n"
        "    print(json.dumps([done.exit_code, done.stdout, done.stderr]))\n"
    )
    at = str(small_images.__file__).rsplit("/", 1)[0]
    done = subprocess.run(
        [sys.executable, "-c", code, at, *map(str, sides)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    fine, *failed = map(json.loads, done.stdout.splitlines())
    assert fine[0] == 0 and json.loads(fine[1])["task"]["n_source"] == 42
    for code, _, words in failed:
        words = " ".join(words.split())
        assert code == 2 and "could not be loaded" in words and "pip install 'transfermap[vision]'" in words
