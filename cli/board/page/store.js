// What the server has sent, and the connection to it. `subscribe` is told of changes at most once a frame.

const STALE_S = 7;
const RECONNECT_MS = 2000;

export class Store {
  constructor() {
    this.rows = new Map();
    this.older = new Map(); // of the archive, as far as asked for
    this.settings = null;
    this.lastHour = null;
    this.processes = [];
    this.missingRoles = [];
    this.deadLetters = [];
    this.problems = [];
    this.notShown = 0;
    this.connected = true;
    this.loaded = false;
    this.clockOffset = 0;
    this.heardAt = 0;
    this.lost = false;
    this.changes = 0;
    this.subscribers = new Set();
    this.drawn = true;
  }

  /** Seconds since the epoch by the clock of the server. */
  now() {
    return Date.now() / 1000 + this.clockOffset;
  }

  /** "live", "stale" (nothing came for a while), "lost" (no connection) or "broker" (the server has none). */
  status() {
    if (this.lost) return "lost";
    if (performance.now() / 1000 - this.heardAt > STALE_S) return "stale";
    return this.connected ? "live" : "broker";
  }

  subscribe(callback) {
    this.subscribers.add(callback);
    return () => this.subscribers.delete(callback);
  }

  changed() {
    this.changes += 1;
    if (!this.drawn) return;
    this.drawn = false;
    requestAnimationFrame(() => {
      this.drawn = true;
      for (const callback of this.subscribers) callback();
    });
  }

  connect() {
    const source = new EventSource("/api/events");
    source.onmessage = (message) => this.apply(JSON.parse(message.data));
    source.onopen = () => {
      this.lost = false;
      this.changed();
    };
    source.onerror = () => {
      this.lost = true;
      this.changed();
      if (source.readyState === EventSource.CLOSED) this.reconnect();
    };
  }

  /** The server refused: look whether it wants the token again. */
  async reconnect() {
    await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
    try {
      const answer = await fetch("/api/transfers?limit=1");
      if (answer.status === 401) location.assign("/");
    } catch {
      this.lost = true; // the server is not there: the next try tells
    }
    this.connect();
  }

  apply(update) {
    this.heardAt = performance.now() / 1000;
    this.clockOffset = update.now - Date.now() / 1000;
    this.connected = update.connected;
    this.notShown = update.not_shown ?? 0;
    this.loaded = update.read ?? false;
    if (update.whole) this.rows = new Map();
    for (const row of update.rows ?? []) this.rows.set(row.id, row);
    for (const id of update.removed ?? []) this.rows.delete(id);
    this.settings = update.settings ?? this.settings;
    this.lastHour = update.last_hour ?? this.lastHour;
    this.processes = update.processes ?? this.processes;
    this.missingRoles = update.missing_roles ?? this.missingRoles;
    this.deadLetters = update.dead_letters ?? this.deadLetters;
    this.problems = update.problems ?? this.problems;
    this.changed();
  }

  /** Load the newest ended transfers, also those of the archive. Throws an `Error` with the sentence. */
  async loadOlder(limit) {
    const { transfers } = await getJson(`/api/transfers?limit=${limit}`);
    this.older = new Map(
      transfers
        .filter((each) => each.outcome !== null)
        .map((each) => [
          each.id,
          { ...each, step: "ended", ended_at: each.at, started_at: null, detail: each.detail ?? "", on: "" },
        ]),
    );
    this.changed();
  }
}

/** Return the JSON of an answer. Throws an `Error` with the server's sentence. */
export async function getJson(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The board does not answer; is it still running?");
  }
  const value = await answer.json().catch(() => ({ error: `The board answered ${answer.status}` }));
  if (!answer.ok) throw new Error(value.error ?? `The board answered ${answer.status}`);
  return value;
}

export function post(path) {
  return getJson(path, { method: "POST" });
}
