"""What each user of the broker may do, made from the subject table and the consumer table. Pure.

A permission of the broker covers the subject of a message, and not its reply subject. Whatever the broker
replies, it publishes on the reply subject, in the account of the request: the acknowledgement of a write, a
stored message. So in one account any user could write on any subject, through a reply. Therefore a tenant has
two accounts:

    <tenant>          the streams; the users `coordinator` and `deploy`
    <tenant>-users    no stream; all other users

What the others need is imported into their account, subject by subject. At the border the broker replaces the
reply subject, so a reply reaches the account of the request and nothing else (`test_reply_subjects.py`).

- Invariant: a user reads many messages of a stream at once only if it may read every message there. The
  broker cannot limit such a read to a subject.
- Invariant: a user of the second account writes only subjects that the table gives it, and only one user
  writes the subjects of the coordinator.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from .consumer_table import CONSUMERS, consumers_of
from .subject_table import (
    ACTORS,
    ANNOUNCED,
    COORDINATOR,
    DEPLOY,
    INCLUDED,
    OPERATOR,
    STREAMS,
    SUBJECTS,
    USERS,
    WHO_COUNTS_PROCESSES,
    rights,
)
from .subjects import place_of

OF_STREAMS = (COORDINATOR, DEPLOY)
"""The users of the account that has the streams."""
INBOX = "_INBOX"
_API = "$JS.API"
_SERVICES = "$SRV"
_VERBS = ("PING", "INFO", "STATS")
_IMPORTED_REPLIES = "_R_.>"
"""Where the broker expects the reply to a request from another account."""


class Rights(NamedTuple):
    """The subjects that a user may publish on and subscribe to."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


class Border(NamedTuple):
    """What the account of the streams offers to the account of the other users."""

    services: tuple[str, ...]
    """One reply to a request."""
    batches: tuple[str, ...]
    """Several replies to a request."""
    live: tuple[str, ...]
    """Messages as they are published."""


def rights_of(user: str, login: str | None = None, known: Collection[str] = USERS) -> Rights:
    """Return the rights of `user`, whose name at the broker, and in its inbox, is `login`.

    `known` are the users that may ask it something.
    """
    inbox = f"{INBOX}.{login or user}.>"
    if user == DEPLOY:
        return Rights((f"{_API}.>",), (inbox,))
    pinged = (f"{_SERVICES}.>",) if _is_actor(user) else ()
    return Rights(
        _unique([*_written(user), *_api_of(user), *_replied_to(user, login or user, known)]),
        _unique([inbox, *live_reads(user), *pinged]),
    )


def border() -> Border:
    """Return what crosses from the account of the streams to that of the other users."""
    others = [user for user in USERS if user not in OF_STREAMS]
    used = _widest([subject for user in others for subject in _used_across(user)])
    batches = tuple(each for each in used if _has_several_replies(each))
    read = _widest([subject for user in others for subject in live_reads(user)])
    live = tuple(each for each in read if _is_from_coordinator(each))
    return Border(tuple(each for each in used if each not in batches), batches, live)


def whole_streams(user: str) -> tuple[str, ...]:
    """Return the streams of which `user` may read every message."""
    return tuple(
        stream
        for stream in STREAMS
        if all(spec.is_read_by(user) for spec in SUBJECTS if spec.stream == stream)
    )


def literal_reads(user: str) -> tuple[str, ...]:
    """Return the filters of which `user` may read the newest message, as they are stored.

    A writer may read what it wrote: by it, a repeat is told from the message of another.
    """
    found = [
        each
        for spec in SUBJECTS
        if spec.captured
        for each in ((spec.filter,) if spec.is_read_by(user) else spec.written_by(user))
    ]
    return _unique([place_of(each).subject for each in found])


def live_reads(user: str) -> tuple[str, ...]:
    """Return the filters that `user` may subscribe to: what only the coordinator writes, and requests to it.

    What other users write is read from the streams only.
    """
    return tuple(
        spec.filter
        for spec in SUBJECTS
        if any(each in spec.readers for each in rights(user))
        and (user in OF_STREAMS or not spec.captured or spec.writers == (COORDINATOR,))
    )


def _written(user: str) -> list[str]:
    return [each for spec in SUBJECTS for each in spec.written_by(user)]


