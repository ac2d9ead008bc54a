// Messages of ours that the server has not acknowledged. They are kept through
// reconnects and reloads and sent again with the same ref, so that the server stores
// each of them once.

import { newRef } from './requests.js';

export class Outbox {
  #memory;
  #entries = new Map(); // ref → entry, in the order of writing

  // An entry is { ref, to, content, at, state, error }. to is a conversation, at
  // milliseconds, state 'sending' or 'failed'.
  constructor(memory) {
    this.#memory = memory;
    for (const entry of memory.load('outbox') ?? []) {
      this.#entries.set(entry.ref, entry);
    }
  }

  add(to, content) {
    const entry = { ref: newRef(), to, content, at: Date.now(), state: 'sending', error: '' };
    this.#entries.set(entry.ref, entry);
    this.#save();
    return entry;
  }

  get(ref) {
    return this.#entries.get(ref);
  }

  // fail marks what the server refused; it is not sent again by itself.
  fail(ref, error) {
    this.#mark(ref, 'failed', error);
  }

  // retry marks it as to be sent again, and returns it.
  retry(ref) {
    this.#mark(ref, 'sending', '');
    return this.get(ref);
  }

  // remove returns the entry, if there was one.
  remove(ref) {
    const entry = this.#entries.get(ref);
    if (entry) {
      this.#entries.delete(ref);
      this.#save();
    }
    return entry;
  }

  // forget drops everything to a conversation.
  forget(to) {
    for (const entry of this.to(to)) {
      this.#entries.delete(entry.ref);
    }
    this.#save();
  }

  // to returns what waits for a conversation, in the order of writing.
  to(conversation) {
    return [...this.#entries.values()].filter((e) => e.to === conversation);
  }

  // sending returns what is to be sent again after a reconnect.
  sending() {
    return [...this.#entries.values()].filter((e) => e.state === 'sending');
  }

  #mark(ref, state, error) {
    const entry = this.#entries.get(ref);
    if (entry) {
      Object.assign(entry, { state, error });
      this.#save();
    }
  }

  #save() {
    this.#memory.save('outbox', [...this.#entries.values()]);
  }
}
