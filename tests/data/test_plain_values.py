"""Records as plain values and back, and a sentence for each way in which plain values are not what was written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pytest
from sample_record import sample_record

from transfermap.data.plain_values import from_plain, to_plain
from transfermap.messages import Note
from transfermap.verdict.record import Record


@dataclass(frozen=True, slots=True)
class Inner:
    name: str
    kind: Literal["a", "b"]


@dataclass(frozen=True, slots=True)
class Outer:
    count: int
    share: float
    inner: Inner
    maybe: float | None = None
    several: tuple[Inner, ...] = ()
    named: Mapping[str, int] = field(default_factory=dict)
    sure: bool = False
    anything: Any = None


WHOLE = Outer(3, 0.5, Inner("x", "a"), 1.0, (Inner("y", "b"),), {"z": 2}, True, [1, "two"])


def test_there_and_back() -> None:
    assert from_plain(Outer, json.loads(json.dumps(to_plain(WHOLE))), "it") == WHOLE
    least = Outer(1, 2.0, Inner("x", "b"))
    assert from_plain(Outer, {"count": 1, "share": 2, "inner": {"name": "x", "kind": "b"}}, "it") == least
    assert type(from_plain(Outer, to_plain(WHOLE) | {"share": 2}, "it").share) is float


def test_scalars_of_numpy_become_plain_ones() -> None:
    assert to_plain({"a": np.float64(0.5), "b": (np.int64(2), np.bool_(True))}) == {"a": 0.5, "b": [2, True]}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"count": "three"}, "it.count should be a whole number; got 'three'"),
        ({"count": 0.5}, "it.count should be a whole number; got 0.5"),
        ({"count": True}, "it.count should be a whole number; got True"),
        ({"share": None}, "it.share should be a number; got None"),
        ({"share": 10**400}, "it.share should be a number; got"),
        ({"sure": 1}, "it.sure should be true or false; got 1"),
        ({"inner": []}, r"it.inner should be an object; got \[\]"),
        ({"inner": {"kind": "a"}}, "it.inner lacks name"),
        ({"inner": {"name": "x", "kind": "c"}}, "it.inner.kind should be a or b; got 'c'"),
        ({"several": {}}, "it.several should be a list"),
        ({"several": [{"name": 1, "kind": "a"}]}, r"it.several\[0\].name should be a text; got 1"),
        ({"named": {"z": "2"}}, "it.named.z should be a whole number"),
        ({"maybe": "x" * 99}, r"it.maybe should be a number; got 'x{56}\.\.\.$"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        from_plain(Outer, to_plain(WHOLE) | change, "it")


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_a_whole_record_comes_back(kind: str) -> None:
    record, _ = sample_record(kind, truth=True)
    plain = json.loads(json.dumps(record.to_dict()))
    assert Record.from_dict(plain) == record
    assert (plain["kind"], plain["format"]) == ("transfermap-run", 2)
    with pytest.raises(ValueError, match=r"the record.leaderboard\[0\].status should be ok, failed or skipped"):
        Record.from_dict(plain | {"leaderboard": [plain["leaderboard"][0] | {"status": "lost"}]})
    assert all(isinstance(note, Note) for note in Record.from_dict(plain).check.notes)
