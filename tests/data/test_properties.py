"""Properties of reading tables that hold for any table, however messy: hypothesis looks for one that breaks them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from transfermap.data.encode.encoder import TableEncoder
from transfermap.tasks.task import Task

QUICK = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
CELLS: tuple[st.SearchStrategy[Any], ...] = (
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["", " ", "NA", "-", "1,234.5", "1.234,5", "12%", "€ 5", "1e400", "inf", "007", "=1+1", "[red]"]),
    st.sampled_from(
        ["2024-02-30", "31/12/2024", "2024年3月1日", "0000-00-00", "是", "否", "yes", "TRUE", "\x00", "🎲"]
    ),
    st.dates().map(pd.Timestamp),
)
NAMES = st.text(min_size=1, max_size=5).map(str.strip).filter(lambda name: name not in ("", "label"))


@st.composite
def columns(draw: st.DrawFn, rows: int) -> list[Any]:
    """Cells of one or several kinds, few or many different ones."""
    kinds = draw(st.lists(st.sampled_from(CELLS), min_size=1, max_size=3))
    some = draw(st.lists(st.one_of(kinds), min_size=1, max_size=rows))
    return draw(st.lists(st.sampled_from(some), min_size=rows, max_size=rows))


@st.composite
def messes(draw: st.DrawFn) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A labelled source and a target with mostly the same columns, filled with anything."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    n, m = draw(st.integers(2, 30)), draw(st.integers(0, 12))
    source = pd.DataFrame({name: pd.Series(draw(columns(n)), dtype=object) for name in names})
    target = pd.DataFrame({name: pd.Series(draw(columns(m) if m else st.just([])), dtype=object) for name in names})
    if draw(st.booleans()):
        source, target = source.infer_objects(), target.infer_objects()
    return source.assign(label=np.resize(["a", "b"], n)), target[draw(st.permutations(names))]


def encoded(source: pd.DataFrame, target: pd.DataFrame) -> tuple[Task, TableEncoder, np.ndarray[Any, Any]] | None:
    """The mess as a matrix, or None if it was refused; any refusal must be a ValueError."""
    try:
        task = Task.from_frames(source, target, label="label")
        encoder = TableEncoder().fit(task.source, target=task.target)
        return task, encoder, encoder.transform(task.target)
    except ValueError:
        return None


@QUICK
@given(messes())
def test_a_mess_is_encoded_or_refused(mess):
    source, target = mess
    kept = source.copy(deep=True), target.copy(deep=True)
    done = encoded(source, target)
    pd.testing.assert_frame_equal(source, kept[0])
    pd.testing.assert_frame_equal(target, kept[1])
    if done is not None:
        task, encoder, Z = done
        assert Z.shape == (len(target), len(encoder.get_feature_names_out()))
        assert np.isfinite(Z).all()
        assert all(note.say(lang) for note in (*task.notes, *encoder.notes) for lang in ("en", "zh"))


@QUICK
@given(messes(), st.randoms(use_true_random=False))
def test_the_order_of_columns_and_rows_means_nothing(mess, random):
    source, target = mess
    done = encoded(source, target)
    assume(done is not None and len(target))
    task, encoder, Z = done
    shuffled = random.sample(list(task.target.columns), task.target.shape[1])
    np.testing.assert_array_equal(encoder.transform(task.target[shuffled]), Z)
    order = random.sample(range(len(target)), len(target))
    np.testing.assert_array_equal(encoder.transform(task.target.iloc[order]), Z[order])


@QUICK
@given(messes(), st.integers(1, 5))
def test_chunks_are_encoded_as_the_whole(mess, size):
    done = encoded(*mess)
    assume(done is not None and len(mess[1]))
    task, encoder, Z = done
    chunks = [encoder.transform(task.target.iloc[i : i + size]) for i in range(0, len(task.target), size)]
    np.testing.assert_allclose(np.concatenate(chunks), Z, rtol=1e-12, atol=1e-12)
