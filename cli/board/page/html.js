// Preact and htm, bound to each other. Both are in this folder: the browser loads nothing from another machine.

import { Component, Fragment, createRef, h, render } from "./vendor/preact.mjs";
import htm from "./vendor/htm.js";

export const html = htm.bind(h);
export { Component, Fragment, createRef, render };

/** A component whose content depends on its own width: `draw(width)` is called with it, in pixels. */
export class Measured extends Component {
  constructor(properties) {
    super(properties);
    this.box = createRef();
    this.state = { width: 0 };
    this.observer = new ResizeObserver(() => this.measure());
  }

  componentDidMount() {
    this.observer.observe(this.box.current);
    this.measure();
  }

  componentWillUnmount() {
    this.observer.disconnect();
  }

  measure() {
    const width = Math.floor(this.box.current?.clientWidth ?? 0);
    if (width !== this.state.width) this.setState({ width });
  }

  render({ draw, ...others }, { width }) {
    return html`<div ref=${this.box} class="measured">${width > 0 ? draw(width, others) : null}</div>`;
  }
}
