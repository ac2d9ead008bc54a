// The client of one user: what the user does, and what the server says to it. It
// holds no element of the page; whoever shows it sets onchange.

import { isRoom } from './conversation.js';
import { Conversations } from './conversations.js';
import { Delivery, wire } from './delivery.js';
import { Directory } from './directory.js';
import { Events } from './events.js';
import { History } from './history.js';
import { Membership } from './membership.js';
import { Names } from './names.js';
import { Outbox } from './outbox.js';
import { Presence } from './presence.js';
import { words } from './refused.js';
import { Requests } from './requests.js';
import { Resume } from './resume.js';
import { Sync } from './sync.js';
import { Tabs } from './tabs.js';

export const FEATURES = ['ack', 'presence', 'system'];

export class Client {
  me; // { user_id, name }
  names = new Names();
  conversations;
  directory; // of the rooms on the server
  limits = {}; // of the server, which auth_ok tells
  notice = ''; // something about the service itself, to be shown

  // Called after anything changed, also several times in a row.
  onchange = () => {};

  // onname is called with the name that the server knows us by, onexpiry when our token
  // is about to expire.
  onname = () => {};
  onexpiry = () => {};

  #memory;
  #connection;
  #requests;
  #outbox;
  #delivery;
  #presence;
  #sync;
  #membership;
  #resume;
  #events;

