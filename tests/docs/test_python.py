"""Whoever pastes a Python block of ours gets no SyntaxError: each of them is a file as it stands."""

from __future__ import annotations

import pytest

from .pages import DOCS, ROOT, Block, read_page

BLOCKS = [
    block
    for page in (ROOT / "README.md", *sorted(DOCS.glob("*.md")))
    for section in read_page(page).walk()
    for block in section.blocks
    if block.language == "python"
]


def test_there_are_some() -> None:
    assert {block.where.partition(":")[0] for block in BLOCKS} >= {"README.md", "docs/migration.md"}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.where)
def test_a_python_block_can_be_pasted_into_a_file(block: Block) -> None:
    compile(block.text, block.where, "exec")
