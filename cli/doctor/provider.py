"""Findings about the provider and the language model, by one request to each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from warmxfer.actors.runtime.exit_codes import INVALID, UNAVAILABLE, UNSUCCESSFUL, code_of

from .actors import WEBHOOKS_OFF
from .finding import Finding, sentence_of

if TYPE_CHECKING:
    from warmxfer.actors.gateway import GatewaySettings
    from warmxfer.adapters.llm import ModelSettings

MODEL_TIMEOUT_S = 10.0
MAX_MODEL_ANSWER_CHARS = 1_000


async def provider_findings(env: Mapping[str, str], *, gateways_known: bool) -> list[Finding]:
    """Check the gateway's settings in `env`, and ask the provider whether it accepts the credentials.

    `gateways_known`: gateways that run have said how they take webhooks.
    """
    from warmxfer.actors.gateway import GatewaySettings
    from warmxfer.schemas import WarmxferError

    try:
        settings = GatewaySettings.from_env(env)
    except WarmxferError as error:
        return [
            Finding("provider", "note", f"{error}. Only the process of the gateway needs these settings.")
        ]
    findings = [
        Finding("provider", "ok", "The provider's credentials are set in this environment."),
        await _cloud_finding(settings),
    ]
    if settings.webhook_port is None and not gateways_known:
        findings.append(Finding("webhooks", "note", WEBHOOKS_OFF))
    return findings


async def _cloud_finding(settings: GatewaySettings) -> Finding:
    """Make one authenticated query to the provider."""
    from warmxfer.adapters.telephony import Rejected
    from warmxfer.schemas import RetryableError

    provider = settings.provider.open(None, None)
    try:
        await provider.check_credentials()
    except Rejected as error:
        refused = provider.credentials_refused() is not None
        return Finding("cloud", "wrong", sentence_of(error), INVALID if refused else UNSUCCESSFUL)
    except RetryableError as error:
        return Finding("cloud", "wrong", sentence_of(error), UNAVAILABLE)
    finally:
        await provider.aclose()
    return Finding("cloud", "ok", f"{provider.signaling_url} answers and accepts the credentials.")


async def model_finding(env: Mapping[str, str]) -> Finding:
    """Ask the model that `env` names, if it names one."""
    from warmxfer.actors.summarizer import SummarizerSettings
    from warmxfer.schemas import WarmxferError

    try:
        model = SummarizerSettings.from_env(env).model
    except WarmxferError as error:
        return Finding("model", "wrong", sentence_of(error), code_of(error))
    if model is None:
        return Finding(
            "model",
            "note",
            "WARMXFER_LLM_BASE_URL is not set: a summary quotes the call, written without a model.",
        )
    return await ask_model(model)


async def ask_model(settings: ModelSettings) -> Finding:
    """Send one short request to the model: only an answer shows that the address, key and name are right."""
    from warmxfer.adapters.llm import Message, OpenAIModel
    from warmxfer.schemas import WarmxferError

    model = OpenAIModel(settings)
    try:
        await model.reply(
            [Message("user", "Reply with the word OK.")],
            deadline_s=MODEL_TIMEOUT_S,
            max_chars=MAX_MODEL_ANSWER_CHARS,
        )
    except WarmxferError as error:
        return Finding("model", "wrong", sentence_of(error), code_of(error))
    finally:
        await model.aclose()
    return Finding("model", "ok", f"The model {settings.model} answers.")
