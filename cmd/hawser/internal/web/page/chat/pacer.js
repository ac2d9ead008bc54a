// A queue that sends no faster than the server allows. After a reconnect there is
// much to ask for at once, and being refused for it would cost more than waiting.

// We stay below the allowance: messages sent apart may arrive together.
const RATE_SHARE = 0.9;
const BURST_RESERVE = 2;

export class Pacer {
  #send;
  #world;
  #queue = [];
  #timer = null;
  #rate = 0; // per second; 0: no limit
  #burst = 0;
  #tokens = 0;
  #filled = 0; // when #tokens was right

  // send is called with each item. world holds setTimeout, clearTimeout and
  // performance.
  constructor(send, world = globalThis) {
    this.#send = send;
    this.#world = world;
  }

  // begin forgets what waits, and starts with a full allowance. 0 means no limit.
  begin(perSecond, burst) {
    this.clear();
    this.#rate = (perSecond || 0) * RATE_SHARE;
    this.#burst = Math.max(1, (burst || perSecond || 0) - BURST_RESERVE);
    this.#tokens = this.#burst;
    this.#filled = this.#world.performance.now();
  }

  push(item) {
    this.#queue.push(item);
    this.#drain();
  }

  // withdraw takes back the items that match and were not sent yet, and returns them.
  withdraw(matches) {
    const withdrawn = this.#queue.filter(matches);
    this.#queue = this.#queue.filter((item) => !matches(item));
    return withdrawn;
  }

  clear() {
    this.#queue = [];
    this.#world.clearTimeout(this.#timer);
    this.#timer = null;
  }

  #drain() {
    if (this.#timer !== null) {
      return;
    }
    while (this.#queue.length > 0) {
      const wait = this.#take();
      if (wait > 0) {
        this.#timer = this.#world.setTimeout(() => {
          this.#timer = null;
          this.#drain();
        }, wait);
        return;
      }
      this.#send(this.#queue.shift());
    }
  }

  // take takes one token, or returns the milliseconds until there is one.
  #take() {
    if (this.#rate === 0) {
      return 0;
    }
    const now = this.#world.performance.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#filled) / 1000) * this.#rate);
    this.#filled = now;
    if (this.#tokens >= 1) {
      this.#tokens--;
      return 0;
    }
    return Math.max(1, Math.ceil(((1 - this.#tokens) / this.#rate) * 1000));
  }
}
