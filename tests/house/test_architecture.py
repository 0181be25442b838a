"""The house stays in order: direction of imports, no heavy imports at the door, every sentence in every language."""

from __future__ import annotations

import ast
import re
import string
import subprocess
import sys
from pathlib import Path

import pytest

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
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def imports(path: Path) -> list[str]:
    """Modules of this package that a file imports, at the top or inside a function."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "transfermap":
            found += [_module(node.module or "", a.name) for a in node.names]
        elif isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] == "transfermap"]
    return found


def _module(package: str, name: str) -> str:
    """The module that ``from package import name`` reads: a submodule of that name, or the package itself."""
    at = ROOT.joinpath(*package.split(".")[1:])
    return f"{package}.{name}" if (at / f"{name}.py").is_file() else package


def part(module: str) -> str:
    names = module.split(".")
    return names[1] if len(names) > 1 else "__init__"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_point_downwards(path):
    here = path.relative_to(ROOT).with_suffix("").parts[0]
    for module in imports(path):
        assert LEVEL[part(module)] <= LEVEL[here], f"{here} must not import {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_method_imports_no_method_and_nothing_imports_from_a_package(path):
    for module in imports(path):
        names = module.split(".")
        if "methods" in path.parts and names[1:2] == ["methods"]:
            assert names[-1].startswith("_"), f"{path.name} imports the method {module}"
        at = ROOT.joinpath(*names[1:])
        assert not at.is_dir() or names[1:] in ([], ["messages"]), f"{path.name} imports from the package {module}"


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
        "from transfermap.card import find, keys\nfrom transfermap.cli.app import main\n"
        "from transfermap.runs.model_file import allowed\n"
        "assert all(find(key).card for key in keys()) and allowed()\n"
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
