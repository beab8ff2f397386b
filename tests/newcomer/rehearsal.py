"""Runs the rehearsal of docs/operations.md as it is written there, and the drill after it.

    uv run --group dev python -m tests.newcomer.rehearsal

It takes the commands from the page: three brokers with accounts and TLS on loopback, two of each actor, the
simulated cloud, a transfer. Then it loses a broker, kills a gateway, meets a dead letter, and rolls an
upgrade, each with a transfer. Needs Linux, bash, openssl, curl, pgrep, and the ports of the page (4222, 6222,
8222 to 8224, 8090).
Exit code 1: a step did not end as the page says.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.docs.pages import DOCS, read_page

SECTION = "A rehearsal on one machine"
LIMIT_S = 600
DRILL = r"""
fail() { echo "FAILED: $*"; exit 1; }
wait_for() {
  for _ in $(seq 60); do eval "$1" > last.txt 2>&1 && return; sleep 1; done
  cat last.txt; fail "$1"
}
transfer() {
  curl -sf http://127.0.0.1:8090/sandbox/calls -d '{"from": "+14155550201", "roomId": "'$1'"}' > /dev/null
  as primary warmxfer run primary --room $1 > primary-$1.log 2>&1 &
  wait_for "grep -q session_attached primary-$1.log"
  as client warmxfer request --room $1 --rule demo --to +14155550101 --from +14155550100 --id $1 > /dev/null
}
ended() { as client warmxfer watch $1 > watch-$1.txt 2>&1 || { cat watch-$1.txt; fail "transfer $1"; }; }
"""
STEPS = (
    ("all actors are there", "wait_for 'as operator warmxfer doctor'; cat last.txt"),
    (
        "the broker 2 is lost",
        "kill -9 $(pgrep -s 0 -f broker-2.conf); transfer t-2; ended t-2\n"
        "wait_for 'as operator warmxfer doctor | grep \"Copies of WARMXFER_CORE are incomplete: broker-2\"'\n"
        "NATS_SERVER_NAME=broker-2 nats-server -c broker-2.conf -a 127.0.0.2 -m 8223 --tls "
        "--cluster nats://127.0.0.2:6222 --tlscert tls/tls.crt --tlskey tls/tls.key >> broker-2.log 2>&1 &\n"
        "wait_for 'as operator warmxfer doctor'",
    ),
    (
        "a gateway is killed",
        "transfer t-3; kill -9 $(pgrep -s 0 -f 'warmxfer run gateway' | head -1); ended t-3\n"
        "as gateway warmxfer run gateway > gateway-3.log 2>&1 &\n"
        "wait_for 'as operator warmxfer doctor | grep \"gateway .*2 processes running\"'",
    ),
    (
        "an unreadable message is a dead letter",
        "as client python unreadable.py t-3\n"
        "wait_for 'as operator warmxfer dead-letters | grep \"not JSON\"'\n"
        "number=$(as operator warmxfer dead-letters --json | sed 's/.*\"number\":\\([0-9]*\\).*/\\1/')\n"
        "as operator warmxfer dead-letters show $number\n"
        "as operator warmxfer dead-letters replay $number && fail 'replayed what is not JSON'",
    ),
    (
        "an upgrade is rolled",
        "transfer t-4\n"
        "for role in summarizer gateway briefing coordinator; do\n"
        '  for old in $(pgrep -s 0 -f "warmxfer run $role"); do\n'
        "    as $role warmxfer run $role > new-$role-$old.log 2>&1 &\n"
        '    wait_for "grep -q actor_started new-$role-$old.log"; kill -TERM $old\n'
        "  done\n"
        "done\n"
        "ended t-4; wait_for 'as operator warmxfer doctor'",
    ),
)
UNREADABLE = """
import asyncio, os, ssl, sys
import nats

async def main():
    context = ssl.create_default_context(cafile=os.environ["NATS_CA"])
    client = await nats.connect(os.environ["NATS_URL"].split(","), user="client", tls=context,
                                password=os.environ["NATS_PASSWORD"], inbox_prefix=b"_INBOX.client")
    await client.publish(f"warmxfer.{sys.argv[1]}.cancel", b"{")
    await client.drain()

asyncio.run(main())
"""


def script() -> str:
    """Return the commands of the page, with a wait where a reader waits, and the steps of the drill."""
    certificates, brokers, actors, transfer = (
        block.text
        for block in read_page(DOCS / "operations.md").find(SECTION).blocks
        if block.language == "sh"
    )
    brokers_ready = 'for n in 2 3 4; do wait_for "curl -sf http://127.0.0.1:822$n/healthz"; done'
    parts = [DRILL, certificates, brokers, brokers_ready, actors, f"echo '== {STEPS[0][0]}'", STEPS[0][1]]
    parts += [
        transfer,
        "grep -q '  outcome: *complete' <(as client warmxfer watch t-1) || fail 'transfer t-1'",
    ]
    for title, commands in STEPS[1:]:
        parts += [f"echo '== {title}'", commands]
    return "\n".join([*parts, "echo '== every step ended as the page says'"])


def main() -> None:
    """Run everything in an empty folder, and end all of it."""
    bin_folder = Path(sys.executable).parent
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("NATS_", "WARMXFER_", "VIDEOSDK_"))
    }
    env |= {"PATH": f"{bin_folder}:{os.environ['PATH']}", "WARMXFER_LOG": "json"}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "unreadable.py").write_text(UNREADABLE, encoding="utf-8")
        # A file, so that no command line but those of the servers holds their names.
        Path(folder, "rehearsal.sh").write_text(script(), encoding="utf-8")
        process = subprocess.Popen(["bash", "rehearsal.sh"], cwd=folder, env=env, start_new_session=True)
        try:
            code = process.wait(LIMIT_S)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    sys.exit(code)


if __name__ == "__main__":
    main()
