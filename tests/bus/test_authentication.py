"""Who is let in, and how far: refusal without authentication, nkeys, tenants, and replies that go astray."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.testkit.secured_broker import SecuredBroker, secured_broker
from warmxfer.bus import AccessDenied, Bus, BusSettings, EmbeddedServer, InvalidRequest, LiveMessage, subjects
from warmxfer.bus.nkey_seed import public_key, user_seed
from warmxfer.bus.permission_file import DEFAULT_TENANT, Login, accounts
from warmxfer.bus.subject_table import USERS

pytestmark = pytest.mark.asyncio(loop_scope="module")

HERE = "127.0.0.1"
ELSEWHERE = "0.0.0.0"
"""The system connects it to this machine. By its address it is not on loopback."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tenants() -> AsyncIterator[SecuredBroker]:
    async with secured_broker("acme", "globex") as broker:
        yield broker


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker() -> AsyncIterator[SecuredBroker]:
    async with secured_broker() as broker:
        yield broker


# ── without authentication ───────────────────────────────────────────────────────────────────────


async def test_a_broker_elsewhere_that_lets_in_every_client_is_refused() -> None:
    async with EmbeddedServer() as server:
        url = server.url.replace(HERE, ELSEWHERE)
        for settings in (BusSettings(url=url), BusSettings(url=url, user="gateway", password="x")):
            with pytest.raises(InvalidRequest, match=r"lets this process in without credentials") as caught:
                await Bus.connect(settings, name="t")
            assert "NATS_ALLOW_UNAUTHENTICATED=yes" in str(caught.value)
        async with await Bus.connect(BusSettings(url=url, allow_unauthenticated=True), name="t") as bus:
            assert bus.connected
        async with await Bus.connect(BusSettings(url=server.url), name="t") as bus:
            assert bus.connected


async def test_a_broker_elsewhere_that_asks_for_credentials_is_accepted(broker: SecuredBroker) -> None:
    settings = broker.settings("gateway")
    url = settings.url.replace(HERE, ELSEWHERE)
    elsewhere = BusSettings(url=url, user=settings.user, password=settings.password)
    async with await Bus.connect(elsewhere, name="t") as bus:
        assert bus.connected
    with pytest.raises(AccessDenied, match="refused the credentials"):
        await Bus.connect(BusSettings(url=url), name="t")
    with pytest.raises(AccessDenied, match="refused the credentials"):
        await Bus.connect(BusSettings(url=url, user=settings.user, password="wrong"), name="t")


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("nats://127.0.0.1:4222", True),
        ("localhost", True),
        ("nats://[::1]:4222", True),
        ("nats://127.0.0.1:1,nats://127.8.8.8:2", True),
        ("nats://127.0.0.1:1,nats://nats:4222", False),
        ("nats://127.0.0.1.example.com", False),
        ("nats://10.0.0.7:4222", False),
    ],
)
async def test_loopback_is_told_by_every_address(url: str, here: bool) -> None:
    assert BusSettings(url=url).is_on_loopback == here


async def test_a_wrong_setting_is_refused_with_its_remedy() -> None:
    with pytest.raises(InvalidRequest, match=r"^NATS_ALLOW_UNAUTHENTICATED is '1'; write yes or no$"):
        BusSettings.from_env({"NATS_ALLOW_UNAUTHENTICATED": "1"})
    with pytest.raises(InvalidRequest, match=r"^NATS_INBOX_PREFIX is '_INBOX\.>', which is no start"):
        BusSettings.from_env({"NATS_INBOX_PREFIX": "_INBOX.>"})


async def test_the_inbox_of_a_user_has_its_name() -> None:
    assert BusSettings(user="gateway").inbox == "_INBOX.gateway"
    assert BusSettings(url="nats://client:x@127.0.0.1").inbox == "_INBOX.client"
    assert BusSettings(user="a.b").inbox == "_INBOX"
    assert BusSettings().inbox == "_INBOX"
    assert BusSettings(user="gateway", inbox_prefix="_I.mine").inbox == "_I.mine"


# ── nkeys ────────────────────────────────────────────────────────────────────────────────────────


async def test_users_with_nkeys_have_the_same_rights(tmp_path: Path) -> None:
    seeds = {user: user_seed(secrets.token_bytes(32)) for user in USERS}
    for user, seed in seeds.items():
        (tmp_path / user).write_text(f"{seed}\n")
    logins = {user: Login(nkey=public_key(seed)) for user, seed in seeds.items()}

    def settings(user: str) -> BusSettings:
        return BusSettings(url=server.url, nkey=str(tmp_path / user), inbox_prefix=f"_INBOX.{user}")

    async with EmbeddedServer(accounts=accounts({DEFAULT_TENANT: logins})) as server:
        async with await Bus.connect(settings("deploy"), name="t") as bus:
            await bus.ensure()
        async with await Bus.connect(settings("client"), name="t") as bus:
            await bus.publish(subjects.request("t-nkey"), b"{}")
            with pytest.raises(AccessDenied):
                await bus.publish(subjects.log("t-nkey"), b"{}")


