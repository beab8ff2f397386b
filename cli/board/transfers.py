"""The transfers that the board shows, from phases, notices and outlines in any order, any number of times."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from msgspec import Struct

from warmxfer.schemas import Outcome, PhaseChanged, TransferNotice, WarmTransferPhase
from warmxfer.schemas.timeline import TransferOutline

from .last_hour import HOUR_S, EndedTransfers
from .step import Step, current_wait

MAX_RUNNING = 2_000
"""Running transfers that are shown. Of more, the first to come are shown, who wait the longest."""
MAX_ENDED = 500
"""Ended transfers that are shown: the newest."""
MAX_HIDDEN = 100_000
MAX_OUTLINE_TRIES = 3
MAX_TEXT_CHARS = 300
FORGOTTEN_AFTER_S = 6 * HOUR_S
"""A transfer without a new phase for so long is not shown any more: its end was missed or is lost."""


class Row(Struct, frozen=True, kw_only=True):
    """One transfer as the page shows it. Moments: epoch seconds by the broker's clock."""

    id: str
    step: Step
    phase: WarmTransferPhase
    on: str
    """Who or what is waited for; empty after the end."""
    since: float
    limit_s: float | None
    started_at: float
    on_hold: bool
    """The caller hears the hold line."""
    ended_at: float | None = None
    outcome: str = ""
    detail: str = ""
    to_human_s: float | None = None
    supervisor: str = ""
    destination: str = ""
    room_id: str = ""
    notice: str = ""
    """Kind of the newest notice, such as `caller_returned`."""


@dataclass(slots=True)
class _Known:
    """What is known of one transfer."""

    at: dict[WarmTransferPhase, float] = field(default_factory=dict[WarmTransferPhase, float])
    seqs: set[int] = field(default_factory=set[int])
    newest: PhaseChanged | None = None
    resolution: str = ""
    outcome: str = ""
    detail: str = ""
    notice: str = ""
    outline: TransferOutline | None = None
    outline_tries: int = 0
    gap_tries: int = 0

    @property
    def ended(self) -> bool:
        return self.newest is not None and self.newest.phase.final

    @property
    def has_gap(self) -> bool:
        return len(self.seqs) != max(self.seqs, default=0)


