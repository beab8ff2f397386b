"""Every Python block of the pages compiles as a file of its own."""

from __future__ import annotations

import ast
import importlib
from importlib.util import find_spec

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


def imported_from_us(block: Block) -> list[tuple[str, str]]:
    """Return every (module, name) that the block imports from warmxfer."""
    return [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(block.text))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("warmxfer")
        for alias in node.names
    ]


IMPORTS = sorted({found for block in BLOCKS for found in imported_from_us(block)})


@pytest.mark.parametrize(("module", "name"), IMPORTS)
def test_every_name_that_a_python_block_imports_from_us_exists(module: str, name: str) -> None:
    if "videosdk" in module and find_spec("videosdk") is None:
        pytest.skip("the extra videosdk is not installed")
    assert hasattr(importlib.import_module(module), name)