def _api_of(user: str) -> list[str]:
    """Return the subjects of the broker's own services that `user` needs."""
    found = [f"{_API}.INFO"]
    whole = whole_streams(user)
    for stream in whole:
        found += [f"{_API}.DIRECT.GET.{stream}", f"{_API}.STREAM.MSG.GET.{stream}"]
    found += [f"{_API}.DIRECT.GET.{place_of(each).stream}.{each}" for each in literal_reads(user)]
    for role in rights(user):
        for name in consumers_of(role):
            _, stream, subject = CONSUMERS[name]
            found += [
                f"{_API}.CONSUMER.INFO.{stream}.{name}",
                f"{_API}.CONSUMER.CREATE.{stream}.{name}.{subject}",
                f"{_API}.CONSUMER.RESET.{stream}.{name}",
                f"{_API}.CONSUMER.MSG.NEXT.{stream}.{name}",
                f"$JS.ACK.{stream}.{name}.>",
            ]
    if any(each in WHO_COUNTS_PROCESSES for each in rights(user)):
        found += [f"{_SERVICES}.PING", f"{_SERVICES}.STATS"]
    if OPERATOR in rights(user):
        # The command line of NATS asks these too: all services, or those of one name.
        found += [f"{_SERVICES}.INFO", *(f"{_SERVICES}.{verb}.*" for verb in _VERBS)]
    if any(each in (COORDINATOR, OPERATOR) for each in rights(user)):
        found.append(f"{_API}.STREAM.NAMES")
        for stream in STREAMS:
            found += [f"{_API}.STREAM.INFO.{stream}", f"{_API}.CONSUMER.LIST.{stream}"]
    if user == COORDINATOR:
        found += [
            f"{_API}.STREAM.{verb}.{stream}"
            for stream in STREAMS
            for verb in ("CREATE", "UPDATE", "PURGE", "MSG.DELETE")
        ]
        found += [
            f"{_API}.CONSUMER.{verb}"
            for name, (_, stream, subject) in CONSUMERS.items()
            for verb in (f"INFO.{stream}.{name}", f"CREATE.{stream}.{name}.{subject}")
        ]
    return found


def _replied_to(user: str, login: str, known: Collection[str]) -> list[str]:
    """Return the inboxes of those whose requests `user` replies to."""
    if user in OF_STREAMS:
        return [_IMPORTED_REPLIES]
    tenant = login.removesuffix(user)
    requests = [spec for spec in SUBJECTS if not spec.captured and spec.name not in ANNOUNCED]
    requesters = {each for spec in requests if spec.is_read_by(user) for each in spec.writers}
    if _is_actor(user):
        requesters.update(WHO_COUNTS_PROCESSES)
    requesters |= {each for each, others in INCLUDED.items() if requesters.intersection(others)}
    return [f"{INBOX}.{tenant}{each}.>" for each in known if each in requesters and each != COORDINATOR]


def _used_across(user: str) -> list[str]:
    """Return what a user of the second account publishes and the first account serves."""
    served_there = [spec.filter for spec in SUBJECTS if not spec.captured and COORDINATOR in spec.readers]
    asked = [each for spec in SUBJECTS if not spec.captured for each in spec.written_by(user)]
    stored = [each for spec in SUBJECTS if spec.captured for each in spec.written_by(user)]
    return [
        *stored,
        *(each for each in asked if any(_covers(other, each) for other in served_there)),
        *_api_of(user),
    ]


def _has_several_replies(subject: str) -> bool:
    many = {f"{_API}.DIRECT.GET.{stream}" for stream in STREAMS}
    many |= {f"{_SERVICES}.{verb}{name}" for verb in _VERBS for name in ("", ".*")}
    return subject in many or subject.startswith(f"{_API}.CONSUMER.MSG.NEXT.")


def _is_from_coordinator(filter: str) -> bool:
    return any(spec.filter == filter and spec.captured for spec in SUBJECTS)


def _is_actor(user: str) -> bool:
    return any(each in ACTORS for each in rights(user))


def _widest(subjects: list[str]) -> tuple[str, ...]:
    """Return the subjects that no other one covers. A request that matches two would be served twice."""
    found = _unique(subjects)
    return tuple(one for one in found if not any(_covers(other, one) for other in found if other != one))


def _covers(wide: str, narrow: str) -> bool:
    ones, others = wide.split("."), narrow.split(".")
    if ones[-1] == ">":
        ones, others = ones[:-1], others[: len(ones) - 1]
    return len(ones) == len(others) and all(a in ("*", b) for a, b in zip(ones, others, strict=True))


def _unique(subjects: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(subjects))
