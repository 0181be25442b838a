"""Arrays for the report: source and target as flat maps, weights of source rows, and what training noted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.decomposition import PCA

from transfermap.verdict.assessment import Judgement
from transfermap.verdict.encoded import Array, Domains
from transfermap.verdict.evidence import Candidate
from transfermap.verdict.leaderboard import ranked

# rows of a side that a map shows
DRAWN = 600


def maps(candidates: Sequence[Candidate], judged: Judgement, data: Domains, seed: int) -> dict[str, Array]:
    """Source and target as flat maps, before and after the method that the verdict speaks of (or the runner-up)."""
    rng = np.random.default_rng([seed, 4])
    s = np.sort(rng.permutation(len(data.Xs))[:DRAWN])
    t = np.sort(rng.permutation(len(data.Xt))[:DRAWN])
    arrays = dict(zip(("before_source", "before_target"), _flat(data.Xs[s], data.Xt[t]), strict=True))
    if data.kind == "classification":
        arrays["classes_source"] = np.searchsorted(data.classes, data.ys[s])
    verdict = judged.verdict
    key = verdict.method if verdict.answer == "use" else next(iter(ranked(judged)), "")
    shown = next((c for c in candidates if c.key == key and c.model is not None), None)
    if shown is None or shown.model is None:
        return arrays
    arrays["method"] = np.array(shown.name)
    if shown.is_ensemble:
        return arrays
    adapter = shown.model.adapter_
    if hasattr(adapter, "weights_"):
        return arrays | {"weights": adapter.weights_}
    if hasattr(adapter, "source_weights"):
        arrays["weights"] = adapter.source_weights(data.source.read_by(adapter))
    if hasattr(adapter, "history_"):
        arrays |= curves(adapter.history_)
        after = _flat(*(adapter.features(side.read_by(adapter)[i]) for side, i in ((data.source, s), (data.target, t))))
    else:
        after = _flat(adapter._see_source(data.Xs[s], data.sources[s]), adapter._see_target(data.Xt[t]))
    return arrays | dict(zip(("after_source", "after_target"), after, strict=True))


def curves(history: list[dict[str, float]]) -> dict[str, Array]:
    """What training noted: ``curve_names`` (k,) and ``curves`` (points, 1 + k), steps first; nan where nothing was."""
    names = list(dict.fromkeys(name for point in history for name in point if name not in ("step", "seconds")))
    table = [[point["step"], *(point.get(name, np.nan) for name in names)] for point in history]
    return {"curve_names": np.array(names), "curves": np.array(table, dtype=float)}


def _flat(Zs: Array, Zt: Array) -> tuple[Array, Array]:
    """Both clouds on the two main axes of their union, in units of its spread, so that images share their axes."""
    Z = np.concatenate([Zs, Zt])
    k = min(2, *Z.shape)
    flat = np.zeros((len(Z), 2))
    flat[:, :k] = PCA(k, svd_solver="full").fit_transform(Z)
    flat /= max(float(flat.std()), np.finfo(float).tiny)
    return flat[: len(Zs)], flat[len(Zs) :]
