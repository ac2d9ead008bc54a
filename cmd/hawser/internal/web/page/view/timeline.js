// The messages of the conversation that is shown, and scrolling through them.

import { el, List, setAttribute, setText } from './dom.js';
import { rowsOf } from './rows.js';
import { formatFull, formatTime, hue, initial } from './text.js';

const AT_END = 40; // pixels from the end that still count as being there
const NEAR_START = 300; // pixels from the start at which older messages are fetched
const KEEP = 500; // messages held while one looks at the end
const QUIET = 500; // milliseconds in which messages put in together are not read aloud

export class Timeline {
  #client;
  #log = document.getElementById('log');
  #status = document.getElementById('log-status');
  #jump = document.getElementById('jump');
  #list;
  #shown = null; // the conversation
  #loaded = false; // whether it was when it was last rendered
  #atEnd = true;
  #size = {}; // of the log when it was last scrolled to its end
  #lastSeen = 0; // the highest seq when one was last at the end
  #first = 0; // the lowest seq when it was last rendered
  #quietUntil = 0;

  constructor(client) {
    this.#client = client;
    this.#list = new List(document.getElementById('messages'), (row) => this.#make(row), (node, row) => this.#update(node, row));
    this.#log.addEventListener('scroll', () => this.#scrolled());
    this.#jump.addEventListener('click', () => {
      this.#atEnd = true;
      this.#scrollToEnd();
      this.#log.focus();
    });
    new ResizeObserver(() => this.#atEnd && this.#scrollToEnd()).observe(this.#log);
  }

  // follow makes the next render show the end, as after one has written something.
  follow() {
    this.#atEnd = true;
  }

  render() {
    const conversation = this.#client.current;
    if (!conversation) {
      this.#shown = null;
      this.#list.show([]);
      this.#jump.hidden = true;
      setText(this.#status, '');
      return;
    }
    const fresh = conversation !== this.#shown || conversation.loaded !== this.#loaded;
    if (fresh) {
      this.#atEnd = true;
    }
    if (this.#atEnd) {
      conversation.trim(KEEP);
    }
    // What is read aloud is what somebody says now, not a conversation that is
    // opened or what one scrolls up to.
    if (fresh || conversation.first !== this.#first) {
      this.#quietUntil = performance.now() + QUIET;
    }
    setAttribute(this.#log, 'aria-live', performance.now() < this.#quietUntil ? 'off' : 'polite');
    this.#shown = conversation;
    this.#loaded = conversation.loaded;
    this.#first = conversation.first;
    const rows = rowsOf(conversation, this.#client.pending(conversation), this.#client.me.user_id);
    this.#keepPlace(() => {
      this.#renderStatus(conversation);
      this.#list.show(rows);
    });
    this.#seen(conversation);
    this.#fillUp(conversation);
  }

  // keepPlace changes the list so that what one looks at stays where it is: the end
  // if one is there, else the first row in sight.
  #keepPlace(change) {
    const anchor = this.#atEnd ? null : this.#firstInSight();
    const before = anchor?.getBoundingClientRect().top;
    change();
    if (this.#atEnd) {
      this.#scrollToEnd();
    } else if (anchor?.isConnected) {
      this.#log.scrollTop += anchor.getBoundingClientRect().top - before;
    }
  }

  #firstInSight() {
    const top = this.#log.getBoundingClientRect().top;
    const rows = this.#log.querySelectorAll('#messages > li[data-key]');
    return [...rows].find((row) => row.getBoundingClientRect().bottom > top);
  }

  #scrollToEnd() {
    const { scrollHeight, clientHeight } = this.#log;
    this.#log.scrollTop = scrollHeight;
    this.#size = { scrollHeight, clientHeight };
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#log;
    const resized = scrollHeight !== this.#size.scrollHeight || clientHeight !== this.#size.clientHeight;
    if (this.#atEnd && resized) {
      this.#scrollToEnd(); // the end has moved, not the reader
    } else {
      this.#atEnd = scrollHeight - clientHeight - scrollTop < AT_END;
    }
    const conversation = this.#client.current;
    if (conversation) {
      this.#seen(conversation);
      this.#fillUp(conversation);
    }
  }

  // seen marks as read what is on the screen of somebody who looks at it, and says
  // how much is not.
  #seen(conversation) {
    if (this.#atEnd) {
      this.#lastSeen = conversation.head;
      if (document.visibilityState === 'visible' && conversation.loaded) {
        this.#client.markRead(conversation);
      }
    }
    const below = this.#atEnd ? 0 : conversation.head - this.#lastSeen;
    this.#jump.hidden = this.#atEnd;
    setText(this.#jump, below > 0 ? `↓ ${below} new` : '↓ Latest');
  }

  #fillUp(conversation) {
    if (this.#log.scrollTop < NEAR_START) {
      this.#client.loadOlder(conversation);
    }
  }

  #renderStatus(conversation) {
    const { error, loaded, complete, messages } = conversation;
    const nothing = messages.length === 0 && this.#client.pending(conversation).length === 0;
    if (error) {
      const again = el('button', { type: 'button', class: 'link', onclick: () => this.#client.reload(conversation) }, 'Try again');
      this.#status.replaceChildren(`${error} `, again);
    } else if (!loaded) {
      setText(this.#status, this.#client.state === 'online' ? 'Loading messages…' : 'Messages appear as soon as there is a connection.');
    } else if (nothing) {
      setText(this.#status, 'Nothing here yet. Say something!');
    } else {
      setText(this.#status, complete ? 'This is where the conversation begins.' : 'Loading older messages…');
    }
    setAttribute(this.#status, 'data-error', error ? '' : null);
    setAttribute(this.#status, 'aria-live', error ? 'polite' : 'off');
  }

  #make(row) {
    if (row.kind === 'day') {
      return el('li', { class: 'day', 'data-day': row.key }, el('span', {}));
    }
    const body = el('p', { class: 'body', dir: 'auto' });
    const time = el('time', { class: 'time' });
    const bubble = el('div', { class: 'bubble' }, body, time);
    const header = el('div', { class: 'sender' });
    const node = el('li', { class: 'message', 'data-key': row.key }, header, bubble);
    if (!row.mine) {
      const name = el('button', {
        type: 'button', class: 'name', dir: 'auto',
        onclick: () => this.#client.openPerson(row.sender),
      });
      header.append(el('span', { class: 'avatar', 'aria-hidden': 'true', 'data-hue': hue(row.sender) }), name);
    }
    return node;
  }

  #update(node, row) {
    if (row.kind === 'day') {
      setText(node.firstElementChild, row.label);
      return;
    }
    setAttribute(node, 'data-seq', row.seq ?? null);
    setAttribute(node, 'data-state', row.state);
    node.classList.toggle('mine', row.mine);
    node.classList.toggle('first', row.first);
    const name = this.#client.names.of(row.sender);
    this.#updateSender(node.querySelector('.sender'), row, name);
    setText(node.querySelector('.body'), row.content);
    this.#updateTime(node.querySelector('.time'), row.at);
    this.#updateDelivery(node, row);
  }

  #updateTime(time, at) {
    const iso = new Date(at).toISOString();
    if (time.dateTime !== iso) {
      time.dateTime = iso;
      time.title = formatFull(at);
      setText(time, formatTime(at));
    }
  }

  #updateSender(header, row, name) {
    if (row.mine) {
      setAttribute(header, 'class', 'sender visually-hidden');
      setText(header, 'You:');
      return;
    }
    // Rows that go on with the same sender show no name, but still say it.
    setAttribute(header, 'class', row.first ? 'sender' : 'sender visually-hidden');
    setText(header.firstElementChild, initial(name));
    setText(header.lastElementChild, name);
    setAttribute(header.lastElementChild, 'aria-label', `${name}, write privately`);
    setAttribute(header.lastElementChild, 'tabindex', row.first ? null : -1);
  }

  // updateDelivery shows whether a message of ours has arrived.
  #updateDelivery(node, row) {
    let delivery = node.querySelector('.delivery');
    if (row.state === 'sent') {
      delivery?.remove();
      return;
    }
    if (!delivery) {
      delivery = el('div', { class: 'delivery' });
      node.append(delivery);
    }
    const key = row.state + row.error;
    if (delivery.dataset.shows === key) {
      return;
    }
    delivery.dataset.shows = key;
    if (row.state === 'sending') {
      delivery.replaceChildren('Sending…');
      return;
    }
    delivery.replaceChildren(
      el('span', { role: 'alert' }, `Not sent: ${row.error} `),
      el('button', { type: 'button', class: 'link retry', onclick: () => this.#client.retry(row.ref) }, 'Retry'), ' ',
      el('button', { type: 'button', class: 'link discard', onclick: () => this.#client.discard(row.ref) }, 'Discard'),
    );
  }
}
