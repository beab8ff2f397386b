"""Request a warm transfer and follow its phases with `warmxfer.client.Client`.

Compared with plain nats-py, the client validates the request before it is published. It yields every phase
once and in order, also through an outage of the broker.

Run it in a clone:

    uv run warmxfer up                                  # first terminal; prints the caller's room id
    . LOCAL_ENV                                         # second terminal; the file that `up` names
    uv run python examples/with_client.py ROOM_ID

`NATS_URL`, `NATS_USER` and `NATS_PASSWORD` name the broker and the user; `up` names a file with them.
"""

import asyncio
import sys

from warmxfer.client import Client
from warmxfer.schemas import SIPDestination, WarmTransferConfig, WarmTransferRequest, WarmxferError


async def main(room_id: str) -> bool:
    """Transfer the caller in `room_id`. Returns whether the supervisor now talks with the caller."""
    destination = SIPDestination(
        routing_rule_id="rr_demo",
        sip_call_to="+14155550101",  # in the sandbox: a supervisor who accepts
        sip_call_from="+14155550100",
    )
    request = WarmTransferRequest(room_id=room_id, config=WarmTransferConfig(destination=destination))
    async with Client.connect() as client:
        transfer = await client.request(request)
        async for phase in transfer.phases():
            print(phase.seq, phase.phase, flush=True)
        result = await transfer.result()
    if result.detail:
        print(f"detail: {result.detail}")
    print(f"outcome: {result.outcome}\nsummary: {result.summary}")
    return result.success


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Give the room of the caller: python examples/with_client.py ROOM_ID")
    try:
        sys.exit(0 if asyncio.run(main(sys.argv[1])) else 1)
    except WarmxferError as error:
        sys.exit(f"The transfer could not be requested or followed: {error}")
