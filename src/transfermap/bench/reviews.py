"""Product reviews as text, and text as counts or TF-IDF that know both domains but no label."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

Array = np.ndarray[Any, np.dtype[Any]]
# the 5,000 most frequent words and pairs of words, as in Chen, Xu, Weinberger and Sha (ICML 2012)
COLUMNS = 5000
# the files are no well-formed XML: & and < stand in them as they are
_PARTS = re.compile(r"<(title|review_text)>(.*?)</\1>", re.DOTALL)


def read_reviews(folder: Path) -> tuple[Array, Array]:
    """Title and text of each review (n,), and whether it is "positive" or "negative" (n,).

    Raises
    ------
    ValueError
        If one of the two files holds no review.
    """
    texts, y = [], []
    for label in ("negative", "positive"):
        path = folder / f"{label}.review"
        # "replace": a few bytes of these files are Latin-1
        found = path.read_bytes().decode("utf8", "replace").split("<review>")[1:]
        if not found:
            raise ValueError(f"{path} holds no <review>; expected raw reviews of Blitzer et al. (2007)")
        texts += [" ".join(part.strip() for _, part in _PARTS.findall(review)) for review in found]
        y += [label] * len(found)
    return np.array(texts, dtype=object), np.array(y)


def counts(source: Array, target: Array) -> tuple[Any, Any]:
    """How often each of the commonest words and pairs of words of both domains stands in each text, sparse."""
    return _encoded(CountVectorizer(dtype=float, **_SPLIT), source, target)


def tfidf(source: Array, target: Array) -> tuple[Any, Any]:
    """Logarithms of counts, weighted by rarity in both domains' texts together, rows of length one, sparse."""
    return _encoded(TfidfVectorizer(sublinear_tf=True, **_SPLIT), source, target)


# one-letter words too: the default pattern drops "I" and "a"
_SPLIT: dict[str, Any] = {"ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b", "max_features": COLUMNS}


def _encoded(vectorizer: Any, source: Array, target: Array) -> tuple[Any, Any]:
    # from both texts, no label: the papers' features are made so
    vectorizer.fit(np.concatenate([source, target]))
    return vectorizer.transform(source), vectorizer.transform(target)
