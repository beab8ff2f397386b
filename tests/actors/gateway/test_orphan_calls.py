"""What the stream forgot: nobody is left on the phone for it, and nobody is cut off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from warmxfer.actors.coordinator import CoordinatorSettings
from warmxfer.actors.coordinator import run as coordinate
from warmxfer.actors.gateway.orphan_calls import OrphanCallReaper
from warmxfer.adapters.telephony import choose_provider
from warmxfer.bus import LiveMessage, subjects
from warmxfer.schemas import Outcome, SupervisorDialed, WarmTransferPhase, WarmTransferResult, encode

from .gateway_fixture import Office

DEPLOYMENT = "deployment-1"
LOOKS = 3
Look = Callable[[str], Awaitable[int]]


@pytest_asyncio.fixture(loop_scope="session")
async def coordinator(idle_office: Office) -> AsyncIterator[None]:
    """Somebody who can say that a transfer is not running."""
    ready = asyncio.Event()
    coordinating = asyncio.create_task(
        coordinate(idle_office.bus, CoordinatorSettings(), ready=ready.set), name="coordinator"
    )
    await asyncio.wait_for(ready.wait(), 5)
    yield
    coordinating.cancel()
    await asyncio.gather(coordinating, return_exceptions=True)


@pytest_asyncio.fixture(loop_scope="session")
async def look(idle_office: Office) -> AsyncIterator[Look]:
    """`await look(deployment)`: scan as a gateway of that deployment, then count the legs that are up."""
    provider = choose_provider(idle_office.env).open(None, None)

    async def some(deployment: str) -> int:
        reconciler = OrphanCallReaper(idle_office.bus, provider, deployment, interval_s=60.0)
        for _ in range(LOOKS):
            await reconciler.scan()
        return await idle_office.legs_up()

    yield some
    await provider.aclose()


async def dial(office: Office, room_id: str) -> None:
    """A leg that a gateway of the deployment dialled, for a transfer of which the stream knows nothing."""
    office.start(WARMXFER_DEPLOYMENT=DEPLOYMENT)
    await office.ask(office.dial(room_id), SupervisorDialed)
    await office.stop()
    assert await office.legs_up() == 1


@pytest.mark.usefixtures("coordinator")
async def test_a_supervisor_whom_the_stream_forgot_is_not_left_on_the_phone(idle_office: Office) -> None:
    await dial(idle_office, await idle_office.cloud.open_room())
    idle_office.start(WARMXFER_DEPLOYMENT=DEPLOYMENT, WARMXFER_RECONCILE_S="1")
    async with asyncio.timeout(10):
        while await idle_office.legs_up():
            await asyncio.sleep(0.05)
        while not await idle_office.executed("room_deactivated"):
            await asyncio.sleep(0.05)


@pytest.mark.usefixtures("coordinator")
async def test_one_look_alone_ends_nothing(idle_office: Office) -> None:
    await dial(idle_office, await idle_office.cloud.open_room())
    provider = choose_provider(idle_office.env).open(None, None)
    await OrphanCallReaper(idle_office.bus, provider, DEPLOYMENT, interval_s=60.0).scan()
    await provider.aclose()
    assert await idle_office.legs_up() == 1


@pytest.mark.usefixtures("coordinator")
async def test_a_caller_who_talks_with_a_forgotten_supervisor_is_not_cut_off(
    idle_office: Office, look: Look
) -> None:
    room_id = await idle_office.cloud.open_room()
    await dial(idle_office, room_id)
    await idle_office.caller(room_id)
    assert await look(DEPLOYMENT) == 1
    assert await idle_office.executed("end") == []


@pytest.mark.usefixtures("coordinator")
async def test_the_legs_of_a_transfer_that_succeeded_are_left_to_its_people(
    idle_office: Office, look: Look
) -> None:
    await dial(idle_office, await idle_office.cloud.open_room())
    complete = WarmTransferResult(
        success=True,
        phase=WarmTransferPhase.TRANSFER_COMPLETE,
        outcome=Outcome.COMPLETE,
        consultation_room_id=None,
        supervisor_call_id=None,
        switched_call_id=None,
        summary="",
    )
    await idle_office.bus.publish(subjects.result(idle_office.id), encode(complete))
    assert await look(DEPLOYMENT) == 1


@pytest.mark.usefixtures("coordinator")
async def test_a_leg_of_another_deployment_is_not_ended(idle_office: Office, look: Look) -> None:
    await dial(idle_office, await idle_office.cloud.open_room())
    assert await look("deployment-2") == 1


async def test_where_no_coordinator_can_say_so_nothing_counts_as_forgotten(
    idle_office: Office, look: Look
) -> None:
    await dial(idle_office, await idle_office.cloud.open_room())
    assert await look(DEPLOYMENT) == 1


async def test_a_coordinator_that_fails_at_the_question_has_not_said_that_it_is_over(
    idle_office: Office, look: Look
) -> None:
    """Its answer had ended the gateway."""

    async def fail(_: LiveMessage) -> bytes:
        raise LookupError("a record of a newer version")

    await dial(idle_office, await idle_office.cloud.open_room())
    async with idle_office.bus.serve(subjects.ASK_LIVENESS, fail):
        assert await look(DEPLOYMENT) == 1
