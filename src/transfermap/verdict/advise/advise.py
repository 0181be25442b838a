"""Where on the map somebody stands, and which of its methods fit there: the grid of labels, then the other answers.

Everything is read off the cards: no method is named here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, NamedTuple, get_args

from transfermap.card import Card, LabelSets, Setting, TaskKind, find
from transfermap.map import Entry, entries, lookup
from transfermap.messages import Note
from transfermap.verdict.labels.few_labels import few_label_keys

Cell = Literal["inductive", "transductive", "self_taught", "unsupervised"]
CHOICES: dict[str, tuple[str, ...]] = {
    "source_data": ("here", "gone"),
    "source_labels": ("yes", "no"),
    "target_labels": ("none", "few", "all"),
    "task": get_args(TaskKind),
    "columns": ("same", "different"),
    "classes": get_args(LabelSets),
    "sources": ("one", "several"),
}
GRID: dict[tuple[bool, bool], Cell] = {
    (True, True): "inductive",
    (True, False): "transductive",
    (False, True): "self_taught",
    (False, False): "unsupervised",
}
TABLES = "SOURCE.csv TARGET.csv --label COLUMN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What somebody has: seven answers, each with the one that is taken where nobody gave another.

    Parameters
    ----------
    source_data : {"here", "gone"}
        Whether the source's rows can still be read, or only a model that was trained on them is left.
    source_labels : {"yes", "no"}
        Whether the source has labels (or had, when the model that is left was trained).
    target_labels : {"none", "few", "all"}
        How many target rows have labels.
    task : {"classification", "regression"}
        What is predicted.
    columns : {"same", "different"}
        Whether source and target share columns.
    classes : {"closed", "partial", "open", "disjoint"}
        The target's classes: the same as the source's; fewer; more; other ones.
    sources : {"one", "several"}

    Raises
    ------
    ValueError
        If an answer is none of these, or classes are compared where numbers are predicted.
    """

    source_data: str = "here"
    source_labels: str = "yes"
    target_labels: str = "none"
    task: str = "classification"
    columns: str = "same"
    classes: str = "closed"
    sources: str = "one"

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if (given := getattr(self, name)) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}; got {given!r}")
        if self.task == "regression" and self.classes != "closed":
            raise ValueError(f"classes must be closed in regression, which has no classes; got {self.classes!r}")

    @property
    def cell(self) -> Cell:
        """The cell of the grid: are there labels in the source, are there labels in the target."""
        return GRID[self.source_labels == "yes", self.target_labels != "none"]


class Step(NamedTuple):
    """A command to run next, and the code of the sentence that says what for."""

    command: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A method that fits a situation.

    Attributes
    ----------
    key, name, year, family, transfers, built, command
        As on the map.
    start : bool
        Whether it is among those to begin with.
    reads_target_labels : bool
        Whether it learns from target labels; others leave them for a check of the outcome.
    assumes : tuple of str
        When it may be used; empty for a planned method, which has no card yet.
    needs : tuple of str
        What it needs beyond what the situation is known to have.
    """

    key: str
    name: str
    year: int
    family: str
    transfers: str
    built: bool
    command: str = ""
    start: bool = False
    reads_target_labels: bool
    assumes: tuple[str, ...]
    needs: tuple[str, ...]

    @property
    def estimator(self) -> bool:
        """As on the map."""
        return self.built and not self.command


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Where the situation stands on the map, and what to do from there.

    Attributes
    ----------
    situation : Situation
    cell : {"inductive", "transductive", "self_taught", "unsupervised"}
        The cell of the grid (source labelled?, target labelled?).
    setting : {"inductive", "transductive", "unsupervised"}
        What Pan and Yang call it: self-taught learning is inductive, its source being without labels.
    methods : tuple of Fit
        Estimators first, then tools, and among these the ones to begin with.
    steps : tuple of Step
        Commands to run next.
    notes : tuple of Note
        What should be known beside.
    """

    situation: Situation
    cell: Cell
    setting: Setting
    methods: tuple[Fit, ...]
    steps: tuple[Step, ...]
    notes: tuple[Note, ...]

    def to_dict(self) -> dict[str, Any]:
        """The advice as JSON can hold it."""
        return asdict(self) | {"steps": [step._asdict() for step in self.steps]}


