"""Objects that exist once for each session. They are kept on the session, and go with it.

With two such objects for one session, the second would save the first one's changes as the original state.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)


class SessionClass(Protocol[T_co]):
    """A class whose instances are made for a session."""

    __name__: str

    def __call__(self, session: Any, /) -> T_co: ...


def per_session(session: Any, cls: SessionClass[T_co]) -> T_co:
    """Return the session's instance of `cls`; the first call makes it."""
    if not has_per_session(session, cls):
        setattr(session, _attribute(cls), cls(session))
    return getattr(session, _attribute(cls))


def has_per_session(session: Any, cls: SessionClass[Any]) -> bool:
    """Return whether the session has an instance of `cls`."""
    return _attribute(cls) in vars(session)


def _attribute(cls: SessionClass[Any]) -> str:
    return f"_warmxfer_{cls.__name__.lower()}"
