import { isBlank, isolate, Names } from '/chat/names.js';
import { Announcer } from '/view/announcer.js';
import { composes, el, List } from '/view/dom.js';
import { Excerpt } from '/view/excerpt.js';
import { rowsOf } from '/view/rows.js';
import { equal, World } from './check.js';

const message = (seq, more = {}) => ({ seq, sender_id: 'u_bob', content: `m${seq}`, server_ts: seq, ...more });
const messages = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => message(from + i));
const entries = (n) => Array.from({ length: n }, (_, i) => ({ ref: `r${i + 1}`, content: '', at: 0, state: 'sending' }));
const items = (keys) => [...keys].map((key) => ({ key }));

// Children is a List in the document, and what it did to its element.
class Children {
  element = el('ol', {});
  updates = 0;

  constructor(keys, refocus) {
    document.body.append(this.element);
    const make = ({ key }) => el('li', {}, el('button', { textContent: key }));
    this.list = new List(this.element, make, () => this.updates++, refocus);
    this.list.show(items(keys));
    this.updates = 0;
    this.observer = new MutationObserver(() => {});
    this.observer.observe(this.element, { childList: true, subtree: true });
  }

  // show returns how many nodes went in.
  show(list) {
    this.list.show(list);
    return this.observer.takeRecords().reduce((sum, record) => sum + record.addedNodes.length, 0);
  }

  get shown() {
    return [...this.element.children].map((child) => child.textContent).join('');
  }
}