def advise(situation: Situation, *, tables: str = TABLES) -> Advice:
    """Say which cell of the grid somebody is in, which methods fit, and what to run next.

    Parameters
    ----------
    situation : Situation
    tables : str
        How the commands name the data.

    Returns
    -------
    Advice

    References
    ----------
    Pan and Yang, A Survey on Transfer Learning, IEEE Transactions on Knowledge and Data Engineering 22(10), 2010.
    doi:10.1109/TKDE.2009.191

    Examples
    --------
    >>> from transfermap.verdict.advise.advise import Situation, advise
    >>> found = advise(Situation(classes="open"))
    >>> found.cell, [m.key for m in found.methods if m.estimator]
    ('transductive', ['osbp'])
    """
    ranked = sorted((e for e in entries() if fits(e, situation)), key=_rank)
    best = _rank(ranked[0]) if ranked else ()
    methods = tuple(_fit(e, situation, start=_rank(e) == best) for e in ranked)
    return Advice(
        situation=situation,
        cell=situation.cell,
        setting="inductive" if situation.cell == "self_taught" else situation.cell,
        methods=methods,
        steps=tuple(_steps(situation, methods, tables)),
        notes=tuple(_notes(situation, methods)),
    )


def homes(e: Entry) -> set[Cell]:
    """The cells of the grid in which a method is at home.

    A method that starts from a model and learns from target labels does not ask how that model was trained.
    """
    if e.setting != "inductive":
        return {e.setting}  # type: ignore[arg-type]
    if "unlabelled source" in e.needs:
        return {"self_taught"}
    return {"inductive", "self_taught"} if "pretrained model" in e.needs else {"inductive"}


def fits(e: Entry, s: Situation) -> bool:
    """Whether a method fits a situation, as far as its card can say."""
    return all(
        (
            s.cell in homes(e) or _spares_labels(e, s),
            s.source_data == "here" or "pretrained model" in e.needs,
            not e.estimator or s.task in find(e.key).card.tasks,
            s.source_labels == "no" or _classes_fit(e, s),
            s.columns == "different" or "other columns" not in e.needs,
            s.columns == "same" or _takes_other_columns(e),
            s.sources == "several" or "several sources" not in e.needs,
        )
    )


def _spares_labels(e: Entry, s: Situation) -> bool:
    """Few target labels may be left for the check, and the target taken for one without."""
    return e.setting == "transductive" and s.source_labels == "yes" and s.target_labels == "few"


def _classes_fit(e: Entry, s: Situation) -> bool:
    """What learns other classes from the target's own labels learns the same ones just as well."""
    return e.label_sets == s.classes or (e.label_sets == "disjoint" and e.setting == "inductive")


def _takes_other_columns(e: Entry) -> bool:
    return "other columns" in e.needs or (e.estimator and hasattr(find(e.key), "other_columns"))


def _rank(e: Entry) -> tuple[bool, bool, bool, bool]:
    """Estimators, then tools, then what is planned; what uses all labels there are and ``adapt`` tries first."""
    by_default = e.estimator and find(e.key).card.by_default
    return not e.estimator, not e.built, e.setting != "inductive", not by_default


def _assumes(e: Entry) -> tuple[str, ...]:
    card = lookup(e.key)
    return card.assumes if isinstance(card, Card) else ()


def _fit(e: Entry, s: Situation, start: bool) -> Fit:
    met = {"target labels", "unlabelled source", "other columns", "several sources"}
    met |= {"pretrained model"} if s.source_data == "gone" else set()
    return Fit(
        key=e.key,
        name=e.name,
        year=e.year,
        family=e.family,
        transfers=e.transfers,
        built=e.built,
        command=e.command,
        start=start,
        reads_target_labels=e.setting == "inductive",
        assumes=_assumes(e),
        needs=tuple(n for n in e.needs if n not in met),
    )


