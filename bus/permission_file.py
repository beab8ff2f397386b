"""The accounts of a nats-server's configuration, with their users and permissions. Pure.

`warmxfer permissions` prints it, `ops/nats.conf` is it, and the local stack runs under it. What each user may
do is decided in `permissions.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from . import permissions
from .errors import InvalidRequest
from .permissions import OF_STREAMS
from .server_limits import LIMITS
from .subject_table import USERS
from .subjects import check_token

DEFAULT_TENANT = "warmxfer"
"""The account of a deployment without tenants. Its users have no prefix."""
SERVER = f"""\
# nats-server for warmxfer: JetStream on, and every message is on disk before it is acknowledged.
listen: 0.0.0.0:4222
http: 0.0.0.0:8222

jetstream {{
  store_dir: /data
  sync_interval: always
  # What is stored is encrypted. Keep the key where the disk is not: without it nothing can be read again.
  cipher: chachapoly
  key: $NATS_STORE_KEY
}}

{LIMITS}"""
"""The rest of the configuration file, for a server in a container."""
CLUSTER = """\
server_name: $NATS_SERVER_NAME

cluster {
  name: warmxfer
  listen: 0.0.0.0:6222
  routes: $NATS_ROUTES
  authorization {
    user: route
    password: $NATS_PASSWORD_ROUTE
  }
}
"""
"""More of it, for a server of a cluster. The servers share the file, and each has a name of its own."""
MIN_SERVERS = 3
"""A cluster of two stops to accept writes when one of them is lost."""
ROUTE_PORT = 6222
_SERVER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}(:[0-9]{1,5})?")
_INDENT = "  "


class Login(NamedTuple):
    """How one user is known to the broker: by a password, or by the public part of an nkey.

    A value that begins with `$` names a variable of the server's environment.
    """

    password: str | None = None
    nkey: str | None = None


Logins = Mapping[str, Login]
"""The login of each user."""


def login_name(user: str, tenant: str = DEFAULT_TENANT) -> str:
    """Return the name by which the broker knows `user` of `tenant`. A server has each name once."""
    return user if tenant == DEFAULT_TENANT else f"{tenant}-{user}"


def variable_logins(tenant: str = DEFAULT_TENANT, *, nkeys: bool = False) -> dict[str, Login]:
    """Return logins whose secrets are variables of the environment of the server."""
    names = {user: login_name(user, tenant).upper().replace("-", "_") for user in USERS}
    if nkeys:
        return {user: Login(nkey=f"$NATS_NKEY_{name}") for user, name in names.items()}
    return {user: Login(password=f"$NATS_PASSWORD_{name}") for user, name in names.items()}


def routes(servers: Sequence[str], password: str) -> str:
    """Return the value of NATS_ROUTES: how each server of a cluster reaches the others.

    `servers` are host names, each with or without a port. Raises InvalidRequest.
    """
    if len(set(servers)) < MIN_SERVERS:
        raise InvalidRequest(
            f"--server names {len(set(servers))} servers; a cluster needs {MIN_SERVERS} or more",
            field="--server",
        )
    for each in servers:
        if not _SERVER_NAME.fullmatch(each):
            raise InvalidRequest(
                f"--server is {each!r}; give a host name such as nats-1, with or without :port",
                field="--server",
            )
    hosts = (each if ":" in each else f"{each}:{ROUTE_PORT}" for each in servers)
    return f"[{','.join(f'nats://route:{password}@{host}' for host in hosts)}]"


def accounts(tenants: Mapping[str, Logins], *, more_users: Mapping[str, str] | None = None) -> str:
    """Return the block `accounts`: two for each tenant.

    `more_users` are users of the account of the streams without limits, with their passwords: for tests.
    Raises InvalidRequest for a tenant whose name cannot be part of a subject.
    """
    lines = ["accounts {"]
    for tenant, logins in tenants.items():
        lines += _tenant(check_token(tenant, "tenant"), logins, more_users or {})
    return "\n".join([*lines, "}", ""])


def _tenant(tenant: str, logins: Logins, more_users: Mapping[str, str]) -> Iterable[str]:
    streams, others = json.dumps(tenant), json.dumps(f"{tenant}-users")
    crossing = permissions.border()
    yield f"{_INDENT}{streams} {{"
    yield f"{_INDENT * 2}jetstream: enabled"
    yield f"{_INDENT * 2}users: ["
    for user in (each for each in logins if each in OF_STREAMS):
        yield from _user(user, tenant, logins)
    for name, password in more_users.items():
        yield f"{_INDENT * 3}{{user: {json.dumps(name)}, password: {_value(password)}}}"
    yield f"{_INDENT * 2}]"
    yield f"{_INDENT * 2}exports: ["
    for each in crossing.services:
        yield f"{_INDENT * 3}{{service: {json.dumps(each)}, accounts: [{others}]}}"
    for each in crossing.batches:
        yield f"{_INDENT * 3}{{service: {json.dumps(each)}, response_type: stream, accounts: [{others}]}}"
    for each in crossing.live:
        yield f"{_INDENT * 3}{{stream: {json.dumps(each)}, accounts: [{others}]}}"
    yield f"{_INDENT * 2}]"
    yield f"{_INDENT}}}"
    yield f"{_INDENT}{others} {{"
    yield f"{_INDENT * 2}users: ["
    for user in (each for each in logins if each not in OF_STREAMS):
        yield from _user(user, tenant, logins)
    yield f"{_INDENT * 2}]"
    yield f"{_INDENT * 2}imports: ["
    for each in (*crossing.services, *crossing.batches):
        yield f"{_INDENT * 3}{{service: {{account: {streams}, subject: {json.dumps(each)}}}}}"
    for each in crossing.live:
        yield f"{_INDENT * 3}{{stream: {{account: {streams}, subject: {json.dumps(each)}}}}}"
    yield f"{_INDENT * 2}]"
    yield f"{_INDENT}}}"


def _user(user: str, tenant: str, logins: Logins) -> Iterable[str]:
    name, login = login_name(user, tenant), logins[user]
    rights = permissions.rights_of(user, name, logins)
    if login.nkey is not None:
        yield f"{_INDENT * 3}{{ # {name}"
        yield f"{_INDENT * 4}nkey: {_value(login.nkey)}"
    elif login.password is not None:
        yield f"{_INDENT * 3}{{"
        yield f"{_INDENT * 4}user: {json.dumps(name)}"
        yield f"{_INDENT * 4}password: {_value(login.password)}"
    else:
        raise InvalidRequest(f"{name} has no login; give it a password or an nkey", field="logins")
    yield f"{_INDENT * 4}permissions: {{"
    yield from _allowed("publish", rights.publish)
    yield from _allowed("subscribe", rights.subscribe)
    yield f"{_INDENT * 4}}}"
    yield f"{_INDENT * 3}}}"


def _allowed(verb: str, subjects: Sequence[str]) -> Iterable[str]:
    yield f"{_INDENT * 5}{verb}: {{allow: ["
    for each in subjects:
        yield f"{_INDENT * 6}{json.dumps(each)}"
    yield f"{_INDENT * 5}]}}"


def _value(text: str) -> str:
    """Return a value for the file. A `$NAME` stays bare: the server reads it from its environment."""
    return text if text.startswith("$") else json.dumps(text)
