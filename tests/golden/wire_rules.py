"""Rules for changes of the two wire lists, and an error sentence for each forbidden change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from .wire_fields import REQUIRED

Wire = dict[str, dict[str, Any]]
"""Section, name of the fact, and its value."""

COMMAND = "python -m tests.golden.wire --write"
ADDED = f"is new; add it to the public list with: {COMMAND}"
WIDER = f"takes more values now; write it to the public list with: {COMMAND}"
LENGTH = f"has a length now; write it to the public list with: {COMMAND}"
LAYOUT = "stream", "layout"
REQUEST_FIELD = "request."
"""Only users write the fields below it, and only warmxfer reads them. So they may take more values."""
_OF_USERS = re.compile(r"(request|cancel|api\.(start|transfer|list|cancel|dead_letters))\.(?!reply\b|one\b)")
"""The fields that users write."""
_LENGTH = re.compile(r" max_length=[0-9]+")


class Difference(NamedTuple):
    """Fact that differs between the list (`held`) and the code (`found`). A missing fact is None."""

    section: str
    name: str
    held: Any
    found: Any

    def __str__(self) -> str:
        fact = f"{self.section}: {self.name}"
        if self.found is None:
            return f"{fact} is gone; it was {self.held!r}"
        if self.held is None:
            return f"{fact} is new; it is {self.found!r}"
        return f"{fact} was {self.held!r} and is {self.found!r}"


def differences(held: Wire, found: Wire) -> Iterator[Difference]:
    """Yield all differences between a list and the code."""
    for section in sorted(held | found):
        old, new = held.get(section, {}), found.get(section, {})
        for name in sorted(old | new):
            if old.get(name) != new.get(name):
                yield Difference(section, name, old.get(name), new.get(name))


def public_faults(held: Wire, found: Wire) -> list[str]:
    """Return the changes that break users. Writing the list again does not accept them."""
    faults: list[str] = []
    for each in differences(held, found):
        if _is_wider(each) or (_gains_length(each) and not _OF_USERS.match(each.name)):
            continue
        if each.held is not None:
            faults.append(f"{each}; users depend on it, so change it back")
        elif _is_required(each, held):
            faults.append(f"{each}; give the field a default, because older programs do not write it")
    return faults


def public_additions(held: Wire, found: Wire) -> list[str]:
    """Return the facts that the public list lacks, each with the command that adds it."""
    news = (each for each in differences(held, found) if each.held is None and not _is_required(each, held))
    wider = (each for each in differences(held, found) if _is_wider(each))
    lengths = (each for each in differences(held, found) if _gains_length(each))
    return [
        *(f"{each.section}: {each.name} {ADDED}" for each in news),
        *(f"{each}; {WIDER}" for each in wider),
        *(f"{each}; {LENGTH}" for each in lengths),
    ]


def internal_faults(held: Wire, found: Wire) -> list[str]:
    """Return all differences between the internal list and the code."""
    return [str(each) for each in differences(held, found)]


def layout_faults(held: Wire, found: Wire) -> list[str]:
    """Return what differs from the internal list if its layout number did not change.

    A pure addition needs no new number: no older process reads or writes it. A length that a text, a list or
    an object gains needs none either: the writers of every version keep it, and older readers take it.
    """
    section, name = LAYOUT
    if held.get(section, {}).get(name) != found[section][name]:
        return []
    remedy = "raise LAYOUT in bus/stream.py in the same commit"
    changes = (
        each
        for each in differences(held, found)
        if (_is_required(each, held) if each.held is None else not _gains_length(each))
    )
    return [f"{each}; {remedy}" for each in changes]


def _is_wider(difference: Difference) -> bool:
    """Return whether a field of a request takes each value that it took, and others or none too."""
    if difference.section != "messages" or not difference.name.startswith(REQUEST_FIELD):
        return False
    if not isinstance(difference.held, str) or not isinstance(difference.found, str):
        return False
    (held, held_rest), (found, found_rest) = (
        each.partition("; ")[::2] for each in (difference.held, difference.found)
    )
    may_be_left_out = held_rest == REQUIRED
    return (held_rest == found_rest or may_be_left_out) and set(held.split(" | ")) <= set(found.split(" | "))


def _gains_length(difference: Difference) -> bool:
    """Return whether a field without any length has got lengths, and nothing else has changed.

    A reader of what warmxfer writes may rely on one thing more.
    """
    if not isinstance(difference.held, str) or not isinstance(difference.found, str):
        return False
    return difference.held != difference.found and _LENGTH.sub("", difference.found) == difference.held


def _is_required(difference: Difference, held: Wire) -> bool:
    """Return whether a new field is required in an object that older programs write."""
    parent = difference.name.rpartition(".")[0].rstrip("[]{}")
    return parent in held.get(difference.section, {}) and str(difference.found).endswith(f"; {REQUIRED}")
