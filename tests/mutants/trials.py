"""Many changes, tried out at the same time in several copies of the tree."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

from .operators import Change
from .targets import Stage, stages
from .trial import Copies, Outcome, Times

StagesOf = Callable[[Change, Path], Sequence[Stage]]
"""Returns the stages of a change in the tree below a path."""


def stages_of_file(change: Change, root: Path) -> Sequence[Stage]:
    """Return the stages of the file that is changed."""
    return stages(change.file, root)


class Trials:
    """Copies of the tree below `folder`, and how the changes turn out in them."""

    def __init__(
        self, folder: Path, jobs: int, limit_s: float | None, stages_of: StagesOf = stages_of_file
    ) -> None:
        self._jobs = jobs
        self._stages_of = stages_of
        self._copies = Copies(folder)
        self.times = Times(self._copies, limit_s)

    def outcomes(self, changes: Sequence[Change]) -> Generator[Outcome]:
        """Try out the changes; yield each outcome when it is known."""
        try:
            with ThreadPoolExecutor(self._jobs) as pool:
                futures = [pool.submit(self._try_out, change) for change in changes]
                try:
                    for future in as_completed(futures):
                        yield future.result()
                except BaseException:
                    self._stop(futures)
                    raise
        finally:
            self._copies.close()

    def _stop(self, futures: Sequence[Future[Outcome]]) -> None:
        """End the running trials, and start no other."""
        for future in futures:
            future.cancel()
        self._copies.kill()

    def _try_out(self, change: Change) -> Outcome:
        with self._copies.one() as copy:
            return copy.try_out(change, self.times, self._stages_of(change, copy.root))
