"""Each delivery is decoded once: on its arrival."""

from __future__ import annotations

import pytest

from warmxfer.actors.coordinator import inbound_events
from warmxfer.actors.coordinator.inbound_events import MAX_KEPT, TriggerReader
from warmxfer.bus import DeadLetter, Delivery
from warmxfer.schemas import RoomCreated, encode

EVENT = RoomCreated(command_id="t-1-1", room_id="room-1")


def delivery(seq: int, data: bytes = encode(EVENT)) -> Delivery:
    return Delivery("t-1", "event", "gateway", "wx.0.t-1.event.gateway", data, seq, 1.0, 1, {})


def test_a_delivery_is_decoded_once_until_it_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []

    def decode(delivery: Delivery) -> RoomCreated:
        decoded.append(delivery.seq)
        return EVENT

    monkeypatch.setattr(inbound_events, "decode_trigger", decode)
    reader, arrived = TriggerReader(), delivery(1)
    assert reader.check(arrived) is None
    assert reader.read(arrived) == reader.read(arrived) == EVENT
    assert decoded == [1]
    reader.read(delivery(1))  # An equal delivery is another one.
    assert decoded == [1, 1]
    reader.drop(arrived)
    reader.drop(arrived)
    reader.read(arrived)
    assert decoded == [1, 1, 1]


def test_a_delivery_that_cannot_be_read_is_not_kept() -> None:
    reader, arrived = TriggerReader(), delivery(1, b"{")
    assert isinstance(reader.check(arrived), DeadLetter)
    assert not reader._kept
    with pytest.raises(DeadLetter):
        reader.read(arrived)


def test_the_newest_deliveries_are_kept() -> None:
    reader = TriggerReader()
    arrived = [delivery(seq) for seq in range(MAX_KEPT + 2)]
    for each in arrived:
        assert reader.check(each) is None
    assert [each.seq for each, _ in reader._kept.values()] == list(range(2, MAX_KEPT + 2))
    assert all(reader.read(each) == EVENT for each in arrived)
