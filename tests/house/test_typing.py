"""The public API as an editor sees it: the stub names every method, and strict type checking from outside holds."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from doc_blocks import sections

import transfermap as tm
from transfermap.card import find, keys, tools

ROOT = Path(__file__).parents[2]
HEAD = "import numpy as np\nimport transfermap as tm\nfrom sklearn.linear_model import LogisticRegression\n"
FINE = """
X, y, d = np.zeros((4, 2)), np.array([0, 1, 0, 1]), np.array([0, 0, -1, -1])
method = tm.CORAL()
other: tm.CORAL = tm.CORAL(reg=2.0).fit(X, y, sample_domain=d)
model = tm.Adapted(other, LogisticRegression()).fit(X, y, sample_domain=d)
score: float = model.score(X, y)
net = tm.DANN(weight=0.5, net="lenet")
strength: float = net.weight
pairs = tm.Side(pairs=[0, -1, 0, -1])
run = tm.adapt(X, y, X, method="coral")
answers = run.predict(X)
findings = tm.check(tm.Task.from_arrays(X, y, X))
reveal_type(method.reg)
reveal_type(run)
"""
# what the README's reader has already
GIVEN = "import numpy as np\nXs = Xt = X_new = X = np.zeros((4, 2))\nys = y = d = np.zeros(4)\n"
README = [b.text for s in sections(ROOT / "README.md", ROOT) for b in s.blocks if b.language == "python"]
WRONG = {
    "tm.CORAL(rge=1.0)": "Unexpected keyword argument",
    "tm.CORAL('much')": "Too many positional arguments",
    "tm.DANN(weight='much')": "incompatible type",
    "tm.adapt(0, metod='coral')": "Unexpected keyword argument",
    "tm.Adaptde": "has no attribute",
}


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> str:
    """What the type checker says of a file outside the package, once for all tests: it takes its time."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "fine.py").write_text(HEAD + FINE, encoding="utf8")
    (folder / "wrong.py").write_text(HEAD + "\n".join(WRONG) + "\n", encoding="utf8")
    (folder / "readme.py").write_text(GIVEN + "".join(README), encoding="utf8")
    (folder / "mypy.ini").write_text("[mypy]\nstrict = True\n[mypy-sklearn.*]\nignore_missing_imports = True\n")
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "fine.py", "wrong.py", "readme.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_the_public_api_is_typed_from_outside(said):
    assert not re.findall(r"fine\.py:\d+: error.*", said)
    assert 'Revealed type is "float"' in said
    assert 'Revealed type is "transfermap.runs.run.Run"' in said


def test_the_readmes_python_is_typed(said):
    assert len(README) > 1 and not re.findall(r"readme\.py:\d+: error.*", said)
    assert said.rstrip().endswith("(checked 3 source files)")


def test_a_wrong_name_or_value_is_an_error_in_the_editor(said):
    for line, (code, reason) in enumerate(WRONG.items(), HEAD.count("\n") + 1):
        found = re.findall(rf"wrong\.py:{line}: error: (.*)", said)
        assert found and reason in found[0], (code, found)


def test_the_stub_is_fresh():
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from stub import STUB, stub
    finally:
        sys.path.pop(0)
    assert STUB.read_text("utf8") == stub(), "stale: run python scripts/stub.py"


def test_the_stub_names_every_method_every_tool_and_all_that_is_public():
    text = (Path(tm.__file__).with_suffix(".pyi")).read_text("utf8")
    functions = {tool.name for tool in tools().values()}
    for name in {*tm.__all__, *(find(key).__name__ for key in keys()), *functions}:
        assert f" as {name}\n" in text, name
