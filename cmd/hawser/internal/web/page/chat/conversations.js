// All the conversations of a user, and what of them is remembered: which there are, and
// up to where they were read. All tabs share that; which one is shown is the tab's own.
// Messages come from the server again.

import { Conversation } from './conversation.js';

const KEY = 'talk.'; // and the id

export class Conversations {
  current = null; // the one that is shown
  epoch; // of the server's data; undefined before the first connection

  #memory;
  #tab;
  #names;
  #byID = new Map();
  #saved = new Map(); // id → what the memory holds, as text

  // memory is the browser's, tab that of the tab.
  constructor(memory, tab, names) {
    this.#memory = memory;
    this.#tab = tab;
    this.#names = names;
    this.epoch = memory.load('epoch') ?? undefined;
    for (const key of memory.keys(KEY)) {
      this.#merge(key.slice(KEY.length), memory.load(key));
    }
    this.current = this.get(tab.load('current') ?? memory.load('current')) ?? null;
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
    this.#forget(conversation);
    this.#memory.remove(KEY + conversation.id);
  }

  // adopt notes the epoch of the server's data. If it is another one than before, all that
  // is held is forgotten. A conversation may have an epoch of its own beside that.
  adopt(epoch) {
    if (epoch === undefined || epoch === this.epoch) {
      return;
    }
    if (this.epoch !== undefined) {
      this.#byID.forEach((conversation) => conversation.reset());
    }
    this.epoch = epoch;
    this.#memory.save('epoch', epoch);
  }

  save(conversation) {
    const { id, joined, readTo, epoch = this.epoch } = conversation;
    const record = { joined, readTo, epoch, name: this.#names.get(id) };
    const text = JSON.stringify(record);
    if (this.get(id) === conversation && this.#saved.get(id) !== text) {
      this.#saved.set(id, text);
      this.#memory.save(KEY + id, record);
    }
  }

  // saveCurrent notes which one is shown, for a reload and for the next new tab.
  saveCurrent() {
    this.#tab.save('current', this.current?.id ?? null);
    this.#memory.save('current', this.current?.id ?? null);
  }

  // stored is told what another tab saved under a key, null if it removed that. It
  // returns the conversation that was opened, or left, by that.
  stored(key, record) {
    if (!key.startsWith(KEY)) {
      return {};
    }
    const id = key.slice(KEY.length);
    const known = this.get(id);
    if (!record) {
      if (known) {
        this.#forget(known);
      }
      return { left: known?.joined ? known : undefined };
    }
    const joined = known?.joined;
    this.#merge(id, record);
    return { opened: joined === this.get(id).joined ? undefined : this.get(id) };
  }

  // merge takes over what was saved; what was read once stays read.
  #merge(id, record) {
    if (!record) {
      return;
    }
    const conversation = this.open(id);
    conversation.joined ||= record.joined;
    conversation.epoch ??= record.epoch;
    if (record.readTo !== null && record.epoch === conversation.epoch) {
      conversation.readTo = Math.max(conversation.readTo ?? 0, record.readTo);
    }
    this.#names.set(id, record.name);
    this.#saved.set(id, JSON.stringify(record));
  }

  #forget(conversation) {
    this.#byID.delete(conversation.id);
    this.#saved.delete(conversation.id);
    if (this.current === conversation) {
      this.current = null;
    }
  }
}
