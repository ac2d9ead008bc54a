// The page's own document with its view in it, and a conversation that the test fills.

import { Conversation } from '/chat/conversation.js';
import { Names } from '/chat/names.js';
import { Timeline } from '/view/timeline.js';
import { equal, settle } from './check.js';

const me = { user_id: 'u_ada', name: 'Ada' };

// message is a stored message. Lengths differ, so that heights do.
export function message(seq, more = {}) {
  const content = `m${seq} ${'word '.repeat((seq * 7) % 40)}`;
  return { seq, sender_id: `u_${(seq >> 2) % 3}bob`, sender_name: 'Bob', content, server_ts: 1e12 + seq * 1000, ...more };
}

export const messages = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => message(from + i));

// furnish puts the page's own document in, without its scripts.
export async function furnish() {
  const html = await (await fetch('/')).text();
  const page = new DOMParser().parseFromString(html, 'text/html');
  page.querySelectorAll('script, link').forEach((element) => element.remove());
  document.body.replaceChildren(...page.body.childNodes);
  document.getElementById('app').hidden = false;
  document.getElementById('composer').hidden = false;
  const style = document.createElement('link');
  style.rel = 'stylesheet';
  style.href = '/style.css';
  document.head.querySelectorAll('link').forEach((element) => element.remove());
  const loaded = new Promise((resolve) => (style.onload = resolve));
  document.head.append(style);
  await loaded;
}

// unmoved compares what inSight returned. A place that falls between two pixels is
// rounded to one or the other, by the fonts and the engine.
export function unmoved(got, want, what) {
  const split = (places) => places.map((place) => place.split(' at '));
  equal(split(got).map(([seq]) => seq), split(want).map(([seq]) => seq), what);
  split(got).forEach(([seq, top], i) => {
    equal(Math.abs(top - split(want)[i][1]) <= 1, true, `${what}: ${seq} at ${top}, want ${want[i]}`);
  });
}

// Stage shows the end of a conversation of a number of messages. The others are brought
// when the view asks for them, at once unless late is set.
export class Stage {
  late = false;
  asked = false; // for older ones, while late
  opened = [];
  entries = [];

  static async open(n, held = Math.min(n, 500)) {
    const stage = new Stage();
    await furnish();
    stage.#begin(n, held);
    return stage;
  }

  #begin(n, held) {
    this.conversation = new Conversation('lobby');
    this.conversation.load(messages(n - held + 1, n), held < n);
    const stage = this;
    this.client = {
      me,
      names: new Names(),
      state: 'online',
      get current() {
        return stage.conversation;
      },
      pending: () => this.entries,
      markRead: (conversation) => (conversation.readTo = conversation.head),
      loadOlder: () => this.#loadOlder(),
      openPerson: (id) => this.opened.push(id),
      retry() {},
      discard() {},
      reload() {},
    };
    this.log = document.getElementById('log');
    this.list = document.getElementById('messages');
    this.timeline = new Timeline(this.client);
    this.timeline.render();
  }

  #loadOlder() {
    if (!this.conversation.complete && !this.asked) {
      this.asked = true;
      if (!this.late) {
        queueMicrotask(() => this.bringOlder());
      }
    }
  }

  // bringOlder brings the messages before the first one held.
  bringOlder(n = 50) {
    const { first } = this.conversation;
    const begin = Math.max(1, first - n);
    this.asked = false;
    this.conversation.prepend(messages(begin, first - 1), begin > 1);
    this.timeline.render();
  }

  // deliver brings messages, one render for each.
  deliver(...list) {
    for (const m of list) {
      this.conversation.deliver(m);
      this.timeline.render();
    }
  }

  // flood brings messages all at once.
  flood(list) {
    list.forEach((m) => this.conversation.deliver(m));
    this.timeline.render();
  }

  // inserted counts the rows that go into the document meanwhile.
  async inserted(work) {
    let inserted = 0;
    const observer = new MutationObserver((records) => records.forEach((r) => (inserted += r.addedNodes.length)));
    observer.observe(this.list, { childList: true });
    await work();
    await settle();
    observer.disconnect();
    return inserted;
  }

  get rows() {
    return [...this.list.querySelectorAll('.message')];
  }

  get seqs() {
    return this.rows.map((row) => Number(row.dataset.seq));
  }

  row(seq) {
    return this.list.querySelector(`[data-seq="${seq}"]`);
  }

  // scroll scrolls as a reader does, and returns when the page has seen it.
  async scroll(top) {
    const seen = new Promise((resolve) => this.log.addEventListener('scroll', resolve, { once: true }));
    const before = this.log.scrollTop;
    this.log.scrollTop = top;
    if (this.log.scrollTop !== before) {
      await seen;
    }
  }

  // scrollTo brings a message into sight, scrolling step by step.
  async scrollTo(seq) {
    for (let step = 0; !this.row(seq) && step < 1000; step++) {
      await this.scroll(seq < this.seqs[0] ? 0 : this.log.scrollHeight);
    }
    const y = this.row(seq).getBoundingClientRect().top - this.log.getBoundingClientRect().top;
    await this.scroll(this.log.scrollTop + y - 20);
  }

  // inSight returns the rows in sight, by the place of their text.
  get inSight() {
    const { top, bottom } = this.log.getBoundingClientRect();
    return this.rows.map((row) => [Number(row.dataset.seq), row.querySelector('.bubble').getBoundingClientRect()])
      .filter(([, box]) => box.bottom > top && box.top < bottom)
      .map(([seq, box]) => `${seq} at ${Math.round(box.top)}`);
  }

  get atEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.log;
    return scrollHeight - clientHeight - scrollTop < 2;
  }
}
