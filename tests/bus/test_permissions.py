"""Every user on every subject, against a real broker: it may do what the table says, and nothing else."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from nats.aio.client import Client as NatsClient
from nats.errors import NoRespondersError, TimeoutError

from tests.testkit.secured_broker import ROOT, SecuredBroker, User, secured_broker
from warmxfer.bus import Bus
from warmxfer.bus.consumer_table import CONSUMERS
from warmxfer.bus.partition import partition_of
from warmxfer.bus.permissions import rights_of
from warmxfer.bus.recovery import AckFloor
from warmxfer.bus.subject_table import (
    AGENT,
    COORDINATOR,
    CORE,
    DEPLOY,
    EVENTS,
    INCLUDED,
    READ_ALL,
    STREAMS,
    SUBJECTS,
    USERS,
    SubjectSpec,
)
from warmxfer.bus.subjects import WRITERS, place_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMITED = tuple(user for user in USERS if user not in (COORDINATOR, DEPLOY))
"""The users of the account without streams."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker() -> AsyncIterator[SecuredBroker]:
    async with secured_broker() as broker:
        yield broker


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def users(broker: SecuredBroker) -> AsyncIterator[dict[str, User]]:
    async with AsyncExitStack() as stack:
        yield {each: await stack.enter_async_context(broker.user(each)) for each in (*USERS, ROOT)}


def rights(user: str) -> set[str]:
    return set(INCLUDED.get(user, (user,)))


def examples(spec: SubjectSpec, id: str) -> Iterator[tuple[str, set[str]]]:
    """Yield subjects of a row, each with the users that may write it."""
    pattern = spec.pattern.replace("<partition>", str(partition_of(id)))
    for role in WRITERS if "<role>" in pattern else ("",):
        subject = re.sub(r"<\w+>", id, pattern.replace("<role>", role))
        writers = set(spec.writers) & {role} if role else set(spec.writers)
        yield subject, {user for user in USERS if rights(user) & writers}


def readers(spec: SubjectSpec) -> set[str]:
    """Return the users that may read what is stored on a row."""
    return {user for user in USERS if rights(user) & {*spec.readers, *READ_ALL}}


def new_id() -> str:
    return f"m-{secrets.token_hex(6)}"


async def last(root: User, subject: str) -> bytes | None:
    """Return the newest message that a stream holds on `subject`, or None."""
    place = place_of(subject)
    reply = await root.client.request(f"$JS.API.DIRECT.GET.{place.stream}.{place.subject}", timeout=5)
    return None if (reply.headers or {}).get("Status") else reply.data


async def answer(client: NatsClient, subject: str, data: bytes = b"") -> dict[str, object] | None:
    """Return the broker's JSON answer, or None if no right or no process answered."""
    try:
        reply = await client.request(subject, data, timeout=0.4)
    except (NoRespondersError, TimeoutError):
        return None
    return json.loads(reply.data) if reply.data else {}


@pytest.mark.parametrize("spec", SUBJECTS, ids=lambda spec: spec.name)
async def test_only_its_writers_write_a_subject(users: dict[str, User], spec: SubjectSpec) -> None:
    for user in USERS:
        for subject, writers in examples(spec, new_id()):
            data = secrets.token_bytes(8)
            refused = await users[user].is_refused(subject, data)
            assert refused == (user not in writers), (user, subject)
            if spec.captured:
                stored = await last(users[ROOT], subject) == data
                assert stored == (user in writers), (user, subject)


@pytest.mark.parametrize("spec", [each for each in SUBJECTS if each.captured], ids=lambda spec: spec.name)
async def test_only_its_readers_read_the_newest_message_of_a_subject(
    users: dict[str, User], spec: SubjectSpec
) -> None:
    for subject, writers in examples(spec, new_id()):
        data = secrets.token_bytes(8)
        await users[ROOT].client.request(subject, data, timeout=5)
        place = place_of(subject)
        asked = f"$JS.API.DIRECT.GET.{place.stream}.{place.subject}"
        may_read = readers(spec) | writers
        for user in USERS:
            if user == DEPLOY:
                continue  # It may use the whole management interface.
            if user in may_read:
                reply = await users[user].client.request(asked, timeout=5)
                assert reply.data == data, (user, subject)
            else:
                assert await users[user].is_refused(asked, b"", f"_INBOX.{user}.x"), (user, subject)


@pytest.mark.parametrize("stream", STREAMS)
async def test_only_who_may_read_a_whole_stream_reads_it_by_number(
    users: dict[str, User], stream: str
) -> None:
    spec = next(each for each in SUBJECTS if each.stream == stream)
    subject, _ = next(examples(spec, new_id()))
    acknowledged = await answer(users[ROOT].client, subject, b"by number")
    assert acknowledged is not None
    may_read = set.intersection(*(readers(each) for each in SUBJECTS if each.stream == stream))
    for user in USERS:
        if user == DEPLOY:
            continue
        for verb in (f"DIRECT.GET.{stream}", f"STREAM.MSG.GET.{stream}"):
            query = json.dumps({"seq": acknowledged["seq"]}).encode()
            if user in may_read:
                reply = await users[user].client.request(f"$JS.API.{verb}", query, timeout=5)
                assert b"by number" in reply.data or b"YnkgbnVtYmVy" in reply.data, (user, verb)
            else:
                assert await users[user].is_refused(f"$JS.API.{verb}", query, f"_INBOX.{user}.x"), (
                    user,
                    verb,
                )


