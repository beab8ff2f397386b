"""What is a session's own: there is one of each kind, kept on the session, and gone with it.

Whether a session is muted, or on the bus, is true of the session, not of whoever looks at it. Two who hold it
would otherwise undo each other's work: the second remembers as the way it was what the first has made of it.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Kind(Protocol[T_co]):
    """A class that is made for a session."""

    __name__: str

    def __call__(self, session: Any, /) -> T_co: ...


def per_session(session: Any, kind: Kind[T_co]) -> T_co:
    """The session's `kind`, made when it is asked for first."""
    if not has_per_session(session, kind):
        setattr(session, _name(kind), kind(session))
    return getattr(session, _name(kind))


def has_per_session(session: Any, kind: Kind[Any]) -> bool:
    """Whether that was made yet."""
    return _name(kind) in vars(session)


def _name(kind: Kind[Any]) -> str:
    return f"_warmxfer_{kind.__name__.lower()}"
