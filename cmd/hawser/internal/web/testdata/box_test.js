// Whatever a name or a message contains stays inside its box and leaves what stands
// around it alone, wherever it is shown. P06

import { Client } from '/chat/client.js';
import { isBlank } from '/chat/names.js';
import { Chat } from '/view/chat.js';
import { equal } from './check.js';
import { furnish } from './stage.js';

const texts = {
  'right to left': 'שלום עולם',
  'both directions': 'abc שלום 123 مرحبا xyz',
  'an override': '\u202egnp.exe',
  'embeddings that stay open': '\u202a\u202b\u202d\u202e text',
  'isolates that stay open': '\u2066\u2067\u2068 text',
  'isolates closed too often': '\u2069\u2069\u2069\u202c\u202c text',
  'marks of direction': '\u200f\u061ctext\u200e!',
  'a stack of marks': `a${'\u0301\u0316\u20d2'.repeat(9)}`,
  'marks alone': '\u0300'.repeat(500),
  'marks above and below': [...'tower'].map((c) => c + '\u030d\u0320'.repeat(12)).join(''),
  'no space': 'W'.repeat(500),
  'no place to break': 'a\u2060'.repeat(250),
  'spaces that do not break': '\u00a0x'.repeat(250),
  'wide signs': '\ufdfd'.repeat(100),
  'wider signs': '\u{1242b}'.repeat(100),
  'one emoji of hundreds': `👩${'\u200d👩'.repeat(200)}`,
  'emoji': '👨‍👩‍👧🏳️‍🌈🇩🇪'.repeat(20),
  'fillers': `a${'\u3164\u115f\u2800'.repeat(30)}b`,
  'nothing to see': '\u3164\u200b\u2060',
  'tabs': 'a\tb\t\tc',
  'spaces at its ends': '   a  b   ',
  'lines': 'a\n\nb\n',
  'line and paragraph separators': 'a\u2028b\u2029c\u0085d',
  'line breaks': '\n'.repeat(499) + 'a',
  'variants': 'a\ufe0f\ufe0e\u{e0101}',
  'tags': `a${'\u{e0061}'.repeat(60)}`,
  'markup': '<img src=x><b>&amp;</b>',
};
const names = Object.entries(texts).map(([what, text]) => [what, [...text.replace(/\s+/g, ' ').trim()].slice(0, 32).join('')]);

// wait waits for the frame in which the page shows what has changed: it has asked first.
const wait = () => new Promise((resolve) => requestAnimationFrame(resolve));

// open shows the page with a room, and people in it who have names and one text each.
async function open(people) {
  last.onchange = () => {}; // the page that was there before is gone
  await furnish();
  const memory = { load: () => null, save() {}, remove() {}, keys: () => [] };
  const connection = { state: 'online', send() {} };
  const client = new Client({ me: { user_id: 'u_me', name: 'Ada' }, connection, memory });
  const room = client.conversations.open('lobby');
  people.forEach(({ id, name }) => client.names.set(id, name));
  room.load(people.map(({ id, name, text }, i) =>
    ({ seq: i + 1, sender_id: id, sender_name: name, content: text, server_ts: 1e12 + i * 1e6 })), false);
  room.members = new Map(people.map(({ id, name }) => [id, name]));
  people.forEach(({ id }) => (client.conversations.open(id).online = true));
  client.conversations.current = room;
  const chat = new Chat(client, { reconnect() {}, openProfile() {} });
  client.onchange = () => chat.render();
  last = client;
  return client;
}

let last = {};

const within = (inner, outer) => {
  const [a, b] = [inner.getBoundingClientRect(), outer.getBoundingClientRect()];
  return a.left >= b.left - 1 && a.right <= b.right + 1;
};
const clips = (element) => {
  const { overflowX, overflowY } = getComputedStyle(element);
  return [overflowX, overflowY].every((value) => value === 'clip' || value === 'hidden');
};
const isolates = (element) => getComputedStyle(element).unicodeBidi.includes('isolate');

