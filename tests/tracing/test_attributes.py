"""The code gives spans no attribute but those of the list."""

from __future__ import annotations

import ast

from tests.test_layout import FILES, top_level

NOT_FOR_OTHERS = {"start_span", "start_as_current_span", "set_attribute", "set_attributes", "add_event"}
"""Methods of OpenTelemetry that would take any name and any text."""


def test_only_the_folder_of_traces_uses_the_api_of_opentelemetry() -> None:
    for path in FILES:
        if top_level(path) == "tracing":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                assert node.attr not in NOT_FOR_OTHERS, f"{path}:{node.lineno}"
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [each.name for each in node.names] + [getattr(node, "module", None) or ""]
                assert not [each for each in names if each.startswith("opentelemetry")], path


def test_no_span_takes_the_text_of_an_error() -> None:
    for path in FILES:
        if top_level(path) == "tracing":
            assert "record_exception" not in path.read_text(encoding="utf-8")
