"""Refuses a request whose calls the dial policy forbids, before the caller is put on hold.

The gateway decides again right before each dial. If it has another policy, its refusal ends the transfer.
"""

from __future__ import annotations

import structlog

from warmxfer.schemas import InvalidRequest, Outcome, TransferRefused, WarmTransferConfig
from warmxfer.schemas.fields import SENTENCE_MAX_CHARS

from ..common.dial_policy import DialPolicy

log = structlog.get_logger(__name__)


def dial_rejection(policy: DialPolicy, id: str, config: WarmTransferConfig) -> TransferRefused | None:
    """Return why transfer `id` may not start, or None if each of its calls may be dialled."""
    try:
        policy.check_request(config)
    except InvalidRequest as error:
        log.warning("transfer_rejected", transfer_id=id, reason="dial policy", field=error.field)
        detail = str(error)[:SENTENCE_MAX_CHARS]
        return TransferRefused(transfer_id=id, detail=detail, outcome=Outcome.DIAL_FAILED)
    return None
