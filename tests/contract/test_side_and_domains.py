"""What goes along with rows: side information, labels that nobody reads, several targets."""

from __future__ import annotations

import numpy as np
import pytest
from method_case import ADAPT, NEED_SIDE, data_for, each, hidden, is_unknown, model, new, outputs, scores
from side_information import told

from transfermap.card import find
from transfermap.roles import Learner, Weigher
from transfermap.split import Side


@pytest.mark.parametrize("key", NEED_SIDE)
def test_side_information_is_refused_when_absent_or_of_the_wrong_length(key):
    X, y, d = data_for(key)
    need = find(key).reads.side
    for m in (new(key), model(key)):
        for none in (None, Side()):
            with pytest.raises(ValueError, match=rf"needs side information: expected side=Side\({need}="):
                m.fit(X, y, sample_domain=d, side=none)
        with pytest.raises(ValueError, match="side must be a Side"):
            m.fit(X, y, sample_domain=d, side=np.arange(len(X)))
        given = told(key, X, y, d)["side"]
        if need == "pairs":
            wrong, says = [given[1:], given[np.r_[0, : len(X)]], Side(pairs=given.pairs + 0.5)], "one a row of X"
        else:
            c, *_ = given.attributes
            wrong = [Side(attributes=given.attributes | {c: value}) for value in ([0.0], [np.nan, 1.0], "?")]
            says = "attributes"
        for bad in wrong:
            with pytest.raises(ValueError, match=says):
                m.fit(X, y, sample_domain=d, side=bad)


def felt(key, X, y, d):
    """All that a bare method makes of its rows."""
    m = new(key).fit(X, y, **told(key, X, np.nan_to_num(y, nan=0), d))
    if isinstance(m, Weigher):
        return m.weights_
    return outputs(m, X) if isinstance(m, Learner) else m.transform(X, sample_domain=d)


@pytest.mark.parametrize("key", [k for k in ADAPT if not find(k).reads.source])
def test_an_unlabelled_source_never_reaches_a_method_that_reads_no_source_label(key):
    X, y, d = data_for(key, "site_offsets")
    seen = hidden(key, y, d).astype(float)
    seen[is_unknown(hidden(key, y, d))] = np.nan
    unlabelled = np.where(d > 0, np.nan, seen)
    np.testing.assert_array_equal(felt(key, X, unlabelled, d), felt(key, X, seen, d))
    np.testing.assert_array_equal(felt(key, X, np.where(d > 0, 1 - seen, seen), d), felt(key, X, seen, d))


@each
def test_several_targets_are_taken_and_are_one_where_no_order_is_asked_for(key):
    X, y, d = data_for(key, "site_offsets")
    several = np.where(d < 0, -1 - np.arange(len(d)) % 3, d)
    np.testing.assert_array_equal(scores(model(key), X, y, several, X), scores(model(key), X, y, d, X))
