"""`warmxfer permissions` and `warmxfer deploy`, as an operator runs them."""

from __future__ import annotations

import asyncio
import stat
from contextlib import AsyncExitStack
from pathlib import Path

import nats
import pytest

from tests.cli.conftest import Warmxfer
from tests.testkit.certificates import Authority
from warmxfer.bus import BusSettings, EmbeddedServer
from warmxfer.bus.credentials import tls as context_of
from warmxfer.bus.free_ports import free_ports
from warmxfer.bus.server_tls import ServerTls
from warmxfer.bus.subject_table import USERS
from warmxfer.bus.subjects import STREAMS
from warmxfer.cli.board.access import TokenSettings

OPS = Path(__file__).resolve().parents[2] / "ops" / "nats.conf"


async def test_the_shipped_configuration_is_what_the_command_prints(warmxfer: Warmxfer) -> None:
    printed = await warmxfer("permissions")
    assert printed.code == 0
    assert printed.out == OPS.read_text(), "write it again: warmxfer permissions > ops/nats.conf"


async def test_the_shipped_configuration_holds_no_secret() -> None:
    values = [line.split("password: ")[1] for line in OPS.read_text().splitlines() if "password: " in line]
    assert values == [f"$NATS_PASSWORD_{user.upper()}" for user in sorted(USERS, key=_order)]


def _order(user: str) -> tuple[bool, int]:
    return user not in ("deploy", "coordinator"), USERS.index(user)


def variables(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


@pytest.mark.parametrize("nkeys", [False, True], ids=["passwords", "nkeys"])
async def test_the_written_files_run_a_broker_that_deploy_sets_up(
    warmxfer: Warmxfer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nkeys: bool
) -> None:
    directory = tmp_path / "secrets"
    written = await warmxfer("permissions", "--write", str(directory), *(["--nkeys"] if nkeys else []))
    assert written.code == 0, written
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in directory.iterdir()}
    assert modes.pop("nats.conf") == 0o644, (
        "the user of the broker's process reads it, and it holds no secret"
    )
    assert set(modes.values()) == {0o600}
    for name, value in variables(directory / "nats.env").items():
        monkeypatch.setenv(name, value)
    text = (directory / "nats.conf").read_text()
    async with EmbeddedServer(accounts=text[text.index("accounts {") :]) as server:
        deployed = await warmxfer(
            "deploy", "--json", "--url", server.url, **variables(directory / "deploy.env")
        )
        assert deployed.values == [{"streams": list(STREAMS)}]
        observer = variables(directory / "observer.env")
        listed = await warmxfer("list", "--url", server.url, **observer)
        assert (listed.code, listed.out.strip()) == (0, "no transfers")
        refused = await warmxfer("deploy", "--url", server.url, **observer)
        assert refused.code == 2
        assert "This user may not publish $JS.API.STREAM.INFO" in refused.err
        operator = variables(directory / "operator.env")
        shown = await warmxfer("show", "t-none", "--url", server.url, **operator)
        assert "no transfer has this id" in shown.err


def directory_of_a_server(directory: Path) -> Path:
    """Return a directory as a mounted secret has it: tls.crt, tls.key and ca.crt."""
    authority = Authority(directory)
    files = authority.certificate()
    for name, path in (("tls.crt", files.cert), ("tls.key", files.key), ("ca.crt", authority.ca)):
        (directory / name).write_bytes(Path(path).read_bytes())
    return directory


