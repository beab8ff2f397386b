// A button that copies a text, and a dialog that asks before something is changed.

import { Component, createRef, html } from "./html.js";

const SHOWN_MS = 1500;

export class CopyButton extends Component {
  constructor() {
    super();
    this.state = { done: null };
  }

  async copy() {
    const done = (await copied(this.props.text)) ? "Copied" : "Select and copy it by hand";
    this.setState({ done });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.setState({ done: null }), SHOWN_MS);
  }

  componentWillUnmount() {
    clearTimeout(this.timer);
  }

  render({ label, name }, { done }) {
    const text = done ?? label ?? "Copy";
    return html`<button type="button" class="plain copy" aria-label=${`${text}: ${name}`} onClick=${() => this.copy()}>
      <span aria-live="polite">${text}</span>
    </button>`;
  }
}

/** Copy a text. A page without TLS on another machine has no clipboard, so a text field is copied there. */
async function copied(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copiedFromField(text);
    }
  }
  return copiedFromField(text);
}

function copiedFromField(text) {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "offscreen";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

/** A button that asks first. `act` returns a promise; its sentence is shown. */
export class ConfirmedButton extends Component {
  constructor() {
    super();
    this.dialog = createRef();
    this.state = { working: false, said: null, failed: false };
  }

  ask() {
    this.setState({ said: null, failed: false });
    this.dialog.current.showModal();
  }

  async act() {
    this.setState({ working: true });
    try {
      const said = await this.props.act();
      this.setState({ working: false, said, failed: false });
      this.dialog.current?.close();
    } catch (error) {
      this.setState({ working: false, said: error.message, failed: true });
    }
  }

  render({ label, question, consequence, confirm, danger }, { working, said, failed }) {
    return html`
      <button type="button" class=${danger ? "danger" : "primary"} onClick=${() => this.ask()}>${label}</button>
      ${said && !failed ? html`<span class="said" role="status">${said}</span>` : null}
      <dialog ref=${this.dialog} aria-label=${question}>
        <h2>${question}</h2>
        <p>${consequence}</p>
        ${failed ? html`<p class="failed" role="alert">${said}</p>` : null}
        <div class="buttons">
          <button type="button" onClick=${() => this.dialog.current.close()} disabled=${working}>Keep it</button>
          <button type="button" class=${danger ? "danger" : "primary"} onClick=${() => this.act()} disabled=${working}>
            ${working ? "Working…" : confirm}
          </button>
        </div>
      </dialog>
    `;
  }
}
