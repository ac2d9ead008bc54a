// One lasting connection made of many short ones: it opens the WebSocket, says who
// we are, notices when the line is dead and comes back by itself. What is said over
// it is none of its business.

import { Backoff } from './backoff.js';

// Milliseconds to wait for the answer to auth or to a heartbeat. A browser shows
// no pings, and without this a dead line could stay unnoticed for minutes.
const ANSWER_TIMEOUT = 10_000;

// Milliseconds after which a connection counts as good again. A server that accepts
// and then fails must not be called without pause.
const STABLE_AFTER = 10_000;

const DEFAULT_HEARTBEAT = 30;

const SIGNED_OUT = new Set(['token_refused', 'token_expired']);

export class Connection {
  // state is 'connecting', 'online', 'waiting' (until the next attempt) or
  // 'stopped' (until retry is called). reason says why, if the server did.
  state = 'stopped';
  reason = '';

  // Set by the owner. onready is given the server's auth_ok, onmessage everything
  // that follows it except for answers to heartbeats.
  onstate = () => {};
  onready = () => {};
  onmessage = () => {};

  #url;
  #auth;
  #backoff;
  #world;
  #socket = null;
  #refusal = '';
  #interval = 0;
  #timers = new Map();

  // world holds WebSocket, setTimeout and clearTimeout.
  constructor({ url, token, features, backoff = new Backoff(), world = globalThis }) {
    this.#url = url;
    this.#auth = { type: 'auth', token, features };
    this.#backoff = backoff;
    this.#world = world;
  }

  // retry connects at once, unless a connection stands or is being made.
  retry() {
    if (this.state === 'waiting' || this.state === 'stopped') {
      this.#open();
    }
  }

  // probe finds out at once whether the line is alive, after the device slept or
  // changed its network.
  probe() {
    if (this.state === 'waiting') {
      this.#open();
    } else if (this.state === 'online' && !this.#timers.has('answer')) {
      this.#beat();
    }
  }

  // send reports whether the message could be handed to a connection. That it
  // arrives is another matter.
  send(message) {
    if (this.state !== 'online') {
      return false;
    }
    this.#write(message);
    return true;
  }

  // stop ends the connection for good.
  stop() {
    this.#abandon();
    this.#become('stopped', '');
  }

  #open() {
    this.#abandon();
    this.#refusal = '';
    this.#become('connecting', '');
    const socket = new this.#world.WebSocket(this.#url);
    this.#socket = socket;
    // A socket that was given up may still have something to say.
    const current = (handle) => (event) => this.#socket === socket && handle(event);
    socket.onopen = current(() => this.#write(this.#auth));
    socket.onmessage = current((event) => this.#receive(event.data));
    socket.onclose = current((event) => this.#lost(event.code, event.reason));
    this.#after('answer', ANSWER_TIMEOUT, () => this.#lost(0, ''));
  }

  #receive(data) {
    const message = parse(data);
    if (!message) {
      return;
    }
    switch (message.type) {
      case 'heartbeat':
        this.#cancel('answer');
        this.#after('beat', this.#interval, () => this.#beat());
        return;
      case 'auth_ok':
        this.#cancel('answer');
        this.#interval = 1000 * (message.heartbeat_interval > 0 ? message.heartbeat_interval : DEFAULT_HEARTBEAT);
        this.#after('beat', this.#interval, () => this.#beat());
        this.#after('stable', STABLE_AFTER, () => this.#backoff.reset());
        this.#become('online', '');
        this.onready(message);
        return;
    }
    if (this.state === 'online') {
      this.onmessage(message);
    } else if (message.type === 'error') {
      this.#refusal = message.reason; // a close with 1008 follows, or gets lost
    }
  }

  #beat() {
    this.#cancel('beat');
    this.#write({ type: 'heartbeat', timestamp: Date.now() / 1000 });
    this.#after('answer', ANSWER_TIMEOUT, () => this.#lost(0, ''));
  }

  #lost(code, closeReason) {
    const reason = closeReason || this.#refusal;
    this.#abandon();
    // A policy was violated: the same behaviour would violate it again. Only the
    // time for auth may have run out without a fault of ours.
    if (SIGNED_OUT.has(reason) || (code === 1008 && reason !== 'auth_timeout')) {
      this.#become('stopped', reason || 'policy');
      return;
    }
    this.#after('retry', this.#backoff.next(), () => this.#open());
    this.#become('waiting', reason);
  }

  #abandon() {
    for (const name of [...this.#timers.keys()]) {
      this.#cancel(name);
    }
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #write(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #become(state, reason) {
    this.state = state;
    this.reason = reason;
    this.onstate();
  }

  #after(name, milliseconds, run) {
    this.#cancel(name);
    const expire = () => {
      this.#timers.delete(name);
      run();
    };
    this.#timers.set(name, this.#world.setTimeout(expire, milliseconds));
  }

  #cancel(name) {
    this.#world.clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}

function parse(data) {
  try {
    const message = JSON.parse(data);
    return message !== null && typeof message === 'object' ? message : null;
  } catch {
    return null;
  }
}
