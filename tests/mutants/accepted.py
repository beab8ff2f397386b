"""The changes that no test needs to catch, each with its reason (`accepted.toml`).

A change is found again by its file, its function, its operator and the text of its lines, before and after.
So an edit above it does not matter, and an edit of the lines themselves removes the entry: then
`test_accepted.py` fails, and the change is tried again.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from .operators import Change, changes
from .targets import ROOT, target_files

LIST = Path(__file__).with_name("accepted.toml")
FIELDS = ("file", "function", "operator", "line", "becomes", "reason")

Key = tuple[str, str, str, str, str]


def accepted(path: Path = LIST) -> dict[Key, str]:
    """Return the reason of each accepted change. Raises ValueError for an entry that is not complete."""
    found: dict[Key, str] = {}
    for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("accepted", ()):
        if tuple(sorted(entry)) != tuple(sorted(FIELDS)) or not all(
            isinstance(each, str) for each in entry.values()
        ):
            raise ValueError(f"An entry has the fields {sorted(entry)}; give {', '.join(FIELDS)}: {entry}")
        key = tuple(entry[name] for name in FIELDS[:-1])
        if key in found:
            raise ValueError(f"Two entries are the same change; remove one: {entry}")
        if len(entry["reason"].split()) < 4:
            raise ValueError(
                f"The reason of an entry is {entry['reason']!r}; say why no test can fail: {entry}"
            )
        found[key] = entry["reason"]
    return found


def all_changes(root: Path = ROOT, only: str = "") -> list[Change]:
    """Return every possible change of the target files below `only`, in a fixed order."""
    return [
        change
        for file in target_files(root)
        if file.startswith(only)
        for change in changes(file, (root / file).read_text(encoding="utf-8"))
    ]


def entry(change: Change) -> str:
    """Return the entry of a change, to be added to the list with a reason."""
    values = dict(zip(FIELDS, (*change.key, ""), strict=True))
    return "[[accepted]]\n" + "".join(f"{name} = {_quoted(value)}\n" for name, value in values.items())


def _quoted(value: str) -> str:
    if "'" not in value:
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
