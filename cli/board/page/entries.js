// What happened in a transfer, as a list: each event with the phases and commands it led to.
// Housekeeping (leg checks and their timers) is grouped.

import { html } from "./html.js";
import { commandName, entryName, exactClock, plural, words } from "./format.js";
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
  const phases = entry.phases.map(words).filter((each) => each !== name.toLowerCase());
  return html`<li>
    <time>${exactClock(entry.at - start)}</time>
    <span class="sign ${kind ? `mark-${kind}` : ""}" aria-hidden="true">${sign}</span>
    <span>
      <b>${name}</b> ${note ? html`<span class="quiet">${note}</span>` : null}
      ${phases.length > 0 ? html`<small>${phases.length === 1 ? "phase" : "phases"}: ${phases.join(", ")}</small>` : null}
      ${entry.commands.length > 0 ? html`<small>sent: ${entry.commands.map(commandName).join(", ")}</small>` : null}
    </span>
  </li>`;
}

function Checks({ entries, start }) {
  const checks = entries.filter((each) => each.event === "legs_checked");
  const last = checks.at(-1);
  return html`<li>
    <time>${exactClock(entries[0].at - start)}</time>
    <span class="sign" aria-hidden="true"></span>
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
