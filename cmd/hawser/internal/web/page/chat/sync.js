// Keeps what is held of conversations in step with the server, as PROTOCOL.md says under
// "Reconnecting".

import { Disconnected } from './requests.js';

export class Sync {
  #conversations;
  #requests;
  #history;
  #presence;
  #online;
  #changed;
  #told;

  // online reports whether there is a connection. changed is called after anything
  // changed, told with what went wrong and concerns no conversation.
  constructor({ conversations, requests, history, presence, online, changed, told }) {
    this.#conversations = conversations;
    this.#requests = requests;
    this.#history = history;
    this.#presence = presence;
    this.#online = online;
    this.#changed = changed;
    this.#told = told;
  }

  // begin is called when a connection stands.
  begin() {
    for (const conversation of this.#conversations) {
      if (conversation.joined) {
        this.join(conversation);
      }
    }
    const { current } = this.#conversations;
    if (current && !current.joined) {
      this.show(current);
    }
    this.#loadPeers();
  }

  // end is called when the connection is lost.
  end() {
    this.#presence.forget();
    for (const conversation of this.#conversations) {
      conversation.fetching = null;
    }
  }

  // join joins a room in the background; where the server cannot for now, again and again.
  join(room) {
    const delayed = (error) => {
      room.error = `${error.message} The page tries again by itself.`;
      this.#changed();
    };
    this.run(async () => {
      try {
        const ack = await this.#requests.ask({ type: 'join', receiver_id: room.id }, { delayed });
        room.error = '';
        this.joined(room, ack);
      } catch (error) {
        room.joined = error instanceof Disconnected; // then it is tried again
        throw error;
      }
    }, room);
  }

  // renew finds out where a conversation stands whose data is other data.
  renew(conversation) {
    if (conversation.joined) {
      this.join(conversation);
    } else {
      this.show(conversation);
    }
  }

  // joined takes the place of a room's end, as the acknowledgement of a join tells it.
  joined(room, { seq, epoch }) {
    room.adopt(epoch);
    this.#committed(room, seq);
    if (room.readTo === null || room.readTo > seq) {
      room.readTo = seq; // what was there before us is not unread
    }
    this.#conversations.save(room);
    this.show(room);
  }

  // show fetches what is needed to show a conversation, if it is to be shown, and
  // what it missed in any case.
  show(conversation) {
    if (!this.#online()) {
      return;
    }
    this.catchUp(conversation);
    if (conversation !== this.#conversations.current) {
      return;
    }
    this.run(() => this.#history.load(conversation), conversation);
    if (conversation.members === null && conversation.online === null) {
      this.run(() => this.#presence.load(conversation), conversation);
    }
  }

  catchUp(conversation) {
    this.run(() => this.#history.catchUp(conversation), conversation);
  }

  // older fetches the messages before the first one held, if that makes sense.
  older(conversation) {
    const { loaded, complete, fetching, error } = conversation;
    if (this.#online() && loaded && !complete && !fetching && !error) {
      this.run(() => this.#history.older(conversation), conversation);
    }
  }

  // askAgain asks whether a person is there, and refreshPeople about all of them. Nobody
  // is told if that fails.
  askAgain(person) {
    this.#quietly(this.#presence.load(person));
  }

  refreshPeople() {
    this.#quietly(this.#presence.refresh());
  }

  // run lets something happen in the background. Without a connection it is done
  // again when there is one; any other failure is shown with the conversation.
  async run(work, conversation) {
    try {
      await work();
    } catch (error) {
      if (error instanceof Disconnected) {
        return;
      }
      if (conversation) {
        conversation.error = error.message;
      } else {
        this.#told(error.message);
      }
    }
    this.#changed();
  }

  #quietly(work) {
    work.catch(() => {}).then(() => this.#changed());
  }

  #committed(conversation, seq) {
    if (!conversation.committed(seq)) {
      conversation.reset(); // the same epoch, and yet messages are gone
      conversation.committed(seq);
    }
  }

  #loadPeers() {
    this.run(() => this.#presence.people((peer) => {
      const conversation = this.#conversations.open(peer.user_id);
      conversation.online = peer.online;
      conversation.active = Math.max(conversation.active, peer.server_ts);
      this.#committed(conversation, peer.seq);
      this.#conversations.save(conversation);
      this.show(conversation);
    }));
  }
}
