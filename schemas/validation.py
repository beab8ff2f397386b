"""Strict reading of what users write: one sentence for each mistake.

The sentence names the field, the value and the remedy. The value is cut, and masked if it is a phone number.
No part of a rejected request is processed further.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec
from msgspec import UNSET, inspect

from . import sip_address
from .api import StartQuery
from .codec import MAX_MESSAGE_BYTES, encode
from .errors import InvalidRequest
from .odd_characters import odd_character
from .transfer import RESERVED_OPTIONS, CancelRequest, RescueByDial, SIPDestination, WarmTransferRequest

MAX_REQUEST_BYTES = 56 * 1024
"""The request in every record of its transfer, with its defaults.

A record of 128 KB at most also holds the summary up to four times: 4,000 characters of at most 4 bytes each.
"""
MAX_SHOWN_CHARS = 40
MIN_NUMBER_DIGITS = 7
"""Shortest text that is treated as a phone number: E.164 has none shorter."""

MAX_NAMED_FIELDS = 3
DIALLED_FIELDS = ("routing_rule_id", "sip_call_to", "sip_call_from")
"""What a destination without a name needs."""

R = TypeVar("R")

_LOCATION = re.compile(r" - at (?:`key` in )?`\$(?P<path>[^`]*)`$")
_UNKNOWN = re.compile(r"unknown field `(?P<name>.*)`", re.DOTALL)
_MISSING = re.compile(r"missing required field `(?P<name>[^`]*)`")
_EXPECTED = re.compile(r"Expected `(?P<kind>[a-z]+)(?: \| null)?`, got ")
GIVE = {
    "object": "send one JSON object",
    "array": "give a list",
    "bool": "give true or false",
    "int": "give a whole number",
    "float": "give a number",
    "str": "give text in quotes",
}
"""What to give for each JSON type, where the field says nothing of its own."""
_DIGITS = re.compile(r"\d(?=(?:\D*\d){2})")
_STEP = re.compile(r"\.([A-Za-z_]\w*)")


def read_request(data: bytes) -> WarmTransferRequest:
    """Return the request in `data`. Raises InvalidRequest with the sentence for its author."""
    raw = _read_json(data)
    _reject_reserved(raw)
    _normalize_addresses(raw)
    _expand_language(raw)
    request = _convert(raw, WarmTransferRequest)
    _check_destinations(request)
    _check_size(request)
    return request


def check_request(request: WarmTransferRequest | Mapping[str, Any]) -> WarmTransferRequest:
    """Return the request that a program has made, read as a published one. Raises InvalidRequest."""
    try:
        data = encode(request)
    except (TypeError, ValueError, OverflowError) as error:
        # Half of a surrogate pair, or an object of another library.
        raise InvalidRequest(
            f"The request cannot be written as JSON ({error}); give text, numbers, lists and mappings"
        ) from error
    return read_request(data)


def read_cancel(data: bytes) -> CancelRequest:
    """Return the cancel in `data`; an empty body is a cancel without a reason. Raises InvalidRequest."""
    return _convert(_read_json(data), CancelRequest) if data.strip() else CancelRequest()


def read_start(data: bytes) -> StartQuery:
    """Return the query to start a transfer. Its request is read like a published one."""
    raw = _read_json(data)
    if not isinstance(raw, dict) or "request" not in raw:
        return _convert(raw, StartQuery)  # raises
    query = cast("dict[str, Any]", raw)
    request = read_request(encode(query["request"]))
    return _convert({**query, "request": msgspec.to_builtins(request)}, StartQuery)


def read_query(kind: type[R], data: bytes) -> R:
    """Return the query `kind` in `data`; an empty body is one without fields. Raises InvalidRequest."""
    return _convert(_read_json(data) if data.strip() else {}, kind)


def _read_json(data: bytes) -> Any:
    if len(data) > MAX_MESSAGE_BYTES:
        raise InvalidRequest(f"The message is {len(data)} bytes long; send at most {MAX_MESSAGE_BYTES}.")
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"The message is not JSON ({error}); send one JSON object.") from error


def _reject_reserved(raw: Any) -> None:
    for destination in ("destination", "rescue"):
        options = _walk(raw, ["config", destination, "extra_options"])
        for key in cast("dict[str, Any]", options) if isinstance(options, dict) else ():
            if _camel(key) in RESERVED_OPTIONS:
                raise InvalidRequest(
                    f"config.{destination}.extra_options has {_show(key)}, which warmxfer sets itself; "
                    f"remove it and use the fields of config.{destination}.",
                    field=f"config.{destination}.extra_options",
                )


def _normalize_addresses(raw: Any) -> None:
    """Write each number and SIP URI of `raw` in its one spelling."""
    for destination in ("destination", "rescue"):
        fields = _walk(raw, ["config", destination])
        for name in ("sip_call_to", "sip_call_from") if isinstance(fields, dict) else ():
            given = cast("dict[str, Any]", fields)
            if isinstance(address := given.get(name), str):
                given[name] = sip_address.normalized(address)


def _expand_language(raw: Any) -> None:
    """Read `"lines": "de"` as `"lines": {"language": "de"}`."""
    language = _walk(raw, ["config", "lines"])
    if isinstance(language, str):
        raw["config"]["lines"] = {"language": language}


def _check_destinations(request: WarmTransferRequest) -> None:
    """Raise InvalidRequest if a destination has neither a name nor all of its numbers, or has both."""
    _check_destination(request.config.destination, "destination")
    if isinstance(request.config.rescue, RescueByDial):
        _check_destination(request.config.rescue, "rescue")


def _check_destination(destination: SIPDestination, place: str) -> None:
    given = [each for each in DIALLED_FIELDS if getattr(destination, each) is not UNSET]
    missing = [each for each in DIALLED_FIELDS if each not in given]
    if destination.name is UNSET and missing:
        first = f"config.{place}.{missing[0]}"
        if len(missing) == 1:
            hint = _hint(WarmTransferRequest, ["config", "destination", missing[0]])
            raise InvalidRequest(f"{first} is missing; {hint}.", field=first)
        names = f"{', '.join([first, *missing[1:-1]])} and {missing[-1]}"
        raise InvalidRequest(f"{names} are missing; add them, or give a name alone.", field=first)
    if destination.name is not UNSET and given:
        raise InvalidRequest(
            f"config.{place}.name is {_show(destination.name)} beside {given[0]}; "
            f"give the name alone, or {', '.join(DIALLED_FIELDS)} without a name.",
            field=f"config.{place}.name",
        )


def _check_size(request: WarmTransferRequest) -> None:
    """Raise InvalidRequest if `request` is too large for a record; name the field that takes most."""
    size = len(encode(request))
    if size <= MAX_REQUEST_BYTES:
        return
    parts = {
        "config.lines": request.config.lines,
        "config.destination": request.config.destination,
        "config.summary_prompt": request.config.summary_prompt,
    }
    sizes = {name: len(encode(part)) for name, part in parts.items()}
    largest = max(sizes, key=lambda name: sizes[name])
    raise InvalidRequest(
        f"{largest} takes {sizes[largest]} of the {size} bytes of the request with its defaults; "
        f"shorten it, so that the request has at most {MAX_REQUEST_BYTES}.",
        field=largest,
    )


def _convert(raw: Any, kind: type[R]) -> R:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise _validation_error(str(error), raw, kind) from error


def _validation_error(message: str, raw: Any, kind: type) -> InvalidRequest:
    location = _LOCATION.search(message)
    problem = message[: location.start()] if location else message
    path = _path(location["path"]) if location else []
    where = ".".join(path) or "the message"
    if unknown := _UNKNOWN.search(problem):
        nearest = _nearest(unknown["name"], _tagged(_struct_at(kind, path), _walk(raw, path)))
        return InvalidRequest(
            f"{where} has the unknown field {_show(unknown['name'])}; {nearest}",
            field=".".join([*path, _cut(_masked(unknown["name"]))]),
        )
    if missing := _MISSING.search(problem):
        name = ".".join([*path, missing["name"]])
        return InvalidRequest(
            f"{name} is missing; {_hint(kind, [*path, missing['name']]) or 'add it'}.", field=name
        )
    given = _walk(raw, path)
    remedy = _hint(kind, path) or _give(problem) or problem[0].lower() + problem[1:]
    odd = _odd_character(given, kind, path)
    if path[-1:] == ["sip_call_to"] and isinstance(given, str):
        also = "" if odd else sip_address.hint(given, ".".join([*path[:-1], "extra_options"]))
        remedy += f"; {also}" if also else ""
    return InvalidRequest(f"{where} is {_show(given)}{odd}; {remedy}.", field=where)


def _give(problem: str) -> str:
    """Return the remedy for a value of a wrong JSON type, from msgspec's sentence; "" for another problem."""
    expected = _EXPECTED.match(problem)
    return GIVE.get(expected["kind"], "") if expected else ""


