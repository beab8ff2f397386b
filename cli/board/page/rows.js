// One line of the list: a transfer that runs, or one that has ended. The whole line is a link.

import { Component, html } from "./html.js";
import {
  NEAR,
  STEPS,
  STEP_MEANINGS,
  ago,
  callerAfter,
  capitalized,
  clock,
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

export const LATENESS = { late: "late", near: "almost late" };
const LEVELS = ["", "near", "late"];

export class RunningRow extends Component {
  shouldComponentUpdate(next) {
    return ["row", "second", "target", "busy"].some((each) => next[each] !== this.props[each]);
  }

  render({ row, second, target, busy }) {
    const gone = row.step === "cleaning_up";
    const waits = waited(row, second);
    const level = gone ? "" : lateness(waits, target);
    const inStep = Math.max(0, Math.floor(second - row.since));
    const named = row.supervisor && row.on.includes(row.supervisor);
    return html`
      <li class="row ${row.step} ${level}">
        <span class="wait ${level}">
          <b>${clock(waits)}</b>
          <small>${gone ? "ends now" : row.on_hold ? "on hold" : "with the AI"}</small>
          ${level ? html`<small class="level">${LATENESS[level]}</small>` : null}
        </span>
        <span class="what">
          <a href=${`#/t/${row.id}`} title=${`Open transfer ${row.id}`}
            >${gone ? "Caller goes back to the AI" : html`<span class="prefix">Waits for </span>${row.on}`}</a
          >
          <small><span class="pill ${row.step}" title=${STEP_MEANINGS[row.step]}>${STEPS[row.step]}</span> <${Notice} row=${row} /></small>
          ${busy ? html`<small class="busy">supervisor: ${busy}</small>` : null}
        </span>
        <span class="who">
          ${named && !gone ? null : html`<b>${row.supervisor || "…"}</b>`}
          <small>${row.destination}</small>
          ${row.room_id ? html`<small>caller's room ${row.room_id}</small>` : null}
        </span>
        <${Limit} row=${row} inStep=${inStep} target=${target} level=${level} />
        <span class="go" aria-hidden="true">›</span>
      </li>
    `;
  }
}

/** The bar of a step: the time in it against its limit, with the moment of the target as a mark. */
function Limit({ row, inStep, target, level }) {
  const limit = row.limit_s;
  const share = limit ? Math.min(1, inStep / limit) : 0;
  const ofStep = limit && isOver(inStep, limit) ? "late" : share > NEAR ? "near" : "";
  const worse = LEVELS[Math.max(LEVELS.indexOf(level), LEVELS.indexOf(ofStep))];
  const mark = limit && row.step !== "cleaning_up" ? (row.started_at + target - row.since) / limit : -1;
  return html`<span class="limit ${worse}">
    <svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
      <rect class="track" y="2" width="100" height="6" />
      <rect class="fill" y="2" width=${(100 * share).toFixed(1)} height="6" />
      ${mark > 0 && mark < 1 ? html`<rect class="target" x=${(100 * mark).toFixed(1)} width="1.6" height="10" />` : null}
    </svg>
    <small>${clock(inStep)}<span class="prefix"> in this step,</span>${limit ? ` of at most ${clock(limit)}` : ""}${ofStep === "late" ? ", over" : ""}</small>
  </span>`;
}

export class EndedRow extends Component {
  shouldComponentUpdate(next) {
    return ["row", "minute", "target"].some((each) => next[each] !== this.props[each]);
  }

  render({ row, now, target }) {
    const reached = row.to_human_s !== null && row.to_human_s !== undefined;
    const took = reached ? row.to_human_s : row.started_at ? row.ended_at - row.started_at : null;
    const facts = [callerAfter(row.outcome), moreThanOutcome(row.outcome, row.detail)].filter(Boolean).join("; ");
    return html`
      <li class="row ended">
        <span class="wait" title=${moment(row.ended_at)}>
          <b>${timeOfDay(row.ended_at)}</b>
          <small>${ago(now - row.ended_at)}</small>
        </span>
        <span class="what">
          <a href=${`#/t/${row.id}`} title=${`Open transfer ${row.id}`}><i class="dot ${tone(row.outcome)}" aria-hidden="true"></i>${outcome(row.outcome)}</a>
          <small class="detail">${capitalized(facts)} <${Notice} row=${row} /></small>
        </span>
        <span class="who">
          <b>${row.supervisor ?? ""}</b>
          <small>${row.destination ?? ""}</small>
        </span>
        <span class="limit">
          ${took === null ? null : html`<b>${duration(took)}</b><small>${reached ? `to human, ${judged(took, target)}` : "no human"}</small>`}
        </span>
        <span class="go" aria-hidden="true">›</span>
      </li>
    `;
  }
}

/** A time to human against the target, in words. */
export function judged(seconds, target) {
  return isOver(seconds, target) ? "late" : "in time";
}

export function Notice({ row }) {
  if (!row.notice) return null;
  const level = row.notice === "caller_alone" ? "bad" : "neutral";
  return html`<span class="notice ${level}">${capitalized(words(row.notice))}</span>`;
}