// A text without elements must close what it opens: nothing before or after it may be
// turned round.
function balanced(text) {
  let [depth, outside] = [0, ''];
  for (const character of text) {
    depth += /[\u2066-\u2068]/.test(character) ? 1 : 0;
    outside += depth === 0 ? character : '';
    depth -= character === '\u2069' ? 1 : 0;
    if (depth < 0) {
      return false;
    }
  }
  return depth === 0 && !/[\u0590-\u08ff\u200f\u202a-\u202e\u2069\n]/.test(outside);
}

export default {
  async 'messages stay in their box, as they were typed'() {
    const kinds = Object.entries(texts);
    await open(kinds.map(([, text], i) => ({ id: `u_${i}`, name: `Bob ${i}`, text })));
    const log = document.getElementById('log');
    equal([log.scrollWidth <= log.clientWidth, document.documentElement.scrollWidth <= innerWidth], [true, true]);
    for (const [i, [what, text]] of kinds.entries()) {
      const row = document.querySelector(`[data-seq="${i + 1}"]`);
      const [bubble, body, time] = ['.bubble', '.body', '.time'].map((selector) => row.querySelector(selector));
      equal(body.textContent, text, what);
      equal(getComputedStyle(body).whiteSpace.includes('pre-wrap'), true, 'spaces are shown');
      equal([within(bubble, row), within(body, bubble), within(time, bubble)], [true, true, true], what);
      equal([clips(bubble), isolates(body), getComputedStyle(time).direction], [true, true, 'ltr'], what);
    }
  },

  async 'names stay in their box, everywhere'() {
    const people = names.map(([, name], i) => ({ id: `u_${i}abc`, name, text: 'Hello' }));
    const client = await open(people);
    const holders = (id) => [
      document.querySelector(`#members [data-id="${id}"] .label`),
      document.querySelector(`#people [data-id="${id}"] .label`),
      document.querySelector(`[data-seq="${Number(id.slice(2, -3)) + 1}"] .name`),
      document.querySelector('#title > span'),
    ];
    for (const [i, [what, name]] of names.entries()) {
      const { id } = people[i];
      client.openPerson(id);
      await wait();
      const shown = isBlank(name) ? id : name;
      equal(document.querySelector('#title .who').textContent, shown, what);
      equal([balanced(document.title), document.title.endsWith(' · hawser')], [true, true], what);
      const field = document.getElementById('text');
      equal([balanced(field.placeholder), balanced(field.ariaLabel)], [true, true], what);
      equal(document.documentElement.scrollWidth <= innerWidth, true, what);
      client.select(client.conversations.get('lobby'));
      await wait();
      for (const holder of holders(id).slice(0, 3)) {
        const who = holder.querySelector('.who');
        equal(who.textContent, shown, what);
        equal([within(who, holder), isolates(who), clips(who) || clips(holder)], [true, true, true], `${what} in ${holder.className}`);
        equal(within(holder, holder.closest('li')), true, `${what} in ${holder.className}`);
      }
      equal(balanced(document.querySelector(`[data-seq="${i + 1}"] .name`).ariaLabel), true, what);
      for (const letter of document.querySelectorAll(`[data-id="${id}"] .initial`)) {
        equal([clips(letter), within(letter, letter.parentElement)], [true, true], what);
      }
    }
  },

  async 'what tells two people apart is always in sight'() {
    for (const [what, name] of names) {
      if (isBlank(name)) {
        continue; // they go by their ids
      }
      const people = ['u_1abc', 'u_2abc'].map((id) => ({ id, name, text: 'Hello' }));
      const client = await open(people);
      client.openPerson('u_2abc');
      await wait();
      const tags = [...document.querySelectorAll('#title .tag, #people .tag')];
      equal(tags.map((tag) => tag.textContent).sort(), [' (1abc)', ' (2abc)', ' (2abc)'], what);
      for (const tag of tags) {
        const box = tag.getBoundingClientRect();
        const who = tag.previousElementSibling.getBoundingClientRect();
        equal([box.width > 20, box.left >= who.right - 1, within(tag, tag.parentElement)], [true, true, true], what);
      }
      equal([document.title.endsWith(' (2abc) · hawser'), balanced(document.title)], [true, true], `${what}: ${escape(document.title)}`);
    }
  },

  async 'a text arrives exactly as typed, and the limit is said before'() {
    const client = await open([{ id: 'u_1', name: 'Bob', text: 'Hello' }]);
    const sent = [];
    client.send = (conversation, content) => sent.push(content);
    const [field, form] = [document.getElementById('text'), document.getElementById('composer')];
    const status = (id) => document.getElementById(id).textContent;
    const send = (text) => {
      field.value = text;
      field.dispatchEvent(new Event('input'));
      form.requestSubmit();
      return sent.pop();
    };
    for (const text of [...Object.values(texts).map((t) => [...t].slice(0, 500).join('')), ' a', 'a ', '\na\n', '😀'.repeat(500), 'e\u0301', 'é', 'ﬁ', 'Å']) {
      if (!isBlank(text)) {
        equal(send(text), text);
        equal([field.value, status('composer-error')], ['', '']);
      }
    }
    for (const text of [' ', '\n', '\u3164', '\u200b']) {
      equal([send(text), field.value, status('composer-error') !== ''], [undefined, text, true], escape(text));
    }
    field.value = '';
    client.limits = { content_code_points: 500 };
    const said = [399, 400, 450, 480, 500, 501].map((n) => {
      field.value = '😀'.repeat(n);
      field.dispatchEvent(new Event('input'));
      return [status('counter'), status('composer-limit')];
    });
    equal(said, [
      ['', ''], ['', '100 characters left.'], ['50', '100 characters left.'], ['20', '20 characters left.'],
      ['0', '0 characters left.'], ['-1', '0 characters left.'],
    ]);
    form.requestSubmit();
    equal([sent.length, field.value.length, status('composer-error')], [0, 1002, 'This is 1 character too long.']);
    for (const limits of [{ content_code_points: 501 }, { content_code_points: 0 }, {}]) { // as the server says
      client.limits = limits;
      equal([...send('😀'.repeat(501))].length, 501, JSON.stringify(limits));
    }
  },

  // The orders of events are those of the engines; P04 with real input methods is
  // tested on the whole page.
  async 'nothing is sent while a text is being composed'() {
    const client = await open([{ id: 'u_1', name: 'Bob', text: 'Hello' }]);
    const sent = [];
    client.send = (conversation, content) => sent.push(content);
    const field = document.getElementById('text');
    const enter = (more) => field.dispatchEvent(
      new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, keyCode: 13, ...more }));
    const composition = (type) => field.dispatchEvent(new CompositionEvent(type, { bubbles: true, data: field.value }));
    const orders = {
      'Chromium and Firefox': () => {
        const own = enter({ keyCode: 229, isComposing: true });
        composition('compositionend');
        return own;
      },
      'Safari': () => {
        composition('compositionend');
        return enter({ keyCode: 229, isComposing: false });
      },
      'an input method that says Process': () => {
        const own = enter({ key: 'Process', keyCode: 229, isComposing: true });
        composition('compositionend');
        return own;
      },
    };
    for (const [engine, order] of Object.entries(orders)) {
      composition('compositionstart');
      field.value = 'にほんご';
      field.dispatchEvent(new InputEvent('input', { isComposing: true }));
      equal([order(), sent, field.value], [true, [], 'にほんご'], engine);
      enter({});
      equal([sent.pop(), field.value], ['にほんご', ''], `${engine}: the next Enter`);
    }
    enter({ shiftKey: true });
    equal(sent, []);
  },

  async 'Escape that ends a composition does not close a panel'() {
    await open([{ id: 'u_1', name: 'Bob', text: 'Hello' }]);
    const panel = document.getElementById('sidebar');
    document.getElementById('menu').click();
    const escape = (more) => panel.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', ...more }));
    escape({ keyCode: 229 });
    escape({ isComposing: true });
    equal(panel.classList.contains('open'), true);
    escape({ keyCode: 27 });
    equal(panel.classList.contains('open'), false);
  },
};
