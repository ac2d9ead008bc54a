// The user's name, and how to be somebody else.

import { nameProblem } from '../chat/names.js';
import { setAttribute, setText } from './dom.js';
import { count } from './text.js';

const byID = (id) => document.getElementById(id);

export class Profile {
  #dialog = byID('profile');
  #name = byID('profile-name');
  #current;
  #unsent;

  // current returns the name, rename takes another and may throw an Error that can be
  // shown. unsent counts the messages that are lost by signOut.
  constructor({ current, rename, unsent, signOut }) {
    this.#current = current;
    this.#unsent = unsent;
    byID('profile-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#save(rename);
    });
    this.#name.addEventListener('input', () => this.#complain(''));
    byID('profile-cancel').addEventListener('click', () => this.#dialog.close());
    byID('signout').addEventListener('click', () => this.#ask());
    byID('signout-stay').addEventListener('click', () => this.#dialog.close());
    byID('signout-confirm').addEventListener('click', signOut);
  }

  open() {
    this.#name.value = this.#current();
    this.#complain('');
    byID('profile-form').hidden = false;
    byID('signout-question').hidden = true;
    this.#dialog.showModal();
    this.#name.select();
  }

  async #save(rename) {
    const name = this.#name.value.trim();
    const problem = nameProblem(name);
    if (problem) {
      this.#complain(problem);
      return;
    }
    byID('profile-save').disabled = true;
    try {
      await rename(name);
      this.#dialog.close();
    } catch (error) {
      this.#complain(error.message);
    } finally {
      byID('profile-save').disabled = false;
    }
  }

  #ask() {
    const unsent = this.#unsent();
    const lost = unsent === 0 ? '' : ` ${count(unsent, 'message that was not sent yet is', 'messages that were not sent yet are')} lost.`;
    setText(byID('signout-text'), `This browser then forgets who you are, and nobody can be this user again: not even you, under the same name. Private conversations end with it.${lost}`);
    byID('profile-form').hidden = true;
    byID('signout-question').hidden = false;
    byID('signout-stay').focus();
  }

  #complain(problem) {
    setText(byID('profile-error'), problem);
    setAttribute(this.#name, 'aria-invalid', problem ? 'true' : null);
  }
}
