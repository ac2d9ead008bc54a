// Delays between attempts to connect. They double from one attempt to the next up
// to a maximum, and each is drawn from the upper half of its range, so that the
// clients of a restarted server do not all come back at once.

export class Backoff {
  #attempt = 0;
  #first;
  #most;
  #random;

  // first and most are milliseconds, random is a function like Math.random.
  constructor({ first = 500, most = 30_000, random = Math.random } = {}) {
    this.#first = first;
    this.#most = most;
    this.#random = random;
  }

  next() {
    const full = Math.min(this.#most, this.#first * 2 ** this.#attempt);
    this.#attempt++;
    return full * (0.5 + this.#random() / 2);
  }

  reset() {
    this.#attempt = 0;
  }
}
