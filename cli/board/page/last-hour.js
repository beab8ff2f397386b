// Counts and times to human of the last hour, with two small plots.

import { Measured, html } from "./html.js";
import { clock, duration, outcome, percent } from "./format.js";
import { judged } from "./rows.js";

const HOUR_S = 3600;
const SLOT_S = 120;
const TOP = 26;
const TITLE_AT = 11;
const DOTS_HEIGHT = 84;
const GAP = 40;
const BARS_HEIGHT = 40;
const BOTTOM = 18;
const LEFT = 40;
const RIGHT = 6;
const MAX_OUTCOMES = 5;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 3600];
const ENOUGH_FOR_MEDIAN = 5;
const ENOUGH_FOR_P95 = 20;

export function LastHour({ store, target }) {
  const hour = store.lastHour;
  if (!hour) return html`<section class="card"><h2>Last hour</h2><p class="empty">Reading…</p></section>`;
  return html`
    <section class="card" aria-label="Last hour">
      <h2>Last hour</h2>
      <dl class="figures">
        <div><dt>ended</dt><dd>${hour.ended}</dd></div>
        <div><dt>reached a human</dt><dd>${hour.reached} <small>${percent(hour.reached, hour.ended)}</small></dd></div>
        <div><dt>of these within ${clock(target)}</dt><dd>${hour.within_target} <small>${percent(hour.within_target, hour.reached)}</small></dd></div>
        ${hour.reached >= ENOUGH_FOR_MEDIAN ? html`<${Share} name="median" seconds=${hour.median_s} target=${target} />` : null}
        ${hour.reached >= ENOUGH_FOR_P95 ? html`<${Share} name="95 %" seconds=${hour.p95_s} target=${target} />` : null}
      </dl>
      ${hour.ended > 0 ? html`<${Measured} draw=${(width) => plot(hour, width, store.now(), target)} />` : html`<p class="empty">No transfer has ended.</p>`}
      ${hour.ended > 0 ? html`<${Outcomes} outcomes=${hour.outcomes} />` : null}
    </section>
  `;
}

/** A time within which a share of those who reached a human did so. */
function Share({ name, seconds, target }) {
  return html`<div>
    <dt>${name} of those who reached a human</dt>
    <dd>${duration(seconds)} <small>${judged(seconds, target)}</small></dd>
  </div>`;
}

function Outcomes({ outcomes }) {
  const others = Object.entries(outcomes).filter(([word]) => word !== "complete");
  if (others.length === 0) return null;
  return html`
    <h3>Why the others ended</h3>
    <ul class="outcomes">
    ${others.slice(0, MAX_OUTCOMES).map(([word, count]) => html`<li key=${word}><span>${outcome(word)}</span><b>${count}</b></li>`)}
  </ul>`;
}

function plot(hour, width, now, target) {
  const base = TOP + DOTS_HEIGHT + GAP + BARS_HEIGHT;
  const height = base + BOTTOM;
  const from = now - HOUR_S;
  const x = (at) => LEFT + ((at - from) / HOUR_S) * (width - LEFT - RIGHT);
  const most = Math.max(1, ...hour.slots.map(([, reached, others]) => reached + others));
  const slowest = Math.max(target, ...hour.dots.map(([, seconds]) => seconds));
  const top = STEPS.find((each) => each >= slowest * 1.1) ?? slowest * 1.1;
  const y = (seconds) => TOP + DOTS_HEIGHT * (1 - seconds / top);
  const bar = (count) => (BARS_HEIGHT * count) / most;
  const barWidth = Math.max(2, (SLOT_S / HOUR_S) * (width - LEFT - RIGHT) - 1);
  const summary =
    `In the last hour ${hour.ended} transfers ended, ${hour.reached} callers reached a human, ` +
    `${hour.within_target} of them within the target ${clock(target)}.`;
  return html`
    <svg class="plot" width=${width} height=${height} role="img" aria-label=${summary}>
      <text class="title" x="0" y=${TITLE_AT}>Time to a human (minutes:seconds)</text>
      ${[0, top].map(
        (each) => html`<g key=${each}>
          <line class="grid" x1=${LEFT} x2=${width} y1=${y(each)} y2=${y(each)} />
          <text class="axis" x=${LEFT - 5} y=${y(each) + 4} text-anchor="end">${clock(each)}</text>
        </g>`,
      )}
      <line class="target" x1=${LEFT} x2=${width} y1=${y(target)} y2=${y(target)} />
      <text class="axis" x=${LEFT + 3} y=${y(target) - 4}>target ${clock(target)}</text>
      ${hour.dots
        .filter(([at]) => at >= from)
        .map(([at, seconds]) => html`<circle key=${at} class="point" cx=${x(at).toFixed(1)} cy=${y(seconds).toFixed(1)} r="3.5" />`)}
      <text class="title" x="0" y=${TOP + DOTS_HEIGHT + GAP - 14}>Transfers ended in each 2 minutes</text>
      <line class="grid" x1=${LEFT} x2=${width} y1=${base} y2=${base} />
      <text class="axis" x=${LEFT - 5} y=${base - BARS_HEIGHT + 8} text-anchor="end">${most}</text>
      <text class="axis" x=${LEFT - 5} y=${base} text-anchor="end">0</text>
      ${hour.slots
        .filter(([start]) => start >= from - SLOT_S)
        .map(([start, reached, others]) => {
          const left = Math.min(width - barWidth, Math.max(LEFT, x(start))).toFixed(1);
          return html`<g key=${start}>
            <rect class="reached" x=${left} y=${base - bar(reached)} width=${barWidth} height=${bar(reached)} />
            <rect class="others" x=${left} y=${base - bar(reached) - bar(others)} width=${barWidth} height=${bar(others)} />
          </g>`;
        })}
      <text class="axis" x=${LEFT} y=${height - 4}>1 h ago</text>
      <text class="axis" x=${(LEFT + width) / 2} y=${height - 4} text-anchor="middle">30 min ago</text>
      <text class="axis" x=${width - 2} y=${height - 4} text-anchor="end">now</text>
    </svg>
    <p class="legend" aria-hidden="true">
      <span><i class="point"></i>one caller</span><span><i class="reached"></i>reached a human</span><span><i class="others"></i>did not</span>
    </p>
  `;
}
