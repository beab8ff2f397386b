// One transfer: what it waits for or how it ended, its timeline, report and evidence.

import { Component, createRef, html } from "./html.js";
import { ConfirmedButton, CopyButton } from "./copy.js";
import { Entries } from "./entries.js";
import { LATENESS, Notice } from "./rows.js";
import { Timeline, isRetry, took } from "./timeline.js";
import {
  STEPS,
  STEP_MEANINGS,
  actorName,
  callerAfter,
  clock,
  commandName,
  duration,
  isOver,
  lateness,
  moment,
  moreThanOutcome,
  outcome,
  timeOfDay,
  tone,
  waited,
  words,
} from "./format.js";
import { getJson, post } from "./store.js";

const REFRESH_MS = 1000;
const DURATIONS = {
  to_human_s: "time to human",
  hold_s: "of it, caller on hold",
  ring_s: "phone rang",
  briefing_s: "briefing",
  talk_s: "talk with the supervisor",
  total_s: "from request to end",
};

export class TransferView extends Component {
  constructor() {
    super();
    this.title = createRef();
    this.state = { page: null, failed: null };
  }

  componentDidMount() {
    this.title.current?.focus();
    this.load();
  }

  componentWillUnmount() {
    clearTimeout(this.timer);
    this.left = true;
  }

  componentDidUpdate() {
    const row = this.props.store.rows.get(this.props.id);
    if (row && row !== this.row) {
      this.row = row;
      this.loadSoon();
    }
  }

  /** Read the transfer again after a change, at most once a second. */
  loadSoon() {
    clearTimeout(this.timer);
    const since = performance.now() - (this.loadedAt ?? 0);
    this.timer = setTimeout(() => this.load(), Math.max(0, REFRESH_MS - since));
  }

  async load() {
    this.loadedAt = performance.now();
    try {
      const page = await getJson(`/api/transfers/${this.props.id}`);
      if (this.left) return;
      this.setState({ page, failed: null });
      if (page.row.step !== "ended") this.loadSoon();
    } catch (error) {
      if (!this.left) this.setState({ failed: error.message });
    }
  }

  render({ store, id }, { page, failed }) {
    const row = store.rows.get(id) ?? page?.row;
    return html`
      <article class="transfer">
        <p class="back"><a href="#">← All transfers</a></p>
        <h1 ref=${this.title} tabindex="-1">${row ? title(row) : "Transfer"}</h1>
        <p class="identity">
          <code>${id}</code> <${CopyButton} text=${id} name="id" />
          ${row ? html`<${Notice} row=${row} />` : null}
        </p>
        ${failed ? html`<p class="failed" role="alert">${failed}</p>` : null}
        ${row ? html`<${Facts} row=${row} page=${page} now=${store.now()} store=${store} />` : null}
        ${page?.problems.length > 0 ? html`<ul class="problems">${page.problems.map((each) => html`<li key=${each}>${each}</li>`)}</ul>` : null}
        ${page
          ? html`
              <section class="card" aria-label="Timeline">
                <h2>Timeline</h2>
                <${Timeline} page=${page} now=${store.now()} />
              </section>
              <div class="columns">
                <div class="wide">
                  <section class="card" aria-label="What happened">
                    <h2>What happened</h2>
                    <${Entries} page=${page} />
                  </section>
                </div>
                <aside>${page.report ? html`<${Report} report=${page.report} page=${page} />` : null}</aside>
              </div>
            `
          : failed
            ? null
            : html`<p class="empty">Reading the transfer…</p>`}
      </article>
    `;
  }
}

function title(row) {
  if (row.outcome === "complete" && row.supervisor) return `Connected to ${row.supervisor}`;
  if (row.step === "ended") return outcome(row.outcome);
  if (row.step === "cleaning_up") return "The caller goes back to the AI";
  return `Waits for ${row.on}`;
}

function Facts({ row, page, now, store }) {
  const ended = row.step === "ended";
  const inStep = Math.max(0, Math.floor(now - row.since));
  const target = store.settings?.wait_target_s ?? 60;
  const waits = ended ? Math.max(0, row.ended_at - row.started_at) : waited(row, Math.floor(now));
  const level = ended || row.step === "cleaning_up" ? "" : lateness(waits, target);
  const more = moreThanOutcome(row.outcome, row.detail);
  return html`
    <div class="facts">
      <dl>
        <div>
          <dt>supervisor</dt>
          <dd>${row.supervisor || "–"} <small>${row.destination}</small></dd>
        </div>
        <div>
          <dt>${!ended ? "caller waits" : row.outcome === "complete" ? "time to human" : "caller waited"}</dt>
          <dd><span class="number ${level}">${ended ? duration(waits) : clock(waits)}</span> <small>${verdict(row, waits, level, target)}</small></dd>
        </div>
        ${ended ? html`<div><dt>caller</dt><dd>${place(row, page)}</dd></div>` : null}
        ${ended
          ? page?.report?.ended_by
            ? html`<div><dt>ended by</dt><dd>${page.report.ended_by}</dd></div>`
            : null
          : html`<div>
              <dt>in this step</dt>
              <dd><span class="pill ${row.step}" title=${STEP_MEANINGS[row.step]}>${STEPS[row.step]}</span> <span class="number ${row.limit_s && isOver(inStep, row.limit_s) ? "late" : ""}">${clock(inStep)}</span>${row.limit_s ? html` <small>of at most ${clock(row.limit_s)}, then the caller goes back to the AI</small>` : null}</dd>
            </div>`}
        <div><dt>requested</dt><dd>${moment(row.started_at)}</dd></div>
        <div><dt>caller's room</dt><dd><code>${row.room_id || "–"}</code></dd></div>
      </dl>
      ${more ? html`<p class="detail ${tone(row.outcome)}">${more}</p>` : null}
      ${(page?.notices ?? []).map((each) => html`<p class="detail bad" key=${each.at}>${each.detail}</p>`)}
      ${!ended && store.settings?.actions
        ? html`<p><${ConfirmedButton}
            danger
            label="Cancel transfer"
            question="Cancel this transfer?"
            consequence="The supervisor's phone call ends, and the caller goes back to the AI. Once the caller is being moved, a cancel may come too late."
            confirm="Cancel transfer"
            act=${async () => {
              await post(`/api/transfers/${row.id}/cancel`);
              return "Cancel requested";
            }}
          /></p>`
        : null}
    </div>
  `;
}

