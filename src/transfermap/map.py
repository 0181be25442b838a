"""The map of transfer learning: what is transferred, how, and by which method, built or planned.

Built methods and tools are read off the registry, planned ones off ``planned.toml``; nothing is listed twice.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any, get_args
from urllib.parse import quote

from transfermap.card import (
    LISTED,
    Card,
    LabelSets,
    LabelsRead,
    Setting,
    Transfers,
    cards,
    family_title,
    find,
    keys,
    tools,
)
from transfermap.messages.choices import choose

NOTHING = "nothing"
Tree = dict[str, dict[str, list["Entry"]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One method on the map, built or planned; fields mean what they mean on a :class:`~transfermap.card.Card`.

    ``label_sets`` is "" for an unsupervised method, which has no labels; ``reads`` is "" where nothing is built.
    ``rows`` are the requirements that a planned method answers. A tool is ``built``, and ``command`` says how it runs.
    """

    key: str
    name: str
    year: int
    family: str
    transfers: str
    setting: str
    label_sets: str = ""
    needs: tuple[str, ...] = ()
    reference: str
    doi: str = ""
    rows: tuple[int, ...] = ()
    built: bool = False
    reads: str = ""
    command: str = ""

    @property
    def estimator(self) -> bool:
        """Whether it can be fitted today: built, and not as a tool."""
        return self.built and not self.command


def entries() -> list[Entry]:
    """Every method there is or is to be, in the order of the map.

    Examples
    --------
    >>> from transfermap.map import entries
    >>> next(e.built for e in entries() if e.key == "coral")
    True
    """
    built = [*cards(), *(tool.card for tool in tools().values())]
    found = [_from_card(card) for card in built] + planned()
    return sorted(found, key=_order({e.family for e in found if e.built}))


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads((files(__package__) / "planned.toml").read_text("utf8"))


def planned() -> list[Entry]:
    """The methods of ``planned.toml``."""
    return [Entry(**m | {"needs": tuple(m["needs"]), "rows": tuple(m["rows"])}) for m in _data()["method"]]


def _from_card(card: Card) -> Entry:
    return Entry(
        key=card.key,
        name=card.name,
        year=card.year,
        family=card.family,
        transfers=card.transfers,
        setting=card.setting,
        label_sets="" if card.setting == "unsupervised" else card.label_sets,
        needs=card.needs,
        reference=card.reference,
        doi=card.doi,
        built=True,
        reads=card.reads or "",
        command=card.command,
    )


def _order(begun: set[str]) -> Any:
    """Sort by what is transferred, then families with something built first, then built methods first, then by year."""
    whats, families = get_args(Transfers), list(_data()["families"])

    def place(e: Entry) -> tuple[Any, ...]:
        rank = families.index(e.family) if e.family in families else -1
        return whats.index(e.transfers), e.family not in begun, rank, e.family, not e.built, e.year, e.key

    return place


def title(family: str) -> str:
    """What a family is called: by its folder where it has one, by ``planned.toml`` where it has none yet.

    Examples
    --------
    >>> from transfermap.map import title
    >>> title("weighting")
    'Instance weighting'
    """
    named: dict[str, str] = _data()["families"]
    return named[family] if family in named else family_title(family).split(":")[0]


def lookup(key: str) -> Card | Entry:
    """The card of a method or tool that is built, or the entry of one that is planned, however the key is spelled.

    Raises
    ------
    ValueError
        If the map has no such method; the message says which keys come close.
    """
    wanted = {e.key: e for e in planned()}
    key = choose("method", key, [*keys(), *tools(), *wanted], also=LISTED)
    if key in wanted:
        return wanted[key]
    if key in tools():
        return tools()[key].card
    card: Card = find(key).card
    return card


def vocabulary(found: Iterable[Entry]) -> list[str]:
    """The words for what methods need, as used by these entries."""
    return sorted({word for e in found for word in e.needs})


def select(
    found: Iterable[Entry],
    setting: str | None = None,
    label_sets: str | None = None,
    needs: str | None = None,
    built: bool | None = None,
    reads: str | None = None,
) -> list[Entry]:
    """The entries that fit every filter given.

    Parameters
    ----------
    found : iterable of Entry
    setting : {"transductive", "inductive", "unsupervised"}, optional
        Which labels exist.
    label_sets : {"closed", "partial", "open", "disjoint"}, optional
        How the target's classes relate to the source's.
    needs : str, optional
        Something that the method needs ("torch", "target labels", "images" ...); "nothing" for the methods that need
        nothing but labelled source rows and target rows.
    built : bool, optional
        Only what is built, or only what is planned.
    reads : {"none", "source", "target", "both"}, optional
        Whose labels the method reads; an estimator that is trained after it reads the source's in any case.

    Raises
    ------
    ValueError
        If a filter is a word that the map does not use; the message lists those that it does.

    Examples
    --------
    >>> from transfermap.map import entries, select
    >>> [e.key for e in select(entries(), label_sets="open")]
    ['osbp']
    """
    found = list(found)
    setting = setting and choose("setting", setting, get_args(Setting))
    label_sets = label_sets and choose("label sets", label_sets, get_args(LabelSets))
    reads = reads and choose("labels read", reads, get_args(LabelsRead))
    needs = needs and choose("need", needs, (NOTHING, *vocabulary(found)))
    return [
        e
        for e in found
        if setting in (None, e.setting)
        and label_sets in (None, e.label_sets)
        and (needs is None or needs in e.needs or (needs == NOTHING and not e.needs))
        and built in (None, e.built)
        and reads in (None, e.reads)
    ]


def tree(found: Iterable[Entry]) -> Tree:
    """The entries nested: what is transferred -> family -> methods, in the order given."""
    nested: Tree = {}
    for e in found:
        nested.setdefault(e.transfers, {}).setdefault(e.family, []).append(e)
    return nested


def counts(found: Iterable[Entry]) -> dict[str, int]:
    """How many of the entries are built, and how many are planned."""
    done = [e.built for e in found]
    return {"built": sum(done), "planned": len(done) - sum(done)}


def to_json(found: Iterable[Entry]) -> str:
    """The map as JSON: the counts, and a list of branches, each with its families, each with its methods."""
    found = list(found)
    branches = [
        {
            "transfers": what,
            "families": [
                {
                    "family": family,
                    "title": title(family),
                    "methods": [asdict(e) | {"url": url(e.doi)} for e in methods],
                }
                for family, methods in families.items()
            ],
        }
        for what, families in tree(found).items()
    ]
    return json.dumps(counts(found) | {"map": branches}, indent=2, ensure_ascii=False)


def url(doi: str) -> str:
    """Where a paper is found: a DOI becomes a link, a link stays one, nothing stays nothing.

    Examples
    --------
    >>> from transfermap.map import url
    >>> url("10.1109/TKDE.2009.191")
    'https://doi.org/10.1109/TKDE.2009.191'
    """
    if not doi or doi.startswith(("https://", "http://")):
        return doi
    return "https://doi.org/" + quote(doi, safe="/:;().-_")
