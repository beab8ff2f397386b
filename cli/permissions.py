"""`warmxfer permissions`: the broker's configuration, with the users and what each may do."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from .options import Json
from .output import print_json, run_command

PASSWORD_BYTES = 24


def permissions(
    tenant: Annotated[
        list[str] | None,
        typer.Option(
            "--tenant", metavar="NAME", help="Tenant, with accounts and users of its own; may be repeated."
        ),
    ] = None,
    nkeys: Annotated[
        bool, typer.Option("--nkeys", help="Users prove who they are by an nkey instead of a password.")
    ] = False,
    server: Annotated[
        list[str] | None,
        typer.Option(
            "--server",
            metavar="HOST",
            help="A server of a cluster, as the other servers reach it; give each one.",
        ),
    ] = None,
    tls: Annotated[
        str | None,
        typer.Option(
            "--tls",
            metavar="DIR",
            help="Where the server has tls.crt, tls.key and ca.crt; clients need a certificate.",
        ),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(
            "--write",
            metavar="DIR",
            help="Write nats.conf and new secrets into this directory, instead of printing.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Print the configuration of nats-server: accounts, users and permissions.

    Passwords and nkeys are variables of the server's environment, one for each user. --write
    makes secrets: nats.env for the server, <user>.env for the process of each user, and sandbox.env
    for a simulated cloud. board.env also has the token of the board. In a cluster each server also needs
    its own NATS_SERVER_NAME.
    """
    text = run_command(lambda: _permissions(tenant or [], server or [], tls, nkeys=nkeys, directory=write))
    if json:
        print_json({"directory": str(write)} if write else {"nats.conf": text})
    elif write:
        typer.echo(f"nats.conf, nats.env and the .env of each user are in {write}")
    else:
        typer.echo(text, nl=False)


async def _permissions(
    tenants: list[str], servers: list[str], tls: str | None, *, nkeys: bool, directory: Path | None
) -> str:
    """Return the configuration. Writes it, and new secrets, if there is a `directory`."""
    from warmxfer.bus.permission_file import (
        CLUSTER,
        DEFAULT_TENANT,
        SERVER,
        accounts,
        routes,
        variable_logins,
    )
    from warmxfer.bus.server_tls import ServerTls

    files = ServerTls.in_directory(tls) if tls else None
    names = tenants or [DEFAULT_TENANT]
    server_lines = [f"NATS_STORE_KEY={_new_password()}\n"]
    parts = [SERVER, accounts({each: variable_logins(each, nkeys=nkeys) for each in names})]
    if servers:
        password = _new_password()
        server_lines += [f"NATS_PASSWORD_ROUTE={password}\n", f"NATS_ROUTES={routes(servers, password)}\n"]
        parts.insert(1, files.within(CLUSTER) if files else CLUSTER)
    if files:
        parts.insert(1, files.config())
    text = "\n".join(parts)
    if directory is None:
        return text
    _make_private(directory)
    # The user of the broker's process is another one, without rights of root. The file holds no secret.
    _write_new(directory / "nats.conf", text, mode=0o644)
    for each in names:
        server_lines += _write_users(directory, each, nkeys=nkeys)
    _write_new(directory / "nats.env", "".join(server_lines))
    _write_new(directory / "sandbox.env", f"VIDEOSDK_API_KEY=sandbox\nVIDEOSDK_SECRET={_new_password()}\n")
    return text


def _write_users(directory: Path, tenant: str, *, nkeys: bool) -> list[str]:
    """Write a file for the process of each user of `tenant`. Returns the lines of the server's file."""
    from warmxfer.bus.nkey_seed import SECRET_BYTES, public_key, user_seed
    from warmxfer.bus.permission_file import login_name, variable_logins
    from warmxfer.bus.subject_table import BOARD

    lines: list[str] = []
    for user, login in variable_logins(tenant, nkeys=nkeys).items():
        name = login_name(user, tenant)
        variable = (login.nkey or login.password or "").removeprefix("$")
        if nkeys:
            seed = user_seed(secrets.token_bytes(SECRET_BYTES))
            path = directory / f"{name}.nk"
            _write_new(path, f"{seed}\n")
            own = {"NATS_NKEY": str(path.resolve()), "NATS_INBOX_PREFIX": f"_INBOX.{name}"}
            value = public_key(seed)
        else:
            value = _new_password()
            own = {"NATS_USER": name, "NATS_PASSWORD": value}
        if user == BOARD:
            own["WARMXFER_BOARD_TOKEN"] = _new_password()
        _write_new(directory / f"{name}.env", "".join(f"{key}={text}\n" for key, text in own.items()))
        lines.append(f"{variable}={value}\n")
    return lines


def _new_password() -> str:
    """Return a new password. It begins with a letter: nats-server would read digits as a number."""
    return f"p{secrets.token_hex(PASSWORD_BYTES)}"


def _make_private(directory: Path) -> None:
    from warmxfer.schemas import InvalidRequest

    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidRequest(
            f"--write is {str(directory)!r}, which cannot be created ({error.strerror}); "
            "give a directory that you may write to",
            field="--write",
        ) from error


def _write_new(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Write a file that only this user reads, unless `mode` says otherwise.

    Raises InvalidRequest if it exists, or cannot be written.
    """
    from warmxfer.schemas import InvalidRequest

    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise InvalidRequest(
            f"--write: {str(path)!r} exists, and its secret may be in use; give an empty directory",
            field="--write",
        ) from error
    except OSError as error:
        raise InvalidRequest(
            f"--write: {str(path)!r} cannot be written ({error.strerror}); give a directory that you may "
            "write to",
            field="--write",
        ) from error
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, mode)  # whatever the umask is
        file.write(text)
