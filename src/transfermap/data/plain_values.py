"""Dataclasses as plain values that JSON can hold, and back: once, for every record that is kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """A value made of dataclasses, mappings and sequences as dicts and lists.

    Examples
    --------
    >>> from transfermap.messages import Note
    >>> to_plain((Note("check.same"),))
    [{'code': 'check.same', 'level': 'info', 'values': {}}]
    """
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): to_plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(inner) for inner in value]
    # a numpy scalar; an array is no plain value, and fails here
    return value.item() if hasattr(value, "item") else value


def from_plain(kind: Callable[..., T], data: Any, at: str) -> T:
    """A dataclass from plain values, each of which is held to its type hint.

    Hints are those of plain values: dataclasses, ``tuple[X, ...]``, ``Mapping[str, X]``, ``X | None``, ``Literal``,
    str, int, float, bool and Any. A name that the class does not have is passed over.

    Parameters
    ----------
    kind : dataclass
    data : object
        As :func:`to_plain` gave it.
    at : str
        What the data are called, for the refusal.

    Raises
    ------
    ValueError
        That says which value is missing or wrong, what was expected there, and what came.

    Examples
    --------
    >>> from transfermap.messages import Note
    >>> from_plain(Note, {"code": "check.same", "level": "grave"}, "notes[0]")
    Traceback (most recent call last):
    ValueError: notes[0].level should be info, warn or stop; got 'grave'
    """
    if not isinstance(data, Mapping):
        raise _refusal(at, "an object", data)
    if lost := [name for name in _required(kind) if name not in data]:
        raise ValueError(f"{at} lacks {', '.join(lost)}")
    hints = _hints(kind)
    return kind(**{name: _value(hint, data[name], f"{at}.{name}") for name, hint in hints.items() if name in data})


@cache
def _hints(kind: Any) -> dict[str, Any]:
    found = get_type_hints(kind)
    return {field.name: found[field.name] for field in fields(kind)}


@cache
def _required(kind: Any) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING)


def _value(hint: Any, data: Any, at: str) -> Any:
    if hint is Any:
        return data
    if is_dataclass(hint):
        return from_plain(hint, data, at)  # type: ignore[arg-type]
    if hint in _SCALARS:
        return _scalar(hint, data, at)
    return _PARTED[get_origin(hint)](get_args(hint), data, at)


def _scalar(kind: type, data: Any, at: str) -> Any:
    said, accepted = _SCALARS[kind]
    # JSON's true is no number, though Python's bool is an int
    if not isinstance(data, accepted) or (isinstance(data, bool) and kind is not bool):
        raise _refusal(at, said, data)
    try:
        return kind(data)
    except OverflowError:
        raise _refusal(at, said, "one beyond all bounds") from None


def _optional(parts: tuple[Any, ...], data: Any, at: str) -> Any:
    return None if data is None else _value(next(part for part in parts if part is not NoneType), data, at)


def _one_of(parts: tuple[Any, ...], data: Any, at: str) -> Any:
    if not isinstance(data, str) or data not in parts:
        raise _refusal(at, f"{', '.join(parts[:-1])} or {parts[-1]}", data)
    return data


def _several(parts: tuple[Any, ...], data: Any, at: str) -> tuple[Any, ...]:
    if not isinstance(data, (list, tuple)):
        raise _refusal(at, "a list", data)
    return tuple(_value(parts[0], inner, f"{at}[{i}]") for i, inner in enumerate(data))


def _named(parts: tuple[Any, ...], data: Any, at: str) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise _refusal(at, "an object", data)
    return {name: _value(parts[1], inner, f"{at}.{name}") for name, inner in data.items()}


def _refusal(at: str, wanted: str, data: Any) -> ValueError:
    shown = repr(data)
    return ValueError(f"{at} should be {wanted}; got {shown if len(shown) <= 60 else shown[:57] + '...'}")


_SCALARS: dict[Any, tuple[str, Any]] = {
    str: ("a text", str),
    int: ("a whole number", int),
    float: ("a number", (int, float)),
    bool: ("true or false", bool),
}
_PARTED: dict[Any, Callable[[tuple[Any, ...], Any, str], Any]] = {
    Union: _optional,
    UnionType: _optional,
    Literal: _one_of,
    tuple: _several,
    Mapping: _named,
}
