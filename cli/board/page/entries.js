// What happened in a transfer, as a list: each event with the phases and commands it led to.
// Housekeeping (leg checks and their timers) is grouped.

import { html } from "./html.js";
import { capitalized, entryName, plural, words } from "./format.js";
import { markOf } from "./timeline.js";

export function Entries({ page }) {
  const entries = page.timeline?.entries ?? [];
  if (entries.length === 0) return html`<p class="empty">No coordinator can show it now.</p>`;
  const start = entries[0].at;
  return html`<ol class="entries">
    ${grouped(entries).map((each, index) =>
      each.checks
        ? html`<${Checks} key=${index} entries=${each.checks} start=${start} />`
        : html`<${Entry} key=${index} entry=${each} start=${start} />`,
    )}
    ${page.timeline.left_out > 0 ? html`<li class="quiet">${plural(page.timeline.left_out, "event")} in the middle left out</li>` : null}
  </ol>`;
}

function Entry({ entry, start }) {
  const [sign, kind] = markOf(entry);
  const [name, note] = entryName(entry);
  return html`<li>
    <time>${after(entry.at - start)}</time>
    <span class="sign ${kind ? `mark-${kind}` : ""}" aria-hidden="true">${sign ?? "·"}</span>
    <span>
      <b>${name}</b> ${note ? html`<span class="quiet">${note}</span>` : null}
      ${entry.phases.map((each) => html` <span class="phase" key=${each}>${words(each)}</span>`)}
      ${entry.commands.length > 0 ? html`<small>→ ${entry.commands.map((each) => capitalized(words(each))).join(", ")}</small>` : null}
    </span>
  </li>`;
}

function Checks({ entries, start }) {
  const checks = entries.filter((each) => each.event === "legs_checked");
  const last = checks.at(-1);
  return html`<li>
    <time>${after(entries[0].at - start)}</time>
    <span class="sign" aria-hidden="true">·</span>
    <details>
      <summary>${checks.length > 0 ? plural(checks.length, "leg check") : plural(entries.length, "timer")} ${last ? html`<span class="quiet">${last.note}</span>` : null}</summary>
      <ol class="entries">${entries.map((each, index) => html`<${Entry} key=${index} entry=${each} start=${start} />`)}</ol>
    </details>
  </li>`;
}

/** Put neighbouring housekeeping into groups. */
function grouped(entries) {
  const found = [];
  for (const entry of entries) {
    if (!isHousekeeping(entry)) found.push(entry);
    else if (found.at(-1)?.checks) found.at(-1).checks.push(entry);
    else found.push({ checks: [entry] });
  }
  return found;
}

function isHousekeeping({ event, phases, commands }) {
  const only = phases.length === 0 && commands.every((each) => each === "check_legs");
  return only && (event === "legs_checked" || event === "deadline_passed");
}

function after(seconds) {
  return seconds < 60 ? `${seconds.toFixed(2)} s` : `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}
