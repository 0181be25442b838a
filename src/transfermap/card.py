"""Cards of methods and tools, and the registry that is derived from the code.

The folder tree under ``methods/`` is the map: ``methods/<family>/<key>.py`` holds one method, whose class name in lower
case is ``key``. A tool, which has a command but is no estimator, is a function under ``@tool(Card(...))`` in
``finetuning/`` or ``studies/``. Nothing is listed by hand.
"""

from __future__ import annotations

import ast
import importlib
import numbers
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal, TypeVar, dataclass_transform

from transfermap.messages.choices import choose

Setting = Literal["transductive", "inductive", "unsupervised"]
Transfers = Literal["instances", "features", "parameters", "relations"]
LabelSets = Literal["closed", "partial", "open", "disjoint"]
LabelsRead = Literal["none", "source", "target", "both"]
TaskKind = Literal["classification", "regression"]

T = TypeVar("T")
Function = TypeVar("Function", bound=Callable[..., Any])
_METHODS = "transfermap.methods"
LISTED = "'transfermap map' lists all"
_WITH_TOOLS = ("transfermap.finetuning", "transfermap.studies")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a method is, assumes and needs. The map, the method pages and the commands are made from it.

    Parameters
    ----------
    name : str
        The method's full name, as its paper has it.
    year : int
        Year of the paper.
    setting : {"transductive", "inductive", "unsupervised"}
        Which labels exist: in the source only; in the target too; in neither (Pan & Yang, 2010).
    transfers : {"instances", "features", "parameters", "relations"}
        What is carried over (Pan & Yang, 2010).
    label_sets : {"closed", "partial", "open", "disjoint"}
        The target's classes: the same as the source's; fewer; more; other ones.
    tasks : tuple of {"classification", "regression"}
        What can be predicted after it; nothing, if it makes rows.
    objective : str
        The problem that is solved, as one line of mathematics.
    steps : tuple of str
        The procedure, a short sentence each.
    solver : str
        How the problem is solved (exact, closed form, iterated ...).
    cost : str
        Time and memory in n rows and d columns.
    assumes, fails_when : tuple of str
        When it may be used, and when it does harm.
    reference, doi : str
        The paper; ``doi`` may be a URL where the paper has none.
    needs : tuple of str
        What it needs beyond labelled source rows and unlabelled target rows.
    neutral : mapping
        Hyper-parameter values that make it exactly source-only; empty where there are none.
    toy : str
        Name of the shift in :mod:`transfermap.data.toy` on which it must beat source-only; "" for a baseline.
    by_default : bool
        Whether ``adapt`` tries it without being asked to: quick, steady at its default settings, of use to many.
    command : str
        How a tool is run; "" for a method.
    key, family, reads, side : str
        Its place on the map, whose labels it reads, and which side information. Filled in from the method itself; a
        tool's card says them, as its file does not.
    """

    name: str
    year: int
    setting: Setting
    transfers: Transfers
    label_sets: LabelSets = "closed"
    tasks: tuple[TaskKind, ...] = ("classification", "regression")
    objective: str
    steps: tuple[str, ...]
    solver: str
    cost: str
    assumes: tuple[str, ...]
    fails_when: tuple[str, ...]
    reference: str
    doi: str
    needs: tuple[str, ...] = ()
    neutral: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    toy: str = ""
    by_default: bool = False
    command: str = ""
    key: str = ""
    family: str = ""
    reads: LabelsRead | None = None
    side: str = ""


def param(
    *,
    default: Any,
    low: float | None = None,
    above: float | None = None,
    high: float | None = None,
    choices: tuple[Any, ...] = (),
    none: bool = False,
    whole: bool = False,
) -> Any:
    """A hyper-parameter with its bounds, where it is declared: ``reg: float = param(default=1.0, low=0)``.

    ``low`` and ``high`` are allowed values themselves, ``above`` is not; ``none`` allows None beside them, ``whole``
    none but integers. Checked in ``fit``, for all methods, by :func:`check_params`.
    """
    bounds = {"low": low, "above": above, "high": high, "choices": choices, "none": none, "whole": whole}
    return field(default=default, metadata=bounds)


def check_params(est: Any) -> None:
    """Refuse a hyper-parameter out of its bounds with a sentence that names it, what was expected and what came."""
    for f in fields(est):
        value = getattr(est, f.name)
        if not (f.metadata.get("none") and value is None):
            _check_param(type(est).__name__, f.name, value, **f.metadata)


def _check_param(
    owner: str,
    name: str,
    value: Any,
    *,
    low: Any = None,
    above: Any = None,
    high: Any = None,
    choices: tuple[Any, ...] = (),
    none: bool = False,
    whole: bool = False,
) -> None:
    if choices:
        fine, wanted = value in choices, "one of " + ", ".join(map(repr, choices))
    elif low is None and above is None:
        return
    else:
        number = isinstance(value, numbers.Integral if whole else numbers.Real) and not isinstance(value, bool)
        fine = number and (low is None or value >= low) and (above is None or value > above)
        fine = fine and (high is None or value <= high)
        floor = f">= {low}" if above is None else f"> {above}"
        wanted = f"a {'whole ' if whole else ''}number {floor}" + ("" if high is None else f" and <= {high}")
    if not fine:
        raise ValueError(f"{owner}: {name} must be {wanted}{' or None' if none else ''}; got {value!r}")


@dataclass_transform(eq_default=False, kw_only_default=True, field_specifiers=(param,))
def method(card: Card) -> Callable[[type[T]], type[T]]:
    """Make the class a dataclass of hyper-parameters and give it its card; its file's place is its place on the map."""

    def mark(cls: type[T]) -> type[T]:
        cls = dataclass(eq=False, repr=False, kw_only=True)(cls)
        *_, family, key = cls.__module__.split(".")
        if cls.__name__.lower() != key:
            raise TypeError(f"class {cls.__name__} must live in a file called {cls.__name__.lower()}.py, not {key}.py")
        reads = cls.reads  # type: ignore[attr-defined]
        cls.card = replace(card, key=key, family=family, reads=reads.labels, side=reads.side)  # type: ignore[attr-defined]
        return cls

    return mark


