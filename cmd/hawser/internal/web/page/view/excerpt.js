// The part of a conversation that is in the document: a run of its messages, and after
// the last one those of ours that are on their way. It has a bounded length, whatever
// the conversation holds.

import { keyOf, pendingKey } from './rows.js';

const STEP = 50; // by so many it moves

// The edges are kept as keys, as places in the list change whenever older messages are
// put in before them.
export class Excerpt {
  #most;
  #messages = [];
  #pending = [];
  #first = null; // key of the first one, null for the first there is
  #last = null; // and of the last

  from = 0; // the place of the first one in messages, followed by pending
  to = 0; // and the place after the last one

  // most returns the bound.
  constructor(most) {
    this.#most = most;
  }

  // complete says whether nothing comes after it.
  get complete() {
    return this.to === this.#length;
  }

  // end makes it the end of what is held.
  end(messages, pending) {
    this.#hold(messages, pending);
    this.#set(this.#length - this.#most(), this.#length);
  }

  // stay keeps it where it is in what is held now. If more has come in between than
  // there is room for, it keeps what is around a key.
  stay(messages, pending, around) {
    this.#hold(messages, pending);
    const from = this.#first === null ? 0 : this.#find(this.#first);
    const to = this.#last === null ? this.#length : Math.min(this.#length, this.#find(this.#last) + 1);
    const most = this.#most();
    if (to - from <= most) {
      this.#set(from, Math.max(from, to));
      return;
    }
    const middle = around === null ? from : this.#find(around) - Math.floor(most / 2);
    const begin = Math.max(from, Math.min(middle, to - most));
    this.#set(begin, begin + most);
  }

  // older moves it up, and reports whether there was anything to move to.
  older() {
    const { from } = this;
    const begin = Math.max(0, from - STEP);
    this.#set(begin, Math.min(this.to, begin + this.#most()));
    return begin < from;
  }

  // newer moves it down, likewise.
  newer() {
    const { to } = this;
    const end = Math.min(this.#length, to + STEP);
    this.#set(Math.max(this.from, end - this.#most()), end);
    return end > to;
  }

  get #length() {
    return this.#messages.length + this.#pending.length;
  }

  #hold(messages, pending) {
    this.#messages = messages;
    this.#pending = pending;
  }

  #set(from, to) {
    this.from = Math.max(0, from);
    this.to = to;
    this.#first = this.#key(this.from);
    this.#last = this.#key(to - 1);
  }

  #key(place) {
    const { length } = this.#messages;
    if (place < length) {
      return place < 0 ? null : keyOf(this.#messages[place]);
    }
    return place < this.#length ? pendingKey(this.#pending[place - length]) : null;
  }

  // find returns the place of a key, or where it would be. A message on its way is
  // found under its old key when it has arrived.
  #find(key) {
    const [kind, value] = key.split(' ');
    if (kind === 'seq') {
      return lowerBound(this.#messages, Number(value));
    }
    const waiting = this.#pending.findIndex((entry) => entry.ref === value);
    if (waiting >= 0) {
      return this.#messages.length + waiting;
    }
    const arrived = this.#messages.findLastIndex((m) => m.metadata?.ref === value);
    return arrived >= 0 ? arrived : this.#messages.length;
  }
}

// lowerBound returns the place of the first message that has this seq or a higher one.
export function lowerBound(messages, seq) {
  let [low, high] = [0, messages.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (messages[middle].seq < seq) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}
