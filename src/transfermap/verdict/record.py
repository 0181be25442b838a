"""The record of a run: everything that was found, in plain facts, typed; what ``run.json`` holds and reports show.

One function writes it (:func:`transfermap.verdict.investigate.investigate`, and for a run without the source
:func:`transfermap.runs.source_free.adapt_run`); everybody else reads attributes. On disk it is :meth:`Record.to_dict`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from transfermap.data.plain_values import from_plain, to_plain
from transfermap.messages import Note
from transfermap.verdict.check.facts import Check, TaskFacts

# of the folder's run.json; raised whenever an older one can no longer be read
KIND, FORMAT = "transfermap-run", 2

# what the meta-model predicts is kept beside the validators' evidence, under this name
META_MODEL = "meta_model"

Answer = Literal["use", "stay", "unknown"]
Vote = Literal["better", "even", "worse", "abstains"]
Status = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class PredictedGain:
    """What the meta-model lets expect: the gain over source-only and the score on the target with 90 % intervals, how
    likely the gain is one (``better``), and the ``net`` share of changed predictions that come right."""

    gain: float
    gain_low: float
    gain_high: float
    score: float
    score_low: float
    score_high: float
    better: float
    net: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one validator says of a method, with its 90 % interval, and what the method gains over source-only."""

    value: float
    low: float | None = None
    high: float | None = None
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None