/** The wait of a caller against the target, in words. */
function verdict(row, waits, level, target) {
  if (level) return `${LATENESS[level]}, target ${clock(target)}`;
  if (row.step === "ended" && row.outcome !== "complete") return "no human";
  return isOver(waits, target) ? `late, target ${clock(target)}` : `within the target ${clock(target)}`;
}

/** Where the caller is after the end, as far as the log tells. */
function place(row, page) {
  const moments = page?.report?.moments;
  if (moments?.talk_ended_at) return `talk ended at ${timeOfDay(moments.talk_ended_at)}`;
  if (row.outcome === "complete") return `with the supervisor since ${timeOfDay(row.ended_at)}; the talk may go on`;
  if (row.outcome === "caller_left") return "hung up";
  if (moments?.released_at) return `back with the AI since ${timeOfDay(moments.released_at)}`;
  return page?.report?.evidence.caller ?? (callerAfter(row.outcome).replace(/^caller /, "") || "not known");
}

function Report({ report, page }) {
  const named = page.row.outcome === "complete" ? "total_s" : "";
  const times = Object.entries(DURATIONS).filter(([name]) => report.durations[name] !== null && name !== named);
  const evidence = Object.entries(report.evidence);
  return html`
    <section class="card" aria-label="Report">
      <h2>Report <${CopyButton} text=${JSON.stringify(report, null, 2)} name="report" label="Copy JSON" /></h2>
      <dl class="pairs">
        ${times.map(([name, label]) => html`<div key=${name}><dt>${label}</dt><dd>${duration(report.durations[name])}</dd></div>`)}
        ${report.recordings.length > 0 ? html`<div><dt>recorded</dt><dd>${report.recordings.length} participants</dd></div>` : null}
      </dl>
      ${report.attempts.map((each) => html`<${Attempt} key=${each.number} attempt=${each} />`)}
      ${report.unconfirmed.length > 0
        ? html`<h3>Not confirmed</h3><ul class="unconfirmed">${report.unconfirmed.map((each) => html`<li key=${each}>${each}</li>`)}</ul>`
        : null}
      <h3>Commands</h3>
      <ul class="commands">
        ${report.commands.map(
          (each) => html`<li key=${each.command_id} class=${each.failure ? "bad" : ""}>
            <span>${commandName(each.kind)} <small>${actorName(page.actors[each.kind] ?? "")}${isRetry(each) ? ", tried again" : ""}</small></span>
            <b>${each.failure ? `${words(each.failure)}${each.status ? ` ${each.status}` : ""}` : each.took_s === null ? noReply(each, page.row) : took(each.took_s)}</b>
          </li>`,
        )}
      </ul>
    </section>
    ${evidence.length > 0
      ? html`<section class="card" aria-label="Evidence">
          <h2>Evidence <${CopyButton} text=${JSON.stringify(report.evidence, null, 2)} name="evidence" label="Copy JSON" /></h2>
          <dl class="pairs">
            ${evidence.map(([name, value]) => html`<div key=${name}><dt>${words(name)}</dt><dd>${String(value)}</dd></div>`)}
          </dl>
        </section>`
      : null}
  `;
}

function Attempt({ attempt }) {
  const facts = [
    attempt.outcome ? outcomeOf(attempt) : "in progress",
    attempt.sip_code ? `SIP ${attempt.sip_code}` : "",
    attempt.timer ? `timer ${words(attempt.timer)}` : "",
  ];
  return html`<p class="attempt">
    <b>Dial ${attempt.number}</b>, begun at ${timeOfDay(attempt.asked_at)}: ${facts.filter(Boolean).join(", ")}
  </p>`;
}

function outcomeOf(attempt) {
  const word = words(attempt.outcome);
  return attempt.cause && !attempt.outcome.endsWith(attempt.cause) ? `${word} (${words(attempt.cause)})` : word;
}

function noReply({ sent_at }, { ended_at }) {
  if (ended_at === null) return "no reply yet";
  return sent_at >= ended_at ? "not recorded" : "no reply in the log";
}
