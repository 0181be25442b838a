"""What the program says, in the languages it speaks.

Findings travel through the program as a :class:`Note`: a code and values, never a sentence. The sentence is made
here, when somebody reads it. One folder a language, one TOML file a topic; a code is ``topic.key``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from transfermap.messages.choices import choose

Level = Literal["info", "warn", "stop"]
LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Note:
    """One finding: what was seen, how grave it is, and the values that the sentence needs.

    Parameters
    ----------
    code : str
        ``topic.key``, the sentence's place in the catalogue.
    level : {"info", "warn", "stop"}
        "warn" asks for the reader's attention, "stop" for a change of plan.
    values : mapping
        What the sentence's placeholders stand for; plain numbers, strings and lists (JSON can hold it).
    """

    code: str
    level: Level = "info"
    values: Mapping[str, Any] = field(default_factory=dict)

    def say(self, lang: str = "en") -> str:
        """The finding as a sentence."""
        return say(self.code, lang, **self.values)

    def to_dict(self) -> dict[str, Any]:
        """The finding as JSON can hold it; ``Note(**d)`` undoes this."""
        return asdict(self)


def language(name: str) -> str:
    """The language that ``name`` means, however it is written: a region or an encoding after it does not matter.

    Examples
    --------
    >>> language("ZH"), language("zh-CN"), language("zh_CN.UTF-8"), language("en-GB")
    ('zh', 'zh', 'zh', 'en')
    """
    return choose("language", re.split(r"[-_.]", name)[0] or name, LANGUAGES)


@cache
def catalogue(lang: str) -> dict[str, str]:
    """All sentences of one language, by code."""
    folder = files(__package__) / language(lang)
    topics = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return {
        f"{topic.name.removesuffix('.toml')}.{key}": text
        for topic in topics
        for key, text in tomllib.loads(topic.read_text("utf8")).items()
    }


def say(code: str, lang: str = "en", **values: Any) -> str:
    """The sentence ``code`` in ``lang`` with its placeholders filled (``str.format`` syntax)."""
    shown = {name: _listed(value, lang) for name, value in values.items()}
    return catalogue(lang)[code].format(**shown)


def _listed(value: Any, lang: str, most: int = 6) -> Any:
    """A list reads as words with commas, cut after ``most``."""
    if not isinstance(value, (list, tuple)):
        return value
    comma, rest = (", ", " and {} more") if lang == "en" else ("、", "等另外 {} 个")
    words = comma.join(str(v) for v in value[:most])
    return words + (rest.format(len(value) - most) if len(value) > most else "")
