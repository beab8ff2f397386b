"""Files of others are what npm publishes, byte by byte, with their licences."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from warmxfer.cli.board.web_app import PAGE

SHIPPED = PAGE / "vendor"
FOR_TESTS = Path(__file__).parent / "vendor"
SHA256 = {
    SHIPPED / "preact.mjs": "bdcbd9abdf2c77c5c45326eab42191e949222d479d0d5f69467387a77040cb55",
    SHIPPED / "preact-LICENSE.txt": "1fe6958409c8c257a70c587a18b6f7f412b179b456630790d30b2ec9a8e4b7d4",
    SHIPPED / "htm.js": "ab33dd3f38059b9be4d5f5350128eefb2356639c4e0bbe9d9e8b3ba75847e9e4",
    SHIPPED / "htm-LICENSE.txt": "740725f7252e750af735d0028cc534970772f513331e9f68150fede8fb3ce00f",
    FOR_TESTS / "axe.min.js": "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c",
    FOR_TESTS / "axe-LICENSE.txt": "af175b9d96ee93c21a036152e1b905b0b95304d4ae8c2c921c7609100ba8df7e",
}
"""preact 11.2.0 (dist/preact.mjs), htm 3.1.1 (dist/htm.module.js), axe-core 4.14.1 (axe.min.js)."""


@pytest.mark.parametrize("path", SHA256, ids=lambda path: path.name)
def test_a_file_is_unchanged(path: Path) -> None:
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA256[path]


def test_every_file_is_listed() -> None:
    found = {path for folder in (SHIPPED, FOR_TESTS) for path in folder.iterdir()}
    assert found == set(SHA256)
