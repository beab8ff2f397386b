"""Everything about one transfer: its phases, timeline and report, live or from the archive."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar, get_args

from msgspec import Struct

from warmxfer.client import Client, NoSuchTransfer
from warmxfer.schemas import (
    NoticeKind,
    PhaseChanged,
    ToBriefing,
    ToConsult,
    ToGateway,
    ToPrimary,
    ToSummarizer,
    TransferNotice,
    WarmxferError,
)
from warmxfer.schemas.report import TransferReport
from warmxfer.schemas.timeline import TransferOutline, TransferTimeline

from .transfers import Row, Transfers

T = TypeVar("T")

_COMMANDS: tuple[tuple[str, Any], ...] = (
    ("primary", ToPrimary),
    ("gateway", ToGateway),
    ("summarizer", ToSummarizer),
    ("briefing", ToConsult),
    ("briefing", ToBriefing),
)
_KINDS: list[tuple[str, Any]] = [
    (actor, kind) for actor, union in _COMMANDS for kind in get_args(union) or (union,)
]
ACTOR_OF_COMMAND = {str(kind.__struct_config__.tag): actor for actor, kind in _KINDS}
"""Which actor carries out a command, by its type on the wire."""


class ShownPhase(Struct, frozen=True):
    """A phase without its data, which may hold a number or a summary."""

    phase: str
    at: float


class ShownNotice(Struct, frozen=True):
    """A notice without its data."""

    notice: NoticeKind
    detail: str
    at: float


class TransferPage(Struct, frozen=True, kw_only=True):
    """What the page shows of one transfer. A part is None if no coordinator can tell; `problems` says why."""

    row: Row
    phases: list[ShownPhase]
    notices: list[ShownNotice]
    outline: TransferOutline | None
    timeline: TransferTimeline | None
    report: TransferReport | None
    actors: dict[str, str]
    problems: list[str]


async def read_transfer(client: Client, id: str) -> TransferPage:
    """Return the page of a transfer. Raises `NoSuchTransfer` if it has no phase, and `Unavailable`."""
    phases = await client.history(id)
    if not phases:
        raise NoSuchTransfer(id)
    problems: list[str] = []
    outline, timeline, report, notices = await asyncio.gather(
        _attempt(client.outline(id), problems),
        _attempt(client.timeline(id), problems),
        _attempt(client.report(id), problems),
        _attempt(_notices(client, id), problems),
    )
    return TransferPage(
        row=_row(id, phases, notices or [], outline),
        phases=[ShownPhase(each.phase.value, each.timestamp) for each in phases],
        notices=[ShownNotice(each.notice, each.detail, each.timestamp) for each in notices or []],
        outline=outline,
        timeline=timeline,
        report=report,
        actors=ACTOR_OF_COMMAND,
        problems=sorted(set(problems)),
    )


async def _notices(client: Client, id: str) -> list[TransferNotice]:
    return [each async for each in client.transfer(id).notices(follow=False)]


async def _attempt(work: Awaitable[T], problems: list[str]) -> T | None:
    """Return what `work` does, or None with its sentence in `problems`."""
    try:
        return await work
    except WarmxferError as error:
        problems.append(str(error))
        return None


def _row(
    id: str, phases: list[PhaseChanged], notices: list[TransferNotice], outline: TransferOutline | None
) -> Row:
    """Return the row of one transfer, as the list shows it."""
    alone = Transfers(lambda _: None)
    for phase in phases:
        alone.apply(id, phase)
    for notice in notices:
        alone.apply_notice(id, notice)
    alone.apply_outline(id, outline)
    return alone.rows()[0]
