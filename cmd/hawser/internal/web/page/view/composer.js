// Where one writes.

import { isBlank } from '../chat/names.js';
import { composes, setAttribute, setText } from './dom.js';
import { codePoints, count } from './text.js';

const COUNTER_FROM = 100; // code points left at which the counter appears
const SAID_AT = [COUNTER_FROM, 20, 0]; // and at which their number is read aloud

export class Composer {
  #client;
  #sent;
  #form = document.getElementById('composer');
  #text = document.getElementById('text');
  #counter = document.getElementById('counter');
  #error = document.getElementById('composer-error');
  #limit = document.getElementById('composer-limit');
  #said; // of SAID_AT, the one last passed
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
      if (event.key === 'Enter' && !event.shiftKey && !composes(event)) {
        event.preventDefault();
        this.#submit();
      }
    });
    this.#text.addEventListener('input', () => {
      setText(this.#error, '');
      this.#measure();
      this.#client.saveDraft(this.#conversation, this.#text.value);
    });
  }

  focus() {
    this.#text.focus();
  }

  render() {
    const conversation = this.#client.current;
    if (conversation !== this.#conversation) {
      this.#conversation = conversation;
      this.#text.value = conversation ? this.#client.draft(conversation) : '';
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
    return limit - codePoints(this.#text.value);
  }

  #measure() {
    const left = this.#left();
    setText(this.#counter, left < COUNTER_FROM ? String(left) : '');
    setAttribute(this.#counter, 'title', left < COUNTER_FROM ? 'characters left' : null);
    setAttribute(this.#text, 'aria-invalid', left < 0 ? 'true' : null);
    const passed = SAID_AT.filter((n) => left <= n).at(-1);
    if (passed !== this.#said) {
      this.#said = passed;
      setText(this.#limit, passed === undefined ? '' : remaining(left));
    }
    // Grow with the text, up to what the style sheet allows.
    this.#text.style.height = 'auto';
    this.#text.style.height = `${this.#text.scrollHeight + 2}px`;
  }

  #submit() {
    const content = this.#text.value; // exactly as typed, spaces at its ends, too
    if (!content || !this.#conversation) {
      return;
    }
    const left = this.#left();
    const problem = left < 0 ? tooLong(-left) : isBlank(content) ? 'There is nothing to see yet. Write a letter, a digit or a sign.' : '';
    setText(this.#error, problem);
    if (problem) {
      return;
    }
    this.#sent();
    this.#client.send(this.#conversation, content.toWellFormed?.() ?? content);
    this.#text.value = '';
    this.#measure();
    this.focus();
  }
}

const tooLong = (n) => `This is ${count(n, 'character', 'characters')} too long.`;

function remaining(left) {
  return left < 0 ? tooLong(-left) : `${count(left, 'character', 'characters')} left.`;
}
