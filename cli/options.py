"""Options that several commands share."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

MAX_PORT = 65_535
MAX_PACE = 100.0
MAX_LISTED = 1_000
PACE_HELP = "Simulated time: 1 = real time, 0.1 = ten times faster."


def within(option: str, low: float, high: float) -> Callable[[float | None], float | None]:
    """Return a check for the value of `option`. It raises `InvalidRequest` outside of `low` to `high`."""

    def check(value: float | None) -> float | None:
        from warmxfer.schemas import InvalidRequest

        if value is not None and not low <= value <= high:
            raise InvalidRequest(f"{option} is {value}; give {low:g} to {high:g}", field=option)
        return value

    return check


def given(context: typer.Context, parameter: str) -> bool:
    """Return whether the user typed this option or argument."""
    source = context.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


def refuse_beside(context: typer.Context, option: str, *ignored: str) -> None:
    """Raise `InvalidRequest` if one of the options `ignored` was typed: beside `option` it has no effect."""
    from warmxfer.schemas import InvalidRequest

    names = {each.name: max(each.opts, key=len) for each in context.command.params}
    for parameter in ignored:
        if given(context, parameter):
            raise InvalidRequest(
                f"{names[parameter]} has no effect beside {option}; leave one of the two out",
                field=names[parameter],
            )


def _checked_id(id: str | None) -> str | None:
    """Check an id before anything is connected."""
    from warmxfer.actors.runtime.fast_imports import without_unused_libraries

    with without_unused_libraries():
        from warmxfer.bus.subjects import check_token

    return None if id is None else check_token(id)


def port_option(option: str, help: str) -> Any:
    """Return an option for a port; 0 means any free port."""
    return typer.Option(option, metavar="PORT", help=help, callback=within(option, 0, MAX_PORT))


def pace_option(help: str = PACE_HELP, *, option: str = "--pace") -> Any:
    """Return an option for the factor of simulated time."""
    return typer.Option(option, metavar="FACTOR", help=help, callback=within(option, 0, MAX_PACE))


def _writable_directory(given: str) -> Path:
    """Create a directory and check that it is writable, before anything runs whose logs would be lost."""
    from warmxfer.schemas import InvalidRequest

    if not given:
        # It would be the current one, which may be a clone: passwords of the stack would be files in it.
        raise InvalidRequest("--keep is empty; give a directory that you may write to", field="--keep")
    directory = Path(given).resolve()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        raise InvalidRequest(
            f"--keep is {str(directory)!r}, which is not writable ({error.strerror}); "
            "give a directory that you may write to",
            field="--keep",
        ) from error
    return directory


def read_json_file(argument: str, file: str, wanted: str) -> Any:
    """Return the JSON in the file that `argument` names; `-` is stdin. Raises `InvalidRequest`."""
    from json import detect_encoding

    import msgspec

    from warmxfer.schemas import InvalidRequest

    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        # Windows writes UTF-16, and UTF-8 with a mark at its start.
        return msgspec.json.decode(data.decode(detect_encoding(data)))
    except OSError as error:
        raise InvalidRequest(
            f"{argument} is {file!r}, which cannot be read ({error.strerror}); "
            "give a JSON file, or - for stdin"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"{argument} is {file!r}, which is not JSON ({error}); give {wanted}") from error


Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="nats://HOST:PORT",
        help="Address of the NATS server.  [default: $NATS_URL, else nats://127.0.0.1:4222]",
    ),
]
Limit = Annotated[
    int,
    typer.Option(
        "--limit",
        "-n",
        metavar="NUMBER",
        callback=within("--limit", 1, MAX_LISTED),
        help="Show at most this many.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one value per line.")]
TransferId = Annotated[str, typer.Argument(metavar="ID", callback=_checked_id, help="Id of the transfer.")]
OptionalTransferId = Annotated[
    str | None,
    typer.Argument(metavar="ID", callback=_checked_id, help="Id of the transfer; all transfers if omitted."),
]
NewTransferId = Annotated[
    str | None,
    typer.Option(
        "--id",
        metavar="ID",
        callback=_checked_id,
        help="Id of the transfer; a repeated id is the same transfer.  [default: new]",
    ),
]
Keep = Annotated[
    Path | None,
    typer.Option(
        "--keep",
        metavar="DIR",
        parser=_writable_directory,
        help="Keep the stream and all logs in this directory.",
    ),
]
