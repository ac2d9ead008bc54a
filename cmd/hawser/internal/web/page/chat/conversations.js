// All the conversations of a user, and what of them is remembered: which there are, and
// up to where they were read. All tabs share that; which one is shown is the tab's own.
// Messages come from the server again.

import { Conversation, isRoom } from './conversation.js';

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
  // is held is forgotten, but for conversations that have an epoch of their own.
  adopt(epoch) {
    if (epoch === undefined || epoch === this.epoch) {
      return;
    }
    if (this.epoch !== undefined) {
      const old = [...this].filter((conversation) => (conversation.epoch ?? this.epoch) === this.epoch);
      old.forEach((conversation) => conversation.reset());
    }
    this.epoch = epoch;
    this.#memory.save('epoch', epoch);
  }

  save(conversation) {
    const { id, joined, joining, readTo, epoch = this.epoch } = conversation;
    const record = { joined, joining, readTo, epoch, name: this.#names.get(id) };
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

  // stored is told what another tab saved under a key, null if it removed that. Which rooms
  // there are is what the server says; online is false while it says nothing.
  stored(key, record, { online }) {
    if (!key.startsWith(KEY)) {
      return;
    }
    const id = key.slice(KEY.length);
    const known = this.get(id);
    if (!online || !isRoom(id)) {
      record ? this.#merge(id, record) : known && this.#forget(known);
    } else if (known) {
      this.#saved.delete(id); // what is in the memory is not ours
      this.#mergeRead(known, record);
    }
  }

  // merge takes over what was saved.
  #merge(id, record) {
    if (!record) {
      return;
    }
    const conversation = this.open(id);
    conversation.joined ||= record.joined === true;
    conversation.joining ||= record.joining === true;
    this.#mergeRead(conversation, record);
    this.#names.set(id, record.name);
    this.#saved.set(id, JSON.stringify(record));
  }

  // mergeRead takes over how much was read; what was read once stays read.
  #mergeRead(conversation, record) {
    conversation.epoch ??= record?.epoch;
    if (Number.isInteger(record?.readTo) && record.epoch === conversation.epoch) {
      conversation.readTo = Math.max(conversation.readTo ?? 0, record.readTo);
    }
  }

  #forget(conversation) {
    this.#byID.delete(conversation.id);
    this.#saved.delete(conversation.id);
    if (this.current === conversation) {
      this.current = null;
    }
  }
}
