"""A made-up run for tests: a record and its evidence arrays whose figures fit together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from transfermap.verdict.record import Record

CANDIDATES = {
    "coral": ("Correlation alignment", 0.034, 0.012),
    "linearmonge": ("Linear Monge map", 0.021, 0.014),
    "tca": ("Transfer component analysis", 0.006, 0.015),
    "kmm": ("Kernel mean matching", -0.004, 0.011),
    "subspacealignment": ("Subspace alignment", -0.047, 0.016),
}
_REASONS = {
    "use": {"code": "verdict.supported", "level": "info", "values": {"votes": 3, "of": 3}},
    "stay": {"code": "verdict.none_better", "level": "warn", "values": {}},
    "unknown": {"code": "verdict.too_little", "level": "warn", "values": {"key": "coral"}},
}
_BEHIND = {"code": "verdict.behind", "level": "stop"}
_LIFT = {"use": 0.0, "unknown": -0.024, "stay": -0.06}
_VERSIONS = {"transfermap": "0.1.0", "python": "3.11.7", "numpy": "2.4.1", "pandas": "2.3.3", "scikit-learn": "1.8.0"}


def note(code: str, level: str = "info", **values: Any) -> dict[str, Any]:
    """A stored note, as a record holds it."""
    return {"code": code, "level": level, "values": values}


def sample_record(
    kind: str = "classification",
    answer: str = "use",
    *,
    truth: bool = False,
    seed: int = 0,
    classes: tuple[str, ...] = ("no", "yes"),
    column_names: tuple[str, ...] = ("age", "monthly_fee", "plan", "tenure_days", "region", "last_login", "comment"),
    label: str = "churned",
    files: tuple[str, str] = ("shop_a.csv", "shop_b.csv"),
) -> tuple[Record, dict[str, Any]]:
    """A run's record and evidence arrays.

    Parameters
    ----------
    kind : {"classification", "regression"}
        What is predicted.
    answer : {"use", "stay", "unknown"}
        The verdict, to which the evidence is made to fit.
    truth : bool
        Whether some target labels are known, so that oracle scores stand beside the evidence.
    seed : int
        Seed of the made-up figures.
    classes, column_names, label, files
        Names as strangers' files have them.
    """
    rng = np.random.default_rng(seed)
    known = list(classes) if kind == "classification" else []
    source = rng.dirichlet(np.full(len(known), 6.0)) if known else np.zeros(0)
    target = np.roll(source, 1) * 0.5 + source * 0.5
    board = _leaderboard(rng, kind, answer, known, target, truth)
    method = "sourceonly" if answer == "stay" else "coral"
    record: dict[str, Any] = {
        "made": "2026-11-22T13:00:00+00:00",
        "seconds": 61.2,
        "command": f"transfermap adapt {files[0]} {files[1]} --label {label} -o run1",
        "seed": seed,
        "budget": 120.0,
        "estimator": "logistic" if known else "ridge",
        "versions": _VERSIONS,
        "inputs": {
            name: f"{i}" * 8 + "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c" for i, name in enumerate(files)
        },
        "task": {
            "label": label,
            "kind": kind,
            "classes": known or None,
            "n_source": 12000,
            "n_target": 9000,
            "source_names": [files[0]],
            "target_name": files[1],
            "columns": len(column_names),
            "features": 96,
        },
        "notes": [
            note("table.constant", columns=["currency", "country"]),
            note("table.unread", "warn", count=17, columns=["monthly_fee", "<i>x</i>"]),
        ],
        "check": _check(rng, known, source, target, column_names),
        "leaderboard": board,
        "verdict": {
            "answer": answer,
            "method": method,
            "name": {"coral": CANDIDATES["coral"][0]}.get(method, "Source only"),
            "model": "coral" if answer == "use" else "sourceonly",
            "reasons": [_REASONS[answer], note("verdict.resampled", resamples=5)],
            "risk": answer != "use",
        },
        "assumptions": [
            {"note": note("check.clear", "warn", value=0.81, low=0.79, high=0.83), "status": "measured", "fine": True},
            {"note": note("check.outside", "warn", share=0.13), "status": "measured", "fine": False},
            {"note": note("assumptions.same_task", label=label), "status": "asserted", "fine": None},
            {"note": note("assumptions.same_columns"), "status": "asserted", "fine": None},
            {"note": note("assumptions.same_meaning", "warn", label=label), "status": "unknowable", "fine": None},
        ],
        "untrusted": {"count": 120, "rows": _rows(rng, ("far", "unsure"))},
        "label_me": [row | {"stratum": "rest"} for row in _rows(rng, ("disagree", "random", "unsure"))],
        "label_design": {"leaders": ["coral"], "sizes": {"rest": 9000}},
        "truth": _truth(kind, board) if truth else None,
    }
    record["check"] |= {"task": record["task"]}
    return Record.from_dict(record), _arrays(rng, known, answer)


def altered(record: Record, change: Callable[[dict[str, Any]], object]) -> Record:
    """The record after a change to its plain values."""
    plain = record.to_dict()
    change(plain)
    return Record.from_dict(plain)


def _score(value: float, half: float) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half}


def _gained(value: float, base: float, half: float, wide: float = 0.02) -> dict[str, float]:
    gain = value - base
    return _score(value, wide) | {"gain": gain, "gain_low": gain - half, "gain_high": gain + half}


def _vote(seen: dict[str, float]) -> str:
    return "better" if seen["gain_low"] > 0 else "worse" if seen["gain_high"] < 0 else "even"


def _leaderboard(
    rng: np.random.Generator, kind: str, answer: str, known: list[str], target: np.ndarray, truth: bool
) -> list[dict[str, Any]]:
    def method(key: str, name: str, gain: float, half: float, role: str) -> dict[str, Any]:
        return _method(rng, key, name, gain, half, known, target, role, truth)

    majority = float(target.max()) - 0.742 if known else -0.742
    guess = ("majority", "majority") if known else ("mean", "mean")
    unrivalled = [
        _alone(method(*guess, majority, 0.01, "baseline")),
        _alone(method("sourceonly", "Source only", 0, 0, "baseline")),
    ]
    scaled = method("domainscaler", "Every domain scaled by itself", 0.011, 0.014, "baseline")
    rivals = [
        method(key, name, gain + _LIFT[answer], half, "candidate") for key, (name, gain, half) in CANDIDATES.items()
    ]
    late: dict[str, Any] = {
        "method": "jda",
        "name": "Joint distribution adaptation",
        "role": "candidate",
        "status": "skipped",
    }
    late |= {"note": note("verdict.skipped", "warn", method=late["name"]), "seconds": 0.0}
    return [*unrivalled, scaled, *rivals, late]


def _alone(row: dict[str, Any]) -> dict[str, Any]:
    """What is not held against source-only has neither gains nor votes."""
    evidence = {v: {k: seen[k] for k in ("value", "low", "high")} for v, seen in row["evidence"].items()}
    kept = {k: v for k, v in row.items() if k not in ("votes", "supported", "risk", "reasons")}
    return kept | {"evidence": evidence}


def _method(
    rng: np.random.Generator,
    key: str,
    name: str,
    gain: float,
    half: float,
    known: list[str],
    target: np.ndarray,
    role: str,
    truth: bool,
) -> dict[str, Any]:
    evidence = {
        "source": _score(0.861 - abs(gain) / 3, 0.009),
        "importance": _gained(0.742 + gain, 0.742, half),
        "reverse": _gained(0.701 + 1.2 * gain, 0.701, half * 1.3),
    }
    if known:
        evidence["infomax"] = _gained(0.31 + 0.5 * gain, 0.31, half / 3, 0.01)
    votes = {v: _vote(seen) for v, seen in evidence.items() if v != "source"}
    behind = [v for v, vote in votes.items() if vote == "worse"]
    row = {
        "method": key,
        "name": name,
        "role": role,
        "status": "ok",
        "note": None,
        "seconds": 3.2,
        "evidence": evidence,
        "ess": 0.42,
        "agreement": float(np.clip(0.98 - abs(gain), 0, 1)),
        "changed": min(1.0, abs(gain) * 3),
        "shares": dict(zip(known, rng.dirichlet(200 * target + 1).tolist(), strict=True)),
        "dropped": known[-1:] if gain < -0.04 else [],
        "votes": votes,
        "supported": set(votes.values()) == {"better"},
        "risk": set(votes.values()) != {"better"},
        "reasons": [_BEHIND | {"values": {"method": name, "validators": behind}}] if behind else [],
    }
    return row | ({"oracle": _score(0.73 + 0.9 * gain, 0.06) | {"n": 40}} if truth else {})


def _check(
    rng: np.random.Generator, known: list[str], source: np.ndarray, target: np.ndarray, column_names: tuple[str, ...]
) -> dict[str, Any]:
    kinds = ("number", "number", "category", "number", "category", "date", "text", "flag")
    shifts = np.sort(rng.beta(1, 4, len(column_names)))[::-1]
    details: dict[str, dict[str, Any]] = {
        "number": {"mean_difference": -0.8, "spread_ratio": 1.2},
        "category": {"unseen": ["gold", "<b>", "旗舰版", "d", "e"]},
    }
    columns = [
        {
            "column": name,
            "kind": kinds[i % len(kinds)],
            "shift": float(shift),
            "p": 1e-9 if shift > 0.08 else 0.4,
            "significant": bool(shift > 0.08),
            "carries": float(0.5 + shift / 2),
            "missing_source": 0.05,
            "missing_target": 0.05 + 0.02 * (i % 3),
            "detail": details.get(kinds[i % len(kinds)], {}),
        }
        for i, (name, shift) in enumerate(zip(column_names, shifts, strict=True))
    ]
    shares = [
        {
            "name": name,
            "source": float(s),
            "target": float(t),
            "low": max(0.0, float(t) - 0.05),
            "high": float(t) + 0.05,
        }
        for name, s, t in zip(known, source, target, strict=True)
    ]
    return {
        "notes": [
            note("check.clear", "warn", value=0.81, low=0.79, high=0.83),
            note("check.carriers", columns=list(column_names[:2])),
            note("check.outside", "warn", share=0.13),
            note("check.leak", "stop", columns=[column_names[-1]]),
            note("check.duplicates", "warn", count=3, of=9000),
        ],
        "auc": _score(0.81, 0.02),
        "columns": columns,
        "outside": 0.13,
        "shares": shares,
        "duplicates": 3,
    }


def _rows(rng: np.random.Generator, reasons: tuple[str, ...]) -> list[dict[str, Any]]:
    rows = np.sort(rng.choice(9000, size=8, replace=False)).tolist()
    return [{"row": row, "why": reasons[i % len(reasons)], "value": 3.1 / (i + 1)} for i, row in enumerate(rows)]


def _truth(kind: str, board: list[dict[str, Any]]) -> dict[str, Any]:
    ends = {"gain": 0.0, "gain_low": -0.1, "gain_high": 0.1}
    return {
        "n": 40,
        "metric": "accuracy" if kind == "classification" else "r2",
        "rows": [row | row["oracle"] | ends for row in board if "oracle" in row],
        "updated": None,
        "verdict_right": True,
        "notes": [note("verify.helped", method="Correlation alignment", gain=0.03, low=0.01, high=0.05)],
    }


def _arrays(rng: np.random.Generator, known: list[str], answer: str) -> dict[str, Any]:
    belongs = rng.integers(0, max(1, len(known)), 300)
    centre = 2.5 * np.column_stack([np.cos(2.4 * belongs), np.sin(2.4 * belongs)])
    source, target = (centre + rng.normal(0, 0.7, (300, 2)) for _ in range(2))
    arrays = {"before_source": source, "before_target": target * (1.3, 0.8) + (2.5, 1.0), "classes_source": belongs}
    if answer != "stay":
        arrays |= {"after_source": source + 0.1, "after_target": target + 0.1, "method": np.array("coral")}
    return arrays | {"weights": rng.lognormal(0, 0.8, 12000)}