def _steps(s: Situation, methods: tuple[Fit, ...], tables: str) -> Iterator[Step]:
    """Look, learn from target labels where there are some, try without them, and hold the outcome against them."""
    built = [m for m in methods if m.estimator]
    blind = [m.key for m in built if not m.reads_target_labels]
    learns = s.target_labels == "few" and any(m.key in few_label_keys(s.task) for m in built)  # type: ignore[arg-type]
    if built and s.columns == "same" and s.source_data == "here":
        yield Step(f"transfermap check {tables}", "advise.step_check")
    if built and built[0].reads_target_labels:
        yield Step(f"transfermap map {built[0].key}", "advise.step_python")
    if blind and s.source_data == "gone":
        yield Step("transfermap adapt --model RUN TARGET.csv -o run1", "advise.step_without_source")
        if s.target_labels == "few":
            yield Step("transfermap verify run1 LABELLED.csv", "advise.step_verify")
    elif blind:
        chosen = "" if any(find(key).card.by_default for key in blind) else "".join(f" --method {k}" for k in blind)
        yield Step(f"transfermap adapt {tables}{chosen} -o run1", "advise.step_adapt")
        if s.target_labels == "few":
            yield Step("transfermap verify run1 LABELLED.csv", "advise.step_verify")
        if learns and not chosen:
            learned = "--labelled-target LABELLED.csv --learn -o run2"
            yield Step(f"transfermap adapt {tables} {learned}", "advise.step_learn")
    if not blind or s.target_labels == "all":
        for line in dict.fromkeys(m.command for m in methods if m.command):
            yield Step(line, "advise.step_command")
    if not any(m.built for m in methods):
        yield Step(f"transfermap map {methods[0].key}" if methods else "transfermap map", "advise.step_planned")


def _notes(s: Situation, methods: tuple[Fit, ...]) -> Iterator[Note]:
    """What holds whichever method is taken, most important first."""
    if not methods:
        yield Note("advise.nothing", "stop")
    elif not any(m.built for m in methods):
        yield Note("advise.only_planned", "warn")
    yield Note("advise.related", "warn")
    special = {
        "gone": s.source_data == "gone",
        "all_labelled": s.target_labels == "all",
        "spared": s.cell == "inductive" and any(not m.reads_target_labels for m in methods),
        "unseen_classes": s.cell == "transductive" and s.classes == "disjoint",
        "unknown_classes": s.cell == "transductive" and s.classes == "closed" and s.task == "classification",
        "other_columns": s.columns == "different",
    }
    yield from (Note(f"advise.{code}") for code, holds in special.items() if holds)


def next_question(answers: Mapping[str, str]) -> str | None:
    """The first answer that is still open and matters, given the others; None when all is said.

    Examples
    --------
    >>> from transfermap.verdict.advise.advise import next_question
    >>> next_question({}), next_question({"source_data": "gone", "source_labels": "no", "target_labels": "none"})
    ('source_data', None)
    """
    moot = {
        "columns": answers.get("source_data") == "gone",
        "sources": answers.get("source_data") == "gone",
        "task": answers.get("source_labels") == "no" and answers.get("target_labels") == "none",
        "classes": answers.get("source_labels") == "no" or answers.get("task") == "regression",
    }
    return next((name for name in CHOICES if name not in answers and not moot.get(name)), None)


def assumed(answers: Mapping[str, str]) -> list[str]:
    """The answers that :class:`Situation` takes for granted, as nobody gave them though they matter."""
    open_ones, known = [], dict(answers)
    usual = {f.name: str(f.default) for f in fields(Situation)}
    while (name := next_question(known)) is not None:
        open_ones.append(name)
        known[name] = usual[name]
    return open_ones