export default {
  'a list touches nothing but what has changed'() {
    for (const [before, after, most] of [
      ['abcdef', 'abcdef', 0],
      ['abcdef', 'bcdefg', 1], // as a message comes and the oldest one goes
      ['abcdef', 'xabcdef', 1],
      ['abcdef', 'abxcdef', 1],
      ['abcdef', 'ef', 0],
      ['abcdef', 'fabcde', 1],
      ['abcdef', 'bcdefa', 2],
      ['abcdef', 'acbdef', 2],
      ['abcdef', 'uvwxyz', 6],
      ['abcdef', '', 0],
    ]) {
      const children = new Children(before);
      const inserted = children.show(items(after));
      equal([children.shown, inserted <= most], [after, true], `${before} → ${after}: ${inserted} insertions`);
      equal(children.updates, [...after].filter((key) => !before.includes(key)).length, `${before} → ${after}: updates`);
    }
  },

  'any list becomes any other'() {
    const seed = Math.floor(Math.random() * 2 ** 31);
    let state = seed;
    const random = (n) => (state = (state * 48271 + 11) % 2147483647) % n;
    const children = new Children('');
    for (let round = 0; round < 300; round++) {
      const keys = [...'abcdefghij'].filter(() => random(3) > 0);
      keys.sort(() => random(3) - 1);
      children.show(items(keys));
      equal(children.shown, keys.join(''), `seed ${seed}, round ${round}`);
    }
  },

  'an item that changes is brought up to date, once'() {
    const children = new Children('ab');
    children.show([{ key: 'a', unread: 1 }, { key: 'b' }]);
    children.show([{ key: 'a', unread: 1 }, { key: 'b' }]);
    equal(children.updates, 1);
    children.show([{ key: 'a' }, { key: 'b' }]);
    equal(children.updates, 2, 'a field that is gone');
  },

  'an item that gets another key keeps its element'() {
    const children = new Children('ab');
    const node = children.element.lastElementChild;
    equal(children.show([{ key: 'a' }, { key: 'c', formerKey: 'b' }]), 0);
    equal(children.element.lastElementChild === node, true);
    equal(children.list.item(node), { key: 'c', formerKey: 'b' });
    // Two that name the same former key are still two.
    equal(children.show([{ key: 'd', formerKey: 'c' }, { key: 'e', formerKey: 'c' }]), 1);
    equal(children.element.children.length, 2);
  },

  'focus stays with its item, or goes to a neighbour'() {
    const children = new Children('abc');
    const focus = (place) => children.element.children[place].firstElementChild.focus();
    focus(0);
    children.show(items('cba'));
    equal(document.activeElement.textContent, 'a', 'it was moved');
    focus(1);
    children.show(items('ca'));
    equal(document.activeElement.textContent, 'a', 'the next one');
    children.show(items('c'));
    equal(document.activeElement.textContent, 'c', 'the one before');
    children.show([]);
    equal(document.activeElement === children.element, true, 'the list, if it is empty');
    let lost = null;
    const other = new Children('ab', (place) => (lost = place));
    other.element.lastElementChild.firstElementChild.focus();
    other.show(items('a'));
    equal(lost, 1);
  },

  'an excerpt has a bounded length, whatever is held'() {
    const excerpt = new Excerpt(() => 200);
    const held = messages(1, 10_000);
    excerpt.end(held, entries(5));
    equal([excerpt.from, excerpt.to, excerpt.complete], [9805, 10_005, true]);
    let steps = 0;
    while (excerpt.older()) {
      steps++;
      equal(excerpt.to - excerpt.from <= 200, true);
    }
    equal([excerpt.from, excerpt.to, excerpt.complete, steps], [0, 200, false, 197]);
    while (excerpt.newer()) {
      equal(excerpt.to - excerpt.from <= 200, true);
    }
    equal([excerpt.from, excerpt.to, excerpt.complete], [9805, 10_005, true]);
    excerpt.end(messages(1, 3), entries(400));
    equal([excerpt.from, excerpt.to], [203, 403], 'written without a connection');
    excerpt.end([], []);
    equal([excerpt.from, excerpt.to, excerpt.complete], [0, 0, true]);
  },

  'an excerpt stays where it is'() {
    const excerpt = new Excerpt(() => 200);
    const held = messages(1001, 1050);
    excerpt.end(held, []);
    held.unshift(...messages(951, 1000)); // older ones
    held.push(...messages(1051, 1053)); // newer ones
    excerpt.stay(held, [], null);
    equal([excerpt.from, excerpt.to, excerpt.complete], [50, 100, false]);
    excerpt.newer();
    equal([excerpt.from, excerpt.to, excerpt.complete], [50, 103, true]);

    // What one has written is found again when it has arrived.
    const pending = entries(3);
    excerpt.end(messages(1, 10), pending);
    const arrived = message(11, { metadata: { ref: 'r3' } });
    excerpt.stay([...messages(1, 10), arrived, message(12)], pending.slice(0, 2), null);
    equal(excerpt.to, 11);
  },

  'what closes a gap does not make an excerpt longer than it may be'() {
    const excerpt = new Excerpt(() => 200);
    excerpt.end([...messages(1, 100), message(5000)], []);
    excerpt.stay(messages(1, 5000), [], 'seq 50');
    equal([excerpt.from, excerpt.to], [0, 200]);
    excerpt.end([...messages(1, 100), message(5000)], []);
    excerpt.stay(messages(1, 5000), [], 'seq 5000');
    equal([excerpt.from, excerpt.to], [4800, 5000]);
  },

  'a row is the same wherever its part begins'() {
    const at = (seq) => new Date(2026, 2, 1 + Math.floor(seq / 7), 12, seq).getTime();
    const held = messages(1, 30).map((m) => ({ ...m, server_ts: at(m.seq), sender_id: `u_${m.seq % 5 > 2}` }));
    const all = rowsOf({ messages: held, pending: entries(2), me: 'u_me' });
    for (let from = 0; from < 32; from++) {
      const part = rowsOf({ messages: held, pending: entries(2), me: 'u_me', from, to: 32 });
      equal(part, all.slice(-part.length), `from ${from}`);
      equal(part.filter((row) => row.kind === 'message').length, 32 - from);
    }
  },

  'a busy room is announced by number'() {
    const world = new World();
    const region = el('div', {});
    const announcer = new Announcer(region, world);
    const said = () => [...region.children].map((line) => line.textContent);
    announcer.announce(['Bob: one', 'Eve: two']);
    equal(said(), ['Bob: one', 'Eve: two']);
    for (let i = 0; i < 30; i++) { // 100 messages a second for 30 s
      announcer.announce(Array.from({ length: 100 }, (_, n) => `Bob: ${i} ${n}`));
      world.pass(1000);
    }
    equal(said().length, 10, 'lines that stay');
    equal(said().slice(-2), ['Bob: 27 0', '299 more messages'], 'two lines in three seconds');
    equal(said()[0], 'Bob: 15 0');
    announcer.announce(['Bob: quiet again']);
    equal(said().at(-1), 'Bob: quiet again');
    announcer.announce(Array.from({ length: 10 }, () => 'x'));
    announcer.clear();
    world.pass(60_000);
    equal(said(), [], 'another conversation');
  },

  'a key of an input method is known in every order of events'() {
    const key = (more) => composes(new KeyboardEvent('keydown', { key: 'Enter', ...more }));
    equal(key({ isComposing: true, keyCode: 229 }), true, 'before the end of the composition: Chromium, Firefox');
    equal(key({ isComposing: false, keyCode: 229 }), true, 'after it: Safari');
    equal(key({ isComposing: true, keyCode: 13 }), true);
    equal(key({ isComposing: false, keyCode: 13 }), false, 'an Enter of its own');
  },

  'text of another direction leaves the text around it alone'() {
    const [LRI, RLO, PDF, RLM] = ['\u2066', '\u202e', '\u202c', '\u200f'];
    for (const text of ['', 'Ada', 'Zoë 漢字 😀', 'e\u0301']) {
      equal(isolate(text), text, 'nothing to isolate');
    }
    for (const [text, inner] of [
      ['שלום', 'שלום'],
      ['عمر', 'عمر'],
      [`${RLO}evil`, `${RLO}evil`],
      [`a${PDF}b`, `a${PDF}b`],
      [`a${RLM}`, `a${RLM}`],
      ['a\u2069b', 'ab'], // would end the isolation before its time
      ['\u2069\u2069שלום\u2069', 'שלום'],
      [`${LRI}a\u2069\u2069b`, `${LRI}a\u2069b`],
      [`${LRI}${LRI}a`, `${LRI}${LRI}a\u2069\u2069`], // would not let it end
      ['ש\nל\u2029ו', 'ש ל ו'], // ends a paragraph, and all that is open in it
      ['\u{1e900}', '\u{1e900}'],
    ]) {
      equal([...isolate(text)].map(escape), [...`\u2068${inner}\u2069`].map(escape), escape(text));
    }
  },

  'people whose names look the same are told apart'() {
    const names = new Names();
    const look = (...list) => {
      list.forEach((name, i) => names.set(`u_${i}abc`, name));
      return list.map((_, i) => names.parts(`u_${i}abc`).tag !== '');
    };
    equal(look('Ada', 'Eve'), [false, false]);
    for (const other of ['Ada', 'ada', 'A\u200bda', 'Ada\u3164', '\u202eAda', 'Ada\ufe0f', 'Ａda', 'Ada\u00a0', 'A\u0064a']) {
      equal(look('Ada', other), [true, true], escape(other));
    }
    equal([names.of('u_0abc'), names.parts('u_0abc')], ['Ada (0abc)', { name: 'Ada', tag: '(0abc)' }]);
    names.set('u_1abc', '\u202eAda');
    equal(escape(names.of('u_1abc')), escape('\u2068\u202eAda\u2069 (1abc)'), 'the tag stands outside');
    names.set('u_2abc', '\u3164\u2800\u200d');
    equal(names.parts('u_2abc'), { name: 'u_2abc', tag: '' }, 'a name that nobody can see');
    names.set('u_3abc', '👩‍👩‍👧');
    equal(names.parts('u_3abc'), { name: '👩‍👩‍👧', tag: '' });
  },

  'names tell how often they changed'() {
    const names = new Names();
    names.set('u_1', 'Ada');
    names.set('u_1', 'Ada');
    names.set('u_1', '');
    equal(names.changes, 1);
    names.set('u_1', 'Eve');
    equal([names.changes, names.get('u_1')], [2, 'Eve']);
  },

  'a text without anything to see is blank'() {
    for (const text of ['', ' ', ' \n\t ', '\u200b\u200d', '\u3164', '\u2800', '\u00a0\ufeff', '\u202e\u2069', '\u{e0020}']) {
      equal(isBlank(text), true, escape(text));
    }
    for (const text of ['.', ' a ', '❤️', '\u0301', '\ud83d\ude00', '\u{1f1e9}', '\u{1fae9}', '\u{10ffff}']) {
      equal(isBlank(text), false, escape(text));
    }
  },
};
