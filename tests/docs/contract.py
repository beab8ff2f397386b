"""What a message looks like, read from its struct: fields, types, defaults and limits in the docs' words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from warmxfer.schemas import SIPDestination, WarmTransferRequest

LIMITS = ("ge", "gt", "le", "lt", "min_length", "max_length")
WORDS = {
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


DESCRIBED_APART = (WarmTransferRequest, SIPDestination)
"""Structs without a tag that stand in other messages and have a section of their own on the page."""


class FieldFacts(NamedTuple):
    """One row of a table of fields. `bounds` are the numbers that its limits must name."""

    name: str
    type: str
    default: str
    limits: str
    bounds: frozenset[str]


def facts(kind: type[msgspec.Struct]) -> list[FieldFacts]:
    """The fields of `kind` as they stand on the wire, in order."""
    return [
        FieldFacts(each.encode_name, _type(each.type), _default(each), _limits(each.type), _bounds(each.type))
        for each in _struct(kind).fields
    ]


def all_field_names(kind: type[msgspec.Struct]) -> set[str]:
    """The names of the fields of `kind`, and of the structs within it that are described with it."""
    apart = () if kind in DESCRIBED_APART else DESCRIBED_APART
    return {name for each in _struct(kind).fields for name in (each.encode_name, *_names(each.type, apart))}


def tag_of(kind: type[msgspec.Struct]) -> str | None:
    """The word in `type` that names `kind` on the wire."""
    return str(kind.__struct_config__.tag) if kind.__struct_config__.tag is not None else None


def _struct(kind: type[msgspec.Struct]) -> inspect.StructType:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return info


def _names(info: inspect.Type, apart: tuple[type, ...]) -> Iterator[str]:
    match info:
        case inspect.Metadata(type=inner) | inspect.ListType(item_type=inner):
            yield from _names(inner, apart)
        case inspect.DictType(value_type=inner):
            yield from _names(inner, apart)
        case inspect.UnionType():
            for each in info.types:
                yield from _names(each, apart)
        case inspect.StructType(tag=None) if info.cls not in apart:
            for each in info.fields:
                yield each.encode_name
                yield from _names(each.type, apart)
        case _:
            return


def _parts(info: inspect.Type) -> Iterator[inspect.Type]:
    """`info` without metadata, its alternatives one by one; what stands for "left out" is none of them."""
    if isinstance(info, inspect.Metadata):
        yield from _parts(info.type)
    elif isinstance(info, inspect.UnionType):
        for each in info.types:
            yield from _parts(each)
    elif not (isinstance(info, inspect.CustomType) and info.cls is msgspec.UnsetType):
        yield info


def _type(info: inspect.Type) -> str:
    words = ("null" if isinstance(each, inspect.NoneType) else WORDS[type(each)] for each in _parts(info))
    return " or ".join(dict.fromkeys(words))


def _default(info: inspect.Field) -> str:
    if info.required:
        return "required"
    if info.default is info.default_factory is msgspec.NODEFAULT:  # how msgspec shows one that is UNSET
        return "left out"
    value: Any = info.default if info.default is not msgspec.NODEFAULT else info.default_factory()
    if isinstance(value, float):
        return f"{value:g}"
    nothing = isinstance(value, msgspec.Struct | dict)
    return "{}" if nothing else msgspec.json.encode(value).decode()


def _limits(info: inspect.Type) -> str:
    """The remedy of a refusal without its verb ("give", "use"): what the page says is what a refusal says."""
    for each in _metas(info):
        if each.extra and "remedy" in each.extra:
            return str(each.extra["remedy"]).partition(" ")[2]
    for part in _parts(info):
        if isinstance(part, inspect.LiteralType):
            return ", ".join(str(value) for value in part.values)
    return "—"


def _bounds(info: inspect.Type) -> frozenset[str]:
    """Numbers a reader must be told: how long, how big, how many."""
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
