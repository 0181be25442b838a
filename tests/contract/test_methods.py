"""What every method promises, because it is in the folder: one check a promise, run over the registry."""

from __future__ import annotations

import inspect
import re
import warnings
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
from method_case import (
    ADAPT,
    BASELINES,
    baseline,
    data,
    data_for,
    each,
    enough,
    hidden,
    is_unknown,
    likewise,
    model,
    new,
    numeric,
    outputs,
    scores,
    unknown,
)
from scipy import sparse
from side_information import self_told, told
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from transfermap.adapted import Adapted
from transfermap.card import find, keys
from transfermap.deep.learner import DeepLearner
from transfermap.roles import Adapter, Generator, Learner, Weigher
from transfermap.runs.model_file import load, save

HERE = Path(__file__).parents[1]
# the only check that scikit-learn does not run: it asks for an environment variable that nothing else here needs
SKIPPED = {"check_array_api_input"}

# 1. scikit-learn's own checks


@each
@pytest.mark.parametrize("after", [None, LogisticRegression(), Ridge()], ids=["bare", "classifier", "regressor"])
def test_scikit_learns_checks_pass(key, after):
    if after is not None and issubclass(find(key), DeepLearner) and key != "erm":
        pytest.skip("in front of an estimator all nets go the same way, which erm shows")
    misfit = after is not None and ("regression" if isinstance(after, Ridge) else "classification")
    if misfit and misfit not in find(key).card.tasks:
        X, y, d = data()
        with pytest.raises(ValueError, match="predicts numbers" if numeric(key) else "needs classes"):
            Adapted(new(key), after).fit(X, y, **told(key, X, y, d))
        return
    whole = new(key) if after is None else Adapted(new(key), after)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks fit on noise: estimators may say that they did not converge
        results = check_estimator(self_told(whole), on_fail=None, on_skip=None)
    assert {r["check_name"] for r in results if r["status"] == "skipped"} <= SKIPPED
    assert [(r["check_name"], r["exception"]) for r in results if r["status"] not in ("passed", "skipped")] == []
    assert len(results) > 40


# 2. inputs and hyper-parameters stay as they are; a second fit is a fresh one


@each
def test_inputs_and_params_are_not_touched(key):
    X, y, d = data_for(key)
    before, m = (X.copy(), y.copy(), d.copy()), model(key)
    params = m.get_params()
    for array in (X, y, d):
        array.setflags(write=False)
    m.fit(X, y, **told(key, X, y, d)).predict(X)
    new(key).fit(X, y, **told(key, X, y, d))
    assert all(np.array_equal(a, b) for a, b in zip(before, (X, y, d), strict=True))
    assert repr(m.get_params()) == repr(params)


@each
def test_fitting_again_is_fitting_anew(key):
    X, y, d = data_for(key)
    other = data_for(key, "site_offsets", n=30, seed=3)
    m = model(key)
    m.fit(*other[:2], **told(key, *other))
    np.testing.assert_array_equal(scores(m, X, y, d, X), scores(model(key), X, y, d, X))


# 3. target labels do not exist for it


@each
@pytest.mark.parametrize("mask", ["flipped", "minus one", "nan", "none"])
def test_target_labels_cannot_move_the_prediction(key, mask):
    X, y, d = data_for(key, "class_shift")
    if find(key).reads.target and (mask == "flipped" or (mask == "minus one" and numeric(key))):
        pytest.skip("learns of those target labels that it is given, and -1 is one where numbers are learnt")
    straight = hidden(key, y, d)
    t = (d < 0) & is_unknown(straight)
    masked = straight.astype({"none": object, "nan": float}.get(mask, straight.dtype))
    masked[t] = {"flipped": 1 - y[t], "minus one": -1, "nan": np.nan, "none": None}[mask]
    np.testing.assert_array_equal(scores(model(key), X, masked, d, X), scores(model(key), X, straight, d, X))


@pytest.mark.parametrize("key", [k for k in ADAPT if find(k).reads.target])
def test_known_target_labels_are_asked_for_and_read(key):
    X, y, d = data_for(key, "class_shift")
    with pytest.raises(ValueError, match="no target row has a label"):
        model(key).fit(X, np.where(d > 0, y, unknown(key)), **told(key, X, y, d))
    if numeric(key):
        y[d > 0] = np.where(y[d > 0] < 0, -1.0, y[d > 0])  # a number like any other
        assert np.isfinite(scores(model(key), X, y, d, X)).all()
    else:
        with pytest.raises(ValueError, match="also a class"):
            model(key).fit(X, 2 * y - 1, **told(key, X, y, d))
    seen = hidden(key, y, d)
    flipped = np.where((d < 0) & ~is_unknown(seen), 1 - seen, seen)
    assert not np.allclose(scores(model(key), X, seen, d, X), scores(model(key), X, flipped, d, X))


