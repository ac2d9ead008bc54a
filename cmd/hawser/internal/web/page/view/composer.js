// Where one writes.

import { setAttribute, setText } from './dom.js';
import { codePoints, count } from './text.js';

const COUNTER_FROM = 100; // code points left at which the counter appears

export class Composer {
  #client;
  #sent;
  #form = document.getElementById('composer');
  #text = document.getElementById('text');
  #counter = document.getElementById('counter');
  #error = document.getElementById('composer-error');
  #drafts = new WeakMap(); // conversation → text
  #conversation = null;

  // sent is called before something is sent.
  constructor(client, sent) {
    this.#client = client;
    this.#sent = sent;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#text.addEventListener('keydown', (event) => {
      // An Enter that ends a composition of Japanese, say, is not ours.
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.#submit();
      }
    });
    this.#text.addEventListener('input', () => {
      setText(this.#error, '');
      this.#measure();
    });
  }

  focus() {
    this.#text.focus();
  }

  render() {
    const conversation = this.#client.current;
    if (conversation !== this.#conversation) {
      if (this.#conversation) {
        this.#drafts.set(this.#conversation, this.#text.value);
      }
      this.#conversation = conversation;
      this.#text.value = (conversation && this.#drafts.get(conversation)) ?? '';
      setText(this.#error, '');
      this.#form.hidden = !conversation;
      this.#measure();
    }
    if (conversation) {
      const to = conversation.isRoom ? `#${conversation.id}` : this.#client.names.of(conversation.id);
      setAttribute(this.#text, 'placeholder', `Message ${to}`);
      setAttribute(this.#text, 'aria-label', `Message ${to}`);
    }
  }

  // left returns how many code points may still be written.
  #left() {
    const limit = this.#client.limits.content_code_points || Infinity;
    return limit - codePoints(this.#text.value.trim());
  }

  #measure() {
    const left = this.#left();
    setText(this.#counter, left < COUNTER_FROM ? String(left) : '');
    setAttribute(this.#counter, 'title', left < COUNTER_FROM ? 'characters left' : null);
    setAttribute(this.#text, 'aria-invalid', left < 0 ? 'true' : null);
    // Grow with the text, up to what the style sheet allows.
    this.#text.style.height = 'auto';
    this.#text.style.height = `${this.#text.scrollHeight + 2}px`;
  }

  #submit() {
    const content = this.#text.value.trim();
    if (!content || !this.#conversation) {
      return;
    }
    const left = this.#left();
    if (left < 0) {
      setText(this.#error, `This is ${count(-left, 'character', 'characters')} too long.`);
      return;
    }
    this.#sent();
    this.#client.send(this.#conversation, content.toWellFormed?.() ?? content);
    this.#text.value = '';
    this.#measure();
    this.focus();
  }
}
