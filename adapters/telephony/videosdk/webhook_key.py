"""The public key that VideoSDK signs its webhooks with: set by the operator, or fetched.

- Invariant: forged webhooks cause one fetch in `REFETCH_S`. Webhooks that come during a fetch wait for it.
- Invariant: while a key could not be fetched, no webhook counts as forged: its sender may send it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa

from warmxfer.schemas import InvalidRequest, RetryableError

from ..errors import InvalidWebhookSignature
from .http_client import ApiRequest, HttpClient
from .responses import Unreadable
from .webhooks import read_public_key, verify

FETCH: Final = "fetch"
"""The setting with which the key is fetched."""
REFETCH_S: Final = 60.0
"""Minimum time between two fetches of the key. A signature that does not verify causes a fetch."""
FAILED_FETCH_PAUSE_S: Final = 2.0
"""Minimum time after a fetch that failed."""


class WebhookKey:
    """The key of one project. `setting` is a PEM, `FETCH`, or None: then unsigned webhooks are accepted."""

    def __init__(self, http: HttpClient, setting: str | None) -> None:
        self._http = http
        self.is_required = setting is not None
        self._is_fetched = setting == FETCH
        given = None if setting in (None, FETCH) else setting
        self._key = None if given is None else read_public_key(given, "WARMXFER_WEBHOOK_PUBLIC_KEY")
        self._fetching: asyncio.Task[rsa.RSAPublicKey] | None = None
        self._fetched_at = float("-inf")
        self._fetch_failed = True
        """Whether the newest fetch has not succeeded."""

    async def check(self, signature: str, body: bytes) -> None:
        """Raise `InvalidWebhookSignature` if VideoSDK has not signed `body`.

        Raises `RetryableError` while its key cannot be fetched.
        """
        if not signature:
            raise InvalidWebhookSignature("The webhook carries no signature")
        if self._key is not None:
            try:
                verify(self._key, signature, body)
            except InvalidWebhookSignature:
                if not self._is_fetched:
                    raise
            else:
                return
        verify(await self._fetched(), signature, body)

    async def aclose(self) -> None:
        """Stop a fetch that is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait({self._fetching})

    async def _fetched(self) -> rsa.RSAPublicKey:
        """Return VideoSDK's current key, which was fetched lately or is fetched now."""
        if self._fetching is None:
            pause_s = FAILED_FETCH_PAUSE_S if self._fetch_failed else REFETCH_S
            if asyncio.get_running_loop().time() < self._fetched_at + pause_s:
                if self._key is None or self._fetch_failed:
                    raise RetryableError("The public key of VideoSDK's webhooks could not be fetched yet")
                return self._key
            self._fetching = asyncio.create_task(self._fetch(), name="fetch webhook key")
            self._fetching.add_done_callback(self._end_fetch)
        return await asyncio.shield(self._fetching)

    async def _fetch(self) -> rsa.RSAPublicKey:
        self._fetch_failed = True
        self._key = await self._http.request(ApiRequest("GET", "/v2/public/rsa-public-key"), _read_key)
        self._fetch_failed = False
        return self._key

    def _end_fetch(self, fetch: asyncio.Task[rsa.RSAPublicKey]) -> None:
        self._fetching, self._fetched_at = None, fetch.get_loop().time()
        if not fetch.cancelled():
            fetch.exception()  # A webhook that waited for it has it, unless that one was given up.


def _read_key(response: Mapping[str, Any]) -> rsa.RSAPublicKey:
    try:
        return read_public_key(str(response.get("publicKey", "")))
    except InvalidRequest as error:
        raise Unreadable(str(error)) from error