@pytest.mark.parametrize("spec", SUBJECTS, ids=lambda spec: spec.name)
async def test_only_its_readers_subscribe_to_a_subject(users: dict[str, User], spec: SubjectSpec) -> None:
    """What the users of the second account write is read from the streams only."""
    for user in USERS:
        ours = users[user]
        ours.violations.clear()
        subscription = await ours.client.subscribe(spec.filter)
        await ours.sent()
        by_coordinator = set(spec.writers) == {COORDINATOR}
        expected = rights(user) & set(spec.readers) and (
            user == COORDINATOR or not spec.captured or by_coordinator
        )
        assert bool(ours.violations) == (not expected), (user, spec.filter)
        await subscription.unsubscribe()


async def test_what_the_coordinator_publishes_reaches_the_subscribers_of_the_other_account(
    users: dict[str, User],
) -> None:
    received = asyncio.Queue[tuple[str, str]]()
    wanted: set[tuple[str, str]] = set()
    subscriptions = []
    for spec in SUBJECTS:
        if set(spec.writers) != {COORDINATOR} or not spec.captured:
            continue
        subject, _ = next(examples(spec, new_id()))
        for user in LIMITED:
            if not rights(user) & set(spec.readers):
                continue

            async def note(message: object, user: str = user) -> None:
                received.put_nowait((user, message.subject))  # type: ignore[attr-defined]

            subscriptions.append(await users[user].client.subscribe(subject, cb=note))
            await users[user].sent()
            wanted.add((user, subject))
    for subject in {subject for _, subject in wanted}:
        await users[COORDINATOR].client.publish(subject, b"live")
    async with asyncio.timeout(5):
        while wanted:
            wanted.discard(await received.get())
    for each in subscriptions:
        await each.unsubscribe()


async def test_what_an_actor_announces_reaches_every_coordinator(
    broker: SecuredBroker, users: dict[str, User]
) -> None:
    async with broker.user(COORDINATOR) as second:
        received = [await each.client.subscribe("wx.capacity.*") for each in (users[COORDINATOR], second)]
        for each in (users[COORDINATOR], second):
            await each.sent()
        for role in ("gateway", "briefing"):
            await users[role].client.publish(f"wx.capacity.{role}", role.encode())
        for subscription in received:
            heard = {(await subscription.next_msg(5)).data for _ in range(2)}
            assert heard == {b"gateway", b"briefing"}
            await subscription.unsubscribe()


async def test_no_user_hears_the_replies_to_another(users: dict[str, User]) -> None:
    for user in USERS:
        for other in (*(f"_INBOX.{each}.>" for each in USERS if each != user), "_INBOX.>", ">", "_R_.>"):
            ours = users[user]
            ours.violations.clear()
            subscription = await ours.client.subscribe(other)
            await ours.sent()
            assert ours.violations, (user, other)
            await subscription.unsubscribe()


MANAGEMENT = (
    "STREAM.CREATE.OTHER",
    *(f"STREAM.{verb}.{stream}" for stream in STREAMS for verb in ("DELETE", "SNAPSHOT", "RESTORE")),
    "STREAM.LIST",
    "CONSUMER.DELETE.WARMXFER_CORE.gateway",
    "CONSUMER.PAUSE.WARMXFER_CORE.gateway",
    "CONSUMER.CREATE.WARMXFER_CORE",
    "CONSUMER.CREATE.WARMXFER_CORE.other",
    "CONSUMER.CREATE.WARMXFER_CORE.other.wx.*.*.log",
    "CONSUMER.DURABLE.CREATE.WARMXFER_CORE.other",
    "SERVER.REMOVE",
    "ACCOUNT.PURGE.warmxfer",
)


async def test_only_deploy_manages_streams_and_consumers(users: dict[str, User]) -> None:
    for user in (each for each in USERS if each != DEPLOY):
        for verb in MANAGEMENT:
            assert await users[user].is_refused(f"$JS.API.{verb}", b"{}"), (user, verb)
    for stream in STREAMS:
        for verb in ("CREATE", "UPDATE", "PURGE", "MSG.DELETE", "INFO"):
            for user in LIMITED:
                allowed = user == "operator" and verb == "INFO"
                refused = await users[user].is_refused(f"$JS.API.STREAM.{verb}.{stream}", b"", "_INBOX.x")
                assert refused == (not allowed), (user, verb, stream)


