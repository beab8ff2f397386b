"""Which processes run: the answers of our services, and no others."""

from __future__ import annotations

import json
import time

import nats

from tests.testkit.secured_broker import secured_broker
from warmxfer.bus import Bus
from warmxfer.bus.subject_table import BOARD, COORDINATOR, GATEWAY, OBSERVER, OPERATOR


async def echo(message: object) -> bytes:
    return b"{}"


async def test_a_process_answers_with_what_it_has_handled(fresh_bus: Bus) -> None:
    await fresh_bus.register_service("warmxfer-gateway", "1.2.3", "warmxfer gateway")
    await fresh_bus.register_service("another", "1.0.0", "not ours")
    async with fresh_bus.serve("warmxfer.ask.token", echo):
        await fresh_bus.request("warmxfer.ask.token", b"", 5)
        (found,) = await fresh_bus.processes()
    assert (found.name, found.version, found.handled, found.failed) == ("warmxfer-gateway", "1.2.3", 1, 0)
    assert found.started_at is not None
    assert abs(found.started_at - time.time()) < 60
    assert found.id


async def test_without_processes_there_is_none(fresh_bus: Bus) -> None:
    assert await fresh_bus.processes() == []


async def test_an_answer_of_another_shape_does_no_harm(fresh_bus: Bus) -> None:
    raw = await nats.connect(fresh_bus.settings.url)

    async def answer(message: nats.aio.msg.Msg) -> None:
        strange = {"name": "warmxfer-odd", "endpoints": [3, {"num_requests": "x"}], "started": "yesterday"}
        for each in ([1], "text", strange):
            await raw.publish(message.reply, json.dumps(each).encode())

    await raw.subscribe("$SRV.STATS", cb=answer)
    await raw.flush()
    while not (answered := await fresh_bus.processes()):
        pass  # Half a second is short for a busy machine. The test has a time limit of its own.
    (found,) = answered
    assert (found.name, found.id, found.started_at, found.handled) == ("warmxfer-odd", "", None, 0)
    await raw.close()


async def test_the_board_may_ask_and_an_observer_may_not() -> None:
    async with secured_broker() as broker:
        connected = [await Bus.connect(broker.settings(each), name=each) for each in (COORDINATOR, GATEWAY)]
        for bus in connected:
            await bus.register_service(f"warmxfer-{bus.settings.user}", "1", "an actor")
        async with await Bus.connect(broker.settings(BOARD), name="board") as board:
            assert [each.name for each in await board.processes()] == [
                "warmxfer-coordinator",
                "warmxfer-gateway",
            ]
        async with broker.user(OBSERVER) as observer:
            assert await observer.is_refused("$SRV.STATS")
        for bus in connected:
            await bus.close()


async def test_an_operator_may_ask_all_that_the_command_line_of_nats_asks() -> None:
    async with secured_broker() as broker:
        connected = [await Bus.connect(broker.settings(each), name=each) for each in (COORDINATOR, GATEWAY)]
        for bus in connected:
            await bus.register_service(f"warmxfer-{bus.settings.user}", "1", "an actor")
        async with broker.user(OPERATOR) as operator, broker.user(BOARD) as board:
            for verb in ("PING", "INFO", "STATS"):
                for name in ("warmxfer-coordinator", "warmxfer-gateway"):
                    reply = await operator.client.request(f"$SRV.{verb}.{name}", b"", timeout=5)
                    assert json.loads(reply.data)["name"] == name
                    assert await board.is_refused(f"$SRV.{verb}.{name}")
            reply = await operator.client.request("$SRV.INFO", b"", timeout=5)
            assert json.loads(reply.data)["name"].startswith("warmxfer-")
        for bus in connected:
            await bus.close()
