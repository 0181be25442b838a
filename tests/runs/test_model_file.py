"""Model files: what is saved comes back; what is hostile, foreign or damaged is refused in one sentence."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree._tree import Tree

import transfermap.runs.model_file as tio
from transfermap.adapted import Adapted
from transfermap.card import find
from transfermap.runs.model_file import load, open_model, save, whole_file
from transfermap.verdict.named_estimators import estimator


def toy(n=80):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3))
    return X, (X[:, 0] > 0).astype(int), np.r_[np.ones(n // 2, int), -np.ones(n - n // 2, int)]


@pytest.fixture
def file(tmp_path):
    X, y, d = toy()
    save(Adapted(find("coral")(), LogisticRegression()).fit(X, y, sample_domain=d), tmp_path / "m.tmap")
    return tmp_path / "m.tmap"


@pytest.mark.parametrize("name", ["logistic", "forest", "boosting", "svm", "knn"])
def test_every_named_classifier_comes_back(tmp_path, name):
    X, y, d = toy()
    y = np.array(["a", "b"])[y]
    model = Adapted(find("coral")(), estimator(name, "classification")).fit(X, y, sample_domain=d)
    save(model, tmp_path / "m.tmap")
    np.testing.assert_array_equal(load(tmp_path / "m.tmap").predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("name", ["ridge", "forest", "boosting", "svm", "knn"])
def test_every_named_regressor_comes_back(tmp_path, name):
    X, _, d = toy()
    model = Adapted(find("coral")(), estimator(name, "regression")).fit(X, X[:, 0], sample_domain=d)
    save(model, tmp_path / "m.tmap")
    np.testing.assert_array_equal(load(tmp_path / "m.tmap").predict(X), model.predict(X))


def test_the_manifest_says_versions_and_what_was_added(tmp_path):
    save({"a": np.arange(3)}, tmp_path / "m.tmap", columns=["x", "长"])
    model, manifest = open_model(tmp_path / "m.tmap")
    assert model["a"].tolist() == [0, 1, 2]
    assert manifest["columns"] == ["x", "长"]
    assert {"transfermap", "python", "numpy", "scikit-learn"} <= set(manifest["versions"])


class Bomb:
    def __reduce__(self):
        return os.system, ("touch exploded",)


class Foreign:
    """A class of somebody else's."""

    def __init__(self):
        self.a = 1


def test_what_could_not_be_loaded_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match="types that a model file may not hold.*Foreign"):
        save(Foreign(), tmp_path / "m.tmap")
    assert list(tmp_path.iterdir()) == []


def test_a_pickled_bomb_is_refused_and_does_not_go_off(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("m.tmap").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="no model file"):
        load("m.tmap")
    assert not Path("exploded").exists()


def rebuilt(path: Path, schema: dict) -> None:
    """A model file whose skops part says ``schema``, with a manifest that vouches for it."""
    part = io.BytesIO()
    with zipfile.ZipFile(part, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    manifest = {
        "kind": "transfermap-model",
        "format": tio.FORMAT,
        "sha256": tio.hashlib.sha256(part.getvalue()).hexdigest(),
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr("model.skops", part.getvalue())


@pytest.mark.parametrize(
    ("module", "name"), [("posix", "system"), ("builtins", "eval"), ("subprocess", "Popen"), ("os", "remove")]
)
def test_a_bomb_made_for_our_own_format_is_refused(tmp_path, monkeypatch, module, name):
    monkeypatch.chdir(tmp_path)
    content = {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "__id__": 2, "content": []}
    node = {"__class__": name, "__module__": module, "__loader__": "ObjectNode", "__id__": 1, "content": content}
    rebuilt(tmp_path / "m.tmap", node | {"protocol": 2, "_skops_version": "0.16.0"})
    with pytest.raises(ValueError, match=r"may not hold|cannot be r"):
        load(tmp_path / "m.tmap")
    node["__loader__"] = "FunctionNode"
    rebuilt(tmp_path / "m.tmap", node | {"protocol": 2, "_skops_version": "0.16.0"})
    with pytest.raises(ValueError, match=r"may not hold|cannot be r"):
        load(tmp_path / "m.tmap")


def test_damaged_files_get_one_sentence(file):
    whole = file.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 5):
        file.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="no model file"):
            load(file)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    file.write_bytes(bytes(flipped))
    with pytest.raises(ValueError, match="damaged|no model file"):
        load(file)


def change_manifest(file: Path, **changes) -> None:
    with zipfile.ZipFile(file) as archive:
        manifest, data = json.loads(archive.read("manifest.json")), archive.read("model.skops")
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest | changes))
        archive.writestr("model.skops", data)


def test_foreign_newer_and_forged_files_get_one_sentence(file):
    change_manifest(file, format=99)
    with pytest.raises(ValueError, match="format 99.*install a newer one"):
        load(file)
    change_manifest(file, format=tio.FORMAT, sha256="0" * 64)
    with pytest.raises(ValueError, match="checksum"):
        load(file)
    change_manifest(file, kind="other")
    with pytest.raises(ValueError, match="does not say 'transfermap-model'"):
        load(file)
    with pytest.raises(ValueError, match="is a folder"):
        load(file.parent)
    with pytest.raises(ValueError, match="there is no file"):
        load(file.parent / "none.tmap")


def test_trees_whose_branches_lead_outside_are_refused():
    X, y, _ = toy()
    forest = RandomForestClassifier(2, random_state=0).fit(X, y)
    tio._check_trees({"models": [forest]})
    state = forest.estimators_[0].tree_.__getstate__()
    state["nodes"] = state["nodes"].copy()
    state["nodes"]["left_child"][0] = 10**6
    tree = Tree(3, np.array([2]), 1)
    tree.__setstate__(state)
    forest.estimators_[0].tree_ = tree
    with pytest.raises(ValueError, match="decision tree in it is not sound"):
        tio._check_trees({"models": [forest]})


def test_boosted_trees_whose_branches_lead_outside_are_refused():
    X, y, _ = toy()
    model = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=5).fit(X, y)
    tio._check_trees(model)
    model._predictors[0][0].nodes["feature_idx"][0] = 99
    with pytest.raises(ValueError, match="boosted tree in it is not sound"):
        tio._check_trees(model)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old", encoding="utf8")

    def write_and_fail():
        with whole_file(path) as part:
            part.write_text("half", encoding="utf8")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert path.read_text(encoding="utf8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    with pytest.raises(ValueError, match="is a folder"), whole_file(tmp_path):
        pass
    with pytest.raises(ValueError, match="there is no folder"), whole_file(tmp_path / "no" / "a"):
        pass
