// Questions and their answers, paired by ref, on one connection after the other.

import { Pacer } from './pacer.js';

// Disconnected is why a question stays without an answer. Whoever asks again after
// a reconnect may ignore it.
export class Disconnected extends Error {
  constructor() {
    super('There is no connection to the server right now.');
  }
}

// Refused is an error that the server answered with.
export class Refused extends Error {
  constructor({ code, reason, message, field }) {
    super(message || reason || 'The server refused this.');
    this.code = code;
    this.reason = reason;
    this.field = field;
  }
}

// newRef makes a ref that nobody else makes. (crypto.randomUUID would need https.)
export function newRef() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

export class Requests {
  #open = false;
  #world;
  #pacer;
  #waiting = new Map(); // ref → { message, resolve, reject }
  #repeats = new Set(); // timers

  constructor(send, world = globalThis) {
    this.#world = world;
    this.#pacer = new Pacer(send, world);
  }

  // begin is called when a connection stands, with the limits it grants.
  begin(limits) {
    this.#open = true;
    this.#pacer.begin(limits?.messages_per_second, limits?.burst);
  }

  // end is called when it is lost.
  end() {
    this.#open = false;
    this.#pacer.clear();
    for (const timer of this.#repeats) {
      this.#world.clearTimeout(timer);
    }
    this.#repeats.clear();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) {
      reject(new Disconnected());
    }
  }

  // ask sends a message and returns a promise of its answer. It is rejected with
  // Disconnected or Refused.
  ask(message) {
    if (!this.#open) {
      return Promise.reject(new Disconnected());
    }
    const question = { ...message, ref: newRef() };
    return new Promise((resolve, reject) => {
      this.#waiting.set(question.ref, { message: question, resolve, reject });
      this.#pacer.push(question);
    });
  }

  // tell sends a message for whose answer somebody else cares.
  tell(message) {
    if (this.#open) {
      this.#pacer.push(message);
    }
  }

  // repeat tells it again when the server has room for it.
  repeat(message, afterMilliseconds) {
    const timer = this.#world.setTimeout(() => {
      this.#repeats.delete(timer);
      this.#pacer.push(message);
    }, afterMilliseconds || 1000);
    this.#repeats.add(timer);
  }

  // settle reports whether the answer was to a question asked here.
  settle(answer) {
    const question = this.#waiting.get(answer.ref);
    if (!question) {
      return false;
    }
    if (answer.type === 'error' && answer.reason === 'rate_limited') {
      this.repeat(question.message, answer.retry_after_ms);
      return true;
    }
    this.#waiting.delete(answer.ref);
    if (answer.type === 'error') {
      question.reject(new Refused(answer));
    } else {
      question.resolve(answer);
    }
    return true;
  }
}
