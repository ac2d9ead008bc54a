// What is read aloud to people who do not see the messages. A screen reader reads what
// is put into a live region to its end, so in a busy room it would never catch up:
// beyond a few messages only their number is said.

const AT_ONCE = 5; // messages that may be read one after the other
const PAUSE = 3000; // milliseconds after which one more may be
const HELD = 10; // messages that stay in the region

export class Announcer {
  #region;
  #world;
  #allowance = AT_ONCE;
  #filled; // when #allowance was right
  #counted = 0; // messages whose number is to be said
  #timer = null;

  // region is a live region; world holds setTimeout, clearTimeout and performance.
  constructor(region, world = globalThis) {
    this.#region = region;
    this.#world = world;
    this.#filled = world.performance.now();
  }

  // announce takes new messages as text.
  announce(texts) {
    for (const text of texts) {
      if (this.#counted === 0 && this.#take()) {
        this.#read(text);
      } else {
        this.#counted++;
      }
    }
    if (this.#counted > 0) {
      this.#timer ??= this.#world.setTimeout(() => this.#summarise(), PAUSE);
    }
  }

  // clear forgets everything, as when another conversation is shown.
  clear() {
    this.#world.clearTimeout(this.#timer);
    this.#timer = null;
    this.#counted = 0;
    this.#region.replaceChildren();
  }

  #summarise() {
    const n = this.#counted;
    this.#timer = null;
    this.#counted = 0;
    this.#read(n === 1 ? '1 more message' : `${n} more messages`);
  }

  #read(text) {
    const line = this.#region.ownerDocument.createElement('p');
    line.textContent = text;
    this.#region.append(line);
    while (this.#region.children.length > HELD) {
      this.#region.firstElementChild.remove();
    }
  }

  #take() {
    const now = this.#world.performance.now();
    this.#allowance = Math.min(AT_ONCE, this.#allowance + (now - this.#filled) / PAUSE);
    this.#filled = now;
    if (this.#allowance < 1) {
      return false;
    }
    this.#allowance--;
    return true;
  }
}
