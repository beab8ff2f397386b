"""Request a warm transfer and follow its phases with nats-py alone.

Nothing of warmxfer is imported: a NATS client of any language can do the same. A live subscription
receives nothing during a lost connection; phases and result stay in the stream (docs/protocol.md).

Run it in a clone:

    uv run warmxfer up                                        # first terminal; prints the caller's room id
    . LOCAL_ENV                                               # second terminal; the file that `up` names
    uv run python examples/publish_and_follow.py ROOM_ID

`NATS_URL` names a broker other than nats://127.0.0.1:4222. `NATS_USER`, `NATS_PASSWORD` and
`NATS_INBOX_PREFIX` are those of the user.
"""

import asyncio
import json
import os
import sys
import uuid

import nats

NATS_URL = os.environ.get("NATS_URL", "nats://127.0.0.1:4222")
RESULT_TIMEOUT_S = 300


async def main(room_id: str) -> bool:
    """Transfer the caller in `room_id`. Returns whether the supervisor now talks with the caller."""
    transfer_id = uuid.uuid4().hex
    request = {
        "room_id": room_id,
        "config": {
            "destination": {
                "routing_rule_id": "rr_demo",
                "sip_call_to": "+14155550101",  # in the sandbox: a supervisor who accepts
                "sip_call_from": "+14155550100",
            }
        },
    }
    client = await nats.connect(
        NATS_URL,
        user=os.environ.get("NATS_USER"),
        password=os.environ.get("NATS_PASSWORD"),
        inbox_prefix=os.environ.get("NATS_INBOX_PREFIX", "_INBOX").encode(),
    )

    async def print_phase(message) -> None:
        phase = json.loads(message.data)
        print(phase["seq"], phase["phase"], flush=True)

    # Subscribe before publishing, so that no phase is missed.
    await client.subscribe(f"warmxfer.{transfer_id}.phase", cb=print_phase)
    results = await client.subscribe(f"warmxfer.{transfer_id}.result")

    # `publish` of JetStream waits until the request is stored. The same request again is harmless.
    await client.jetstream().publish(f"warmxfer.{transfer_id}.request", json.dumps(request).encode())
    result = json.loads((await results.next_msg(RESULT_TIMEOUT_S)).data)
    await client.drain()  # delivers the phases that have already arrived
    if result["detail"]:
        print(f"detail: {result['detail']}")
    print(f"outcome: {result['outcome']}\nsummary: {result['summary']}")
    return result["success"]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Give the room of the caller: python examples/publish_and_follow.py ROOM_ID")
    sys.exit(0 if asyncio.run(main(sys.argv[1])) else 1)
