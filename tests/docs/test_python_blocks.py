"""Every Python block of the pages compiles as a file of its own."""

from __future__ import annotations

import pytest

from .pages import DOCS, ROOT, Block, read_page

BLOCKS = [
    block
    for page in (*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md")))
    for section in read_page(page).walk()
    for block in section.blocks
    if block.language == "python"
]


def test_readme_and_migration_have_python_blocks() -> None:
    assert {block.where.partition(":")[0] for block in BLOCKS} >= {"README.md", "docs/migration.md"}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.where)
def test_a_python_block_compiles_as_a_file(block: Block) -> None:
    compile(block.text, block.where, "exec")
