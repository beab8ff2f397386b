"""The header block of a message: text to headers and back."""

from __future__ import annotations

from collections.abc import Mapping

_ASCII_SPACE = " \t\n\r\x0b\x0c"
_VERSION = "NATS/1.0"
_VERSION_CHARS = len(_VERSION)


def parse_headers(block: bytes) -> dict[str, str]:
    """Return the headers in a block.

    A status in its first line becomes `Status` and `Description`. A line that is no header is skipped. Bytes
    that are not UTF-8 are replaced.
    """
    lines = lenient_text(block).split("\r\n")
    found: dict[str, str] = {}
    status = lines[0][_VERSION_CHARS:].strip(_ASCII_SPACE)
    if status:
        code, _, description = status.partition(" ")
        if code.isdecimal():
            found["Status"] = code
        if description:
            found["Description"] = description
    del lines[0]
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            found[name] = value.strip(_ASCII_SPACE)
    return found


def header_block(headers: Mapping[str, str]) -> str:
    """Return the header block of a message. A line break in a value becomes a space: it ends a header."""
    text = ""
    for name, value in headers.items():
        text += f"{name}: {value}\r\n"
    if text.count("\n") != len(headers) or text.count("\r") != len(headers):
        text = "".join([f"{name}: {' '.join(value.split())}\r\n" for name, value in headers.items()])
    return f"{_VERSION}\r\n{text}\r\n"


def lenient_text(data: bytes) -> str:
    """Return bytes as text. Those that are not UTF-8 are replaced."""
    return data.decode("utf-8", "replace")
