"""The texts, bytes, lists and objects of a type that have no length."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

MAX_PATTERN_CHARS = 1_000
"""Longest text that a pattern may allow."""


def unbounded(kind: Any) -> list[str]:
    """Return `Struct.field` and the type, for each field inside `kind` that has no length."""
    return sorted(set(_of_type(inspect.type_info(kind), getattr(kind, "__name__", str(kind)), set())))


def _of_type(info: inspect.Type, path: str, seen: set[type]) -> Iterator[str]:
    match info:
        case inspect.Metadata():
            yield from _of_type(info.type, path, seen)
        case inspect.UnionType():
            for each in info.types:
                yield from _of_type(each, path, seen)
        case inspect.StructType():
            if info.cls not in seen:
                seen.add(info.cls)
                for field in info.fields:
                    yield from _of_type(field.type, f"{info.cls.__name__}.{field.name}", seen)
        case inspect.StrType():
            if info.max_length is None and not _is_bounded(info.pattern):
                yield f"{path}: str"
        case inspect.BytesType():
            if info.max_length is None:
                yield f"{path}: bytes"
        case inspect.ListType():
            if info.max_length is None:
                yield f"{path}: list"
            yield from _of_type(info.item_type, path, seen)
        case inspect.TupleType():
            for each in info.item_types:
                yield from _of_type(each, path, seen)
        case inspect.DictType():
            words = isinstance(info.key_type, inspect.EnumType | inspect.LiteralType)
            if info.max_length is None and not words:
                yield f"{path}: dict"
            yield from _of_type(info.key_type, path, seen)
            yield from _of_type(info.value_type, path, seen)
        case (
            inspect.IntType()
            | inspect.FloatType()
            | inspect.BoolType()
            | inspect.NoneType()
            | inspect.EnumType()
            | inspect.LiteralType()
        ):
            pass
        case inspect.CustomType() if info.cls is msgspec.UnsetType:
            pass
        case _:  # Any, Raw, and each kind of type that no message has yet
            yield f"{path}: {type(info).__name__}"


def _is_bounded(pattern: str | None) -> bool:
    """Return whether a pattern holds the whole text, and the text cannot be long."""
    if pattern is None or not pattern.startswith("^") or not pattern.endswith(r"\Z"):
        return False
    alternatives = re._parser.parse(pattern)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    return int(alternatives.getwidth()[1]) <= MAX_PATTERN_CHARS  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
