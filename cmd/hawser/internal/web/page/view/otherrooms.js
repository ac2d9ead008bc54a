// The rooms one is not in: the last active ones, and those that one searches for.

import { composes, el, setText } from './dom.js';
import { buttons } from './sidebar.js';
import { count } from './text.js';

const byID = (id) => document.getElementById(id);

export class OtherRooms {
  #client;
  #list;
  #shown; // rooms
  #section = byID('other-rooms-section');
  #search = byID('room-search');
  #status = byID('other-rooms-status');
  #more = byID('more-rooms');

  // choose is called with the name of a room.
  constructor(client, choose) {
    this.#client = client;
    this.#list = buttons('other-rooms', choose);
    this.#search.addEventListener('input', () => client.directory.find(this.#search.value));
    this.#search.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.#search.value && !composes(event)) {
        event.preventDefault();
        event.stopPropagation(); // the panel stays open
        this.clear();
      }
    });
    this.#more.addEventListener('click', () => (client.directory.error ? client.directory.refresh() : client.directory.more()));
  }

  // clear shows all rooms again.
  clear() {
    this.#search.value = '';
    this.#client.directory.find('');
  }

  // used says whether somebody is about to choose: what moves then is hit by mistake.
  get used() {
    return byID('other-rooms').matches(':hover, :focus-within');
  }

  render() {
    const { directory, conversations } = this.#client;
    const { search, rooms, hasMore, error } = directory;
    const others = rooms.filter((r) => !conversations.get(r.receiver_id));
    const hidden = !search && others.length === 0 && !hasMore && !this.#section.contains(document.activeElement);
    this.#section.hidden = hidden;
    this.#show(others);
    this.#renderStatus(directory, others.length);
    const wanted = hasMore || (error !== '' && !hidden);
    if (!wanted && document.activeElement === this.#more) {
      (byID('other-rooms').querySelector('li:last-child button') ?? this.#search).focus();
    }
    setText(this.#more, error ? 'Try again' : 'More rooms');
    this.#more.hidden = !wanted;
  }

  // show does nothing for the same rooms as before: there may be thousands, and this is
  // called for every message.
  #show(others) {
    if (others.length === this.#shown?.length && others.every((room, i) => room === this.#shown[i])) {
      return;
    }
    this.#shown = others;
    this.#list.show(others.map((r) => ({
      key: r.receiver_id,
      name: `# ${r.receiver_id}`,
      tag: '',
      note: r.online > 0 ? count(r.online, 'person', 'people') : '',
    })));
  }

  #renderStatus({ search, searched, rooms, hasMore, error }, found) {
    if (error) {
      this.#say(error);
    } else if (search !== searched) {
      this.#say('Searching…');
    } else if (!search || (hasMore && found === 0)) {
      this.#say('');
    } else if (found > 0) {
      this.#say(`${hasMore ? `The first ${found}` : found} found.`);
    } else {
      const begin = rooms.length > 0 ? 'You are in every room whose name contains “' : 'Nothing found: no room’s name contains “';
      this.#say(begin, el('bdi', {}, search), '”.');
    }
  }

  #say(...parts) {
    const text = parts.map((part) => part.textContent ?? part).join('');
    if (this.#status.textContent !== text) {
      this.#status.replaceChildren(...parts);
    }
  }
}
