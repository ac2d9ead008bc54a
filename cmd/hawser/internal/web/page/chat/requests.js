// Questions and their answers, paired by ref, on one connection after the other.

import { Backoff } from './backoff.js';
import { Pacer } from './pacer.js';
import { again, pause, words } from './refused.js';

// Disconnected is why a question stays without an answer. It may be ignored where the
// question is asked again after a reconnect.
export class Disconnected extends Error {
  constructor() {
    super('There is no connection to the server right now.');
  }
}

// Refused is an error that the server answered with.
export class Refused extends Error {
  constructor(error) {
    super(`${words(error)} ${again(error.retry_after_ms)}`.trim());
    this.code = error.code;
    this.reason = error.reason;
    this.field = error.field;
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
  #waiting = new Map(); // ref → { message, resolve, reject, delayed, backoff }
  #repeats = new Set(); // timers

  constructor(send, world = globalThis) {
    this.#world = world;
    this.#pacer = new Pacer(send, world);
  }

  // open says whether there is a connection to ask on.
  get open() {
    return this.#open;
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
  // Disconnected or Refused. With delayed it is asked again, until a connection ends,
  // when the server does not work for now; delayed(error) is called each time.
  ask(message, { delayed } = {}) {
    if (!this.#open) {
      return Promise.reject(new Disconnected());
    }
    const question = { ...message, ref: newRef() };
    return new Promise((resolve, reject) => {
      this.#waiting.set(question.ref, { message: question, resolve, reject, delayed, backoff: new Backoff({ first: 1000 }) });
      this.#pacer.push(question);
    });
  }

  // tell sends a message for whose answer somebody else cares.
  tell(message) {
    if (this.#open) {
      this.#pacer.push(message);
    }
  }

  // withdraw takes back what was told and still waits for its turn, and returns it.
  withdraw(matches) {
    return this.#pacer.withdraw(matches);
  }

  // settle reports whether the answer was to a question asked here.
  settle(answer) {
    const question = this.#waiting.get(answer.ref);
    if (!question) {
      return false;
    }
    if (answer.type !== 'error') {
      this.#waiting.delete(answer.ref);
      question.resolve(answer);
      return true;
    }
    const wait = pause(answer);
    if (wait !== null && (answer.code === 429 || question.delayed)) {
      question.delayed?.(new Refused(answer));
      this.#repeat(question.message, wait || question.backoff.next());
      return true;
    }
    this.#waiting.delete(answer.ref);
    question.reject(new Refused(answer));
    return true;
  }

  #repeat(message, milliseconds) {
    const timer = this.#world.setTimeout(() => {
      this.#repeats.delete(timer);
      this.#pacer.push(message);
    }, milliseconds);
    this.#repeats.add(timer);
  }
}
