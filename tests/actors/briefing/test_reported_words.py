"""Siblings of sentences that users of such products reported, with a model that calls everything a yes.

The model names English as the language of everything, and takes every line for a person.
"""

from __future__ import annotations

import pytest

from warmxfer.actors.briefing.trial import NextStep

from .agreeing_model import first_words, reply

NO_YES = [
    "I'm good over here, thank you.",
    "We're all set, thank you.",
    "That's all, thanks.",
    "You can release the caller.",
    "Just cut them loose.",
    "Let him off the hook.",
    "You may disconnect.",
    "Tell her she can go.",
    "Bear with me, please.",
    "Sure, one sec please.",
    "Of course, give me a minute first.",
    "Okay, hold the line.",
    "Yes, put them on hold for me.",
    "Sure, park the call.",
    "Yes, drop it in my inbox.",
    "Send it to the queue, please.",
    "Okay, send her over to accounts.",
    "Yes, let Priya have it.",
    "Bien sûr, patientez un instant.",
    "Claro, espere un momentito.",
    "Ja, einen Augenblick noch.",
    "Estoy bien así, gracias.",
    "Alles bestens, danke, brauche nichts.",
    "C'est bon pour moi, merci, au revoir.",
]
"""A polite no, a request for time, another destination."""

PEOPLE = [
    "Dana just stepped away but I'm covering, this is Lee.",
    "Acme, this call may be monitored, Dana speaking, how can I help?",
    "Hi, this is Dana at extension 12, did you get my text message?",
    "She left a message for you, I'm her assistant.",
    "Thanks for calling Acme, you've reached Dana, what's up?",
    "Hello, you're through to the night shift, this line is recorded.",
    "Dana's voicemail is full so I picked up, it's Sam.",
    "Please hold, I'll get Dana. Actually, this is Dana.",
    "Ja, hallo, die Mailbox ist kaputt, hier ist der Chef selbst.",
    "Soy Ana, el contestador no funciona, dígame.",
]
"""A person with words of a machine."""

SCREENING = [
    "The person you have called is screening calls. Please state your name and the reason for your call.",
    "Hi, I'm a virtual assistant. Who is calling, please, and what is it about?",
    "If you record your name and reason for calling, I'll see if this person is available.",
    "Este número usa un filtro de llamadas. Diga su nombre y el motivo de su llamada.",
]

MACHINES = [
    "Вы позвонили в голосовой ящик. Оставьте сообщение после сигнала.",
    "Bitte hinterlassen Sie eine Nachricht nach dem Ton, ich rufe zurück.",
    "Vous êtes bien sur la messagerie de Dana, laissez un message après le bip.",
    "Buzón de voz de Dana. Deje su mensaje después del tono.",
    "الرجاء ترك رسالة بعد سماع الصافرة",
    "Segreteria telefonica di Dana, lasciate un messaggio dopo il segnale acustico.",
    "Hello. "
    + "We thank you for your patience and your trust in our company over the years. " * 9
    + "Record your message after the beep.",
]

YES = [
    "Yes, policy is up in my system mode, put them through.",
    "Sling 'em over.",
    "Chuck her over to me.",
    "Pop him through.",
    "I'm all ears, fire away.",
    "Oui, le système est ouvert, passez-le-moi.",
    "Sí, tengo el rol de supervisor, páselo.",
    "Tak, mam otwarty system, proszę łączyć.",
    "Bring her my way.",
    "Yup, patch 'em on through.",
]


@pytest.mark.parametrize("words", NO_YES)
async def test_what_is_no_yes_is_none_to_a_model_that_says_so(words: str) -> None:
    assert (await reply(words)).action not in (NextStep.MOVE, NextStep.CONFIRM)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Can you take this call now?", "take this call now"),
        ("Shall I put the caller through?", "put the caller through"),
        ("Möchten Sie den Anruf jetzt übernehmen?", "den Anruf jetzt übernehmen"),
    ],
)
async def test_the_end_of_any_question_is_an_echo(question: str, words: str) -> None:
    assert (await reply(words, question)).action is NextStep.ASK_AGAIN


@pytest.mark.parametrize("words", PEOPLE)
async def test_a_person_with_words_of_a_machine_stays_on_the_line(words: str) -> None:
    assert (await first_words(words)).action is not NextStep.END
    assert (await reply(words)).action not in (NextStep.END, NextStep.MOVE)


@pytest.mark.parametrize("words", SCREENING)
async def test_call_screening_is_waited_for(words: str) -> None:
    assert (await first_words(words)).action is NextStep.WAIT


@pytest.mark.parametrize("words", MACHINES)
async def test_a_machine_is_told_nothing_even_if_the_model_takes_it_for_a_person(words: str) -> None:
    assert (await first_words(words)).action is not NextStep.BRIEF


@pytest.mark.parametrize("words", YES)
async def test_a_real_yes_moves_the_caller_or_is_confirmed(words: str) -> None:
    assert (await reply(words)).action in (NextStep.MOVE, NextStep.CONFIRM)
