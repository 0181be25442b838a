"""docs/benchmarks.md: every table has its command, and says when and where it was measured."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from transfermap.cli.app import app

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import write

ROOT = Path(__file__).parents[2]

PAGE = (ROOT / "docs" / "benchmarks.md").read_text("utf8")
BODIES = {found["name"]: found["body"] for found in write.BLOCK.finditer(PAGE)}
MEASURED = re.compile(r"\*Measured \d{4}-\d\d-\d\d at \w+(-\w+)*: \d+ cores of .+, \d+ GB; Python [\d.]+, numpy .+\.\*")
RECORDED = re.compile(r"\*Recorded \d{4}-\d\d-\d\d at [0-9a-f]{7}.*; not re-run since\.\*")

each = pytest.mark.parametrize("name", BODIES)


def test_every_marker_belongs_to_a_block_and_no_name_stands_twice():
    opened = re.findall(r"<!-- ([a-z0-9-]+): ", PAGE)
    assert opened == list(BODIES) == re.findall(r"<!-- end ([a-z0-9-]+) -->", PAGE)
    assert len(set(opened)) == len(opened) > 15


@each
def test_the_command_can_be_run(name):
    first, *words = shlex.split(write.commands(PAGE)[name])
    if first == "transfermap":
        group = get_command(app).commands[words[0]]
        assert words[1] in group.commands
    else:
        assert first in ("python", "sh", "PEER") and (ROOT / words[0]).is_file()


@each
def test_a_block_shows_its_command_first_and_says_at_last_where_it_is_from(name):
    lines = BODIES[name].strip().splitlines()
    assert lines[0] == f"`{write.commands(PAGE)[name]}`"
    assert MEASURED.fullmatch(lines[-1]) or RECORDED.fullmatch(lines[-1]), lines[-1]


def test_writing_a_table_changes_nothing_else(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys; print('| a |', sys.argv[1])", "utf8")
    first = f"<!-- one: python {script} DATA/x -->\nSTALE\n<!-- end one -->"
    page = f"before\n{first}\nbetween\n<!-- two: sh y -->\n<!-- end two -->\n"
    body = write.table(write.commands(page)["one"], {"DATA": "/folder"})
    new = write.replaced(page, "one", body)
    assert "| a | /folder/x" in new and "STALE" not in new and MEASURED.search(new)
    assert re.sub(r"(?s)(one: [^\n]+ -->\n).*?(<!-- end one)", r"\1STALE\n\2", new) == page
    with pytest.raises(ValueError, match="there are: one, two"):
        write.replaced(page, "three", "")


def test_a_command_that_fails_leaves_the_page_as_it_was(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("raise SystemExit('no data')", "utf8")
    with pytest.raises(SystemExit, match="no data"):
        write.table(f"python {script}", {})
