"""How every page is made from its template: each value escaped and harmless, a missing one an error."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from transfermap.report.phrases import plain


def environment() -> Environment:
    """A fresh environment over ``report/templates``; a page adds its own words and number formats."""
    return Environment(
        loader=PackageLoader("transfermap.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _harmless(value: Any) -> Any:
    """Every string that goes into a page is rid of control and direction characters; markup of ours stays."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value
