"""Redaction: what a log line never contains, whatever the caller of the logger passes."""

from __future__ import annotations

import inspect
import json
import logging
from asyncio import sslproto
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from warmxfer.actors.runtime.log_setup import configure_logs, redact
from warmxfer.actors.runtime.roles import Role, run_role
from warmxfer.bus.tls_errors import EOF_OF_TLS
from warmxfer.schemas import InvalidRequest


@pytest.mark.parametrize(
    ("event", "redacted"),
    [
        ({"event": "dialled", "to": "+14155550101"}, {"event": "dialled", "to": "•01"}),
        ({"event": "calling +14155550101 now"}, {"event": "calling •01 now"}),
        ({"event": "e", "to": "sip:dana@example.com"}, {"event": "e", "to": "sip:•@example.com"}),
        ({"event": "e", "to": "sips:dana@example.com"}, {"event": "e", "to": "sips:•@example.com"}),
        ({"event": "e", "to": "+1415555"}, {"event": "e", "to": "•55"}),
        ({"event": "e", "number": "4155550101"}, {"event": "e", "number": "•01"}),
        (
            {"event": "e", "error": ValueError("no +14155550101")},
            {"event": "e", "error": "ValueError('no •01')"},
        ),
        ({"event": "e", "api_key": "k", "token": "t", "secret": "s"}, {"event": "e"}),
        ({"event": "e", "summary": "Ann", "transcript": [], "summary_text": "x"}, {"event": "e"}),
        (
            {"event": "e", "transfer_id": "019abc0d1234-77aa77aa77"},
            {"event": "e", "transfer_id": "019abc0d1234-77aa77aa77"},
        ),
        (
            {"event": "e", "to": None, "error": ["+14155550101"]},
            {"event": "e", "to": None, "error": "['•01']"},
        ),
        ({"event": "e", "cause": "a\x1b[2J"}, {"event": "e", "cause": "a\\u001b[2J"}),
        ({"event": "e", "port": 4222, "seq": 14155550101}, {"event": "e", "port": 4222, "seq": 14155550101}),
        ({"event": "e", "bus": "nats://127.0.0.1:4222"}, {"event": "e", "bus": "nats://127.0.0.1:4222"}),
    ],
)
def test_secrets_and_numbers_are_redacted(event: dict[str, Any], redacted: dict[str, Any]) -> None:
    assert redact(None, "info", dict(event)) == redacted


def test_a_long_value_is_cut() -> None:
    assert len(redact(None, "info", {"event": "x" * 9_999})["event"]) == 2_001


def test_no_number_is_left_at_the_cut() -> None:
    for length in range(1_960, 2_001):
        text = redact(None, "info", {"event": "x" * length + " 4155550101 sip:dana@example.com"})["event"]
        assert "415555" not in text
        assert "dana" not in text


@pytest.fixture
def restored_logging() -> Any:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_lines_are_json_and_say_the_role(restored_logging: None, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs({"WARMXFER_LOG": "json"}, role="gateway")
    structlog.get_logger("x").info("dialled", to="+14155550101", token="t")
    structlog.get_logger("x").debug("unseen")
    logging.getLogger("httpx").info("POST https://cloud?token=t")
    logging.getLogger("lib").warning("odd %s", "+14155550101")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["level"], line["role"]) for line in lines] == [
        ("dialled", "info", "gateway"),
        ("odd •01", "warning", "gateway"),
    ]
    assert lines[0]["to"] == "•01"
    assert "token" not in lines[0]
    written_at = datetime.strptime(lines[0]["timestamp"], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert abs(written_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_end_of_a_tls_connection_is_no_line(
    restored_logging: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command against a broker with TLS printed it, on either event loop."""
    configure_logs({"WARMXFER_LOG": "json"})
    configure_logs({"WARMXFER_LOG": "json"})
    logging.getLogger("asyncio").warning(EOF_OF_TLS)
    logging.getLogger("asyncio").warning("Executing %s took %.3f seconds", "a task", 1.0)
    lines = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["Executing a task took 1.000 seconds"]
    source = "".join(inspect.getsource(sslproto).replace("'", "").split())
    assert EOF_OF_TLS.replace(" ", "") in source, "asyncio words it otherwise now"


def test_settings_of_a_role_log_as_the_role_does(
    restored_logging: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by a newcomer: the first line of each briefing agent was no JSON."""
    monkeypatch.setattr("warmxfer.actors.runtime.runner.run_actor", lambda *_: None)
    run_role(Role.BRIEFING, {})
    (line,) = [json.loads(each) for each in capsys.readouterr().err.splitlines()]
    assert (line["event"], line["role"]) == ("voice_not_set", "briefing")


@pytest.mark.parametrize("given", ["xml", "JSON lines", "0"])
def test_an_unknown_form_of_the_log_is_refused(given: str, restored_logging: None) -> None:
    with pytest.raises(InvalidRequest, match=f"^WARMXFER_LOG is '{given}'; use json, or leave it out$"):
        configure_logs({"WARMXFER_LOG": given})


@pytest.mark.parametrize("text", ["half a pair \ud83d", "é"])
def test_any_text_becomes_a_line(
    text: str, restored_logging: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs({"WARMXFER_LOG": "json"})
    structlog.get_logger("x").info("said", text=text)
    assert json.loads(capsys.readouterr().err)["text"] == text


def test_a_traceback_is_masked(restored_logging: None, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs({"WARMXFER_LOG": "json"})
    try:
        raise ValueError("no answer from +14155550101")
    except ValueError:
        structlog.get_logger("x").exception("failed")
    output = capsys.readouterr().err
    assert "ValueError: no answer from •01" in output
    assert "4155550101" not in output


def test_a_bad_level_is_one_sentence() -> None:
    with pytest.raises(
        InvalidRequest, match=r"^WARMXFER_LOG_LEVEL is 'loud'; use one of debug, info, warning, error$"
    ):
        configure_logs({"WARMXFER_LOG_LEVEL": "loud"})
