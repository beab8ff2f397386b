"""Description of wire messages as facts, one per line: fields with their type, limits, default and values.

The name of a fact is its path on the wire and contains no Python name. A struct or an enum with a role is
described once, under that role. A tagged struct without a role is described under its tag. Any other struct
or enum is described inside the field that holds it. Titles and docstrings are not part of the wire format.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

import msgspec
from msgspec import inspect

ALLOWED = "allowed"
REQUIRED = "required"
LIMITS = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern")
PLAIN: Mapping[type, str] = {
    inspect.AnyType: "anything",
    inspect.BoolType: "boolean",
    inspect.FloatType: "number",
    inspect.IntType: "integer",
    inspect.NoneType: "null",
    inspect.StrType: "string",
}


class Facts:
    """Collects the facts of messages. `roles` maps a struct or an enum to its stable name."""

    def __init__(self, roles: Mapping[type, str]) -> None:
        self.roles = roles
        self.found: dict[str, str] = {}

    def add(self, structs: Iterable[type]) -> dict[str, str]:
        """Describe each struct under its role or its tag, and return all facts so far."""
        for struct in structs:
            info = inspect.type_info(struct)
            assert isinstance(info, inspect.StructType)
            name = self._name(info)
            assert name, f"{struct.__name__} has neither tag nor role; give it a role in wire.py"
            assert name not in self.found, f"two messages are called {name}"
            self._describe(name, info)
            self.found[name] = self._object(info)
        return self.found

    def _name(self, info: inspect.StructType) -> str:
        return self.roles.get(info.cls) or (str(info.tag) if info.tag is not None else "")

    def _object(self, info: inspect.StructType) -> str:
        parts = ["array" if info.array_like else "object"]
        if info.tag is not None:
            parts.append(f"{info.tag_field}={info.tag}")
        if info.forbid_unknown_fields:
            parts.append("no other fields")
        if info.cls.__struct_config__.omit_defaults:
            parts.append("defaults are left out")
        return ", ".join(parts)

    def _describe(self, path: str, info: inspect.StructType) -> None:
        for field in info.fields:
            where = f"{path}.{field.encode_name}"
            self.found[where] = f"{self._type(where, field.type)}; {_default(field)}"

    def _type(self, path: str, type: inspect.Type) -> str:
        match type:
            case inspect.Metadata():
                return self._type(path, type.type)
            case inspect.StructType():
                if name := self._name(type):
                    return f"<{name}>"
                self._describe(path, type)
                return self._object(type)
            case inspect.EnumType() if type.cls in self.roles:
                return f"one of the values of {self.roles[type.cls]}"
            case inspect.EnumType():
                return self._one_of(path, (each.value for each in type.cls))
            case inspect.LiteralType():
                return self._one_of(path, type.values)
            case inspect.UnionType():
                return self._union(path, type)
            case inspect.ListType():
                return f"list of {self._type(f'{path}[]', type.item_type)}{_limits(type)}"
            case inspect.DictType():
                key = self._type(f"{path}{{key}}", type.key_type)
                return f"map of {key} to {self._type(f'{path}{{}}', type.value_type)}{_limits(type)}"
            case _:
                return f"{PLAIN[type.__class__]}{_limits(type)}"

    def _union(self, path: str, union: inspect.UnionType) -> str:
        structs = [each for each in union.types if isinstance(each, inspect.StructType)]
        if len(structs) < 2:
            return " | ".join(sorted(self._type(path, each) for each in union.types))
        members = self._one_of(path, (f"<{self._name(each)}>" for each in structs))
        others = (self._type(path, each) for each in union.types if each not in structs)
        return " | ".join([members, *sorted(others)])

    def _one_of(self, path: str, values: Iterable[Any]) -> str:
        self.found |= {f"{path} = {value}": ALLOWED for value in values}
        return "one of"


def values(roles: Mapping[type, str]) -> dict[str, str]:
    """Return all values of all enums that have a role."""
    enums = {each: role for each, role in roles.items() if issubclass(each, Enum)}
    return {f"{role} = {each.value}": ALLOWED for enum, role in enums.items() for each in enum}


def _limits(type: inspect.Type) -> str:
    limits = ((limit, getattr(type, limit, None)) for limit in LIMITS)
    return "".join(f" {limit}={value}" for limit, value in limits if value is not None)


def _default(field: inspect.Field) -> str:
    if field.required:
        return REQUIRED
    if field.default is not msgspec.NODEFAULT:
        value = field.default
    elif field.default_factory is not msgspec.NODEFAULT:
        value = field.default_factory()
        if isinstance(value, msgspec.Struct) and value == type(value)():
            return "default is that of its fields"
    else:
        return "absent by default"
    return f"default {json.dumps(msgspec.to_builtins(value), sort_keys=True)}"
