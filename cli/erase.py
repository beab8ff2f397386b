"""`warmxfer erase <id>`: erase an ended transfer; only its id is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .options import Json, TransferId, Url
from .output import console, print_json, run_command

if TYPE_CHECKING:
    from warmxfer.schemas import EraseReply


def erase(id: TransferId, url: Url = None, json: Json = False) -> None:
    """Erase a transfer that has ended, from every stream and the archive.

    Its stored messages are overwritten one by one. The id, the final phase and its time are kept, so that the
    id starts no second transfer. A transfer that runs is refused: cancel it first. One that has just ended is
    refused until it is archived, because its last commands may still be carried out.
    """
    reply = run_command(lambda: _erase(id, url))
    if json:
        print_json({"id": id, "erased": True, "messages": reply.messages})
    else:
        console().print(
            f"transfer {id} is erased: {reply.messages} stored messages were overwritten", soft_wrap=True
        )


async def _erase(id: str, url: str | None) -> EraseReply:
    from warmxfer.client import Client

    async with Client.connect(url) as client:
        return await client.erase(id)
