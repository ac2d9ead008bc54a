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

  constructor(storage = new Storage()) {
    this.client = new Client({ me, connection: this, memory: new Memory(() => storage), world: this.world });
  }

  send(message) {
    this.sent.push(message);
    return true;
  }

  connect(limits = {}) {
    this.sent = [];
    this.state = 'online';
    this.onstate();
    this.onready({ epoch: this.epoch, limits: { content_code_points: 500, messages_per_second: 0, ...limits } });
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
    this.sent = [];
    return this.client.current;
  }

  deliver(...messages) {
    messages.forEach((message) => this.onmessage(message));
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

export const stored = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => group(from + i));
export const contents = (conversation) => conversation.messages.map((m) => m.content);
