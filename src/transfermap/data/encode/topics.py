"""A column of sentences as a few numbers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pyarrow as pa
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from transfermap.data.tables.columns import is_cjk

_MOST_TERMS = 50_000


class Topics(TransformerMixin, BaseEstimator):
    r"""Sentences -> TF-IDF -> its first singular directions (latent semantic analysis).

    With :math:`A` the TF-IDF matrix, :math:`A \approx U S V^\top` is its best approximation of rank ``components``, and
    a row :math:`a` is mapped to :math:`(V^\top a - m) / s`: centred, and divided by one number for all directions, so
    that they have variance one on average and keep their proportions. Terms are words, or pieces of two to four
    characters where most letters are Chinese, Japanese or Korean.

    Parameters
    ----------
    components : int
        Most numbers a sentence becomes; fewer where there are fewer terms.
    random_state : int
        Seed of the randomised singular value decomposition.

    References
    ----------
    Deerwester et al. (1990), Indexing by latent semantic analysis.
    doi:10.1002/(SICI)1097-4571(199009)41:6<391::AID-ASI1>3.0.CO;2-9

    Examples
    --------
    >>> import numpy as np
    >>> from transfermap.data.encode.topics import Topics
    >>> rows = np.array([["good good book"], ["bad book"], ["good film"]], dtype=object)
    >>> Topics(components=2).fit_transform(rows).shape
    (3, 2)
    """

    def __init__(self, components: int = 32, random_state: int = 0) -> None:
        self.components = components
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the terms and directions from sentences of shape (n, 1)."""
        texts = _flat(X)
        self.terms_ = _vectorizer(texts)
        try:
            weights = self.terms_.fit_transform(texts)
        except ValueError:  # no word at all is left, only signs
            self.terms_ = TfidfVectorizer(analyzer="char", ngram_range=(1, 2), sublinear_tf=True)
            weights = self.terms_.fit_transform(texts)
        wanted = min(self.components, weights.shape[1])
        self.directions_ = TruncatedSVD(wanted, random_state=self.random_state).fit(weights)
        self.size_ = len(self.directions_.components_)  # fewer than wanted where there are fewer rows
        places = np.asarray(self.directions_.transform(weights))
        self.centre_ = places.mean(axis=0)
        # one number for all: directions keep their proportions, or the last ones, mostly noise, would weigh the most
        self.spread_ = float(np.sqrt(places.var(axis=0).mean())) or 1.0
        return self

    def transform(self, X: Any) -> np.ndarray[Any, Any]:
        """Map sentences of shape (n, 1) to numbers of shape (n, size)."""
        places = np.asarray(self.directions_.transform(self.terms_.transform(_flat(X))))
        spread: np.ndarray[Any, Any] = (places - self.centre_) / self.spread_
        return spread

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray[Any, Any]:
        """Names of the outputs: their numbers, from 1."""
        return np.array([str(i + 1) for i in range(self.size_)], dtype=object)


def _flat(column: Any) -> np.ndarray[Any, Any]:
    return np.asarray(column, dtype=object).ravel()


def _vectorizer(texts: np.ndarray[Any, Any]) -> TfidfVectorizer:
    # a word that stands in one text only ties it to no other; in few texts there are hardly any others
    often = 2 if len(texts) >= 100 else 1
    if is_cjk(pa.array(texts[:1000], pa.large_string())):
        return TfidfVectorizer(
            # these scripts have no blanks between words, so pieces of two to four characters stand for them
            analyzer="char_wb",
            ngram_range=(2, 4),
            min_df=often,
            max_features=_MOST_TERMS,
            sublinear_tf=True,
        )
    # logarithms of counts: a word said ten times is not ten times as telling
    return TfidfVectorizer(min_df=often, max_features=_MOST_TERMS, sublinear_tf=True)