  // connection is a Connection whose owner this becomes. memory is the browser's, tab
  // that of the tab alone; tabs are the others that have the page open.
  constructor({ me, connection, memory, tab = memory, tabs = new Tabs(), world = globalThis }) {
    this.me = me;
    this.names.set(me.user_id, me.name);
    this.#memory = memory;
    this.conversations = new Conversations(memory, tab, this.names);
    this.#outbox = new Outbox(memory, tabs);
    this.#outbox.onadopt = (entries) => this.#adopted(entries);
    this.#connection = connection;
    const requests = new Requests((message) => connection.send(message), world);
    const changed = () => this.onchange();
    const told = (words) => {
      this.notice = words;
      this.onchange();
    };
    this.#requests = requests;
    this.#delivery = new Delivery({ outbox: this.#outbox, requests, world, changed });
    this.directory = new Directory({ requests, world, changed });
    this.#presence = new Presence(requests, this.names, this.conversations);
    this.#sync = new Sync({
      conversations: this.conversations, presence: this.#presence, changed,
      history: new History(requests, (messages) => this.#learn(messages), (conversation) => this.#sync.show(conversation)),
      online: () => this.state === 'online',
      told,
    });
    this.#membership = new Membership({
      conversations: this.conversations, requests, delivery: this.#delivery, sync: this.#sync, world, changed, told,
    });
    this.#resume = new Resume({
      conversations: this.conversations, membership: this.#membership, sync: this.#sync,
      deliver: (message) => this.#deliver(message),
      done: () => this.#resumed(),
    });
    this.#events = new Events({ client: this, presence: this.#presence, membership: this.#membership, sync: this.#sync });
    connection.held = () => this.#resume.held();
    connection.onstate = () => this.#stateChanged();
    connection.onready = (authOK) => this.#ready(authOK);
    connection.onmessage = (message) => this.#receive(message);
  }

  get state() {
    return this.#connection.state;
  }

  get reason() {
    return this.#connection.reason;
  }

  // words is what the server said about the reason, silent whether it owes an answer.
  get words() {
    return this.#connection.words;
  }

  get silent() {
    return this.#connection.silent;
  }

  // unsent counts the messages of this tab that the server does not have.
  get unsent() {
    return this.#outbox.size;
  }

  get current() {
    return this.conversations.current;
  }

  // pending returns our messages to a conversation that are not acknowledged.
  pending(conversation) {
    return this.#delivery.to(conversation.id);
  }

  // select shows a conversation.
  select(conversation) {
    this.conversations.current = conversation;
    conversation.online = null; // ask again: nobody tells us of changes
    this.conversations.save(conversation);
    this.conversations.saveCurrent();
    this.#sync.show(conversation);
    this.onchange();
  }

  // enter joins a room as soon as there is a connection, and shows it.
  enter(name) {
    const room = this.conversations.open(name);
    if (room.joined) {
      this.select(room);
      return;
    }
    this.conversations.current = room;
    this.#membership.join(room); // and fetches what it needs to be shown
    this.conversations.saveCurrent();
    this.onchange();
  }

  // openRoom joins a room, makes it if need be, and shows it. Its promise is
  // rejected with what the server has against it.
  async openRoom(name) {
    let room = this.conversations.get(name);
    if (!room?.joined) {
      room = await this.#membership.open(name);
      this.directory.refresh();
    }
    this.select(room);
  }

  // openPerson shows the private conversation with a user.
  openPerson(id) {
    this.select(this.conversations.open(id));
  }

  // leave leaves a room, on all devices, and reports whether it did.
  async leave(room) {
    if (!(await this.#membership.leave(room))) {
      return false;
    }
    this.saveDraft(room, '');
    this.conversations.saveCurrent();
    this.directory.refresh();
    this.onchange();
    return true;
  }

  // draft is what was written in a conversation, and not sent, perhaps days ago.
  draft(conversation) {
    return this.#memory.load(`draft.${conversation.id}`) ?? '';
  }

  saveDraft(conversation, text) {
    if (text) {
      this.#memory.save(`draft.${conversation.id}`, text);
    } else {
      this.#memory.remove(`draft.${conversation.id}`);
    }
  }

  // rename is told that we have another name.
  rename(name) {
    this.me = { ...this.me, name };
    this.names.set(this.me.user_id, name);
    this.onchange();
  }

  // stored is told what another tab saved under a key of the memory, null if it removed
  // that.
  stored(key, value) {
    this.#outbox.stored(key, value);
    this.conversations.stored(key, value, { online: this.state === 'online' });
    this.onchange();
  }

  // send says something in a conversation.
  send(conversation, content) {
    this.saveDraft(conversation, '');
    this.#delivery.post(this.#outbox.add(conversation.id, content));
    this.onchange();
  }

  retry(ref) {
    this.#delivery.post(this.#outbox.retry(ref));
    this.onchange();
  }

  discard(ref) {
    this.#outbox.remove(ref);
    this.onchange();
  }

  dismissNotice() {
    this.notice = '';
    this.onchange();
  }

  // markRead notes that everything in a conversation was seen.
  markRead(conversation) {
    if (conversation.unread > 0) {
      conversation.readTo = conversation.head;
      this.conversations.save(conversation);
      this.onchange();
    }
  }

  // loadOlder fetches the messages before the first one held, if that makes sense.
  loadOlder(conversation) {
    this.#sync.older(conversation);
  }

  // reload fetches again after fetching or joining failed.
  reload(conversation) {
    conversation.error = '';
    if (conversation.isRoom && !conversation.joined) {
      this.enter(conversation.id);
    } else {
      this.#sync.show(conversation);
      this.onchange();
    }
  }

  // sessions asks for the sessions of this user, on all devices, and logOut ends one of them.
  // Their promises are rejected with what can be shown.
  async sessions() {
    const { sessions } = await this.#requests.ask({ type: 'sessions' });
    return sessions;
  }

  logOut(id) {
    return this.#requests.ask({ type: 'logout', session_id: id });
  }

  // logOutEverywhere ends all sessions, this one too, and the tokens of this user.
  async logOutEverywhere() {
    try {
      await this.#requests.ask({ type: 'logout', all: true });
    } catch (error) {
      if (this.reason !== 'session_ended') { // which may come before the answer
        throw error;
      }
    }
  }

  // refreshRooms asks again which rooms there are.
  refreshRooms() {
    if (this.state === 'online') {
      this.directory.refresh();
    }
  }

  // refreshPerson asks again whether the person one writes with is there, refreshPeople
  // the same about all of them.
  refreshPerson() {
    if (this.state === 'online' && this.current?.isRoom === false) {
      this.#sync.askAgain(this.current);
    }
  }

  refreshPeople() {
    if (this.state === 'online') {
      this.#sync.refreshPeople();
      this.refreshPerson();
    }
  }

  #stateChanged() {
    if (this.state !== 'online') {
      this.#requests.end();
      this.#delivery.end();
      this.directory.forget();
      this.#sync.end();
      this.#membership.end();
    }
    this.onchange();
  }

  #ready({ epoch, limits, name, resumed, ref_lifetime }) {
    this.notice = '';
    this.limits = limits ?? this.limits;
    this.#outbox.lifetime = ref_lifetime ?? this.#outbox.lifetime;
    this.#requests.begin(limits);
    this.conversations.adopt(epoch);
    this.onname(name);
    this.#resume.begin(resumed);
    this.#sync.begin();
    this.directory.refresh();
    this.onchange();
  }

  // resumed is called when what was missed is known.
  #resumed() {
    this.#sync.resumed();
    this.#delivery.begin();
  }

  #receive(message) {
    this.#resume.heard(message);
    if (message.ref !== undefined && this.#requests.settle(message)) {
      return;
    }
    switch (message.type) {
      case 'group':
      case 'message':
        this.#online(this.#deliver(message), message);
        break;
      case 'resume':
        this.#resume.take(message);
        break;
      case 'ack':
        this.#acknowledged(message);
        break;
      case 'error':
        this.#refused(message);
        break;
      case 'system':
        this.#events.take(message);
        break;
    }
    this.onchange();
  }

  // deliver takes a message, perhaps an old one, and returns its conversation.
  #deliver(message) {
    const mine = message.sender_id === this.me.user_id;
    const id = isRoom(message.receiver_id) || mine ? message.receiver_id : message.sender_id;
    if (isRoom(id) && !this.conversations.get(id)) {
      return null; // we have left it
    }
    const conversation = this.conversations.open(id);
    if (conversation.isRoom && !conversation.joined) {
      conversation.joined = true; // by sending something
      conversation.joining = false;
    }
    this.#learn([message]);
    this.#put(conversation, message, mine);
    if (message.seq > conversation.held) {
      this.#sync.catchUp(conversation); // something before it is missing
    }
    return conversation;
  }

  // online notes that somebody who has just written is there.
  #online(conversation, { sender_id }) {
    if (conversation?.id === sender_id) {
      conversation.online = true;
    }
  }

  // acknowledged puts our message in at once. Its delivery, which follows, changes
  // nothing then, and does not come at all when the server knew the message already.
  #acknowledged(ack) {
    const entry = this.#delivery.acknowledged(ack);
    const conversation = entry && this.conversations.get(entry.to);
    if (!conversation) {
      return;
    }
    const { id, seq, epoch, server_ts } = ack;
    const { user_id: sender_id, name: sender_name } = this.me;
    const message = { ...wire(entry), id, seq, epoch, server_ts, sender_id, sender_name };
    this.#put(conversation, message, true);
  }

  #put(conversation, message, mine) {
    if (conversation.adopt(message.epoch)) {
      conversation.place({ ...message, seq: message.seq - 1 });
      this.#sync.show(conversation);
    }
    // What one has written, one has read.
    if (mine && conversation.readTo === message.seq - 1) {
      conversation.readTo = message.seq;
    }
    conversation.deliver(message);
    this.conversations.save(conversation);
  }

  // learn takes from stored messages the names of their senders, and that they are
  // stored: our own carry their ref in the metadata.
  #learn(messages) {
    for (const { sender_id, sender_name, server_ts, metadata } of messages) {
      this.names.set(sender_id, sender_name, server_ts);
      if (sender_id === this.me.user_id) {
        this.#outbox.remove(metadata?.ref);
      }
    }
  }

  #refused(error) {
    if (!this.#delivery.refused(error)) {
      this.notice = `The server refused something: ${words(error)}`;
    }
  }

  // adopted sends what a tab that is gone had not sent. The server knows it by its ref.
  #adopted(entries) {
    if (this.state === 'online') {
      entries.filter((e) => e.state === 'sending').forEach((e) => this.#delivery.post(e));
    }
    this.onchange();
  }
}
