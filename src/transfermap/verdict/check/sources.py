"""Which of several sources to learn from, as far as that can be told without target labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from transfermap.measure.transferability.source_ranking import rank_sources
from transfermap.messages import Note
from transfermap.verdict.check.facts import SourceWorth
from transfermap.verdict.encoded import Domains

# rows of a source that are looked at; a source of fewer than the least cannot be judged
MOST, LEAST = 1500, 20


def source_rows(data: Domains, names: Sequence[str], seed: int) -> tuple[SourceWorth, ...]:
    """A source a row, the most useful first; none where fewer than two can be judged.

    Parameters
    ----------
    data : Domains
    names : sequence of str
        What the sources are called, by number.
    seed : int
        Large sources are looked at through a sample.

    Returns
    -------
    tuple of SourceWorth
        ``source``, its ``rows``, and ``effective``: how many of them the target's weights leave; ``useful`` with
        ``low`` and ``high``, 95 %: by which they are ranked
        (:func:`~transfermap.measure.transferability.source_ranking.rank_sources`); ``quality``: balanced accuracy (R^2
        for numbers) on its own rows, weighted to look like the target; ``distance``: in [0, 2], from it.
    """
    rng = np.random.default_rng([seed, 6])
    drawn = [rng.permutation(np.flatnonzero(data.sources == k))[:MOST] for k in range(len(names))]
    enough = [rows for rows in drawn if len(rows) >= LEAST]
    if len(enough) < 2:
        return ()
    keep = np.sort(np.concatenate(enough))
    predicted = data.Xt[rng.permutation(len(data.Xt))[:MOST]]
    ranked = rank_sources(
        data.Xs[keep], data.ys[keep], data.sources[keep], predicted, regression=data.kind == "regression", seed=seed
    )
    return tuple(
        SourceWorth(
            source=names[s.source],
            rows=int(np.sum(data.sources == s.source)),
            effective=s.effective,
            useful=s.useful.value,
            low=s.useful.low,
            high=s.useful.high,
            quality=s.quality.value,
            distance=s.distance.value,
        )
        for s in ranked
    )


def source_words(rows: Sequence[SourceWorth]) -> list[Note]:
    """Which source should carry over best, where one stands out from the last."""
    if not rows:
        return []
    best, last = rows[0], rows[-1]
    values = {"best": best.source, "useful": best.useful, "last": last.source, "least": last.useful}
    return [Note("check.sources" if best.low > last.useful else "check.sources_even", "info", values)]
