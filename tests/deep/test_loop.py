"""The training loop: killed and resumed it is as never killed; nothing but target labels is missing from it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from transfermap.card import find, keys
from transfermap.data.toy import make_toy
from transfermap.deep.estimators import DeepClassifier, DeepRegressor
from transfermap.deep.learner import DeepLearner
from transfermap.deep.training.batch import Outputs
from transfermap.deep.training.batches import Stream
from transfermap.deep.training.engine import Engine
from transfermap.deep.training.objective import ramp, reverse

CPU = torch.device("cpu")


def toy(n=120, seed=0):
    t = make_toy("mean_shift_nuisance", n=n, seed=seed)
    return np.r_[t.Xs, t.Xt], np.r_[t.ys, np.full(n, -1)], np.repeat([1, -1], n), t


def weights(model):
    return {k: v.clone() for k, v in model.modules_.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


class Cut(Exception):
    """A kill."""


def cut_at(step):
    def tick(done, of):
        if done >= step:
            raise Cut

    return tick


@pytest.mark.parametrize("key", ["dann", "erm"])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_killed_anywhere_and_resumed_it_ends_with_the_same_weights(key, optimizer, tmp_path):
    X, y, d, _ = toy()
    params = {"steps": 40, "batch_size": 16, "optimizer": optimizer, "every": 1, "net": "mlp"}
    whole = DeepClassifier(find(key)(), **params).fit(X, y, sample_domain=d)
    for step in np.random.default_rng(0).choice(39, 5, replace=False) + 1:
        file = tmp_path / f"{step}.safetensors"
        with pytest.raises(Cut):
            DeepClassifier(find(key)(), **params, checkpoint=file, tick=cut_at(step + 1)).fit(X, y, sample_domain=d)
        torch.manual_seed(99)  # what else drew random numbers in between is of no consequence
        resumed = DeepClassifier(find(key)(), **params, checkpoint=file).fit(X, y, sample_domain=d)
        assert same(weights(resumed), weights(whole))
        assert [h["step"] for h in resumed.history_] == [h["step"] for h in whole.history_]


def test_dropout_and_chosen_states_are_resumed_too(tmp_path):
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 40)
    X = rng.random((80, 256)) + y[:, None] * 0.2
    d = np.repeat([1, -1], 40)
    params = {"net": "lenet", "steps": 12, "batch_size": 8, "every": 2, "select": "infomax"}
    whole = DeepClassifier(find("dann")(), **params).fit(X, y, sample_domain=d)
    file = tmp_path / "run.safetensors"
    with pytest.raises(Cut):
        DeepClassifier(find("dann")(), **params, checkpoint=file, tick=cut_at(8)).fit(X, y, sample_domain=d)
    resumed = DeepClassifier(find("dann")(), **params, checkpoint=file).fit(X, y, sample_domain=d)
    assert same(weights(resumed), weights(whole))
    assert resumed.chosen_step_ == whole.chosen_step_


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    X, y, d, _ = toy()
    file = tmp_path / "run.safetensors"
    DeepClassifier(find("dann")(), steps=4, every=2, checkpoint=file).fit(X, y, sample_domain=d)
    for other, what in (
        (DeepClassifier(find("dann")(width=32), steps=4, every=2, checkpoint=file), "objective"),
        (DeepClassifier(find("dann")(), steps=9, every=2, checkpoint=file), "plan"),
        (DeepClassifier(find("dann")(), steps=4, every=2, batch_size=8, checkpoint=file), "batch"),
    ):
        with pytest.raises(ValueError, match=f"another run: its {what}"):
            other.fit(X, y, sample_domain=d)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match="no checkpoint of a run, or it is damaged"):
        DeepClassifier(find("dann")(), steps=4, every=2, checkpoint=file).fit(X, y, sample_domain=d)


def test_a_checkpoint_that_cannot_be_written_says_so_and_loses_nothing(tmp_path):
    X, y, d, _ = toy()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ValueError, match="could not be written"):
        DeepClassifier(find("erm")(), steps=2, checkpoint=tmp_path / "file" / "run").fit(X, y, sample_domain=d)
    assert (tmp_path / "file").read_text() == "in the way"


def test_on_a_full_disk_the_last_checkpoint_stays_and_the_run_goes_on_from_it(tmp_path):
    resource = pytest.importorskip("resource")
    X, y, d, _ = toy(n=40)
    params = {"steps": 4, "every": 2}
    file = tmp_path / "run.safetensors"
    most, ignore = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def full(done, of):
        if done == 4:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size // 2, most[1]))

    try:
        with pytest.raises(ValueError, match="could not be written .*the last one is as it was"):
            DeepClassifier(find("dann")(), **params, checkpoint=file, tick=full).fit(X, y, sample_domain=d)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
        signal.signal(signal.SIGXFSZ, ignore)
    assert [p.name for p in tmp_path.iterdir()] == [file.name]
    steps = []
    goes_on = {"checkpoint": file, "tick": lambda done, of: steps.append(done)}
    resumed = DeepClassifier(find("dann")(), **params, **goes_on).fit(X, y, sample_domain=d)
    assert steps == [4]
    assert same(weights(resumed), weights(DeepClassifier(find("dann")(), **params).fit(X, y, sample_domain=d)))


def test_what_is_noted_is_asked_for_at_recorded_steps_only():
    X, y, d, _ = toy(n=40)
    model = DeepClassifier(Noting(), steps=400).fit(X, y, sample_domain=d)
    assert len(model.history_) == model.objective_.asked == 200
    assert [h["asked"] for h in model.history_] == list(range(1, 201))


class Noting(DeepLearner):
    def terms(self, m, a, b, s, t, progress):
        m.note("asked", self._ask)
        return {}

    def _ask(self):
        self.asked = getattr(self, "asked", 0) + 1
        return torch.tensor(self.asked)


def test_a_method_at_weight_zero_is_source_only_to_the_bit_with_dropout_and_batch_norm():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 2], 20)
    X, d = rng.random((60, 256)), np.repeat([1, -1], 30)
    for net in ("lenet", "resnet"):
        plain, off = (
            DeepClassifier(find(key)(weight=0.0), net=net, steps=3, batch_size=8).fit(X, y, sample_domain=d)
            for key in ("erm", "dann")
        )
        np.testing.assert_array_equal(plain.predict_proba(X), off.predict_proba(X))


def test_every_row_comes_once_before_any_comes_again():
    stream = Stream((torch.arange(10.0)[:, None],), 4, seed=0, device=CPU, labelled=False)
    batches = [stream.next() for _ in range(20)]
    assert all(len(set(b.rows.tolist())) == 4 for b in batches)
    counts = np.bincount(torch.cat([b.rows for b in batches]).numpy(), minlength=10)
    assert counts.min() >= 7 and counts.max() <= 9
    assert Stream((torch.zeros(3, 1),), 64, 0, CPU, False).next().x.shape == (3, 1)


def test_datasets_give_what_tensors_give():
    X, _, _, t = toy()
    n, (Xs, Xt) = 120, torch.tensor(X, dtype=torch.float32).split(120)
    ys = torch.tensor(t.ys)

    class Rows(torch.utils.data.Dataset):
        def __init__(self, *parts):
            self.parts = parts

        def __len__(self):
            return n

        def __getitem__(self, i):
            return tuple(part[i] for part in self.parts) if len(self.parts) > 1 else self.parts[0][i]

    settings = {"steps": 5, "batch_size": 16}
    a = DeepClassifier(find("dann")(), **settings).fit_datasets((Xs, ys), (Xt,))
    b = DeepClassifier(find("dann")(), **settings).fit_datasets(Rows(Xs, ys), Rows(Xt), classes=["no", "yes"])
    assert same(weights(a), weights(b))
    assert set(b.predict(X)) <= {"no", "yes"}


def test_a_net_of_ones_own_keeps_its_weights_as_a_start_and_is_not_touched():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.features, self.head = nn.Sequential(nn.Linear(6, 8), nn.Tanh()), nn.Linear(8, 2)

    X, y, d, _ = toy()
    net = Own()
    before = net.head.weight.clone()
    slow = DeepClassifier(find("dann")(), net=net, steps=3, lr=1e-9, weight_decay=0.0).fit(X, y, sample_domain=d)
    assert torch.equal(net.head.weight, before)
    assert torch.allclose(slow.modules_["head"].weight, before, atol=1e-6)
    with pytest.raises(ValueError, match="features and head"):
        DeepClassifier(find("dann")(), net=nn.Linear(6, 2)).fit(X, y, sample_domain=d)


class Exploding(DeepLearner):
    def loss(self, m, batches, progress):
        return {"fine": m.forward(batches["source"].x).z.sum() * 0 + 1.0, "bad": torch.tensor(float("nan"))}


def test_a_loss_that_is_not_finite_stops_with_step_term_and_value():
    X, y, d, _ = toy()
    with pytest.raises(FloatingPointError, match=r"not finite at step 0 of 5 \(fine = 1, bad = nan\)"):
        DeepClassifier(Exploding(), steps=5).fit(X, y, sample_domain=d)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"net": "vgg"}, "no net 'vgg'"),
        ({"net": "lenet"}, "no square"),
        ({"optimizer": "lion"}, "optimizer must be one of"),
        ({"select": "accuracy"}, "select must be one of 'last', 'infomax'"),
        ({"steps": 0}, "steps must be a whole number >= 1"),
        ({"lr": -1}, "lr must be a number > 0"),
        ({"device": "cuda:99"}, "no device 'cuda:99'"),
        ({"objective": "dann"}, "objective must be a deep method"),
    ],
)
def test_a_setting_out_of_bounds_is_refused_with_a_sentence(setting, says):
    X, y, d, _ = toy()
    with pytest.raises(ValueError, match=says):
        DeepClassifier(**{"objective": find("erm")(), "steps": 2} | setting).fit(X, y, sample_domain=d)


def test_the_best_state_by_a_label_free_score_is_kept_and_patience_ends_the_run():
    X, y, d, _ = toy()
    model = DeepClassifier(find("erm")(), steps=400, every=10, select="infomax", patience=3, lr=0.02)
    model.fit(X, y, sample_domain=d)
    assert model.chosen_step_ % 10 == 0
    assert model.history_[-1]["step"] < 399


def test_reversal_is_minus_weight_times_the_gradient_and_leaves_values_alone():
    x = torch.randn(5, 3, requires_grad=True)
    y = reverse(x, 0.3)
    assert torch.equal(y, x)
    (y**2).sum().backward()
    torch.testing.assert_close(x.grad, -0.3 * 2 * x.detach())
    assert ramp(0) == 0 and ramp(1) > 0.999


def test_two_domains_in_one_pass_see_what_two_passes_see():
    m = Engine(nn.ModuleDict({"features": nn.Linear(3, 4), "head": nn.Linear(4, 2)}).double(), CPU)
    xs, xt = torch.randn(5, 3, dtype=float), torch.randn(7, 3, dtype=float)
    a, b = m.forward_both(xs, xt, ("features",))
    for joint, x in ((a, xs), (b, xt)):
        alone: Outputs = m.forward(x, ("features",))
        torch.testing.assert_close(joint.z, alone.z)
        torch.testing.assert_close(joint.layers["features"], alone.f)
    with pytest.raises(ValueError, match=r"no layer 'features.9'; it has: features"):
        m.forward(xs, ("features.9",))


def test_regression_keeps_the_unit_of_the_label():
    t = make_toy("no_shift", n=200, seed=0, task="regression")
    X, y, d = np.r_[t.Xs, t.Xt], np.r_[t.ys, t.yt] * 1000 + 5e4, np.repeat([1, -1], 200)
    assert DeepRegressor(find("erm")(), steps=300).fit(X, y, sample_domain=d).score(t.Xt, t.yt * 1000 + 5e4) > 0.6


TWO = """
import sys, numpy as np, torch
torch.set_num_threads(1)
from transfermap.card import find, keys
from transfermap.data.toy import make_toy
from transfermap.deep.estimators import DeepClassifier
t = make_toy("mean_shift_nuisance", n=40, seed=0)
X, y, d = np.r_[t.Xs, t.Xt], np.r_[t.ys, t.ys], np.repeat([1, -1], 40)
m = DeepClassifier(find(sys.argv[2])(), steps=3, batch_size=15, optimizer="sgd", lr=0.1).fit(X, y, sample_domain=d)
torch.save(m.modules_.state_dict(), sys.argv[1] + "." + __import__("os").environ.get("RANK", "alone"))
"""


@pytest.mark.parametrize("key", ["dann", "ddc"])
def test_two_processes_train_as_one_on_the_joined_batch(key, tmp_path):
    if key not in keys():
        pytest.skip(f"{key} is not built")
    (tmp_path / "two.py").write_text(TWO)
    quiet = {k: v for k, v in os.environ.items() if k != "PYTHONWARNINGS"} | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(tmp_path / "two.py"), str(tmp_path / "w"), key]
    subprocess.run(command, check=True, env=quiet)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port=0", "--standalone"]
    subprocess.run([*launcher, *command[1:]], check=True, env=quiet, capture_output=True, timeout=120)
    alone, first, second = (torch.load(Path(f"{tmp_path}/w.{name}")) for name in ("alone", "0", "1"))
    for name in alone:
        torch.testing.assert_close(first[name], alone[name], atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(first[name], second[name], atol=0, rtol=0)


def test_where_memory_runs_out_it_is_said_what_helps():
    X, y, d, _ = toy(n=40)
    with pytest.raises(MemoryError, match="out of memory; a smaller batch_size or net helps"):
        DeepClassifier(find("dann")(width=10**6), steps=2).fit(X, y, sample_domain=d)
