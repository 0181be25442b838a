"""Words are understood however they are spelled; what is none of them is answered with the nearest."""

from __future__ import annotations

import pytest

from transfermap.card import find, keys
from transfermap.messages.choices import choose


@pytest.mark.parametrize("spelled", ["sourceonly", "source-only", "source_only", "Source-Only", "SourceOnly"])
def test_every_spelling_is_the_same_method(spelled: str) -> None:
    assert find(spelled).card.key == "sourceonly"


def test_every_key_and_class_name_is_found() -> None:
    for key in keys():
        cls = find(key)
        assert find(cls.__name__) is cls and find(key.upper()) is cls


def test_no_two_keys_are_one_word() -> None:
    for key in keys():
        assert choose("method", key, keys()) == key


def test_what_is_none_of_them_is_answered_in_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"^no method 'corl'; did you mean coral\? 'transfermap map' lists all$"):
        find("corl")
    with pytest.raises(ValueError, match=r"^no method '\?\?\?'; 'transfermap map' lists all$"):
        find("???")
    with pytest.raises(ValueError, match=r"^no colour 'redd'; did you mean red\? expected one of: red, blue$"):
        choose("colour", "redd", ["red", "blue"])
    with pytest.raises(ValueError, match=r"^no colour ''; expected one of: red, blue$"):
        choose("colour", "", ["red", "blue"])
