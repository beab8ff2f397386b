"""Every header by which a message acts on others, tried by every user on every subject that it may write.

With one stream for all, a user who may only request a transfer did all this. It wrote a command through
`Nats-Schedule-Target`. It swallowed another's command by its message id. It removed another's timer. It
emptied the stream with `Nats-Rollup`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.testkit.secured_broker import ROOT, SecuredBroker, User, secured_broker
from warmxfer.bus import Bus, subjects
from warmxfer.bus.subject_table import CORE, STREAMS, SUBJECTS

from .test_permissions import LIMITED, examples, new_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

VICTIM = new_id()
SOON = "@at 2020-01-01T00:00:00Z"
BATCH = {"Nats-Batch-Id": "b", "Nats-Batch-Sequence": "1", "Nats-Batch-Commit": "1"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker() -> AsyncIterator[SecuredBroker]:
    async with secured_broker() as broker:
        yield broker


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def users(broker: SecuredBroker) -> AsyncIterator[dict[str, User]]:
    """Every limited user, and `root`. The streams hold what a transfer of another left there."""
    async with AsyncExitStack() as stack:
        found = {each: await stack.enter_async_context(broker.user(each)) for each in (*LIMITED, ROOT)}
        for spec in SUBJECTS:
            if spec.captured:
                for subject, _ in examples(spec, VICTIM):
                    await found[ROOT].client.request(subject, b"victim", timeout=5)
        yield found


def hostile_headers() -> dict[str, dict[str, str]]:
    """Return the headers to try, by a name. Each aims at a subject of the victim."""
    aims = [subject for spec in SUBJECTS if spec.captured for subject, _ in examples(spec, VICTIM)]
    found: dict[str, dict[str, str]] = {
        "rollup of the stream": {"Nats-Rollup": "all"},
        "rollup of the subject": {"Nats-Rollup": "sub"},
        "a time to live": {"Nats-TTL": "1s"},
        "a batch": BATCH,
        "a counter": {"Nats-Incr": "1"},
        "a marker": {"Nats-Marker-Reason": "Purge"},
        "a level": {"Nats-Required-Api-Level": "99"},
        "another stream": {"Nats-Expected-Stream": CORE},
        "a wrong last number": {"Nats-Expected-Last-Sequence": "1"},
        "a wrong last id": {"Nats-Expected-Last-Msg-Id": "x"},
    }
    for aim in aims:
        found |= {
            f"a schedule to {aim}": {"Nats-Schedule": SOON, "Nats-Schedule-Target": aim},
            f"the source {aim}": {"Nats-Schedule": SOON, "Nats-Schedule-Source": aim},
            f"the end of the timer {aim}": {"Nats-Schedule-Next": "purge", "Nats-Scheduler": aim},
            f"the last number of {aim}": {
                "Nats-Expected-Last-Subject-Sequence": "0",
                "Nats-Expected-Last-Subject-Sequence-Subject": aim,
            },
        }
    return found


async def stored(root: User) -> dict[tuple[str, int], tuple[str, bytes]]:
    """Return everything that the streams hold: subject and body, by stream and number."""
    found: dict[tuple[str, int], tuple[str, bytes]] = {}
    for stream in STREAMS:
        info = json.loads((await root.client.request(f"$JS.API.STREAM.INFO.{stream}", timeout=5)).data)
        for seq in range(info["state"]["first_seq"], info["state"]["last_seq"] + 1):
            reply = await root.client.request(
                f"$JS.API.DIRECT.GET.{stream}", json.dumps({"seq": seq}).encode(), timeout=5
            )
            if (headers := reply.headers) and "Nats-Subject" in headers:
                found[stream, seq] = headers["Nats-Subject"], reply.data
    return found


@pytest.mark.parametrize("user", LIMITED)
async def test_no_header_lets_a_user_touch_what_is_not_its_own(users: dict[str, User], user: str) -> None:
    """What was stored stays, and only the user's own message comes."""
    before, own = await stored(users[ROOT]), new_id()
    writable = [
        subject
        for spec in SUBJECTS
        if spec.captured
        for subject, writers in examples(spec, own)
        if user in writers
    ]
    for subject in writable:
        for headers in hostile_headers().values():
            await users[user].client.publish(subject, b"own", headers=headers)
    await users[user].sent()
    await asyncio.sleep(0.5)  # A schedule that was taken would fire by now.
    after = await stored(users[ROOT])
    assert {key: after.get(key) for key in before} == before
    added = [value for key, value in after.items() if key not in before]
    assert {subject.split(".")[-1] for subject, _ in added} <= {each.split(".")[-1] for each in writable}
    assert all(own in subject and data == b"own" for subject, data in added)


async def test_a_message_id_that_another_used_first_swallows_nothing(
    broker: SecuredBroker, users: dict[str, User]
) -> None:
    """Message ids are unique in a stream. The summarizer takes the id of the gateway's next event."""
    id = new_id()
    theirs, ours = subjects.event(id, "summarizer"), subjects.event(id, "gateway")
    msg_id = f"{id}-1:supervisor_dialed"
    await users["summarizer"].client.request(theirs, b"first", headers={"Nats-Msg-Id": msg_id})
    async with await Bus.connect(broker.settings("gateway"), name="gateway") as bus:
        await bus.publish(ours, b"dialed", msg_id=msg_id)
        stored = await bus.get_last(ours)
        assert stored is not None
        assert stored.data == b"dialed"
        # An honest repeat is stored once, also when the actor has said more since.
        await bus.publish(ours, b"more")
        await bus.publish(subjects.event(id, "gateway"), b"said", msg_id=f"{id}-2")
        await bus.publish(subjects.event(id, "gateway"), b"said", msg_id=f"{id}-2")
        await bus.publish(ours, b"last")
        await bus.publish(subjects.event(id, "gateway"), b"said", msg_id=f"{id}-2")
        assert [each.data for each in await bus.history(ours, 10)] == [b"dialed", b"more", b"said", b"last"]


async def test_a_client_cannot_swallow_the_cancel_of_another(
    broker: SecuredBroker, users: dict[str, User]
) -> None:
    id = new_id()
    headers = {"Nats-Msg-Id": f"{id}:cancel"}
    await users["client"].client.request(subjects.cancel(new_id()), b"{}", headers=headers)
    async with await Bus.connect(broker.settings("client"), name="client") as bus:
        await bus.publish(subjects.cancel(id), b"{}", msg_id=f"{id}:cancel")
        assert await bus.get_last(subjects.cancel(id)) is not None
