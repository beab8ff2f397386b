"""What makes a set-up weak, one sentence each, for `warmxfer doctor`. Pure.

The users of the broker and the regions that may be dialled have findings of their own in `doctor.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from warmxfer.actors.gateway import GatewaySettings
    from warmxfer.bus import BrokerReport, BusSettings


class Weakness(NamedTuple):
    """The fields of a finding of `doctor`."""

    about: str
    state: Literal["ok", "note", "wrong"]
    sentence: str


def of_broker(report: BrokerReport, settings: BusSettings) -> list[Weakness]:
    """Return what the connection to the broker shows."""
    return [_tls(report, settings), _STORE]


def of_gateway(settings: GatewaySettings) -> list[Weakness]:
    """Return what the settings of a gateway show."""
    if settings.webhook_port is None:
        return []
    if settings.webhook_key is None:
        return [
            Weakness(
                "webhooks",
                "note",
                "WARMXFER_WEBHOOK_PUBLIC_KEY is not set: the gateway believes each webhook that any process "
                "of this machine sends it; set it to fetch, or to the provider's public key in PEM.",
            )
        ]
    return [Weakness("webhooks", "ok", "The gateway believes only webhooks that the provider signed.")]


def _tls(report: BrokerReport, settings: BusSettings) -> Weakness:
    if report.encrypted:
        return Weakness("tls", "ok", "The connection to the broker is encrypted.")
    sentence = (
        "The connection to the broker is not encrypted, so the network between can read passwords and change "
        "commands; write tls:// into NATS_URL (`warmxfer permissions --tls` prints the broker's part)."
    )
    return Weakness("tls", "note" if settings.is_on_loopback else "wrong", sentence)


_STORE = Weakness(
    "store",
    "note",
    "No broker tells its clients whether it encrypts what it stores, so look: `cipher` and `key` must stand "
    "in its block `jetstream`, or whoever has its disk reads numbers and summaries.",
)