class Transfers:
    """All rows. `on_change` is called with the id of each row that changed, or was removed."""

    def __init__(self, on_change: Callable[[str], None]) -> None:
        self._known: dict[str, _Known] = {}
        self._hidden: set[str] = set()
        self._on_change = on_change
        self._running = 0
        self.ends = EndedTransfers()

    @property
    def not_shown(self) -> int:
        """Number of running transfers beyond the limit."""
        return len(self._hidden)

    @property
    def running(self) -> int:
        """Number of running transfers that are shown."""
        return self._running

    def ids(self) -> list[str]:
        """Return the ids of all rows."""
        return list(self._known)

    def apply(self, id: str, phase: PhaseChanged) -> None:
        """Take in one phase of a transfer. A repeated one changes nothing."""
        known = self._known.get(id)
        if known is None:
            if not phase.phase.final and self._running >= MAX_RUNNING:
                if len(self._hidden) < MAX_HIDDEN:
                    self._hidden.add(id)
                return
            self._hidden.discard(id)
            known = self._known[id] = _Known()
            self._running += 1
        if phase.seq in known.seqs:
            return
        was_ended = known.ended
        known.seqs.add(phase.seq)
        known.at[phase.phase] = phase.timestamp
        if known.newest is None or phase.seq > known.newest.seq:
            known.newest = phase
        if phase.phase is WarmTransferPhase.BRIEFING_COMPLETE:
            known.resolution = _text(phase.data.get("resolution"))
        if phase.phase.final:
            known.outcome = _text(phase.data.get("reason")) or _outcome_of(phase.phase)
            known.detail = _text(phase.data.get("detail"))
        self._changed(id, known)
        if known.ended and not was_ended:
            self._running -= 1
            self._forget_oldest()

    def apply_notice(self, id: str, notice: TransferNotice) -> None:
        """Take in a notice of a transfer that is shown."""
        known = self._known.get(id)
        if known is not None and known.notice != notice.notice:
            known.notice = _text(notice.notice)
            self._on_change(id)

    def apply_outline(self, id: str, outline: TransferOutline | None) -> None:
        """Take in the outline of a transfer that is shown; None if it could not be read this time."""
        known = self._known.get(id)
        if known is None:
            return
        known.outline_tries += 1
        if outline is not None:
            known.outline = outline
            self._changed(id, known)

    def without_outline(self, limit: int) -> list[str]:
        """Return transfers whose outline is to be read, running ones first."""
        wanted = [
            (known.ended, id)
            for id, known in self._known.items()
            if known.outline is None and known.outline_tries < MAX_OUTLINE_TRIES
        ]
        return [id for _, id in sorted(wanted)[:limit]]

    def incomplete(self, limit: int) -> list[str]:
        """Return transfers of which a phase is missing, and those that there is room for now."""
        found: list[str] = []
        for id, known in self._known.items():
            if known.has_gap and known.gap_tries < MAX_OUTLINE_TRIES and len(found) < limit:
                known.gap_tries += 1
                found.append(id)
        room = min(limit - len(found), MAX_RUNNING - self._running)
        return [*found, *list(self._hidden)[: max(0, room)]]

    def rows(self, ids: Iterable[str] | None = None) -> list[Row]:
        """Return these rows, or all. An id that is not shown is left out."""
        wanted = self._known if ids is None else ids
        found = [(id, known) for id in wanted if (known := self._known.get(id)) is not None]
        return [_row(id, known, known.newest) for id, known in found if known.newest is not None]

    def forget_old(self, now: float) -> None:
        """Remove what ended more than an hour before `now`, and what has had no phase for long."""
        for id, known in list(self._known.items()):
            age_s = now - known.newest.timestamp if known.newest else 0.0
            if age_s > (HOUR_S if known.ended else FORGOTTEN_AFTER_S):
                self._remove(id, known)
        self.ends.forget_old(now)

    def _changed(self, id: str, known: _Known) -> None:
        if known.newest is not None and known.ended:
            self.ends.put(id, known.newest.timestamp, known.outcome, _to_human_s(known))
        self._on_change(id)

    def _forget_oldest(self) -> None:
        newest = [(id, known.newest) for id, known in self._known.items() if known.newest is not None]
        ended = [(phase.timestamp, id) for id, phase in newest if phase.phase.final]
        for _, id in sorted(ended)[: max(0, len(ended) - MAX_ENDED)]:
            self._remove(id, self._known[id])

    def _remove(self, id: str, known: _Known) -> None:
        if not known.ended:
            self._running -= 1
        del self._known[id]
        self._on_change(id)


def _row(id: str, known: _Known, newest: PhaseChanged) -> Row:
    outline = known.outline
    wait = current_wait(known.at, known.resolution, outline.limits if outline else None)
    supervisor = outline.supervisor if outline else ""
    ended = wait.step is Step.ENDED
    return Row(
        id=id,
        step=wait.step,
        phase=newest.phase,
        on=wait.on.replace("{supervisor}", supervisor or "the supervisor"),
        since=wait.since,
        limit_s=wait.limit_s,
        started_at=_started_at(known),
        on_hold=WarmTransferPhase.CALLER_ON_HOLD in known.at
        and not ended
        and wait.step is not Step.CLEANING_UP,
        ended_at=wait.since if ended else None,
        outcome=known.outcome,
        detail=known.detail,
        to_human_s=_to_human_s(known),
        supervisor=supervisor,
        destination=outline.destination if outline else "",
        room_id=outline.room_id if outline else "",
        notice=known.notice,
    )


def _started_at(known: _Known) -> float:
    """Return when the transfer was asked for, or the earliest that is known."""
    if known.outline is not None:
        return known.outline.started_at
    return min(known.at.values())


def _to_human_s(known: _Known) -> float | None:
    together_at = known.at.get(WarmTransferPhase.TRANSFER_COMPLETE)
    if together_at is None or (known.outline is None and WarmTransferPhase.STARTED not in known.at):
        return None
    return round(max(0.0, together_at - _started_at(known)), 3)


def _outcome_of(phase: WarmTransferPhase) -> str:
    if phase is WarmTransferPhase.TRANSFER_COMPLETE:
        return Outcome.COMPLETE.value
    return Outcome.CANCELLED.value if phase is WarmTransferPhase.TRANSFER_CANCELLED else ""


def _text(value: object) -> str:
    """Return the text of a phase's data, cut; empty if it is none."""
    return value[:MAX_TEXT_CHARS] if isinstance(value, str) else ""
