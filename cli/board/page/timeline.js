// The timeline of one transfer as a drawing: its steps, a lane for each actor, and marks.

import { Measured, html } from "./html.js";
import { STEPS, actorName, clock, commandName, duration, entryName, exactClock, words } from "./format.js";

const LANES = ["primary", "gateway", "summarizer", "briefing"];
const LABEL_WIDTH = 108;
const NARROW = 560;
const ROW = 22;
const BAR = 14;
const TOP = 42;
const END_AT = 11;
const END_NAME_WIDTH = 100;
const MARKS = 26;
const MIN_BAR = 5;
const RIGHT = 14;
const LETTER_WIDTH = 6.4;
const BOLD_WIDTH = 8;
const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200];
const TICK_ROOM = 90;
const OPEN = 0.000001;
const SHORTEST_S = 0.1;

// The steps begin with these phases. A step ends where the next one begins.
const STEP_OF_PHASE = {
  started: "preparing",
  supervisor_dialed: "ringing",
  supervisor_joined: "briefing",
  call_switched: "moving",
};
const FINAL = ["transfer_complete", "transfer_cancelled", "transfer_failed"];
const YES = ["supervisor_ready"];
const FAILURES = ["command_failed", "supervisor_call_ended", "caller_call_ended", "supervisor_declined", "voicemail_detected"];
const MARKS_MEAN = {
  people: ["◆", "a person joins, leaves or can be heard"],
  good: ["✓", "the supervisor says yes"],
  bad: ["✕", "no, a hang-up or a failure"],
  timer: ["▾", "a timer acts"],
  again: ["↻", "a command is tried again"],
};
const PEOPLE = ["AUDIO_STREAM_ENABLED", "PARTICIPANT_JOINED", "PARTICIPANT_LEFT"];

export function Timeline({ page, now }) {
  const commands = page.report?.commands ?? [];
  const overAt = page.row.ended_at;
  const open = commands.filter((each) => each.took_s === null && !each.failure);
  const marks = new Set((page.timeline?.entries ?? []).map((each) => markOf(each)[1]));
  if (commands.some(isRetry)) marks.add("again");
  return html`<${Measured} draw=${(width) => drawing(page, now, width)} />
    <p class="legend" aria-hidden="true">
      ${stepSpans(page, overAt ?? now).map(
        ([step, from, until]) => html`<span key=${step + from}><i class="step ${step}"></i>${STEPS[step]} ${duration(until - from)}</span>`,
      )}
    </p>
    <p class="legend" aria-hidden="true">
      <span><i class="span"></i>command, from its start to its reply (its name is in “Commands”)</span>
      ${open.length > 0 ? html`<span><i class="span open"></i>${openMeaning(open, overAt)}</span>` : null}
      ${commands.some((each) => each.failure) ? html`<span><i class="span bad"></i>command that failed</span>` : null}
      ${Object.entries(MARKS_MEAN).map(([kind, [sign, meaning]]) =>
        marks.has(kind) ? html`<span key=${kind}><b class="mark-${kind}">${sign}</b> ${meaning}</span>` : null,
      )}
      ${overAt === null ? null : html`<span><i class="over"></i>end of the transfer; later commands only check and close</span>`}
    </p>`;
}

function openMeaning(open, overAt) {
  if (overAt === null) return "no reply yet";
  return open.every((each) => each.sent_at >= overAt) ? "after the end, replies are not recorded" : "no reply in the log";
}

