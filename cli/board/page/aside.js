// Dead letters with their replay, the actors that run, and what the words of the page mean.

import { html } from "./html.js";
import { ConfirmedButton, CopyButton } from "./copy.js";
import { STEPS, STEP_MEANINGS, actorName, ago, moment, plural } from "./format.js";
import { post } from "./store.js";

const ROLES = ["coordinator", "gateway", "summarizer", "briefing", "primary"];

export function DeadLetters({ store }) {
  const letters = store.deadLetters;
  if (letters.length === 0) {
    return html`<section class="card" aria-label="Dead letters"><h2>Dead letters</h2><p class="empty">None. A dead letter is a message that no worker could handle.</p></section>`;
  }
  return html`
    <section class="card" aria-label="Dead letters">
      <h2>Dead letters <small>${letters.length}</small></h2>
      <p class="quiet">A dead letter is a message that no worker could handle. Mend the cause, then replay.</p>
      <ul class="letters">
        ${letters.map((letter) => html`<${Letter} key=${letter.number} letter=${letter} store=${store} />`)}
      </ul>
    </section>
  `;
}

function Letter({ letter, store }) {
  const known = letter.id !== "unaddressed";
  return html`
    <li>
      <p><b>${letter.consumer}</b> <span class="quiet" title=${moment(letter.at)}>${ago(store.now() - letter.at)}, ${plural(letter.tries, "try", "tries")}</span></p>
      <p class="cause">${letter.cause}</p>
      <p class="tools">
        ${known ? html`<a href=${`#/t/${letter.id}`}>Open transfer</a>` : html`<span class="quiet">no transfer</span>`}
        <${CopyButton} text=${JSON.stringify(letter)} name=${`dead letter ${letter.number}`} />
        ${store.settings?.actions && letter.count === 1
          ? html`<${ConfirmedButton}
              label="Replay"
              question=${`Replay dead letter ${letter.number}?`}
              consequence="A coordinator handles the message again. It refuses if that could do harm, such as a late dial."
              confirm="Replay"
              act=${async () => {
                await post(`/api/dead-letters/${letter.number}/replay`);
                return "Replayed";
              }}
            />`
          : null}
      </p>
    </li>
  `;
}

export function Actors({ store }) {
  const roles = [...new Set([...ROLES, ...store.processes.map((each) => each.role)])];
  return html`
    <section class="card" aria-label="Actors">
      <h2>Actors</h2>
      <p class="quiet">The processes that carry out transfers. One of each is enough.</p>
      <ul class="actors">
        ${roles.map((role) => html`<${Role} key=${role} role=${role} store=${store} />`)}
      </ul>
    </section>
  `;
}

function Role({ role, store }) {
  const processes = store.processes.filter((each) => each.role === role);
  const alive = processes.filter((each) => each.alive);
  const gone = processes.filter((each) => !each.alive);
  const missing = store.missingRoles.includes(role);
  const handled = alive.reduce((sum, each) => sum + each.handled, 0);
  const failed = alive.reduce((sum, each) => sum + each.failed, 0);
  return html`
    <li>
      <details>
        <summary>
          <i class="dot ${alive.length > 0 ? "good" : missing ? "bad" : "off"}" aria-hidden="true"></i>
          <span>${actorName(role)}</span>
          <b>${alive.length > 0 ? `${alive.length} ${alive.length === 1 ? "runs" : "run"}` : missing ? "none runs" : "none"}</b>
        </summary>
        ${alive.length > 0
          ? html`<p class="quiet">${plural(handled, "message")} handled${failed > 0 ? `, ${plural(failed, "error")}` : ""}</p>`
          : null}
        <ul>
          ${[...alive, ...gone].map(
            (each) => html`<li key=${each.id} class=${each.alive ? "" : "quiet"}>
              <code>${each.id.slice(0, 8)}</code> ${each.version},
              ${each.alive
                ? each.started_at === null
                  ? "runs"
                  : `started ${ago(store.now() - each.started_at)}`
                : `gone, seen ${ago(store.now() - each.seen_at)}`}
            </li>`,
          )}
        </ul>
      </details>
    </li>
  `;
}

export function Words() {
  return html`
    <section class="card" aria-label="Words">
      <details>
        <summary>What the words mean</summary>
        <dl class="words">
          ${Object.entries(STEP_MEANINGS).map(([step, meaning]) => html`<div key=${step}><dt>${STEPS[step]}</dt><dd>${meaning}</dd></div>`)}
          <div><dt>Almost late</dt><dd>the caller has waited for three quarters of the target</dd></div>
          <div><dt>Late</dt><dd>the caller has waited longer than the target</dd></div>
          <div><dt>Connected</dt><dd>caller and supervisor were seen together; their talk may go on</dd></div>
        </dl>
      </details>
    </section>
  `;
}
