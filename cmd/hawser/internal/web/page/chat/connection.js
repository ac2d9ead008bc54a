// One lasting connection made of many short ones: it opens the WebSocket, says who
// we are, notices when the line is dead and comes back by itself. What is said over
// it is none of its business.

import { Backoff } from './backoff.js';
import { explain } from './refusal.js';

// Milliseconds to wait for the answer to auth or to a heartbeat. A browser shows
// no pings, and without this a dead line could stay unnoticed for minutes.
const ANSWER_TIMEOUT = 10_000;

// Milliseconds without an answer after which silence is worth telling: to a heartbeat,
// or to the opening of a connection.
const DOUBT_AFTER = 2500;
const OPENING_DOUBT_AFTER = 4500;

// Milliseconds after which a message without an answer is followed by a heartbeat,
// which the server answers ahead of everything else.
const ASK_AFTER = 2000;

// Milliseconds after which a connection counts as good again. A server that accepts
// and then fails must not be called without pause.
const STABLE_AFTER = 10_000;

// While the page can be seen, heartbeats are frequent: what is wrong is then said within
// DOUBT_AFTER and one of them. One in the background sends as few as the server asks for.
const WATCHED_HEARTBEAT = 2000;

const DEFAULT_HEARTBEAT = 30;

const SIGNED_OUT = new Set(['token_refused', 'token_expired']);

// After these the server takes one back with another session at best.
const ENDED = new Set(['session_ended', 'session_refused', 'user_deleted', 'banned']);

export class Connection {
  // state is 'connecting', 'online', 'waiting' (until the next attempt) or
  // 'stopped' (until retry or later is called). reason says why: what the server said,
  // or what explain found out; words are the server's own.
  state = 'stopped';
  reason = '';
  words = '';

  // silent says that an answer is overdue, though the connection is not given up yet.
  silent = false;

  // Goes with every auth from now on.
  token;

  // Set by the owner. held returns what auth says that this client holds; onready is given
  // the server's auth_ok, onmessage everything that follows it except for answers to
  // heartbeats.
  held = () => ({});
  onstate = () => {};
  onready = () => {};
  onmessage = () => {};

  #url;
  #features;
  #session;
  #device;
  #backoff;
  #world;
  #socket = null;
  #opened = false;
  #used = ''; // the token that the connection depends on
  #began = ''; // the token with which the session began
  #refusal = '';
  #interval = 0;
  #watched = false;
  #unanswered = new Set(); // refs
  #timers = new Map();

  // session is a Session, device what this device is called. world holds WebSocket, fetch,
  // setTimeout, clearTimeout and performance.
  constructor({ url, token, features, session, device, backoff = new Backoff(), world = globalThis }) {
    this.#url = url;
    this.token = token;
    this.#features = features;
    this.#session = session;
    this.#device = device;
    this.#backoff = backoff;
    this.#world = world;
  }

  // retry connects at once, unless a connection stands or is being made.
  retry() {
    if (this.state === 'waiting' || this.state === 'stopped') {
      this.#open();
    }
  }

  // later connects after a while, at least so many milliseconds. A connection that
  // stands is given up.
  later(least = 0, reason = this.reason) {
    this.#abandon();
    this.#after('retry', Math.max(least, this.#backoff.next()), () => this.#open());
    this.#become('waiting', reason);
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

  // watch is told whether the page can be seen.
  watch(seen) {
    const was = this.#watched;
    this.#watched = seen;
    if (seen && !was && this.#timers.has('beat')) {
      this.#beat(); // the last one may be long ago
    }
  }

  // send reports whether the message could be handed to a connection. That it
  // arrives is another matter.
  send(message) {
    if (this.state !== 'online') {
      return false;
    }
    this.#write(message);
    if (message.ref !== undefined) {
      this.#unanswered.add(message.ref);
      this.#expect();
    }
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
    this.#opened = false;
    this.#become('connecting', this.reason, this.words);
    const socket = new this.#world.WebSocket(this.#url);
    this.#socket = socket;
    // A socket that was given up may still have something to say.
    const current = (handle) => (event) => this.#socket === socket && handle(event);
    socket.onopen = current(() => {
      this.#opened = true;
      this.#used = this.token;
      this.#write({
        type: 'auth', token: this.token, ...this.#session.proof,
        features: this.#features, device: this.#device, resume: this.held(),
      });
    });
    socket.onmessage = current((event) => this.#receive(event.data));
    socket.onclose = current((event) => this.#lost(event.code, event.reason));
    this.#await(OPENING_DOUBT_AFTER);
  }

  // await gives the connection up if no answer comes, and says so before that.
  #await(doubtAfter) {
    this.#after('answer', ANSWER_TIMEOUT, () => this.#lost(0, 'silent'));
    this.#after('doubt', doubtAfter, () => this.#doubt(true));
  }

