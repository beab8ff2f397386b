"""The stacks of the scenarios: in the full run each has its own, in the quick one most share one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType

from .floor_stack import FloorStack
from .stack import ONE_OF_EACH, BenchStack, StackSettings


class StackPool:
    """`async with StackPool() as stacks`, then `async with stacks.open(settings) as stack`.

    `shared`: the settings of the stack that most scenarios share; None: they share none.
    """

    def __init__(self, shared: StackSettings | None = None) -> None:
        self._shared_settings = shared
        self._exit_stack = AsyncExitStack()
        self._stack: BenchStack | None = None
        self._floor: FloorStack | None = None

    async def __aenter__(self) -> StackPool:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop what is shared. The next scenario gets a new one."""
        self._stack = self._floor = None
        await self._exit_stack.aclose()

    @asynccontextmanager
    async def open(self, settings: StackSettings = ONE_OF_EACH) -> AsyncIterator[BenchStack]:
        """Yield the shared stack if it has as many processes and the same broker; otherwise a new one."""
        shared = self._shared_settings
        wanted = settings.counts, settings.sync_interval
        if shared is None or settings.replicated or wanted != (shared.counts, shared.sync_interval):
            async with BenchStack(settings) as stack:
                yield stack
            return
        if self._stack is None:
            self._stack = await self._exit_stack.enter_async_context(BenchStack(shared))
        yield self._stack

    @asynccontextmanager
    async def open_floor(self, sync_interval: str) -> AsyncIterator[FloorStack]:
        """Yield the shared floor if its broker is the same; otherwise a new one."""
        shared = self._shared_settings
        if shared is None or sync_interval != shared.sync_interval:
            async with FloorStack(sync_interval=sync_interval) as floor:
                yield floor
            return
        if self._floor is None:
            floor = FloorStack(sync_interval=sync_interval)
            self._floor = await self._exit_stack.enter_async_context(floor)
        yield self._floor
