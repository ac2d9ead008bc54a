// All the conversations of a tab, and what of them survives a reload: which there
// are, and up to where they were read. Messages come from the server again.

import { Conversation } from './conversation.js';

export class Conversations {
  current = null; // the one that is shown
  epoch; // of the data that seq values count in; undefined before the first connection

  #memory;
  #names;
  #byID = new Map();

  constructor(memory, names) {
    this.#memory = memory;
    this.#names = names;
    const saved = memory.load('conversations');
    this.epoch = saved?.epoch;
    for (const { id, name, joined, readTo } of saved?.list ?? []) {
      Object.assign(this.open(id), { joined, readTo });
      names.set(id, name);
    }
    this.current = this.get(saved?.current) ?? null;
  }

  [Symbol.iterator]() {
    return this.#byID.values();
  }

  get(id) {
    return this.#byID.get(id);
  }

  // open returns the conversation, a new one if need be.
  open(id) {
    if (!this.#byID.has(id)) {
      this.#byID.set(id, new Conversation(id));
    }
    return this.#byID.get(id);
  }

  delete(conversation) {
    this.#byID.delete(conversation.id);
    if (this.current === conversation) {
      this.current = null;
    }
  }

  // adopt notes the epoch of the server's data. If it is another one than before,
  // it forgets all that is held and reports true.
  adopt(epoch) {
    const changed = this.epoch !== undefined && epoch !== undefined && epoch !== this.epoch;
    this.epoch = epoch ?? this.epoch;
    if (changed) {
      this.#byID.forEach((conversation) => conversation.reset());
    }
    return changed;
  }

  save() {
    const list = [...this].map(({ id, joined, readTo }) =>
      ({ id, joined, readTo, name: this.#names.get(id) }));
    this.#memory.save('conversations', { epoch: this.epoch, current: this.current?.id, list });
  }
}