@each
def test_string_labels_give_what_numbers_give(key):
    X, y, d = data_for(key, "class_shift")
    y = hidden(key, y, d)
    named = np.where(y == 1, "yes", "no").astype(object)
    named[is_unknown(y)] = None
    if numeric(key):
        with pytest.raises(ValueError, match="predicts numbers; got labels such as"):
            model(key).fit(X, named, **told(key, X, named, d))
        return
    np.testing.assert_array_equal(scores(model(key), X, named, d, X), scores(model(key), X, y, d, X))


# 4. neutral values


@pytest.mark.parametrize("key", [k for k in ADAPT if find(k).card.neutral])
def test_neutral_values_are_exactly_source_only(key):
    X, y, d = data_for(key, "covariate_shift")
    neutral = model(key, **find(key).card.neutral)
    plain = model(baseline(key), **likewise(key))
    np.testing.assert_array_equal(scores(neutral, X, y, d, X), scores(plain, X, y, d, X))


# 5. order of rows; seeds


@each
def test_the_order_of_rows_does_not_matter(key):
    X, y, d = data_for(key, "site_offsets")
    mixed = np.random.default_rng(7).permutation(len(X))
    straight = scores(model(key), X, y, d, X)
    np.testing.assert_allclose(scores(model(key), X[mixed], y[mixed], d[mixed], X), straight, atol=1e-6, rtol=1e-6)


@each
def test_each_row_comes_back_at_its_place(key):
    X, y, d = data_for(key, "site_offsets")
    m = new(key).fit(X, y, **told(key, X, y, d))
    if isinstance(m, Weigher):
        alone = new(key).fit(*(np.r_[a[d > 0], a[d < 0]] for a in (X, y)), sample_domain=np.sort(d)[::-1])
        np.testing.assert_allclose(m.weights_, alone.weights_, atol=1e-9)
        assert m.weights_.shape == ((d > 0).sum(),)
        assert (m.weights_ >= 0).all()
        assert m.weights_.mean() == pytest.approx(1)
        return
    if isinstance(m, Learner):
        np.testing.assert_allclose(m.predict(X)[::-1], m.predict(X[::-1]))
        return
    Z = m.transform(X, sample_domain=d)
    for side in (d > 0, d < 0):
        np.testing.assert_allclose(Z[side], m.transform(X[side], sample_domain=d[side]), atol=1e-9)
    np.testing.assert_allclose(Z[d < 0], m.transform(X[d < 0]), atol=1e-9)
    np.testing.assert_array_equal(new(key).fit_transform(X, y, **told(key, X, y, d)), Z)


@each
def test_the_same_seed_gives_the_same_bits(key):
    X, y, d = data_for(key, "class_shift", n=60)
    approximate = {"max_exact": 20, "landmarks": 30, "kernel": "rbf"}
    params = {name: v for name, v in approximate.items() if name in {f.name for f in fields(find(key))}}
    np.testing.assert_array_equal(scores(model(key, **params), X, y, d, X), scores(model(key, **params), X, y, d, X))


# 6. saving


@each
def test_saved_and_loaded_it_predicts_the_same(key, tmp_path):
    X, y, d = data_for(key, "site_offsets")
    fitted = model(key).fit(X, y, **told(key, X, y, d))
    save(fitted, tmp_path / "model.tmap")
    np.testing.assert_array_equal(outputs(load(tmp_path / "model.tmap"), X), outputs(fitted, X))


# 7. rows never seen


@each
def test_new_rows_one_at_a_time_or_together(key):
    X, y, d = data_for(key, "site_offsets")
    fitted = model(key).fit(X, y, **told(key, X, y, d))
    unseen = data("site_offsets", seed=5)[0][:15]
    alone = np.concatenate([outputs(fitted, row[None]) for row in unseen])
    np.testing.assert_allclose(alone, outputs(fitted, unseen), rtol=1e-9, atol=1e-9)


# kinds of tables


