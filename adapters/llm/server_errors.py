"""What a failed request to a model server means, in one sentence with the setting to check. Pure.

Invariant: no sentence quotes the server. An error may repeat the request, which contains a transcript.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import httpx

from warmxfer.schemas import InvalidRequest, RetryableError, WarmxferError

from ..tls_faults import tls_fault
from .chat_model import API_KEY, BASE_URL, MODEL, ModelSettings
from .completion import ServerError

_RETRYABLE: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)
_KEY_WORDS: Final = ("api key", "api_key", "apikey", "authentication", "unauthorized", "invalid token")
_KEY_STATUSES: Final = frozenset({HTTPStatus.OK, HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN})
_NO_SUCH_MODEL = re.compile(
    r"\bmodels?\b.{0,120}?\b(?:not found|(?:does |do )?not exist|not available|not loaded|not served)"
    r"|(?:unknown|invalid|no such|unrecognized|unsupported|missing)[ _]model|model_(?:not_|un)",
    re.DOTALL,
)
_TOO_LONG_WORDS: Final = ("context_length", "context length", "context window", "maximum context", "too long")


def shown_url(settings: ModelSettings) -> str:
    """Return the address without what may be secret: user, password and query."""
    parts = urlsplit(settings.base_url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"


def status_error(status: int, text: str, settings: ModelSettings, after_s: float = 1.0) -> WarmxferError:
    """Return the error of a response with a status other than 2xx. `text` is the start of its body."""
    text, url = text.lower(), shown_url(settings)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _RETRYABLE:
        return RetryableError(f"The model server answered {status}", after_s=after_s)
    if 300 <= status < 400:
        return InvalidRequest(
            f"{BASE_URL} is {url}, which redirects ({status}); set it to the address that it redirects to",
            field=BASE_URL,
        )
    if error := _named_error(status, text, settings):
        return error
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE):
        return InvalidRequest(
            f"{BASE_URL} is {url}, which has no chat completions ({status}); "
            "give the address of the API, which often ends in /v1",
            field=BASE_URL,
        )
    return InvalidRequest(
        f"The model server refused the request ({status}); check {BASE_URL}, {API_KEY} and {MODEL}"
    )


def sent_error(error: ServerError, settings: ModelSettings) -> WarmxferError:
    """Return the error that a server sent inside a response with status 200."""
    status = error.code if error.code and 100 <= error.code < 600 else 200
    if status != 200 and status < 300:
        status = 200
    if status == 200:
        return _named_error(status, error.text, settings) or RetryableError(
            "The model server sent an error instead of an answer"
        )
    return status_error(status, error.text, settings)


def connection_error(error: httpx.HTTPError, settings: ModelSettings) -> RetryableError:
    """Return the error of a request that got no whole response."""
    name = type(error).__name__
    if not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.UnsupportedProtocol):
        return RetryableError(f"The connection to the model server broke ({name})")
    fault = tls_fault(error)
    why = fault.what if fault else name
    remedy = fault.remedy if fault else "check the address, and that the server is running"
    return RetryableError(f"{BASE_URL} is {shown_url(settings)}, which cannot be reached ({why}); {remedy}")


def page_error(settings: ModelSettings) -> RetryableError:
    """Return the error of a 2xx response that is a web page. A proxy may send one for a while."""
    return RetryableError(
        f"{BASE_URL} is {shown_url(settings)}, which answers with a web page and no chat completion; "
        "give the address of the API, which often ends in /v1"
    )


def _named_error(status: int, text: str, settings: ModelSettings) -> InvalidRequest | None:
    """Return the error that the status or the server's words name; None if they name none."""
    names_key = status in _KEY_STATUSES and any(word in text for word in _KEY_WORDS)
    if status == HTTPStatus.UNAUTHORIZED or names_key:
        return InvalidRequest(
            f"The model server at {shown_url(settings)} does not accept the key ({status}); set {API_KEY}",
            field=API_KEY,
        )
    if status == HTTPStatus.PAYMENT_REQUIRED or "insufficient_quota" in text:
        return InvalidRequest(
            f"The account of {API_KEY} has no credit at the model server ({status})", field=API_KEY
        )
    if any(word in text for word in _TOO_LONG_WORDS):
        return InvalidRequest(
            f"{MODEL} is {settings.model!r}, which does not take a call of this length ({status}); "
            "set it to a model with a longer context",
            field=MODEL,
        )
    if _NO_SUCH_MODEL.search(text):
        return InvalidRequest(
            f"{MODEL} is {settings.model!r}, which the model server does not serve ({status}); "
            "set it to one of the server's models",
            field=MODEL,
        )
    if status == HTTPStatus.FORBIDDEN:
        return InvalidRequest(
            f"The model server at {shown_url(settings)} does not allow this request ({status}); "
            f"check the rights of {API_KEY}",
            field=API_KEY,
        )
    return None


def why_failed(error: Exception) -> str:
    """Return what a log may say of a model that failed: the text of an unknown error may repeat the call."""
    if isinstance(error, RetryableError | InvalidRequest):
        return str(error)
    return f"bug in the model or its client: {type(error).__name__}"
