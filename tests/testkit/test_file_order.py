"""The order of the test files: those that wait lie between others, and none of them at the end."""

from __future__ import annotations

from pathlib import Path

from .file_order import spread

ROOT = Path("/tests")


def named(*names: str) -> list[Path]:
    return [ROOT / name for name in names]


def test_files_that_wait_lie_between_others() -> None:
    files = named("bus/a.py", "bus/b.py", "bus/c.py", "bus/d.py", "cli/x.py", "e2e/y.py")
    assert spread(files, ROOT) == named(
        "cli/x.py", "bus/a.py", "e2e/y.py", "bus/b.py", "bus/c.py", "bus/d.py"
    )


def test_every_file_is_there_once_whatever_the_numbers() -> None:
    for waiting in range(5):
        for others in range(9):
            files = named(*(f"bus/{n}.py" for n in range(others)), *(f"e2e/{n}.py" for n in range(waiting)))
            assert sorted(spread(files, ROOT)) == sorted(files)


def test_a_file_elsewhere_or_at_the_top_does_not_wait() -> None:
    files = [Path("/elsewhere/e2e/a.py"), ROOT / "e2e.py", ROOT / "e2e" / "b.py"]
    assert spread(files, ROOT) == [files[2], files[0], files[1]]
