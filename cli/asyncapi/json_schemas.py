"""JSON Schemas (draft 7) of messages, from their structs.

msgspec makes the schemas. Five changes make them readable outside of Python, and complete:

- `\\Z` in a pattern becomes `$`: the dialect of JSON Schema is that of ECMA 262.
- The `discriminator` of OpenAPI is left out. The `type` of each member tells them apart.
- The keys of an object whose keys are words of an enumeration are limited to these words.
- The text below a field becomes its `description`.
- A field that may hold personal data has `x-personal-data`.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import msgspec

DRAFT = "http://json-schema.org/draft-07/schema#"
PERSONAL = "x-personal-data"
REF_PREFIX = "#/components/schemas/"

Kind = type[msgspec.Struct]
Schema = dict[str, Any]


def component_schemas(kinds: Iterable[Kind]) -> dict[str, Schema]:
    """Return the schema of each struct of `kinds`, and of each type that they use, by name."""
    kinds = tuple(kinds)
    _, found = msgspec.json.schema_components(kinds, ref_template=REF_PREFIX + "{name}")
    components = {name: _readable(schema) for name, schema in found.items()}
    for info in _struct_infos(kinds):
        _describe_fields(components[info.cls.__name__], info)
    return dict(sorted(components.items()))


def standalone_schema(kind: Kind) -> Schema:
    """Return one schema that holds all that the messages of `kind` need."""
    definitions = component_schemas([kind])
    top = definitions.pop(kind.__name__)
    schema: Schema = {"$schema": DRAFT, "title": kind.__name__, **top}
    if definitions:
        schema["definitions"] = definitions
    return _with_refs_to_definitions(schema)


def schema_name(kind: Kind) -> str:
    """Return the reference to the schema of `kind` in a document."""
    return REF_PREFIX + kind.__name__


def _readable(value: Any) -> Any:
    if isinstance(value, list):
        return [_readable(each) for each in value]
    if not isinstance(value, dict):
        return value
    readable = {name: _readable(each) for name, each in value.items() if not _is_discriminator(name, each)}
    pattern = readable.get("pattern")
    if isinstance(pattern, str):
        readable["pattern"] = pattern.replace(r"\Z", "$")
    description = readable.get("description")
    if isinstance(description, str):
        readable["description"] = inspect.cleandoc(description)
    return readable


def _is_discriminator(name: str, value: Any) -> bool:
    return name == "discriminator" and isinstance(value, dict) and "propertyName" in value


def _with_refs_to_definitions(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_refs_to_definitions(each) for each in value]
    if isinstance(value, dict):
        return {name: _with_refs_to_definitions(each) for name, each in value.items()}
    if isinstance(value, str) and value.startswith(REF_PREFIX):
        return "#/definitions/" + value.removeprefix(REF_PREFIX)
    return value


def _describe_fields(schema: Schema, info: msgspec.inspect.StructType) -> None:
    texts = _field_texts(info.cls)
    for field in info.fields:
        added: Schema = {}
        if text := texts.get(field.name):
            added["description"] = text
        if _is_personal(field.type):
            added[PERSONAL] = True
        if words := _words_of_keys(field.type):
            added["propertyNames"] = {"enum": words}
        if not added:
            continue
        found: Schema = schema["properties"][field.encode_name]
        if "$ref" in found:  # in draft 7 a reference hides what stands beside it
            found = {"allOf": [{"$ref": found.pop("$ref")}], **found}
        schema["properties"][field.encode_name] = {**found, **added}


def _words_of_keys(info: msgspec.inspect.Type) -> list[str]:
    """Return the words that the keys of a field are limited to, if it is a dict with keys of an enum."""
    inner = info.type if isinstance(info, msgspec.inspect.Metadata) else info
    if isinstance(inner, msgspec.inspect.DictType) and isinstance(inner.key_type, msgspec.inspect.EnumType):
        return [str(word.value) for word in inner.key_type.cls]
    return []


def _is_personal(info: msgspec.inspect.Type) -> bool:
    return any(
        isinstance(each, msgspec.inspect.Metadata) and (each.extra or {}).get("pii") is True
        for each in _walk(info, into_structs=False)
    )


def _struct_infos(kinds: tuple[Kind, ...]) -> list[msgspec.inspect.StructType]:
    infos: dict[type, msgspec.inspect.StructType] = {}
    for top in msgspec.inspect.multi_type_info(kinds):
        for each in _walk(top):
            if isinstance(each, msgspec.inspect.StructType):
                infos.setdefault(each.cls, each)
    return list(infos.values())


def _walk(
    info: msgspec.inspect.Type, *, into_structs: bool = True, seen: set[int] | None = None
) -> Iterator[msgspec.inspect.Type]:
    """Yield `info` and the types inside of it, each object once: a struct may hold itself."""
    seen = set() if seen is None else seen
    if id(info) in seen:
        return
    seen.add(id(info))
    yield info
    inner: list[Any] = []
    if isinstance(info, msgspec.inspect.StructType):
        inner = [field.type for field in info.fields] if into_structs else []
    else:
        values: list[Any] = [getattr(info, name) for name in info.__struct_fields__]
        for value in values:
            inner += value if isinstance(value, tuple) else (value,)
    for each in inner:
        if isinstance(each, msgspec.inspect.Type):
            yield from _walk(each, into_structs=into_structs, seen=seen)


@cache
def _field_texts(cls: type) -> dict[str, str]:
    """Return the text below each field of `cls` and of its bases, by field name."""
    texts: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        if each.__module__.startswith("warmxfer."):
            texts |= _own_field_texts(each)
    return texts


def _own_field_texts(cls: type) -> dict[str, str]:
    (definition,) = ast.parse(inspect.cleandoc("\n" + inspect.getsource(cls))).body
    assert isinstance(definition, ast.ClassDef)
    texts: dict[str, str] = {}
    for statement, after in zip(definition.body, definition.body[1:], strict=False):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            texts[statement.target.id] = inspect.cleandoc(after.value.value)
    return texts
