"""The client for users: request a transfer, follow its phases, cancel it.

async with Client.connect() as client:
    transfer = await client.request({...})
    async for phase in transfer.phases(): ...
"""

from __future__ import annotations

from warmxfer.bus import NoSuchDeadLetter
from warmxfer.schemas.api import TransferSummary
from warmxfer.schemas.id_in_use import IdInUse

from .client import Client, new_id
from .errors import ErasedTransfer, NoCoordinator, NoSuchTransfer, NotArchived, NotStarted, StillRunning
from .transfer_handle import TransferHandle

__all__ = [
    "Client",
    "ErasedTransfer",
    "IdInUse",
    "NoCoordinator",
    "NoSuchDeadLetter",
    "NoSuchTransfer",
    "NotArchived",
    "NotStarted",
    "StillRunning",
    "TransferHandle",
    "TransferSummary",
    "new_id",
]
