"""What must hold for one transfer at its end, by the stream and by the ledger of what was executed.

No actor is asked. The invariants themselves are in `tests/testkit/invariants.py`; here they are counted as
the columns of the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tests.testkit.invariants import (
    HISTORY_CHECKS,
    Effects,
    Violation,
    caller_in_the_right_room,
    caller_not_alone,
    caller_not_cut_off,
    caller_not_muted,
    dialled_once,
    moved_once,
    no_leg_left,
    only_poison_dead_lettered,
    total,
)
from tests.testkit.transfer_history import TransferHistory
from warmxfer.bus import NewerVersionNeeded
from warmxfer.schemas import Outcome

from .report_row import CUT_OFF, LEFT_ALONE

Check = Callable[[Effects], Iterator[Violation]]

CALLER_CHECKS: Mapping[str, tuple[Check, ...]] = {
    "muted": (caller_in_the_right_room, caller_not_muted),
    LEFT_ALONE: (caller_not_alone,),
    CUT_OFF: (caller_not_cut_off,),
}
"""Column of the table -> the checks of the caller that it shows. One caller counts once in each column."""

COUNTED_CHECKS: Mapping[str, Check] = {
    "2nd dials": dialled_once,
    "2nd switches": moved_once,
    "legs left": no_leg_left,
}
"""Column of the table -> the check whose surplus effects it counts."""

LEFT_OVER_COLUMNS = ("legs left", "muted", LEFT_ALONE)
"""What may still be true for a while after the end, until clean-up is done."""


def history_violations(history: TransferHistory, *, given_up: bool = False) -> list[str]:
    """Return one sentence for each invariant that the stream shows broken.

    `given_up`: a transfer may end as `broken` because no version was there that could continue it. Then what
    only a newer version could handle may be dead-lettered.
    """
    found = [violation for check in HISTORY_CHECKS for violation in check(history)]
    broken = history.result is not None and history.result.outcome is Outcome.BROKEN
    too_new = [each for each in history.dead_letters if each["cause"].startswith(NewerVersionNeeded.__name__)]
    poison = {each["seq"] for each in too_new} if given_up and broken else set[int]()
    found += only_poison_dead_lettered(history, poison)
    return [str(each) for each in found]


def count_by_column(effects: Effects) -> dict[str, int]:
    """Return column of the table -> how much of it happened."""
    counted = {column: total(check(effects)) for column, check in COUNTED_CHECKS.items()}
    callers = {
        column: int(any(True for check in checks for _ in check(effects)))
        for column, checks in CALLER_CHECKS.items()
    }
    return {**counted, **callers}


def is_clean(effects: Effects) -> bool:
    """Return whether no leg is left up and no caller is muted, misplaced or alone."""
    counted = count_by_column(effects)
    return not any(counted[column] for column in LEFT_OVER_COLUMNS)
