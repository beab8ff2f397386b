"""100 kB of hostile text for every function that meets foreign text: its work grows as the text does.

A function that looks into a text with expressions or with tables of Unicode is found in the source. If no
entry of `FUNCTIONS` reaches it and `OWN_TEXT` does not name it, a test fails and names it.

What counts is CPU time of this thread, so a busy machine changes little. An eighth of the text is tried
first. The whole text costs 8 times as much if the work is linear, and 64 times if it is quadratic. So the
whole is tried where the eighth is neither quick enough for that, nor linear beside its own eighth. All kinds
of text together are tried whole.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from tests.testkit.text_functions import Executed, text_functions
from warmxfer.actors.briefing import sentences
from warmxfer.actors.briefing.reply import rules
from warmxfer.actors.common import dial_refusals, private_numbers, spoken_check, unicode_text
from warmxfer.actors.common.dial_policy import DialPolicy
from warmxfer.actors.common.log_record import decode_log_record
from warmxfer.actors.common.sent_by_log import command_number, find_in_log
from warmxfer.actors.gateway import call_marks, room_tokens
from warmxfer.actors.primary.own_lines import OwnLines
from warmxfer.actors.runtime import visible_text
from warmxfer.actors.runtime.log_setup import redact
from warmxfer.actors.summarizer import call_facts, caller_name, extractive_summary, prompt
from warmxfer.adapters.llm import as_data, summarize_transcript, without_reasoning
from warmxfer.adapters.llm.chat_model import ModelSettings
from warmxfer.adapters.llm.completion import Completion, repaired
from warmxfer.adapters.llm.reasoning import begins_with_reasoning
from warmxfer.adapters.llm.response_body import InvalidBody, ResponseBody
from warmxfer.adapters.llm.server_errors import status_error
from warmxfer.adapters.rooms.sandbox import frames
from warmxfer.adapters.telephony.errors import masked
from warmxfer.adapters.telephony.videosdk import http_client, responses, webhooks
from warmxfer.bus import subjects
from warmxfer.sandbox.api import chat_completions, request_fields
from warmxfer.sandbox.errors import HttpError
from warmxfer.schemas import (
    SUMMARY_MAX_CHARS,
    SIPDestination,
    SIPOptions,
    TranscriptTurn,
    WarmxferError,
    decode_command,
    decode_event,
    decode_phase,
    decode_result,
    lenient,
    participant_ids,
    phone_number,
    read_cancel,
    read_request,
    sip_address,
)
from warmxfer.schemas.fields import ID_MAX_CHARS, WORD_MAX_CHARS
from warmxfer.schemas.odd_characters import odd_character
from warmxfer.tracing.traceparent import TraceParent

SIZE = 100_000
PART = 8
QUICK_S = 0.1
ENOUGH_S = 0.25
MIXED_S = 10.0
"""CPU time of one function for all kinds of text together. The slowest takes a fifteenth of it."""
FACTOR = 3 * PART
"""Linear work costs `PART` times as much for the whole text. The rest is for caches and noise."""

UNITS = (
    *(
        "sip:",
        "sips:",
        "sip:a@",
        "+1",
        "1",
        "12 ",
        "a",
        "字",
        "一",
        "a1",
        " ",
        "\n",
        "\t \n",
        ". ",
        "? ",
        ", ",
    ),
    *(
        "<",
        "<think>",
        "</think>",
        "<think ",
        "<|channel|>final",
        "<answer>",
        "</answer>",
        "[",
        "]",
        "(",
        "( ",
    ),
    *("\\", '"', "'", "Invalid value '", "unknown field `", "` - at `$", "{", "[[", "\x00", "\u202e", "eyJ"),
    *("-", "_", ".", "www.", "http://", "@", "no ", "yes and ", "not ready ", "don't ", "you reached "),
    *("model not ", "my name is ", "$1 ", "1,", "wxs-", "data: ", "\r", "\ud83d", "\udc00\ud83d"),
)
"""What the text repeats: beginnings that an expression looks far ahead from, and ends that never come."""
MORE_UNITS = (
    # nested brackets and objects, half tags, and quotes of other scripts
    *(
        '{"a":',
        '["',
        "([{<",
        ")",
        "<a ",
        "</",
        "&lt",
        "“",
        "«",
        "「",
        "**",
        "| ",
        "# ",
        "```",
        "[a](",
        "1) a\n",
    ),
    # one character again and again, digits of other scripts, words for digits, numbers with separators
    *("0", "\u042f", "\u042f1", "\u0663", "\u0966", "one ", "eins ", "+1 (", "1-", "DE12 ", "4111 "),
    # combining marks, joiners, characters of no width, bidi, flags, jamo, emoji that are one
    *("\u0301", "a\u0301", "\u200b", "\u200d", "\ufe0f", "\u2066", "\u200f", "\u061c", "\ufeff", "\u2028"),
    *(
        "\U0001f1e6",
        "\u1100",
        "👩\u200d",
        "ก",
        "\u0627",
        "가",
        "\u00ad",
        "\u3000",
        "\uff01",
        "。",
        "ß",
        "İ",
        "ﬃ",
    ),
)
"""More of them, in a quarter of the text: how the work grows shows there too, and it takes less time."""

DIAL_POLICY = DialPolicy.from_env(
    {
        "WARMXFER_DIAL_REGIONS": "US,DE",
        "WARMXFER_DIAL_SIP_HOSTS": "pbx",
        "WARMXFER_DIAL_CALLER_IDS": "+14155550100",
    }
)
Function = Callable[[str], Any]


def turns(text: str) -> list[TranscriptTurn]:
    return [TranscriptTurn("caller", text), TranscriptTurn("agent", text)]


def in_json(text: str, *path: str) -> bytes:
    """Return a JSON object with `text` at `path`."""
    value: Any = text.encode("utf-8", "replace").decode()
    for name in reversed(path):
        value = {name: value}
    return json.dumps(value).encode()


def body_of_model(text: str) -> None:
    body, completion = ResponseBody(), Completion(1_000_000)
    data = text.encode("utf-8", "replace")
    for at in range(0, len(data), 1_000):
        for payload in body.feed(data[at : at + 1_000]):
            completion.add(payload)
    for payload in body.end():
        completion.add(payload)


def own_lines(text: str) -> list[TranscriptTurn]:
    lines = OwnLines()
    lines.add(text[:500])
    return lines.without(turns(text))


def record(text: str) -> bytes:
    """Return a record whose state fits the lengths of the schema, and whose outbox has the whole text."""
    id, word, summary = text[:ID_MAX_CHARS], text[:WORD_MAX_CHARS], text[:SUMMARY_MAX_CHARS]
    state = {"id": id, "stage": word, "commands": 1, "room_id": id, "summary": summary}
    return msgspec.json.encode({"at": 1.0, "state": state, "outbox": [{"command_id": text}]})


def command_in_log(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    found = decode_log_record(record(text))
    assert found is not None
    find_in_log(found, {"type": "end_call", "command_id": f"{text}-1", "room_id": text, "deadline_at": 1.0})


FUNCTIONS: dict[str, Function] = {
    "log line": lambda text: redact(None, "info", {"event": text, "exception": text}),
    "log line of an object": lambda text: redact(None, "info", {"error": ValueError(text)}),
    "provider's sentence": masked,
    "webhook": lambda text: webhooks.parse_webhook(text.encode("utf-8", "replace")),
    "webhook's call": lambda text: webhooks.parse_webhook(
        json.dumps({"webhookType": "call-hangup", "data": {"callId": "c", "status": text}}).encode()
    ),
    "webhook's time": lambda text: webhooks.reported_at(in_json(text, "data", "start")),
    "call record": lambda text: responses.read_call(
        {
            "callId": text,
            "status": text,
            "timelog": [{"status": text, "reason": text}],
            "metadata": {"k": text},
        }
    ),
    "call's mark": lambda text: call_marks.parse_call_metadata({"warmxferId": text, "attempt": text}),
    "participant": participant_ids.parse,
    "subject": subjects.parse,
    "id": subjects.check_token,
    "command id": lambda text: command_number(text, f"{text}-1"),
    "command": lambda text: decode_command(in_json(text, "command_id")),
    "command's bytes": lambda text: decode_command(text.encode("utf-8", "replace")),
    "event": lambda text: decode_event(json.dumps({"type": text, "detail": text}).encode()),
    "phase": lambda text: decode_phase(in_json(text, "phase")),
    "result": lambda text: decode_result(in_json(text, "outcome")),
    "request": lambda text: read_request(in_json(text, "config", "destination", "sip_call_to")),
    "request's flag": lambda text: read_request(
        json.dumps(
            {
                "room_id": "r",
                "config": {"destination": {"name": "dana"}, "record": text.encode(errors="replace").decode()},
            }
        ).encode()
    ),
    "provider's refusal": lambda text: http_client._raise_for_status(
        http_client.ApiRequest("GET", "/x"), 402, "", in_json(text, "message"), "the key"
    ),
    "request's field": lambda text: read_request(json.dumps({text: 1, "room_id": text}).encode()),
    "cancel": lambda text: read_cancel(in_json(text, "reason")),
    "number": phone_number.without_separators,
    "log record": lambda text: decode_log_record(record(text.encode("utf-8", "replace").decode())),
    "log record's bytes": lambda text: decode_log_record(text.encode("utf-8", "replace")),
    "command in a log": command_in_log,
    "reply": rules.classify,
    "reply in a language": lambda text: rules.classify(text, "de"),
    "reply that is a yes": rules.is_yes,
    "reply that refuses": rules.refuses_plainly,
    "reply of a machine": rules.is_machine,
    "reply of a person": rules.classify_first_words,
    "lines to speak": sentences.split,
    "text to speak": lambda text: spoken_check.unfit(text, [text], is_answer=True),
    "sentences": unicode_text.sentences,
    "words": unicode_text.word_count,
    "cut": lambda text: unicode_text.cut(text, 400),
    "format characters": unicode_text.without_format_characters,
    "own lines": own_lines,
    "transcript": lambda text: summarize_transcript(turns(text)),
    "data in a prompt": as_data,
    "extract": lambda text: extractive_summary.extract(turns(text)),
    "name": caller_name.name_in,
    "amounts": call_facts.amounts_in,
    "numbers": call_facts.numbers_in,
    "question": call_facts.last_question,
    "prompt": lambda text: prompt.messages(turns(text), text),
    "answer": lambda text: prompt.check(text, turns(text)),
    "reasoning": without_reasoning,
    "beginning of reasoning": begins_with_reasoning,
    "surrogates": repaired,
    "body of a model": body_of_model,
    "error of a model": lambda text: status_error(400, text, ModelSettings("https://h/v1", "m")),
    "frame of a room": lambda text: frames.parse(text),
    "event of a room": lambda text: frames.event(
        {"type": "speech", "participantId": text, "text": text, "reason": text}
    ),
    "shown text": lambda text: (visible_text.escaped(text), visible_text.plain(text)),
    "private numbers": private_numbers.mask,
    "private numbers of a call": lambda text: private_numbers.mask_turns(turns(text)),
    "dialled number": lambda text: DIAL_POLICY.check(SIPDestination("rr", text, text)),
    "dialled address": lambda text: DIAL_POLICY.check(
        SIPDestination("rr", f"sip:{text}@pbx", "+14155550100")
    ),
    "dialled digits": lambda text: DIAL_POLICY.check(
        SIPDestination("rr", "+14155550101", "+14155550100", extra_options=SIPOptions(dtmf=text))
    ),
    "display name": lambda text: dial_refusals.check_name(text, "name"),
    "SIP headers": lambda text: dial_refusals.check_headers({"X-A": text[:2_000]}, "headers"),
    "masked address": lambda text: (dial_refusals.masked(text), sip_address.masked(text)),
    "trace header": TraceParent.parse,
    "room token": lambda text: room_tokens._read_query(in_json(text, "room_id")),
    "odd character": lambda text: odd_character(text, ascii_only=True),
    "token": subjects.is_token,
    "word of a newer version": lambda text: (lenient.is_word(text), lenient.is_token(text)),
    "text beside a call": lambda text: spoken_check.unfit(text, ["Bestellung 4417 kam nie an."]),
    "name that was asked for": lambda text: caller_name.name_given_to(f"Your name? {text}?", text),
    "model of the sandbox": lambda text: (
        chat_completions._matching_tool(text, []),
        chat_completions._caller_lines(text),
    ),
    "request of the sandbox": lambda text: request_fields.chosen_id({"id": text[:128]}, "id"),
    "number of the sandbox": lambda text: request_fields.phone_number({"to": text[:300]}, "to"),
}
"""Every function that meets text of a caller, a supervisor, a provider, a model or the bus."""


def cpu_s(function: Function, text: str) -> float:
    """Return the CPU seconds of one call. It may refuse the text."""
    began = time.thread_time()
    with suppress(WarmxferError, InvalidBody, ValueError, responses.Unreadable, HttpError):
        function(text)
    return time.thread_time() - began


def repeated(unit: str, size: int) -> str:
    """Return a text of about `size` characters that repeats `unit`, and ends with a whole one.

    A text that ends inside a unit may cost another amount than one that does not.
    """
    return unit * (size // len(unit))


OWN_TEXT = {
    "actors/briefing/reply/languages/language.py::Language.words": "our own phrases",
    "actors/briefing/reply/phrases.py::Vocabulary._add": "our own phrases",
    "actors/briefing/reply/phrases.py::_without_accents": "our own phrases",
    "actors/briefing/reply/phrases.py::pattern": "our own phrases",
    "actors/common/dial_directory.py::_read_entry": "a name in the operator's directory",
    "actors/common/dial_policy.py::DialPolicy._rules_from_env": "a variable",
    "actors/gateway/settings.py::_deployment": "a variable",
    "actors/primary/sandbox_agent/settings.py::_room_ids": "a variable",
    "actors/runtime/unknown_variables.py::_allowed": "the name of a variable",
    "actors/runtime/unknown_variables.py::_misspelt": "the name of a variable",
    "actors/runtime/unknown_variables.py::_sentence": "the name of a variable",
    "adapters/rooms/videosdk/framework_version.py::check_version": "the version of a package",
    "bus/connection.py::Connection._on_error": "a protocol line of the broker, of 4 KB at most",
    "bus/credentials.py::check_files": "a file of the operator",
    "bus/embedded_server.py::_last_log_line": "the log of our own broker",
    "bus/micro_service.py::Endpoints._get": "a subject of ours",
    "bus/micro_service.py::Endpoints.of_consumer": "the name of a consumer",
    "bus/permission_file.py::routes": "an option of the command line",
    "bus/settings.py::BusSettings.__post_init__": "a variable",
    "bus/settings.py::BusSettings.inbox": "a variable",
    "bus/settings.py::_check": "a variable",
    "bus/subject_table.py::SubjectSpec.filter": "a row of the table",
    "bus/subject_table.py::SubjectSpec.written_by": "a row of the table",
    "cli/asyncapi/document.py::_channels": "a row of the table",
    "cli/board/access.py::TokenSettings.from_env": "a variable",
    "cli/config.py::_without_logins": "a variable",
    "cli/config.py::read_env_file": "a file of the operator",
    "sandbox/api/chat_completions.py::_stream": "the sandbox's own reply",
    "sandbox/api/rooms.py::validate_room": "a part of a path, of 8 KB at most",
    "schemas/env.py::is_private": "a host in a variable",
    "schemas/fields.py::snake_case": "the name of a class",
}
"""Functions of `text_functions` that see no foreign text, each with what they see."""
SHORT = 200
"""Characters of a text that only shows which functions it reaches."""


def test_no_function_that_meets_foreign_text_is_missing() -> None:
    rules.prepare()  # It looks into our own phrases once a process: another test may have called it.
    with Executed() as executed:
        for function in FUNCTIONS.values():
            for unit in (*UNITS, *MORE_UNITS):
                cpu_s(function, repeated(unit, SHORT))
    found = text_functions()
    assert len(found) > 100
    assert executed.names & OWN_TEXT.keys() == set(), "these are tried: remove them from OWN_TEXT"
    assert OWN_TEXT.keys() - found == set(), "these are gone: remove them from OWN_TEXT"
    missing = found - executed.names - OWN_TEXT.keys()
    assert missing == set(), "add what reaches each of these to FUNCTIONS, or say in OWN_TEXT what it sees"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_work_grows_with_the_text_and_no_faster(name: str) -> None:
    tried = [(unit, SIZE) for unit in UNITS] + [(unit, SIZE // 4) for unit in MORE_UNITS]
    assert [fault for unit, size in tried if (fault := faster_growth(FUNCTIONS[name], unit, size))] == []


def faster_growth(function: Function, unit: str, size: int) -> str:
    quick_s = QUICK_S * size / SIZE
    part_s = cpu_s(function, repeated(unit, size // PART))
    if part_s * PART * PART <= ENOUGH_S * size / SIZE:
        return ""  # The whole text would be quick even if the work were quadratic.
    small_s = min(cpu_s(function, repeated(unit, size // PART // PART)) for _ in range(3))
    if part_s <= 2 * PART * small_s:
        return ""
    took_s = cpu_s(function, repeated(unit, size))
    if took_s <= quick_s:
        return ""
    part_s = min(part_s, *(cpu_s(function, repeated(unit, size // PART)) for _ in range(2)))
    took_s = min(took_s, cpu_s(function, repeated(unit, size)))  # the first call may have prepared something
    if took_s <= FACTOR * max(part_s, quick_s / FACTOR):
        return ""
    return f"{unit!r}: {took_s:.2f} s for {size} characters, {part_s:.3f} s for an eighth"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_hundred_kilobytes_of_all_units_are_no_hang(name: str) -> None:
    units = (*UNITS, *MORE_UNITS)
    mixed = "".join(repeated(unit, SIZE // len(units)) for unit in units)
    assert len(mixed) > 0.9 * SIZE
    assert min(cpu_s(FUNCTIONS[name], mixed) for _ in range(2)) <= MIXED_S


def test_quadratic_work_is_found() -> None:
    """The expression that froze a gateway: its search goes to the end of the text from each place."""
    quadratic = re.compile(r"(?<=sip:)[^@\s]+(?=@)")
    whole, part = "sip:" * 5_000, "sip:" * (5_000 // PART)
    whole_s = cpu_s(lambda text: quadratic.sub("", text), whole)
    part_s = min(cpu_s(lambda text: quadratic.sub("", text), part) for _ in range(3))
    assert whole_s > QUICK_S
    assert whole_s > FACTOR * part_s
