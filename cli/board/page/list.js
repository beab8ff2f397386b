// The list of transfers: who waits the longest comes first.

import { Component, html } from "./html.js";
import { STEPS, ago, capitalized, clock, duration, moment, outcome, plural, timeOfDay, tone, words } from "./format.js";
import { Actors, DeadLetters } from "./aside.js";
import { LastHour } from "./last-hour.js";

const MAX_OLDER = 1000;
const NEAR_LIMIT = 0.75;
const SHOWN_ID_CHARS = 10;
const TIMES = { 900: "Ended in the last 15 min", 3600: "Ended in the last hour", 0: "Ended at any time" };
const RUNNING = ["preparing", "ringing", "briefing", "moving", "cleaning_up"];

export class ListView extends Component {
  constructor() {
    super();
    const kept = ListView.kept;
    this.state = kept ?? { text: "", step: "all", within: 3600, failed: null };
  }

  choose(part) {
    ListView.kept = { ...this.state, ...part };
    this.setState(part);
  }

  async chooseTime(within) {
    this.choose({ within, failed: null });
    if (within !== 0) return;
    try {
      await this.props.store.loadOlder(MAX_OLDER);
    } catch (error) {
      this.setState({ failed: error.message });
    }
  }

  render({ store }, { text, step, within, failed }) {
    const now = store.now();
    const all = [...store.rows.values()];
    const waiting = all.filter((row) => row.step !== "ended" && row.step !== "cleaning_up");
    const counts = countSteps(all, now, within);
    const matching = found(store, text, step, within, now);
    const running = matching.filter((row) => row.step !== "ended");
    const ended = matching.filter((row) => row.step === "ended");
    return html`
      <div class="columns">
        <div class="wide">
          <${Headline} store=${store} waiting=${waiting} now=${now} />
          <section aria-label="Transfers">
            <div class="filters">
              <input
                id="search"
                type="search"
                placeholder="Search id, name, number"
                title="Press / to search"
                aria-label="Search id, supervisor, number or room"
                value=${text}
                onInput=${(event) => this.choose({ text: event.target.value })}
              />
              <select aria-label="Time" value=${within} onChange=${(event) => this.chooseTime(Number(event.target.value))}>
                ${Object.entries(TIMES)
                  .reverse()
                  .map(([seconds, name]) => html`<option key=${seconds} value=${seconds}>${name}</option>`)}
              </select>
              <div class="chips" role="group" aria-label="Step">
                ${["all", ...RUNNING, "ended"].map(
                  (each) => html`<button
                    key=${each}
                    type="button"
                    class="chip ${each}"
                    aria-pressed=${step === each ? "true" : "false"}
                    onClick=${() => this.choose({ step: step === each ? "all" : each })}
                  >
                    ${each === "all" ? "All" : STEPS[each]} <b>${counts[each]}</b>
                  </button>`,
                )}
              </div>
            </div>
            ${failed ? html`<p class="failed" role="alert">${failed}</p>` : null}
            ${step === "ended"
              ? null
              : html`<h2>In flight <small>${running.length}</small></h2>
                  ${running.length > 0
                    ? html`<p class="row heads" aria-hidden="true">
                          <span>caller waits</span><span>for</span><span>supervisor</span><span>time in this step</span><span class="id">id</span>
                        </p>
                        <ul class="rows" id="running">
                        ${running.map(
                          (row) =>
                            html`<${RunningRow} key=${row.id} row=${row} second=${Math.floor(now)} target=${store.settings?.wait_target_s ?? 60} />`,
                        )}
                      </ul>`
                    : html`<p class="empty">${store.loaded ? noneRunning(text, step) : "Reading the last hour…"}</p>`}`}
            ${step === "all" || step === "ended"
              ? html`<h2>Ended <small>${ended.length}</small></h2>
                  ${ended.length > 0
                    ? html`<p class="row heads" aria-hidden="true">
                          <span>ended</span><span>how</span><span>supervisor</span><span>took</span><span class="id">id</span>
                        </p>
                        <ul class="rows" id="ended">
                        ${ended.map(
                          (row) => html`<${EndedRow} key=${row.id} row=${row} minute=${Math.floor((now - row.ended_at) / 5)} now=${now} />`,
                        )}
                      </ul>`
                    : html`<p class="empty">${noneEnded(text, within)}</p>`}`
              : null}
            ${text && matching.length === 0 && /^[A-Za-z0-9_-]{1,64}$/.test(text.trim())
              ? html`<p><a class="button" href=${`#/t/${text.trim()}`}>Open transfer ${text.trim()}</a></p>`
              : null}
          </section>
        </div>
        <aside>
          <${LastHour} store=${store} />
          <${DeadLetters} store=${store} />
          <${Actors} store=${store} />
        </aside>
      </div>
    `;
  }
}

function Headline({ store, waiting, now }) {
  const target = store.settings?.wait_target_s ?? 60;
  const longest = waiting.reduce((first, row) => (first === null || row.started_at < first.started_at ? row : first), null);
  const over = waiting.filter((row) => now - row.started_at > target).length;
  return html`
    <section class="headline" aria-label="Waiting callers">
      <h1>
        ${waiting.length === 0
          ? "No caller is waiting"
          : html`<b>${waiting.length}</b> ${waiting.length === 1 ? "caller waits" : "callers wait"} for a human`}
      </h1>
      ${longest
        ? html`<p>
            The longest wait is
            <b class=${now - longest.started_at > target ? "over" : ""}> ${clock(now - longest.started_at)}</b>, for ${longest.on}.
            ${over > 0
              ? html` <b class="over">${plural(over, "caller waits", "callers wait")} over ${clock(target)}.</b>`
              : html` None waits over ${clock(target)}.`}
          </p>`
        : html`<p>A caller appears here from the request for a transfer until a supervisor has the call.</p>`}
    </section>
  `;
}

