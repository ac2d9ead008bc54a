// Messages of ours that the server has not acknowledged. They are kept through
// reconnects, reloads and closed tabs, and sent again with the same ref, so that the
// server stores each of them once. Each belongs to the tab that it was written in; when
// that is gone, another tab of the browser takes it over.

import { newRef } from './requests.js';

const KEY = 'outbox.'; // and the ref

const DAY = 86_400; // seconds
const SHARE = 0.95; // of the time for which the server knows a ref: clocks differ

export class Outbox {
  // Called after entries were taken over from a tab that is gone.
  onadopt = () => {};

  // For how many seconds the server knows a ref again. What is older may be stored twice if
  // it is sent again, so that is left to the user.
  lifetime = DAY;

  #memory;
  #tabs;
  #entries = new Map(); // ref → entry, in the order of writing
  #written = 0;

  // An entry is { ref, to, content, at, n, tab, state, error, until }. to is a
  // conversation, at milliseconds, n counts those of one tab, state is 'sending' or
  // 'failed'. until is when it may be sent again, null if nobody has said.
  constructor(memory, tabs) {
    this.#memory = memory;
    this.#tabs = tabs;
    for (const key of memory.keys(KEY)) {
      this.#watch(memory.load(key)?.tab);
    }
  }

  add(to, content) {
    const entry = {
      ref: newRef(), to, content, at: Date.now(), n: this.#written++, tab: this.#tabs.id,
      state: 'sending', error: '', until: null,
    };
    this.#entries.set(entry.ref, entry);
    this.#save(entry);
    return entry;
  }

  get size() {
    return this.#entries.size;
  }

  get(ref) {
    return this.#entries.get(ref);
  }

  // fail marks what the server refused; it is not sent again by itself.
  fail(ref, error, until = null) {
    this.#mark(ref, { state: 'failed', error, until });
  }

  // retry marks it as to be sent again, and returns it.
  retry(ref) {
    this.#mark(ref, { state: 'sending', error: '', until: null });
    return this.get(ref);
  }

  // remove returns the entry, if there was one.
  remove(ref) {
    const entry = this.#entries.get(ref);
    if (entry) {
      this.#entries.delete(ref);
      this.#memory.remove(KEY + ref);
    }
    return entry;
  }

  // forget drops everything to a conversation.
  forget(to) {
    this.to(to).forEach(({ ref }) => this.remove(ref));
  }

  // to returns what waits for a conversation, in the order of writing.
  to(conversation) {
    return [...this.#entries.values()].filter((e) => e.to === conversation);
  }

  // sending returns what is to be sent again after a reconnect.
  sending() {
    const old = 1000 * SHARE * this.lifetime;
    for (const { ref, at, state } of this.#entries.values()) {
      if (state === 'sending' && Date.now() - at > old) {
        this.fail(ref, 'It was written so long ago that the server cannot tell whether it has arrived. Send it again?');
      }
    }
    return [...this.#entries.values()].filter((e) => e.state === 'sending');
  }

  // stored is told what another tab saved under a key, null if it removed that.
  stored(key, entry) {
    if (!key.startsWith(KEY)) {
      return;
    }
    if (entry) {
      this.#watch(entry.tab, { heardOf: true });
    } else {
      this.#entries.delete(key.slice(KEY.length)); // it has arrived
    }
  }

  // watch takes over what a tab leaves behind.
  #watch(tab, options) {
    this.#tabs.whenGone(tab, () => this.#adopt(tab), options);
  }

  #adopt(tab) {
    const left = this.#memory.keys(KEY).map((key) => this.#memory.load(key)).filter((e) => e?.tab === tab);
    if (left.length === 0) {
      return; // another tab was faster
    }
    left.sort((a, b) => a.at - b.at || a.n - b.n);
    for (const entry of left) {
      entry.tab = this.#tabs.id;
      this.#entries.set(entry.ref, entry);
      this.#save(entry);
    }
    this.onadopt(left);
  }

  #mark(ref, marks) {
    const entry = this.#entries.get(ref);
    if (entry) {
      Object.assign(entry, marks);
      this.#save(entry);
    }
  }

  #save(entry) {
    this.#memory.save(KEY + entry.ref, entry);
  }
}

// unsent counts the messages that any tab of the browser has not sent.
export function unsent(memory) {
  return memory.keys(KEY).length;
}
