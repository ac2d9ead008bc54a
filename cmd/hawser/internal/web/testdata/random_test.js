// Random people, and a connection that is lost again and again: in the end the client holds
// what the server has, once, and has lost nothing of its own.

import { equal } from './check.js';
import { Table } from './table.js';

// settle lets promises that can be kept be kept, without a turn of the event loop: this is
// done thousands of times, and a busy browser takes its time for each.
async function settle() {
  for (let i = 0; i < 20; i++) {
    await null;
  }
}

const LIMIT = 5; // messages missed of a conversation, beyond which it is to be read anew

// Server is one that keeps two conversations, and speaks to a client whenever the test says.
class Server {
  logs = { lobby: [], u_bob: [] };
  member = false;
  live = false; // whether there is a connection
  wire = []; // what is under way to the client
  #refs = new Map();

  say(to, sender_id, { content, ref, metadata = {} }) {
    const log = this.logs[to];
    if (ref && this.#refs.has(to + ref)) {
      return this.#refs.get(to + ref);
    }
    const seq = log.length + 1;
    const isRoom = to === 'lobby';
    const receiver_id = isRoom || sender_id === 'u_ada' ? to : 'u_ada';
    const message = {
      type: isRoom ? 'group' : 'message', sender_id, receiver_id, content, metadata, seq,
      id: `${to} ${seq}`, epoch: 'e1', server_ts: 1000 * seq, sender_name: sender_id,
    };
    log.push(message);
    this.#refs.set(to + ref, seq);
    this.#later.push({ to, message: { ...message, position: `p${seq}` } });
    return seq;
  }

  #later = []; // said while an operation is answered: the ack comes first

  // spread delivers what was said.
  spread() {
    for (const { to, message } of this.#later.splice(0)) {
      if (this.live && (to !== 'lobby' || this.member)) {
        this.wire.push(message);
      }
    }
  }

  // admit answers what a client holds.
  admit({ positions }, resumed) {
    this.live = true;
    this.member &&= resumed;
    for (const [id, position] of Object.entries(positions)) {
      const missed = this.logs[id].slice(Number(position.slice(1)));
      if (id === 'lobby' && !this.member) {
        this.#resume('gone', id);
      } else if (missed.length > LIMIT) {
        this.#resume('reload', id, this.#place(id));
      } else {
        for (let i = 0; i < missed.length; i += 2) {
          const messages = missed.slice(i, i + 2).map((m) => ({ ...m, position: `p${m.seq}` }));
          this.#resume('missed', id, { messages, has_more: i + 2 < missed.length });
        }
      }
    }
    for (const id of Object.keys(this.logs).filter((id) => !positions[id] && (id !== 'lobby' || this.member))) {
      this.#resume('new', id, this.#place(id));
    }
    this.#resume('done');
  }

  #resume(status, receiver_id, more) {
    this.wire.push({ type: 'resume', status, receiver_id, server_ts: 1, ...more });
  }

  #place(id) {
    const seq = this.logs[id].length;
    return { epoch: 'e1', seq, position: `p${seq}` };
  }

  answer(question) {
    const { type, receiver_id, ref } = question;
    const reply = (more) => this.wire.push({ receiver_id, epoch: 'e1', server_ts: 1, ref, ...more });
    switch (type) {
      case 'join':
        this.member = true;
        reply({ type: 'ack', op: 'join', ...this.#place(receiver_id) });
        break;
      case 'group':
      case 'message':
        this.member ||= type === 'group';
        reply({ type: 'ack', op: type, seq: this.say(receiver_id, 'u_ada', question) });
        break;
      case 'history':
        reply({ type, ...page(this.logs[receiver_id], question) });
        break;
      default:
        reply({ type, peers: [], rooms: [], users: [], has_more: false });
    }
    this.spread();
  }
}

function page(log, { before_seq = Infinity, after_seq, limit }) {
  const range = log.filter(({ seq }) => seq < before_seq && seq > (after_seq ?? 0));
  const messages = after_seq === undefined ? range.slice(-limit) : range.slice(0, limit);
  return { messages, has_more: messages.length < range.length };
}

// play plays one game of random steps, and then lets everything arrive.
async function play(random) {
  const t = new Table();
  const server = new Server();
  const written = { lobby: [], u_bob: [] };
  const ids = Object.keys(server.logs);
  const any = () => ids[random(ids.length)];
  const connect = () => {
    t.resumed = random(4) > 0;
    t.open();
    server.admit(t.claimed, t.resumed);
  };
  const lose = () => {
    server.live = false;
    server.wire = [];
    t.sent = [];
    t.world.pass(2000 * random(2));
    t.lose();
  };
  const work = () => t.sent.length > 0 && server.answer(t.sent.shift());
  const arrive = async () => {
    if (server.wire.length > 0) {
      t.onmessage(server.wire.shift());
      await settle();
    }
  };
  const steps = [
    arrive, arrive, arrive, work, work, work,
    () => {
      server.say(any(), 'u_bob', { content: `Bob ${random(1e9)}` });
      server.spread();
    },
    () => {
      const id = any();
      written[id].push(`Ada ${written[id].length}`);
      t.client.send(t.client.conversations.open(id), written[id].at(-1));
    },
    () => random(3) === 0 && t.client.conversations.get('u_bob') && t.client.select(t.client.conversations.open(any())),
    () => (server.live ? random(4) === 0 && lose() : connect()),
  ];
  t.client.enter('lobby');
  for (let step = 0; step < 150; step++) {
    await steps[random(steps.length)]();
  }
  if (!server.live) {
    connect();
  }
  for (const id of [...ids, ...ids]) {
    while (t.sent.length > 0 || server.wire.length > 0) {
      work();
      await arrive();
    }
    t.client.select(t.client.conversations.open(id));
  }
  for (const id of ids) {
    const { messages, first, complete, behind } = t.client.conversations.get(id);
    const log = server.logs[id];
    const whole = complete ? log : log.slice(first - 1);
    equal([messages.map((m) => m.content), behind], [whole.map((m) => m.content), false], id);
    equal(t.client.pending({ id }), []);
    equal(log.filter((m) => m.sender_id === 'u_ada').map((m) => m.content), written[id], 'of its own');
  }
}

export default {
  async 'whatever is lost on the way, everything is there once'() {
    const seed = Math.floor(Math.random() * 2 ** 31);
    let state = seed;
    const random = (n) => (state = (state * 48271 + 11) % 2147483647) % n;
    for (let round = 0; round < 300; round++) {
      try {
        await play(random);
      } catch (error) {
        throw new Error(`seed ${seed}, round ${round}: ${error.stack}`);
      }
    }
  },
};