def _odd_character(value: Any, kind: type, path: list[str]) -> str:
    """Return `, with` and the first character of `value` that people cannot see or tell apart, or ""."""
    if not isinstance(value, str):
        return ""
    info = _field(_struct_at(kind, path[:-1]), path[-1]) if path else None
    odd = odd_character(value, ascii_only=info is not None and _only_ascii(info.type))
    return f", with {odd}" if odd else ""


def _only_ascii(info: inspect.Type) -> bool:
    """Return whether the pattern of a text lists the allowed characters: they are all in ASCII."""
    plain = _plain(info)
    return isinstance(plain, inspect.StrType) and plain.pattern is not None and "[^" not in plain.pattern


def _path(location: str) -> list[str]:
    """`.config.lines` -> [config, lines]. An entry of a list or a free map is named by its container."""
    return _STEP.findall(location.split("[", 1)[0])


def _walk(raw: Any, path: list[str]) -> Any:
    for step in path:
        raw = cast("dict[str, Any]", raw).get(step) if isinstance(raw, dict) else None
    return raw


def _show(value: Any) -> str:
    """Return `value` as its author wrote it, masked and cut."""
    if isinstance(value, str):
        return f"'{_cut(repr(_masked(value))[1:-1])}'"
    text = _masked(msgspec.json.encode(value).decode())
    return _cut("".join(each if each.isprintable() else ascii(each)[1:-1] for each in text))


