"""A table of mixed columns as a matrix of numbers, learned from the source's rows alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.validation import check_is_fitted

from transfermap.data.encode.fill import MedianFill
from transfermap.data.encode.scale import NumberScaler
from transfermap.data.encode.screening import screened
from transfermap.data.encode.text import AUTO, TOPICS, TextNets, reading
from transfermap.data.encode.topics import Topics
from transfermap.data.images.grids import SPANS, Span, fitted, points_of, shape_in
from transfermap.data.tables.columns import Kind, coerced
from transfermap.data.tables.dates import date_parts
from transfermap.data.tables.frames import to_frame
from transfermap.data.tables.schema import Cells, read_cells
from transfermap.messages import Note

_FARTHEST = 1e6  # deviations from the mean


class TableEncoder(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Numbers scaled, categories one-hot, flags 0/1, dates as days and seasons, sentences as topics or net features.

    The points of images (:mod:`transfermap.data.images.grids`) are all kept, the ones that never change too, and are
    scaled by one mean and one spread; images of another size are brought to the source's.

    Everything is learned from source rows. The target only says which columns both sides have and which are wholly
    missing there, so that its rows are met in the way any new row is.

    Parameters
    ----------
    max_categories : int
        Most outputs of one category column; the rarer values share one.
    text_components : int
        Most outputs of one text column that is read as topics.
    random_state : int
        Seed of the text columns' decomposition.
    text : str
        How sentences are read: "topics" (TF-IDF and its first singular directions), the name of a pretrained text net,
        or "auto" (:func:`transfermap.data.encode.text.reading`).

    Attributes
    ----------
    kinds_ : dict
        What each column of the source holds (:func:`transfermap.data.tables.columns.kind_of`).
    used_ : dict
        The columns that are used, with their kinds.
    image_ : tuple of int, or None
        Height and width of the images.
    spans_ : dict
        What becomes 0 and 1 in images whose values do not lie there.
    origin_ : list of str, length d
        The table column that each output comes from.
    notes : tuple of Note
        What was left out and why, and how sentences are read.

    Examples
    --------
    >>> import pandas as pd
    >>> from transfermap.data.encode.encoder import TableEncoder
    >>> source = pd.DataFrame({"age": ["30", "40", "50"], "city": ["Rome", "Oslo", "Rome"]})
    >>> encoder = TableEncoder().fit(source)
    >>> encoder.get_feature_names_out().tolist()
    ['age', 'city=Oslo', 'city=Rome']
    >>> encoder.transform(pd.DataFrame({"city": ["Paris"], "age": [40.0]})).tolist()
    [[0.0, 0.0, 0.0]]
    """

    def __init__(
        self, max_categories: int = 40, text_components: int = 32, random_state: int = 0, text: str = TOPICS
    ) -> None:
        self.max_categories = max_categories
        self.text_components = text_components
        self.random_state = random_state
        self.text = text

    def fit(self, source: Any, y: Any = None, *, target: Any = None, nets: TextNets | None = None) -> Self:
        """Learn the encoding.

        Parameters
        ----------
        source : table of shape (n_source, columns)
        y : ignored
        target : table of shape (n_target, columns), optional
        nets : TextNets, optional
            Who knows text nets; without it sentences are read as topics.

        Raises
        ------
        ValueError
            If no column can be used, or ``text`` names a net and nobody knows nets.
        """
        self.fit_transform(source, target=target, nets=nets)
        return self

    def fit_transform(
        self, source: Any, y: Any = None, *, target: Any = None, nets: TextNets | None = None
    ) -> np.ndarray[Any, Any]:
        """Learn the encoding and encode the source: as ``fit(source).transform(source)``, in one pass."""
        self.spans_, self.image_ = dict(SPANS), shape_in(frame := to_frame(source, "the source"))
        other = None if target is None else self.ready(to_frame(target, "the target"))
        return self._learn(read_cells(self.ready(frame), other), nets)

    def fit_cells(
        self, cells: Cells, spans: Mapping[str, Span] | None = None, nets: TextNets | None = None
    ) -> np.ndarray[Any, Any]:
        """As :meth:`fit_transform`, of tables whose cells have been read already.

        Parameters
        ----------
        cells : Cells
        spans : mapping, optional
            For images: :attr:`transfermap.tasks.task.Task.spans`.
        nets : TextNets, optional
        """
        self.spans_, self.image_ = dict(spans or SPANS), shape_in(cells.source)
        return self._learn(cells, nets)

    def transform(self, table: Any) -> np.ndarray[Any, Any]:
        """Encode rows; columns are found by name, further ones are passed over.

        Parameters
        ----------
        table : table of shape (n, columns)

        Returns
        -------
        ndarray of shape (n, d), float64, finite

        Raises
        ------
        ValueError
            If a column is absent that the encoding needs.
        """
        check_is_fitted(self)
        frame = self.ready(table)
        absent = [name for name in self.used_ if name not in frame]
        if absent:
            raise ValueError(f"the table lacks the columns {', '.join(absent)}; it has {', '.join(frame.columns[:20])}")
        if not len(frame):
            return np.empty((0, len(self.origin_)))
        return self.transform_cells(coerced(frame, self.used_, self.styles_))

    def transform_cells(self, cells: pd.DataFrame) -> np.ndarray[Any, Any]:
        """As :meth:`transform`, of rows whose cells have been read already, by the schema that was learned from."""
        return _finite(self.encoding_.transform(self._expanded(cells)))

    def ready(self, table: Any) -> pd.DataFrame:
        """The table as a frame whose images, if it holds any, have the size and values of those that were learned."""
        frame = to_frame(table)
        # one size for good: a net's first layer, or a linear rule, has a place for each pixel
        shape = getattr(self, "image_", None)  # an encoder of an older file has none
        return fitted(frame, shape, self.spans_) if shape else frame

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray[Any, Any]:
        """Names of the d outputs, such as ``age``, ``age (missing)``, ``city=Rome``, ``when.days``, ``review~3``."""
        check_is_fitted(self)
        return np.asarray(self.names_, dtype=object)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was left out and why, and how sentences are read."""
        return tuple(Note(**note) for note in self.notes_)

    @property
    def categories(self) -> dict[str, Any]:
        """The values that each category column had in the source."""
        columns = self._of("category")
        if not columns:
            return {}
        return dict(zip(columns, self.encoding_.named_transformers_["categories"].categories_, strict=True))

    def _learn(self, cells: Cells, nets: TextNets | None) -> np.ndarray[Any, Any]:
        if self.max_categories < 2 or self.text_components < 1:
            raise ValueError(
                f"expected max_categories >= 2 and text_components >= 1, "
                f"got {self.max_categories} and {self.text_components}"
            )
        self._remember(cells)
        self.parts_ = self._varying_parts(cells.source)
        expanded = self._expanded(cells.source)
        if self.text not in (TOPICS, AUTO) and not self._of("text"):
            self.notes_.append(Note("table.no_sentences", "warn", {"net": self.text}).to_dict())
        rows = len(cells.source) + (0 if cells.target is None else len(cells.target))
        self.encoding_ = self._columns(expanded, rows, nets)
        encoded = _finite(self.encoding_.fit_transform(expanded))
        named = list(self._named())
        self.names_, self.origin_ = [name for name, _ in named], [column for _, column in named]
        return encoded

    def _remember(self, cells: Cells) -> None:
        schema = cells.schema
        self.notes_ = [note.to_dict() for note in screened(schema)]
        self.kinds_, self.used_, self.styles_ = schema.kinds, schema.used, schema.styles
        self.feature_names_in_ = np.asarray(list(schema.kinds), dtype=object)
        self.n_features_in_ = len(schema.kinds)

    def _of(self, kind: Kind) -> list[str]:
        return [name for name, found in self.used_.items() if found == kind]

    def _varying_parts(self, cells: pd.DataFrame) -> dict[str, list[str]]:
        """For each date column, which of its parts (days, season, weekday, hour) differ between source rows."""
        parts = {name: date_parts(cells[name]) for name in self._of("date")}
        # all dates in one year have no season to learn, at midnight no hour
        return {str(name): [str(p) for p in part if part[p].nunique() > 1] for name, part in parts.items()}

    def _expanded(self, cells: pd.DataFrame) -> pd.DataFrame:
        """The used columns; a date column becomes one column for each of its parts."""
        table = cells[[name for name in self.used_ if name not in self.parts_]]
        when = [
            date_parts(cells[name])[parts].set_axis([f"{name}.{part}" for part in parts], axis=1)
            for name, parts in self.parts_.items()
        ]
        return pd.concat([table, *when], axis=1) if when else table

    def _columns(self, table: pd.DataFrame, rows: int, nets: TextNets | None) -> ColumnTransformer:
        """The scikit-learn transformer of the expanded table, not yet fitted; ``rows`` counts the target's too."""
        when = {f"{name}.{part}": name for name, parts in self.parts_.items() for part in parts}
        points = points_of(self.used_)
        single = [name for name in self._of("number") if name not in set(points)]
        self.numbers_ = {**{name: name for name in [*points, *single]}, **when}
        flags, categories = self._of("flag"), self._of("category")
        # one output says that a date is missing, whichever of its parts are used
        maybe = [*single, *flags, *(f"{name}.{parts[0]}" for name, parts in self.parts_.items() if parts)]
        # columns with gaps in the source only: an output that is constant there could not be learnt from
        gaps = table[maybe].isna().any()
        self.missing_ = [name for name in maybe if gaps[name]]
        blocks: list[tuple[str, Any, list[str]]] = [
            # one scale for all: pixels at the border hardly vary, and would be blown up (docs/decisions/0014)
            ("image", _scaled(together=True), points),
            ("numbers", _scaled(), [*single, *when]),
            ("missing", MissingIndicator(features="all"), self.missing_),
            ("flags", MedianFill(), flags),
            ("categories", self._one_hot(len(table)), categories),
        ]
        texts = [(f"text {i}", self._reader(table[n], rows, nets), [n]) for i, n in enumerate(self._of("text"))]
        used = [block for block in blocks if block[2]] + texts
        # dense always: whether a table comes out sparse must not depend on its rows
        return ColumnTransformer(used, sparse_threshold=0.0).set_output(transform="default")

    def _reader(self, column: pd.Series[Any], rows: int, nets: TextNets | None) -> Any:
        """What reads a column of sentences; why is put on record."""
        net = nets.at_hand() if nets is not None and self.text == AUTO else None
        how, why = reading(self.text, str(column.name), column.tolist(), rows, net)
        self.notes_.append(why.to_dict())
        if how == TOPICS:
            return Topics(self.text_components, self.random_state)
        if nets is None:
            raise ValueError(f"sentences are to be read through the net {how}, and nobody here knows nets; give nets")
        return nets.sentences(how)

    def _one_hot(self, rows: int) -> OneHotEncoder:
        """Rare values, from one in 200 rows down to at most ten rows, share an output that unseen ones share too."""
        return OneHotEncoder(
            # a value that only the target has is like a rare one, not an error (docs/decisions/0004)
            handle_unknown="infrequent_if_exist",
            max_categories=self.max_categories,
            min_frequency=max(1, min(10, rows // 200)),
            sparse_output=False,
        )

    def _named(self) -> Iterator[tuple[str, str]]:
        """Name and table column of each output, in order."""
        yield from self.numbers_.items()
        yield from ((f"{name} (missing)", self.numbers_.get(name, name)) for name in self.missing_)
        yield from ((name, name) for name in self._of("flag"))
        if categories := self._of("category"):
            one_hot = self.encoding_.named_transformers_["categories"]
            rare = one_hot.infrequent_categories_
            for name, values, others in zip(categories, one_hot.categories_, rare, strict=True):
                few = set() if others is None else set(others)
                yield from ((f"{name}={value or '(missing)'}", name) for value in values if value not in few)
                yield from [(f"{name}=(other)", name)] * bool(few)
        for i, name in enumerate(self._of("text")):
            size = self.encoding_.named_transformers_[f"text {i}"].size_
            yield from ((f"{name}~{j + 1}", name) for j in range(size))


def _scaled(together: bool = False) -> Pipeline:
    return Pipeline([("fill", MedianFill()), ("scale", NumberScaler(together))])


def _finite(encoded: Any) -> np.ndarray[Any, Any]:
    """As float64; a value a million deviations away stays there, so that sums of squares are finite."""
    return np.clip(np.asarray(encoded, dtype=np.float64), -_FARTHEST, _FARTHEST)