@pytest.mark.parametrize(
    "name", ["gateway", "summarizer", "briefing", "requests-3", "events-3", "timeouts-3"]
)
async def test_a_consumer_is_used_by_its_role_alone(users: dict[str, User], name: str) -> None:
    role, stream, subject = CONSUMERS[name]
    for user in USERS:
        if user == DEPLOY:
            continue
        for verb in (
            f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}",
            f"$JS.API.CONSUMER.RESET.{stream}.{name}",
            f"$JS.ACK.{stream}.{name}.1.1.1.1.0",
        ):
            assert await users[user].is_refused(verb, b"{}") == (user != role), (user, verb)
        created = f"$JS.API.CONSUMER.CREATE.{stream}.{name}.{subject}"
        assert await users[user].is_refused(created, b"{}") == (user not in (role, COORDINATOR)), user


async def test_a_role_cannot_widen_the_filter_of_its_consumer(users: dict[str, User]) -> None:
    created = f"$JS.API.CONSUMER.CREATE.{CORE}.gateway.wx.*.*.do.gateway"
    base = {"name": "gateway", "durable_name": "gateway", "ack_policy": "explicit"}
    for filters in (
        {"filter_subject": "wx.*.*.log"},
        {"filter_subject": ">"},
        {"filter_subjects": ["wx.*.*.do.gateway", "wx.*.*.log"]},
        {},
    ):
        body = json.dumps({"stream_name": CORE, "config": base | filters}).encode()
        found = await answer(users["gateway"].client, created, body)
        assert found is not None
        assert "error" in found, filters


async def test_a_role_creates_its_lost_consumer_again_though_it_cannot_read_its_stream(
    broker: SecuredBroker, users: dict[str, User]
) -> None:
    """Regression: the check of the remembered floor was denied, and the consumer was left to others."""
    async with await Bus.connect(broker.settings("gateway"), name="gateway") as bus:
        await bus.ensure("gateway")
        bus._recovery._floors["gateway"] = AckFloor(7, 0.0)
        await answer(users[ROOT].client, f"$JS.API.CONSUMER.DELETE.{CORE}.gateway")
        assert await bus._recovery.ensure("gateway") is None
    found = await answer(users[ROOT].client, f"$JS.API.CONSUMER.INFO.{CORE}.gateway")
    assert found is not None
    assert found.get("name") == "gateway"


async def test_a_user_that_replies_to_a_client_replies_to_an_agent() -> None:
    """The process of a voice agent is a client too. Other inboxes stay closed."""
    replying = 0
    for user in LIMITED:
        inboxes = {each for each in rights_of(user).publish if each.startswith("_INBOX.")}
        asked = any(f"_INBOX.{each}.>" in inboxes for each in INCLUDED[AGENT])
        assert (f"_INBOX.{AGENT}.>" in inboxes) == asked, user
        replying += asked
    assert replying


async def test_no_reply_of_the_broker_reaches_a_subject(users: dict[str, User]) -> None:
    """Found while building this: an acknowledgement goes to the reply subject, whatever the user may write.

    Each limited user asks for each reply that it can get, on each subject of the table.
    """
    victim = new_id()
    before = {stream: await count(users[ROOT], stream) for stream in STREAMS}
    targets = [subject for spec in SUBJECTS for subject, _ in examples(spec, victim)]
    own_writes = 0
    for user in LIMITED:
        client = users[user].client
        for asked in rights_of(user).publish:
            subject = re.sub(r"\*", new_id(), asked).replace(">", "1.1.1.1.0")
            if subject.startswith(("_INBOX", "$SRV")):
                continue
            own_writes += len(targets) if not subject.startswith(("$JS", "warmxfer.ask")) else 0
            for target in targets:
                await client.publish(subject, b"", reply=target)
        await client.flush()
    await asyncio.sleep(0.5)
    for spec in SUBJECTS:
        if spec.captured:
            for subject, _ in examples(spec, victim):
                assert await last(users[ROOT], subject) is None, subject
    after = {stream: await count(users[ROOT], stream) for stream in STREAMS}
    assert sum(after.values()) - sum(before.values()) <= own_writes
    assert after[CORE] == before[CORE]
    assert after["WARMXFER_PUBLIC"] == before["WARMXFER_PUBLIC"]


async def count(root: User, stream: str) -> int:
    found = await answer(root.client, f"$JS.API.STREAM.INFO.{stream}")
    assert found is not None
    return found["state"]["messages"]  # type: ignore[index]


async def test_a_message_cannot_acknowledge_that_of_another(users: dict[str, User]) -> None:
    """An empty reply on an acknowledgement's subject would remove a command that is being handled."""
    ack = f"$JS.ACK.{CORE}.gateway.1.1.1.1.0"
    for user in LIMITED:
        for asked in ("$JS.API.INFO", f"$JS.API.DIRECT.GET.{EVENTS}.wx.1.none.event.{user}"):
            users[user].violations.clear()
            await users[user].client.publish(asked, b"", reply=ack)
            await users[user].sent()
            assert users[user].violations, (user, asked)
