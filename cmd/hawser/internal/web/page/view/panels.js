// The side panels, which lie over the conversation where there is no room for them
// beside it.

import { composes } from './dom.js';

export class Panel {
  #panel;
  #toggle;
  #rest;
  #open = false;

  // toggle is the button that opens the panel, rest what lies under it then. query is
  // the media query of a window that is too narrow.
  constructor({ panel, toggle, rest, query }) {
    this.#panel = panel;
    this.#toggle = toggle;
    this.#rest = rest;
    toggle.addEventListener('click', () => (this.#open ? this.close() : this.open()));
    panel.querySelector('.close').addEventListener('click', () => this.close());
    panel.addEventListener('keydown', (event) => event.key === 'Escape' && !composes(event) && this.close());
    matchMedia(query).addEventListener('change', () => this.close({ focus: false }));
    document.getElementById('backdrop').addEventListener('click', () => this.close());
  }

  open() {
    this.#set(true);
    this.#panel.querySelector('.close').focus();
  }

  // close gives the focus back, unless it has gone elsewhere.
  close({ focus = true } = {}) {
    if (this.#open) {
      this.#set(false);
      if (focus) {
        this.#toggle.focus();
      }
    }
  }

  #set(open) {
    this.#open = open;
    this.#panel.classList.toggle('open', open);
    this.#toggle.setAttribute('aria-expanded', String(open));
    this.#rest.forEach((element) => (element.inert = open));
    document.getElementById('backdrop').hidden = !open;
  }
}
