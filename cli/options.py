"""Options that several commands share, said once."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

MAX_PORT = 65_535
MAX_PACE = 100.0


def within(option: str, low: float, high: float) -> Callable[[float | None], float | None]:
    """A check of what was given for `option`: raises `Refused` for a number that is not `low` to `high`."""

    def check(value: float | None) -> float | None:
        from warmxfer.schemas import InvalidRequest

        if value is not None and not low <= value <= high:
            raise InvalidRequest(f"{option} is {value}; give {low:g} to {high:g}", field=option)
        return value

    return check


def port_of(option: str, help: str) -> Any:
    """An option that is a port; 0 is any free one."""
    return typer.Option(option, help=help, callback=within(option, 0, MAX_PORT))


def _made(directory: Path | None) -> Path | None:
    """The directory, there and to be written in: what is to be kept is not lost for want of it."""
    from warmxfer.schemas import InvalidRequest

    try:
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        raise InvalidRequest(
            f"--keep is {str(directory)!r}, which cannot be written in ({error.strerror}); "
            "give a directory that is yours",
            field="--keep",
        ) from error
    return directory


Url = Annotated[
    str | None,
    typer.Option("--url", metavar="nats://HOST:PORT", help="The NATS server; $NATS_URL when left out."),
]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of text, one value a line.")]
TransferId = Annotated[str, typer.Argument(metavar="ID", help="The transfer's id.")]
Keep = Annotated[
    Path | None,
    typer.Option("--keep", metavar="DIR", callback=_made, help="Keep the stream and every log there."),
]
