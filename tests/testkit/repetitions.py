"""Repetitions of a regular expression whose work may grow faster than the text. Found in its parsed form.

Three shapes are found:

- nested: a repetition inside a repetition, where one text can be divided between the two in many ways
- adjacent: two unbounded repetitions that may take the same characters, with nothing certain between them
- searched: a search that begins anew at each place of a long repetition, and each time fails at its end

Characters stand for their kinds, in a sample. So a shape whose characters are all outside of it is missed;
`tests/test_hostile_text.py` measures what each function costs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

_parser: Any = vars(re)["_parser"]
_constants: Any = vars(re)["_constants"]

MANY = 200
"""A repetition of at least as many characters counts as unbounded."""
SAMPLE = [chr(each) for each in range(128)] + list(
    "éßÄ字一かカ가ب\u0966\u0660ก\u0301\u200d\u00a0\u2028\u202e♪\u2019·😀\ud83d"
)
REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)
LOOKS = (_constants.ASSERT, _constants.ASSERT_NOT)
_CATEGORIES = {
    _constants.CATEGORY_DIGIT: str.isdigit,
    _constants.CATEGORY_NOT_DIGIT: lambda each: not each.isdigit(),
    _constants.CATEGORY_SPACE: str.isspace,
    _constants.CATEGORY_NOT_SPACE: lambda each: not each.isspace(),
    _constants.CATEGORY_WORD: lambda each: each.isalnum() or each == "_",
    _constants.CATEGORY_NOT_WORD: lambda each: not (each.isalnum() or each == "_"),
}
Items = Sequence[tuple[Any, Any]]


class Shape(NamedTuple):
    """What a piece of an expression may begin with, end with, hold, and whether it may be empty."""

    first: frozenset[str]
    last: frozenset[str]
    all: frozenset[str]
    empty: bool


NOTHING = Shape(frozenset(), frozenset(), frozenset(), True)


def faults(pattern: str, flags: int = 0, *, searched: bool = True) -> list[str]:
    """Return the shapes that are found in `pattern`. `searched`: it may begin anywhere in a text."""
    items: Items = list(_parser.parse(pattern, flags))
    finder = _Finder(flags)
    finder.visit(items)
    if searched:
        finder.visit_search(items)
    return finder.found


class _Finder:
    def __init__(self, flags: int) -> None:
        self._flags = flags
        self.found: list[str] = []

    # ── what a piece may match ───────────────────────────────────────────────────────────────────

    def shape(self, items: Items) -> Shape:
        whole = NOTHING
        for op, value in items:
            each = self.shape_of(op, value)
            whole = Shape(
                whole.first | (each.first if whole.empty else frozenset()),
                each.last | (whole.last if each.empty else frozenset()),
                whole.all | each.all,
                whole.empty and each.empty,
            )
        return whole

    def shape_of(self, op: Any, value: Any) -> Shape:
        if op is _constants.BRANCH:
            shapes = [self.shape(list(each)) for each in value[1]]
            return Shape(
                frozenset().union(*(each.first for each in shapes)),
                frozenset().union(*(each.last for each in shapes)),
                frozenset().union(*(each.all for each in shapes)),
                any(each.empty for each in shapes),
            )
        if (inner := _inner(op, value)) is not None:
            shape = self.shape(inner)
            optional = op in (*REPEATS, _constants.POSSESSIVE_REPEAT) and value[0] == 0
            return shape._replace(empty=shape.empty or optional)
        if op in (_constants.AT, *LOOKS):
            return NOTHING
        if op is _constants.GROUPREF:
            every = frozenset(SAMPLE)
            return Shape(every, every, every, True)
        chars = frozenset(each for each in SAMPLE if self._matches(op, value, each))
        return Shape(chars, chars, chars, False)

    def _matches(self, op: Any, value: Any, char: str) -> bool:
        if op is _constants.ANY:
            return char != "\n" or bool(self._flags & re.DOTALL)
        if op is _constants.IN:
            (first, _), *_ = value
            rest = value[1:] if first is _constants.NEGATE else value
            return any(self._matches(*each, char) for each in rest) is not (first is _constants.NEGATE)
        if op is _constants.CATEGORY:
            return bool(_CATEGORIES[value](char))
        cases = {char, char.lower(), char.upper()} if self._flags & re.IGNORECASE else {char}
        codes = [ord(each) for each in cases if len(each) == 1]
        if op is _constants.RANGE:
            return any(value[0] <= each <= value[1] for each in codes)
        if op is _constants.LITERAL:
            return value in codes
        return op is _constants.NOT_LITERAL and value not in codes

    # ── the three shapes ─────────────────────────────────────────────────────────────────────────

    def visit(self, items: Items) -> None:
        """Find nested and adjacent repetitions in `items` and below."""
        self._adjacent(items)
        for op, value in items:
            if op in REPEATS and value[1] >= MANY:
                self._nested(list(value[2]))
            for each in _below(op, value):
                self.visit(each)

    def _nested(self, body: Items) -> None:
        """Find a long repetition at an edge of the body of another one, which the next round could take."""
        whole = self.shape(body)
        for index, (op, value) in enumerate(body):
            before, after = self.shape(body[:index]), self.shape(body[index + 1 :])
            if op in REPEATS and value[1] >= MANY and value[0] != value[1]:
                inner = self.shape(list(value[2]))
                if (after.empty and inner.all & (after.first | whole.first)) or (
                    before.empty and inner.all & whole.last
                ):
                    self.found.append("nested")
            elif after.empty and before.empty:
                for each in _below(op, value):
                    self._nested(each)

    def _adjacent(self, items: Items) -> None:
        """Find two long repetitions with nothing between them that the first one could not take."""
        for index, (op, value) in enumerate(items):
            if not (op in REPEATS and value[1] >= MANY):
                continue
            taken = self.shape(list(value[2])).all
            for next_op, next_value in items[index + 1 :]:
                shape = self.shape_of(next_op, next_value)
                if next_op in REPEATS and next_value[1] >= MANY and shape.first & taken:
                    self.found.append("adjacent")
                if next_op not in (_constants.AT, *LOOKS) and not shape.empty and not shape.all & taken:
                    break

    def visit_search(self, items: Items) -> None:
        """Find a long repetition that a search enters at each of its places, and that may fail after it."""
        branches = (
            [list(each) for op, value in items for each in _branches(op, value)] if len(items) == 1 else []
        )
        for each in branches:
            self.visit_search(each)
        if branches or (items and items[0][0] is _constants.AT and items[0][1] in _STARTS):
            return
        for index, (op, value) in enumerate(items):
            if op in REPEATS and value[1] >= MANY:
                taken, after = self.shape(list(value[2])).all, self.shape(items[index + 1 :])
                can_fail = not after.empty or any(
                    each in (_constants.AT, *LOOKS) for each, _ in items[index + 1 :]
                )
                if can_fail and self._may_begin_in(items[:index], taken):
                    self.found.append("searched")
                    return

    def _may_begin_in(self, items: Items, taken: frozenset[str]) -> bool:
        """Return whether `items` may match inside a text of the characters `taken`."""
        for op, value in items:
            if op is _constants.ASSERT_NOT and value[0] < 0 and taken <= self.shape(list(value[1])).all:
                return False
            if not self._fits(op, value, taken):
                return False
        return True

    def _fits(self, op: Any, value: Any, taken: frozenset[str]) -> bool:
        """Return whether one piece may match a text of the characters `taken`, which may be empty."""
        if op is _constants.BRANCH:
            return any(self._may_begin_in(list(each), taken) for each in value[1])
        shape = self.shape_of(op, value)
        if shape.empty:
            return True
        inner = _inner(op, value)
        return bool(shape.all & taken) if inner is None else self._may_begin_in(inner, taken)


_STARTS = (_constants.AT_BEGINNING, _constants.AT_BEGINNING_STRING)


def _inner(op: Any, value: Any) -> Items | None:
    if op in (*REPEATS, _constants.POSSESSIVE_REPEAT):
        return list(value[2])
    if op is _constants.SUBPATTERN:
        return list(value[3])
    return list(value) if op is _constants.ATOMIC_GROUP else None


def _branches(op: Any, value: Any) -> list[Any]:
    if op is _constants.BRANCH:
        return list(value[1])
    return [value[3]] if op is _constants.SUBPATTERN else []


def _below(op: Any, value: Any) -> list[Items]:
    if op is _constants.BRANCH:
        return [list(each) for each in value[1]]
    if op in LOOKS:
        return [list(value[1])]
    inner = _inner(op, value)
    return [] if inner is None else [inner]
