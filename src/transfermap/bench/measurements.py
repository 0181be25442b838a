"""The cells of a grid: what defines one measurement, which ones a grid has, and which source rows a seed draws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from transfermap.bench.baselines import BASELINES
from transfermap.bench.contenders import OWN, Contender, check_contender, classifier, takes_estimator
from transfermap.bench.dataset_files import Array
from transfermap.bench.datasets import find_set, fingerprint, load_domains
from transfermap.bench.preprocess import check_recipe
from transfermap.bench.records import key_of

FULL = "full"
SHARE = 0.8  # of each class, so that draws differ and still overlap enough to be about one task
Seed = int | str


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What defines one measurement.

    Parameters
    ----------
    dataset, source, target : str
        The task; ``source`` may be several domains joined by "+".
    data : str
        Fingerprints of the domains: other data under the same name are another cell.
    method : str
        Key of a method or name of a baseline.
    params : dict
        Its settings, where they are not the default.
    estimator : str
        The classifier trained after the method, "own" where the method is one.
    preprocess : str
        How each domain's features are prepared.
    seed : int or "full"
        Which draw of the source rows; "full": all of them.
    draw : str
        How many are drawn: "80%", "20 a class", "full".
    """

    dataset: str
    data: str
    source: str
    target: str
    method: str
    params: dict[str, Any]
    estimator: str
    preprocess: str
    seed: Seed
    draw: str

    @property
    def key(self) -> str:
        """The cell's name in the records."""
        return key_of(asdict(self))


def plan(
    names: Sequence[str],
    methods: Sequence[Contender],
    seeds: Sequence[Seed] = (0,),
    *,
    data_dir: Path | None = None,
    estimators: Sequence[str] = ("nn",),
    preprocess: str = "none",
    per_class: int | None = None,
    tasks: Sequence[tuple[str, str]] = (),
) -> list[Cell]:
    """Every cell of a grid; the honest baselines and source-only are always among the methods.

    Parameters
    ----------
    names : list of str
        Data sets.
    methods : list of Contender
    seeds : list of int or "full"
        Draws of the source rows; 80 % of each class where ``per_class`` does not say otherwise.
    data_dir : path, optional
        The data folder; None: the environment's ``TRANSFERMAP_DATA``.
    estimators : list of str
        Classifiers trained after those methods that are none themselves.
    preprocess : str
        A recipe of :mod:`transfermap.bench.preprocess`.
    per_class : int, optional
        Draw this many source rows of each class (all, where it has fewer).
    tasks : list of (source, target), optional
        Only these; otherwise every ordered pair of the data set's domains.

    Raises
    ------
    ValueError
        If a name is unknown, a number is out of bounds, or data are not there; before anything is run.
    """
    preprocess = check_recipe(preprocess)
    for name in estimators:
        classifier(name)
    draws = [(check_seed(seed), draw_name(seed, per_class)) for seed in seeds]
    # always: on bags of words most of a published gain is the length of rows, and these show it
    everyone = [*(Contender(key) for key in (*BASELINES, "sourceonly")), *(check_contender(m) for m in methods)]
    # a method that was asked for as a baseline already runs once
    unique = list({c.spelled: c for c in everyone}.values())
    runs = [(c, e) for c in unique for e in (estimators if takes_estimator(c.key) else [OWN])]
    return [
        Cell(
            dataset=name,
            data=data,
            source=source,
            target=target,
            method=contender.key,
            params=dict(contender.params),
            estimator=after,
            preprocess=preprocess,
            seed=seed,
            draw=draw,
        )
        for name in dict.fromkeys(names)
        for source, target, data in _tasks(name, data_dir, tasks)
        for seed, draw in dict.fromkeys(draws)
        for contender, after in runs
    ]


def _tasks(name: str, data_dir: Path | None, wanted: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Source, target and fingerprint of each task of a data set."""
    domains, data = load_domains(name, data_dir), find_set(name, data_dir)
    # once a domain, not once a task
    marks = {domain: fingerprint(content) for domain, content in domains.items()}
    for source, target in wanted or data.pairs:
        parts = [*source.split("+"), target]
        strange = [part for part in parts if part not in marks]
        if strange or len(set(parts)) < len(parts):
            fault = f"has no domain {strange[0]!r}" if strange else f"{source}:{target} names a domain twice"
            raise ValueError(f"{name} {fault}; expected SOURCE:TARGET, different ones of: {', '.join(marks)}")
        yield source, target, "+".join(marks[part] for part in parts)


def check_seed(seed: Seed) -> Seed:
    """The seed itself, if it is "full" or a whole number from 0 to 2^32 - 1."""
    if seed == FULL or (isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 2**32):
        return seed
    raise ValueError(f"a seed must be a whole number from 0 to {2**32 - 1}, or {FULL!r}; got {seed!r}")


def parse_seeds(text: str) -> list[Seed]:
    """Seeds as a command spells them.

    Examples
    --------
    >>> from transfermap.bench.measurements import parse_seeds
    >>> parse_seeds("0,1,full")
    [0, 1, 'full']
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise ValueError("--seeds must name at least one, such as 0,1,2 or full; got none")
    return [check_seed(int(part) if part.isdecimal() else part) for part in parts]


def parse_tasks(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Tasks as a command spells them: ``SOURCE:TARGET``."""
    parted = [text.split(":") for text in texts]
    strange = [text for text, parts in zip(texts, parted, strict=True) if len(parts) != 2 or not all(parts)]
    if strange:
        raise ValueError(f"--pair must be SOURCE:TARGET; got {strange[0]!r}")
    return [(source, target) for source, target in parted]


def draw_name(seed: Seed, per_class: int | None) -> str:
    """How many source rows a seed draws, in words."""
    if per_class is not None and per_class < 1:
        raise ValueError(f"--per-class must be at least 1, got {per_class}")
    return FULL if seed == FULL else f"{SHARE:.0%}" if per_class is None else f"{per_class} a class"


def drawn(y: Array, seed: Seed, draw: str) -> Array:
    """The numbers of the source rows that a seed draws, in order.

    Every class keeps its share, and at least one row; the same seed draws the same rows for every method and target.

    Examples
    --------
    >>> import numpy as np
    >>> from transfermap.bench.measurements import drawn
    >>> y = np.array(["a"] * 10 + ["b"] * 5)
    >>> np.bincount(drawn(y, 0, "80%") >= 10).tolist(), len(drawn(y, 0, "3 a class")), len(drawn(y, "full", "full"))
    ([8, 4], 6, 15)
    """
    if seed == FULL:
        return np.arange(len(y))
    rng = np.random.default_rng(int(seed))
    kept = []
    for c in np.unique(y):
        # class by class in their order, so that the same seed draws the same rows whatever else is in the table
        rows = rng.permutation(np.flatnonzero(y == c))
        kept.append(rows[: max(1, round(SHARE * len(rows))) if draw.endswith("%") else int(draw.split()[0])])
    return np.sort(np.concatenate(kept))
