"""Three things that go wrong easily, tried here and, with ``--peer PYTHON``, in skada (see peers-setup.sh).

    python benchmarks/traps.py --peer .peers/bin/python

1. A raw table: a text column and missing cells.  2. Labels that are words.  3. TCA on rows in mixed order: accuracy on
the target, in order and shuffled; the data are the same, so the two numbers should be too.
"""

from __future__ import annotations

import argparse
import subprocess
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

N = 300
Data = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def sides() -> Data:
    """Two sites; the second reads four of the five columns with an offset."""
    rng = np.random.default_rng(0)
    ys, yt = rng.integers(0, 2, (2, N))
    Xs, Xt = rng.normal(size=(2, N, 5))
    Xs[:, 0] += 2 * ys
    Xt[:, 0] += 2 * yt
    Xt[:, 1:] += 1.5
    return Xs, ys, Xt, yt


def raw(X: np.ndarray) -> pd.DataFrame:
    """The rows as a table with a column of words and some empty cells."""
    frame = pd.DataFrame(X, columns=list("abcde")).assign(site="x")
    frame.loc[::20, "a"] = np.nan
    return frame


def ours() -> dict[str, Callable[[], object]]:
    """The three scenes in transfermap."""
    import transfermap as tm

    Xs, ys, Xt, yt = sides()

    def tca(order: np.ndarray) -> float:
        X, y, d = np.r_[Xs, Xt], np.r_[ys, np.full(N, -1)], np.repeat([1, -1], N)
        model = tm.Adapted(tm.TCA(kernel="rbf", n_components=3), LogisticRegression())
        return round(model.fit(X[order], y[order], sample_domain=d[order]).score(Xt, yt), 3)

    def words() -> str:
        predicted = tm.adapt(Xs, np.where(ys == 1, "yes", "no"), Xt, method="coral").predict(Xt)
        return f"works, predicts {sorted(set(predicted))}"

    shuffled = np.random.default_rng(1).permutation(2 * N)
    return {
        "a raw table": lambda: (
            f"works: {len(tm.adapt(raw(Xs), ys, raw(Xt), method='coral').predict(raw(Xt)))} predictions"
        ),
        "labels that are words": words,
        "TCA, in order / shuffled": lambda: f"{tca(np.arange(2 * N))} / {tca(shuffled)}",
    }


def theirs() -> dict[str, Callable[[], object]]:
    """The same scenes in skada."""
    from skada import CORALAdapter, TransferComponentAnalysisAdapter, make_da_pipeline

    Xs, ys, Xt, yt = sides()
    X, y, d = np.r_[Xs, Xt], np.r_[ys, np.full(N, -1)], np.repeat([1, -2], N)

    def coral(table: object, labels: np.ndarray) -> str:
        make_da_pipeline(CORALAdapter(), LogisticRegression()).fit(table, labels, sample_domain=d)
        return "works"

    def tca(order: np.ndarray) -> float:
        model = make_da_pipeline(TransferComponentAnalysisAdapter(n_components=3), LogisticRegression())
        model.fit(X[order], y[order], sample_domain=d[order])
        return round(model.score(Xt, yt, sample_domain=np.full(N, -2)), 3)

    shuffled = np.random.default_rng(1).permutation(2 * N)
    return {
        "a raw table": lambda: coral(raw(X), y),
        "labels that are words": lambda: coral(X, np.where(y < 0, "?", np.where(y == 1, "yes", "no"))),
        "TCA, in order / shuffled": lambda: f"{tca(np.arange(2 * N))} / {tca(shuffled)}",
    }


def show(name: str, scenes: dict[str, Callable[[], object]]) -> None:
    """Play the scenes; whatever is raised is the result."""
    for title, play in scenes.items():
        try:
            outcome = play()
        except Exception as error:
            outcome = f"{type(error).__name__}: {str(error)[:70]}"
        print(f"{name:12s} {title:26s} {outcome}", flush=True)


def main() -> None:
    """Ours in this process, theirs in one of its own."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", help="a Python that has skada")
    parser.add_argument("--theirs", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.theirs:
        show("skada", theirs())
        return
    show("transfermap", ours())
    if options.peer:
        subprocess.run([options.peer, __file__, "--theirs"], check=True)


if __name__ == "__main__":
    main()
