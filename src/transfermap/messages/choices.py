"""A word that must be one of several: understood however it is spelled, and where it is none, the nearest is named."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# of difflib's ratio; its usual 0.6 takes deepcoral for a spelling of corl
_NEAR = 0.75


def choose(what: str, given: str, words: Iterable[str], also: str = "") -> str:
    """The one of ``words`` that ``given`` spells; case, hyphens, underscores and blanks do not matter.

    Parameters
    ----------
    what : str
        What the word names, for the message: "method", "estimator", "--lang".
    given : str
        What somebody wrote.
    words : iterable of str
        What there is, as the program spells it.
    also : str
        Where all of them are listed, if they are too many for a sentence; else the message lists them.

    Raises
    ------
    ValueError
        If it is none of them; the message names those that come close.

    Examples
    --------
    >>> choose("method", "Source-Only", ["coral", "sourceonly"])
    'sourceonly'
    >>> choose("method", "corl", ["coral", "sourceonly"], also="'transfermap map' lists all")
    Traceback (most recent call last):
        ...
    ValueError: no method 'corl'; did you mean coral? 'transfermap map' lists all
    """
    known = {_plain(word): word for word in words}
    found = known.get(_plain(given))
    if found is None:
        close = [known[name] for name in difflib.get_close_matches(_plain(given), known, n=3, cutoff=_NEAR)]
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise ValueError(f"no {what} {given!r}; {hint}{also or 'expected one of: ' + ', '.join(known.values())}")
    return found


def _plain(word: str) -> str:
    return "".join(c for c in word.casefold() if c not in "-_ ")
