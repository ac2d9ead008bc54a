// Choosing a name.

import { nameProblem, roomProblem } from '../chat/names.js';
import { setAttribute, setText } from './dom.js';

const byID = (id) => document.getElementById(id);

export class SignIn {
  #form = byID('signin-form');
  #fields = { name: byID('name'), room: byID('room') };

  // enter is called with a name and a room, and may throw an Error that can be shown.
  // again is called where one may hope still to be known.
  constructor({ enter, again }) {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit(enter);
    });
    byID('again-known').addEventListener('click', again);
  }

  get visible() {
    return !byID('signin').hidden;
  }

  get room() {
    return this.#fields.room.value.trim().replace(/^#/, '');
  }

  set room(room) {
    this.#fields.room.value = room;
  }

  // show shows the form. name and room are what the fields hold at first, remembers says
  // whether the browser will know who one is; problem is why one is here again.
  show({ name, room, remembers, problem = '' }) {
    byID('signin').hidden = false;
    byID('not-remembered').hidden = remembers;
    byID('again-known').hidden = !problem;
    this.#fields.name.value = name;
    this.room = room;
    this.#complain('name', problem);
    this.#fields.name.focus();
    this.#fields.name.select();
  }

  hide() {
    byID('signin').hidden = true;
  }

  async #submit(enter) {
    const name = this.#fields.name.value.trim();
    const problems = { name: nameProblem(name), room: roomProblem(this.room) };
    this.#complain('name', problems.name);
    this.#complain('room', problems.room);
    if (problems.name || problems.room) {
      this.#fields[problems.name ? 'name' : 'room'].focus();
      return;
    }
    byID('enter').disabled = true;
    try {
      await enter(name, this.room);
    } catch (error) {
      this.#complain('name', error.message);
      this.#fields.name.focus();
    } finally {
      byID('enter').disabled = false;
    }
  }

  #complain(field, text) {
    setText(byID(`${field}-error`), text);
    setAttribute(this.#fields[field], 'aria-invalid', text ? 'true' : null);
  }
}
