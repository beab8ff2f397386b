"""Makes a process one of a pretended newer version. Python imports this module at start if it is on the path.

It changes the source of some modules while they are imported. The newer version has:

- a new field in every struct of a message, a record, a claim and a lock,
- a higher version of the state machine,
- another word for one stage and for one outcome; it reads the older words too.

A change that finds no place in the source fails the import: then this file has to follow the source.
"""

from __future__ import annotations

import ast
import importlib.machinery
import re
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).resolve().parents[3]
NEW_FIELD = (
    'a_newer_field: dict = __import__("msgspec").field(default_factory=lambda: {"more": [1, {"deep": True}]})'
)
STRUCTS = (
    "schemas/commands.py",
    "schemas/events.py",
    "schemas/queries.py",
    "schemas/transfer.py",
    "actors/coordinator/caller_lock.py",
    "actors/coordinator/state_machine/record.py",
    "actors/coordinator/state_machine/state.py",
    "actors/gateway/at_most_once.py",
)
"""Modules whose structs get a new field."""

OLDER_WORD = """
    @classmethod
    def _missing_(cls, value):
        return cls.{member} if value == "{word}" else None
"""


def _other_word(member: str, word: str, newer: str) -> tuple[str, str]:
    line = f'    {member} = "{word}"\n'
    return re.escape(line), f'    {member} = "{newer}"\n' + OLDER_WORD.format(member=member, word=word)


CHANGES: dict[str, tuple[tuple[str, str], ...]] = {
    "actors/coordinator/state_machine/record.py": (
        (r"(?m)^MACHINE_VERSION = \d+$", "MACHINE_VERSION = 1_000"),
    ),
    "actors/coordinator/state_machine/state.py": (
        _other_word("BRIEFING", "briefing", "asking_the_supervisor"),
    ),
    "actors/common/sent_by_log.py": (
        ('"ringing", "briefing"', '"ringing", "briefing", "asking_the_supervisor"'),
        ('stage == "briefing"', 'stage in ("briefing", "asking_the_supervisor")'),
    ),
    "schemas/outcomes.py": (_other_word("DECLINED", "declined", "supervisor_declined"),),
    "adapters/telephony/videosdk/request_bodies.py": (
        (r"(?m)^    ringing_timeout_s = ", '    options.pop("aNewerField", None)\n    ringing_timeout_s = '),
    ),
}
"""Pattern and replacement for the source of each of these modules. Each pattern is found once."""


def _newer_source(name: str, source: str) -> str:
    for pattern, replacement in CHANGES.get(name, ()):
        source, count = re.subn(pattern, lambda _, text=replacement: text, source)
        if count != 1:
            raise ImportError(f"{name} has {pattern!r} {count} times; change {__file__}")
    return source


def _newer_code(name: str, path: str) -> CodeType:
    tree = ast.parse(_newer_source(name, Path(path).read_text(encoding="utf-8")))
    if name in STRUCTS:
        for each in tree.body:
            if isinstance(each, ast.ClassDef) and any(
                isinstance(base, ast.Name) and base.id == "Struct" for base in each.bases
            ):
                each.body.append(ast.parse(NEW_FIELD).body[0])
    return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)


def _name_of(path: str) -> str:
    resolved = Path(path).resolve()
    return str(resolved.relative_to(ROOT)) if resolved.is_relative_to(ROOT) else ""


_real_get_code = importlib.machinery.SourceFileLoader.get_code


def _get_code(self: importlib.machinery.SourceFileLoader, fullname: str) -> CodeType | None:
    path = self.get_filename(fullname)
    name = _name_of(path)
    return _newer_code(name, path) if name in STRUCTS or name in CHANGES else _real_get_code(self, fullname)


importlib.machinery.SourceFileLoader.get_code = _get_code  # type: ignore[method-assign]
