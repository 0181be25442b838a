"""Deep methods that do not predict: they train without labels, move or make rows, are kept, and go on where cut off."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from tiny_roles import TinyCycle, TinyGAN

from transfermap.adapted import Adapted
from transfermap.deep.estimators import DeepClassifier
from transfermap.runs import model_file
from transfermap.split import Reads

HOW = {"steps": 300, "lr": 5e-3, "optimizer": "adam-gan", "schedule": "linear"}


def two_domains(n=150, seed=0):
    """A blob at 0, and the same turned, stretched and moved away; labels by the first column of what they came from."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(2 * n, 2))
    X = Z.copy()
    X[n:] = Z[n:] * [2.0, 0.5] + [4.0, -3.0]
    return X, (Z[:, 0] > 0).astype(int), np.repeat([1, -1], n)


@pytest.mark.parametrize("y", [None, "nan", "labels"])
def test_a_cycle_gan_of_twenty_lines_trains_without_labels(y):
    X, labels, d = two_domains()
    given = {None: None, "nan": np.full(len(X), np.nan), "labels": labels}[y]
    fitted = TinyCycle(**HOW).fit(X, given, sample_domain=d)
    assert set(fitted.history_[0]) == {"step", "seconds", "ds", "dt", "cycle", "g"}
    Z = fitted.transform(X, sample_domain=d)
    np.testing.assert_array_equal(Z[d < 0], X[d < 0])
    before, after = (abs(rows[d > 0].mean(0) - X[d < 0].mean(0)).max() for rows in (X, Z))
    assert after < 0.5 < 3 < before
    # what no loss reads moves nothing
    np.testing.assert_array_equal(Z, TinyCycle(**HOW).fit(X, sample_domain=d).transform(X, sample_domain=d))


def test_it_stands_in_front_of_an_estimator():
    X, y, d = two_domains()
    model = Adapted(TinyCycle(steps=30), LogisticRegression()).fit(X, y, sample_domain=d)
    assert model.predict(X[d < 0]).shape == (150,)


def test_rows_made_are_of_the_seed_and_look_like_the_target():
    X, _, d = two_domains()
    fitted = TinyGAN(steps=400, batch_size=50).fit(X, sample_domain=d)
    made = fitted.sample(500, seed=3)
    assert made.shape == (500, 2) and np.isfinite(made).all()
    np.testing.assert_array_equal(made, fitted.sample(500, seed=3))
    assert not np.array_equal(made, fitted.sample(500, seed=4))
    assert abs(made.mean(0) - X[d < 0].mean(0)).max() < 0.7
    assert 0.4 < made[:, 0].std() / made[:, 1].std() / 4 < 2
    with pytest.raises(ValueError, match="makes rows of: target"):
        fitted.sample(5, domain="source")


@pytest.mark.parametrize(
    ("method", "at"), [(TinyCycle(steps=12, batch_size=16), 6), (TinyGAN(steps=12, batch_size=16), 19)]
)
def test_killed_and_resumed_it_ends_with_the_same_weights(method, at, tmp_path, monkeypatch):
    X, _, d = two_domains(40)
    whole = clone(method).set_params(every=1).fit(X, sample_domain=d)
    file = tmp_path / "run.safetensors"
    cut = clone(method).set_params(every=1, checkpoint=file)
    judged, calls = type(method).judge, []

    def killed(self, m, batches, progress):
        calls.append(progress)
        if len(calls) > at:
            raise KeyboardInterrupt
        return judged(self, m, batches, progress)

    with monkeypatch.context() as patch:
        patch.setattr(type(method), "judge", killed)
        with pytest.raises(KeyboardInterrupt):
            cut.fit(X, sample_domain=d)
    torch.manual_seed(99)
    moved = file.rename(tmp_path / "elsewhere")
    resumed = clone(cut).set_params(checkpoint=moved).fit(X, sample_domain=d)
    for name, value in whole.modules_.state_dict().items():
        assert torch.equal(value, resumed.modules_.state_dict()[name]), name
    assert [h["step"] for h in resumed.history_] == list(range(12))


