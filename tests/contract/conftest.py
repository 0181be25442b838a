"""Few steps for nets, and no warnings."""

from __future__ import annotations

import warnings

import pytest

from transfermap.deep.training import settings


@pytest.fixture(autouse=True)
def few_steps(request, monkeypatch):
    """Promises about form hold after few steps too; only what a method is good for is tried with all of them."""
    if "beats" not in request.node.name:
        learning = "regressor" in request.node.name, "scikit" in request.node.name
        monkeypatch.setattr(settings, "STEPS", 300 if learning[0] else 40 if learning[1] else 30)


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.filterwarnings("error")
        yield