function drawing(page, now, width) {
  const commands = page.report?.commands ?? [];
  const entries = page.timeline?.entries ?? [];
  const start = page.row.started_at;
  const overAt = page.row.ended_at;
  const last = Math.max(
    overAt ?? now,
    ...entries.map((each) => each.at),
    ...commands.map((each) => each.sent_at + (each.took_s ?? 0)),
  );
  const end = Math.max(last, start + SHORTEST_S);
  const left = width < NARROW ? 8 : LABEL_WIDTH;
  const x = (at) => left + ((Math.min(Math.max(at, start), end) - start) / (end - start)) * (width - left - RIGHT);
  const lanes = LANES.map((role) => [role, packed(commands.filter((each) => page.actors[each.kind] === role), x, overAt ?? end)]);
  const shown = lanes.filter(([, rows]) => rows.length > 0);
  const labelled = width < NARROW;
  let y = TOP + ROW + 8;
  const places = shown.map(([role, rows]) => {
    const place = { role, rows, y: y + (labelled ? 14 : 0) };
    y = place.y + rows.length * ROW + 8;
    return place;
  });
  const marksAt = y;
  const height = marksAt + MARKS;
  const spoken = `${STEPS[page.row.step]}: ${commands.length} commands and ${entries.length} events within ${duration(end - start)}.`;
  return html`
    <svg class="timeline" width=${width} height=${height} role="img" aria-label=${spoken}>
      ${ticks(end - start, width - left).map(
        (each) => html`<g key=${each}>
          <line class="grid" x1=${x(start + each)} x2=${x(start + each)} y1=${TOP - 6} y2=${height} />
          <text class="axis" x=${x(start + each)} y=${TOP - 9} text-anchor=${each === 0 ? "start" : "middle"}>${tickName(each)}</text>
        </g>`,
      )}
      ${overAt === null ? null : endLine(page, x(overAt), width, height)}
      ${stepSpans(page, end).map(
        ([step, from, until]) => html`<g key=${step + from}>
          <rect class="step ${step}" x=${x(from)} y=${TOP} width=${Math.max(2, x(until) - x(from) - 1)} height=${ROW}>
            <title>${`${STEPS[step]}, ${duration(until - from)}`}</title>
          </rect>
          ${fits(STEPS[step], x(until) - x(from), BOLD_WIDTH)
            ? html`<text class="on-step" x=${x(from) + 6} y=${TOP + 15}>${STEPS[step]}</text>`
            : null}
        </g>`,
      )}
      ${labelled ? null : html`<text class="lane" x="0" y=${TOP + 15}>Step</text>`}
      ${places.map(
        ({ role, rows, y: top }) => html`<g key=${role}>
          <text class="lane" x=${labelled ? left : 0} y=${labelled ? top - 3 : top + 12}>${actorName(role)}</text>
          ${rows.map((row, index) =>
            row.map((each) => command(each, x, top + index * ROW, overAt ?? end, width)),
          )}
        </g>`,
      )}
      ${labelled ? null : html`<text class="lane" x="0" y=${marksAt + 14}>Marks</text>`}
      ${entries.map((each, index) => mark(each, index, x, marksAt + 14))}
      ${commands.filter(isRetry).map((each) => html`<text key=${each.command_id} class="mark-again" x=${x(each.sent_at)} y=${marksAt + 14} text-anchor="middle">↻<title>${`${commandName(each.kind)}: tried again`}</title></text>`)}
    </svg>
  `;
}

/** The end of the transfer: behind the bars and marks, with its name above. */
function endLine(page, at, width, height) {
  const name = page.row.outcome === "complete" ? "connected" : "ended";
  return html`<g>
    <line class="over-line" x1=${at} x2=${at} y1=${END_AT + 4} y2=${height} />
    <text class="axis" x=${at} y=${END_AT} text-anchor=${at > width - END_NAME_WIDTH ? "end" : "start"}>${name} ${clock(page.row.ended_at - page.row.started_at)}</text>
  </g>`;
}