async def test_a_file_that_holds_no_seed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wrong.nk"
    path.write_text("not a seed")
    with pytest.raises(InvalidRequest, match=r"^NATS_NKEY is .* which is not a seed of a user"):
        await Bus.connect(BusSettings(nkey=str(path)), name="t")


# ── tenants ──────────────────────────────────────────────────────────────────────────────────────


async def test_two_tenants_on_one_server_see_nothing_of_each_other(tenants: SecuredBroker) -> None:
    id = "t-both"

    async def connect(user: str, tenant: str) -> Bus:
        return await Bus.connect(tenants.settings(user, tenant), name=user)

    async with (
        await connect("client", "acme") as acme,
        await connect("client", "globex") as globex,
        await connect("operator", "globex") as globex_operator,
        await connect("coordinator", "acme") as acme_coordinator,
        await connect("coordinator", "globex") as globex_coordinator,
        globex.subscribe(subjects.ANY_PHASE) as live,
    ):
        await acme.publish(subjects.request(id), b'{"of": "acme"}')
        assert await globex.get_last(subjects.request(id)) is None
        for subject in (subjects.phase(id), subjects.log(id), subjects.caller_lock(id)):
            await acme_coordinator.publish(subject, b'{"of": "acme"}')
            assert await globex_operator.get_last(subject) is None
        # The same id and the same guard in the other tenant are free.
        await globex.publish(subjects.request(id), b'{"of": "globex"}', expect_last=0)
        await globex_coordinator.publish(subjects.log(id), b'{"of": "globex"}', expect_last=0)
        await globex_coordinator.publish(subjects.phase(id), b'{"of": "globex"}')
        heard = await live.next(5)
        assert heard is not None
        assert heard.data == b'{"of": "globex"}', "the phase of acme did not arrive before it"
        assert (stored := await acme.get_last(subjects.phase(id))) is not None
        assert stored.data == b'{"of": "acme"}'


async def test_a_tenant_cannot_log_in_with_the_name_of_another(tenants: SecuredBroker) -> None:
    of_acme = tenants.settings("coordinator", "acme")
    mixed = BusSettings(url=of_acme.url, user="globex-coordinator", password=of_acme.password)
    with pytest.raises(AccessDenied, match="refused the credentials"):
        await Bus.connect(mixed, name="t")


# ── replies that go astray ───────────────────────────────────────────────────────────────────────


async def test_a_stored_message_that_is_read_into_a_subscription_is_dropped(broker: SecuredBroker) -> None:
    """A session wrote a command into its own event, and reads it with another session as reply subject."""
    victim = subjects.session_commands("victim")
    own = subjects.event("t-copy", "primary")
    async with (
        broker.user("primary") as hostile,
        await Bus.connect(broker.settings("primary"), name="victim") as bus,
        await Bus.connect(broker.settings("coordinator"), name="coordinator") as coordinator,
        bus.subscribe(victim) as commands,
    ):
        await hostile.client.request(own, b'{"type": "leave_call"}', timeout=5)
        place = subjects.place_of(own)
        read = f"$JS.API.DIRECT.GET.{place.stream}.{place.subject}"
        assert not await hostile.is_refused(read, b"", victim)
        await coordinator.publish(victim, b"true")
        heard = await commands.next(5)
        assert heard is not None
        assert heard.data == b"true"


async def test_a_server_of_requests_writes_no_reply_on_a_subject() -> None:
    """The server's rights are wider than the requester's: a reply must not use them."""
    asked: list[bytes] = []

    async def reply(message: LiveMessage) -> bytes:
        asked.append(message.data)
        return b"reply"

    targets = (subjects.log("t-astray"), subjects.phase("t-astray"), "$JS.ACK.x")
    async with (
        EmbeddedServer() as server,
        await Bus.connect(BusSettings(url=server.url), name="t") as bus,
        bus.serve(subjects.ASK_LIVENESS, reply),
    ):
        await bus.ensure()
        for target in targets:
            await bus._connection.client.publish(subjects.ASK_LIVENESS, b"hostile", target)
        assert await bus.request(subjects.ASK_LIVENESS, b"honest", 5) == b"reply"
        assert asked == [b"honest"]
        assert await bus.get_last(targets[0]) is None
        assert await bus.get_last(targets[1]) is None
