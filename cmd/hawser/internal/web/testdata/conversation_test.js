import { Conversation, isRoom } from '/chat/conversation.js';
import { Names, roomProblem } from '/chat/names.js';
import { rowsOf } from '/view/rows.js';
import { codePoints, formatDay, initial } from '/view/text.js';
import { equal } from './check.js';

const message = (seq, more = {}) => ({ seq, sender_id: 'u_bob', content: `m${seq}`, server_ts: seq, ...more });
const messages = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => message(from + i));
const seqs = (conversation) => conversation.messages.map((m) => m.seq);

function loaded(from, to, hasMore = true) {
  const conversation = new Conversation('lobby');
  conversation.load(messages(from, to), hasMore);
  return conversation;
}

export default {
  'every message is held once, in the order of seq'() {
    const c = loaded(5, 7);
    for (const seq of [9, 8, 7, 9, 10, 8, 5]) {
      c.deliver(message(seq));
    }
    equal(seqs(c), [5, 6, 7, 8, 9, 10]);
    equal([c.first, c.held, c.head, c.behind], [5, 10, 10, false]);
    equal(c.deliver(message(10)), false);
    equal(c.deliver(message(11)), true);
  },

  'any order of delivery ends the same'() {
    const seed = Math.floor(Math.random() * 2 ** 31);
    let state = seed;
    const random = (n) => (state = (state * 48271 + 11) % 2147483647) % n;
    for (let round = 0; round < 200; round++) {
      const c = loaded(1, 3, false);
      const left = [...messages(4, 12), ...messages(2, 9)];
      while (left.length > 0) {
        const [next] = left.splice(random(left.length), 1);
        random(2) ? c.deliver(next) : c.append([next].filter((m) => m.seq === c.held + 1));
        left.push(...(seqs(c).includes(next.seq) ? [] : [next]));
      }
      equal([seqs(c), c.held], [Array.from({ length: 12 }, (_, i) => i + 1), 12], `seed ${seed}, round ${round}`);
    }
  },

  'a gap is known, and closed by what was missed'() {
    const c = loaded(1, 4, false);
    c.deliver(message(8)); // acknowledged to us before others' were delivered
    equal([c.held, c.head, c.behind], [4, 8, true]);
    c.append(messages(5, 6));
    equal([c.held, c.behind], [6, true]);
    c.append([message(7)]);
    equal([c.held, c.behind, seqs(c)], [8, false, [1, 2, 3, 4, 5, 6, 7, 8]]);
  },

  'history without some seq does not leave a gap for ever'() {
    const c = loaded(1, 2, false);
    c.committed(6);
    c.append([message(6)]);
    equal([c.held, c.behind], [6, false]);
  },

  'what was dropped leaves no gap'() {
    const c = loaded(3, 4, false);
    c.deliver(message(12));
    c.append(messages(9, 11), 9); // 5 to 8 were dropped while nobody listened
    equal([seqs(c), c.first, c.held, c.behind, c.complete, c.begin], [[9, 10, 11, 12], 9, 12, false, true, 9]);
  },

  'a conversation of which nothing is kept'() {
    const c = new Conversation('lobby');
    c.load([], false, 8);
    equal([c.held, c.behind, c.begin], [7, false, 8]);
    c.deliver(message(8));
    equal([seqs(c), c.behind], [[8], false]);
  },

  'what arrives before the history is loaded is fetched later'() {
    const c = new Conversation('lobby');
    equal(c.deliver(message(3)), false);
    c.load([], false); // the answer was given before that message
    equal([c.held, c.head, c.behind], [0, 3, true]);
    c.append(messages(1, 3));
    equal([seqs(c), c.behind], [[1, 2, 3], false]);
  },

  'older messages go in front'() {
    const c = loaded(51, 60);
    c.prepend(messages(31, 50), true);
    equal([c.first, c.complete, c.messages.length], [31, false, 30]);
    equal(c.deliver(message(7)), false, 'one that lies before what is held');
    c.prepend(messages(1, 30), false);
    equal([c.first, c.complete, c.messages.length], [1, true, 60]);
  },

  'older messages that are held already do not go in twice'() {
    const c = loaded(5, 9);
    c.prepend(messages(3, 6), true);
    equal([seqs(c), c.first], [[3, 4, 5, 6, 7, 8, 9], 3]);
  },

  'only a reset makes another array of messages'() {
    const c = loaded(51, 60);
    const held = c.messages;
    c.prepend(messages(31, 50), true);
    c.append(messages(61, 70));
    c.deliver(message(71));
    c.trim(10);
    equal(c.messages === held, true);
    c.reset();
    equal(c.messages === held, false);
  },

  'a change of who is there makes another Map'() {
    const c = new Conversation('lobby');
    c.joinedBy('u_bob', 'Bob');
    equal(c.members, null, 'as long as it is not known who is there');
    const before = c.members = new Map([['u_ada', 'Ada']]);
    c.joinedBy('u_bob', 'Bob');
    equal([[...c.members.keys()], c.members === before], [['u_ada', 'u_bob'], false]);
    const both = c.members;
    c.leftBy('u_ada');
    equal([[...c.members.keys()], both.size], [['u_bob'], 2]);
    const one = c.members;
    c.leftBy('u_nobody');
    equal(c.members === one, true);
  },

  'trimming drops the oldest, which can come again'() {
    const c = loaded(1, 30, false);
    c.fetching = {};
    c.trim(10);
    equal(c.messages.length, 30, 'while messages are being fetched');
    c.fetching = null;
    c.trim(10);
    equal([c.first, c.complete, seqs(c)[0], c.messages.length], [21, false, 21, 10]);
    c.prepend(messages(11, 20), true);
    equal([c.first, c.messages.length], [11, 20]);
  },

  'unread counts from what was read'() {
    const room = new Conversation('lobby');
    room.committed(7);
    equal(room.unread, 0, 'a room that was never joined');
    room.readTo = 5;
    equal(room.unread, 2);
    const person = new Conversation('u_bob');
    person.committed(3);
    equal(person.unread, 3);
  },

  'a server that has less than we do is noticed'() {
    const c = loaded(1, 9, false);
    equal(c.committed(8), false);
    c.reset();
    equal([c.committed(8), c.loaded, c.messages, c.head], [true, false, [], 8]);
  },

  'rows have days, groups, and our own on their way'() {
    const noon = new Date(2026, 2, 1, 12).getTime();
    const c = new Conversation('lobby');
    c.load([
      message(1, { server_ts: noon }),
      message(2, { server_ts: noon + 60_000 }),
      message(3, { server_ts: noon + 600_000 }),
      message(4, { server_ts: noon + 86_400_000, sender_id: 'u_me', metadata: { ref: 'r1' } }),
    ], false);
    const pending = [
      { ref: 'r1', content: 'stored already', at: noon + 86_400_000, state: 'sending', error: '' },
      { ref: 'r2', content: 'on its way', at: noon + 86_400_000, state: 'sending', error: '' },
    ];
    const rows = rowsOf({ messages: c.messages, pending, me: 'u_me' });
    equal(rows.map((r) => (r.kind === 'day' ? 'day' : [r.key, r.first, r.mine, r.state])), [
      'day', ['seq 1', true, false, 'sent'], ['seq 2', false, false, 'sent'], ['seq 3', true, false, 'sent'],
      'day', ['seq 4', true, true, 'sent'], ['ref r2', false, true, 'sending'],
    ]);
  },

  'rows have unique keys whatever metadata says'() {
    const c = new Conversation('lobby');
    const metadata = { ref: 'same' };
    c.load([1, 2, 3].map((seq) => message(seq, { sender_id: 'u_me', metadata })), false);
    const keys = rowsOf({ messages: c.messages, pending: [], me: 'u_me' }).map((r) => r.key);
    equal(new Set(keys).size, keys.length);
  },

  'people of one name are told apart'() {
    const names = new Names();
    names.set('u_3k5x7q', 'Ada');
    equal([names.of('u_3k5x7q'), names.of('u_unknown')], ['Ada', 'u_unknown']);
    names.set('u_9z8y7x', 'Ada');
    equal([names.of('u_3k5x7q'), names.of('u_9z8y7x')], ['Ada (3k5x)', 'Ada (9z8y)']);
    names.set('u_9z8y7x', 'Eve');
    equal([names.of('u_3k5x7q'), names.of('u_9z8y7x')], ['Ada', 'Eve']);
  },

  'names of rooms'() {
    for (const name of ['lobby', 'A-Z_0.9', 'x'.repeat(64), 'U_x']) {
      equal(roomProblem(name), '', name);
    }
    for (const name of ['', 'u_ada', 'a b', 'bücher', 'a/b', 'x'.repeat(65), 'a\n']) {
      equal(roomProblem(name) !== '', true, name);
    }
    equal([isRoom('lobby'), isRoom('u_ada')], [true, false]);
  },

  'text is counted and shown as people read it'() {
    equal(['', 'abc', '😀', 'é', 'e\u0301', '👨‍👩‍👧'].map(codePoints), [0, 3, 1, 1, 2, 5]);
    equal(['ada', '👨‍👩‍👧 x', 'éa', ''].map(initial), ['A', '👨‍👩‍👧', 'É', '?']);
    const now = new Date(2026, 2, 30, 0, 30).getTime();
    equal(formatDay(now - 1000, now), 'Today');
    equal(formatDay(new Date(2026, 2, 29, 0, 10).getTime(), now), 'Yesterday');
    equal(['Today', 'Yesterday'].includes(formatDay(new Date(2026, 2, 28, 23, 59).getTime(), now)), false);
  },
};
