// The board: chooses between the list and one transfer by the address, and draws what the store has.

import { Component, html, render } from "./html.js";
import { Header } from "./header.js";
import { ListView } from "./list.js";
import { Store } from "./store.js";
import { TransferView } from "./transfer.js";

const TICK_MS = 1000;

class App extends Component {
  constructor() {
    super();
    this.state = { tick: 0, id: openedId() };
  }

  componentDidMount() {
    this.props.store.subscribe(() => this.setState({ tick: this.state.tick + 1 }));
    this.timer = setInterval(() => this.setState({ tick: this.state.tick + 1 }), TICK_MS);
    addEventListener("hashchange", () => this.setState({ id: openedId() }));
    addEventListener("keydown", (event) => this.onKey(event));
  }

  onKey(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "Escape" && this.state.id !== null) location.hash = "";
    if (event.key === "/" && !typing) {
      event.preventDefault();
      document.querySelector("#search")?.focus();
    }
  }

  render({ store }, { id }) {
    return html`
      <a class="skip" href="#main" onClick=${skip}>Skip to the transfers</a>
      <${Header} store=${store} />
      <main id="main" tabindex="-1">
        ${id === null
          ? html`<${ListView} store=${store} />`
          : html`<${TransferView} key=${id} store=${store} id=${id} />`}
      </main>
    `;
  }
}

function openedId() {
  const found = /^#\/t\/([A-Za-z0-9_-]{1,64})$/.exec(location.hash);
  return found ? found[1] : null;
}

function skip(event) {
  event.preventDefault();
  document.querySelector("#main").focus();
}

const store = new Store();
const place = document.querySelector("#app");
place.replaceChildren();
render(html`<${App} store=${store} />`, place);
store.connect();