def _masked(text: str) -> str:
    """Mask all but the last two digits of a phone number, with any spacing."""
    digits = len(re.sub(r"\D", "", text))
    return _DIGITS.sub("•", text) if digits >= MIN_NUMBER_DIGITS else text


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_CHARS else text[: MAX_SHOWN_CHARS - 1] + "…"


def _camel(key: str) -> str:
    head, *tail = key.split("_")
    return head + "".join(part.capitalize() for part in tail)


def _struct_at(kind: type, path: list[str]) -> inspect.Type | None:
    """Return the struct at `path`, or the union of tagged structs there."""
    found: inspect.Type | None = inspect.type_info(kind)
    for step in path:
        info = _field(found, step)
        found = _plain(info.type) if info else None
    return found


def _plain(info: inspect.Type) -> inspect.Type:
    """Return `info` without the `None`, `UNSET` and metadata around it."""
    if isinstance(info, inspect.Metadata):
        return _plain(info.type)
    if isinstance(info, inspect.UnionType):
        kinds = [each for each in info.types if not isinstance(each, inspect.NoneType)]
        return _plain(kinds[0]) if len(kinds) == 1 else info
    return info


def _fields(info: inspect.Type | None) -> list[inspect.Field]:
    """Return the fields of a struct, or those of all structs of a union."""
    if isinstance(info, inspect.UnionType):
        return [field for each in info.types for field in _fields(each)]
    return list(info.fields) if isinstance(info, inspect.StructType) else []


def _field(info: inspect.Type | None, name: str) -> inspect.Field | None:
    return next((each for each in _fields(info) if each.encode_name == name), None)


def _hint(kind: type, path: list[str]) -> str | None:
    """Return the remedy of the deepest field on `path` that has one."""
    for length in range(len(path), 0, -1):
        struct = _struct_at(kind, path[: length - 1])
        info = _field(struct, path[length - 1])
        if info and (remedy := _remedy(info.type)):
            return remedy
        if info and isinstance(plain := _plain(info.type), inspect.LiteralType):
            return "use one of " + ", ".join(str(each) for each in plain.values)
        if info and isinstance(plain := _plain(info.type), inspect.StructType) and length == len(path):
            required = [each.encode_name for each in plain.fields if each.required]
            some = required or [each.encode_name for each in plain.fields[:MAX_NAMED_FIELDS]]
            return f"give an object with {', '.join(some)}"
    return None


def _remedy(info: inspect.Type) -> str | None:
    if isinstance(info, inspect.Metadata):
        extra = cast("dict[str, str]", info.extra or {})  # pyright: ignore[reportUnknownMemberType]
        return extra.get("remedy") or _remedy(info.type)
    if isinstance(info, inspect.UnionType):
        return next((remedy for each in info.types if (remedy := _remedy(each))), None)
    return None


def _tagged(info: inspect.Type | None, raw: Any) -> inspect.Type | None:
    """Return the struct that the tag in `raw` selects from a union; `info` if it is no union."""
    if not isinstance(info, inspect.UnionType) or not isinstance(raw, dict):
        return info
    structs = [each for each in info.types if isinstance(each, inspect.StructType)]
    given = cast("dict[str, Any]", raw)
    return next((each for each in structs if given.get(str(each.tag_field)) == each.tag), info)


def _nearest(name: str, info: inspect.Type | None) -> str:
    known = [each.encode_name for each in _fields(info)]
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"the fields here are {', '.join(known)}."
