"""The kinds of changes (operators), and every place of a source text at which one is possible.

Pure. Not changed are:

- type annotations, decorators, docstrings, texts, assertions
- log lines, and the sentences of errors: no code depends on them
- numbers and tables that a module assigns at its top level: they are choices, and a test that repeats a
  choice proves nothing
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

_COMPARE: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
_NEGATED = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
"""Comparisons whose change is also the negation of the condition."""
_ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
}
_EXTREMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
_NO_SWAP = frozenset({"isinstance", "getattr", "setattr", "cast", *_EXTREMES})
_NO_SWAP_WITH = frozenset({"ctx", "context", "connection", "bus", "self"})
"""First arguments of another type than all others: every test that runs the line catches the swap."""


@dataclass(frozen=True, slots=True)
class Change:
    """One possible change: `source[start:end]`, in bytes, becomes `text`."""

    file: str
    function: str
    """Qualified name of the function or class that holds the place; empty at the top level."""
    operator: str
    number: int
    """Number of the line. It is no part of the key, because it changes with every edit above."""
    line: str
    """The lines of the place without indentation, joined by single spaces."""
    becomes: str
    """The same lines after the change."""
    start: int
    end: int
    text: str

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What identifies the change while the lines above it are edited."""
        return (self.file, self.function, self.operator, self.line, self.becomes)

    def applied(self, source: str) -> str:
        """Return `source` with the change."""
        raw = source.encode()
        return (raw[: self.start] + self.text.encode() + raw[self.end :]).decode()


def changes(file: str, source: str) -> list[Change]:
    """Return every possible change of `source`, in the order of the text, each once."""
    finder = _Finder(file, source)
    finder.visit(ast.parse(source))
    unique = {(each.start, each.end, each.text): each for each in finder.found}
    return sorted(unique.values(), key=lambda each: (each.start, each.end, each.text))


