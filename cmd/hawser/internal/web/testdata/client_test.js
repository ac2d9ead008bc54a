// The client against a server that the test plays by hand.

import { equal, settle, Storage } from './check.js';
import { contents, group, missed, stored, Table } from './table.js';

const whisper = (seq, more = {}) => group(seq, { type: 'message', receiver_id: 'u_ada', ...more });

export default {
  async 'a message is pending, then acknowledged, then comes back once'() {
    const t = new Table();
    const room = await t.enter(1);
    t.client.send(room, 'Hello');
    const sent = t.take('group');
    equal([sent.receiver_id, sent.content, sent.metadata], ['lobby', 'Hello', { ref: sent.ref }]);
    equal(t.client.pending(room).map((e) => e.state), ['sending']);
    t.ack(sent, 2);
    equal([t.client.pending(room), contents(room)], [[], ['m1', 'Hello']]);
    t.deliver(group(2, { sender_id: 'u_ada', content: 'Hello', metadata: sent.metadata }));
    equal([contents(room), room.unread], [['m1', 'Hello'], 0]);
  },

  async 'what was not acknowledged is sent again with its ref, and stored once'() {
    const t = new Table();
    const room = await t.enter(1);
    t.client.send(room, 'one');
    t.client.send(room, 'two');
    const refs = t.sent.map((m) => m.ref);
    t.lose();
    t.client.send(room, 'three'); // written without a connection
    equal(t.client.pending(room).length, 3);

    // The server has stored "one" already, and somebody else's after it.
    const one = group(2, { sender_id: 'u_ada', content: 'one', metadata: { ref: refs[0] } });
    t.open();
    t.client.send(room, 'four'); // before it is known what was missed
    equal(t.sent.filter((m) => m.type === 'group'), []);
    t.resume('missed', 'lobby', missed('lobby', one, group(3)));
    t.resume('done');
    const again = t.sent.filter((m) => m.type === 'group');
    equal(again.map((m) => m.content), ['two', 'three', 'four'], 'what was missed holds the first one');
    equal(again[0].ref, refs[1]);
    t.ack(again[0], 4);
    t.deliver(group(4, { sender_id: 'u_ada', content: 'two', metadata: { ref: refs[1] } }));
    t.ack(again[1], 5);
    t.ack(again[2], 6);
    equal(contents(room), ['m1', 'one', 'm3', 'two', 'three', 'four']);
    equal(t.client.pending(room), []);
  },

  async 'a lost acknowledgement is made up for by what was missed'() {
    const t = new Table();
    const room = await t.enter(0);
    t.client.send(room, 'one');
    const { ref } = t.take('group');
    t.lose();
    t.connect({}, missed('lobby', group(1, { sender_id: 'u_ada', content: 'one', metadata: { ref } })));
    equal([contents(room), t.client.pending(room)], [['one'], []]);
    equal(t.sent.filter((m) => m.type === 'group'), []);
  },

  async 'somebody else cannot confirm our message'() {
    const t = new Table();
    const room = await t.enter(0);
    t.client.send(room, 'mine');
    const { ref } = t.take('group');
    t.deliver(group(1, { metadata: { ref } }));
    equal([t.client.pending(room).length, contents(room)], [1, ['m1']]);
  },

  async 'a gap is filled page by page, while new messages arrive'() {
    const t = new Table();
    const room = await t.enter(2);
    t.deliver(group(6));
    t.deliver(group(7));
    equal((await t.answer('history', { messages: stored(3, 4), has_more: true })).after_seq, 2);
    t.deliver(group(8));
    equal((await t.answer('history', { messages: stored(5, 7), has_more: false })).after_seq, 4);
    equal(room.messages.map((m) => m.seq), [1, 2, 3, 4, 5, 6, 7, 8]);
    equal([room.behind, t.sent.filter((m) => m.type === 'history')], [false, []]);
  },

  async 'losing the connection while a gap is filled starts it again'() {
    const t = new Table();
    const room = await t.enter(1);
    t.deliver(group(5));
    t.take('history');
    t.lose();
    await settle();
    t.connect();
    equal(t.claimed.positions, { lobby: 'p5' });
    equal((await t.answer('history', { messages: stored(2, 5), has_more: false })).after_seq, 1);
    equal(room.messages.length, 5);
  },

  async 'another epoch voids what is held, and keeps what is not sent'() {
    const t = new Table();
    const room = await t.enter(3);
    t.lose();
    t.client.send(room, 'kept');
    t.epoch = 'e2';
    t.connect({}, { status: 'reload', receiver_id: 'lobby', seq: 1 });
    equal(room.messages, []);
    const asked = await t.answer('history', { messages: [group(1, { epoch: 'e2', content: 'new' })], has_more: false });
    equal([asked.after_seq, contents(room)], [undefined, ['new']]);
    equal(t.take('group').content, 'kept');
  },

  async 'an epoch that changes under a connection is noticed, too'() {
    const t = new Table();
    const room = await t.enter(3);
    t.epoch = 'e2';
    t.deliver(group(1, { epoch: 'e2' }));
    await t.answer('history', { messages: [group(1, { epoch: 'e2' })], has_more: false });
    equal([contents(room), room.unread], [['m1'], 1]);
  },

  async 'a room whose history is another one is read again, and no other'() {
    const t = new Table();
    const room = await t.enter(3);
    const bob = t.client.conversations.open('u_bob');
    t.client.select(bob);
    await t.answer('history', { messages: [whisper(1)], has_more: false });
    await t.answer('presence', { users: [], has_more: false });
    t.client.select(room);
    t.deliver({ type: 'system', event: 'reload', receiver_id: 'lobby', epoch: 'e2', seq: 2, content: 'The history …' });
    const asked = await t.answer('history', { messages: [1, 2].map((seq) => group(seq, { epoch: 'e2', content: `new ${seq}` })), has_more: false });
    equal([asked.receiver_id, asked.after_seq], ['lobby', undefined]);
    equal([contents(room), room.unread], [['new 1', 'new 2'], 0]);
    t.deliver(group(3, { epoch: 'e2' }));
    t.deliver(whisper(2)); // in the epoch that it was in
    equal([contents(room).length, contents(bob).length], [3, 2]);
    equal(t.sent.filter(({ type }) => type === 'join' || type === 'history'), []);
    // What was only missed is fetched, and what was left is no concern.
    t.deliver({ type: 'system', event: 'reload', receiver_id: 'lobby', epoch: 'e2', seq: 5, content: 'The history …' });
    equal((await t.answer('history', { messages: [4, 5].map((seq) => group(seq, { epoch: 'e2' })), has_more: false })).after_seq, 3);
    equal(contents(room).length, 5);
    t.deliver({ type: 'system', event: 'reload', receiver_id: 'attic', epoch: 'e2', seq: 5, content: 'The history …' });
    equal(t.client.conversations.get('attic'), undefined);
  },

  async 'a private conversation in another epoch is read again'() {
    const t = new Table();
    await t.enter(0);
    const bob = t.client.conversations.open('u_bob');
    t.client.select(bob);
    await t.answer('history', { messages: [whisper(1), whisper(2)], has_more: false });
    t.deliver(whisper(1, { epoch: 'e2', content: 'new' }));
    await t.answer('history', { messages: [whisper(1, { epoch: 'e2', content: 'new' })], has_more: false });
    equal(contents(bob), ['new']);
    // The history itself may say so first.
    t.deliver(whisper(3, { epoch: 'e2' }));
    await t.answer('history', { messages: [2, 3].map((seq) => whisper(seq, { epoch: 'e3' })), has_more: false });
    await t.answer('history', { messages: [1, 2, 3].map((seq) => whisper(seq, { epoch: 'e3' })), has_more: false });
    equal(bob.messages.map(({ epoch, seq }) => `${epoch} ${seq}`), ['e3 1', 'e3 2', 'e3 3']);
  },

  async 'history that was asked for before a reset is not put in'() {
    const t = new Table();
    const room = await t.enter(0);
    t.deliver(group(9)); // and what comes before it is asked for
    const { ref } = t.take('history');
    t.epoch = 'e2';
    t.deliver(group(1, { epoch: 'e2' }));
    t.onmessage({ type: 'history', receiver_id: 'lobby', messages: stored(1, 9), has_more: false, ref });
    await settle();
    equal(room.messages, []);
  },

  async 'a question that comes too fast is asked again'() {
    const t = new Table();
    await t.enter(0);
    const opened = t.client.openRoom('other');
    const { ref } = t.take('join');
    t.onmessage({ type: 'error', code: 429, reason: 'rate_limited', retry_after_ms: 100, ref });
    t.world.pass(100);
    await t.answer('join', { type: 'ack', op: 'join', seq: 0 });
    await opened;
    equal(t.client.current.id, 'other');
  },

  async 'a reload keeps rooms, reading marks and what is not sent'() {
    const storage = new Storage();
    const t = new Table(storage);
    const room = await t.enter(2);
    t.deliver(group(3));
    equal(room.unread, 1);
    t.client.send(room, 'x');
    const { ref } = t.take('group');

    const after = new Table(storage);
    equal([after.client.current.id, after.client.current.joined], ['lobby', true]);
    after.members.set('lobby', 3);
    after.connect();
    equal([after.claimed, after.sent.filter((m) => m.type === 'join')], [{ positions: {} }, []]);
    equal(after.client.current.unread, 1);
    equal(after.take('group').ref, ref);
  },

  async 'private messages make a conversation with the other one'() {
    const t = new Table();
    await t.enter(0);
    const direct = (seq, sender_id, receiver_id) =>
      group(seq, { type: 'message', sender_id, receiver_id, sender_name: sender_id === 'u_ada' ? 'Ada' : 'Bob' });
    t.deliver(direct(1, 'u_bob', 'u_ada'), direct(2, 'u_ada', 'u_bob'));
    const bob = t.client.conversations.get('u_bob');
    equal([bob.head, bob.unread, t.client.names.of('u_bob')], [2, 2, 'Bob']);
    t.client.openPerson('u_bob');
    await t.answer('history', { messages: [direct(1, 'u_bob', 'u_ada'), direct(2, 'u_ada', 'u_bob')], has_more: false });
    t.client.markRead(bob);
    t.client.send(bob, 'psst');
    equal([t.take('message').receiver_id, bob.messages.length, bob.unread], ['u_bob', 2, 0]);
  },

  async 'what others wrote privately meanwhile is found'() {
    const t = new Table();
    await t.enter(0);
    t.lose();
    t.connect({}, { status: 'new', receiver_id: 'u_bob', seq: 4 });
    await t.answer('peers', { peers: [{ user_id: 'u_bob', name: 'Bob', seq: 4, server_ts: 9, online: true }], has_more: true });
    equal((await t.answer('peers', { peers: [], has_more: false })).after, 'u_bob');
    equal([t.client.conversations.get('u_bob').unread, t.client.names.of('u_bob')], [4, 'Bob']);
  },

  async 'who is there follows what happens'() {
    const t = new Table();
    const room = await t.enter(0);
    const event = (event, user_id, name) =>
      t.onmessage({ type: 'system', event, receiver_id: 'lobby', user_id, name, content: '' });
    event('joined', 'u_bob', 'Bob');
    event('joined', 'u_eve', 'Eve');
    event('left', 'u_eve', 'Eve');
    equal([...room.members], [['u_bob', 'Bob']]);
    t.lose();
    equal(room.members, null);
  },

  async 'a new name replaces the old one, and an old message does not bring that back'() {
    const t = new Table();
    const room = await t.enter(0);
    const { names } = t.client;
    t.deliver(group(5, { sender_name: 'Bob' }));
    t.onmessage({ type: 'system', event: 'renamed', receiver_id: 'lobby', user_id: 'u_bob', name: 'Robert', content: '' });
    equal(names.get('u_bob'), 'Robert');
    t.deliver(group(4, { sender_name: 'Bobby' })); // from the history, say
    equal(names.get('u_bob'), 'Robert');
    t.deliver(group(6, { sender_name: 'Rob' }));
    equal(names.get('u_bob'), 'Rob');

    const heard = [];
    t.client.onname = (name) => heard.push(name);
    t.onmessage({ type: 'system', event: 'renamed', receiver_id: 'lobby', user_id: 'u_ada', name: 'Grace', content: '' });
    t.client.rename('Grace');
    t.client.send(room, 'x');
    t.ack(t.take('group'), 7);
    equal([heard, t.client.me.name, room.messages.at(-1)?.sender_name], [['Grace'], 'Grace', 'Grace']);
  },

  async 'the end of the token is told to whom it concerns'() {
    const t = new Table();
    await t.enter(0);
    let told = 0;
    t.client.onexpiry = () => told++;
    t.onmessage({ type: 'system', event: 'token_expiring', receiver_id: '', content: 'soon' });
    equal([told, t.client.notice], [1, '']);
  },

  async 'messages of a room that was left are not shown'() {
    const t = new Table();
    const room = await t.enter(1);
    const left = t.client.leave(room);
    equal((await t.answer('leave', { type: 'ack', op: 'leave', seq: 1 })).receiver_id, 'lobby');
    equal([await left, t.client.current], [true, null]);
    t.deliver(group(2));
    equal([...t.client.conversations], []);
    t.members.clear();
    t.lose();
    t.connect();
    equal(t.sent.filter((m) => m.type === 'join'), []);
  },

  async 'a room that cannot be joined says so and is not tried again by itself'() {
    const t = new Table();
    t.client.enter('lobby');
    t.connect();
    const { ref } = t.take('join');
    t.onmessage({ type: 'error', code: 429, reason: 'too_many_rooms', message: 'leave one first', ref });
    await settle();
    equal([t.client.current.error.endsWith('Leave one first.'), t.client.current.joined], [true, false]);
  },

  async 'without a connection a room cannot be opened, and that is said'() {
    const t = new Table();
    const problem = await t.client.openRoom('other').catch((error) => error.message);
    equal(problem, 'There is no connection to the server right now.');
  },

  async 'older messages are fetched once at a time'() {
    const t = new Table();
    t.client.enter('lobby');
    t.connect();
    await t.answer('join', { type: 'ack', op: 'join', seq: 99 });
    await t.answer('history', { messages: stored(50, 99), has_more: true });
    t.client.loadOlder(t.client.current);
    t.client.loadOlder(t.client.current);
    equal((await t.answer('history', { messages: stored(1, 49), has_more: false })).before_seq, 50);
    t.client.loadOlder(t.client.current);
    equal(t.sent.filter((m) => m.type === 'history'), []);
    equal([t.client.current.first, t.client.current.messages.length], [1, 99]);
  },

  async 'people are marked as online only while that is known'() {
    const t = new Table();
    const room = await t.enter(0);
    t.deliver({ type: 'message', receiver_id: 'u_ada', sender_id: 'u_bob', sender_name: 'Bob', content: 'Hi', seq: 1, epoch: 'e1', server_ts: 1 });
    const bob = t.client.conversations.get('u_bob');
    equal(bob.online, true, 'who has just written');
    t.lose();
    equal([bob.online, room.members], [null, null], 'without a connection');
    t.connect();
    equal(bob.online, null, 'before it is known again');
    await t.answer('peers', { peers: [{ user_id: 'u_bob', name: 'Bob', seq: 1, server_ts: 1, online: true }], has_more: false });
    equal(bob.online, true);
    t.sent = [];

    t.deliver({ type: 'system', event: 'left', receiver_id: 'lobby', user_id: 'u_bob', name: 'Bob' });
    equal((await t.answer('presence', { users: [], has_more: false })).receiver_id, 'u_bob');
    equal(bob.online, false, 'after leaving a room we are in, too');
    t.deliver({ type: 'system', event: 'joined', receiver_id: 'lobby', user_id: 'u_bob', name: 'Bob' });
    equal(bob.online, true);
    t.deliver({ type: 'system', event: 'left', receiver_id: 'lobby', user_id: 'u_eve', name: 'Eve' });
    equal(t.sent, [], 'nobody we write with');
  },

  async 'presence is asked for again, and a failure is not shown'() {
    const t = new Table();
    const room = await t.enter(0);
    t.client.refreshPerson();
    equal(t.sent, [], 'a room tells of changes itself');
    t.client.openPerson('u_bob');
    const bob = t.client.current;
    await t.answer('presence', { users: [{ user_id: 'u_bob', name: 'Bob' }] });
    equal(bob.online, true);
    t.sent = [];
    t.client.refreshPeople();
    t.client.refreshPerson(); // is being asked already
    equal(t.sent.map((m) => m.type), ['peers', 'presence']);
    await t.answer('presence', { type: 'error', code: 503, reason: 'store_unavailable', message: 'No' });
    await t.answer('peers', { type: 'error', code: 503, reason: 'store_unavailable', message: 'No' });
    equal([bob.online, bob.error, t.client.notice], [null, '', '']);
    t.deliver({ type: 'message', receiver_id: 'u_ada', sender_id: 'u_bob', sender_name: 'Bob', content: 'Hi', seq: 2, epoch: 'e1', server_ts: 1 });
    t.client.refreshPeople();
    await t.answer('peers', { peers: [{ user_id: 'u_bob', name: 'Bob', seq: 1, server_ts: 1, online: true }], has_more: false });
    equal([bob.online, bob.head], [true, 2], 'an answer from before a message');
    await t.answer('presence', { users: [] });
    equal([bob.online, room.error], [false, '']);
    t.lose();
    t.sent = [];
    t.client.refreshPeople();
    equal(t.sent, []);
  },
};
