// The chat as a whole: what surrounds the messages, and when to render.

import { Composer } from './composer.js';
import { setAttribute, setText } from './dom.js';
import { Members } from './members.js';
import { Panel } from './panels.js';
import { avatarElement, nameElement, setAvatar, setName } from './person.js';
import { Sidebar } from './sidebar.js';
import { Timeline } from './timeline.js';
import { trouble } from './trouble.js';

const byID = (id) => document.getElementById(id);

const NO_FRAME = 100; // milliseconds after which none is waited for
const PERSON = 5_000; // milliseconds for which it is taken as known that somebody is there
const PEOPLE = 20_000; // and for which that of all the others is, and which rooms there are

const STATES = { connecting: 'Connecting…', online: 'Connected', waiting: 'Reconnecting…', stopped: 'Disconnected' };

export class Chat {
  #client;
  #timeline;
  #composer;
  #sidebar;
  #members;
  #myAvatar;
  #name; // the element within the title
  #wanted = false; // whether a render is under way
  #wasOnline = false;
  #lost = false; // whether a connection is to come (back)

  // reconnect and openProfile are called when the user asks for it.
  constructor(client, { reconnect, openProfile }) {
    this.#client = client;
    this.#timeline = new Timeline(client);
    this.#composer = new Composer(client, () => this.#timeline.follow());
    const menu = new Panel({
      panel: byID('sidebar'), toggle: byID('menu'), query: '(max-width: 719px)',
      rest: [byID('conversation'), byID('members-panel')],
    });
    const people = new Panel({
      panel: byID('members-panel'), toggle: byID('members-toggle'), query: '(max-width: 999px)',
      rest: [byID('conversation'), byID('sidebar')],
    });
    const chosen = () => {
      menu.close({ focus: false });
      people.close({ focus: false });
      this.#composer.focus();
    };
    this.#sidebar = new Sidebar(client, chosen);
    this.#members = new Members(client, chosen);
    byID('menu').addEventListener('click', () => client.refreshRooms());
    byID('leave').addEventListener('click', () => this.#leave());
    byID('reconnect').addEventListener('click', reconnect);
    byID('dismiss').addEventListener('click', () => client.dismissNotice());
    byID('profile-open').addEventListener('click', openProfile);
    document.querySelector('.skip').addEventListener('click', (event) => {
      event.preventDefault(); // the address names the room
      this.#composer.focus();
    });
    this.#myAvatar = avatarElement(client.me.user_id);
    byID('my-name').before(this.#myAvatar);
    this.#name = nameElement('span', {});
    byID('title').append(this.#name);
    this.#watchPeople();
    byID('app').hidden = false;
    this.#render();
    this.#composer.focus();
  }

  // watchPeople keeps the marks of people right while somebody sees them.
  #watchPeople() {
    const whenSeen = (ask) => () => document.visibilityState === 'visible' && ask();
    setInterval(whenSeen(() => this.#client.refreshPerson()), PERSON);
    setInterval(whenSeen(() => {
      this.#client.refreshPeople();
      if (!this.#sidebar.choosing) {
        this.#client.refreshRooms();
      }
    }), PEOPLE);
    document.addEventListener('visibilitychange', whenSeen(() => this.#client.refreshPeople()));
  }

  // render shows how things are, soon, and once for all changes until then.
  render() {
    if (!this.#wanted) {
      this.#wanted = true;
      inNextFrame(() => this.#render());
    }
  }

  #render() {
    this.#timeline.read(); // before anything says how much is unread
    this.#wanted = false;
    this.#composer.render();
    this.#sidebar.render();
    this.#renderMe();
    this.#renderHeader(this.#members.render());
    this.#renderConnection();
    this.#timeline.render(); // last, when it is known how high it is
    const unread = [...this.#client.conversations].reduce((sum, c) => sum + c.unread, 0);
    const { current, names } = this.#client;
    const name = current && !current.isRoom ? names.of(current.id) : this.#title().name;
    const title = `${unread > 0 ? `(${unread}) ` : ''}${name} · hawser`;
    if (document.title !== title) {
      document.title = title;
    }
  }

  #renderMe() {
    const { name } = this.#client.me;
    setText(byID('my-name'), name);
    setAvatar(this.#myAvatar, { name });
  }

  // title returns the parts of what stands above the messages.
  #title() {
    const { current, names } = this.#client;
    if (!current) {
      return { name: 'Choose a conversation', tag: '' };
    }
    return current.isRoom ? { name: `# ${current.id}`, tag: '' } : names.parts(current.id);
  }

  #renderHeader(people) {
    const { current } = this.#client;
    const inRoom = current?.isRoom === true;
    setName(this.#name, this.#title());
    setText(byID('subtitle'), subtitle(current, people, !this.#client.silent));
    byID('leave').hidden = !inRoom;
    byID('members-toggle').hidden = byID('members-panel').hidden = !inRoom;
    setText(byID('members-count'), people ?? '–');
  }

  #renderConnection() {
    const { state, silent, notice } = this.#client;
    // Of an attempt to connect again nothing is to be seen until it succeeds.
    this.#lost = silent || state === 'waiting' || state === 'stopped' || (this.#lost && state === 'connecting');
    const shown = this.#lost && state !== 'stopped' ? 'waiting' : state;
    const connection = byID('connection');
    setAttribute(connection, 'data-state', shown);
    setText(connection.lastElementChild, STATES[shown]);
    this.#wasOnline ||= state === 'online';
    byID('banner').hidden = !this.#lost;
    setText(byID('banner-text'), this.#lost ? trouble(this.#client, this.#wasOnline) : '');
    setText(byID('reconnect'), state === 'stopped' ? 'Connect again' : 'Try now');
    byID('notice').hidden = notice === '';
    setText(byID('notice-text'), notice);
  }

  async #leave() {
    const { current, conversations } = this.#client;
    if (!(await this.#client.leave(current)) || this.#client.current) {
      return;
    }
    const next = [...conversations][0];
    if (next) {
      this.#client.select(next);
      this.#composer.focus();
    } else {
      const menu = byID('menu');
      (menu.offsetParent ? menu : byID('join-name')).focus();
    }
  }
}

// inNextFrame runs something before the next frame is drawn. A window in the background
// draws none, and still has a title: there a timer runs it.
function inNextFrame(run) {
  const either = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    run();
  };
  const frame = requestAnimationFrame(either);
  const timer = setTimeout(either, NO_FRAME);
}

// subtitle says who is there; sure is false while the server owes an answer.
function subtitle(conversation, people, sure) {
  if (!conversation) {
    return '';
  }
  if (conversation.isRoom) {
    return people === null || !sure ? '' : `${people} ${people === '1' ? 'person' : 'people'} here`;
  }
  switch (sure ? conversation.online : null) {
    case true:
      return 'Private · online';
    case false:
      return 'Private · away, will find it later';
  }
  return 'Private';
}