@pytest.mark.parametrize("with_tls", [False, True], ids=["plain", "tls"])
async def test_three_servers_with_the_written_files_are_a_cluster(
    warmxfer: Warmxfer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_tls: bool
) -> None:
    routes = [f"127.0.0.1:{port}" for port in free_ports(3)]
    options = [option for each in routes for option in ("--server", each)]
    pki = directory_of_a_server(tmp_path / "pki")
    tls = ServerTls.in_directory(str(pki)) if with_tls else None
    ours = {"NATS_CA": f"{pki}/ca.crt", "NATS_CERT": f"{pki}/tls.crt", "NATS_KEY": f"{pki}/tls.key"}
    if tls:
        options += ["--tls", str(pki)]
    written = await warmxfer("permissions", "--write", str(tmp_path), *options)
    assert written.code == 0, written
    for name, value in variables(tmp_path / "nats.env").items():
        monkeypatch.setenv(name, value)
    text = (tmp_path / "nats.conf").read_text()
    assert text.count("verify: true") == (2 if tls else 0)
    text = text[text.index("server_name:") :]
    servers = [
        EmbeddedServer(
            accounts=text.replace("$NATS_SERVER_NAME", f"n{at}").replace("0.0.0.0:6222", route), tls=tls
        )
        for at, route in enumerate(routes)
    ]
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(each) for each in servers))
        deploy = {**variables(tmp_path / "deploy.env"), "WARMXFER_REPLICAS": "3", **(ours if tls else {})}
        while (deployed := await warmxfer("deploy", "--url", servers[0].url, **deploy)).code == 3:
            pass  # The servers have not elected a leader yet.
        assert (deployed.code, "eof_received" in deployed.err) == (0, False), deployed
        operator = variables(tmp_path / "operator.env")
        client = await nats.connect(
            servers[1].url,
            user=operator["NATS_USER"],
            password=operator["NATS_PASSWORD"],
            inbox_prefix=b"_INBOX.operator",
            **(
                {
                    "tls": context_of(
                        BusSettings(ca=ours["NATS_CA"], cert=ours["NATS_CERT"], key=ours["NATS_KEY"])
                    )
                }
                if tls
                else {}
            ),
        )
        stack.push_async_callback(client.close)
        for stream in STREAMS:
            info = await client.jetstream().stream_info(stream)
            assert info.config.num_replicas == 3


@pytest.mark.parametrize(
    ("servers", "sentence"),
    [
        (["a", "b"], "--server names 2 servers; a cluster needs 3 or more"),
        (["a", "b", "b"], "--server names 2 servers; a cluster needs 3 or more"),
        (["a", "b", "c]"], "--server is 'c]'; give a host name such as nats-1, with or without :port"),
    ],
)
async def test_a_cluster_that_cannot_be_is_refused(
    warmxfer: Warmxfer, servers: list[str], sentence: str
) -> None:
    refused = await warmxfer("permissions", *(option for each in servers for option in ("--server", each)))
    assert refused.code == 2
    assert sentence in refused.err


async def test_each_written_secret_is_new(warmxfer: Warmxfer, tmp_path: Path) -> None:
    for name in ("one", "two"):
        options = ["--server", "a", "--server", "b", "--server", "c"]
        assert (await warmxfer("permissions", "--write", str(tmp_path / name), *options)).code == 0
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert set(one) == {f"{user}.env" for user in (*USERS, "nats", "sandbox")} | {"nats.conf"}
    assert [name for name in one if one[name] == two[name]] == ["nats.conf"]
    assert "PASSWORD_ROUTE=p" in one["nats.env"]


@pytest.mark.parametrize(
    "options", [[], ["--nkeys"], ["--tenant", "acme"]], ids=["passwords", "nkeys", "tenant"]
)
async def test_the_board_has_a_token_that_it_accepts(
    warmxfer: Warmxfer, tmp_path: Path, options: list[str]
) -> None:
    assert (await warmxfer("permissions", "--write", str(tmp_path), *options)).code == 0
    with_token = [path for path in tmp_path.glob("*.env") if "WARMXFER_BOARD_TOKEN" in variables(path)]  # noqa: ASYNC240
    (board,) = with_token
    assert board.name == ("acme-board.env" if "acme" in options else "board.env")
    assert TokenSettings.from_env(variables(board)).token == variables(board)["WARMXFER_BOARD_TOKEN"]


def contents(directory: Path) -> dict[str, str]:
    return {each.name: each.read_text() for each in directory.iterdir()}


async def test_secrets_that_may_be_in_use_are_not_replaced(warmxfer: Warmxfer, tmp_path: Path) -> None:
    assert (await warmxfer("permissions", "--write", str(tmp_path))).code == 0
    before = contents(tmp_path)
    again = await warmxfer("permissions", "--write", str(tmp_path))
    assert again.code == 2
    assert "exists, and its secret may be in use" in again.err
    assert contents(tmp_path) == before


async def test_tenants_have_accounts_and_users_of_their_own(warmxfer: Warmxfer) -> None:
    output = await warmxfer("permissions", "--tenant", "acme", "--tenant", "globex")
    assert (output.code, output.err) == (0, "")
    printed = output.out
    for tenant in ("acme", "globex"):
        assert f'"{tenant}" {{' in printed
        assert f'"{tenant}-users" {{' in printed
        assert f'user: "{tenant}-gateway"' in printed
        assert f"$NATS_PASSWORD_{tenant.upper()}_GATEWAY" in printed
        assert f'"_INBOX.{tenant}-gateway.>"' in printed
    wrong = await warmxfer("permissions", "--tenant", "a.b")
    assert (wrong.code, "tenant is 'a.b'" in wrong.err) == (2, True)
