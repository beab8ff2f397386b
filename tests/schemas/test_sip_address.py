"""SIP URIs in any spelling of RFC 3261, and the hints for what people write instead of one."""

from __future__ import annotations

import time

import pytest

from warmxfer.schemas import encode, read_request
from warmxfer.schemas.id_in_use import same_request
from warmxfer.schemas.odd_characters import odd_character
from warmxfer.schemas.sip_address import hint, normalized

from .request_text import A_NUMBER, raw, rejection

OPTIONS = "config.destination.extra_options"
TO = "config.destination.sip_call_to"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("sip:dana@example.com;transport=TLS", "sip:dana@example.com;transport=tls"),
        ("sip:dana@example.com;Transport=Tls", "sip:dana@example.com;transport=tls"),
        ("sip:dana@example.com;USER=Phone;TRANSPORT=UDP", "sip:dana@example.com;user=phone;transport=udp"),
        (" sip:dana@example.com\t", "sip:dana@example.com"),
        ("SIP:Dana@Example.COM", "sip:Dana@Example.COM"),
        ("SIPS:dana@example.com:5061;transport=WSS", "sips:dana@example.com:5061;transport=wss"),
    ],
)
@pytest.mark.parametrize("field", ["destination__sip_call_to", "destination__sip_call_from", "rescue"])
def test_scheme_and_parameters_are_case_insensitive(written: str, read: str, field: str) -> None:
    if field == "rescue":
        change = {"by": "dial", "routing_rule_id": "r", "sip_call_to": written, "sip_call_from": written}
        rescue = encode(read_request(raw(config__rescue=change)).config.rescue).decode()
        assert rescue.count(f'"{read}"') == 2
        return
    destination = read_request(raw(**{f"config__{field}": written})).config.destination
    assert getattr(destination, field.partition("__")[2]) == read


SEPARATED = [
    "+1 415 555 01 23",
    "+1 (415) 555-0123",
    "+1.415.555.0123",
    "+1/415/5550123",
    "(+1) 415 5550123",
    "+ 1 415 5550123",
    "\t+14155550123 ",
    "+1\N{NO-BREAK SPACE}415\N{NARROW NO-BREAK SPACE}5550123",
    "+1\N{FIGURE SPACE}415\N{THIN SPACE}5550123",
    "+1\N{NON-BREAKING HYPHEN}415\N{EN DASH}555\N{EM DASH}0123",
    "+1\N{HYPHEN}415\N{MINUS SIGN}555\N{MIDDLE DOT}0123",
]


@pytest.mark.parametrize("written", SEPARATED)
@pytest.mark.parametrize("field", ["sip_call_to", "sip_call_from"])
def test_a_number_loses_its_separators(written: str, field: str) -> None:
    destination = read_request(raw(**{f"config__destination__{field}": written})).config.destination
    assert getattr(destination, field) == "+14155550123"


@pytest.mark.parametrize(
    "written",
    [
        "+49 (0)30 901820",
        "+49 ( 0 ) 30 901820",
        "415 555 01 23",
        "0049 30 901820",
        "++1 415 555 0123",
        "+1 415 555 0123\n",
        "+1 415 555 0123,22",
        "+1_415_555_0123",
        "+1 415 55",
        "+1 4155 5501 2345 6789",
        "1 +415 555 0123",
        "+1" + " " * 60 + "4155550123",
    ],
)
def test_a_number_that_is_not_certain_is_rejected(written: str) -> None:
    assert rejection(raw(config__destination__sip_call_to=written)).field == TO


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:a@b.example;transport=TLS", "sip:a@b.example;transport=tls"),
        ("+1 (415) 555-0123", "+14155550123"),
    ],
)
def test_two_spellings_of_one_address_are_the_same_request(one: str, other: str) -> None:
    assert same_request(*(raw(config__destination__sip_call_to=each) for each in (one, other)))


@pytest.mark.parametrize(
    "address",
    [
        "sip:dana@example.com;transport=X",
        "sip:dana@example.com;MADDR=evil.example.com",
        "\N{LATIN SMALL LETTER LONG S}ip:dana@example.com",
        "sip:dana@example.com;transport=t\N{LATIN CAPITAL LETTER L WITH STROKE}s",
        "sip:dana@example.com;tran\N{LATIN SMALL LETTER LONG S}port=tls",
        "sip:dana@example.com;transport=wss;transport=ws;transport=tls",
    ],
)
def test_what_is_no_address_stays_as_it_was_written_and_is_rejected(address: str) -> None:
    assert normalized(address) == address
    assert rejection(raw(config__destination__sip_call_to=address)).field == TO


PARAMETERS = "of the parameters of a SIP URI, only transport and user can be used"
AFTER = f"write what is dialled after the number into {OPTIONS}.dtmf"


