"""The report of a fine-tuned net: what it is right about, its surest mistakes, what moved, how it was trained."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from transfermap.data.images.image_files import thumbnail
from transfermap.measure.scores import accuracy_interval
from transfermap.messages import Note, catalogue, say
from transfermap.report.pages.templating import environment
from transfermap.report.phrases import number, percent, plain, run_folder, sentence, word
from transfermap.report.plots.drawing import to_svg
from transfermap.report.plots.finetuning_plot import curve_plot, sweep_plot
from transfermap.report.plots.run_plots import NothingToShow
from transfermap.report.plots.training_plot import training_plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDE, _SHOWN = 96, 8


def tuned_page(record: Mapping[str, Any], held: pd.DataFrame, lang: str = "en") -> str:
    """The report of a fine-tuned net as one HTML page that needs nothing beside itself.

    Parameters
    ----------
    record : mapping
        As :func:`transfermap.runs.finetuned.record_of` makes it.
    held : DataFrame
        The held-out rows, as :func:`transfermap.runs.finetuned.predicted` makes them. Their images are shown where
        the files are still there.
    lang : {"en", "zh"}
        The page's language.

    Raises
    ------
    ValueError
        If there is no such language.
    """
    catalogue(lang)
    images = record["backbone"]["kind"] == "images"
    right = held["class"] == held["prediction"]
    held = held.assign(chance=held.drop(columns=["item", "class", "prediction"]).max(axis=1))
    wrong, unsure = held[~right].sort_values("chance", ascending=False), held[right].sort_values("chance")
    env = environment()
    env.globals |= {
        "t": lambda key: word(key, lang),
        "own": partial(_said, "finetuned", lang),
        "table": partial(_said, "finetune", lang),
        "say": lambda note: sentence(Note(**note), lang),
    }
    env.filters |= {"percent": percent, "number": number}
    return env.get_template("finetuned.html").render(
        r=record,
        lang={"en": "en", "zh": "zh-CN"}[lang],
        data=Path(record["task"]["data"]).name,
        run=run_folder(record.get("command", "")),
        images=images,
        classes=_classes(held),
        wrong=list(_shown(wrong, images)),
        unsure=list(_shown(unsure, images)),
        figures=_figures(record, lang),
    )


def _said(topic: str, lang: str, key: str, **values: Any) -> str:
    return say(f"{topic}.{key}", lang, **{name: plain(value) for name, value in values.items()})


def _classes(held: pd.DataFrame) -> list[dict[str, Any]]:
    """Each class with how many of its rows are right and what the others were taken for, the weakest first."""
    found = []
    for name, own in held.groupby("class", sort=True):
        wrong = own["prediction"][own["prediction"] != name].value_counts()
        score = accuracy_interval(len(own) - int(wrong.sum()), len(own))
        taken = [f"{predicted} ({count})" for predicted, count in wrong.head(3).items()]
        found.append(
            {"name": str(name), "rows": len(own), "right": len(own) - wrong.sum(), "score": score, "taken": taken}
        )
    return sorted(found, key=lambda row: row["score"].value)


def _shown(rows: pd.DataFrame, images: bool) -> Iterator[dict[str, Any]]:
    """The first rows: what they are, their class, what they were taken for, how surely, and a thumbnail."""
    for _, row in rows.head(_SHOWN).iterrows():
        yield {
            "item": Path(row["item"]).name if images else row["item"],
            "label": row["class"],
            "told": row["prediction"],
            "chance": row["chance"],
            "jpeg": _thumbnail(row["item"]) if images else "",
        }


def _thumbnail(file: str) -> str:
    """An image for the page; empty where its file is gone."""
    try:
        return b64encode(thumbnail(file, _SIDE)).decode()
    except ValueError:
        return ""


def _figures(record: Mapping[str, Any], lang: str) -> dict[str, Markup]:
    """What there is to draw, as SVG: the studies that were asked for, and the loss over the steps."""
    plots = {"sweep": sweep_plot, "curve": curve_plot}
    drawn: dict[str, Figure] = {
        name: plot(pd.DataFrame(record[name]), lang) for name, plot in plots.items() if record.get(name)
    }
    with suppress(NothingToShow):
        drawn["training"] = training_plot(_curves(record["history"]), lang)
    return {name: Markup(to_svg(figure)) for name, figure in drawn.items()}


def _curves(history: list[dict[str, float]]) -> dict[str, Any]:
    """The history as the training plot wants it."""
    names = sorted({name for step in history for name in step} - {"step", "seconds"})
    table = [[step["step"], *(step.get(name, np.nan) for name in names)] for step in history]
    return {"curve_names": names, "curves": np.array(table).reshape(len(table), 1 + len(names))}
