// The list of rooms, as it is asked for page by page.

import { equal, settle } from './check.js';
import { Table } from './table.js';

const rooms = (...names) => names.map((receiver_id) => ({ receiver_id, seq: 1, server_ts: 1, online: 0 }));

// listed is a client that knows these rooms.
async function listed(names, more = { has_more: false }) {
  const t = new Table();
  t.client.enter('lobby');
  t.connect();
  await t.answer('rooms', { rooms: rooms(...names), ...more });
  t.sent = [];
  return t;
}

const names = (t) => t.client.directory.rooms.map((r) => r.receiver_id);
const asked = (t) => t.sent.filter((m) => m.type === 'rooms');

export default {
  async 'the order is the server\'s, through all pages'() {
    const t = await listed(['z', 'a', 'm'], { has_more: true, next: 'place 1' });
    equal(names(t), ['z', 'a', 'm']);
    t.client.directory.more();
    t.client.directory.more(); // while it is asked
    equal(asked(t).length, 1);
    const question = await t.answer('rooms', { rooms: rooms('b', 'a'), has_more: true, next: 'place 2' });
    equal([question.after, names(t)], ['place 1', ['z', 'a', 'm', 'b']], 'one that has moved down is not there twice');
    t.client.directory.more();
    equal((await t.answer('rooms', { rooms: rooms('c'), has_more: false })).after, 'place 2');
    t.client.directory.more();
    equal([names(t), asked(t), t.client.directory.hasMore], [['z', 'a', 'm', 'b', 'c'], [], false]);

    t.client.refreshRooms();
    await t.answer('rooms', { rooms: rooms('c', 'z'), has_more: false });
    equal(names(t), ['c', 'z'], 'asked for again, it is all new');
  },

  async 'a refresh brings as many rooms as are shown'() {
    const many = Array.from({ length: 240 }, (_, i) => `r${i}`);
    const t = await listed(many);
    t.client.refreshRooms();
    equal(t.take('rooms').limit, 240);
  },

  async 'what is typed is searched for once, after a pause'() {
    const t = await listed(['a']);
    const { directory } = t.client;
    for (const text of ['g', 'ga', ' #gard ']) {
      directory.find(text);
      t.world.pass(200);
    }
    equal(asked(t), []);
    t.world.pass(100);
    equal((await t.answer('rooms', { rooms: rooms('Garden'), has_more: false })).search, 'gard');
    equal([names(t), directory.searched, asked(t)], [['Garden'], 'gard', []]);
    t.client.refreshRooms();
    equal(t.take('rooms').search, 'gard', 'a refresh keeps the search');
  },

  async 'an answer to what was searched for before is not shown'() {
    const t = await listed(['a']);
    const { directory } = t.client;
    directory.find('old');
    t.world.pass(300);
    const old = t.take('rooms');
    directory.find('new');
    t.onmessage({ type: 'rooms', rooms: rooms('old'), has_more: false, ref: old.ref });
    await settle();
    equal([names(t), directory.searched], [['a'], '']);
    t.world.pass(300);
    await t.answer('rooms', { rooms: rooms('new'), has_more: false });
    equal(names(t), ['new']);
  },

  async 'empty answers are followed until there is something'() {
    const t = await listed(['a']);
    t.client.directory.find('rare');
    t.world.pass(300);
    await t.answer('rooms', { rooms: [], has_more: true, next: 'p1' });
    equal((await t.answer('rooms', { rooms: [], has_more: true, next: 'p2' })).after, 'p1');
    equal([t.client.directory.searched, (await t.answer('rooms', { rooms: rooms('rare'), has_more: false })).after], ['', 'p2']);
    equal([names(t), t.client.directory.searched], [['rare'], 'rare']);
  },

  async 'what no room can be called is not asked for'() {
    const t = await listed(['a']);
    t.client.directory.find('é'.repeat(33));
    t.world.pass(300);
    await settle();
    equal([asked(t), names(t), t.client.directory.error], [[], [], '']);
  },

  async 'what goes wrong is said, and passes'() {
    const t = await listed(['a']);
    const { directory } = t.client;
    directory.find('x');
    t.world.pass(300);
    t.refuse(t.take('rooms'), 'store_unavailable');
    await settle();
    equal([directory.error !== '', t.client.notice, names(t)], [true, '', ['a']]);
    t.lose();
    directory.find('y');
    t.world.pass(300);
    await settle();
    equal(directory.error, 'There is no connection to the server right now.');
    t.connect();
    equal((await t.answer('rooms', { rooms: rooms('y'), has_more: false })).search, 'y');
    equal([directory.error, names(t)], ['', ['y']]);
  },
};
