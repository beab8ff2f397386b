// The list of transfers: who waits the longest comes first.

import { Component, html } from "./html.js";
import { STEPS, STEP_MEANINGS, clock, lateness, plural, waited } from "./format.js";
import { Actors, DeadLetters, Words } from "./aside.js";
import { LastHour } from "./last-hour.js";
import { EndedRow, RunningRow } from "./rows.js";
import { alsoBusy } from "./also-busy.js";

const MAX_OLDER = 1000;
const TIMES = { 900: "in the last 15 min", 3600: "in the last hour", 0: "at any time" };
const RUNNING = ["preparing", "ringing", "briefing", "moving", "cleaning_up"];

export class ListView extends Component {
  constructor() {
    super();
    const kept = ListView.kept;
    this.state = kept ?? { text: "", step: "all", within: 3600, failed: null, unfolded: false };
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

  render({ store }, { text, step, within, failed, unfolded }) {
    const now = store.now();
    const second = Math.floor(now);
    const target = store.settings?.wait_target_s ?? 60;
    const all = [...store.rows.values()];
    const waiting = all.filter((row) => row.step !== "ended" && row.step !== "cleaning_up");
    const matching = found(store, text, step, within, now);
    const running = matching.filter((row) => row.step !== "ended");
    const ended = matching.filter((row) => row.step === "ended");
    const busy = alsoBusy(all, second);
    return html`
      <div class="columns">
        <div class="wide">
          <${Headline} waiting=${waiting} second=${second} target=${target} loaded=${store.loaded} />
          <section aria-label="Transfers">
            ${this.filters(all, now)}
            ${step === "ended"
              ? null
              : html`<div class="running">
                  <h2>Running now <small>${running.length}</small></h2>
                  ${running.length > 0
                    ? html`<p class="hint">
                          Target: a human within ${clock(target)}, the mark <i class="target" aria-hidden="true"></i> on a bar. At the limit of a step
                          the caller goes back to the AI.
                        </p>
                        <p class="row heads" aria-hidden="true">
                          <span>caller waits</span><span>waits for</span><span>supervisor's phone</span><span>time in this step</span><span></span>
                        </p>
                        <ul class="rows" id="running">
                        ${running.map(
                          (row) => html`<${RunningRow} key=${row.id} row=${row} second=${second} target=${target} busy=${busy.get(row.id)} />`,
                        )}
                      </ul>`
                    : html`<p class="empty">${store.loaded ? noneRunning(text, step) : "Reading the last hour…"}</p>`}
                </div>`}
            ${step === "all" || step === "ended"
              ? html`<div class="over-now">
                  <div class="title">
                    <h2>Ended <small>${ended.length}</small></h2>
                    <select aria-label="Time of the end" value=${within} onChange=${(event) => this.chooseTime(Number(event.target.value))}>
                      ${Object.entries(TIMES)
                        .reverse()
                        .map(([seconds, name]) => html`<option key=${seconds} value=${seconds}>${name}</option>`)}
                    </select>
                  </div>
                  ${failed ? html`<p class="failed" role="alert">${failed}</p>` : null}
                  ${ended.length > 0
                    ? html`<p class="hint">A transfer ends when caller and supervisor are connected, or without that. The talk may go on.</p>
                        <p class="row heads" aria-hidden="true">
                          <span>ended at</span><span>result, and where the caller is</span><span>supervisor</span><span>caller waited</span><span></span>
                        </p>
                        <ul class="rows" id="ended">
                        ${ended.map(
                          (row) =>
                            html`<${EndedRow} key=${row.id} row=${row} minute=${Math.floor((now - row.ended_at) / 5)} now=${now} target=${target} />`,
                        )}
                      </ul>`
                    : html`<p class="empty">${noneEnded(text, within)}</p>`}
                </div>`
              : null}
            ${text && matching.length === 0 && /^[A-Za-z0-9_-]{1,64}$/.test(text.trim())
              ? html`<p><a class="button" href=${`#/t/${text.trim()}`}>Open transfer ${text.trim()}</a></p>`
              : null}
          </section>
        </div>
        <aside>
          <${LastHour} store=${store} target=${target} />
          <${DeadLetters} store=${store} />
          <${Actors} store=${store} />
          <${Words} />
        </aside>
      </div>
    `;
  }

  /** Search and steps. On a narrow page they are folded until they are used. A step without a transfer is left out. */
  filters(all, now) {
    const { text, step, within, unfolded } = this.state;
    const counts = countSteps(all, now, within);
    const shown = unfolded || text !== "" || step !== "all";
    const chips = ["all", ...RUNNING, "ended"].filter((each) => each === "all" || each === step || counts[each] > 0);
    return html`
      <button type="button" class="plain fold" aria-expanded=${shown ? "true" : "false"} onClick=${() => this.choose({ unfolded: !unfolded })}>
        Search and filter
      </button>
      <div class="filters ${shown ? "" : "folded"}">
        <input
          id="search"
          type="search"
          placeholder="Search supervisor, room, id, last digits"
          title="Press / to search"
          aria-label="Search supervisor, room, id or the last digits of a number"
          value=${text}
          onInput=${(event) => this.choose({ text: event.target.value })}
        />
        <div class="chips" role="group" aria-label="Step">
          ${chips.map(
            (each) => html`<button
              key=${each}
              type="button"
              class="chip ${each}"
              title=${STEP_MEANINGS[each]}
              aria-pressed=${step === each ? "true" : "false"}
              onClick=${() => this.choose({ step: step === each ? "all" : each })}
            >
              ${each === "all" ? "All" : STEPS[each]} <b>${counts[each]}</b>
            </button>`,
          )}
        </div>
      </div>
    `;
  }
}

function Headline({ waiting, second, target, loaded }) {
  const longest = waiting.reduce((first, row) => (first === null || row.started_at < first.started_at ? row : first), null);
  const states = waiting.map((row) => lateness(waited(row, second), target));
  const [late, near] = ["late", "near"].map((each) => states.filter((state) => state === each).length);
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
            <b class=${lateness(waited(longest, second), target)}> ${clock(waited(longest, second))}</b>, for ${longest.on}.
            ${late > 0 ? html` <b class="late">${plural(late, "caller waits", "callers wait")} longer than the target ${clock(target)}.</b>` : null}
            ${near > 0 ? html` <b class="near">${near} almost late</b>${late > 0 ? "." : ` (target ${clock(target)}).`}` : null}
            ${late + near === 0 ? html` ${waiting.length === 1 ? "The wait is" : "All waits are"} within the target ${clock(target)}.` : null}
          </p>`
        : html`<p>${loaded ? "A caller appears here from the request for a transfer until a supervisor has the call." : "Reading the last hour…"}</p>`}
    </section>
  `;
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
