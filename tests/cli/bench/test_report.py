"""The line of a row, the page with its marks, and the plot."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from warmxfer.cli.bench import report
from warmxfer.cli.bench.plot import plot
from warmxfer.cli.bench.rows import Point, Row, Target
from warmxfer.schemas import InvalidRequest

MET = Row(name="cpu", value=9.0, unit="ms", target=Target(10.0), reference=4.0, others_cpu=0.01)
MISSED = Row(name="rate", value=90.0, unit="1/s", target=Target(180.0, "least"), problems=("lost 3",))


def test_a_line_says_whether_the_target_is_met_and_what_went_wrong() -> None:
    assert " ok " in report.line(MET)
    assert "MISSED" in report.line(MISSED)
    assert report.line(MISSED).endswith("\n    lost 3")


def test_a_page_is_renewed_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"# Before\n{report.BEGIN}old{report.END}\nAfter\n")
    report.check_page(page)
    report.write(page, [MET, MISSED], "warmxfer bench")
    text = page.read_text()
    assert text.startswith("# Before\n")
    assert text.endswith("\nAfter\n")
    assert "old" not in text
    assert "| cpu | 9 | ms | <= 10 | yes | 4 | 2.25 | 1% |" in text
    assert "| rate | 90 | 1/s | >= 180 | **no** |" in text
    assert "\nWhat the results or the ledger show to be wrong:\n\n- `rate`: lost 3\n" in text
    assert "![cost of a transfer](performance.svg)" in text
    ElementTree.fromstring((tmp_path / "performance.svg").read_text())
    report.write(page, [Row(name="memory", value=5.0, unit="MB")], "warmxfer bench")
    assert "| memory | 5 | MB |  |  |  |  |  |" in page.read_text()  # without a target nothing is met
    assert "to be wrong" not in page.read_text()
    assert page.read_text().count(report.BEGIN) == 1


def test_a_new_page_is_created(tmp_path: Path) -> None:
    report.check_page(tmp_path / "new.md")
    report.write(tmp_path / "new.md", [MET], "warmxfer bench --quick")
    assert "`warmxfer bench --quick`" in (tmp_path / "new.md").read_text()


def test_a_page_without_marks_or_directory_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# No marks\n")
    with pytest.raises(InvalidRequest, match="add both"):
        report.check_page(page)
    with pytest.raises(InvalidRequest, match="create it"):
        report.check_page(tmp_path / "nowhere" / "page.md")


@pytest.mark.parametrize(("others", "warned"), [(0.02, False), (0.4, True)])
def test_a_page_says_if_other_work_disturbed_the_figures(tmp_path: Path, others: float, warned: bool) -> None:
    row = Row(name="cpu", value=9.0, unit="ms", others_cpu=others)
    report.write(tmp_path / "page.md", [row], "warmxfer bench")
    assert ("Other work ran on the machine" in (tmp_path / "page.md").read_text()) is warned


def test_the_plot_has_a_panel_for_each_title_and_a_circle_for_each_figure() -> None:
    rows = [
        Row(name="a", value=9.0, unit="ms", point=Point("CPU <ms>", 10, "1 of each role")),
        Row(name="b", value=8.0, unit="ms", point=Point("CPU <ms>", 50, "1 of each role")),
        Row(name="c", value=7.0, unit="ms", point=Point("CPU <ms>", 50, "2 of each role")),
        Row(name="d", value=25.0, unit="KB", point=Point("Memory", 1_000)),
        Row(name="e", value=None, unit="KB", point=Point("Memory", 5_000)),
        MET,
    ]
    image = ElementTree.fromstring(plot(rows))
    names = [element.tag.rpartition("}")[2] for element in image.iter()]
    assert (names.count("circle"), names.count("polyline")) == (4, 3)
    texts = [element.text for element in image.iter() if element.tag.endswith("text")]
    assert {"CPU <ms>", "Memory", "1 of each role", "2 of each role"} <= set(texts)


def test_a_plot_without_points_is_still_an_image() -> None:
    ElementTree.fromstring(plot([MET]))
