"""The report from stored records, of which an older or a newer version may have written some."""

from __future__ import annotations

from collections.abc import Sequence

from warmxfer.schemas import InvalidRequest
from warmxfer.schemas.report import TransferReport

from ..state_machine import Record, UnreadableRecord, decode_record
from .report import report


def report_of_log(id: str, bodies: Sequence[bytes]) -> TransferReport:
    """Return the report of transfer `id` from the stored records that this version can read.

    The report says how many they were. Raises InvalidRequest if there is none.
    """
    records: list[Record] = []
    for body in bodies:
        try:
            records.append(decode_record(body))
        except UnreadableRecord:
            continue
    if not records:
        sentence = f"id is {id!r}, and no record of it can be read; use the version that wrote it"
        raise InvalidRequest(sentence, field="id")
    return report(records)
