"""Live checklist of one transfer: each phase with its time, the notices, and the result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from .output import console, plain, print_json

if TYPE_CHECKING:
    from warmxfer.client import TransferHandle
    from warmxfer.schemas import PhaseChanged, TransferNotice, WarmTransferResult

REFRESH_PER_S = 8
RESULT_TIMEOUT_S = 60.0
"""Maximum time from the final phase to the result, which waits for the clean-up."""


async def follow_one(transfer: TransferHandle, json: bool) -> bool:
    """Print every phase and notice, then the result. Returns whether the transfer succeeded."""
    if json:
        result = await _follow(transfer, print_json, print_json)
        print_json(result)
        return result.success
    with ProgressView(console(), transfer.id) as checklist:
        result = await _follow(transfer, checklist.add, checklist.add_notice)
        checklist.end(result)
    return result.success


async def _follow(
    transfer: TransferHandle,
    show_phase: Callable[[PhaseChanged], None],
    show_notice: Callable[[TransferNotice], None],
) -> WarmTransferResult:
    async with _notices_shown(transfer, show_notice):
        async for phase in transfer.phases():
            show_phase(phase)
        return await transfer.result(RESULT_TIMEOUT_S)


@asynccontextmanager
async def _notices_shown(
    transfer: TransferHandle, show: Callable[[TransferNotice], None]
) -> AsyncIterator[None]:
    """Show the notices of `transfer` as they come, and at the end those that were not shown yet.

    At the end the result is there: if the notices cannot be read then, the log says so.
    """
    import structlog

    from warmxfer.schemas import RetryableError

    shown = 0

    async def follow() -> None:
        nonlocal shown
        async for notice in transfer.notices():
            show(notice)
            shown += 1

    following = asyncio.create_task(follow(), name="notices")
    try:
        yield
    finally:
        following.cancel()
        await asyncio.wait({following})
    try:
        so_far = [notice async for notice in transfer.notices(follow=False)]
    except RetryableError as error:
        structlog.get_logger(__name__).warning("notices_not_read", error=str(error))
        return
    for notice in so_far[shown:]:
        show(notice)


class ProgressView:
    """Checklist that is redrawn in place on a terminal. Into a file or a pipe it prints each line once."""

    def __init__(self, out: Console, title: str) -> None:
        self._out = out
        self._title = title
        self._phases: list[PhaseChanged] = []
        self._notices: list[TransferNotice] = []
        self._result: WarmTransferResult | None = None
        self._live = (
            Live(console=out, refresh_per_second=REFRESH_PER_S, get_renderable=self._draw)
            if out.is_terminal
            else None
        )

    def __enter__(self) -> ProgressView:
        if self._live:
            self._live.start()
        else:
            self._out.print(f"transfer {self._title}", soft_wrap=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def add(self, phase: PhaseChanged) -> None:
        """Add a phase."""
        self._phases.append(phase)
        if self._live:
            return
        self._out.print(self._line(len(self._phases) - 1))

    def add_notice(self, notice: TransferNotice) -> None:
        """Add a notice."""
        self._notices.append(notice)
        if not self._live:
            self._out.print(_notice_line(notice))

    def end(self, result: WarmTransferResult) -> None:
        """Add the result."""
        self._result = result
        if not self._live:
            self._out.print(_outcome_line(result))

    def _draw(self) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        table.add_row(Text(f"transfer {self._title}", style="bold"))
        for number in range(len(self._phases)):
            table.add_row(self._line(number))
        for notice in self._notices:
            table.add_row(_notice_line(notice))
        if self._result:
            table.add_row(_outcome_line(self._result))
        else:
            table.add_row(Spinner("dots", Text("…", style="dim")))
        return table

    def _line(self, number: int) -> Text:
        phase, first = self._phases[number], self._phases[0]
        previous = self._phases[max(0, number - 1)]
        mark, style = _mark(phase)
        return Text.assemble(
            (f"  {mark} ", style),
            f"{phase.phase.value:<26}",
            (f"{_ms(phase, first):>8} ms", "bold"),
            (f"   +{_ms(phase, previous)}", "dim"),
        )


def _ms(later: PhaseChanged, earlier: PhaseChanged) -> str:
    return f"{max(0.0, later.timestamp - earlier.timestamp) * 1_000:,.0f}"


def _mark(phase: PhaseChanged) -> tuple[str, str]:
    if phase.phase.value == "transfer_complete":
        return "✔", "bold green"
    if phase.phase.final:
        return "✘", "bold red"
    return "✔", "green"


def _notice_line(notice: TransferNotice) -> Text:
    return Text.assemble("  notice: ", (notice.notice.value, "bold yellow"), f"  {plain(notice.detail)}")


def _outcome_line(result: WarmTransferResult) -> Text:
    style = "bold green" if result.success else "bold yellow"
    return Text.assemble(
        "  outcome: ", (result.outcome.value, style), f"  {plain(result.detail or '')}".rstrip()
    )
