"""Durations of the state machine: fixed ones, and those computed from `WarmTransferConfig`."""

from __future__ import annotations

from math import ceil

from warmxfer.schemas import WarmTransferConfig

EFFECT_TIMEOUT_FACTOR = 2.0
"""Command timeouts for dial, switch, return, end and rescue: the gateway may have to look up the outcome."""

SUMMARY_GRACE_S = 2.0
"""The summarizer falls back by itself at its deadline. The coordinator waits this much longer."""

FIRST_CHECK_PAUSE_S = 2.0
CHECK_PAUSE_GROWTH = 1.5
MAX_CHECK_PAUSE_S = 15.0
"""First pause between leg checks, its growth per check, and its maximum.

A check finds what a lost or missing webhook did not report.
"""
REPORTED_CHECK_PAUSE_S = 300.0
"""Pause between leg checks while the provider reports the supervisor's leg by webhook.

A check takes 1.8 ms of CPU in all processes: with 10,000 waiting transfers, 6 % of a core at this pause.
"""

HANDOVER_CHECK_FACTOR = 2.0
"""Time in which a leg check must be answered before a transfer completes without one, in command timeouts."""

RING_MARGIN_S = 5
"""Added to our ringing timeout for the provider's, which acts only if every coordinator is down."""

MAX_OUTAGE_S = 120.0
"""Maximum time a broker outage may add to preparation before the transfer is cancelled."""

NOTICE_GRACE_S = 1.0
"""How much longer than the notice the supervisor's leg stays up for a briefing agent that does not answer."""

UNWINDING_TIMEOUT_FACTOR = 6.0
"""Maximum time of clean-up, in command timeouts. The evidence names what is unconfirmed by then."""

CLEANUP_CHECK_FACTOR = 3.0
CLEANUP_CHECKS_END_FACTOR = 18.0
"""Pause between clean-up checks after the end, and the time after which they stop, in command timeouts."""

MAX_CALLER_SEARCH_S = 3_600.0
"""Maximum time to search for a caller whose room is unknown. The AI session stays in the room for this long,
unless the caller returns or hangs up."""

UNCONFIRMED_KEPT_S = 86_400.0
"""How long a transfer is kept from the archive if a leg or its room may be up. Its commands end them."""

ARCHIVE_LATE_S = 10.0
"""A timer that is this late shows an outage. The wait for the archive then begins again."""

MAX_BRIDGE_GUARD_S = 300.0
"""Maximum time for which a completed transfer is watched."""

RETURN_ATTEMPTS = 10
"""Returns of the caller that the longest time of a transfer includes. The gateway may request more."""

ALONE_NOTICE_S = 10.0
"""How long the return of a caller who is alone may fail before a notice says so, while it is repeated."""

_MAX_RINGING_TIMEOUT_S = 600
"""Maximum ringing timeout that the provider accepts."""


def command_s(config: WarmTransferConfig) -> float:
    """Return how long an actor may take for a command without an effect at the provider."""
    return config.command_timeout_s


def effect_s(config: WarmTransferConfig) -> float:
    """Return how long the gateway may take for an effect at the provider."""
    return config.command_timeout_s * EFFECT_TIMEOUT_FACTOR


def summary_s(config: WarmTransferConfig) -> float:
    return config.summary_timeout_s


def briefing_s(config: WarmTransferConfig) -> float:
    return config.briefing_timeout_s


def preparation_s(config: WarmTransferConfig) -> float:
    """Return the time of the preparation.

    It is longer than any order of the tasks takes, and acts only if a command's own deadline did not.
    """
    return 6 * config.command_timeout_s + config.summary_timeout_s + SUMMARY_GRACE_S


def switching_s(config: WarmTransferConfig) -> float:
    """Return the time of the switch, which is longer than the gateway may take."""
    return effect_s(config) + 1.0


def unwinding_s(config: WarmTransferConfig) -> float:
    """Return the time of clean-up, which begins once the notice to the supervisor is over."""
    return UNWINDING_TIMEOUT_FACTOR * config.command_timeout_s + notice_s(config)


def notice_s(config: WarmTransferConfig) -> float:
    """Return how long a notice to the supervisor may take. Records of versions without notices have none."""
    return config.notice_s or 0.0


def handover_check_s(config: WarmTransferConfig) -> float:
    """Return how long completion waits for an answered leg check."""
    return HANDOVER_CHECK_FACTOR * config.command_timeout_s


def guard_return_s(config: WarmTransferConfig) -> float:
    """Return how long the bridge guard repeats a return that the provider answers and does not do."""
    return CLEANUP_CHECKS_END_FACTOR * config.command_timeout_s


def ringing_s(config: WarmTransferConfig) -> int:
    """Return the ringing timeout for the provider."""
    return min(_MAX_RINGING_TIMEOUT_S, ceil(config.supervisor_join_timeout_s) + RING_MARGIN_S)


def longest_s(config: WarmTransferConfig) -> float:
    """Return how long a transfer may take: each of its waits at its longest, one after the other.

    Its log, claims and lock must not expire before. An outage of the broker adds its own length.
    """
    search_s = max(CLEANUP_CHECKS_END_FACTOR * config.command_timeout_s, MAX_CALLER_SEARCH_S)
    waits = (
        preparation_s(config),
        MAX_OUTAGE_S,
        effect_s(config),
        config.supervisor_join_timeout_s,
        config.summary_timeout_s,
        SUMMARY_GRACE_S,
        config.briefing_timeout_s,
        config.command_timeout_s,
        switching_s(config),
        config.caller_arrival_timeout_s,
        2 * config.command_timeout_s,
        RETURN_ATTEMPTS * effect_s(config),
        handover_check_s(config),
        2 * unwinding_s(config),
        effect_s(config),  # the rescue of a caller whose session is lost
        search_s,
        CLEANUP_CHECK_FACTOR * config.command_timeout_s,
        MAX_BRIDGE_GUARD_S,
    )
    return sum(waits)
