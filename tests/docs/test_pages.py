"""What the pages tell a reader to type runs: every command and every line of Python, on small files of the same names.

Commands of this program are run as they stand, with less time or fewer steps where they say nothing of these; for
others it is held that what they name is there. A block below ``<!-- not run: reason -->`` is left out.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import doc_files
import pandas as pd
import pytest
from doc_blocks import commands, inline_code, sections
from typer.main import get_command
from typer.testing import CliRunner

from transfermap.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "README.zh.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("guide*.md")),
]
PAGES += sorted((ROOT / "docs" / "guide").glob("*.md"))
SECTIONS = [section for page in PAGES for section in sections(page, ROOT)]
# what keeps a command short where the page leaves it to the program
BUDGETS = {
    "adapt": {"--budget": "3s"},
    "finetune": {"--steps": "2"},
    "inspect": {"--steps": "2", "--units": "1", "--image-size": "64"},
    "layers": {"--seeds": "1", "--epochs": "1", "--source-epochs": "1"},
}
LEFT_OUT = 4


@pytest.mark.parametrize("section", SECTIONS, ids=lambda s: f"{s.page}: {s.title}")
def test_a_section_runs(section, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    doc_files.write_all(tmp_path)
    names = doc_files.arrays() | doc_files.image_rows(tmp_path)
    for block in section.blocks:
        if block.reason:
            continue
        if block.language == "python":
            exec(compile(block.text, f"{section.page}: {section.title}", "exec"), names)  # noqa: S102
        elif block.language in ("sh", "bash"):
            for words in commands(block):
                run(words)


def test_few_blocks_are_left_out_and_each_says_why():
    reasons = [block.reason for section in SECTIONS for block in section.blocks if block.reason]
    assert len(reasons) <= LEFT_OUT and all(len(reason.split()) > 2 for reason in reasons)


def test_every_block_has_a_language():
    assert {b.language for section in SECTIONS for b in section.blocks} <= {"python", "sh", "bash", "text"}


@pytest.mark.parametrize("page", [ROOT / "CONTRIBUTING.md", ROOT / "docs" / "architecture.md"], ids=lambda p: p.name)
def test_files_that_are_mentioned_exist(page):
    package = ROOT / "src" / "transfermap"
    named = [code for code in inline_code(page) if re.fullmatch(r"[\w.]+(/[\w.]+)+", code)]
    assert len(named) > 10
    for path in named:
        assert any((at / path).exists() for at in (ROOT, package, package / "methods")), path


def run(words):
    """Run a command of ours; of another's see that what it names is there."""
    if words[0] != "transfermap":
        return named(words)
    fill_in(words)
    words = [*words[1:], *shorter(words[1], words)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, f"{' '.join(words)}\n{done.output}\n{done.exception!r}"
    return None


def shorter(command, words):
    given = BUDGETS.get(command, {})
    return [part for option, value in given.items() if option not in words for part in (option, value)]


def fill_in(words):
    """Do what the reader is told to do between two commands: fill in label_me.csv."""
    for word in words:
        if word.endswith("label_me.csv"):
            table = pd.read_csv(word)
            empty = table.columns[table.isna().all()][0]
            table.assign(**{empty: (["yes", "no"] * len(table))[: len(table)]}).to_csv(word, index=False)


def named(words):
    """See that the targets, files and extras that another program's command names are there."""
    makefile, extras = (ROOT / "Makefile").read_text("utf8"), project()["optional-dependencies"]
    if words[0] == "make":
        assert all(re.search(rf"^{target}:", makefile, re.M) for target in words[1:])
    for word in words:
        if word.startswith(("tests/", "benchmarks/", "docs/", ".ci/")):
            assert (ROOT / word.split("::")[0]).exists(), word
        if found := re.fullmatch(r"(?:\.|transfermap)\[(.+)\]", word):
            assert set(found[1].split(",")) <= set(extras), word


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]


def every_option(command):
    options = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
    return options.union(*(every_option(c) for c in getattr(command, "commands", {}).values()))


@pytest.mark.parametrize("page", [*PAGES, ROOT / "docs" / "bench.md"], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_commands_and_options_that_are_mentioned_exist(page):
    group = get_command(app)
    for code in inline_code(page):
        first, *words = code.split()
        if first == "transfermap" and words:
            assert words[0] in group.commands, code
            known = every_option(group.commands[words[0]])
        elif first.startswith("--"):
            known, words = every_option(group), [first]
        else:
            continue
        # an option's own values may follow it; those of other programs are not ours to judge
        assert {w.split("=")[0] for w in words if w.startswith("--")} <= known | {"--help", "-h"}, code
