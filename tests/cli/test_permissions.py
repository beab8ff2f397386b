"""`warmxfer permissions` and `warmxfer deploy`, as an operator runs them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.cli.conftest import Warmxfer
from warmxfer.bus import EmbeddedServer
from warmxfer.bus.subject_table import USERS
from warmxfer.bus.subjects import STREAMS

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
    assert {stat.S_IMODE(each.stat().st_mode) for each in directory.iterdir()} == {0o600}
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
    printed = (await warmxfer("permissions", "--tenant", "acme", "--tenant", "globex")).out
    for tenant in ("acme", "globex"):
        assert f'"{tenant}" {{' in printed
        assert f'"{tenant}-users" {{' in printed
        assert f'user: "{tenant}-gateway"' in printed
        assert f"$NATS_PASSWORD_{tenant.upper()}_GATEWAY" in printed
        assert f'"_INBOX.{tenant}-gateway.>"' in printed
    wrong = await warmxfer("permissions", "--tenant", "a.b")
    assert (wrong.code, "tenant is 'a.b'" in wrong.err) == (2, True)
