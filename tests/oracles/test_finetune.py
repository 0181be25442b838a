"""Fine-tuning: its steps written out, what is frozen, and what is slower."""

import numpy as np
import pytest
import torch
from finetuning_case import STEPS, by_hand, logits, predicted, rows, source_net

from transfermap.deep.training import settings
from transfermap.methods.tuning.finetune import FineTune


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(settings, "STEPS", STEPS)


@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_it_is_the_source_net_that_goes_on(frozen):
    X, y, d, seen = rows()
    trained = source_net(X, y, d)
    still = ("features.0.", "features.2.")[:frozen]
    net = by_hand(trained, X[seen], y[seen], moves=lambda name: not name.startswith(still))
    fitted = FineTune(frozen=frozen).fit(X, y, sample_domain=d)
    np.testing.assert_allclose(predicted(fitted, X), logits(trained, net, X), atol=2e-5)
    assert not np.allclose(predicted(fitted, X), logits(trained, trained.modules_, X), atol=1e-3)


def test_lower_stages_are_slower_by_the_decay():
    X, y, d, _ = rows()
    start = source_net(X, y, d).modules_.state_dict()
    far = {}
    for decay in (1.0, 1000.0):
        end = FineTune(decay=decay).fit(X, y, sample_domain=d).estimator_.modules_.state_dict()
        far[decay] = [
            float((end[n] - start[n]).norm()) for n in ("head.weight", "features.2.weight", "features.0.weight")
        ]
    assert far[1000.0][1] < far[1.0][1] / 500 and far[1000.0][2] < far[1.0][2] / 1000
    assert far[1000.0][0] > far[1.0][0] / 2


def test_gradual_unfreezing_reaches_the_lowest_stage_last(monkeypatch):
    X, y, d, _ = rows()
    start = source_net(X, y, d).modules_.state_dict()
    # in thirds of the run the head, the last stage and the first begin to move
    for steps, moved in ((4, "head"), (8, "features.2"), (12, "features.0")):
        fitted = FineTune(gradual=True, weight=steps / STEPS).fit(X, y, sample_domain=d)
        end = fitted.estimator_.modules_.state_dict()
        assert not torch.equal(end[f"{moved}.weight"], start[f"{moved}.weight"])
    none = FineTune(gradual=True, frozen=2).fit(X, y, sample_domain=d).estimator_.modules_.state_dict()
    assert torch.equal(none["features.2.weight"], start["features.2.weight"])


def test_a_class_of_the_target_alone_is_refused():
    X, y, d, seen = rows()
    y[seen[0]] = 7
    with pytest.raises(ValueError, match="hold the class '7', which no source row has"):
        FineTune().fit(X, y, sample_domain=d)


def test_more_frozen_stages_than_there_are_are_refused():
    X, y, d, _ = rows()
    with pytest.raises(ValueError, match="0 to 2 stages of this net; got 5"):
        FineTune(frozen=5).fit(X, y, sample_domain=d)
