// The list of conversations: the rooms one is in, other rooms, and people.

import { roomProblem } from '../chat/names.js';
import { el, List, setAttribute, setText } from './dom.js';
import { OtherRooms } from './otherrooms.js';
import { avatarElement, nameElement, setAvatar, setName } from './person.js';

export class Sidebar {
  #client;
  #chosen;
  #rooms;
  #others;
  #people;
  #form = document.getElementById('join-form');
  #input = document.getElementById('join-name');
  #error = document.getElementById('join-error');

  // chosen is called after a conversation was chosen.
  constructor(client, chosen) {
    this.#client = client;
    this.#chosen = chosen;
    const choose = (id) => {
      client.select(client.conversations.open(id));
      chosen();
    };
    this.#rooms = buttons('rooms', choose);
    this.#people = buttons('people', choose);
    this.#others = new OtherRooms(client, (name) => this.#join(name));
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#join(this.#input.value.trim().replace(/^#/, ''));
    });
    this.#input.addEventListener('input', () => this.#complain(''));
  }

  // choosing says whether somebody is about to choose one of the other rooms.
  get choosing() {
    return this.#others.used;
  }

  render() {
    const { conversations, current, names } = this.#client;
    const all = [...conversations];
    const rooms = all.filter((c) => c.isRoom).sort((a, b) => (a.id < b.id ? -1 : 1));
    // A link may lead to somebody whom there is not.
    const exists = (c) => c === current || c.head > 0 || names.get(c.id) !== undefined || this.#client.pending(c).length > 0;
    const people = all.filter((c) => !c.isRoom && exists(c)).sort((a, b) => b.active - a.active);
    this.#rooms.show(rooms.map((c) => this.#item(c, { name: `# ${c.id}`, tag: '' })));
    this.#people.show(people.map((c) => this.#item(c, names.parts(c.id))));
    document.getElementById('people-none').hidden = people.length > 0;
    this.#others.render();
  }

  #item(conversation, { name, tag }) {
    return {
      key: conversation.id,
      name,
      tag,
      person: !conversation.isRoom,
      online: conversation.online && !this.#client.silent,
      current: conversation === this.#client.current,
      unread: conversation.unread,
    };
  }

  async #join(name) {
    const problem = roomProblem(name);
    this.#complain(problem);
    if (problem) {
      this.#input.focus();
      return;
    }
    try {
      await this.#client.openRoom(name);
      this.#input.value = '';
      this.#others.clear();
      this.#chosen();
    } catch (error) {
      this.#complain(error.message);
    }
  }

  #complain(problem) {
    setText(this.#error, problem);
    setAttribute(this.#input, 'aria-invalid', problem ? 'true' : null);
  }
}

// buttons makes a List of buttons in the element with an id. choose is called with a key.
export function buttons(id, choose) {
  return new List(document.getElementById(id), (item) => {
    const label = nameElement('span', { class: 'label' });
    const button = el('button', { type: 'button', class: 'conversation', onclick: () => choose(item.key) }, label);
    if (item.person) {
      button.prepend(avatarElement(item.key, 'small'));
    }
    button.append(el('span', { class: 'note' }), el('span', { class: 'badge', hidden: true }));
    return el('li', { 'data-id': item.key }, button);
  }, (node, { name, tag, note = '', current, unread, person, online }) => {
    const button = node.firstElementChild;
    setName(button.querySelector('.label'), { name, tag });
    setText(button.querySelector('.note'), note);
    setAttribute(button, 'aria-current', current ? 'true' : null);
    if (person) {
      setAvatar(button.querySelector('.avatar'), { name, online });
    }
    const badge = button.querySelector('.badge');
    badge.hidden = !unread;
    if (unread && badge.dataset.unread !== String(unread)) {
      badge.dataset.unread = unread;
      badge.replaceChildren(unread > 99 ? '99+' : String(unread), el('span', { class: 'visually-hidden' }, ' unread'));
    }
  });
}
