"""One name of an option means one thing in every command, and a slip of the pen is answered with the nearest word."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from transfermap.cli.adapt import _asked
from transfermap.cli.app import app

# one meaning, but what is written, chosen from or counted is another in each command, and the help says what
EXCEPTIONS = {
    "--output": "what is written: a run, a page, predictions, a plot, records",
    "--method": "of adapt: of the map; of predict: of the run; of bench table: a row of the paper's",
    "--backbone": "models rank takes several, to compare them",
    "--steps": "of training instead of epochs; of the optimisation of one image",
    "--image-size": "optional where the net has a size of its own",
}


def commands(group: Any = None, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every command with its name, those of sub-groups too."""
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            yield path + name, command


COMMANDS = dict(commands())


def meaning(option: Any) -> tuple[object, ...]:
    kind = getattr(option, "type", None) or option.bare_type
    return option.help, str(kind), option.multiple, option.metavar, bool(option.is_flag)


def test_one_option_name_means_one_thing() -> None:
    found = defaultdict(dict)
    for name, command in COMMANDS.items():
        for option in command.params:
            if option.param_type_name == "option":
                for spelled in option.opts:
                    found[spelled].setdefault(meaning(option), []).append(name)
    assert {"--label", "--lang", "--json", "--text-features", "--text-column"} <= set(found)
    assert len(COMMANDS) > 12
    clash = {name: list(uses.values()) for name, uses in found.items() if len(uses) > 1 and name.startswith("--")}
    assert set(clash) <= set(EXCEPTIONS), {name: uses for name, uses in clash.items() if name not in EXCEPTIONS}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_its_help(name: str) -> None:
    command = COMMANDS[name]
    first = (command.help or "").splitlines()[0]
    assert first.endswith(".") and len(first) <= 112, first
    for option in command.params:
        assert getattr(option, "help", None), f"{name}: {option.name} says nothing of itself"


def said(*words: str) -> str:
    done = CliRunner().invoke(app, [*words])
    assert done.exit_code == 2, done.output
    return " ".join(done.output.split())


@pytest.fixture
def pair(tmp_path, monkeypatch) -> tuple[str, ...]:
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "b.csv"):
        rows = "".join(f"{i},{i * 7 % 5},{'yes' if i % 3 else 'no'}\n" for i in range(60))
        (tmp_path / name).write_text("age,height,y\n" + rows, "utf8")
    return "a.csv", "b.csv", "--label", "y"


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("--method", "corl"), "no method 'corl'; did you mean coral? 'transfermap map' lists all"),
        (("--estimator", "forst"), "no estimator 'forst'; did you mean forest?"),
        (("--net", "densee"), "no net 'densee'; did you mean dense?"),
        (("--lang", "zhh"), "no language 'zhh'; did you mean zh? expected one of: en, zh"),
        (("--task", "regresion"), "'regresion'; did you mean regression?"),
    ],
)
def test_a_slip_is_answered_with_the_nearest_word(pair, words, answer) -> None:
    assert answer in said("adapt", *pair, "-o", "run", *words)


def test_words_of_the_map_too() -> None:
    assert "did you mean coral?" in said("map", "corall")
    assert "did you mean partial?" in said("map", "--label-sets", "partail")
    assert "did you mean inductive?" in said("map", "--setting", "inductiv")
    assert "did you mean svg?" in said("map", "--format", "svgg")
    for spelled in ("source-only", "Source_Only", "SourceOnly", "SOURCEONLY"):
        assert CliRunner().invoke(app, ["map", spelled]).exit_code == 0


def test_auto_is_understood_however_it_is_spelled() -> None:
    assert _asked(None) == _asked(["Auto"]) == "auto"
    assert _asked(["AUTO", "coral"]) == ["auto", "coral"]
