// What the tests of the modules share: one assertion, and a world whose time passes
// when a test says so.

export function equal(got, want, what = '') {
  const [a, b] = [show(got), show(want)];
  if (a !== b) {
    throw new Error(`${what}\n got ${a}\nwant ${b}`);
  }
}

function show(value) {
  return JSON.stringify(value, (_, v) => (v instanceof Map ? [...v] : v)) ?? 'undefined';
}

// run runs the tests of a module and returns the failures by name, '' for none.
export async function run(tests) {
  const results = {};
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test();
      results[name] = '';
    } catch (error) {
      results[name] = error.stack;
    }
  }
  return results;
}

// settle lets promises that can be kept be kept.
export function settle() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => resolve();
    port2.postMessage(null);
  });
}

// Storage stands in for localStorage.
export class Storage {
  getItem(key) {
    return this[key] ?? null;
  }
  setItem(key, value) {
    this[key] = value;
  }
  removeItem(key) {
    delete this[key];
  }
}

// World stands in for globalThis: a clock, and sockets whose far end is the test.
export class World {
  now = 0;
  timers = new Map();
  sockets = [];
  performance = { now: () => this.now };
  #next = 1;

  constructor() {
    const { sockets } = this;
    this.WebSocket = class {
      sent = [];
      closed = false;
      constructor(url) {
        this.url = url;
        sockets.push(this);
      }
      send(data) {
        this.sent.push(JSON.parse(data));
      }
      close() {
        this.closed = true;
      }
      open() {
        this.onopen({});
      }
      receive(message) {
        this.onmessage({ data: typeof message === 'string' ? message : JSON.stringify(message) });
      }
      end(code = 1006, reason = '') {
        this.onclose({ code, reason });
      }
    };
    this.setTimeout = (run, delay) => {
      this.timers.set(this.#next, { run, at: this.now + delay });
      return this.#next++;
    };
    this.clearTimeout = (id) => this.timers.delete(id);
  }

  get socket() {
    return this.sockets.at(-1);
  }

  // pass lets milliseconds pass, and runs what is due on the way, in order.
  pass(milliseconds) {
    const end = this.now + milliseconds;
    for (;;) {
      const due = [...this.timers].filter(([, t]) => t.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) {
        break;
      }
      this.timers.delete(due[0]);
      this.now = Math.max(this.now, due[1].at);
      due[1].run();
    }
    this.now = end;
  }
}
