"""The AsyncAPI 3.0 document of a deployment, made from the subject table and the structs.

The application that it describes is warmxfer: it receives what users write, and sends what actors write.
Subjects of users have the tag `public`. Later versions only add to them. Subjects between actors have the
tag `internal`. They change with the layout number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from warmxfer.bus import subjects
from warmxfer.bus.request_reply import ERROR, ERROR_CODE
from warmxfer.bus.stream import LAYOUT
from warmxfer.bus.subject_table import IN, SUBJECTS, SubjectSpec

from .json_schemas import Kind, component_schemas, schema_name
from .messages import CARRIED, EXAMPLES, Carried

ASYNCAPI_VERSION = "3.0.0"
PUBLIC, INTERNAL = "public", "internal"
PUBLIC_KINDS = ("request", "cancel", "phase", "result", "notice")
"""Rows that users write or read. Their names are frozen."""
API = "api."
"""How the names of the rows begin on which users ask."""
ERROR_MESSAGE = "error"

DESCRIPTION = (
    "Warm transfers for voice AI over NATS JetStream. Every body is one JSON object. "
    "A subject with the tag `public` is for users: later versions only add to it. "
    "A subject with the tag `internal` is between the actors: it changes with the layout number. "
    "A later version may add fields and words of enumerations to what it sends. Ignore what you do not know."
)

PARAMETERS = {
    "id": "Id of the transfer. You choose it: 1 to 64 of A-Z a-z 0-9 _ -",
    "partition": "Number of the partition, derived from the id.",
    "session": "Name of the AI session: 1 to 64 of A-Z a-z 0-9 _ -",
    "role": "The actor that writes the message.",
    "effect": "Name of the effect at the provider.",
    "counter": "Name of the counter.",
    "name": "Name of the timer.",
}
ROLES = {"event": subjects.WRITERS}
"""The values of `<role>` in a row, if they are a closed list."""

Tree = dict[str, Any]


def document() -> Tree:
    """Return the document. Equal code gives an equal document."""
    rows = [(row, CARRIED[row.name]) for row in SUBJECTS]
    kinds = _in_order(kind for _, carried in rows for kind in _kinds_of(carried))
    return {
        "asyncapi": ASYNCAPI_VERSION,
        "info": {
            "title": "warmxfer",
            "version": version("warmxfer"),
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
            "x-layout": LAYOUT,
        },
        "defaultContentType": "application/json",
        "servers": {
            "nats": {
                "host": "127.0.0.1:4222",
                "protocol": "nats",
                "description": "The default. Your deployment names its own broker in `NATS_URL`.",
            }
        },
        "channels": {key: channel for row, carried in rows for key, channel in _channels(row, carried)},
        "operations": {row.name: _operation(row, carried) for row, carried in rows},
        "components": {
            "messages": {kind.__name__: _message(kind) for kind in kinds} | {ERROR_MESSAGE: _error_message()},
            "schemas": component_schemas(kinds),
        },
    }


def _kinds_of(carried: Carried) -> tuple[Kind, ...]:
    return carried.kinds if carried.reply is None else (*carried.kinds, carried.reply)


def _in_order(kinds: Iterable[Kind]) -> list[Kind]:
    return sorted(set(kinds), key=lambda kind: kind.__name__)


def _channels(row: SubjectSpec, carried: Carried) -> Iterable[tuple[str, Tree]]:
    """Yield the channel of a row, and the channel of its replies if it is a query."""
    stored = f" Stored in `{row.stream}`." if row.captured else " Never stored."
    channel: Tree = {
        "address": re.sub(r"<(\w+)>", r"{\1}", row.pattern),
        "title": row.name,
        "description": f"{row.carries}.{stored}",
        "messages": _message_refs(carried.kinds),
        "tags": [{"name": _audience(row)}],
        "x-writers": list(row.writers),
        "x-readers": list(row.readers),
    }
    if parameters := {name: _parameter(row, name) for name in re.findall(r"<(\w+)>", row.pattern)}:
        channel["parameters"] = parameters
    yield row.name, channel
    if carried.reply is not None:
        replies = _message_refs([carried.reply])
        replies[ERROR_MESSAGE] = {"$ref": f"#/components/messages/{ERROR_MESSAGE}"}
        yield _reply_key(row), {"address": None, "title": f"reply to {row.name}", "messages": replies}


def _audience(row: SubjectSpec) -> str:
    return PUBLIC if row.name in PUBLIC_KINDS or row.name.startswith(API) else INTERNAL


def _parameter(row: SubjectSpec, name: str) -> Tree:
    parameter: Tree = {"description": PARAMETERS[name]}
    if name == "role" and row.name in ROLES:
        parameter["enum"] = list(ROLES[row.name])
    return parameter


def _message_refs(kinds: Iterable[Kind]) -> Tree:
    return {kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"} for kind in kinds}


def _operation(row: SubjectSpec, carried: Carried) -> Tree:
    by_users = row.stream == IN or row.name.startswith(API) or row.name in ("ask.erase", "ask.replay")
    operation: Tree = {
        "action": "receive" if by_users else "send",
        "channel": {"$ref": f"#/channels/{row.name}"},
        "title": row.name,
        "tags": [{"name": _audience(row)}],
    }
    if carried.reply is not None:
        operation["reply"] = {"channel": {"$ref": f"#/channels/{_reply_key(row)}"}}
    return operation


def _reply_key(row: SubjectSpec) -> str:
    return f"{row.name}.reply"


def _message(kind: Kind) -> Tree:
    text = (kind.__doc__ or "").strip()
    message: Tree = {
        "name": str(kind.__struct_config__.tag or kind.__name__),
        "title": kind.__name__,
        "contentType": "application/json",
        "payload": {"$ref": schema_name(kind)},
    }
    if text:
        message["summary"] = text.splitlines()[0]
    if kind in EXAMPLES:
        message["examples"] = [{"payload": EXAMPLES[kind]}]
    return message


def _error_message() -> Tree:
    return {
        "name": ERROR_MESSAGE,
        "title": "Error",
        "summary": "A reply without a body: the headers say why the query failed.",
        "headers": {
            "type": "object",
            "required": [ERROR_CODE, ERROR],
            "properties": {
                ERROR_CODE: {
                    "type": "string",
                    "enum": ["400", "500", "503"],
                    "description": "400: change the query. 500: a bug. 503: try again later.",
                },
                ERROR: {"type": "string", "description": "The sentence for the author of the query."},
            },
        },
    }
