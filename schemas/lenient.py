"""Lenient reading of what warmxfer wrote, in any version.

The messages are declared once, strictly. Two readers use the same declarations:

    validation.py   for what users write: rejects unknown fields, unknown words, and values out of range
    lenient.py      for what warmxfer wrote: a newer version may have written more

Invariant: unknown fields are ignored at every depth, in every struct. A reader can accept more:

- `words`: an enum or a literal may hold a word that this version does not know. The word is kept.
- `limits`: a value may be out of the range that this version allows.

Test: `tests/schemas/test_lenient.py` tries every struct that a record can hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sized
from enum import Enum, StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeGuard, TypeVar, Union, cast, get_args, get_origin

import msgspec
from msgspec import Meta, Struct, UnsetType, ValidationError

from .fields import TOKEN_PATTERN

_WORD = re.compile(r"[A-Za-z0-9_]{1,64}\Z")
"""Shape of the words of enums, and of the types of messages."""

E = TypeVar("E", bound=StrEnum)


def is_word(value: object) -> TypeGuard[str]:
    """Return whether `value` could be a word of a newer version."""
    return isinstance(value, str) and _WORD.match(value) is not None


def is_token(value: object) -> TypeGuard[str]:
    """Return whether `value` may be part of a subject. A value out of range that was read may not."""
    return isinstance(value, str) and re.match(TOKEN_PATTERN, value) is not None


def unknown_member(kind: type[E], word: str) -> E:
    """Return a value of `kind` that is none of its members. It compares, prints and encodes as `word`."""
    member = str.__new__(kind, word)
    member._name_ = member._value_ = word
    return member


def is_known(member: Enum) -> bool:
    """Return whether `member` is a declared member of its enum."""
    return type(member)._value2member_map_.get(member.value) is member


def read_leniently(raw: Any, kind: Any, *, words: bool = False, limits: bool = False) -> Any:
    """Return the value of type `kind` that the decoded JSON `raw` holds.

    Raises `msgspec.ValidationError`, whose text never quotes the input.
    """
    return _Reader(words, limits).read(raw, kind)


class _Reader:
    def __init__(self, words: bool, limits: bool) -> None:
        self._words = words
        self._limits = limits

    def read(self, raw: Any, kind: Any) -> Any:
        origin = get_origin(kind)
        if origin is Annotated:
            return self._read_limited(raw, kind)
        if origin in (Union, UnionType):
            return self._read_union(raw, kind)
        if origin is Literal:
            return self._read_literal(raw, get_args(kind))
        if origin is list:
            (item,) = get_args(kind)
            return [self.read(each, item) for each in _checked(raw, list)]
        if origin is dict:
            key, item = get_args(kind)
            return {self.read(k, key): self.read(v, item) for k, v in _checked(raw, dict).items()}
        if _is_a(kind, Struct):
            return self._read_struct(raw, kind)
        if _is_a(kind, StrEnum):
            return self._read_enum(raw, kind)
        return msgspec.convert(raw, kind)

    def _read_limited(self, raw: Any, kind: Any) -> Any:
        inner, *metas = get_args(kind)
        if not self._limits and get_origin(inner) not in (list, dict):
            return msgspec.convert(raw, kind)
        value = self.read(raw, inner)
        if not self._limits:
            _check_size(value, metas)
        return value

    def _read_struct(self, raw: Any, kind: type[Struct]) -> Struct:
        given = _checked(raw, dict)
        config = kind.__struct_config__
        if config.tag is not None and given.get(config.tag_field) != config.tag:
            raise ValidationError(f"Expected a `{config.tag}`")
        values: dict[str, Any] = {}
        for name, encode_name, required, type in _fields(kind):
            if encode_name in given:
                values[name] = self.read(given[encode_name], type)
            elif required:
                raise ValidationError(f"Object missing required field `{encode_name}`")
        return kind(**values)

    def _read_union(self, raw: Any, union: Any) -> Any:
        """Return the value as the first type of the union that accepts it."""
        if isinstance(raw, dict) and (tagged := _by_tag(union)):
            tag_field = next(iter(tagged.values())).__struct_config__.tag_field
            tag = cast("dict[str, Any]", raw).get(cast("str", tag_field))
            struct = tagged.get(tag) if isinstance(tag, str) else None
            if struct is None:
                raise ValidationError("Expected one of the known types")
            return self._read_struct(raw, struct)
        for kind in get_args(union):
            if kind is NoneType and raw is None:
                return None
            if kind in (NoneType, UnsetType):
                continue
            try:
                return self.read(raw, kind)
            except ValidationError:
                continue
        raise ValidationError("Expected a value of another type")

    def _read_literal(self, raw: Any, allowed: tuple[Any, ...]) -> Any:
        if raw in allowed or (self._words and is_word(raw)):
            return raw
        raise ValidationError("Expected one of the known words")

    def _read_enum(self, raw: Any, kind: type[StrEnum]) -> StrEnum:
        known = kind._value2member_map_.get(raw) if isinstance(raw, str) else None
        if known is not None:
            return cast("StrEnum", known)
        if self._words and is_word(raw):
            return unknown_member(kind, raw)
        raise ValidationError("Expected one of the known words")


def _is_a(kind: Any, base: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, base)


def _checked(raw: Any, kind: type) -> Any:
    if not isinstance(raw, kind):
        raise ValidationError(f"Expected {'an object' if kind is dict else 'an array'}")
    return raw


def _check_size(value: Sized, metas: Iterable[Meta]) -> None:
    """Raise ValidationError if a list or an object has more or fewer entries than `metas` allow."""
    for each in metas:
        if each.max_length is not None and len(value) > each.max_length:
            raise ValidationError(f"Expected at most {each.max_length} entries")
        if each.min_length is not None and len(value) < each.min_length:
            raise ValidationError(f"Expected at least {each.min_length} entries")


@cache
def _fields(kind: type[Struct]) -> tuple[tuple[str, str, bool, Any], ...]:
    """Return name, name on the wire, whether it is required, and type of each field."""
    return tuple(
        (each.name, each.encode_name, each.required, each.type) for each in msgspec.structs.fields(kind)
    )


@cache
def _by_tag(union: Any) -> dict[str, type[Struct]]:
    """Return the tagged structs of a union by their tags."""
    structs: list[type[Struct]] = [each for each in get_args(union) if _is_a(each, Struct)]
    return {
        str(each.__struct_config__.tag): each for each in structs if each.__struct_config__.tag is not None
    }