class _Finder(ast.NodeVisitor):
    """Collects the changes of one file."""

    def __init__(self, file: str, source: str) -> None:
        self._file = file
        self._raw = source.encode()
        self._starts = [0, *accumulate(map(len, self._raw.splitlines(keepends=True)))]
        """Where each line begins, and the end of the text."""
        self._names: list[str] = []
        self._in_function = False
        self.found: list[Change] = []

    # ── definitions ──────────────────────────────────────────────────────────────────────────────

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        outer, self._in_function = self._in_function, True
        self._names.append(node.name)
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.visit(default)
        for statement in node.body:
            self.visit(statement)
        self._names.pop()
        self._in_function = outer

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._names.append(node.name)
        for statement in node.body:
            self.visit(statement)
        self._names.pop()

    def visit_Assign(self, node: ast.Assign) -> None:
        if not self._in_function:
            return
        self._remove_assignment(node, node.targets)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None and (self._in_function or _is_bool(node.value)):
            self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._remove_assignment(node, [node.target])
        if swap := _ARITHMETIC.get(type(node.op)):
            self._between(node.target, node.value, "arithmetic", f"{swap[0]}=", f"{swap[1]}=")
        self.visit(node.value)

    def visit_Assert(self, node: ast.Assert) -> None:
        """Change nothing: an assertion of the product is for the type checker."""

    # ── statements ───────────────────────────────────────────────────────────────────────────────

    def visit_Expr(self, node: ast.Expr) -> None:
        value = node.value
        if isinstance(value, ast.Constant | ast.Yield | ast.YieldFrom) or _is_log(value):
            return
        if isinstance(value, ast.Await):
            self._add(node, "await removed", "pass")
        elif isinstance(value, ast.Call):
            self._add(node, "call removed", "pass")
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is None:
            self._add(node, "return removed", "pass")
        elif not (isinstance(node.value, ast.Constant) and node.value.value is None):
            self._add(node, "return value", "return None")
            self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._add(node, "raise removed", "pass")

    def visit_Continue(self, node: ast.Continue) -> None:
        self._add(node, "jump removed", "pass")

    def visit_Break(self, node: ast.Break) -> None:
        self._add(node, "jump removed", "pass")

    def visit_Delete(self, node: ast.Delete) -> None:
        self._add(node, "deletion removed", "pass")

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._negate(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        if not isinstance(node.test, ast.Constant):
            self._negate(node.test)
            self.visit(node.test)
        for statement in (*node.body, *node.orelse):
            self.visit(statement)

    # ── expressions ──────────────────────────────────────────────────────────────────────────────

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for condition in node.ifs:
            self._negate(condition)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        sides = [node.left, *node.comparators]
        for left, op, right in zip(sides, node.ops, sides[1:], strict=False):
            self._between(left, right, "comparison", *_COMPARE[type(op)])
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        words = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._between(left, right, "boolean", *words)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._add(node, "boolean", f"({self._text(node.operand)})")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        swap = _ARITHMETIC.get(type(node.op))
        if swap and not any(
            isinstance(side, ast.JoinedStr) or _is_text(side) for side in (node.left, node.right)
        ):
            self._between(node.left, node.right, "arithmetic", *swap)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self._add(node, "constant", str(not value))
        elif isinstance(value, int | float):
            self._add(node, "constant", repr(value + 1))

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Change nothing inside of a text."""

    def visit_Call(self, node: ast.Call) -> None:
        if _is_log(node):
            return
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in _EXTREMES:
            self._add(node.func, "extreme", _EXTREMES[name])
        args = node.args
        plain = len(args) >= 2 and not any(isinstance(each, ast.Starred) for each in args)
        if plain and name not in _NO_SWAP:
            first, second = self._text(args[0]), self._text(args[1])
            if first != second and first not in _NO_SWAP_WITH:
                between = self._raw[self._span(args[0])[1] : self._span(args[1])[0]].decode()
                span = (self._span(args[0])[0], self._span(args[1])[1])
                self._add_span(span, "arguments swapped", f"{second}{between}{first}")
        self.generic_visit(node)

    # ── helpers ──────────────────────────────────────────────────────────────────────────────────

    def _negate(self, test: ast.expr) -> None:
        """Negate a condition, unless another operator does the same."""
        is_negated = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
        is_compared = (
            isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], _NEGATED)
        )
        if not (is_negated or is_compared):
            self._add(test, "condition negated", f"(not ({self._text(test)}))")

    def _remove_assignment(self, node: ast.stmt, targets: list[ast.expr]) -> None:
        """Remove an assignment to an attribute or an item, outside of a constructor."""
        lasting = all(isinstance(each, ast.Attribute | ast.Subscript) for each in targets)
        if lasting and "__init__" not in self._names:
            self._add(node, "assignment removed", "pass")

    def _between(self, left: ast.expr, right: ast.expr, operator: str, old: str, new: str) -> None:
        start, end = self._span(left)[1], self._span(right)[0]
        between = self._raw[start:end].decode()
        pattern = re.compile(r"\b" + old.replace(" ", r"\s+") + r"\b" if old[0].isalpha() else re.escape(old))
        found = pattern.search(between)
        if found is not None:
            self._add_span((start + found.start(), start + found.end()), operator, new)

    def _add(self, node: ast.AST, operator: str, text: str) -> None:
        self._add_span(self._span(node), operator, text)

    def _add_span(self, span: tuple[int, int], operator: str, text: str) -> None:
        start, end = span
        first, last = self._number(start), self._number(end - 1)
        region = slice(self._starts[first - 1], self._starts[last])
        before, after = (
            self._raw[region],
            (self._raw[region.start : start] + text.encode() + self._raw[end : region.stop]),
        )
        self.found.append(
            Change(
                self._file,
                ".".join(self._names),
                operator,
                first,
                " ".join(before.decode().split()),
                " ".join(after.decode().split()),
                start,
                end,
                text,
            )
        )

    def _number(self, offset: int) -> int:
        return bisect_right(self._starts, offset)

    def _span(self, node: Any) -> tuple[int, int]:
        start = self._starts[node.lineno - 1] + node.col_offset
        return start, self._starts[node.end_lineno - 1] + node.end_col_offset

    def _text(self, node: ast.AST) -> str:
        start, end = self._span(node)
        return self._raw[start:end].decode()


def _is_log(node: ast.AST) -> bool:
    call = node.value if isinstance(node, ast.Await) else node
    func = call.func if isinstance(call, ast.Call) else None
    return isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id == "log"


def _is_bool(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, bool)


def _is_text(node: ast.AST) -> bool:
    is_literal = isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    return is_literal or isinstance(node, ast.JoinedStr)
