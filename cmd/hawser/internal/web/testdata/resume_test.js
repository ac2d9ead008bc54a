// What a client is told after a reconnect, and what becomes of its rooms.

import { equal, settle, Storage } from './check.js';
import { contents, group, missed, stored, Table } from './table.js';

const whisper = (seq, more = {}) => group(seq, { type: 'message', receiver_id: 'u_ada', ...more });
const sent = (t, ...types) => t.sent.filter((m) => types.includes(m.type)).map((m) => `${m.type} ${m.receiver_id}`);
const rooms = (t) => [...t.client.conversations].filter((c) => c.isRoom).map((c) => c.id);

// talking is a client in a room and in a private conversation, with one message in each.
async function talking() {
  const t = new Table();
  const room = await t.enter(1);
  t.deliver(whisper(1));
  t.client.openPerson('u_bob');
  const bob = t.client.current;
  await t.answer('history', { messages: [whisper(1)], has_more: false });
  t.client.markRead(bob);
  t.client.select(room);
  t.sent = [];
  return { t, room, bob };
}

export default {
  async 'what was missed in two conversations is shown in order, once, and then what is new'() {
    const { t, room, bob } = await talking();
    t.lose();
    t.open();
    equal(t.claimed.positions, { lobby: 'p1', u_bob: 'p1' });
    t.resume('missed', 'lobby', { ...missed('lobby', group(2), group(3)), has_more: true });
    t.resume('missed', 'lobby', missed('lobby', group(4)));
    t.deliver(group(5));
    t.resume('missed', 'u_bob', missed('u_bob', whisper(2), whisper(3, { sender_id: 'u_ada', receiver_id: 'u_bob' })));
    t.resume('done');
    t.deliver(group(6), whisper(4));
    equal([contents(room), room.unread], [['m1', 'm2', 'm3', 'm4', 'm5', 'm6'], 5]);
    equal([contents(bob), bob.unread, bob.online], [['m1', 'm2', 'm3', 'm4'], 3, true]);
    equal(sent(t, 'join', 'history'), []);
    t.lose();
    t.connect();
    equal([t.claimed.positions, contents(room).length, contents(bob).length], [{ lobby: 'p6', u_bob: 'p4' }, 6, 4]);
  },

  async 'the messages of a conversation that is told to be read anew are, if it is shown'() {
    const { t, room, bob } = await talking();
    room.readTo = 1;
    t.lose();
    t.connect({}, { status: 'reload', receiver_id: 'lobby', seq: 2000 }, { status: 'reload', receiver_id: 'u_bob', seq: 1500 });
    equal([room.messages, bob.messages, room.unread, bob.unread], [[], [], 1999, 1499], 'what was read stays read');
    equal(sent(t, 'join', 'history'), ['history lobby']);
    await t.answer('history', { messages: stored(1951, 2000), has_more: true });
    t.deliver(group(2001));
    equal([room.messages.length, room.behind], [51, false]);
    t.client.select(bob);
    await t.answer('history', { messages: [whisper(1500)], has_more: true });
    equal(contents(bob), ['m1500']);

    t.lose();
    t.connect({}, { status: 'reload', receiver_id: 'lobby', seq: 3, epoch: 'e2' });
    equal([room.epoch, room.unread], ['e2', 0], 'of another history nothing was read');
  },

  async 'a room that one was removed from is gone, and one that one has joined is there'() {
    const { t, room } = await talking();
    t.lose();
    t.connect({}, { status: 'gone', receiver_id: 'lobby' }, { status: 'new', receiver_id: 'attic', seq: 7 });
    equal([rooms(t), t.client.current, sent(t, 'join')], [['attic'], null, []]);
    equal(t.client.notice, 'You are no longer in #lobby: you have left it somewhere else.');
    const attic = t.client.conversations.get('attic');
    equal([attic.joined, attic.unread, attic.position], [true, 0, 'p7']);
    t.deliver(group(2)); // still under way
    equal([rooms(t), contents(room)], [['attic'], ['m1']]);
  },

  async 'rooms come and go while one is connected, too'() {
    const { t } = await talking();
    const event = (event, receiver_id, more) => t.onmessage({ type: 'system', event, receiver_id, content: '', ...more });
    event('subscribed', 'attic', { epoch: 'e1', seq: 4, position: 'p4' });
    t.deliver(group(5, { receiver_id: 'attic' }));
    equal([rooms(t), t.client.conversations.get('attic').unread], [['lobby', 'attic'], 1]);
    event('unsubscribed', 'attic');
    equal([rooms(t), t.client.notice], [['lobby'], ''], 'one that is not shown goes quietly');
    event('unsubscribed', 'lobby');
    equal([rooms(t), t.client.current], [[], null]);
    event('unsubscribed', 'lobby');
  },

  async 'what was not sent to a room that one has left is kept, and joins it only if one wants that'() {
    const { t, room } = await talking();
    t.lose();
    t.client.send(room, 'not sent');
    t.connect({}, { status: 'gone', receiver_id: 'lobby' });
    equal([rooms(t), sent(t, 'group', 'join')], [['lobby'], []]);
    const [entry] = t.client.pending(room);
    equal([entry.state, entry.error], ['failed', 'You have left this room. If you send this again, you are in it again.']);
    t.client.retry(entry.ref);
    t.ack(t.take('group'), 2);
    t.deliver(group(2, { sender_id: 'u_ada', metadata: { ref: entry.ref } }));
    equal([room.joined, t.client.pending(room)], [true, []]);
  },

  async 'a guest whose session has expired joins the rooms again'() {
    const { t, room } = await talking();
    t.client.openRoom('attic');
    await t.answer('join', { type: 'ack', op: 'join', seq: 0 });
    t.resumed = false;
    t.members.clear();
    t.lose();
    t.connect({}, { status: 'gone', receiver_id: 'lobby' });
    equal(sent(t, 'join'), ['join lobby', 'join attic']);
    await t.answer('join', { type: 'ack', op: 'join', seq: 3 });
    equal((await t.answer('history', { messages: stored(2, 3), has_more: false })).after_seq, 1);
    await t.answer('join', { type: 'ack', op: 'join', seq: 0 });
    equal([contents(room), room.unread, t.client.notice], [['m1', 'm2', 'm3'], 2, '']);
    // Also if the first connection of the other session is lost before that is known.
    t.world.pass(2000);
    t.lose();
    t.members.clear();
    t.open();
    t.lose();
    t.resumed = true;
    t.connect({}, { status: 'gone', receiver_id: 'lobby' });
    equal(sent(t, 'join'), ['join lobby', 'join attic']);
    await t.answer('join', { type: 'ack', op: 'join', seq: 3 });
    await t.answer('join', { type: 'ack', op: 'join', seq: 0 });
    t.resumed = false;
    // Where the user is still in one, somebody has left the other, unless another tab is
    // about to join it again.
    for (const joins of [true, false]) {
      t.world.pass(2000);
      t.lose();
      t.members.set('lobby', 3);
      t.members.delete('attic');
      t.connect();
      t.world.pass(1999);
      equal([rooms(t), sent(t, 'join')], [['lobby', 'attic'], []]);
      if (joins) {
        t.onmessage({ type: 'system', event: 'subscribed', receiver_id: 'attic', epoch: 'e1', seq: 0, position: 'p0', content: '' });
      }
      t.world.pass(1);
      equal(rooms(t), joins ? ['lobby', 'attic'] : ['lobby']);
    }
  },

  async 'a guest whose page is reloaded before the rooms are joined again joins them'() {
    const storage = new Storage();
    const before = new Table(storage);
    await before.enter(1);
    before.resumed = false;
    before.lose();
    before.open();
    const t = new Table(storage); // goes on with the session that has just begun
    t.connect();
    equal([rooms(t), sent(t, 'join')], [['lobby'], ['join lobby']]);
  },

  async 'a room is joined again if the server may have crashed before it was stored'() {
    const { t } = await talking();
    t.client.openRoom('attic');
    await t.answer('join', { type: 'ack', op: 'join', seq: 0 });
    t.members.delete('attic');
    t.lose();
    t.connect();
    equal([rooms(t), sent(t, 'join')], [['lobby', 'attic'], ['join attic']]);
    await t.answer('join', { type: 'ack', op: 'join', seq: 0 });
    t.world.pass(2000);
    t.members.delete('attic');
    t.lose();
    t.connect();
    equal([rooms(t), sent(t, 'join')], [['lobby'], []], 'but not later');
  },

  async 'a connection that is lost on the way asks for the rest'() {
    const { t, room } = await talking();
    t.lose();
    t.open();
    t.resume('missed', 'lobby', { ...missed('lobby', group(2)), has_more: true });
    t.lose();
    t.connect({}, missed('lobby', group(3)));
    equal([t.claimed.positions.lobby, contents(room)], ['p2', ['m1', 'm2', 'm3']]);
  },

  async 'private conversations are asked for since shortly before the newest that was heard'() {
    const t = new Table();
    t.open();
    equal(t.claimed, { positions: {} }, 'all of them');
    t.onmessage({ type: 'heartbeat', server_ts: 5e6 });
    t.lose();
    t.open();
    equal(t.claimed.since, undefined, 'as not all of them were told');
    t.resume('done', undefined, { server_ts: 6e6 });
    t.deliver(whisper(1, { server_ts: 7e6 }));
    t.deliver(whisper(2, { server_ts: 6.5e6 }));
    t.lose();
    t.connect();
    equal(t.claimed, { positions: {}, since: 7e6 - 300_000 }, 'and nothing is held of one that was not shown');
  },

  async 'no more positions are named than the server takes, and the newest'() {
    const { t } = await talking();
    for (let i = 0; i < 1100; i++) {
      const c = t.client.conversations.open(`u_${i}`);
      c.load([], false);
      Object.assign(c, { position: 'p', active: i });
    }
    const { positions } = t.held();
    equal([Object.keys(positions).length, 'u_1099' in positions, 'u_99' in positions], [1000, true, false]);
  },

  async 'leaving waits for the server, and without it one is still there'() {
    const { t, room } = await talking();
    const left = t.client.leave(room);
    t.lose();
    equal([await left, rooms(t)], [false, ['lobby']]);
    equal(t.client.notice.startsWith('You are still in #lobby.'), true);
    t.connect({}, { status: 'gone', receiver_id: 'lobby' }); // it had arrived
    equal(rooms(t), []);
  },

  async 'what other tabs keep of rooms counts only without a connection'() {
    const storage = new Storage();
    const t = new Table(storage);
    await t.enter(2);
    t.client.stored('talk.attic', { joined: true, joining: false, readTo: 1, epoch: 'e1' });
    t.client.stored('talk.lobby', null);
    equal(rooms(t), ['lobby']);
    t.client.stored('talk.lobby', { joined: false, joining: false, readTo: 9, epoch: 'e1' });
    equal([t.client.current.joined, t.client.current.readTo], [true, 9]);
    t.lose();
    t.client.stored('talk.attic', { joined: true, joining: false, readTo: 1, epoch: 'e1' });
    t.client.stored('talk.lobby', null);
    equal([rooms(t), t.client.current], [['attic'], null]);
    t.members.set('attic', 4);
    t.members.delete('lobby');
    t.connect();
    await settle();
    equal([rooms(t), t.client.conversations.get('attic').unread], [['attic'], 3]);
  },
};