@dataclass(frozen=True, slots=True)
class Oracle:
    """A score on ``n`` known target labels, with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Row:
    """A method on the leaderboard.

    ``evidence`` and ``votes`` go by validator. ``ess`` is the share of source rows that its importance weights leave,
    ``agreement`` how far its predictions agree from resample to resample, ``changed`` the share of target rows that it
    predicts unlike source-only; ``shares`` are those of the classes it predicts, ``dropped`` the classes that it all
    but gave up. None: not measured, or nothing that it could be held against.
    """

    method: str
    name: str
    role: str
    status: Status
    seconds: float = 0.0
    note: Note | None = None
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    predicted_gain: PredictedGain | None = None
    votes: Mapping[str, Vote] = field(default_factory=dict)
    supported: bool | None = None
    risk: bool | None = None
    reasons: tuple[Note, ...] = ()
    ess: float | None = None
    agreement: float | None = None
    changed: float | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    classes_in_use: float | None = None
    oracle: Oracle | None = None


@dataclass(frozen=True, slots=True)
class FinalVerdict:
    """The answer, the method that it speaks of (``name``: as its card has it) and why; ``model``: the method whose
    predictions are handed out."""

    answer: Answer
    method: str
    name: str
    model: str
    reasons: tuple[Note, ...]
    risk: bool


@dataclass(frozen=True, slots=True)
class Assumption:
    """What the verdict rests on: measured here (and then ``fine`` or not), asserted by whoever asks, or beyond what the
    data can say."""

    note: Note
    status: Literal["measured", "asserted", "unknowable"]
    fine: bool | None = None


@dataclass(frozen=True, slots=True)
class DoubtfulRow:
    """A target row not to trust: far from anything seen (``value``: in units of the threshold), or unsure (``value``:
    the probability of its class)."""

    row: int
    why: str
    value: float


@dataclass(frozen=True, slots=True)
class Untrusted:
    """How many target rows are not to be trusted, and the first of them."""

    count: int
    rows: tuple[DoubtfulRow, ...]


@dataclass(frozen=True, slots=True)
class ProposedRow:
    """A target row worth labelling: why it was drawn, how far the methods differ on it, and its stratum."""

    row: int
    why: str
    value: float
    stratum: str


@dataclass(frozen=True, slots=True)
class LabelDesign:
    """How the proposed rows were drawn: the leading candidates, and the number of target rows in each stratum."""

    leaders: tuple[str, ...]
    sizes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Posterior:
    """What labels and the predicted gain say of a method's gain: its mean and 90 % interval, the chances that it is
    ``better`` than source-only, that this ``matters``, that both are ``even``, that it is the ``best`` of all, and the
    labels it still ``needs`` before that is sure."""

    gain: float
    gain_low: float
    gain_high: float
    better: float
    matters: float
    even: float
    best: float
    needs: int


@dataclass(frozen=True, slots=True)
class TruthRow:
    """A method held to labels: its score and its gain over source-only, with 95 % intervals."""

    method: str
    name: str
    role: str
    value: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float
    posterior: Posterior | None = None


@dataclass(frozen=True, slots=True)
class UpdatedVerdict:
    """The verdict that labels support: ``base_best`` is the chance that source-only is the best, ``more`` about how
    many labels are still needed (0 where the answer stands, None where there are not so many rows)."""

    answer: Answer
    method: str
    base_best: float
    more: int | None
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """What ``n`` labelled target rows say: ``verdict_right`` is None where they do not decide it, ``updated`` where
    there is no method but source-only. ``labelled`` and ``sha256`` name the file that the labels came from."""

    metric: str
    n: int
    rows: tuple[TruthRow, ...]
    verdict_right: bool | None
    updated: UpdatedVerdict | None
    notes: tuple[Note, ...]
    labelled: str = ""
    sha256: str | None = None

    @classmethod
    def from_dict(cls, data: Any, at: str = "truth") -> Self:
        """From what :meth:`to_dict` gave; raises ``ValueError`` as :func:`from_plain` does."""
        return from_plain(cls, data, at)

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        plain: dict[str, Any] = to_plain(self)
        return plain


@dataclass(frozen=True, slots=True)
class FewLabelsRow:
    """A method that learned from labelled target rows, or why it did not."""

    method: str
    name: str
    role: str
    status: Status
    fault: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class LearnedRows:
    """The labelled target rows that were learned from, so that no score is ever taken on them: numbers and digests."""

    rows: tuple[int, ...]
    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShownImage:
    """An image of the report: its row and file, the class predicted for it ("" for the source's), a number that goes
    with it, and the place of its thumbnail among the run's arrays."""

    row: int
    file: str
    predicted: str
    value: float | None
    thumbnail: int


@dataclass(frozen=True, slots=True)
class ClassImages:
    """Some of the source's images of a class beside some of the target's that are predicted to be of it."""

    name: str
    source: tuple[ShownImage, ...]
    target: tuple[ShownImage, ...]


@dataclass(frozen=True, slots=True)
class Gallery:
    """The images that the report shows: farthest from the source, most and least surely predicted, and by class."""

    shifted: tuple[ShownImage, ...] = ()
    sure: tuple[ShownImage, ...] = ()
    unsure: tuple[ShownImage, ...] = ()
    classes: tuple[ClassImages, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """Where rows are images: the backbone that their features are of, and those that the report shows."""

    backbone: str
    side: int
    digest: str
    gallery: Gallery | None = None

    @property
    def features_of(self) -> dict[str, Any]:
        """What has to be the same for new images to be read alike."""
        return {"backbone": self.backbone, "side": self.side, "digest": self.digest}


@dataclass(frozen=True, slots=True)
class StartingRun:
    """The run whose net was adapted without the source: the method and name of that net, and when the run was made."""

    model: str
    name: str
    made: str


@dataclass(frozen=True, slots=True)
class Record:
    """Everything that is kept of a run in plain facts.

    ``seed``, ``budget`` (seconds for evidence), ``estimator`` and ``net`` are what was asked for, ``inputs`` the
    SHA-256 of each file read, ``notes`` what was done to read them; ``label_type`` is the type of numeric class labels.
    ``few_labels`` and ``learned`` are there where methods learned from target labels, ``truth`` where
    some are known, ``images`` where rows are images, ``start`` where there was no source.
    """

    made: str
    seed: int
    task: TaskFacts
    check: Check
    leaderboard: tuple[Row, ...]
    verdict: FinalVerdict
    assumptions: tuple[Assumption, ...]
    untrusted: Untrusted
    label_me: tuple[ProposedRow, ...]
    label_design: LabelDesign
    inputs: Mapping[str, str]
    notes: tuple[Note, ...] = ()
    budget: float | None = None
    estimator: str | None = None
    net: str | None = None
    label_type: str | None = None
    seconds: float = 0.0
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    truth: Truth | None = None
    few_labels: tuple[FewLabelsRow, ...] = ()
    learned: LearnedRows | None = None
    images: ImageFacts | None = None
    start: StartingRun | None = None

    @classmethod
    def from_dict(cls, data: Any, at: str = "the record") -> Self:
        """From what :meth:`to_dict` gave; raises ``ValueError`` as :func:`from_plain` does."""
        return from_plain(cls, data, at)

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return {"kind": KIND, "format": FORMAT} | to_plain(self)

    def row(self, method: str) -> Row | None:
        """A method's line on the leaderboard."""
        return next((row for row in self.leaderboard if row.method == method), None)
