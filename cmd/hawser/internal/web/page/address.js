// The address bar: what stands after the # names the conversation that is shown, so
// that it can be linked to, and that Back leads to the one before.

import { isRoom } from './chat/conversation.js';
import { roomProblem } from './chat/names.js';

const USER = /^u_[A-Za-z0-9_.-]{1,62}$/;

export class Address {
  #visited;
  #shown; // what the address named when it was last written or read

  // visited is called with the id of a room or user when an address is followed.
  constructor(visited) {
    this.#visited = visited;
    // Back and links within the page come as one event or the other, or both.
    addEventListener('popstate', () => this.#follow());
    addEventListener('hashchange', () => this.#follow());
  }

  // id is what the address names, or '' if it names nothing that there can be.
  get id() {
    let id = location.hash.slice(1);
    try {
      id = decodeURIComponent(id);
    } catch {
      // It holds a % that means itself, which no id does.
    }
    return USER.test(id) || !roomProblem(id) ? id : '';
  }

  // room is the same if it is a room.
  get room() {
    return isRoom(this.id) ? this.id : '';
  }

  // show makes the address name a conversation, '' for none. The one before is what Back
  // leads to, unless replace is set.
  show(id, { replace = false } = {}) {
    if (id === this.#shown && id === this.id) {
      return;
    }
    const url = id ? `#${id}` : location.pathname + location.search;
    // At the start, and for an address that names nothing, there is nothing to go back to.
    const first = this.#shown === undefined || this.id === '';
    if (id !== this.id || location.hash.slice(1) !== id) {
      history[replace || first ? 'replaceState' : 'pushState'](null, '', url);
    }
    this.#shown = id;
  }

  #follow() {
    const { id } = this;
    if (id !== this.#shown) {
      const before = this.#shown;
      this.#shown = id;
      if (id) {
        this.#visited(id);
      } else if (before) {
        this.show(before); // it names nothing: what is shown stays
      }
    }
  }
}
