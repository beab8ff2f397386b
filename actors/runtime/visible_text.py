"""Text for a person to read: without characters that a terminal acts on, or that a reader does not see.

Text from outside may hold them: the words of a caller, a reply of the provider, a name in a request. A bidi
character shows a line in another order, and an escape sequence changes the terminal.
"""

from __future__ import annotations

import re

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
"""Control characters except tab and line break, and format characters."""


def plain(text: str) -> str:
    """Return `text` on one line: each character that is not shown becomes a space."""
    return text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)


def escaped(text: str) -> str:
    r"""Return `text` with each control or format character as JSON writes it, such as `\u202e`.

    Tab and line break stay. Escaped JSON is JSON of the same value.
    """
    return text if text.isprintable() else _INVISIBLE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
