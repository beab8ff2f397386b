// The head of the page: whether it is live, what does not work, and the colours.

import { Component, html } from "./html.js";
import { plural } from "./format.js";

const STATUS = {
  live: ["live", "Live", "What you see is at most two seconds old."],
  stale: ["warn", "No news", "Nothing has come from the board for some seconds. The figures are old."],
  lost: ["bad", "Not connected", "The board does not answer. It is tried again."],
  broker: ["bad", "No broker", "The board is not connected to the broker. It is tried again."],
};
const THEMES = ["auto", "light", "dark"];
const KEY = "warmxfer-board-theme";

export function Header({ store }) {
  const status = store.heardAt === 0 && !store.lost ? ["warn", "Connecting", "The board is asked."] : STATUS[store.status()];
  const [tone, name, meaning] = status;
  return html`
    <header>
      <a class="home" href="#" aria-label="warmxfer board, all transfers">
        <img src="/assets/icon.svg" alt="" width="28" height="28" />
        <span><b>warmxfer</b><span class="wide-only"> board</span></span>
      </a>
      <span class="status ${tone}" role="status" title=${meaning}><i aria-hidden="true"></i>${name}</span>
      <span class="grow"></span>
      ${store.settings && !store.settings.actions
        ? html`<span class="quiet readonly" title="Start it with --allow-actions to cancel and to replay.">read-only</span>`
        : null}
      <${ThemeButton} />
    </header>
    <${Problems} store=${store} tone=${tone} meaning=${meaning} />
  `;
}

function Problems({ store, tone, meaning }) {
  const sentences = [...store.problems];
  if (tone === "bad" || (tone === "warn" && store.heardAt > 0)) sentences.unshift(meaning);
  if (store.missingRoles.length > 0) {
    const roles = store.missingRoles.join(", ");
    sentences.push(`No ${roles} runs: transfers cannot go on without ${store.missingRoles.length > 1 ? "them" : "it"}.`);
  }
  if (store.notShown > 0) {
    sentences.push(`${plural(store.notShown, "more transfer")} running, beyond the limit of this page.`);
  }
  if (sentences.length === 0) return null;
  return html`<ul class="problems" role="alert">
    ${sentences.map((each) => html`<li key=${each}>${each}</li>`)}
  </ul>`;
}

class ThemeButton extends Component {
  constructor() {
    super();
    const kept = localStorage.getItem(KEY);
    this.state = { theme: THEMES.includes(kept) ? kept : "auto" };
    this.apply(this.state.theme);
  }

  apply(theme) {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem(KEY, theme);
  }

  next() {
    const theme = THEMES[(THEMES.indexOf(this.state.theme) + 1) % THEMES.length];
    this.apply(theme);
    this.setState({ theme });
  }

  render(_, { theme }) {
    return html`<button type="button" class="plain" onClick=${() => this.next()} title="Change the colours">
      Theme: ${theme}
    </button>`;
  }
}
