// Who is there. The server tells of comings and goings in rooms only, so of the people
// one writes with privately it must be asked again and again. What is not known is null:
// a mark that says "online" must be true.

export class Presence {
  #requests;
  #names;
  #conversations;
  #asking = new Set(); // conversations

  constructor(requests, names, conversations) {
    this.#requests = requests;
    this.#names = names;
    this.#conversations = conversations;
  }

  // load asks who is in a room, or whether a person is there. Its promise is rejected as
  // those of Requests are. A conversation that is asked for already is not asked twice.
  async load(conversation) {
    if (this.#asking.has(conversation)) {
      return;
    }
    this.#asking.add(conversation);
    try {
      const { users, has_more } = await this.#requests.ask({ type: 'presence', receiver_id: conversation.id });
      users.forEach((user) => this.#names.set(user.user_id, user.name));
      if (conversation.isRoom) {
        conversation.members = new Map(users.map((user) => [user.user_id, user.name]));
        conversation.crowded = has_more === true;
      } else {
        conversation.online = users.length > 0;
      }
    } catch (error) {
      conversation.members = conversation.online = null;
      throw error;
    } finally {
      this.#asking.delete(conversation);
    }
  }

  // refresh asks for those with whom there are private messages: which of them are there
  // now, and when something was said last.
  async refresh() {
    let after;
    for (let more = true; more; ) {
      const { peers, has_more } = await this.#requests.ask({ type: 'peers', limit: 100, after });
      peers.forEach((peer) => this.#learn(peer));
      after = peers.at(-1)?.user_id;
      more = has_more && after !== undefined;
    }
  }

  // Messages may have come since the answer was given, so nothing is taken back by it.
  #learn({ user_id, name, online, seq, server_ts }) {
    this.#names.set(user_id, name);
    const person = this.#conversations.open(user_id);
    person.online = online;
    person.active = Math.max(person.active, server_ts);
    if (!person.loaded) {
      person.head = Math.max(person.head, seq);
    }
    this.#conversations.save(person);
  }

  // forget is called when the connection is lost.
  forget() {
    for (const conversation of this.#conversations) {
      conversation.members = conversation.online = null;
    }
  }

  // joined takes that somebody is in a room.
  joined(room, id, name) {
    this.#names.set(id, name);
    this.#conversations.get(room)?.joinedBy(id, name);
    const person = this.#conversations.get(id);
    if (person) {
      person.online = true;
    }
  }

  // left takes that somebody is in a room no more. It returns the private conversation
  // with them, if there is one: it must be loaded again, as they may be elsewhere.
  left(room, id) {
    this.#conversations.get(room)?.leftBy(id);
    return this.#conversations.get(id);
  }
}
