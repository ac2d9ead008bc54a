// Who one is, and what is kept of that, in several tabs of one browser.

import { Client } from '/chat/client.js';
import { Identity } from '/chat/identity.js';
import { Memory } from '/chat/memory.js';
import { Outbox, unsent } from '/chat/outbox.js';
import { Tabs } from '/chat/tabs.js';
import { equal, settle, Storage } from './check.js';

// Locks stands in for navigator.locks. A tab's end is its locks' end.
class Locks {
  #queues = new Map(); // name → [{ tab, run, resolve, reject }], the first of which holds it

  of(tab) {
    return {
      request: (name, run) => new Promise((resolve, reject) => {
        const queue = this.#queues.get(name) ?? [];
        this.#queues.set(name, queue);
        queue.push({ tab, run, resolve, reject });
        if (queue.length === 1) {
          this.#grant(name);
        }
      }),
    };
  }

  end(tab) {
    for (const [name, queue] of this.#queues) {
      const held = queue[0]?.tab === tab;
      this.#queues.set(name, queue.filter((e) => e.tab !== tab));
      if (held) {
        this.#grant(name);
      }
    }
  }

  async #grant(name) {
    const entry = this.#queues.get(name)?.[0];
    if (entry) {
      await Promise.resolve(entry.run()).then(entry.resolve, entry.reject);
      if (this.#queues.get(name)[0] === entry) {
        this.#queues.get(name).shift();
        this.#grant(name);
      }
    }
  }
}

// Browser is one browser with tabs that share its memory.
class Browser {
  storage = new Storage();
  locks = new Locks();
  asked = []; // what was posted to api/guest
  answer = () => ({ status: 200, body: {} }); // given what was posted
  #next = 1;

  constructor({ locks = true } = {}) {
    this.hasLocks = locks;
  }

  tab() {
    const key = {};
    const tabs = new Tabs(this.hasLocks ? this.locks.of(key) : undefined);
    return { key, tabs, memory: new Memory(() => this.storage) };
  }

  identity() {
    const { tabs, memory, key } = this.tab();
    return Object.assign(new Identity(memory, tabs, { fetch: (url, options) => this.fetch(url, options) }), { key });
  }

  async fetch(url, { body }) {
    const fields = JSON.parse(body);
    this.asked.push(fields);
    const { status, body: answer, failed, headers = {} } = await this.answer(fields);
    if (failed) {
      throw new TypeError('failed to fetch');
    }
    return { ok: status < 300, status, headers: new Headers(headers), json: async () => answer };
  }

  // serve answers as a server does: each name makes a user.
  serve() {
    this.answer = async ({ name, token }) => {
      const n = this.#next++;
      await settle();
      return { status: 200, body: { token: `t${n}`, user_id: token ? 'u_1' : `u_${n}`, name: name ?? 'Ada', expires: 1e10 } };
    };
    return this;
  }
}

const problem = (promise) => promise.then(() => null, (error) => [error.message, error.refused]);
const who = ({ current }) => [current?.user_id, current?.name, current?.token];