def test_the_settings_are_hyper_parameters_and_are_checked():
    X, _, d = two_domains(20)
    for params, says in (
        ({"steps": 0}, "steps must be a whole number >= 1"),
        ({"optimizer": "lion"}, "optimizer must be one of"),
        ({"batch_size": 2.5}, "batch_size must be a whole number >= 2"),
        ({"device": "cuda:99"}, "no device"),
    ):
        with pytest.raises(ValueError, match=says):
            TinyCycle(**params).fit(X, sample_domain=d)
    assert {"steps", "lr", "random_state", "checkpoint"} <= set(TinyGAN().get_params())


def test_a_loss_that_reads_labels_which_its_method_does_not_is_told_so():
    from transfermap.deep.training.objective import source_loss

    class Careless(TinyCycle):
        def judge(self, m, batches, progress):
            return {"source": source_loss(m["ds"](batches["source"].x), batches["source"].y)}

    class Careful(Careless):
        reads = Reads("source")

    X, y, d = two_domains(20)
    with pytest.raises(ValueError, match="labels of rows that have none"):
        Careless(steps=2).fit(X, y, sample_domain=d)
    Careful(steps=2).fit(X, y.astype(float), sample_domain=d)
    with pytest.raises(ValueError, match="NaN"):
        Careful(steps=2).fit(X, np.full(len(X), np.nan), sample_domain=d)


def test_what_does_not_predict_has_no_place_in_a_classifier():
    X, y, d = two_domains(20)
    with pytest.raises(ValueError, match="objective must be a deep method, such as DANN"):
        DeepClassifier(TinyGAN(), steps=2).fit(X, y, sample_domain=d)


@pytest.mark.parametrize("method", [TinyCycle(steps=5), TinyGAN(steps=5)])
def test_saved_without_pickle_and_loaded_it_answers_the_same(method, tmp_path, monkeypatch):
    X, _, d = two_domains(20)
    fitted = clone(method).fit(X, sample_domain=d)
    kind = f"{type(method).__module__}.{type(method).__qualname__}"
    known = model_file.allowed()
    monkeypatch.setattr(model_file, "allowed", lambda: [*known, kind])
    model_file.save(fitted, tmp_path / "model")
    loaded = model_file.load(tmp_path / "model")
    if isinstance(method, TinyGAN):
        np.testing.assert_array_equal(loaded.sample(7, seed=1), fitted.sample(7, seed=1))
    else:
        np.testing.assert_array_equal(loaded.transform(X, sample_domain=d), fitted.transform(X, sample_domain=d))
        alone = np.concatenate([loaded.transform(row[None], sample_domain=[1]) for row in X[:9]])
        np.testing.assert_allclose(alone, loaded.transform(X[:9], sample_domain=np.ones(9, int)), rtol=1e-9, atol=1e-9)
        assert loaded.transform(X.astype(np.float32), sample_domain=d).dtype == np.float32


def test_its_parts_are_told_of_all_domains_and_its_batches_whose_rows_they_are():
    told = []

    class Several(TinyCycle):
        def parts(self, spec):
            told.append(spec)
            return super().parts(spec)

        def judge(self, m, batches, progress):
            for batch in batches.values():
                # the first column was made to hold the domain's number
                first = batch.x[:, 0]
                assert all(len(first[batch.domain == k].unique()) == 1 for k in batch.domain.unique())
            told.append({int(k) for batch in batches.values() for k in batch.domain.unique()})
            return super().judge(m, batches, progress)

    X, _, d = two_domains(60)
    d = np.where(d > 0, np.arange(120) % 3 + 4, -1 - np.arange(120) % 2)
    X[:, 0] = d
    Several(steps=3, batch_size=60).fit(X, sample_domain=d)
    spec, *seen = told
    assert (spec.shape, spec.outputs, spec.sources, spec.targets, spec.net) == ((2,), 0, 3, 2, None)
    assert seen == [{4, 5, 6, -1, -2}] * 3
