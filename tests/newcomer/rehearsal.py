"""Runs the rehearsal of docs/operations.md as it is written there, and the drill after it.

    uv run --group dev python -m tests.newcomer.rehearsal

It takes the commands from the page: three brokers on loopback with accounts, and with TLS for clients and
routes, two of each actor, a board, the simulated cloud, a transfer. Then it loses a broker, kills a gateway,
meets a dead letter, rolls an upgrade to a pretended newer version, and fills the storage up to its limit,
each with a transfer and a look at the board. Needs Linux, bash, openssl, curl, and the ports of the
page (4222, 6222, 8222, 8088, 8090, 9101 to 9140). Exit code 1: a step did not end as the page says.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.chaos.upgrade import NEWER_VERSION
from tests.docs.pages import DOCS, read_page

SECTION = "A rehearsal on one machine"
LIMIT_S = 840
BROKERS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
ADDRESSES = [(host, port) for host in BROKERS for port in (4222, 6222, 8222)]
ADDRESSES += [("127.0.0.1", port) for port in (8088, 8090, *range(9101, 9141))]
NEWER = "9.9.9"
"""The version that the pretended newer processes say they have."""
FUNCTIONS = r"""
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
board() { # what the page gets within some seconds
  local token=$(sed -n s/WARMXFER_BOARD_TOKEN=//p secrets/board.env)
  curl -sN --max-time 5 -H "Authorization: Bearer $token" http://127.0.0.1:8088/api/events | grep "$1"
}
needs_tls() { # the broker $1 asks clients and other brokers for TLS with a certificate
  [ "$(curl -sf http://127.0.0.$1:8222/varz | grep -cE '"tls_(required|verify)": true')" = 4 ]
}
"""
REPLAYED = r"""
wait_for 'as operator warmxfer dead-letters --json | grep "there is no transfer t-9"'
"""
BROKERS_READY = 'for n in 1 2 3; do wait_for "curl -sf http://127.0.0.$n:8222/healthz"; done'
ALL_THERE = r"""
for n in 1 2 3; do needs_tls $n || fail "broker $n takes clients or routes without TLS"; done
wait_for 'as operator warmxfer doctor'; cat last.txt
for role in coordinator gateway summarizer briefing; do wait_for "board '\"role\":\"$role\"'"; done
"""
FIRST_TRANSFER_ENDED = r"""
grep -q '  outcome: *complete' <(as client warmxfer watch t-1) || fail 'transfer t-1'
wait_for "board '\"id\":\"t-1\".*\"outcome\":\"complete\"'"
"""
STEPS = (
    (
        "the broker 2 is lost",
        r"""
kill -9 $(cat broker-2.pid); transfer t-2; ended t-2
for stream in IN EVENTS CORE PUBLIC ARCHIVE; do
  wait_for "as operator warmxfer doctor | grep 'Copies of WARMXFER_$stream are incomplete: broker-2'"
done
wait_for "board '\"connected\":true.*\"id\":\"t-2\"'"
start_broker 2
wait_for 'as operator warmxfer doctor'
""",
    ),
    (
        "a gateway is killed",
        r"""
transfer t-3; kill -9 $(cat gateway-1.pid); rm gateway-1.pid; ended t-3
wait_for "board '\"role\":\"gateway\"[^}]*\"alive\":false'"
start gateway 3
wait_for 'as operator warmxfer doctor | grep "gateway .*2 processes running"'
""",
    ),
    (
        "an unreadable message is a dead letter",
        r"""
publish warmxfer.t-3.cancel '{'
wait_for 'as operator warmxfer dead-letters | grep "not JSON"'
wait_for "board '\"dead_letters\":\[{.*not JSON'"
number=$(as operator warmxfer dead-letters --json | sed 's/.*"number":\([0-9]*\).*/\1/')
as operator warmxfer dead-letters show $number
as operator warmxfer dead-letters replay $number && fail 'replayed what is not JSON'
""",
    ),
    (
        "an upgrade is rolled",
        r"""
transfer t-4
PYTHONPATH=$NEWER_PATH roll summarizer
wait_for 'as operator warmxfer doctor | grep "Processes of 2 versions run: .*$NEWER (2 summarizer)"'
wait_for "board '\"version\":\"$NEWER\"'"
for role in gateway briefing; do PYTHONPATH=$NEWER_PATH roll $role; done
# The pretended coordinators name the stage otherwise, and no briefing agent knows that name.
wait_for "grep 't-4.*consultation_joined' briefing-9*.log || grep 't-4.*consultation_ended' briefing-*.log"
PYTHONPATH=$NEWER_PATH roll coordinator
ended t-4
wait_for 'as operator warmxfer doctor'
wait_for 'as operator warmxfer doctor | grep "The processes run version $NEWER"'
transfer t-5; ended t-5
""",
    ),
    (
        "the storage is nearly full",
        r"""
for _ in $(seq 10); do
  publish warmxfer.t-fill.cancel "$(head -c 45000 /dev/urandom | od -An -tx1 | tr -d ' \n')"
done
PYTHONPATH=$NEWER_PATH WARMXFER_MAX_STORE_MB=1 roll coordinator
wait_for 'as operator warmxfer doctor | grep "(WARMXFER_MAX_STORE_MB), so new requests end as too_busy"'
as operator warmxfer doctor > /dev/null; [ $? = 1 ] || fail 'another exit code of doctor'
transfer t-6; wait_for 'as client warmxfer watch t-6 | grep "too_busy"'
wait_for "board '\"id\":\"t-6\".*\"outcome\":\"too_busy\"'"
""",
    ),
)


def script() -> str:
    """Return the commands of the page, with a wait where a reader waits, and the steps of the drill."""
    certificates, brokers, actors, transfer, _ringing = _blocks(SECTION)
    _examples, unwanted = _blocks("Dead letters")
    publish, end, too_early = unwanted.partition('"$@"; }\n')
    parts = [FUNCTIONS, certificates, brokers, BROKERS_READY, actors, publish + end]
    parts += ["echo '== all actors are there'", ALL_THERE, transfer, FIRST_TRANSFER_ENDED]
    for title, commands in (*STEPS, ("a cancel is sent too early", too_early + REPLAYED)):
        parts += [f"echo '== {title}'", commands]
    return "\n".join([*parts, "echo '== every step ended as the page says'"])


def _blocks(section: str) -> list[str]:
    """Return the commands directly under a heading of the page, block by block."""
    blocks = read_page(DOCS / "operations.md").find(section).blocks
    return [block.text for block in blocks if block.language == "sh"]


def newer_path(folder: Path) -> str:
    """Return a path for Python with which a process is one of a newer version, and says so."""
    metadata = folder / "newer" / f"warmxfer-{NEWER}.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: warmxfer\nVersion: {NEWER}\n", encoding="utf-8")
    return f"{folder / 'newer'}:{NEWER_VERSION}"


def taken() -> list[str]:
    """Return the addresses of the page that another process listens on."""
    found: list[str] = []
    for host, port in ADDRESSES:
        try:
            socket.create_server((host, port)).close()
        except OSError:
            found.append(f"{host}:{port}")
    return found


def main() -> None:
    """Run everything in an empty folder, and end all of it."""
    if already := taken():
        sys.exit(f"another process listens on {', '.join(already)}; end it first")
    bin_folder = Path(sys.executable).parent
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("NATS_", "WARMXFER_", "VIDEOSDK_"))
    }
    env |= {"PATH": f"{bin_folder}:{os.environ['PATH']}", "WARMXFER_LOG": "json"}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as beside:
        env |= {"NEWER": NEWER, "NEWER_PATH": newer_path(Path(beside))}
        # A file, so that no command line but those of the servers holds their names.
        Path(folder, "rehearsal.sh").write_text(script(), encoding="utf-8")
        process = subprocess.Popen(["bash", "rehearsal.sh"], cwd=folder, env=env, start_new_session=True)
        try:
            code = process.wait(LIMIT_S)
        finally:
            _end(process.pid)
    sys.exit(code)


def _end(group: int) -> None:
    """End every process of a group."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return  # All of them have ended.


if __name__ == "__main__":
    main()
