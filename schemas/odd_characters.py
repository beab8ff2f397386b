"""Characters that a person cannot see in a text that they pasted, or cannot tell from those of ASCII."""

from __future__ import annotations

import unicodedata

_ESCAPED_CLEARLY = "\n\r\t"


def odd_character(text: str, *, ascii_only: bool) -> str:
    """Return the first character that people cannot see in `text`, by its code and name, or "".

    `ascii_only`: also the first one that only looks like a character of ASCII.
    """
    for position, each in enumerate(text, 1):
        invisible = not each.isprintable() and each not in _ESCAPED_CLEARLY
        if not invisible and (each.isascii() or not ascii_only):
            continue
        if each.isdigit():
            return f"a digit that is none of 0-9 at position {position}"
        name = unicodedata.name(each, "")
        named = f"U+{ord(each):04X}" + (f" ({name})" if name else "")
        return f"the {'invisible ' if invisible else ''}character {named} at position {position}"
    return ""