@each
def test_float32_stays_float32_and_agrees(key):
    X, y, d = data_for(key)
    small = new(key).fit(X.astype(np.float32), y, **told(key, X, y, d))
    big = new(key).fit(X.astype(np.float32).astype(float), y, **told(key, X, y, d))
    if isinstance(small, Weigher):
        np.testing.assert_allclose(small.weights_, big.weights_, atol=1e-3)
        return
    if isinstance(small, Learner):
        np.testing.assert_allclose(outputs(small, X.astype(np.float32)), outputs(big, X), atol=5e-3)
        return
    Z = small.transform(X.astype(np.float32), sample_domain=d)
    assert Z.dtype == np.float32
    assert big.transform(X, sample_domain=d).dtype == np.float64
    np.testing.assert_allclose(Z, big.transform(X, sample_domain=d), atol=1e-3)


@each
def test_a_frame_gives_what_an_array_gives(key):
    X, y, d = data_for(key)
    frame = pd.DataFrame(X, columns=list("abcd"), index=np.arange(len(X)) * 3)
    fitted = model(key).fit(frame, pd.Series(y), **told(key, X, y, d) | {"sample_domain": pd.Series(d)})
    assert list(fitted.feature_names_in_) == list("abcd")
    expected = scores(model(key), X, y, d, X)
    np.testing.assert_allclose(outputs(fitted, frame), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("key", [k for k in ADAPT if find(k).sparse_ok])
def test_sparse_gives_what_dense_gives(key):
    X, y, d = data_for(key, n=60)
    X = np.where(np.abs(X) > 0.8, X, 0)
    thin = scores(model(key), sparse.csr_matrix(X), y, d, sparse.csr_matrix(X))
    np.testing.assert_allclose(thin, scores(model(key), X, y, d, X), atol=0.05)


@pytest.mark.parametrize("key", [k for k in ADAPT if not find(k).sparse_ok])
def test_sparse_is_refused_where_it_cannot_be(key):
    X, y, d = data_for(key)
    with pytest.raises((ValueError, TypeError), match=r"[Ss]parse"):
        new(key).fit(sparse.csr_matrix(X), y, **told(key, X, y, d))


# 8. bad and thin input


def broken(key):
    X, y, d = data_for(key)
    with_nan, with_inf = X.copy(), X.copy()
    with_nan[3, 1], with_inf[3, 1] = np.nan, np.inf
    return {
        "nan": (with_nan, y, d, "NaN"),
        "inf": (with_inf, y, d, "infinity"),
        "one class": (X, np.zeros(len(X), int), d, "1 class"),
        "no target": (X, y, np.abs(d), "target"),
        "no source": (X, y, -np.abs(d), "source"),
        "one target row": (X[d > 0].repeat(2, 0)[:41], y[:41], np.r_[np.ones(40, int), -1], "at least 2"),
        "3-D": (X[:, :, None], y, d, "dim"),
        "1-D": (X[:, 0], y, d, "2D"),
        "empty": (X[:0], y[:0], d[:0], "sample"),
        "no columns": (X[:, :0], y, d, "feature"),
        "one row": (X[:1], y[:1], d[:1], "sample"),
        "short y": (X, y[:-1], d, "inconsistent"),
        "short domain": (X, y, d[:-1], "sample_domain"),
        "words for domains": (X, y, np.where(d > 0, "a", "b"), "sample_domain"),
        "words in X": (X.astype(str).astype(object) + "x", y, d, "float"),
        "missing source label": (X, np.where(d > 0, np.nan, y), d, "NaN"),
    }


@each
@pytest.mark.parametrize("case", list(broken("sourceonly")))
def test_bad_input_is_refused_with_a_sentence(key, case):
    X, y, d, says = broken(key)[case]
    if case == "one class" and numeric(key):
        assert model(key).fit(X, y, **told(key, X, y, d)).predict(X) == pytest.approx(y)
        return
    with pytest.raises(ValueError, match=says):
        model(key).fit(X, y, **told(key, X, y, d))


@each
def test_the_wrong_width_is_refused(key):
    X, y, d = data_for(key)
    for fitted in (model(key).fit(X, y, **told(key, X, y, d)), new(key).fit(X, y, **told(key, X, y, d))):
        act = getattr(fitted, "predict", None) or getattr(fitted, "transform", None)
        if act:
            with pytest.raises(ValueError, match="expecting 4 features"):
                act(X[:, :3])


def bad_params():
    for key in ADAPT:
        for f in fields(find(key)):
            if f.metadata.get("choices"):
                yield key, f.name, "no such choice"
            elif f.metadata["low"] is not None or f.metadata["above"] is not None:
                bound = f.metadata["low"] if f.metadata["low"] is not None else f.metadata["above"]
                yield key, f.name, bound - 1
                yield key, f.name, "many"


@pytest.mark.parametrize(("key", "name", "value"), list(bad_params()))
def test_a_param_out_of_bounds_is_refused(key, name, value):
    X, y, d = data_for(key)
    for m in (find(key)(**{name: value}), model(key, **{name: value})):
        with pytest.raises(ValueError, match=f"{name} must be"):
            m.fit(X, y, **told(key, X, y, d))


@pytest.mark.parametrize("key", keys())
def test_every_param_has_bounds(key):
    assert all(f.metadata for f in fields(find(key)))


@each
@pytest.mark.parametrize(
    "case", ["constant column", "constant large column", "all constant", "two rows", "wide", "twins"]
)
def test_thin_data_works(key, case):
    X, y, d = data_for(key)
    if case == "constant column":
        X[:, 2] = 5
    elif case == "constant large column":
        X[:, 2] = 1e6 + 0.1
    elif case == "all constant":
        X[:] = 1
    elif case == "two rows":
        X, y, d = X[:4], np.array([0, 1, 0, 1]), np.array([1, 1, -1, -1])
    elif case == "wide":
        X = np.random.default_rng(0).normal(size=(len(X), 200))
    elif case == "twins":
        X, y, d = X.repeat(2, 0), y.repeat(2), d.repeat(2)
    fitted = model(key).fit(X, y, **told(key, X, y, d))
    assert np.isfinite(outputs(fitted, X)).all()


# 10. what it says of itself


@pytest.mark.parametrize("key", keys())
def test_card_and_docstring_are_complete(key):
    cls, card, doc = find(key), find(key).card, inspect.getdoc(find(key))
    assert cls.__name__.lower() == key == card.key == Path(inspect.getfile(cls)).stem
    for part in ("name", "objective", "steps", "solver", "cost", "assumes", "fails_when", "reference", "doi"):
        assert getattr(card, part), part
    assert re.fullmatch(r"10\.\d{4,}/\S+|https://\S+", card.doi)
    assert card.toy or key in BASELINES
    for f in fields(cls):
        assert f"\n{f.name} : " in doc, f.name
        written = re.search(rf"\n{f.name} : .*default=(\S+)\n", doc)
        assert written, f"{f.name} has no default"
        assert written[1].strip('"') == str(f.default)
    for part in (".. math::", "Fails ", ">>> ", "References\n", card.doi):
        assert part in doc, part
    assert issubclass(cls, (Adapter, Weigher, Learner, Generator))
    told_so = {"": set(), "pairs": {"paired rows"}, "attributes": {"class attributes"}}[cls.reads.side]
    told_so |= {"target labels"} if cls.reads.target else set()
    assert {need for need in card.needs if need in ("target labels", "paired rows", "class attributes")} == told_so
    assert (HERE / "oracles" / f"test_{key}.py").is_file()


# with scikit-learn's tools


@each
@pytest.mark.parametrize("routing", [False, True], ids=["routing off", "routing on"])
def test_it_works_in_pipelines_and_searches(key, routing):
    X, y, d = data_for(key, n=30)
    bare = Adapted(new(key), Ridge() if numeric(key) else LogisticRegression())
    penalty = "alpha" if numeric(key) else "C"
    with sklearn.config_context(enable_metadata_routing=routing):
        piped = make_pipeline(StandardScaler(), clone(bare))
        given = told(key, X, y, d)
        named = given if routing else {f"adapted__{name}": value for name, value in given.items()}
        expected = clone(bare).fit(StandardScaler().fit_transform(X), y, **told(key, X, y, d))
        np.testing.assert_array_equal(
            piped.fit(X, y, **named).predict(X), expected.predict(StandardScaler().fit_transform(X))
        )
        folds = list(StratifiedKFold(2).split(X, (d > 0) * 2 + (y > y.mean())))
        search = GridSearchCV(piped, {f"adapted__estimator__{penalty}": [0.1, 1.0]}, cv=folds, error_score="raise")
        assert np.isfinite(search.fit(X, y, **named).best_score_)
        found = cross_validate(bare, X, y, cv=folds, params=given, error_score="raise")
        assert np.isfinite(found["test_score"]).all()


@each
def test_several_sources(key):
    X, y, d = data_for(key, n=60)
    d = np.where(d > 0, np.arange(len(d)) % 3 + 5, -2)
    fitted = model(key).fit(X, y, **told(key, X, y, d))
    assert fitted.score(X[d < 0], y[d < 0]) > enough(key)


@each
def test_without_domains_every_row_is_both(key):
    X, y, _ = data_for(key, n=60)
    assert model(key).fit(X, y, **told(key, X, y)).score(X, y) > enough(key)
