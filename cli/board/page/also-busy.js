// Supervisors who are in two transfers at the same time, as far as name and masked number tell. Pure.

import { timeOfDay } from "./format.js";

const TALK_S = 600; // for so long after an end, the supervisor is taken to be talking

/** Return a sentence for each running transfer whose supervisor has another one, by its id. */
export function alsoBusy(rows, second) {
  const found = new Map();
  const running = rows.filter((row) => row.supervisor && row.step !== "ended" && row.step !== "cleaning_up");
  const counts = new Map();
  for (const row of running) counts.set(key(row), (counts.get(key(row)) ?? 0) + 1);
  const connected = new Map();
  for (const row of rows) {
    if (row.outcome !== "complete" || row.notice || second - row.ended_at > TALK_S) continue;
    connected.set(key(row), Math.max(row.ended_at, connected.get(key(row)) ?? 0));
  }
  for (const row of running) {
    const since = connected.get(key(row));
    if (counts.get(key(row)) > 1) found.set(row.id, "also in another transfer");
    else if (since) found.set(row.id, `connected to another caller at ${timeOfDay(since)}`);
  }
  return found;
}

function key(row) {
  return `${row.supervisor} ${row.destination}`;
}
