"""Predictions: in the rows' precision, on the device, from a copy of the weights that is made once and never stale."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from transfermap.card import find
from transfermap.deep.estimators import DeepClassifier
from transfermap.deep.training import predictor
from transfermap.deep.training.predictor import Predictor


def net():
    torch.manual_seed(0)
    features = nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.ReLU())
    return nn.ModuleDict({"features": features, "head": nn.Linear(7, 3), "other": nn.Linear(7, 2)}).eval()


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(1500, 5))


@pytest.fixture
def copies(monkeypatch):
    """How often a module has been copied."""
    made = []

    def counted(module):
        made.append(module)
        return copy.deepcopy(module)

    monkeypatch.setattr(predictor, "copy", SimpleNamespace(deepcopy=counted))
    return made


def by_hand(modules, X, head="head"):
    double = copy.deepcopy(modules).double()
    with torch.no_grad():
        return double[head](double["features"](torch.from_numpy(X))).numpy()


def test_float64_rows_are_computed_in_float64_alone_as_in_a_batch(rows):
    modules = net()
    predict = Predictor(modules, "cpu")
    together = predict(rows, ("features", "head"))
    assert together.dtype == np.float64
    np.testing.assert_allclose(together, by_hand(modules, rows), rtol=1e-12, atol=1e-12)
    alone = np.concatenate([predict(row[None], ("features", "head")) for row in rows[:20]])
    np.testing.assert_allclose(alone, together[:20], rtol=1e-12, atol=1e-12)
    assert all(p.dtype == torch.float32 for p in modules.parameters())


def test_each_module_is_copied_once_and_anew_only_when_its_weights_have_changed(rows, copies):
    modules = net()
    predict = Predictor(modules, "cpu")
    for _ in range(5):
        predict(rows, ("features", "head"))
        predict(rows, ("features", "other"))
    assert len(copies) == 3
    with torch.no_grad():
        modules["head"].weight += 1
    changed = predict(rows, ("features", "head"))
    assert len(copies) == 4
    np.testing.assert_allclose(changed, by_hand(modules, rows))
    modules.load_state_dict({k: v + 0.5 for k, v in modules.state_dict().items()})
    np.testing.assert_allclose(predict(rows, ("features", "head")), by_hand(modules, rows))
    modules["features"][1].running_mean += 2
    np.testing.assert_allclose(predict(rows, ("features", "head")), by_hand(modules, rows))
    modules["head"] = nn.Linear(7, 3)
    np.testing.assert_allclose(predict(rows, ("features", "head")), by_hand(modules, rows))


def test_float32_rows_need_no_copy(rows, copies):
    modules = net()
    out = Predictor(modules, "cpu")(rows.astype(np.float32), ("features", "head"))
    assert out.dtype == np.float32 and not copies
    np.testing.assert_allclose(out, by_hand(modules, rows), atol=1e-5)


def test_where_the_device_of_the_training_is_not_there_the_cpu_predicts(rows):
    modules = net()
    out = Predictor(modules, "cuda:99")(rows, ("features",))
    np.testing.assert_array_equal(out, Predictor(modules, "cpu")(rows, ("features",)))


def test_an_estimator_sees_weights_that_were_put_into_its_net(rows):
    y, d = np.tile([0, 1], 750), np.repeat([1, -1], 750)
    fitted = DeepClassifier(find("erm")(), steps=2).fit(rows, y, sample_domain=d)
    before = fitted.decision_function(rows)
    with torch.no_grad():
        fitted.modules_["head"].bias[1] += 3
    np.testing.assert_allclose(fitted.decision_function(rows), before + 3, atol=1e-6)
    fitted.modules_ = copy.deepcopy(fitted.modules_)
    with torch.no_grad():
        fitted.modules_["head"].bias[1] -= 3
    np.testing.assert_allclose(fitted.decision_function(rows), before, atol=1e-6)
