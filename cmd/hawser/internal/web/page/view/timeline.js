// The messages of the conversation that is shown, and scrolling through them.

import { Announcer } from './announcer.js';
import { el, List, setAttribute, setText } from './dom.js';
import { Excerpt, lowerBound } from './excerpt.js';
import { makeRow, updateRow } from './message.js';
import { Place } from './place.js';
import { rowsOf } from './rows.js';

const HELD = 500; // messages held while one looks at the end
const SLACK = 100; // and dropped at once, when there are so many more
const ROWS = 200; // messages in the document, more only where they would not fill it
const LOWEST = 20; // pixels that a message takes up at least, in the smallest type

export class Timeline {
  #client;
  #log = document.getElementById('log');
  #status = document.getElementById('log-status');
  #jump = document.getElementById('jump');
  #messages = document.getElementById('messages');
  #announcer = new Announcer(document.getElementById('announcements'));
  #list;
  #place;
  #excerpt = new Excerpt(() => Math.max(ROWS, Math.ceil((4 * this.#log.clientHeight) / LOWEST)));
  #shown = null; // the conversation
  #history = null; // its messages: another array after it was reset
  #loaded = false; // whether it was when it was last rendered
  #lastSeen = 0; // the highest seq when one was last at the end
  #announced = 0; // the highest seq that was read aloud, or need not be

