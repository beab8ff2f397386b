"""VideoSDK as a `Provider`. Only this folder knows VideoSDK's REST API.

Each effect carries a key, so that its outcome can be looked up instead of tried again. A room is found by
`customRoomId`, a dialled leg by `metadata.attemptKey` or `participant.id`, a switch by the record of its
call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from warmxfer.schemas import RetryableError

from ..errors import NotFound, Rejected, StaleWebhook
from ..provider import CallRecord, Dialed, DialRequest, Notice, ProviderConfig
from .http_client import ApiRequest, HttpClient
from .request_bodies import (
    RULE_OPTIONS,
    dial_body,
    dispatch_body,
    recording_body,
    room_body,
    switch_body,
    webhook_body,
)
from .responses import (
    read_dialed,
    read_dispatched,
    read_nothing,
    read_one,
    read_page,
    read_room,
    read_room_state,
    read_switched,
    read_webhooks,
    recording_error,
)
from .settings import VideoSDKSettings
from .tokens import Tokens
from .webhook_key import WebhookKey
from .webhooks import SIGNATURE, parse_webhook, reported_at

PER_PAGE = 50
MAX_PAGES = 40
"""Maximum pages read for one query: 2,000 legs."""
MARK = "warmxferId"
"""The metadata key of each leg that warmxfer dialled."""
REFUSES_CREDENTIALS = (401, 403)
MALFORMED_ID = 400
CHECK_AGAIN_S = 5.0
"""Minimum time between two checks of credentials that were refused."""
REPLAY_WINDOW_S = 900.0
"""A webhook about an older event is taken for a replay. VideoSDK does not say how long it repeats one. Leg
checks find what a webhook of this age would have told.
"""

log = structlog.get_logger(__name__)


class VideoSDKProvider:
    """One VideoSDK project.

    Each room that it creates gets `webhook_url`. `webhook_key` is a PEM, the word `fetch`, or None: then
    unsigned webhooks are accepted.
    """

    name = "videosdk"

    def __init__(
        self, settings: VideoSDKSettings, *, webhook_url: str | None = None, webhook_key: str | None = None
    ) -> None:
        self._settings = settings
        self._webhook_url = webhook_url
        self._tokens = Tokens(settings.api_key, settings.secret, settings.auth_token)
        self._http = HttpClient(settings.base_url, self._tokens, settings.timeout_s)
        self._webhook_key = WebhookKey(self._http, webhook_key)
        self._check: asyncio.Task[None] | None = None
        self._check_again_at = float("-inf")
        self._warned = False
        if settings.auth_token:
            log.warning("auth_token_used_for_participants", remedy="set VIDEOSDK_API_KEY and VIDEOSDK_SECRET")

    @property
    def signaling_url(self) -> str:
        return self._settings.base_url

    @property
    def timeout_s(self) -> float:
        return self._settings.timeout_s

    async def find_caller_call(self, room_id: str, *, within_s: float | None = None) -> CallRecord | None:
        calls = await self._list({"roomId": room_id}, within_s)
        candidates = [call for call in calls if call.up and MARK not in call.metadata]
        # An inbound call comes before a call that another program dialled into the room; then the newest.
        return max(candidates, key=lambda call: (call.direction == "inbound", call.started), default=None)

    async def look_up_call(self, call_id: str, *, within_s: float | None = None) -> CallRecord | None:
        try:
            return await self._http.request(
                ApiRequest("GET", "/v2/sip/call/{call_id}", ids={"call_id": call_id}), read_one, within_s
            )
        except NotFound:
            return None

    async def find_calls(
        self, room_id: str, participant_id: str, attempt_key: str, *, within_s: float | None = None
    ) -> list[CallRecord]:
        calls = await self._list({"roomId": room_id, "type": "outbound"}, within_s)
        found = [
            call
            for call in calls
            if call.metadata.get("attemptKey") == attempt_key or call.participant_id == participant_id
        ]
        return sorted(found, key=lambda call: not call.up)

    async def find_marked_calls(
        self, marks: Mapping[str, str], began_within_s: float, *, within_s: float | None = None
    ) -> list[CallRecord]:
        since_ms = round((self._tokens.now() - began_within_s) * 1_000)
        calls = await self._list({"type": "outbound", "startDate": str(since_ms)}, within_s)
        return [call for call in calls if call.up and marks.items() <= call.metadata.items()]

    async def create_room(self, key: str, *, within_s: float | None = None) -> str:
        request = ApiRequest("POST", "/v2/rooms", body=room_body(key, self._webhook_url), repeatable=True)
        return await self._http.request(request, read_room, within_s)

    async def dial(self, order: DialRequest, *, within_s: float | None = None) -> Dialed:
        body = dial_body(order)
        self._warn_of_ignored_options(body)
        return await self._http.request(ApiRequest("POST", "/v2/sip/call", body=body), read_dialed, within_s)

    def _warn_of_ignored_options(self, body: Mapping[str, Any]) -> None:
        """Log once which options of a dial the cloud may take from the routing rule instead."""
        # A coordinator writes `dtmf: true` into a request without it, so that one is not named.
        options = sorted(each for each in RULE_OPTIONS & body.keys() if (each, body[each]) != ("dtmf", True))
        if self._warned or not options:
            return
        self._warned = True
        log.warning(
            "call_options_may_be_ignored",
            options=options,
            remedy="with a provisioned number, set them on the routing rule and its gateway",
        )

    async def dispatch_agent(
        self,
        agent_id: str,
        room_id: str,
        *,
        version_id: str | None,
        metadata: Mapping[str, str],
        within_s: float | None = None,
    ) -> None:
        body = dispatch_body(agent_id, room_id, version_id, metadata)
        await self._http.request(
            ApiRequest("POST", "/v2/agent/dispatch", body=body), read_dispatched, within_s
        )

    async def switch(
        self, call_id: str, room_id: str, participant_id: str, *, within_s: float | None = None
    ) -> dict[str, Any]:
        token = self.mint_token(room_id, participant_id)
        request = ApiRequest(
            "POST", "/v2/sip/call/switch-room", body=switch_body(call_id, room_id, participant_id, token)
        )
        return await self._http.request(request, read_switched, within_s)

    async def end(self, call_id: str, *, within_s: float | None = None) -> None:
        request = ApiRequest("POST", "/v2/sip/call/end", body={"callId": call_id}, repeatable=True)
        await self._http.request(request, read_nothing, within_s)

    async def close_room(self, room_id: str, *, within_s: float | None = None) -> None:
        request = ApiRequest("POST", "/v2/rooms/deactivate", body={"roomId": room_id}, repeatable=True)
        await self._http.request(request, read_nothing, within_s)

    async def record_participant(
        self, room_id: str, participant_id: str, *, within_s: float | None = None
    ) -> None:
        body = recording_body(room_id, participant_id)
        request = ApiRequest("POST", "/v2/recordings/participant/start", body=body, repeatable=True)
        try:
            await self._http.request(request, read_nothing, within_s)
        except Rejected as error:
            if (translated := recording_error(error)) is not None:
                raise translated from error

    async def register_webhooks(self) -> None:
        url = self._webhook_url
        if url is None or url in await self._http.request(
            ApiRequest("GET", "/v2/sip/webhooks"), read_webhooks
        ):
            return
        request = ApiRequest("POST", "/v2/sip/webhooks", body=webhook_body(url), repeatable=True)
        await self._http.request(request, read_nothing)
        log.info("webhooks_registered")

    def mint_token(self, room_id: str, participant_id: str) -> str:
        return self._tokens.for_room(room_id, participant_id)

    async def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Notice | None:
        if self._webhook_key.is_required:
            await self._webhook_key.check(headers.get(SIGNATURE, ""), body)
        at = reported_at(body)
        if at is not None and self._tokens.now() - at > REPLAY_WINDOW_S:
            raise StaleWebhook("The webhook tells of something that happened long ago")
        return parse_webhook(body)

    def can_connect(self) -> bool:
        return self._http.can_connect()

    async def check_credentials(self) -> None:
        # A query that every gateway makes for each transfer, so it needs no other permission.
        query: dict[str, str | int] = {"page": 1, "perPage": 1}
        try:
            await self._http.request(ApiRequest("GET", "/v2/sip/call", query=query), read_page)
        except Rejected as error:
            if error.status in REFUSES_CREDENTIALS:
                self._http.refused = str(error)
            raise

    def credentials_refused(self) -> str | None:
        now = asyncio.get_running_loop().time()
        idle = self._check is None or self._check.done()
        if self._http.refused is not None and idle and now >= self._check_again_at:
            self._check_again_at = now + CHECK_AGAIN_S
            self._check = asyncio.create_task(self._check_again(), name="check provider credentials")
        return self._http.refused

    async def room_exists(self, room_id: str, *, within_s: float | None = None) -> bool:
        request = ApiRequest("GET", "/v2/rooms/{room_id}", ids={"room_id": room_id})
        try:
            room = await self._http.request(request, read_room_state, within_s)
        except Rejected as error:
            if isinstance(error, NotFound) or error.status == MALFORMED_ID:
                return False
            raise
        return not room.disabled

    async def aclose(self) -> None:
        if self._check is not None:
            self._check.cancel()
            await asyncio.wait({self._check})
        await self._webhook_key.aclose()
        await self._http.aclose()

    async def _check_again(self) -> None:
        try:
            await self.check_credentials()
        except (RetryableError, Rejected) as error:
            log.info("credentials_not_accepted", cause=str(error))

    async def _list(self, query: Mapping[str, str], within_s: float | None) -> list[CallRecord]:
        """Return the calls that match, from all pages, each once."""
        found: dict[str, CallRecord] = {}
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (self.timeout_s if within_s is None else within_s)
        for page in range(1, MAX_PAGES + 1):
            request = ApiRequest("GET", "/v2/sip/call", query={**query, "page": page, "perPage": PER_PAGE})
            calls, last = await self._http.request(request, read_page, deadline - loop.time())
            found.update((call.call_id, call) for call in calls)
            # A server that names no last page sends an empty page after the last one.
            if not calls or (last is not None and page >= last):
                return list(found.values())
        log.warning("call_list_truncated", pages=MAX_PAGES, calls=len(found))
        return list(found.values())


def from_env(env: Mapping[str, str]) -> ProviderConfig:
    """Return VideoSDK with its settings in `env`. Raises `InvalidRequest`."""
    settings = VideoSDKSettings.from_env(env)
    return ProviderConfig(
        name=VideoSDKProvider.name,
        local=settings.local,
        timeout_s=settings.timeout_s,
        open=lambda webhook_url, webhook_key: VideoSDKProvider(
            settings, webhook_url=webhook_url, webhook_key=webhook_key
        ),
    )