  #answered() {
    this.#cancel('answer');
    this.#cancel('doubt');
    this.#doubt(false);
  }

  #doubt(silent) {
    if (this.silent !== silent) {
      this.silent = silent;
      this.onstate();
    }
  }

  #receive(data) {
    const message = parse(data);
    if (!message) {
      return;
    }
    switch (message.type) {
      case 'heartbeat':
        this.#answered();
        this.#schedule();
        this.#expect();
        return;
      case 'auth_ok':
        this.#session.took(message);
        // A session that goes on ends with the token that it began with.
        this.#began = message.resumed ? this.#began : this.#used;
        this.#used = this.#began;
        this.#interval = 1000 * (message.heartbeat_interval > 0 ? message.heartbeat_interval : DEFAULT_HEARTBEAT);
        this.#answered();
        this.#schedule();
        this.#after('stable', STABLE_AFTER, () => this.#backoff.reset());
        this.#become('online', '');
        this.onready(message);
        return;
    }
    if (this.#unanswered.delete(message.ref)) {
      this.#cancel('quiet');
      this.#expect();
    }
    const isLast = message.type === 'error' && (SIGNED_OUT.has(message.reason) || ENDED.has(message.reason));
    if (this.state === 'online' && !isLast) {
      this.onmessage(message);
    } else if (message.type === 'error') {
      this.#refusal = message.reason; // a close with 1008 follows, or gets lost
    }
  }

  // expect asks the server for a sign of life unless what was said is answered soon.
  #expect() {
    if (this.#unanswered.size > 0 && !this.#timers.has('quiet') && !this.#timers.has('answer')) {
      this.#after('quiet', ASK_AFTER, () => this.probe());
    }
  }

  #schedule() {
    const interval = this.#watched ? Math.min(WATCHED_HEARTBEAT, this.#interval) : this.#interval;
    this.#after('beat', interval, () => this.#beat());
  }

  #beat() {
    this.#cancel('beat');
    this.#cancel('quiet');
    this.#write({ type: 'heartbeat', timestamp: Date.now() / 1000 });
    this.#await(DOUBT_AFTER);
  }

  #lost(code, closeReason) {
    const reason = closeReason || this.#refusal;
    const opened = this.#opened;
    const newToken = this.token !== this.#used;
    this.#abandon();
    // A policy was violated: the same behaviour would violate it again. Only the
    // time for auth may have run out without a fault of ours, and the token's may be
    // over while there is a newer one.
    const signedOut = SIGNED_OUT.has(reason);
    const ended = ENDED.has(reason);
    if (ended) {
      this.#session.forget();
    }
    if ((signedOut || ended || (code === 1008 && reason !== 'auth_timeout')) && !(signedOut && newToken)) {
      this.#become('stopped', reason || 'policy');
      return;
    }
    this.later(0, reason);
    if (!opened) {
      this.#explain();
    }
  }

  // explain finds out why it was not let in, and stays away for as long as the server
  // asks for.
  async #explain() {
    const since = this.#now();
    const attempt = this.#timers.get('retry');
    const { reason, words, wait } = await explain(this.#url, this.#world);
    if (this.state === 'waiting' && this.#timers.get('retry') === attempt) {
      const left = 1000 * wait - (this.#now() - since);
      if (left > 0) {
        this.later(left * (1 + Math.random() / 4), reason); // not all at once
      }
      this.#become('waiting', reason, words);
    } else if (this.state === 'connecting') {
      this.#become('connecting', reason, words);
    }
  }

  #abandon() {
    for (const name of [...this.#timers.keys()]) {
      this.#cancel(name);
    }
    this.#unanswered.clear();
    this.silent = false;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #write(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #become(state, reason, words = '') {
    this.state = state;
    this.reason = reason;
    this.words = words;
    this.onstate();
  }

  #now() {
    return this.#world.performance.now();
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
