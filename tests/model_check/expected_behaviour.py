"""What each actor does right; `mutations.py` unlearns one habit at a time."""

from __future__ import annotations

from typing import NamedTuple


class Habits(NamedTuple):
    """What each actor does right."""

    dial_is_claimed: bool = True
    """Before the POST: a crash after it leaves a claim, and whoever comes next looks up."""
    doubt_is_looked_up: bool = True
    """A dial that timed out is looked for, not repeated."""
    end_forbids_dial: bool = True
    """`EndCall` claims the dial, so that a late `DialSupervisor` finds it forbidden."""
    end_waits_for_dial: bool = True
    """`EndCall` is not answered while the dial may still be executed."""
    refusal_forbids_switch: bool = True
    """`SwitchCaller` answered "supervisor gone" can never be executed by another delivery of it."""
    return_forbids_switch: bool = True
    """`ReturnCaller` claims the switch, so that a late `SwitchCaller` finds it forbidden."""
    return_waits_for_switch: bool = True
    """`ReturnCaller` is not answered while the switch may still be executed."""
    return_is_not_raced: bool = True
    """A way back is tried again only once the one before it can no longer happen."""
    level_is_fenced: bool = True
    """The proxy ignores a level command older than what it acted on."""
    outbox_is_sent_again: bool = True
    """What was committed and not sent is sent by whoever comes next."""
