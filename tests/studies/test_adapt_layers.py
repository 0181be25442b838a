"""The sweep over layers: one row a choice, scores that read no target label, and one that says so where it does."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from transfermap.card import find
from transfermap.data.toy import make_toy
from transfermap.deep.estimators import DeepClassifier, DeepRegressor
from transfermap.report.plots.layer_plot import layer_plot
from transfermap.studies.adapt_layers import layer_names, where_to_adapt


def rows(task="classification", n=100):
    toy = make_toy("mean_shift_nuisance", n=n, seed=0, task=task)
    X, d = np.r_[toy.Xs, toy.Xt], np.repeat([1, -1], n)
    hidden = np.full(n, -1 if task == "classification" else np.nan)
    return X, np.r_[toy.ys, hidden], d, toy.yt


def test_each_choice_is_trained_as_if_alone_and_the_table_can_be_drawn():
    X, y, d, truth = rows()
    model = DeepClassifier(find("dan")(), steps=60)
    table = where_to_adapt(model, X, y, sample_domain=d, target_labels=truth)
    assert list(table.index) == ["features.0", "features.2", "head", "features.0 + features.2 + head"]
    assert list(table.columns) == ["infomax", "snd", "corr_c", "oracle"]
    assert np.isfinite(table.to_numpy(float)).all()
    alone = clone(model).set_params(objective__layers="features.0").fit(X, y, sample_domain=d)
    assert table.loc["features.0", "oracle"] == alone.score(X[d < 0], truth)
    assert len(table.drop_duplicates()) == 4
    assert model.objective.layers == "features,head"


def test_the_heat_map_says_every_value_and_shades_each_score_by_itself(tmp_path):
    table = pd.DataFrame({"infomax": [0.1, 0.4, 0.2], "oracle": [90.0, 70.0, 80.0], "snd": 1.0}, index=["a", "b", "c"])
    figure = layer_plot(table)
    (ax,) = figure.axes
    assert [t.get_text() for t in ax.texts] == [f"{v:.3f}" for v in table.to_numpy().ravel()]
    np.testing.assert_allclose(ax.images[0].get_array(), [[0, 1, 0], [1, 0, 0], [1 / 3, 0.5, 0]])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b", "c"]
    figure.savefig(tmp_path / "heat.svg")
    with pytest.raises(ValueError, match="needs at least one"):
        layer_plot(table.head(0))


def test_without_target_labels_only_label_free_scores_are_given_and_choices_may_be_named():
    X, y, d, _ = rows()
    found = [
        where_to_adapt(
            DeepClassifier(find("jan")(), steps=20), X, given, sample_domain=d, layers=["features", ("features.0",)]
        )
        for given in (y, np.where(d > 0, y, 1))
    ]
    assert list(found[0].columns) == ["infomax", "snd", "corr_c"]
    assert found[0].equals(found[1])


def test_a_regressor_is_held_against_labels():
    X, y, d, truth = rows("regression")
    model = DeepRegressor(find("ddc")(), steps=20)
    with pytest.raises(ValueError, match="no label-free score"):
        where_to_adapt(model, X, y, sample_domain=d)
    table = where_to_adapt(model, X, y, sample_domain=d, target_labels=truth)
    assert list(table.columns) == ["oracle"] and len(table) == 4


def test_an_objective_without_layers_is_refused():
    X, y, d, _ = rows()
    with pytest.raises(ValueError, match="param layers"):
        where_to_adapt(DeepClassifier(find("jana")()), X, y, sample_domain=d)


def test_layers_of_a_net_for_images():
    names = layer_names("lenet", 256, 10)
    assert names == ("features.1", "features.4", "features.9", "head")
