"""What the fake cloud's ledger must show after transfers have ended. Pure.

Invariant: a row counts a transfer only if the ledger has exactly one dial and one move of it, and the caller
is with the supervisor. What an actor reports is not evidence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from warmxfer.schemas import participant_ids

from .cloud.calls import Calls, caller_call, supervisor_call
from .cloud.ledger import Entry

MAX_SHOWN = 3


def check_ledger(
    entries: Iterable[Entry], sessions: Mapping[str, str], complete: frozenset[str]
) -> list[str]:
    """Return one sentence per broken promise.

    `sessions` has every requested transfer with its session, `complete` the ids that reported success.
    """
    dials, moves, calls = Counter[str](), Counter[str](), Calls()
    for entry in entries:
        dials[entry.call_id] += entry.kind == "dial"
        moves[entry.call_id] += entry.kind == "move"
        calls.apply(entry)
    broken: dict[str, list[str]] = {}
    for id, session in sessions.items():
        supervisor_id, caller_id = supervisor_call(participant_ids.supervisor(id, 1)), caller_call(session)
        supervisor, caller = calls.get(supervisor_id), calls.get(caller_id)
        if dials[supervisor_id] > 1:
            broken.setdefault("dialled a supervisor more than once", []).append(id)
        if moves[caller_id] > 1:
            broken.setdefault("moved the caller more than once", []).append(id)
        if caller is None or not caller.up:
            broken.setdefault("ended the caller's call", []).append(id)
        elif id in complete and (
            supervisor is None or not supervisor.up or supervisor.room_id != caller.room_id
        ):
            broken.setdefault("are complete, but the caller is not with the supervisor", []).append(id)
    return [
        f"{len(ids)} of {len(sessions)} transfers {sentence}: {', '.join(ids[:MAX_SHOWN])}"
        for sentence, ids in broken.items()
    ]


def undialled(entries: Iterable[Entry], failed: Iterable[str], at_most: int) -> frozenset[str]:
    """Return those of the transfers `failed` whose supervisor the cloud never dialled.

    Returns none of them if there are more than `at_most`.
    """
    dialled = {entry.call_id for entry in entries if entry.kind == "dial"}
    legs = {id: supervisor_call(participant_ids.supervisor(id, 1)) for id in failed}
    found = frozenset(id for id, leg in legs.items() if leg not in dialled)
    return found if len(found) <= at_most else frozenset()
