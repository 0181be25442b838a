"""The house stays in order: direction of imports, no heavy imports at the door, every sentence in every language."""

from __future__ import annotations

import ast
import re
import string
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

import transfermap
from transfermap.messages import LANGUAGES, Note, catalogue

ROOT = Path(transfermap.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
# a module may import from layers below its own, and from its own
LAYERS = (
    ("messages", "_version"),
    ("card", "math"),
    ("data", "measure", "map"),
    ("split",),
    ("roles",),
    ("adapted",),
    ("deep",),
    ("methods", "finetuning", "studies"),
    ("tasks",),
    ("verdict", "bench"),
    ("report",),
    ("runs",),
    ("cli", "__init__", "__main__"),
)
# packages from which names are imported, or which are handed to who reads the files in them
OPEN = ("transfermap.messages", "transfermap.methods", "transfermap.bench", "transfermap.verdict", "transfermap.report")
OPEN += ("transfermap.finetuning", "transfermap.studies")
# why a name stands twice
TWICE = {"source_free": "deep/ trains such a net, runs/ makes a run of it, methods/ has the family"}
# the strings that name upper rooms: the registry reads the folders of methods and tools, and imports one when asked
REGISTRY = {"card": {"transfermap.methods", "transfermap.finetuning", "transfermap.studies"}}
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def name_of(path: Path) -> str:
    """The module that a file is."""
    names = ["transfermap", *path.relative_to(ROOT).with_suffix("").parts]
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


# the door to everything: its strings are what makes importing the package cost nothing; also simply the program's name
FACADE = "transfermap"
MODULES = {name_of(path): path for path in FILES}


@cache
def imports(path: Path) -> frozenset[str]:
    """Modules of this package that a file imports: at the top, inside a function, for types only, or by a string.

    A string that is the name of a module counts wherever it stands: whatever it is handed to may import it.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf8"))):
        if isinstance(node, ast.ImportFrom):
            base = _absolute(path, node)
            found |= {f"{base}.{a.name}" if f"{base}.{a.name}" in MODULES else base for a in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return frozenset(found & MODULES.keys() - {name_of(path), FACADE})


def _absolute(path: Path, node: ast.ImportFrom) -> str:
    """The package or module after ``from``, relative ones too."""
    if not node.level:
        return node.module or ""
    here = name_of(path).split(".")
    up = here[: len(here) - node.level + (path.name == "__init__.py")]
    return ".".join([*up, *([node.module] if node.module else [])])


def circles(arrows: dict[str, frozenset[str]]) -> list[list[str]]:
    """Groups of more than one module that reach each other."""
    graph = [(at, to) for at, targets in arrows.items() for to in targets]
    names = sorted(arrows)
    place = {name: i for i, name in enumerate(names)}
    rows, columns = ([place[edge[end]] for edge in graph] for end in (0, 1))
    matrix = coo_array((np.ones(len(graph)), (rows, columns)), shape=(len(names), len(names)))
    _, group = connected_components(matrix, directed=True, connection="strong")
    members = [[name for name, g in zip(names, group, strict=True) if g == number] for number in set(group)]
    return sorted(names for names in members if len(names) > 1)


def test_no_files_import_each_other_in_a_circle():
    arrows = {name: imports(path) for name, path in MODULES.items() if name != FACADE}
    assert circles(arrows) == []


def test_a_circle_is_found_by_whatever_kind_of_import_it_is_closed():
    assert circles({"a": frozenset({"b"}), "b": frozenset({"c"}), "c": frozenset({"b"})}) == [["b", "c"]]
    assert circles({"a": frozenset({"b", "c"}), "b": frozenset({"c"}), "c": frozenset()}) == []


@pytest.mark.parametrize(
    "line",
    [
        "from transfermap.measure.shift.mmd import mmd_test",
        "from transfermap.measure.shift import mmd",
        "import transfermap.measure.shift.mmd",
        "def f():\n    from transfermap.measure.shift import mmd",
        "if TYPE_CHECKING:\n    from transfermap.measure.shift import mmd",
        "import_module('transfermap.measure.shift.mmd')",
        "from ..measure.shift import mmd",
    ],
)
def test_every_kind_of_import_is_read(tmp_path, monkeypatch, line):
    path = tmp_path / "rooms" / "room.py"
    path.parent.mkdir()
    path.write_text(line, encoding="utf8")
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert imports(path) == {"transfermap.measure.shift.mmd"}


def part(module: str) -> str:
    names = module.split(".")
    return names[1] if len(names) > 1 else "__init__"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_point_downwards(path):
    here = path.relative_to(ROOT).with_suffix("").parts[0]
    for module in imports(path) - REGISTRY.get(here, set()):
        assert LEVEL[part(module)] <= LEVEL[here], f"{here} must not import {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_method_imports_no_method_and_nothing_imports_from_a_package(path):
    for module in imports(path):
        names = module.split(".")
        if "methods" in path.parts and names[1:2] == ["methods"]:
            assert names[-1].startswith("_"), f"{path.name} imports the method {module}"
        named = MODULES[module].name == "__init__.py" and module not in OPEN
        assert not named, f"{path.name} imports from the package {module}"


def test_only_the_bridge_joins_the_domains():
    """Who fits a method has its arrays from the caller or from Split.joined: no other place lays domains together."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "").startswith("fit"):
                marks = [k.value for k in node.keywords if k.arg == "sample_domain"]
                assert all(isinstance(value, ast.Name) for value in marks), f"{path.name}:{node.lineno}"


def test_few_files_stand_at_the_root():
    assert len(list(ROOT.glob("*.py"))) <= 8


def test_a_file_name_stands_once():
    """A command is called as what it runs, and so is a method: these may share their names; others are listed."""
    stems = Counter(
        path.stem
        for path in FILES
        if path.stem not in ("__init__", "_shared") and path.relative_to(ROOT).parts[0] not in ("cli", "methods")
    )
    assert {name for name, count in stems.items() if count > 1} == set(TWICE)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_files_are_short(path):
    assert len(path.read_text("utf8").splitlines()) <= 400


def test_importing_the_package_loads_nothing_heavy():
    heavy = "('torch', 'matplotlib', 'ot', 'sklearn', 'pandas')"
    code = f"import sys, transfermap; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom transfermap.cli.app import app\n"
        "try: app(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('torch','matplotlib','ot','sklearn','pandas','numpy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip().endswith("[]")


def test_without_torch_the_map_works_and_deep_methods_say_what_to_install(tmp_path):
    for side in "AB":
        rows = "".join(f"{i},{i * i % 7},{'yes' if i % 2 else 'no'}\n" for i in range(40))
        (tmp_path / f"{side}.csv").write_text("a,b,y\n" + rows, encoding="utf8")
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('none here')", encoding="utf8")
    code = (
        "import sys\n"
        "from transfermap.card import find, keys, tools\nfrom transfermap.map import entries\n"
        "from transfermap.cli.app import main\n"
        "from transfermap.runs.model_file import allowed\n"
        "from transfermap.report.console.card_view import card_rows\n"
        "assert all(find(key).card for key in keys()) and allowed() and entries()\n"
        "assert tools() and all(card_rows(tool.card) for tool in tools().values())\n"
        "sys.argv = 'transfermap adapt A.csv B.csv --label y --method dann -o run'.split()\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "pip install 'transfermap[deep]'" in done.stderr.replace("\n", " ")
    assert not (tmp_path / "run").exists()


def test_every_public_name_is_there():
    for name in transfermap.__all__:
        assert getattr(transfermap, name) is not None
    assert transfermap.TCA is transfermap.find("tca")
    assert "TCA" in dir(transfermap)
    with pytest.raises(AttributeError, match="NoSuchMethod"):
        _ = transfermap.NoSuchMethod


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_languages_hold_the_same_sentences_with_the_same_placeholders():
    first, *others = (catalogue(lang) for lang in LANGUAGES)
    for other in others:
        assert set(first) == set(other)
        for code, text in first.items():
            assert placeholders(text) == placeholders(other[code]), code


def note_codes() -> list[tuple[str, str]]:
    """Every code that stands as a literal in ``Note("...")`` anywhere in the package."""
    found = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Note" and node.args:
                head = node.args[0]
                if isinstance(head, ast.Constant):
                    found.append((path.name, head.value))
    return found


def test_every_note_has_its_sentence():
    codes = note_codes()
    assert len(codes) > 30
    missing = [(where, code) for where, code in codes if code not in catalogue("en")]
    assert not missing


def test_a_note_says_its_values_and_survives_json():
    note = Note("check.leak", "stop", {"columns": ["a", "b"]})
    assert "a, b" in note.say() and "a、b" in note.say("zh")
    assert Note(**note.to_dict()) == note
    with pytest.raises(ValueError, match="no language"):
        note.say("xx")


def test_sentences_speak_chinese_in_chinese():
    quiet = re.compile(r"[\u4e00-\u9fff]")
    shown = [code for code, text in catalogue("zh").items() if len(text) > 30 and not quiet.search(text)]
    assert not shown


def test_the_register_of_errors_names_tests_that_exist():
    tests = Path(__file__).parents[1]
    page = (tests.parent / "docs" / "errors.md").read_text("utf8")
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`(?:, `::(test_\w+)`)?", page)
    assert len(named) > 15
    for file, *functions in named:
        found = next(tests.rglob(file)).read_text("utf8")
        assert all(f"def {name}(" in found for name in functions if name), (file, functions)
