// The user's name, where one is logged in, and how to be somebody else.

import { nameProblem } from '../chat/names.js';
import { setAttribute, setText } from './dom.js';
import { Sessions } from './sessions.js';
import { count } from './text.js';

const byID = (id) => document.getElementById(id);

export class Profile {
  #dialog = byID('profile');
  #name = byID('profile-name');
  #sessions;
  #current;
  #unsent;
  #confirmed; // what is done when the question is answered

  // current returns the name, rename takes another; sessions are { load, end } of a Sessions.
  // unsent counts the messages that are lost by signOut and logOutEverywhere. All but current
  // and unsent may throw an Error that can be shown.
  constructor({ current, rename, sessions, unsent, signOut, logOutEverywhere }) {
    this.#current = current;
    this.#unsent = unsent;
    this.#sessions = new Sessions(sessions);
    byID('profile-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#save(rename);
    });
    this.#name.addEventListener('input', () => this.#complain(''));
    byID('profile-cancel').addEventListener('click', () => this.#dialog.close());
    byID('signout').addEventListener('click', () => this.#ask({
      what: 'This browser then forgets who you are', button: 'Sign out', confirmed: signOut,
    }));
    byID('logout-all').addEventListener('click', () => this.#ask({
      what: 'All your tabs and devices are logged out, and this browser forgets who you are',
      button: 'Log out everywhere', confirmed: logOutEverywhere,
    }));
    byID('signout-stay').addEventListener('click', () => this.#dialog.close());
    byID('signout-confirm').addEventListener('click', () => this.#confirm());
  }

  open() {
    this.#name.value = this.#current();
    this.#complain('');
    byID('profile-part').hidden = false;
    byID('signout-question').hidden = true;
    this.#dialog.showModal();
    this.#name.select();
    this.#sessions.show();
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

  #ask({ what, button, confirmed }) {
    const unsent = this.#unsent();
    const lost = unsent === 0 ? '' : ` ${count(unsent, 'message that was not sent yet is', 'messages that were not sent yet are')} lost.`;
    setText(byID('signout-text'), `${what}, and nobody can be this user again: not even you, under the same name. Private conversations end with it.${lost}`);
    setText(byID('signout-confirm'), button);
    setText(byID('signout-error'), '');
    this.#confirmed = confirmed;
    byID('profile-part').hidden = true;
    byID('signout-question').hidden = false;
    byID('signout-stay').focus();
  }

  async #confirm() {
    try {
      await this.#confirmed();
    } catch (error) {
      setText(byID('signout-error'), error.message);
    }
  }

  #complain(problem) {
    setText(byID('profile-error'), problem);
    setAttribute(this.#name, 'aria-invalid', problem ? 'true' : null);
  }
}
