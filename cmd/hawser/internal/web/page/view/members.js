// Who is in the room that is shown.

import { el, List, setText } from './dom.js';
import { avatarElement, nameElement, setAvatar, setName } from './person.js';

const byName = new Intl.Collator();

export class Members {
  #client;
  #list;
  #status = document.getElementById('members-status');
  #members; // as they were shown last: another Map after any change
  #changes; // of names, until then
  #silent; // whether the server owed an answer

  // chosen is called after a person was chosen.
  constructor(client, chosen) {
    this.#client = client;
    this.#list = new List(document.getElementById('members'), (member) => {
      const avatar = avatarElement(member.key, 'small');
      const name = nameElement('span', { class: 'label' });
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
    }, (node, { name, tag, online }) => {
      setAvatar(node.querySelector('.avatar'), { name, online });
      setName(node.querySelector('.label'), { name, tag });
    });
  }

  // render returns how many people are there as text, or null if that is not known.
  render() {
    const { current, me, names, silent } = this.#client;
    const members = current?.members ?? null;
    if (members !== this.#members || names.changes !== this.#changes || silent !== this.#silent) {
      this.#members = members;
      this.#silent = silent;
      this.#changes = names.changes;
      const people = [...(members?.keys() ?? [])].map((id) =>
        ({ key: id, ...names.parts(id), me: id === me.user_id, online: !silent }));
      people.sort((a, b) => b.me - a.me || byName.compare(a.name, b.name) || (a.key < b.key ? -1 : 1));
      this.#list.show(people);
      const others = current?.crowded ? 'There are more people here than can be listed.' : '';
      setText(this.#status, members ? others : 'Not known without a connection.');
    }
    return members && `${members.size}${current.crowded ? '+' : ''}`;
  }
}
