"""What may change in each of the two lists of the wire, and the sentence for what may not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from .wire_fields import REQUIRED

Wire = dict[str, dict[str, Any]]
"""Section, name of the fact, and its value."""

COMMAND = "python -m tests.golden.wire --write"
ADDED = f"is new; add it to the public list with: {COMMAND}"
LAYOUT = "stream", "layout"


class Difference(NamedTuple):
    """A fact that the list and the code do not share. `held` or `found` is None where the fact is missing."""

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
    """Compare a list with the code, fact by fact."""
    for section in sorted(held | found):
        old, new = held.get(section, {}), found.get(section, {})
        for name in sorted(old | new):
            if old.get(name) != new.get(name):
                yield Difference(section, name, old.get(name), new.get(name))


def public_faults(held: Wire, found: Wire) -> list[str]:
    """What breaks a user of the public list, and cannot be accepted by writing the list anew."""
    faults: list[str] = []
    for each in differences(held, found):
        if each.held is not None:
            faults.append(f"{each}; users depend on it, so change it back")
        elif _is_required(each, held):
            faults.append(f"{each}; give the field a default, because older programs do not write it")
    return faults


def public_additions(held: Wire, found: Wire) -> list[str]:
    """What the code has and the public list lacks, and what to do about it."""
    news = (each for each in differences(held, found) if each.held is None and not _is_required(each, held))
    return [f"{each.section}: {each.name} {ADDED}" for each in news]


def internal_faults(held: Wire, found: Wire) -> list[str]:
    """Every difference between the internal list and the code."""
    return [str(each) for each in differences(held, found)]


def layout_faults(held: Wire, found: Wire) -> list[str]:
    """Why the internal list may not be written anew: it changed, and the layout number did not."""
    section, name = LAYOUT
    if held.get(section, {}).get(name) != found[section][name]:
        return []
    remedy = "raise LAYOUT in bus/stream.py in the same commit"
    return [f"{each}; {remedy}" for each in differences(held, found)]


def _is_required(difference: Difference, held: Wire) -> bool:
    """A field that older programs do not write, in an object that they do write."""
    parent = difference.name.rpartition(".")[0].rstrip("[]{}")
    return parent in held.get(difference.section, {}) and str(difference.found).endswith(f"; {REQUIRED}")
