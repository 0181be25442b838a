"""What holds for all tests: features of nets are cached in a folder of the tests' own, not in the reader's home."""

import os

import pytest


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    before = os.environ.get("TRANSFERMAP_CACHE")
    os.environ["TRANSFERMAP_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["TRANSFERMAP_CACHE"]
    else:
        os.environ["TRANSFERMAP_CACHE"] = before
