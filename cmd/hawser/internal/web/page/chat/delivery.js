// Gets the messages of the outbox to the server: those to one conversation in the order
// in which they were written, and each again until it is acknowledged or refused for good.

import { Backoff } from './backoff.js';
import { isRoom } from './conversation.js';
import { pause, words } from './refused.js';

const PAUSES = { first: 1000, most: 60_000 }; // growing, in milliseconds

export class Delivery {
  #outbox;
  #requests;
  #world;
  #changed;
  #begun = false;
  #flying = new Map(); // ref → conversation, of what is sent and not answered
  #held = new Map(); // conversation → { timer, backoff, reason }, where nothing is sent for now

  // changed is called after something changed by itself.
  constructor({ outbox, requests, world, changed }) {
    this.#outbox = outbox;
    this.#requests = requests;
    this.#world = world;
    this.#changed = changed;
  }

  // begin is called when a connection stands and what was missed is known, and sends what
  // waits; end when it is lost.
  begin() {
    this.end();
    this.#begun = true;
    this.#outbox.sending().forEach((entry) => this.#send(entry));
  }

  end() {
    this.#begun = false;
    for (const { timer } of this.#held.values()) {
      this.#world.clearTimeout(timer);
    }
    this.#held.clear();
    this.#flying.clear();
  }

  // post sends an entry when those before it have been sent.
  post(entry) {
    if (this.#begun && !this.#held.has(entry.to)) {
      this.#send(entry);
    }
  }

  // to returns what waits for a conversation. Where nothing is sent for now, waiting says
  // for what reason.
  to(conversation) {
    const entries = this.#outbox.to(conversation);
    const waiting = this.#held.get(conversation)?.reason;
    return waiting ? entries.map((entry) => ({ ...entry, waiting })) : entries;
  }

  // abandon sends nothing more to a conversation before the user asks for it, and says why.
  // It reports whether there was anything.
  abandon(conversation, why) {
    const waiting = this.#outbox.to(conversation);
    waiting.forEach(({ ref }) => this.#outbox.fail(ref, why));
    return waiting.length > 0;
  }

  // acknowledged returns the entry, if it is still one.
  acknowledged({ ref }) {
    const to = this.#landed(ref);
    const entry = this.#outbox.remove(ref);
    if (this.#held.get(to)?.timer === null) {
      this.#held.delete(to);
      this.#waiting(to).forEach((e) => this.#send(e));
    }
    return entry;
  }

  // refused reports whether the error was about a message.
  refused(error) {
    const to = this.#landed(error.ref) ?? this.#outbox.get(error.ref)?.to;
    if (to === undefined) {
      return false;
    }
    const wait = pause(error);
    if (wait !== null) {
      this.#hold(to, wait, error.reason);
      return true;
    }
    const until = error.retry_after_ms > 0 ? Date.now() + error.retry_after_ms : null;
    this.#outbox.fail(error.ref, words(error), until);
    this.#next(to);
    return true;
  }

  #send(entry) {
    this.#flying.set(entry.ref, entry.to);
    this.#requests.tell(wire(entry));
  }

  #landed(ref) {
    const to = this.#flying.get(ref);
    this.#flying.delete(ref);
    return to;
  }

  // hold sends nothing to a conversation for a while. What comes later would overtake.
  #hold(to, wait, reason) {
    const held = this.#held.get(to) ?? { timer: null, backoff: new Backoff(PAUSES) };
    this.#held.set(to, held);
    if (held.timer !== null) {
      return; // of what was sent together, the first one began it
    }
    this.#requests.withdraw(({ ref }) => this.#flying.get(ref) === to).forEach(({ ref }) => this.#landed(ref));
    held.reason = reason;
    held.timer = this.#world.setTimeout(() => {
      held.timer = null;
      this.#next(to);
      this.#changed();
    }, wait || held.backoff.next());
  }

  // next sends the first of what is held. It is refused again, or else the others follow.
  #next(to) {
    if (this.#held.get(to)?.timer !== null) {
      return;
    }
    const [first] = this.#waiting(to);
    if (first) {
      this.#send(first);
    } else {
      this.#held.delete(to);
    }
  }

  #waiting(to) {
    return this.#outbox.to(to).filter(({ ref, state }) => state === 'sending' && !this.#flying.has(ref));
  }
}

// wire is an entry of the outbox as it is sent. The ref is in the metadata, too, so
// that our own messages are known again where no ack tells of them.
export function wire({ ref, to, content, at }) {
  return {
    type: isRoom(to) ? 'group' : 'message',
    timestamp: at / 1000,
    receiver_id: to,
    content,
    metadata: { ref },
    ref,
  };
}
