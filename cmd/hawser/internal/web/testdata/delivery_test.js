// How messages get to the server, and what is refused on the way.

import { inWords, pause } from '/chat/refused.js';
import { rowsOf } from '/view/rows.js';
import { equal, settle } from './check.js';
import { contents, Table } from './table.js';

const states = (t) => t.client.pending(t.client.current).map((e) => [e.content, e.state, e.waiting ?? '']);

export default {
  async 'a refused message shows why, and can be sent again or dropped'() {
    const t = new Table();
    const room = await t.enter(0);
    t.client.send(room, 'x');
    const { ref } = t.take('group');
    t.refuse({ ref }, 'content_too_long', { code: 400, message: 'too long' });
    equal(t.client.pending(room).map((e) => [e.state, e.error]), [['failed', 'Too long.']]);
    t.client.retry(ref);
    equal([t.take('group').ref, t.client.pending(room)[0].state], [ref, 'sending']);
    t.onmessage({ type: 'error', code: 400, reason: 'content_too_long', message: 'too long', ref });
    t.lose();
    t.connect();
    equal(t.sent.filter((m) => m.type === 'group'), [], 'a failed one is not sent again by itself');
    t.client.discard(ref);
    equal(t.client.pending(room), []);
  },

  async 'a message that comes too fast is sent again when there is room'() {
    const t = new Table();
    const room = await t.enter(0);
    t.client.send(room, 'x');
    const { ref } = t.take('group');
    t.onmessage({ type: 'error', code: 429, reason: 'rate_limited', message: 'slow', retry_after_ms: 400, ref });
    equal(t.client.pending(room)[0].state, 'sending');
    t.world.pass(399);
    equal(t.sent, []);
    t.world.pass(1);
    equal(t.take('group').ref, ref);
  },

  async 'a server that stops takes what is pending after it is back'() {
    const t = new Table();
    const room = await t.enter(0);
    t.client.send(room, 'x');
    const { ref } = t.take('group');
    t.onmessage({ type: 'error', code: 503, reason: 'shutting_down', message: 'stops', ref });
    equal(t.client.pending(room)[0].state, 'sending');
    t.lose();
    t.connect();
    equal(t.take('group').ref, ref);
  },

  async 'where it is not known whether a message was stored, it is sent until that is settled'() {
    const t = new Table();
    const room = await t.enter(0);
    t.client.send(room, 'x');
    const first = t.take('group');
    let waited = 0;
    for (const pause of [1000, 2000, 4000, 8000]) {
      t.refuse(waited === 0 ? first : t.take('group'), 'outcome_unknown');
      equal(states(t), [['x', 'sending', 'outcome_unknown']]);
      t.world.pass(pause / 2 - 1);
      equal(t.sent, [], 'not at once');
      t.world.pass(pause / 2 + 1);
      equal(t.sent.map((m) => m.ref), [first.ref], `after ${pause} ms at most`);
      waited += pause;
    }
    t.ack(t.take('group'), 1);
    equal([contents(room), states(t)], [['x'], []]);
    t.world.pass(600_000);
    equal(t.sent, []);

    t.client.send(room, 'y');
    t.refuse(t.take('group'), 'outcome_unknown');
    t.world.pass(1000);
    t.refuse(t.take('group'), 'content_too_long', { code: 400 });
    equal(states(t), [['y', 'failed', '']], 'refused otherwise');
  },

  async 'what the server cannot take for now is kept, and said'() {
    for (const reason of ['store_unavailable', 'overloaded', 'shutting_down', 'outcome_unknown']) {
      const t = new Table();
      const room = await t.enter(0);
      t.client.send(room, 'x');
      const { ref } = t.take('group');
      t.refuse({ ref }, reason);
      const [, row] = rowsOf({ messages: [], pending: t.client.pending(room), me: 'u_ada' });
      equal([row.state, row.problem.startsWith('The server '), row.hint], ['sending', true, 'It is sent again by itself.'], reason);
      t.world.pass(1000);
      equal(t.take('group').ref, ref, reason);
    }
  },

  async 'what is written while others wait does not overtake them'() {
    const t = new Table();
    const room = await t.enter(0);
    t.client.send(room, 'one');
    t.client.send(room, 'two');
    const [one, two] = [t.take('group'), t.take('group')];
    t.refuse(one, 'store_unavailable');
    t.refuse(two, 'store_unavailable');
    t.client.send(room, 'three');
    const other = t.client.conversations.open('u_bob');
    t.client.send(other, 'elsewhere');
    equal(t.sent.map((m) => m.content), ['elsewhere'], 'another conversation does not wait');
    t.sent = [];
    t.world.pass(1000);
    equal(t.sent.map((m) => m.content), ['one'], 'one of them tries');
    t.client.discard(t.sent[0].ref); // meanwhile
    t.ack(t.take('group'), 1);
    equal(t.sent.map((m) => m.content), ['two', 'three']);
    t.ack(t.take('group'), 2);
    t.client.send(room, 'four');
    equal(t.sent.map((m) => m.content), ['three', 'four']);
  },

  async 'nor does what was waiting for its turn'() {
    const t = new Table();
    const room = await t.enter(0);
    t.lose();
    t.connect({ messages_per_second: 10, burst: 12 });
    t.world.pass(5000);
    t.sent = [];
    const written = Array.from({ length: 14 }, (_, i) => `m${i}`);
    written.forEach((text) => t.client.send(room, text));
    equal(t.sent.map((m) => m.content), written.slice(0, 10));
    const first = t.sent[0];
    t.sent.splice(0).forEach((m) => t.refuse(m, 'overloaded'));
    t.world.pass(499);
    equal(t.sent, []);
    t.world.pass(501);
    equal(t.sent.map((m) => m.ref), [first.ref]);
    t.ack(t.take('group'), 1);
    t.world.pass(5000);
    equal(t.sent.map((m) => m.content), written.slice(1));
  },

  async 'a message that is refused for good does not hold up the next'() {
    const t = new Table();
    const room = await t.enter(0);
    t.client.send(room, 'one');
    t.refuse(t.take('group'), 'overloaded');
    t.client.send(room, 'two');
    t.world.pass(1000);
    t.refuse(t.take('group'), 'content_too_long', { code: 400 });
    equal([states(t)[0][1], t.take('group').content], ['failed', 'two']);
  },

  async 'a lost connection ends the waiting'() {
    const t = new Table();
    const room = await t.enter(0);
    t.client.send(room, 'x');
    const { ref } = t.take('group');
    t.refuse({ ref }, 'overloaded');
    t.lose();
    t.world.pass(5000);
    equal([t.sent, states(t)], [[], [['x', 'sending', '']]]);
    t.connect();
    equal(t.take('group').ref, ref);
    t.world.pass(5000);
    equal(t.sent.filter((m) => m.type === 'group'), []);
  },

  async 'too much of something: short waits are the page\'s, long ones are said'() {
    for (const reason of ['rate_limited', 'quota_exceeded', 'too_many_new_rooms']) {
      const t = new Table();
      const room = await t.enter(0);
      t.client.send(room, 'x');
      const { ref } = t.take('group');
      t.refuse({ ref }, reason, { code: 429, retry_after_ms: 5000 });
      equal([t.client.pending(room)[0].state, t.sent], ['sending', []], reason);
      t.world.pass(5000);
      t.refuse(t.take('group'), reason, { code: 429, retry_after_ms: 2.5 * 3600_000 });
      t.world.pass(12 * 3600_000);
      equal([t.client.pending(room)[0].state, t.sent], ['failed', []], 'left to the user');
      const row = rowsOf({ messages: [], pending: t.client.pending(room), me: 'u_ada' }).at(-1);
      equal([row.problem.startsWith('You, or others at your network address'), row.hint], [true, 'Try again in about 3 hours.'], reason);
      const [entry] = t.client.pending(room);
      const later = rowsOf({ messages: [], pending: [{ ...entry, until: Date.now() - 1 }], me: 'u_ada' }).at(-1);
      equal(later.hint, 'You can try again now.', 'the words follow the time');
      t.client.retry(ref);
      t.ack(t.take('group'), 1);
      equal(t.client.pending(room), []);
    }
  },

  async 'a question that would have to wait for long is answered with the time'() {
    const t = new Table();
    await t.enter(0);
    const opened = t.client.openRoom('new').catch((error) => error.message);
    t.refuse(t.take('join'), 'too_many_new_rooms', { code: 429, retry_after_ms: 240_000 });
    equal((await opened).endsWith('Try again in about 4 minutes.'), true);
    const full = t.client.openRoom('new').catch((error) => error.message);
    t.refuse(t.take('join'), 'too_many_rooms', { code: 429 });
    equal((await full).endsWith('Leave one first.'), true);
  },

  async 'a room that cannot be joined for now is joined later, and that is said'() {
    for (const reason of ['store_unavailable', 'overloaded']) {
      const t = new Table();
      t.client.enter('lobby');
      t.connect();
      t.refuse(t.take('join'), reason);
      await settle();
      const room = t.client.current;
      equal([room.joining, room.error.endsWith('tries again by itself.')], [true, true]);
      t.sent = [];
      t.world.pass(1000);
      await t.answer('join', { type: 'ack', op: 'join', seq: 1 });
      equal([room.joined, room.joining, room.error], [true, false, '']);
    }
  },

  'a wait is said in words, and not too short'() {
    equal([1, 1000, 1001, 59_000, 60_000, 90_000, 91_000, 150_000, 3600_000, 5400_000, 5401_000, 2.5 * 3600_000, 86_400_000, 3 * 86_400_000].map(inWords), [
      '1 second', '1 second', '2 seconds', '59 seconds', 'about a minute', 'about a minute', 'about 2 minutes', 'about 3 minutes',
      'about an hour', 'about an hour', 'about 2 hours', 'about 3 hours', 'about a day', 'about 3 days',
    ]);
    for (const wait of [undefined, null, -1, 0, NaN, '']) {
      equal([pause({ code: 429, reason: 'rate_limited', retry_after_ms: wait }), pause({ code: 503, reason: 'overloaded', retry_after_ms: wait })], [1000, 0]);
      equal(pause({ code: 429, reason: 'quota_exceeded', retry_after_ms: wait }), null, 'without a time it is not tried for ever');
    }
  },
};
