// The tabs of one browser that have the page open: one thing at a time among them, and
// who of them is still there. It takes Web Locks, which a tab cannot leave behind. Over
// plain http there are none, except on localhost: then every tab is alone.

import { newRef } from './requests.js';

export class Tabs {
  id = newRef(); // of this tab, until it is reloaded

  #locks;
  #prefix;

  // locks is navigator.locks, or undefined.
  constructor(locks, prefix = 'hawser.') {
    this.#locks = locks;
    this.#prefix = prefix;
    this.#hold(`tab.${this.id}`, () => new Promise(() => {})); // for as long as we are there
  }

  // one runs something of which only one may run at a time in all tabs, and returns its
  // result.
  one(name, run) {
    return this.#locks ? this.#hold(name, run) : run();
  }

  // whenGone calls gone when another tab is closed or reloaded; at once, if it was.
  // Where that cannot be known, a tab counts as gone unless it was just heard of.
  whenGone(id, gone, { heardOf = false } = {}) {
    if (id === this.id) {
      return;
    }
    if (this.#locks) {
      this.#hold(`tab.${id}`, gone);
    } else if (!heardOf) {
      gone();
    }
  }

  #hold(name, run) {
    return this.#locks?.request(this.#prefix + name, run);
  }
}
