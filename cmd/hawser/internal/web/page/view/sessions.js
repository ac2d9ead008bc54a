// Where one is logged in: the sessions of the user, and how to end one.

import { el, List, setAttribute, setText } from './dom.js';
import { formatDay, formatTime } from './text.js';

const byID = (id) => document.getElementById(id);

export class Sessions {
  #load;
  #end;
  #status = byID('sessions-status');
  #list;

  // load returns the sessions, as the server lists them; end ends the one with an id. Both
  // may throw an Error that can be shown.
  constructor({ load, end }) {
    this.#load = load;
    this.#end = end;
    this.#list = new List(byID('sessions'), ({ key, current }) => {
      const what = el('div', { class: 'session' }, el('bdi', { class: 'device' }), el('span', { class: 'note' }));
      const button = el('button', { type: 'button', class: 'quiet', onclick: () => this.#logOut(key) }, 'Log out');
      return el('li', { 'data-id': key }, what, current ? el('strong', {}, 'This tab') : button);
    }, (node, { device, note, current }) => {
      setText(node.querySelector('.device'), device);
      setText(node.querySelector('.note'), note);
      if (!current) {
        setAttribute(node.querySelector('button'), 'aria-label', `Log out ${device}, ${note}`);
      }
    });
  }

  // show asks for the sessions. What was shown before is not true any more.
  async show() {
    this.#list.show([]);
    setText(this.#status, 'Asking the server…');
    await this.#refresh();
  }

  async #refresh() {
    try {
      const sessions = await this.#load();
      this.#list.show(sessions.map(item));
      setText(this.#status, '');
    } catch (error) {
      setText(this.#status, error.message);
    }
  }

  async #logOut(id) {
    try {
      await this.#end(id);
    } catch (error) {
      if (error.reason !== 'unknown_session') { // it has ended by itself
        setText(this.#status, error.message);
        return;
      }
    }
    await this.#refresh();
  }
}

function item({ session_id: key, device, address, seen, connections, current }) {
  const when = connections > 0 ? 'connected now' : `last seen: ${formatDay(seen)}, ${formatTime(seen)}`;
  return { key, device: device || 'Unknown device', note: address ? `${address}, ${when}` : when, current };
}
