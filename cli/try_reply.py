"""`warmxfer try reply`: what the briefing agent makes of a sentence, with this configuration."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Json
from .output import console, plain, print_json, run_command

if TYPE_CHECKING:
    from warmxfer.actors.briefing.trial import Trial
    from warmxfer.schemas.line_languages import LanguageCode

MAX_TEXT_CHARS = 4_000


def try_reply(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What the supervisor says.")],
    first: Annotated[
        bool, typer.Option("--first", help="They are the first words of the call, not a reply.")
    ] = False,
    question: Annotated[
        str | None,
        typer.Option("--question", metavar="TEXT", help="The question that was asked.  [default: the line]"),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option("--language", metavar="CODE", help="The language of the lines, for example de."),
    ] = None,
    json: Json = False,
) -> None:
    """Show what a sentence means to the briefing agent: the intent, by which rule or model, the next step.

    The model is that of WARMXFER_LLM_BASE_URL, WARMXFER_LLM_MODEL and WARMXFER_LLM_API_KEY. Without one, the
    built-in rules decide alone.
    """
    trial = run_command(lambda: _try(_checked(text), first, question, _code(language)))
    if json:
        print_json(trial)
        return
    console().print(f"{trial.intent.value}, by {trial.decided_by.value}: {trial.action.value}")
    for line in trial.says:
        console().print(f"  says: {plain(line)}")


async def _try(text: str, first: bool, question: str | None, language: LanguageCode | None) -> Trial:
    from warmxfer.actors.briefing.dialogue_actions import OpeningLines
    from warmxfer.actors.briefing.reply.classifier import ReplyClassifier
    from warmxfer.actors.briefing.trial import new_briefing, try_first_words
    from warmxfer.actors.briefing.trial import try_reply as try_one_reply
    from warmxfer.adapters.llm import ModelSettings, open_model
    from warmxfer.schemas import SpokenLines, in_their_language

    lines = in_their_language(SpokenLines(language=language))
    opening = OpeningLines(lines.one_moment, lines.identify, lines.screening, lines.identify_key)
    briefing = new_briefing(lines.greeting, question or lines.question, lines.confirm)
    model = open_model(ModelSettings.from_env(os.environ))
    try:
        classifier = ReplyClassifier(model)
        if first:
            return await try_first_words(classifier, text, opening, briefing)
        return await try_one_reply(classifier, text, opening, briefing, language)
    finally:
        if model is not None:
            await model.aclose()


def _checked(text: str) -> str:
    from warmxfer.schemas import InvalidRequest

    if not text.strip() or len(text) > MAX_TEXT_CHARS:
        raise InvalidRequest(
            f"TEXT has {len(text.strip())} characters; give 1 to {MAX_TEXT_CHARS}", field="TEXT"
        )
    return text


def _code(language: str | None) -> LanguageCode | None:
    import msgspec

    from warmxfer.schemas import InvalidRequest, SpokenLines

    try:
        return msgspec.convert({"language": language}, SpokenLines).language
    except msgspec.ValidationError as error:
        raise InvalidRequest(
            f"--language is {language!r}; give one of en es fr de pt it nl pl hi ja zh", field="--language"
        ) from error
