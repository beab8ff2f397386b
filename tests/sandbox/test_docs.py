"""docs/sandbox.md agrees with the code."""

import re
from pathlib import Path

from warmxfer.sandbox.api.app import ADMIN_PREFIX, OPEN_ROUTES
from warmxfer.sandbox.faults import HTTP_KINDS, JOIN_KINDS, KEY_KINDS, LLM_KINDS, SWITCH_KINDS, WEBHOOK_KINDS
from warmxfer.sandbox.people.personas import CALLERS, SUPERVISORS

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()


def test_the_page_lists_exactly_the_people_of_the_code() -> None:
    documented = dict(re.findall(r"^\| `(\+\d+)` \| `(\w+)` \|", PAGE, re.M))
    assert documented == {number: person.script for number, person in {**SUPERVISORS, **CALLERS}.items()}


def test_the_page_states_the_ringing_time_of_each_person() -> None:
    for number, person in SUPERVISORS.items():
        [line] = re.findall(rf"^\| `{re.escape(number)}`.*$", PAGE, re.M)
        for documented in re.findall(r"rings (\d+\.\d)", line):
            assert float(documented) == person.ring_s, line


def test_the_page_lists_every_fault() -> None:
    faults = PAGE.partition("## Faults")[2]
    named = set(re.findall(r"`(\w+)`", faults))
    assert named >= HTTP_KINDS | LLM_KINDS | WEBHOOK_KINDS | SWITCH_KINDS | JOIN_KINDS | KEY_KINDS


def test_the_page_lists_the_whole_admin_api() -> None:
    admin_paths = {path for _, path, _ in OPEN_ROUTES if path.startswith(ADMIN_PREFIX)}
    documented = set(re.findall(r"`(?:GET|POST|PUT) (/sandbox/[\w/{}]*)`", PAGE))
    assert {re.sub(r"\{\w+\}", "", path) for path in admin_paths} == {
        re.sub(r"\{\w+\}", "", path) for path in documented
    }
