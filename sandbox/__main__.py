"""`python -m warmxfer.sandbox`: the sandbox as its own process.

The process prints one JSON line with its base URL to stdout. All other output goes to stderr, so the parent
process may close the pipe after that line.
"""

import argparse
import asyncio
import gc
import json
import os
import ssl
import sys
from collections.abc import Callable

import structlog

from .server import CannotBind, serve
from .settings import Settings

SECRET = "VIDEOSDK_SECRET"
"""Each user of the machine may read the arguments of a process, so the secret is none."""
GC_THRESHOLD = 50_000
"""New objects between two collections. Each collection looks at every open connection and live call."""


def main() -> None:
    parser = _parser()
    options = parser.parse_args()
    try:
        settings = Settings(
            options.api_key,
            os.environ.get(SECRET, ""),
            options.webhook_url,
            options.time_scale,
            sign_webhooks=not options.unsigned_webhooks,
        )
    except ValueError as error:
        parser.error(str(error))
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            runner.run(serve(settings, options.host, options.port, _announce, tls=_tls(parser, options)))
        except CannotBind as error:
            parser.error(str(error))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return the factory of the fastest event loop; None selects that of asyncio."""
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


def _tls(parser: argparse.ArgumentParser, options: argparse.Namespace) -> ssl.SSLContext | None:
    """Return what the server needs for HTTPS, or None without a certificate."""
    if options.cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(options.cert, options.key)
    except OSError as error:
        parser.error(
            f"--cert is {options.cert!r}, which cannot be used ({error}); give PEM files in --cert and --key"
        )
    return context


def _announce(base_url: str) -> None:
    print(json.dumps({"sandbox": base_url}), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="warmxfer.sandbox",
        description="A VideoSDK cloud on your own machine.",
        epilog=f"{SECRET}, in the environment, is the secret that clients sign their tokens with.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 selects any free port")
    parser.add_argument("--api-key", required=True, help="API key of the project")
    parser.add_argument("--cert", help="PEM file with the certificate for HTTPS; without it, plain HTTP")
    parser.add_argument("--key", help="PEM file with the key of the certificate")
    parser.add_argument("--webhook-url", help="URL that receives every event")
    parser.add_argument(
        "--time-scale",
        type=float,
        default=1.0,
        help="factor for simulated seconds: 1 is real time, 0.1 is ten times as fast",
    )
    parser.add_argument(
        "--unsigned-webhooks",
        action="store_true",
        help="send webhooks without their signature, which costs half a millisecond of CPU for each",
    )
    return parser


if __name__ == "__main__":
    main()
