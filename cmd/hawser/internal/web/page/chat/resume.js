// Going on after a reconnect, as PROTOCOL.md says under "Resuming": what this client holds
// is told to the server, which answers with what was missed, each change once.

const MOST = 1000; // positions that the server takes

// A private message may reach us later than another one that was said after it, as when it
// was said at another node. So the server is asked for conversations from so many
// milliseconds before the newest thing that we have heard.
const MARGIN = 300_000;

export class Resume {
  #conversations;
  #membership;
  #sync;
  #deliver;
  #done;
  #other = true; // whether the session is another one than when the rooms were settled last
  #named = []; // conversations whose positions the server was told
  #rooms = new Set(); // in which one is, for all that the server has said
  #complete = false; // whether it has said all
  #since = 0; // the highest server_ts since then

  // deliver is called with each message that was missed, in order; done after all of them.
  constructor({ conversations, membership, sync, deliver, done }) {
    this.#conversations = conversations;
    this.#membership = membership;
    this.#sync = sync;
    this.#deliver = deliver;
    this.#done = done;
  }

  // held is what auth says that this client holds. Where no message is, what was missed would
  // be of no use: of such a conversation it is only asked where it stands.
  held() {
    const held = [...this.#conversations].filter((c) => c.loaded && c.position && (c.joined || !c.isRoom));
    this.#named = held.sort((a, b) => b.active - a.active).slice(0, MOST);
    return {
      positions: Object.fromEntries(this.#named.map(({ id, position }) => [id, position])),
      since: this.#since > 0 ? Math.max(0, this.#since - MARGIN) : undefined,
    };
  }

  // begin is called with auth_ok.
  begin(resumed) {
    this.#other ||= resumed !== true;
    this.#rooms = new Set(this.#named.filter((c) => c.isRoom));
    this.#complete = false;
  }

  // heard takes the time of whatever the server has sent.
  heard({ server_ts }) {
    if (this.#complete && server_ts > this.#since) {
      this.#since = server_ts;
    }
  }

  // take takes an answer.
  take({ status, receiver_id, messages, server_ts, ...place }) {
    const conversation = this.#conversations.get(receiver_id);
    switch (status) {
      case 'missed':
        messages.forEach((message) => this.#deliver(message));
        break;
      case 'reload':
        if (conversation) {
          conversation.forget();
          this.#sync.placed(conversation, place);
        }
        break;
      case 'new':
        this.#opened(receiver_id, place);
        break;
      case 'gone':
        this.#rooms.delete(conversation);
        break;
      case 'done':
        this.#complete = true;
        this.heard({ server_ts });
        this.#settleRooms();
        this.#done();
        break;
    }
  }

  #opened(id, place) {
    const conversation = this.#conversations.open(id);
    if (conversation.isRoom) {
      this.#rooms.add(this.#membership.entered(id, place));
    } else {
      this.#sync.placed(conversation, place);
    }
  }

  // settleRooms finds out what has become of rooms that the server does not name. If the
  // session is another one, and there is none of them any more, the memberships have ended
  // with it, and not because one has left.
  #settleRooms() {
    const rooms = [...this.#conversations].filter((c) => c.isRoom);
    const missing = rooms.filter((c) => c.joined && !c.joining && !this.#rooms.has(c));
    if (this.#other && this.#rooms.size === 0) {
      this.#membership.rejoin(missing);
    } else {
      this.#membership.missing(missing, { sure: !this.#other });
    }
    this.#other = false;
    rooms.filter((c) => c.joining).forEach((room) => this.#membership.join(room));
  }
}
