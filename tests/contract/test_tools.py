"""Every tool has a card, a command that exists, and an example that runs; the map knows it without importing it."""

from __future__ import annotations

import ast
import doctest
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

import transfermap as tm
from transfermap.card import Card, LabelSets, LabelsRead, Setting, Tool, Transfers, find, tool, tools
from transfermap.cli.app import app
from transfermap.map import entries, lookup, title
from transfermap.report.console.card_view import card_json

ROOT = Path(tm.__file__).parent
COMMANDS: Any = typer.main.get_command(app)


@pytest.mark.parametrize("made", tools().values(), ids=list(tools()))
class TestTool:
    def test_its_card_is_whole(self, made: Tool) -> None:
        card = made.card
        assert re.fullmatch("[a-z][a-z0-9]+", card.key) and title(card.family)
        assert all((card.name, card.objective, card.steps, card.solver, card.cost, card.assumes, card.fails_when))
        assert card.setting in get_args(Setting) and card.transfers in get_args(Transfers)
        assert card.label_sets in get_args(LabelSets) and card.reads in get_args(LabelsRead)
        assert str(card.year) in card.reference and re.match(r"10\.\d{4,}/\S+$|https://\S+$", card.doi)

    def test_what_is_read_in_the_file_is_what_the_function_has(self, made: Tool) -> None:
        function = made.load()
        assert function.card == made.card == lookup(made.card.key.upper())
        assert getattr(tm, made.name) is function and made.name in dir(tm)
        assert made.doc.split("\n")[0] in function.__doc__

    def test_its_command_exists_with_the_options_it_names(self, made: Tool) -> None:
        program, verb, *words = shlex.split(made.card.command)
        assert program == "transfermap"
        command = COMMANDS.commands[verb]
        known = {name for option in command.params for name in option.opts}
        assert {word for word in words if word.startswith("-")} <= known
        required = [o for o in command.params if o.required and o.param_type_name == "option"]
        assert all({*option.opts} & {*words} for option in required)

    def test_its_example_runs(self, made: Tool) -> None:
        source = card_json(made.card)["example"]
        assert source.count(">>>") > 1
        report = io.StringIO()
        test = doctest.DocTestParser().get_doctest(source + "\n", {}, made.name, None, 0)
        assert doctest.DocTestRunner(verbose=False).run(test, out=report.write).failed == 0, report.getvalue()

    def test_it_is_built_and_no_estimator(self, made: Tool) -> None:
        entry = next(e for e in entries() if e.key == made.card.key)
        assert entry.built and not entry.estimator and entry.command == made.card.command
        with pytest.raises(ValueError, match="no method"):
            find(made.card.key)


def test_no_tool_is_missed_and_no_two_share_a_key_or_a_name() -> None:
    marked = [
        node.name
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf8")))
        if isinstance(node, ast.FunctionDef) and any(_called(mark) == "tool" for mark in node.decorator_list)
    ]
    assert sorted(marked) == sorted(made.name for made in tools().values())
    assert len(set(marked)) == len(marked)


def _called(mark: ast.expr) -> str:
    return getattr(mark.func, "id", getattr(mark.func, "attr", "")) if isinstance(mark, ast.Call) else ""


def test_the_tools_are_found_without_importing_them() -> None:
    code = "import sys; from transfermap.card import tools; assert tools(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_mark_leaves_the_function_as_it_is() -> None:
    def double(x: int) -> int:
        return 2 * x

    card: Card = find("coral").card
    assert tool(card)(double) is double and double(2) == 4 and double.card is card  # type: ignore[attr-defined]