export default {
  async 'a user is made once, whichever tab asks, and known after the tab is closed'() {
    for (const locks of [true, false]) {
      const browser = new Browser({ locks }).serve();
      const [one, other] = [browser.identity(), browser.identity()];
      await Promise.all([one.create('Ada'), other.create('Eve')]);
      equal(who(one), who(other), `with locks: ${locks}`);
      equal(who(browser.identity()), who(one));
      equal(browser.asked.length, locks ? 1 : 2);
    }
  },

  async 'another name is the same user, in every tab'() {
    const browser = new Browser().serve();
    const one = browser.identity();
    await one.create('Ada');
    const other = browser.identity();
    await one.rename('Grace');
    equal(browser.asked[1], { name: 'Grace', token: 't1' });
    equal(who(one), ['u_1', 'Grace', 't2']);
    other.stored('identity', JSON.parse(browser.storage.getItem('hawser.identity')));
    equal(who(other), who(one));
  },

  async 'a token is renewed once, and when half of its time is over'() {
    const browser = new Browser().serve();
    const one = browser.identity();
    await one.create('Ada');
    const other = browser.identity();
    const { since, expires } = one.current;
    await one.renewIfDue((since + expires) / 2);
    equal(browser.asked.length, 1);
    await Promise.all([one.renewIfDue((since + expires) / 2 + 1), other.renewIfDue((since + expires) / 2 + 1)]);
    equal([browser.asked.length, browser.asked[1], who(one), who(other)], [2, { token: 't1' }, ['u_1', 'Ada', 't2'], ['u_1', 'Ada', 't2']]);
    await one.renewIfDue(since - 1000); // the clock was set back
    equal(browser.asked.length, 3);
  },

  async 'what passes costs nobody the identity, and what does not is told apart'() {
    const browser = new Browser().serve();
    const one = browser.identity();
    await one.create('Ada');
    const before = { ...browser.storage };
    for (const [answer, message, refused] of [
      [{ failed: true }, 'The server cannot be reached. Is it running?', false],
      [{ status: 503, body: { reason: 'store_unavailable', message: 'not now' } }, 'Not now.', false],
      [{ status: 429, body: { message: 'too many' }, headers: { 'Retry-After': '30' } }, 'Too many. Try again in 30 seconds.', false],
      [{ status: 500, body: { message: 5 } }, 'The server answered with HTTP status 500.', false],
      [{ status: 502, body: null }, 'The server answered with HTTP status 502.', false],
      [{ status: 401, body: null }, 'The server answered with HTTP status 401.', false], // a proxy's
      [{ status: 404, body: null }, 'This server takes no guests.', false],
      [{ status: 401, body: { reason: 'token_refused', message: 'not valid' } }, 'Not valid.', true],
      [{ status: 401, body: { reason: 'token_expired', message: 'too late' } }, 'Too late.', true],
    ]) {
      browser.answer = () => answer;
      equal(await problem(one.renew()), [message, refused]);
      equal({ ...browser.storage }, before, message);
    }
  },

  async 'somebody new forgets everything of before, but only once there is somebody new'() {
    const browser = new Browser().serve();
    const one = browser.identity();
    await one.create('Ada');
    browser.storage.setItem('hawser.outbox.r', '{}');
    browser.storage.setItem('others', '1');
    const { answer } = browser;
    browser.answer = () => ({ status: 503, body: {} });
    await problem(one.create('Eve'));
    equal(['hawser.outbox.r' in browser.storage, who(one)], [true, ['u_1', 'Ada', 't1']]);
    browser.answer = answer;
    await one.create('Eve');
    equal([Object.keys(browser.storage).sort(), who(one)], [['hawser.identity', 'others'], ['u_2', 'Eve', 't2']]);
    one.forget();
    equal([Object.keys(browser.storage), one.current], [['others'], null]);
  },

  async 'without a storage the page works, and says that it keeps nothing'() {
    const forbidden = () => {
      throw new Error('SecurityError');
    };
    const full = () => Object.assign(new Storage(), { setItem: forbidden });
    for (const storage of [forbidden, full, () => null]) {
      const memory = new Memory(storage);
      memory.save('a.1', { x: 1 });
      equal([memory.lasting, memory.load('a.1'), memory.keys('a.')], [false, { x: 1 }, ['a.1']]);
      memory.clear();
      equal(memory.load('a.1'), null);
    }
    equal(new Memory(() => new Storage()).lasting, true);
  },

  async 'what a tab has not sent is sent by another, once, in order, when it is gone'() {
    const browser = new Browser();
    const [one, two, three] = [browser.tab(), browser.tab(), browser.tab()];
    const [a, b, c] = [one, two, three].map(({ memory, tabs }) => new Outbox(memory, tabs));
    const adopted = [];
    for (const [name, outbox] of [['b', b], ['c', c]]) {
      outbox.onadopt = (entries) => adopted.push(...entries.map((e) => name + e.content));
    }
    for (const content of ['1', '2', '3']) {
      const { ref } = a.add('lobby', content);
      const key = `outbox.${ref}`;
      [b, c].forEach((o) => o.stored(key, JSON.parse(browser.storage.getItem(`hawser.${key}`))));
    }
    await settle();
    equal([b.size, c.size, unsent(two.memory)], [0, 0, 3], 'while the tab is there');
    browser.locks.end(one.key);
    await settle();
    await settle();
    equal([adopted, b.sending().map((e) => e.content), c.size], [['b1', 'b2', 'b3'], ['1', '2', '3'], 0]);
    browser.locks.end(two.key); // without having sent them
    const later = browser.tab();
    const d = new Outbox(later.memory, later.tabs); // the page is opened again
    browser.locks.end(three.key);
    await settle();
    await settle();
    equal(d.sending().map((e) => e.content), ['1', '2', '3']);
    d.sending().forEach((e) => d.remove(e.ref));
    equal(unsent(later.memory), 0);
  },

  async 'a tab that is reloaded takes over its own'() {
    for (const locks of [true, false]) {
      const browser = new Browser({ locks });
      const before = browser.tab();
      const { ref } = new Outbox(before.memory, before.tabs).add('lobby', 'x');
      browser.locks.end(before.key);
      const after = browser.tab();
      const outbox = new Outbox(after.memory, after.tabs);
      await settle();
      equal(outbox.sending().map((e) => [e.ref, e.content]), [[ref, 'x']], `with locks: ${locks}`);
    }
  },

  async 'what another tab has sent is not sent again'() {
    const browser = new Browser({ locks: false });
    const [one, two] = [browser.tab(), browser.tab()];
    const a = new Outbox(one.memory, one.tabs);
    const { ref } = a.add('lobby', 'x');
    const b = new Outbox(two.memory, two.tabs); // cannot know that the first is still there
    equal(b.size, 1);
    a.remove(ref);
    b.stored(`outbox.${ref}`, null);
    equal([b.size, unsent(two.memory)], [0, 0]);
  },

  async 'what is older than the server remembers is left to the user'() {
    const { memory, tabs } = new Browser().tab();
    const outbox = new Outbox(memory, tabs);
    const [old, young] = [outbox.add('lobby', 'old'), outbox.add('lobby', 'young')];
    old.at -= 58 * 60_000;
    equal(outbox.sending(), [old, young], 'which is a day, unless it says otherwise');
    outbox.lifetime = 3600; // seconds
    equal(outbox.sending(), [young]);
    equal([old.state, old.error], ['failed', 'It was written so long ago that the server cannot tell whether it has arrived. Send it again?']);
  },

  async 'rooms, what was read, and drafts are shared by the tabs'() {
    const browser = new Browser();
    const client = () => {
      const { memory, tabs } = browser.tab();
      const connection = { state: 'waiting', reason: '', words: '', silent: false, send: () => true };
      return new Client({ me: { user_id: 'u_ada', name: 'Ada' }, connection, memory, tab: new Memory(() => new Storage()), tabs });
    };
    const stored = (to, key) => to.stored(key, JSON.parse(browser.storage.getItem(`hawser.${key}`)));
    const [one, other] = [client(), client()];
    one.enter('lobby');
    other.enter('quay');
    stored(other, 'talk.lobby');
    equal([...other.conversations].map((c) => [c.id, c.joining]), [['quay', true], ['lobby', true]]);
    equal(other.current.id, 'quay', 'what is shown is the tab\'s own');
    Object.assign(one.current, { readTo: 3, head: 5 });
    one.markRead(one.current);
    stored(other, 'talk.lobby');
    equal(other.conversations.get('lobby').readTo, 5);

    one.saveDraft(one.current, 'half a sen');
    equal(client().draft({ id: 'lobby' }), 'half a sen');
    one.send(one.current, 'half a sentence');
    equal(client().draft({ id: 'lobby' }), '');

    equal(await one.leave(one.current), false, 'with something unsent');
    equal(one.notice.startsWith('A message to #lobby could not be sent yet.'), true);
    one.discard(one.pending(one.current)[0].ref);
    equal(await one.leave(one.current), true, 'where one has not been yet');
    stored(other, 'talk.lobby');
    equal(other.conversations.get('lobby'), undefined);
    equal([...client().conversations].map((c) => c.id), ['quay']);
  },
};
