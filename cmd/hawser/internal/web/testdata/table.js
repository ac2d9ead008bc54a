// A client, and the server's end of its connection, which the test plays by hand.

import { Client } from '/chat/client.js';
import { Memory } from '/chat/memory.js';
import { settle, Storage, World } from './check.js';

const me = { user_id: 'u_ada', name: 'Ada' };

// Table is the server's end of a connection, and the client at ours.
export class Table {
  world = new World();
  sent = [];
  state = 'waiting';
  reason = '';
  epoch = 'e1';
  resumed = true; // whether the session goes on
  members = new Map(); // rooms that the client's user is in → their last seq
  claimed = null; // what the client said that it holds when it connected last

  constructor(storage = new Storage()) {
    this.client = new Client({ me, connection: this, memory: new Memory(() => storage), world: this.world });
  }

  send(message) {
    this.sent.push(message);
    return true;
  }

  // connect lets the client in, and answers what it holds: rooms that it does not name are
  // new, and answers are further ones.
  connect(limits = {}, ...answers) {
    this.open(limits);
    for (const [receiver_id, seq] of this.members) {
      if (!this.claimed.positions[receiver_id] && !answers.some((a) => a.receiver_id === receiver_id)) {
        this.resume('new', receiver_id, { seq });
      }
    }
    answers.forEach((answer) => this.resume(answer.status, answer.receiver_id, answer));
    this.resume('done');
  }

  // open lets it in, and leaves the rest to the test.
  open(limits = {}) {
    this.sent = [];
    this.claimed = JSON.parse(JSON.stringify(this.held()));
    this.state = 'online';
    this.onstate();
    this.onready({
      epoch: this.epoch, resumed: this.resumed, ref_lifetime: 86_400,
      limits: { content_code_points: 500, messages_per_second: 0, ...limits },
    });
  }

  // resume is one answer to what the client holds.
  resume(status, receiver_id, more = {}) {
    const place = more.seq === undefined ? {} : { epoch: this.epoch, position: `p${more.seq}` };
    this.onmessage({ type: 'resume', status, receiver_id, server_ts: 1e6, ...place, ...more });
  }

  lose() {
    this.state = 'waiting';
    this.onstate();
  }

  // take removes and returns the first message sent of a type.
  take(type) {
    const at = this.sent.findIndex((m) => m.type === type);
    if (at < 0) {
      throw new Error(`no ${type} among ${JSON.stringify(this.sent)}`);
    }
    return this.sent.splice(at, 1)[0];
  }

  async answer(type, answer) {
    const question = this.take(type);
    const { epoch } = this;
    if (type === 'join' && answer.op === 'join') {
      this.members.set(question.receiver_id, answer.seq);
      answer.position ??= `p${answer.seq}`;
    }
    this.onmessage({ type, epoch, receiver_id: question.receiver_id, ...answer, ref: question.ref });
    await settle();
    return question;
  }

  // enter puts the client into a room with as many messages.
  async enter(n) {
    this.client.enter('lobby');
    this.connect();
    await this.answer('join', { type: 'ack', op: 'join', seq: n });
    await this.answer('history', { messages: stored(1, n), has_more: false });
    await this.answer('presence', { users: [], has_more: false });
    this.world.pass(2000);
    this.sent = [];
    return this.client.current;
  }

  deliver(...messages) {
    messages.forEach((message) => this.onmessage({ position: `p${message.seq}`, ...message }));
  }

  // refuse answers a message of ours with an error.
  refuse({ ref }, reason, more = {}) {
    this.onmessage({ type: 'error', code: 503, reason, message: `said: ${reason}`, ref, ...more });
  }

  ack({ ref, receiver_id, type }, seq) {
    this.onmessage({ type: 'ack', op: type, receiver_id, ref, seq, id: `i${seq}`, epoch: this.epoch, server_ts: seq });
  }
}

export function group(seq, more = {}) {
  return {
    type: 'group', receiver_id: 'lobby', sender_id: 'u_bob', sender_name: 'Bob', content: `m${seq}`,
    metadata: {}, id: `i${seq}`, seq, epoch: 'e1', server_ts: seq, ...more,
  };
}

// missed is an answer with what was missed in a conversation.
export const missed = (receiver_id, ...messages) => ({
  status: 'missed', receiver_id, has_more: false, messages: messages.map((m) => ({ position: `p${m.seq}`, ...m })),
});

export const stored = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => group(from + i));
export const contents = (conversation) => conversation.messages.map((m) => m.content);
