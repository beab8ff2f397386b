// Counts and times to human of the last hour, with a small plot.

import { Measured, html } from "./html.js";
import { duration, outcome, percent } from "./format.js";

const HOUR_S = 3600;
const SLOT_S = 120;
const TOP = 10;
const DOTS_HEIGHT = 84;
const GAP = 16;
const BARS_HEIGHT = 40;
const BOTTOM = 18;
const LEFT = 34;
const MAX_OUTCOMES = 5;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 3600];

export function LastHour({ store }) {
  const hour = store.lastHour;
  if (!hour) return html`<section class="card"><h2>Last hour</h2><p class="empty">Reading…</p></section>`;
  return html`
    <section class="card" aria-label="Last hour">
      <h2>Last hour</h2>
      <dl class="figures">
        <div><dt>ended</dt><dd>${hour.ended}</dd></div>
        <div><dt>reached a human</dt><dd>${percent(hour.reached, hour.ended)}</dd></div>
        <div><dt>median to human</dt><dd>${duration(hour.median_s)}</dd></div>
        <div><dt>95 % within</dt><dd>${duration(hour.p95_s)}</dd></div>
      </dl>
      ${hour.ended > 0 ? html`<${Measured} draw=${(width) => plot(hour, width, store.now())} />` : html`<p class="empty">No transfer has ended.</p>`}
      ${hour.ended > 0 ? html`<${Outcomes} outcomes=${hour.outcomes} />` : null}
    </section>
  `;
}

function Outcomes({ outcomes }) {
  const others = Object.entries(outcomes).filter(([word]) => word !== "complete");
  if (others.length === 0) return null;
  return html`<ul class="outcomes" aria-label="Why the others ended">
    ${others.slice(0, MAX_OUTCOMES).map(([word, count]) => html`<li key=${word}><span>${outcome(word)}</span><b>${count}</b></li>`)}
  </ul>`;
}

function plot(hour, width, now) {
  const height = TOP + DOTS_HEIGHT + GAP + BARS_HEIGHT + BOTTOM;
  const from = now - HOUR_S;
  const x = (at) => LEFT + ((at - from) / HOUR_S) * (width - LEFT - 4);
  const most = Math.max(1, ...hour.slots.map(([, reached, others]) => reached + others));
  const slowest = Math.max(1, ...hour.dots.map(([, seconds]) => seconds));
  const top = STEPS.find((each) => each >= slowest) ?? slowest;
  const y = (seconds) => TOP + DOTS_HEIGHT * (1 - seconds / top);
  const base = TOP + DOTS_HEIGHT + GAP + BARS_HEIGHT;
  const bar = (count) => (BARS_HEIGHT * count) / most;
  const barWidth = Math.max(2, (SLOT_S / HOUR_S) * (width - LEFT - 4) - 1);
  const summary =
    `In the last hour ${hour.ended} transfers ended, ${hour.reached} callers reached a human, ` +
    `half of them within ${duration(hour.median_s)}.`;
  return html`
    <svg class="plot" width=${width} height=${height} role="img" aria-label=${summary}>
      ${[0, top / 2, top].map(
        (each) => html`<g key=${each}>
          <line class="grid" x1=${LEFT} x2=${width} y1=${y(each)} y2=${y(each)} />
          <text class="axis" x=${LEFT - 5} y=${y(each) + 4} text-anchor="end">${axis(each)}</text>
        </g>`,
      )}
      ${hour.dots
        .filter(([at]) => at >= from)
        .map(([at, seconds]) => html`<circle key=${at} class="point" cx=${x(at).toFixed(1)} cy=${y(seconds).toFixed(1)} r="3" />`)}
      <line class="grid" x1=${LEFT} x2=${width} y1=${base} y2=${base} />
      <text class="axis" x=${LEFT - 5} y=${base - BARS_HEIGHT + 8} text-anchor="end">${most}</text>
      ${hour.slots
        .filter(([start]) => start >= from - SLOT_S)
        .map(([start, reached, others]) => {
          const left = Math.max(LEFT, x(start)).toFixed(1);
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
      <span><i class="point"></i>time to human</span><span><i class="reached"></i>reached</span><span><i class="others"></i>not reached</span>
    </p>
  `;
}

function axis(seconds) {
  if (seconds === 0) return "0";
  return seconds >= 60 ? `${+(seconds / 60).toFixed(1)} min` : `${+seconds.toFixed(1)} s`;
}
