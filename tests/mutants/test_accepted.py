"""The list of accepted changes: each entry has a reason, and is a change of the code as it is now."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from .__main__ import diff, draw, main
from .accepted import accepted, all_changes, entry

COMPLETE = """
[[accepted]]
file = 'bus/x.py'
function = 'f'
operator = 'comparison'
line = 'if a < b:'
becomes = 'if a <= b:'
reason = '{reason}'
"""
REASON = "A float is never exactly the limit."


def test_every_accepted_change_is_a_change_of_the_code() -> None:
    """An entry whose lines were edited accepts nothing any more: remove it, and try the change out."""
    possible = {change.key for change in all_changes()}
    assert [key for key in accepted() if key not in possible] == []


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (COMPLETE.format(reason=REASON).replace("line = 'if a < b:'\n", ""), "give file, function"),
        (COMPLETE.format(reason=""), "say why no test can fail"),
        (COMPLETE.format(reason="equivalent"), "say why no test can fail"),
        (2 * COMPLETE.format(reason=REASON), "Two entries"),
    ],
)
def test_an_entry_without_a_reason_or_a_field_is_refused(tmp_path: Path, text: str, error: str) -> None:
    path = tmp_path / "accepted.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=error):
        accepted(path)


def test_the_printed_entry_accepts_its_change(tmp_path: Path) -> None:
    for change in all_changes(only="bus/pull_consumer.py"):
        path = tmp_path / "accepted.toml"
        text = entry(change)
        assert tomllib.loads(text)["accepted"][0]["reason"] == ""
        path.write_text(text.replace("reason = ''", f"reason = '{REASON}'"), encoding="utf-8")
        assert accepted(path) == {change.key: REASON}


def test_a_seed_draws_the_same_changes_and_another_seed_others() -> None:
    possible = all_changes(only="actors/coordinator/")
    assert draw(possible, 20, 1) == draw(possible, 20, 1) != draw(possible, 20, 2)
    assert len(set(draw(possible, 20, 1))) == 20
    assert len(draw(possible, 10_000, 1)) == len(possible)


def test_the_seed_is_printed_and_only_the_wanted_files_are_drawn(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "sys.argv", ["mutants", "--list", "--seed", "7", "--count", "3", "--only", "bus/timers.py"]
    )
    assert main() == 0
    first, *drawn = capsys.readouterr().out.splitlines()
    assert first.startswith("seed 7: 3 of ")
    assert [line.partition(":")[0] for line in drawn] == 3 * ["bus/timers.py"]


def test_a_diff_shows_the_two_lines() -> None:
    change = next(
        each
        for each in all_changes(only="bus/pull_consumer.py")
        if "SILENCE_S" in each.line and ">=" in each.becomes
    )
    lines = diff(change).splitlines()
    assert [line[0] for line in lines if change.function and "SILENCE_S" in line] == ["-", "+"]