  constructor(client) {
    this.#client = client;
    const actions = {
      openPerson: (id) => client.openPerson(id),
      retry: (ref) => {
        client.retry(ref);
        this.#focus(); // the button is gone
      },
      discard: (ref) => client.discard(ref),
    };
    const make = (row) => makeRow(row, actions);
    const update = (node, row) => updateRow(node, row, actions);
    this.#list = new List(this.#messages, make, update, () => this.#focus());
    this.#place = new Place(this.#log, this.#messages, (row) => row.querySelector('.bubble') ?? row);
    this.#log.addEventListener('scroll', () => this.#scrolled());
    this.#log.addEventListener('keydown', (event) => {
      if (event.key === 'End' && event.target === this.#log) {
        event.preventDefault(); // the browser's end is that of the rows it knows
        this.#toEnd();
      }
    });
    this.#jump.addEventListener('click', () => {
      this.#toEnd();
      this.#focus();
    });
    const observer = new ResizeObserver(() => this.#place.resize());
    observer.observe(this.#log);
    observer.observe(this.#messages);
  }

  // follow makes the next render show the end, as after one has written something.
  follow() {
    this.#place.follow();
  }

  // read marks as read what is on the screen of somebody who looks at it.
  read() {
    const conversation = this.#client.current;
    if (conversation && this.#place.atEnd && !this.#isOther(conversation)) {
      this.#lastSeen = conversation.head;
      if (document.visibilityState === 'visible' && conversation.loaded) {
        this.#client.markRead(conversation);
      }
    }
  }

  render() {
    const conversation = this.#client.current;
    if (!conversation) {
      this.#begin(null);
      this.#jump.hidden = true;
      setText(this.#status, '');
      return;
    }
    if (this.#isOther(conversation)) {
      this.#begin(conversation);
    }
    this.#place.look(this.#excerpt.complete);
    if (this.#place.atEnd && conversation.messages.length > HELD + SLACK) {
      conversation.trim(HELD);
    }
    this.#renderStatus(conversation);
    const pending = this.#client.pending(conversation);
    if (this.#place.atEnd) {
      this.#excerpt.end(conversation.messages, pending);
    } else {
      this.#excerpt.stay(conversation.messages, pending, this.#place.key);
    }
    this.#show(conversation, pending);
    this.#fill(conversation, pending);
    this.#announce(conversation);
    this.read();
    this.#renderJump(conversation);
  }

  // isOther says whether a conversation is not the one that is shown, or not as it was.
  #isOther(conversation) {
    return conversation !== this.#shown || conversation.messages !== this.#history || conversation.loaded !== this.#loaded;
  }

  // begin shows another conversation. Its rows have the keys of the former one's.
  #begin(conversation) {
    this.#shown = conversation;
    this.#history = conversation?.messages;
    this.#loaded = conversation?.loaded;
    this.#announced = Infinity; // until it is known what was there before
    this.#announcer.clear();
    this.#list.show([]);
    this.#place.follow();
  }

  // show brings the rows of the excerpt into the document.
  #show(conversation, pending) {
    const { messages } = conversation;
    const { from, to } = this.#excerpt;
    const { me, names } = this.#client;
    const rows = rowsOf({ messages, pending, me: me.user_id, from, to });
    for (const row of rows) {
      if (row.kind === 'message' && !row.mine) {
        Object.assign(row, names.parts(row.sender), { fullName: names.of(row.sender) });
      }
    }
    this.#list.show(this.#withFocused(rows, pending));
    this.#place.restore();
  }

  // withFocused adds the row that has the keyboard's focus, if it would go: whoever
  // works with the keyboard would be thrown back to the beginning of the page.
  #withFocused(rows, pending) {
    const node = document.activeElement?.closest('#messages > .message');
    const row = node && this.#list.item(node);
    const there = row && rows.some((r) => r.key === row.key || r.formerKey === row.key);
    const exists = row && (row.state === 'sent' || pending.some((entry) => entry.ref === row.ref));
    if (!row || there || !exists) {
      return rows;
    }
    const first = rows.find((r) => r.kind === 'message');
    const before = row.state === 'sent' && (first?.seq ?? Infinity) > row.seq;
    return before ? [row, ...rows] : [...rows, row];
  }

  // fill moves the excerpt, and fetches messages, so that one can scroll on.
  #fill(conversation, pending) {
    const near = this.#log.clientHeight;
    for (let step = 0; step < 4 && !this.#place.atEnd; step++) {
      if (!(this.#place.above < near && this.#excerpt.older()) && !(this.#place.below < near && this.#excerpt.newer())) {
        break;
      }
      this.#show(conversation, pending);
    }
    if (this.#place.above < near && this.#excerpt.from === 0) {
      this.#client.loadOlder(conversation);
    }
  }

  #toEnd() {
    this.follow();
    this.render();
    this.read();
  }

  #focus() {
    this.#log.focus({ preventScroll: true });
  }

  #scrolled() {
    const conversation = this.#client.current;
    this.#place.resize();
    if (conversation && !this.#isOther(conversation) && this.#place.look(this.#excerpt.complete)) {
      this.#fill(conversation, this.#client.pending(conversation));
      this.read();
      this.#renderJump(conversation);
    }
  }

  // announce reads aloud what others say now, and neither a conversation that is opened
  // nor what one scrolls to.
  #announce({ messages, held, loaded }) {
    if (!loaded || this.#announced === Infinity || document.visibilityState !== 'visible') {
      this.#announced = loaded ? held : Infinity;
      return;
    }
    const { me, names } = this.#client;
    const fresh = messages.slice(lowerBound(messages, this.#announced + 1), lowerBound(messages, held + 1));
    this.#announced = Math.max(this.#announced, held);
    this.#announcer.announce(fresh.filter((m) => m.sender_id !== me.user_id)
      .map((m) => `${names.of(m.sender_id)}: ${m.content}`));
  }

  // renderJump says how much is not on the screen.
  #renderJump(conversation) {
    const below = this.#place.atEnd ? 0 : conversation.head - this.#lastSeen;
    this.#jump.hidden = this.#place.atEnd;
    setText(this.#jump, below > 0 ? `↓ ${below} new` : '↓ Latest');
  }

  #renderStatus(conversation) {
    const { error, loaded, complete, messages, begin } = conversation;
    const nothing = messages.length === 0 && this.#client.pending(conversation).length === 0;
    const focused = this.#status.contains(document.activeElement);
    if (error) {
      if (this.#status.dataset.error !== error) {
        const again = el('button', { type: 'button', class: 'link', onclick: () => this.#client.reload(conversation) }, 'Try again');
        this.#status.replaceChildren(el('bdi', {}, error), ' ', again);
      }
    } else if (!loaded) {
      setText(this.#status, this.#client.state === 'online' ? 'Loading messages…' : 'Messages appear as soon as there is a connection.');
    } else if (complete && begin > 1) {
      setText(this.#status, 'Older messages are no longer kept.');
    } else if (nothing) {
      setText(this.#status, 'Nothing here yet. Say something!');
    } else {
      setText(this.#status, complete ? 'This is where the conversation begins.' : 'Loading older messages…');
    }
    setAttribute(this.#status, 'data-error', error || null);
    setAttribute(this.#status, 'aria-live', error ? 'polite' : 'off');
    if (focused && !this.#status.contains(document.activeElement)) {
      this.#focus();
    }
  }
}