def tool(card: Card) -> Callable[[Function], Function]:
    """Give a function its card, where there is a command and no estimator.

    The map reads the card in the file (:func:`tools`), so its values stand there as they are, none of them computed.
    """

    def mark(function: Function) -> Function:
        function.card = card  # type: ignore[attr-defined]
        return function

    return mark


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool's card, the function's module and name, and its docstring."""

    card: Card
    module: str
    name: str
    doc: str

    def load(self) -> Any:
        """The function. Imports its file, and torch where that does."""
        return getattr(importlib.import_module(self.module), self.name)


@cache
def tools() -> Mapping[str, Tool]:
    """All tools by key, sorted. Their files are read and not imported: the map works without torch."""
    found: dict[str, Tool] = {}
    for package in _WITH_TOOLS:
        for file in files(package).iterdir():
            if file.name.endswith(".py"):
                module = f"{package}.{file.name.removesuffix('.py')}"
                found |= {made.card.key: made for made in _tools_in(file.read_text("utf8"), module)}
    return MappingProxyType(dict(sorted(found.items())))


def _tools_in(source: str, module: str) -> Iterator[Tool]:
    """What is marked in a file, and its card, whose values are literals."""
    for node in ast.parse(source).body if "@tool(" in source else ():
        if isinstance(node, ast.FunctionDef):
            for mark in node.decorator_list:
                if (
                    isinstance(mark, ast.Call)
                    and ast.unparse(mark.func) == "tool"
                    and isinstance(mark.args[0], ast.Call)
                ):
                    values = {k.arg or "": ast.literal_eval(k.value) for k in mark.args[0].keywords}
                    yield Tool(Card(**values), module, node.name, ast.get_docstring(node) or "")


@cache
def _places() -> dict[str, str]:
    """Where each method's file lies: key -> family. Reads the folders, imports no method."""
    root = importlib.import_module(_METHODS)
    places = {}
    for family in pkgutil.iter_modules(root.__path__):
        package = importlib.import_module(f"{_METHODS}.{family.name}")
        for module in pkgutil.iter_modules(package.__path__):
            if not module.name.startswith("_"):
                places[module.name] = family.name
    return places


def keys() -> tuple[str, ...]:
    """The keys of all methods that are built, sorted."""
    return tuple(sorted(_places()))


def find(key: str) -> type[Any]:
    """The class of the method ``key``, however it is spelled ("source-only"). Imports that one file only.

    Raises
    ------
    ValueError
        If there is no such method; the message names those that come close.

    Examples
    --------
    >>> from transfermap.card import find
    >>> find("coral").card.year
    2016
    """
    key = choose("method", key, _places(), also=LISTED)
    module = importlib.import_module(f"{_METHODS}.{_places()[key]}.{key}")
    found: type[Any] = next(c for name, c in vars(module).items() if name.lower() == key)
    return found


def cards() -> Iterator[Card]:
    """The cards of all methods that are built, by key."""
    for key in keys():
        yield find(key).card


def family_title(family: str) -> str:
    """What a family is called: the first line of its folder's docstring."""
    doc = importlib.import_module(f"{_METHODS}.{family}").__doc__ or family
    return doc.strip().splitlines()[0].rstrip(".")
