"""What every kind of run does: it predicts new rows, is held to labelled ones, and is shown as a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from transfermap.data.plain_values import to_plain
from transfermap.messages import Note

if TYPE_CHECKING:
    from rich.console import RenderableType


def silent(_: str) -> None:
    """Tell nobody what is being done."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """What became of a file of new rows: how many were predicted, by what, into which file, how many of them lie far
    from anything seen (None: the run cannot tell), and what was found in reading them."""

    rows: int
    method: str
    output: str
    notes: tuple[Note, ...] = ()
    far: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        plain: dict[str, Any] = to_plain(self)
        return plain


class SavedRun(Protocol):
    """An ordinary run, one that was adapted without the source (both :class:`transfermap.runs.run.Run`), or a
    fine-tuned net (:class:`transfermap.runs.finetuned.FinetunedRun`)."""

    def predict_file(
        self, path: str | Path, output: str | Path, method: str | None = None, tick: Callable[[str], None] = silent
    ) -> Predictions:
        """Predict new rows into a CSV file that is there whole or not at all."""

    def verify(self, labelled: str | Path) -> Any:
        """Hold the run to labelled rows; what is found has ``to_dict()``."""

    def truth_view(self, truth: Any, lang: str = "en") -> RenderableType:
        """What :meth:`verify` found, for a terminal."""

    def report(self, path: str | Path | None = None, lang: str = "en") -> str:
        """The run as one HTML page that needs no network."""
