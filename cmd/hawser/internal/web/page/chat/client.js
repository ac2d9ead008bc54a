// The client of one user: what the user does, and what the server says to it. It
// holds no element of the page; whoever shows it sets onchange.

import { isRoom } from './conversation.js';
import { Conversations } from './conversations.js';
import { Delivery, wire } from './delivery.js';
import { Directory } from './directory.js';
import { History } from './history.js';
import { Names } from './names.js';
import { Outbox } from './outbox.js';
import { Presence } from './presence.js';
import { words } from './refused.js';
import { Requests } from './requests.js';
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
    this.#requests = requests;
    this.#delivery = new Delivery({ outbox: this.#outbox, requests, world, changed });
    this.directory = new Directory({ requests, world, changed });
    this.#presence = new Presence(requests, this.names, this.conversations);
    this.#sync = new Sync({
      conversations: this.conversations, requests, presence: this.#presence, changed,
      history: new History(requests, (messages) => this.#learn(messages), (conversation) => this.#sync.renew(conversation)),
      online: () => this.state === 'online',
      told: (problem) => (this.notice = problem),
    });
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
    room.joined = true;
    this.conversations.current = room;
    this.conversations.save(room);
    this.conversations.saveCurrent();
    this.#sync.join(room); // and what it needs to be shown
    this.onchange();
  }

  // openRoom joins a room, makes it if need be, and shows it. Its promise is
  // rejected with what the server has against it.
  async openRoom(name) {
    if (!this.conversations.get(name)?.joined) {
      const ack = await this.#requests.ask({ type: 'join', receiver_id: name });
      const room = this.conversations.open(name);
      room.joined = true;
      this.#sync.joined(room, ack);
      this.directory.refresh();
    }
    this.select(this.conversations.open(name));
  }

  // openPerson shows the private conversation with a user.
  openPerson(id) {
    this.select(this.conversations.open(id));
  }

  // leave leaves a room, unless there is something that was not sent to it: that is not
  // dropped in passing. It reports whether it did.
  leave(room) {
    const waiting = this.pending(room).length;
    if (waiting > 0) {
      this.notice = `${waiting === 1 ? 'A message' : `${waiting} messages`} to #${room.id} could not be sent yet. Wait, or discard what was not sent, before you leave.`;
      this.onchange();
      return false;
    }
    this.saveDraft(room, '');
    this.conversations.delete(room);
    this.conversations.saveCurrent();
    this.#left(room);
    return true;
  }

  #left(room) {
    this.#requests.ask({ type: 'leave', receiver_id: room.id }).then(() => this.directory.refresh(), ignore);
    this.onchange();
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
    const { opened, left } = this.conversations.stored(key, value);
    if (left) {
      this.#left(left);
    }
    if (opened?.joined) {
      this.#sync.join(opened);
    }
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
    }
    this.onchange();
  }

  // ready does what PROTOCOL.md says under "Reconnecting", the first time, too.
  #ready({ epoch, limits, name }) {
    this.notice = '';
    this.limits = limits ?? this.limits;
    this.#requests.begin(limits);
    this.conversations.adopt(epoch);
    this.onname(name);
    this.#sync.begin();
    this.#delivery.begin();
    this.directory.refresh();
    this.onchange();
  }

  #receive(message) {
    if (message.ref !== undefined && this.#requests.settle(message)) {
      return;
    }
    switch (message.type) {
      case 'group':
      case 'message':
        this.#deliver(message);
        break;
      case 'ack':
        this.#acknowledged(message);
        break;
      case 'error':
        this.#refused(message);
        break;
      case 'system':
        this.#event(message);
        break;
    }
    this.onchange();
  }

  #deliver(message) {
    const mine = message.sender_id === this.me.user_id;
    const id = isRoom(message.receiver_id) || mine ? message.receiver_id : message.sender_id;
    if (isRoom(id) && !this.conversations.get(id)) {
      return; // we have left it
    }
    const conversation = this.conversations.open(id);
    this.#learn([message]);
    this.#put(conversation, message, mine);
    if (!mine && !conversation.isRoom) {
      conversation.online = true; // or who has written it?
    }
    if (message.seq > conversation.held) {
      this.#sync.catchUp(conversation); // something before it is missing
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
      this.#sync.renew(conversation);
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

  #event({ event, receiver_id, user_id, name, content, ...place }) {
    switch (event) {
      case 'joined':
        this.#presence.joined(receiver_id, user_id, name);
        break;
      case 'left':
        this.#leftRoom(receiver_id, user_id);
        break;
      case 'renamed':
        this.names.set(user_id, name);
        this.conversations.get(receiver_id)?.joinedBy(user_id, name);
        if (user_id === this.me.user_id) {
          this.onname(name);
        }
        break;
      case 'reload':
        this.#reloaded(this.conversations.get(receiver_id), place);
        break;
      case 'shutting_down':
        this.notice = content;
        break;
      case 'token_expiring':
        this.onexpiry();
        break;
    }
  }

  // reloaded is told that the history of a room is another one, and where it ends.
  #reloaded(room, { epoch, seq }) {
    if (room?.joined) {
      this.#sync.joined(room, { epoch, seq });
    }
  }

  #leftRoom(room, id) {
    const person = this.#presence.left(room, id);
    if (person) {
      this.#sync.askAgain(person);
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

function ignore() {}
