"""Options that several commands share, said once."""

from __future__ import annotations

from typing import Annotated

import typer

Url = Annotated[
    str | None,
    typer.Option("--url", metavar="nats://HOST:PORT", help="The NATS server; $NATS_URL when left out."),
]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of text, one value a line.")]
TransferId = Annotated[str, typer.Argument(metavar="ID", help="The transfer's id.")]
