"""Lookup of the person behind a phone number: the table of `personas.py` and overrides of the admin API."""

from dataclasses import replace

from ..api import request_fields
from ..errors import HttpError
from ..limits import MAX_OVERRIDES, MAX_TEXT_CHARS
from ..telephony.calls import Call
from .personas import CALLERS, DEFAULT_PERSON, SCRIPTS, SUPERVISORS, Person

_DURATIONS = {"ringS": "ring_s", "audioS": "audio_s", "replyS": "reply_s"}


class PhoneBook:
    """Finds the person behind the phone of a call."""

    def __init__(self) -> None:
        self._overrides: dict[str, Person] = {}

    def person_for(self, call: Call) -> Person:
        """Return the person at the far end: the override, the person of the number, or the default person."""
        table = SUPERVISORS if call.direction == "outbound" else CALLERS
        return self._overrides.get(call.number) or table.get(call.number) or DEFAULT_PERSON[call.direction]

    def override(self, number: str, body: request_fields.Body) -> Person:
        """Replace the person, delays or greeting of a number. Raises HttpError 400."""
        unknown = body.keys() - {"script", "greeting", *_DURATIONS}
        if unknown:
            raise HttpError(
                400, f"{min(unknown)} is unknown: script, greeting, {', '.join(_DURATIONS)} can be set."
            )
        if number not in self._overrides and len(self._overrides) >= MAX_OVERRIDES:
            raise HttpError(
                400, f"{MAX_OVERRIDES} numbers are overridden: remove them (POST /sandbox/reset)."
            )
        script = request_fields.optional_text(body, "script")
        current = self._overrides.get(number) or SUPERVISORS.get(number) or CALLERS.get(number)
        person = SCRIPTS.get(script) if script else current or DEFAULT_PERSON["outbound"]
        if person is None:
            raise HttpError(400, f"script {script} does not exist: choose {', '.join(SCRIPTS)}.")
        durations = {
            attribute: request_fields.seconds(body, name, getattr(person, attribute))
            for name, attribute in _DURATIONS.items()
        }
        greeting = request_fields.optional_text(body, "greeting", MAX_TEXT_CHARS) or person.greeting
        self._overrides[number] = replace(person, greeting=greeting, **durations)
        return self._overrides[number]

    def clear(self) -> None:
        self._overrides.clear()