@pytest.mark.parametrize(
    ("written", "also"),
    [
        ("tel:+14155550123;ext=22", AFTER),
        ("+14155550123;ext=22", AFTER),
        ("+14155550123,,22#", AFTER),
        ("+14155550123 x22", AFTER),
        ("+1 (415) 555-0123 ext. 22", AFTER),
        ("+14155550123 Extension 22", AFTER),
        ("+14155550123p22", AFTER),
        ("+14155550123w1w204#", AFTER),
        ("tel:+14155550123;postd=pp22", AFTER),
        ("500", "for an extension write sip:500@host"),
        ("*98", "for an extension write sip:*98@host"),
        ("tel:500", "for an extension write sip:500@host"),
        ("sip:500", "write its host too, as in sip:500@host"),
        ("500@pbx.example.com", "begin a SIP URI with sip:"),
        ("dana@example.com:5060", "begin a SIP URI with sip:"),
        ("sip:500@", "write its host too, as in sip:500@host"),
        ("ext. 500", "for an extension write sip:500@host"),
        ("x500", "for an extension write sip:500@host"),
        ("+14155550123*22", AFTER),
        ("<sip:dana@example.com>", "leave out the name and the brackets < and >"),
        ('"Dana" <sip:dana@example.com>', "leave out the name and the brackets < and >"),
        ("sip:dana@example.com;transport=TLS;lr", PARAMETERS),
        ("sip:dana@example.com?Subject=x", PARAMETERS),
        ("sip:dana@example.com;transport=quic", PARAMETERS),
        ("0049 30 901820", "write + instead of the 00"),
        ("011442071838750", "write + instead of the 011"),
        ("tel:+14155550123", ""),
        ("4155550123", ""),
        ("+49 (0)30 901820", "leave out the (0), which is dialled only within the country"),
        ("415 555 01 23", ""),
        ("nobody", ""),
        ("", ""),
    ],
)
def test_the_sentence_says_what_to_write_instead(written: str, also: str) -> None:
    assert hint(written, OPTIONS) == also
    sentence = str(rejection(raw(config__destination__sip_call_to=written)))
    assert sentence.endswith(f"; {A_NUMBER[:-1]}; {also}." if also else f"; {A_NUMBER}")
    assert "4155550123" not in sentence.replace("+14155550123)", "")


def test_the_hint_names_the_options_of_the_rescue() -> None:
    rescue = {"by": "dial", "routing_rule_id": "r", "sip_call_to": "+14155550123,22", "sip_call_from": "x"}
    assert "into config.rescue.extra_options.dtmf." in str(rejection(raw(config__rescue=rescue)))


def test_the_callers_number_gets_no_hint_for_digits_that_are_dialled() -> None:
    assert str(rejection(raw(config__destination__sip_call_from="+14155550123,22"))).endswith(f"; {A_NUMBER}")


INVISIBLE = [
    ("\u200b", "U+200B (ZERO WIDTH SPACE)"),
    ("\u202a", "U+202A (LEFT-TO-RIGHT EMBEDDING)"),
    ("\u200e", "U+200E (LEFT-TO-RIGHT MARK)"),
    ("\u2060", "U+2060 (WORD JOINER)"),
    ("\ufeff", "U+FEFF (ZERO WIDTH NO-BREAK SPACE)"),
    ("\u00ad", "U+00AD (SOFT HYPHEN)"),
    ("\u2028", "U+2028 (LINE SEPARATOR)"),
    ("\x00", "U+0000"),
    ("\x7f", "U+007F"),
    ("\ue000", "U+E000"),
]


@pytest.mark.parametrize(("character", "name"), INVISIBLE)
@pytest.mark.parametrize("position", [1, 6, 13])
def test_an_invisible_character_in_a_number_is_named(character: str, name: str, position: int) -> None:
    number = "+14155550123"
    written = number[: position - 1] + character + number[position - 1 :]
    sentence = str(rejection(raw(config__destination__sip_call_to=written)))
    assert sentence.startswith(f"{TO} is '")
    assert f", with the invisible character {name} at position {position}; {A_NUMBER}" in sentence
    assert character not in sentence
    assert repr(character)[1:-1] in sentence, "the masked value shows where it is"
    assert "41555501" not in sentence.replace("+14155550123", "")


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("room_id", "room\u200b-1", "the invisible character U+200B (ZERO WIDTH SPACE) at position 5"),
        ("room_id", "room\u20111", "the character U+2011 (NON-BREAKING HYPHEN) at position 5"),
        ("session", "ro\u043em", "the character U+043E (CYRILLIC SMALL LETTER O) at position 3"),
        ("config__destination__routing_rule_id", "r\u3164", "the character U+3164 (HANGUL FILLER)"),
        ("config__destination__sip_call_to", "\uff0b14155550123", "U+FF0B (FULLWIDTH PLUS SIGN)"),
        (
            "config__destination__sip_call_to",
            "+\u06614155550123",
            "a digit that is none of 0-9 at position 2",
        ),
        ("config__destination__extra_options", {"dtmf": "1\u200d2"}, "U+200D (ZERO WIDTH JOINER)"),
    ],
)
def test_an_odd_character_is_named_in_every_field(field: str, value: object, named: str) -> None:
    assert named in str(rejection(raw(**{field: value})))


def test_characters_of_other_languages_are_not_odd_where_they_are_allowed() -> None:
    assert odd_character("Größe 大\n", ascii_only=False) == ""
    sentence = str(rejection(raw(config__lines__hold="ご" * 501)))
    assert ", with " not in sentence


def test_invisible_characters_in_maps_are_shown_by_their_code() -> None:
    change = {"headers": {"X-\u200bCase": "1"}}
    assert '{"X-\\u200bCase":"1"}' in str(rejection(raw(config__destination__extra_options=change)))


def test_a_long_address_costs_no_time() -> None:
    began = time.process_time()
    for long in ("1" + " " * 50_000 + "!", "+1" * 25_000, "1 x" + "1 " * 20_000 + "!"):
        assert hint(long, OPTIONS) == ""
    assert time.process_time() - began < 1.0
