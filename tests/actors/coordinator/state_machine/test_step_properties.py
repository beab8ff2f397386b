"""The state machine is pure, and imports only msgspec, the standard library and schemas."""

import ast
import re
import sys
from pathlib import Path

import pytest

import warmxfer.actors.coordinator.state_machine as machine

FILES = sorted(Path(machine.__file__).parent.glob("*.py"))
FORBIDDEN = re.compile(r"^\s*(import|from)\s+(time|uuid|random|asyncio|nats|secrets|datetime)\b", re.M)
ALLOWED = {"msgspec", "warmxfer.schemas", *sys.stdlib_module_names}


def _imported(tree: ast.AST) -> set[str]:
    absolute = [each for each in ast.walk(tree) if isinstance(each, ast.ImportFrom) and not each.level]
    plain = [each for each in ast.walk(tree) if isinstance(each, ast.Import)]
    return {each.module or "" for each in absolute} | {name.name for each in plain for name in each.names}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_awaits_or_uses_clock_randomness_or_files(path: Path) -> None:
    source = path.read_text()
    tree = ast.parse(source)
    assert not FORBIDDEN.search(source)
    awaiting = (ast.Await, ast.AsyncFor, ast.AsyncFunctionDef, ast.AsyncWith)
    assert not [each.lineno for each in ast.walk(tree) if isinstance(each, awaiting)]
    calls = [each.func for each in ast.walk(tree) if isinstance(each, ast.Call)]
    assert not {each.id for each in calls if isinstance(each, ast.Name)} & {"open", "input", "__import__"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_imports_only_schemas_and_its_own_folder(path: Path) -> None:
    for name in _imported(ast.parse(path.read_text())):
        is_schemas = name.startswith("warmxfer.schemas")
        assert is_schemas or name in ALLOWED or name.split(".")[0] in ALLOWED, f"{path.name} imports {name}"
