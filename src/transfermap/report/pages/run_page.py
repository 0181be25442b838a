"""One self-contained HTML page from a run's record: no script, no network, no font but the reader's own."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from transfermap.messages import catalogue
from transfermap.report.pages.templating import environment
from transfermap.report.phrases import (
    MISSING,
    bounds,
    chance,
    fixed,
    gain,
    headline,
    names,
    next_steps,
    number,
    percent,
    plain,
    posteriors,
    score,
    sentence,
    steadiness,
    vote,
    word,
    word_or,
)
from transfermap.report.plots import run_plots as plots
from transfermap.report.plots.drawing import to_svg
from transfermap.report.plots.training_plot import discriminator_won, training_plot
from transfermap.verdict.check.facts import ColumnShift
from transfermap.verdict.record import Record, Row

_MOST_COLUMNS = 15
_MOST_ROWS = 20


def html_page(record: Record, arrays: Mapping[str, Any], lang: str = "en") -> str:
    """The report of a run as one HTML page that needs nothing beside itself.

    Parameters
    ----------
    record : Record
    arrays : mapping of str to array
        The run's evidence arrays: maps ``before_source`` ... (m, 2) and ``weights`` (n_source,); may be empty.
    lang : {"en", "zh"}
        The page's language.

    Returns
    -------
    str
        The page; the same record gives the same bytes.

    Raises
    ------
    ValueError
        If there is no such language.
    """
    catalogue(lang)
    template = _environment(lang, record.task.kind).get_template("report.html")
    return template.render(
        r=record,
        lang={"en": "en", "zh": "zh-CN"}[lang],
        gap={"en": " ", "zh": ""}[lang],
        headline=headline(record, lang),
        called=names(record, lang),
        steps=next_steps(record, lang),
        groups=_groups(record),
        validators=_validators(record),
        has_oracle=any(row.oracle is not None for row in record.leaderboard),
        figures=_figures(record, arrays, lang),
        weighed=plots.weighed_rows(arrays),
        gallery=record.images and record.images.gallery,
        thumbnails=[b64encode(data).decode() for data in arrays.get("thumbnails", ())],
        discriminator_won=discriminator_won(arrays),
        predicted=plots.predicted_shares(record),
        most_columns=_MOST_COLUMNS,
        most_rows=_MOST_ROWS,
        believed=posteriors(record.truth) if record.truth and record.truth.updated else [],
        shown_method=str(arrays["method"]) if "method" in arrays else record.verdict.method,
        moved="after_source" in arrays,
        unstable="unstable" if record.task.kind == "classification" else "unstable_regression",
    )


@cache
def _environment(lang: str, task: str) -> Environment:
    """Jinja with every value escaped, and the words and number formats of the language at hand."""
    env = environment()
    env.globals |= {
        "t": partial(_swap, word, lang),
        "word_or": lambda key, default: word_or(key, default, lang),
        "say": lambda note: sentence(note, lang),
        "vote": vote,
        "votes": lambda row: _votes(row, lang),
        "details": lambda column: _details(column, lang),
    }
    env.filters |= {
        "percent": _typeset(percent),
        "chance": _typeset(chance),
        "number": _typeset(number),
        "fixed": _typeset(fixed),
        "score": _typeset(lambda x: score(x, task)),
        "gain": _typeset(lambda x: gain(x, task)),
        "bare_score": _typeset(lambda x: score(x, "regression")),
        "bare_gain": _typeset(lambda x: gain(x, "regression")),
        "steadiness": _typeset(lambda x: steadiness(x, task)),
    }
    env.globals |= {
        "interval": _typeset(lambda low, high: bounds(low, high, task)),
        "score_interval": _typeset(lambda low, high: bounds(low, high, task, score)),
        "bare_interval": _typeset(lambda low, high: bounds(low, high, "regression")),
    }
    return env


def _swap(call: Callable[..., str], lang: str, key: str, **values: Any) -> str:
    return call(key, lang, **values)


def _typeset(shape: Callable[..., str]) -> Callable[..., str]:
    """The same number with a true minus sign, and a dash where there is none."""

    def typeset(*values: Any) -> str:
        text = shape(*values)
        if text == MISSING:
            return "–"
        spaced = text.replace(",", ", ") if text.startswith("[") else text
        return spaced.replace("-", "−")

    return typeset


def _groups(record: Record) -> list[tuple[str, list[Row]]]:
    """The leaderboard's rows under their headings, in the record's order."""
    pairs = (("baselines", "baseline"), ("candidates", "candidate"))
    parted = [(title, [row for row in record.leaderboard if row.role == role]) for title, role in pairs]
    return [(title, rows) for title, rows in parted if rows]


def _validators(record: Record) -> list[str]:
    """The validators that speak of at least one method."""
    known = {v for row in record.leaderboard for v in row.evidence}
    return [v for v in plots.VALIDATORS if v in known]


def _votes(row: Row, lang: str) -> str:
    """Whether the validators agree on a method, in words."""
    cast = {v: vote(row, v) for v in plots.VALIDATORS if vote(row, v)}
    if not cast:
        return "–"
    if len(set(cast.values())) == 1:
        return word("agree_yes", lang, vote=word(f"vote_{next(iter(cast.values()))}", lang))
    said = (
        word("labelled", lang, label=word(f"v_{v}", lang), text=word(f"vote_{answer}", lang))
        for v, answer in cast.items()
    )
    return word("agree_no", lang, votes={"en": "; ", "zh": "；"}[lang].join(said))


def _details(column: ColumnShift, lang: str) -> str:
    """What is known of one column's difference, in a few words."""
    known, parts = column.detail, []
    if known.get("mean_difference") is not None:
        parts.append(word("detail_mean", lang, value=_typeset(fixed)(known["mean_difference"])))
    if known.get("spread_ratio") is not None:
        parts.append(word("detail_spread", lang, value=fixed(known["spread_ratio"])))
    if column.kind == "number" and known.get("stretch") is not None:
        parts.append(
            word("detail_rescaled", lang, stretch=number(known["stretch"]), move=_typeset(number)(known["move"]))
        )
    if known.get("unseen"):
        parts.append(word("detail_unseen", lang, values=_listed(known["unseen"])))
    return {"en": "; ", "zh": "；"}[lang].join(parts)


def _listed(values: Sequence[Any], most: int = 4) -> str:
    return ", ".join(plain(v) for v in values[:most]) + (" …" if len(values) > most else "")


def _figures(record: Record, arrays: Mapping[str, Any], lang: str) -> dict[str, Markup]:
    """The plots that this run has something to show in, as SVG."""
    draw: dict[str, Callable[[], Any]] = {
        "evidence": lambda: plots.evidence_plot(record, lang),
        "shift": lambda: plots.shift_plot(record, lang),
        "shares": lambda: plots.shares_plot(record, lang),
        "maps": lambda: plots.maps_plot(record, arrays, lang),
        "weights": lambda: plots.weights_plot(arrays, lang),
        "training": lambda: training_plot(arrays, lang),
    }
    drawn = {}
    for name, plot in draw.items():
        try:
            # matplotlib escapes the names in its SVG
            drawn[name] = Markup(to_svg(plot()))
        except plots.NothingToShow:
            continue
    return drawn
