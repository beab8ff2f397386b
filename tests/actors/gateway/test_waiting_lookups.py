"""A look-up that waits for the provider holds up no other command: its job is given back."""

from __future__ import annotations

from warmxfer.schemas import CommandFailed, CreateRoom, FailureKind, RoomCreated, SupervisorDialed

from .gateway_fixture import GatewayHarness

DIAL = {"method": "POST", "path": "/v2/sip/call"}
LONG_SETTLE_S = "8.0"


async def test_two_gateways_with_one_job_each_execute_commands_while_both_look_a_dial_up(
    idle_harness: GatewayHarness,
) -> None:
    harness = idle_harness
    for _ in range(2):
        harness.start(WARMXFER_GATEWAY_JOBS="1", WARMXFER_SETTLE_S=LONG_SETTLE_S)
    room = await harness.cloud.open_room()
    await harness.cloud.break_once("reset", DIAL)
    dial = harness.dial(room, within_s=20.0)
    for _ in range(2):
        await harness.send(dial)
    await harness.claimed("dial-1")
    commands = [CreateRoom(key=f"{harness.id}-{n}", **harness.within(20.0)) for n in range(6)]
    for command in commands:
        await harness.execute(command, RoomCreated)
    failed = await harness.reply(dial)
    assert isinstance(failed, CommandFailed)
    assert failed.failure is FailureKind.UNKNOWN
    last_room_at = max([await harness.reply_at(command) for command in commands])
    assert last_room_at < await harness.reply_at(dial), "the rooms waited for the look-up"
    await harness.all_handled()
    assert await harness.executed("dial") == []


async def test_a_dial_is_found_although_its_job_was_given_back(idle_harness: GatewayHarness) -> None:
    harness = idle_harness
    harness.start(WARMXFER_GATEWAY_JOBS="1", WARMXFER_SETTLE_S=LONG_SETTLE_S)
    room = await harness.cloud.open_room()
    await harness.cloud.break_once("execute_late", DIAL, delayS=10.0)
    dial = harness.dial(room, within_s=20.0)
    await harness.send(dial)
    await harness.claimed("dial-1")
    await harness.execute(CreateRoom(key=harness.id, **harness.within(20.0)), RoomCreated)
    assert isinstance(await harness.reply(dial), SupervisorDialed)
    assert len(await harness.executed("dial")) == 1