class RunningRow extends Component {
  shouldComponentUpdate(next) {
    return next.row !== this.props.row || next.second !== this.props.second || next.target !== this.props.target;
  }

  render({ row, second, target }) {
    const waits = second - row.started_at;
    const gone = row.step === "cleaning_up";
    const over = waits > target && !gone;
    const inStep = Math.max(0, second - row.since);
    const share = row.limit_s ? Math.min(1, inStep / row.limit_s) : 0;
    const level = share >= 1 ? "over" : share > NEAR_LIMIT ? "near" : "";
    return html`
      <li class="row ${row.step} ${over ? "late" : ""}">
        <span class="wait ${over ? "over" : ""}">
          <b>${clock(waits)}</b>
          <small>${gone ? "ends now" : over ? "over target" : row.on_hold ? "on hold" : "with the AI"}</small>
        </span>
        <span class="what">
          <a href=${`#/t/${row.id}`}>${gone ? "Caller goes back to the AI" : html`<span class="prefix">Waits for </span>${row.on}`}</a>
          <small><span class="pill ${row.step}">${STEPS[row.step]}</span> <${Notice} row=${row} /></small>
        </span>
        <span class="who">
          <b>${row.supervisor || "…"}</b>
          <small>${row.destination}</small>
        </span>
        <span class="limit ${level}">
          <${LimitBar} share=${share} />
          <small>${clock(inStep)}${row.limit_s ? ` of at most ${clock(row.limit_s)}` : ""}${level === "over" ? ", over" : ""}</small>
        </span>
        <small class="id" title=${row.id}>${shortId(row.id)}</small>
      </li>
    `;
  }
}

class EndedRow extends Component {
  shouldComponentUpdate(next) {
    return next.row !== this.props.row || next.minute !== this.props.minute;
  }

  render({ row, now }) {
    const known = row.to_human_s !== null && row.to_human_s !== undefined;
    const took = known ? row.to_human_s : row.started_at ? row.ended_at - row.started_at : null;
    return html`
      <li class="row ended">
        <span class="wait" title=${moment(row.ended_at)}>
          <b>${timeOfDay(row.ended_at).slice(0, 5)}</b>
          <small>${ago(now - row.ended_at)}</small>
        </span>
        <span class="what">
          <a href=${`#/t/${row.id}`}><i class="dot ${tone(row.outcome)}" aria-hidden="true"></i>${outcome(row.outcome)}</a>
          <small class="detail">${row.detail} <${Notice} row=${row} /></small>
        </span>
        <span class="who">
          <b>${row.supervisor ?? ""}</b>
          <small>${row.destination ?? ""}</small>
        </span>
        <span class="limit">
          ${took === null ? null : html`<b>${duration(took)}</b><small>${known ? "to human" : "until the end"}</small>`}
        </span>
        <small class="id" title=${row.id}>${shortId(row.id)}</small>
      </li>
    `;
  }
}

function LimitBar({ share }) {
  return html`<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
    <rect class="track" width="100" height="6" />
    <rect class="fill" width=${(100 * share).toFixed(1)} height="6" />
  </svg>`;
}

export function Notice({ row }) {
  if (!row.notice) return null;
  const level = row.notice === "caller_alone" ? "bad" : "neutral";
  return html`<span class="notice ${level}">${capitalized(words(row.notice))}</span>`;
}

function shortId(id) {
  return id.length > SHOWN_ID_CHARS + 1 ? `…${id.slice(-SHOWN_ID_CHARS)}` : id;
}

/** The rows that match the filters: running ones by how long the caller waits, then ended ones, newest first. */
function found(store, text, step, within, now) {
  const wanted = text.trim().toLowerCase();
  const rows = within === 0 ? [...new Map([...store.older, ...store.rows]).values()] : [...store.rows.values()];
  const matches = rows.filter(
    (row) =>
      (step === "all" || row.step === step) &&
      isWithin(row, within, now) &&
      (!wanted ||
        [row.id, row.supervisor, row.destination, row.room_id, row.outcome].some((each) =>
          (each ?? "").toLowerCase().includes(wanted),
        )),
  );
  return matches.sort((one, other) => rank(one) - rank(other) || order(one, other));
}

function isWithin(row, within, now) {
  return row.step !== "ended" || within === 0 || now - row.ended_at <= within;
}

function rank(row) {
  return row.step === "ended" ? 2 : row.step === "cleaning_up" ? 1 : 0;
}

function order(one, other) {
  if (one.step === "ended") return other.ended_at - one.ended_at;
  return one.started_at - other.started_at;
}

function countSteps(rows, now, within) {
  const counts = { all: 0, ended: 0, ...Object.fromEntries(RUNNING.map((each) => [each, 0])) };
  for (const row of rows) {
    if (!isWithin(row, within, now)) continue;
    counts.all += 1;
    counts[row.step] += 1;
  }
  return counts;
}

function noneRunning(text, step) {
  return text || step !== "all" ? "No running transfer matches." : "No transfer is running.";
}

function noneEnded(text, within) {
  if (text) return "No ended transfer matches.";
  return within === 0 ? "No transfer is stored." : "No transfer has ended in this time.";
}
