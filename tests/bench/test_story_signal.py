"""The story of "signal": a tagger that was trained on the news reads a paper about cells.

In the news "signal" is but a modifier ("a signal failure"); in the paper it is a noun, and stands before "required",
"from" and "for". So do "investment" and "bank" in the news: through these shared contexts structural correspondence
learning sees what "signal" is.
"""

import numpy as np
import pytest
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

from transfermap.adapted import Adapted
from transfermap.methods.baseline.sourceonly import SourceOnly
from transfermap.methods.selection.scl import SCL

TAGS = {"N": "noun", "A": "adjective", "V": "verb"}
FRAMES = (
    "the A N required for the N V the N",
    "a N from the N V",
    "the N for the A N V a N",
    "the A N from the N V the A N",
    "a A N required the N",
    "the N in the N V",
    "the A N of the N V",
)
NEWS = {
    "N": "investment buyout jail merger market profit bank deal lawsuit failure decline contract",
    "A": "foreign annual big strong private weak costly new",
    "V": "fell rose hurt lifted stalled",
}
CELLS = {
    "N": "receptor protein pathway kinase cell mutation transduction tumour enzyme membrane gene",
    "A": "oncogenic mutated normal ras human new essential",
    "V": "binds activates inhibits blocks regulates",
}
NEWS_OF_SIGNAL = ("a signal/A N V the N", "the signal/A N of the N V")
CELLS_OF_SIGNAL = (
    "the signal/N required for the A N V the N",
    "a signal/N from the N V the N",
    "the signal/N for the N V",
    "the A signal/N required for the N V",
)


def sentence(frame, words, rng):
    """(word, tag) for each place of a frame: a letter is drawn, ``word/letter`` and a bare word stand as they are."""
    predicted = []
    for place in frame.split():
        word, _, letter = place.partition("/")
        if word in words:
            word, letter = str(rng.choice(words[word].split())), word
        predicted.append((word, TAGS.get(letter, "verb" if word == "required" else "other")))
    return predicted


def corpus(words, frames, of_signal, seed):
    """300 sentences, and 40 that speak of signals; each word as a row of features with its neighbours, and its tag."""
    rng = np.random.default_rng(seed)
    chosen = [frames[i % len(frames)] for i in range(300)] + [of_signal[i % len(of_signal)] for i in range(40)]
    rows, tags = [], []
    for frame in chosen:
        predicted = [("<s>", ""), *sentence(frame, words, rng), ("</s>", "")]
        for before, (word, tag), after in zip(predicted, predicted[1:-1], predicted[2:], strict=False):
            rows.append({f"word={word}": 1, f"before={before[0]}": 1, f"after={after[0]}": 1})
            tags.append(tag)
    return rows, np.array(tags)


@pytest.fixture(scope="module", params=[0, 1, 2])
def predicted(request):
    source, ys = corpus(NEWS, FRAMES, NEWS_OF_SIGNAL, request.param)
    target, yt = corpus(CELLS, FRAMES, CELLS_OF_SIGNAL, request.param + 100)
    columns = DictVectorizer().fit(source + target)
    domain = np.repeat([1, -1], [len(source), len(target)])
    X, y = columns.transform(source + target), np.r_[ys, np.full(len(yt), "unknown")]
    signals = np.array(["word=signal" in row for row in target])
    return X, y, domain, X[domain < 0], yt, signals, list(columns.get_feature_names_out())


def tagger(method, predicted):
    return Adapted(method, LogisticRegression(max_iter=2000)).fit(
        predicted[0], predicted[1], sample_domain=predicted[2]
    )


def twenty_pivots():
    return SCL(pivots="frequency", n_pivots=20)


def test_in_the_news_signal_is_no_noun_and_in_the_paper_nothing_else(predicted):
    X, y, domain, _, yt, signals, names = predicted
    in_news = X[:, names.index("word=signal")].toarray().ravel()[domain > 0] > 0
    assert set(y[domain > 0][in_news]) == {"adjective"}
    assert set(yt[signals]) == {"noun"}


def test_signal_is_tagged_wrong_before_and_right_after(predicted):
    Xt, yt, signals = predicted[3:6]
    before, after = (tagger(m, predicted).predict(Xt) for m in (SourceOnly(), twenty_pivots()))
    assert (before[signals] == "adjective").mean() > 0.6
    assert (after[signals] == "noun").all()
    assert (before == yt).mean() < 0.85
    assert (after == yt).mean() > 0.98


def test_it_is_the_pivots_that_do_it(predicted):
    """With theta zero, all else as it was, "signal" stays wrong."""
    Xt, signals = predicted[3], predicted[5]
    model = tagger(twenty_pivots(), predicted)
    model.adapter_.theta_[:] = 0
    s = predicted[2] > 0
    model.estimator_.fit(model.adapter_.transform(predicted[0][s]), predicted[1][s])
    assert (model.predict(Xt)[signals] == "adjective").mean() > 0.6


def test_the_shared_contexts_are_listed(predicted):
    learnt = tagger(twenty_pivots(), predicted).adapter_
    names = predicted[-1]
    assert "word=signal" not in {names[p] for p in learnt.pivots_}
    found = learnt.correspondences(8, names, of="word=signal")
    pivots = [pivot for pivot, *_ in found]
    assert {"after=required", "after=from", "after=for"} <= set(pivots)
    nouns = {f"word={noun}" for noun in NEWS["N"].split()}
    assert all(source in nouns for pivot, source, _ in found if pivot in ("after=required", "after=from", "after=for"))
    assert {column for *_, column in found} == {"word=signal"}
