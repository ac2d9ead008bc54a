// Who is in the room that is shown.

import { el, List, setText } from './dom.js';
import { hue, initial } from './text.js';

export class Members {
  #client;
  #list;
  #status = document.getElementById('members-status');

  // chosen is called after a person was chosen.
  constructor(client, chosen) {
    this.#client = client;
    this.#list = new List(document.getElementById('members'), (member) => {
      const avatar = el('span', { class: 'avatar small online', 'aria-hidden': 'true', 'data-hue': hue(member.key) });
      const name = el('span', { class: 'label', dir: 'auto' });
      if (member.me) {
        return el('li', { class: 'member', 'data-id': member.key }, avatar, name, el('span', { class: 'note' }, 'you'));
      }
      const open = () => {
        client.openPerson(member.key);
        chosen();
      };
      const label = el('span', { class: 'visually-hidden' }, ', write privately');
      const button = el('button', { type: 'button', class: 'conversation', onclick: open }, avatar, name, label);
      return el('li', { 'data-id': member.key }, button);
    }, (node, { name }) => {
      setText(node.querySelector('.avatar'), initial(name));
      setText(node.querySelector('.label'), name);
    });
  }

  // render returns how many people are there, or null if that is not known.
  render() {
    const { current, me, names } = this.#client;
    const members = current?.members;
    const people = [...(members?.keys() ?? [])].map((id) => ({ key: id, name: names.of(id), me: id === me.user_id }));
    people.sort((a, b) => b.me - a.me || a.name.localeCompare(b.name));
    this.#list.show(people);
    setText(this.#status, members ? '' : 'Not known without a connection.');
    return members ? people.length : null;
  }
}
