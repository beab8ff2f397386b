"""What each actor does right; `mutations.py` switches off one behaviour at a time."""

from __future__ import annotations

from typing import NamedTuple


class ExpectedBehaviour(NamedTuple):
    """What each actor does right. A mutation sets one field to False."""

    dial_is_claimed: bool = True
    """The gateway claims the dial before the POST. After a crash the next gateway finds the claim."""
    unknown_dial_is_looked_up: bool = True
    """The gateway looks up a dial that timed out, and does not repeat it."""
    end_forbids_dial: bool = True
    """`EndCall` claims the dial, so that a late `DialSupervisor` finds it forbidden."""
    end_waits_for_dial: bool = True
    """The gateway does not reply to `EndCall` while the dial may still be executed."""
    refusal_forbids_switch: bool = True
    """After the reply "supervisor gone" no other delivery of `SwitchCaller` can execute the switch."""
    return_forbids_switch: bool = True
    """`ReturnCaller` claims the switch, so that a late `SwitchCaller` finds it forbidden."""
    return_waits_for_switch: bool = True
    """The gateway does not reply to `ReturnCaller` while the switch may still be executed."""
    return_is_not_raced: bool = True
    """The gateway retries a return only once the earlier one can no longer be executed."""
    hold_is_fenced: bool = True
    """The primary actor ignores a hold or release that is older than the one it acted on."""
    outbox_is_sent_again: bool = True
    """The next coordinator publishes what was committed and not published."""
    session_may_die: bool = False
    """No behaviour: whether the session's process may be killed. It multiplies the states."""
    rescue_is_claimed: bool = True
    """The gateway claims the rescue, so that a second command does not repeat it."""
    rescue_checks_legs: bool = True
    """The gateway rescues only a caller whose leg is up and who is not with the supervisor."""
