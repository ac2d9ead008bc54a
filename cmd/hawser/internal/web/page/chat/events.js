// What the server says about itself, about rooms and about the people in them: PROTOCOL.md,
// "system".

export class Events {
  #client;
  #presence;
  #membership;
  #sync;

  constructor({ client, presence, membership, sync }) {
    this.#client = client;
    this.#presence = presence;
    this.#membership = membership;
    this.#sync = sync;
  }

  take({ event, receiver_id, user_id, name, content, ...place }) {
    const client = this.#client;
    const room = client.conversations.get(receiver_id);
    switch (event) {
      case 'joined':
        this.#presence.joined(receiver_id, user_id, name);
        break;
      case 'left':
        this.#left(receiver_id, user_id);
        break;
      case 'renamed':
        client.names.set(user_id, name);
        room?.joinedBy(user_id, name);
        if (user_id === client.me.user_id) {
          client.onname(name);
        }
        break;
      case 'reload':
        if (room && (room.joined || !room.isRoom)) {
          this.#sync.placed(room, place);
        }
        break;
      case 'subscribed':
        this.#membership.entered(receiver_id, place);
        break;
      case 'unsubscribed':
        if (room) {
          this.#membership.ended(room);
          client.refreshRooms();
        }
        break;
      case 'shutting_down':
        client.notice = content;
        break;
      case 'token_expiring':
        client.onexpiry();
        break;
    }
  }

  #left(room, id) {
    const person = this.#presence.left(room, id);
    if (person) {
      this.#sync.askAgain(person);
    }
  }
}
