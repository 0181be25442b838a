"""The words that every drawing of the map uses: families, settings, label sets and needs, in either language."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from transfermap.card import LabelSets, Setting
from transfermap.map import Entry, title
from transfermap.messages import catalogue, say


def said(topic: str, word: str, lang: str) -> str:
    """What one of the map's words ("closed", "target labels") is called; itself where nobody has said it."""
    return catalogue(lang).get(f"map.{topic}_{word.replace(' ', '_')}", word)


def family_title(family: str, lang: str) -> str:
    """What a family is called."""
    return catalogue(lang).get(f"map.family_{family}", "{title}").format(title=title(family))


def family_does(family: str, lang: str) -> str:
    """What the methods of a family do, in one sentence; "" where nobody has said it."""
    return catalogue(lang).get(f"map.does_{family}", "")


def tags(e: Entry, lang: str) -> list[str]:
    """Setting, label sets and needs of a method, in words."""
    words = [said("setting", e.setting, lang)]
    if e.label_sets:
        words.append(said("labels", e.label_sets, lang))
    if e.needs:
        words.append(say("map.needs", lang, words=[said("need", n, lang) for n in e.needs]))
    return words


def legend(found: Iterable[Entry], lang: str) -> list[str]:
    """A sentence for each setting and label-set relation that occurs, with the filter's word where that differs."""
    found = list(found)
    settings, labels = {e.setting for e in found}, {e.label_sets for e in found}
    words = [("setting", w) for w in get_args(Setting) if w in settings]
    words += [("labels", w) for w in get_args(LabelSets) if w in labels]
    return [
        say("map.legend_word", lang, word=_both(topic, w, lang), about=say(f"map.about_{w}", lang))
        for topic, w in words
    ]


def _both(topic: str, word: str, lang: str) -> str:
    shown = said(topic, word, lang)
    return shown if shown == word else f"{shown} {word}"