/** One command: its bar, and its name inside the bar, beside it, or only in its title. */
function command(each, x, y, overAt, width) {
  const from = x(each.sent_at);
  const until = x(each.took_s === null ? Math.max(overAt, each.sent_at) : each.sent_at + each.took_s);
  const size = Math.max(MIN_BAR, until - from);
  const name = commandName(each.kind);
  const result = each.failure ? `failed: ${words(each.failure)}` : each.took_s === null ? "no reply" : took(each.took_s);
  const inside = fits(name, size);
  const beside = !inside && each.room > name.length * LETTER_WIDTH + 8 && from + size + name.length * LETTER_WIDTH < width;
  return html`<g key=${each.command_id} class="command ${each.failure ? "bad" : each.took_s === null ? "open" : ""}">
    <rect x=${from} y=${y} width=${size} height=${BAR} rx="3"><title>${`${name}, ${result}`}</title></rect>
    ${inside ? html`<text class="in" x=${from + 5} y=${y + 11}>${name}</text>` : null}
    ${beside ? html`<text class="beside" x=${from + size + 4} y=${y + 11}>${name}</text>` : null}
  </g>`;
}

/** Put commands that overlap into rows, and note the room to the right of each. */
function packed(commands, x, overAt) {
  const rows = [];
  for (const each of commands) {
    const from = x(each.sent_at);
    const until = Math.max(from + MIN_BAR, x(each.took_s === null ? Math.max(overAt, each.sent_at) : each.sent_at + each.took_s));
    const row = rows.find((one) => one.at(-1).until + 2 <= from) ?? rows[rows.push([]) - 1];
    if (row.length > 0) row.at(-1).room = from - row.at(-1).until;
    row.push({ ...each, until, room: Infinity });
  }
  return rows;
}

/** What a person or a timer did, at its time. Housekeeping has no mark. */
function mark(entry, index, x, y) {
  const [sign, kind] = markOf(entry);
  if (!sign) return null;
  const name = entryName(entry).filter(Boolean).join(": ");
  return html`<text key=${index} class="mark-${kind}" x=${x(entry.at)} y=${y} text-anchor="middle">${sign}<title>${name}</title></text>`;
}

/** Whether a command repeats one that failed or was not answered. Leg checks repeat by plan. */
export function isRetry({ again, kind }) {
  return again && kind !== "check_legs";
}

export function markOf({ event, phases, commands }) {
  if (YES.includes(event)) return ["✓", "good"];
  if (FAILURES.includes(event)) return ["✕", "bad"];
  if (event === "cancel_requested") return ["✕", "bad"];
  if (PEOPLE.includes(event)) return ["◆", "people"];
  if (event === "deadline_passed" && (phases.length > 0 || commands.some((each) => each !== "check_legs"))) return ["▾", "timer"];
  return [null, null];
}

/** The steps with their begin and end. After a decision against the move, the rest is cleaning up. */
function stepSpans(page, end) {
  const begins = [];
  for (const { phase, at } of [...page.phases].sort((one, other) => one.at - other.at)) {
    const step = phase === "briefing_complete" ? (moved(page) ? "moving" : "cleaning_up") : STEP_OF_PHASE[phase];
    if (step && begins.at(-1)?.[0] !== step) begins.push([step, at]);
    if (FINAL.includes(phase)) begins.push(["ended", at]);
  }
  return begins
    .map(([step, from], index) => [step, from, begins[index + 1]?.[1] ?? end])
    .filter(([step, from, until]) => step !== "ended" && until - from > OPEN);
}

function moved(page) {
  return page.row.step === "moving" || page.phases.some((each) => each.phase === "call_switched");
}

function ticks(length, width) {
  const step = TICKS.find((each) => (each / length) * width >= TICK_ROOM) ?? TICKS.at(-1);
  const found = [];
  for (let at = 0; at <= length * (1 - TICK_ROOM / 3 / width); at += step) found.push(Number(at.toFixed(3)));
  return found;
}

function tickName(seconds) {
  return Number.isInteger(seconds) ? clock(seconds) : exactClock(seconds);
}

/** How long a command took: most take far less than a second. */
export function took(seconds) {
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : exactClock(seconds);
}

function fits(text, width, letterWidth = LETTER_WIDTH) {
  return text.length * letterWidth + 10 < width;
}
