"""A user without warmxfer: a NATS client and a JSON text. The test runs it as a program of its own.

python plain_nats_user.py NATS_URL ID REQUEST_JSON      prints every phase and the result, one JSON line each
"""

import asyncio
import json
import os
import ssl
import sys

import nats

TIMEOUT_S = 60


async def main(url: str, id: str, request: str) -> None:
    # A user may hear only the replies to itself.
    nc = await nats.connect(url, inbox_prefix=os.environ["NATS_INBOX_PREFIX"].encode(), tls=certificates())
    ended = asyncio.Event()

    async def on_message(message) -> None:
        print(json.dumps({"subject": message.subject, **json.loads(message.data)}), flush=True)
        if message.subject.endswith(".result"):
            ended.set()

    await nc.subscribe(f"warmxfer.{id}.phase", cb=on_message)
    await nc.subscribe(f"warmxfer.{id}.result", cb=on_message)
    await nc.jetstream().publish(f"warmxfer.{id}.request", request.encode())
    await asyncio.wait_for(ended.wait(), TIMEOUT_S)
    await nc.drain()


def certificates() -> ssl.SSLContext | None:
    """Return what a broker with TLS asks for, if the environment names it."""
    if "NATS_CA" not in os.environ:
        return None
    context = ssl.create_default_context(cafile=os.environ["NATS_CA"])
    context.load_cert_chain(os.environ["NATS_CERT"], os.environ["NATS_KEY"])
    return context


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
