"""`warmxfer asyncapi`: the AsyncAPI document, or the JSON Schema of one message."""

from __future__ import annotations

import sys
from json import dumps
from typing import Annotated, Any

import typer

from warmxfer.actors.runtime.exit_codes import BrokenPipe

from ..output import print_json


def asyncapi(
    schema: Annotated[
        str | None,
        typer.Option("--schema", metavar="MESSAGE", help="Print the JSON Schema of this message instead."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on one line.")] = False,
) -> None:
    """Print the AsyncAPI 3.0 document: every subject, its messages and their JSON Schemas."""
    from .document import document

    made = document() if schema is None else _schema_of(schema)
    if json:
        print_json(made)
    else:
        _print(written(made))


def _schema_of(name: str) -> dict[str, Any]:
    from warmxfer.schemas import InvalidRequest

    from .json_schemas import standalone_schema
    from .messages import kinds_by_name

    kinds = kinds_by_name()
    if name not in kinds:
        raise InvalidRequest(f"--schema is {name!r}; give one of {' '.join(sorted(kinds))}", field="--schema")
    return standalone_schema(kinds[name])


def _print(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise BrokenPipe from error


def written(value: dict[str, Any]) -> str:
    """Return the text of a document as it is printed and committed."""
    return dumps(value, indent=2) + "\n"
