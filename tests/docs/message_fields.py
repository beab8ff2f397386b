"""Fields of a message, read from its struct: types, defaults and limits in the words of the pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from warmxfer.schemas import SIPDestination, WarmTransferRequest

LIMITS = ("ge", "gt", "le", "lt", "min_length", "max_length")
TYPE_WORDS = {
    inspect.StrType: "string",
    inspect.IntType: "integer",
    inspect.FloatType: "number",
    inspect.BoolType: "boolean",
    inspect.LiteralType: "string",
    inspect.EnumType: "string",
    inspect.StructType: "object",
    inspect.DictType: "object",
    inspect.ListType: "array",
}


WITH_OWN_SECTION = (WarmTransferRequest, SIPDestination)
"""Structs without a tag that are part of other messages and have their own section on a page."""


class Field(NamedTuple):
    """One row of a table of fields. `bounds` are the numbers that its limits must name."""

    name: str
    type: str
    default: str
    limits: str
    bounds: frozenset[str]


def fields_of(kind: type[msgspec.Struct]) -> list[Field]:
    """Return the fields of `kind` under their wire names, in order."""
    return [
        Field(each.encode_name, _type(each.type), _default(each), _limits(each.type), _bounds(each.type))
        for each in _struct(kind).fields
    ]


def all_field_names(kind: type[msgspec.Struct]) -> set[str]:
    """Return the names of the fields of `kind`, and of nested structs without their own section."""
    skipped = () if kind in WITH_OWN_SECTION else WITH_OWN_SECTION
    return {name for each in _struct(kind).fields for name in (each.encode_name, *_names(each.type, skipped))}


def tag_of(kind: type[msgspec.Struct]) -> str | None:
    """Return the value of `type` that names `kind` on the wire, or None if it has no tag."""
    return str(kind.__struct_config__.tag) if kind.__struct_config__.tag is not None else None


def _struct(kind: type[msgspec.Struct]) -> inspect.StructType:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return info


def _names(info: inspect.Type, skipped: tuple[type, ...]) -> Iterator[str]:
    match info:
        case inspect.Metadata(type=inner) | inspect.ListType(item_type=inner):
            yield from _names(inner, skipped)
        case inspect.DictType(value_type=inner):
            yield from _names(inner, skipped)
        case inspect.UnionType():
            for each in info.types:
                yield from _names(each, skipped)
        case inspect.StructType(tag=None) if info.cls not in skipped:
            for each in info.fields:
                yield each.encode_name
                yield from _names(each.type, skipped)
        case _:
            return


def _parts(info: inspect.Type) -> Iterator[inspect.Type]:
    """Yield the alternatives of `info` without their metadata; `UnsetType` is not an alternative."""
    if isinstance(info, inspect.Metadata):
        yield from _parts(info.type)
    elif isinstance(info, inspect.UnionType):
        for each in info.types:
            yield from _parts(each)
    elif not (isinstance(info, inspect.CustomType) and info.cls is msgspec.UnsetType):
        yield info


def _type(info: inspect.Type) -> str:
    words = (
        "null" if isinstance(each, inspect.NoneType) else TYPE_WORDS[type(each)] for each in _parts(info)
    )
    return " or ".join(dict.fromkeys(words))


def _default(info: inspect.Field) -> str:
    if info.required:
        return "required"
    if (
        info.default is info.default_factory is msgspec.NODEFAULT
    ):  # msgspec reports a default of UNSET like this
        return "left out"
    value: Any = info.default if info.default is not msgspec.NODEFAULT else info.default_factory()
    if isinstance(value, float):
        return f"{value:g}"
    empty = isinstance(value, msgspec.Struct | dict)
    return "{}" if empty else msgspec.json.encode(value).decode()


def _limits(info: inspect.Type) -> str:
    """Return the remedy of the error sentence without its verb ("give", "use")."""
    for each in _metas(info):
        if each.extra and "remedy" in each.extra:
            return str(each.extra["remedy"]).partition(" ")[2]
    for part in _parts(info):
        if isinstance(part, inspect.LiteralType):
            return ", ".join(str(value) for value in part.values)
    return "—"


def _bounds(info: inspect.Type) -> frozenset[str]:
    """Return the numbers that the page must name: lengths, ranges and counts."""
    found: set[str] = set()
    for part in _constrained(info):
        found |= {f"{value:g}" for name in LIMITS if (value := getattr(part, name, None)) is not None}
    return frozenset(found)


def _constrained(info: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(info, inspect.Metadata):
        yield from _constrained(info.type)
    elif isinstance(info, inspect.UnionType):
        for each in info.types:
            yield from _constrained(each)
    else:
        yield info


def _metas(info: inspect.Type) -> Iterator[inspect.Metadata]:
    if isinstance(info, inspect.Metadata):
        yield info
        yield from _metas(info.type)
    elif isinstance(info, inspect.UnionType):
        for each in info.types:
            yield from _metas(each)
