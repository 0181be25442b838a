"""How often what reads columns is called, and on how many cells: by wrapping it wherever it is imported."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import contextmanager

import numpy as np
import pandas as pd

import transfermap.data.tables.columns as columns
import transfermap.data.tables.dates as dates
import transfermap.data.tables.numerals as numerals

# columns and cells of a call, by its first arguments
INFER = {"infer": lambda s, *_: (1, len(s)), "infer_all": lambda f, *_: (f.shape[1], f.size)}
STYLE = {"style_of": lambda s, *_: (1, len(s))}
COERCE = {"coerce": lambda s, *_: (1, len(s)), "coerced": lambda f, kinds, *_: (len(kinds), len(f) * len(kinds))}
TRY = {"_plain_numbers": lambda s: (1, len(s))}
WORDS = {"number_style": lambda cells, *_: (1, len(cells)), "date_style": lambda cells, *_: (1, len(cells))}


@contextmanager
def counted():
    """Counters of columns and of cells, of what happens inside: "inferred", "styled", "tried" and "coerced"."""
    found = Counter(), Counter()
    wrapped = []
    kinds = {"inferred": INFER, "styled": {**STYLE, **WORDS}, "tried": TRY, "coerced": COERCE}
    for what, functions in kinds.items():
        depth = [0]
        for name, size in functions.items():
            home = next(m for m in (columns, numerals, dates) if getattr(m, name, None))
            wrapped += _replaced(getattr(home, name), _watched(getattr(home, name), what, size, depth, found))
    try:
        yield found
    finally:
        for module, name, function in wrapped:
            setattr(module, name, function)


def _watched(function, what, size, depth, found):
    """Of calls within each other the outermost counts."""

    def watched(*args, **kwargs):
        if not depth[0]:
            for counter, count in zip(found, size(*args), strict=True):
                counter[what] += count
        depth[0] += 1
        try:
            return function(*args, **kwargs)
        finally:
            depth[0] -= 1

    return watched


def _replaced(function, by):
    name = function.__name__
    at = [m for m in list(sys.modules.values()) if getattr(m, "__name__", "").startswith("transfermap")]
    found = [(module, name, function) for module in at if vars(module).get(name) is function]
    for module, _, _ in found:
        setattr(module, name, by)
    return found


def table(rows: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Thirteen columns of numbers, one with decimal commas, one of dates, five of categories; and the label."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 13)).round(4)
    frame = pd.DataFrame(X, columns=[f"n{i}" for i in range(13)])
    frame["comma"] = [f"{value:.3f}".replace(".", ",") for value in rng.normal(size=rows)]
    frame["day"] = (pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 600, rows), "D")).strftime("%d.%m.%Y")
    for i in range(5):
        frame[f"c{i}"] = rng.choice(list("abcd"), rows)
    return frame.assign(label=np.where(X[:, 0] + X[:, 1] > 0, "yes", "no"))
