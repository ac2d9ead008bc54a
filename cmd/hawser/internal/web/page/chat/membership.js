// Which rooms one is in. The server stores that for all devices, and tells each of them what
// changes. What a tab keeps of it is for the time without a connection, and for guests, whose
// memberships end with their last session.

import { Disconnected } from './requests.js';

// For so many milliseconds nothing is sure: a server that crashes may forget that one has
// joined a room, and another tab may be about to join a room again.
const UNSURE = 2000;

export class Membership {
  #conversations;
  #requests;
  #delivery;
  #sync;
  #changed;
  #told;
  #world;
  #asking = new Set(); // rooms that are being joined
  #unsure = new Set(); // that were joined a moment ago

  // world holds setTimeout. changed is called after anything changed, told with what went wrong, or what one did not
  // expect.
  constructor({ conversations, requests, delivery, sync, world, changed, told }) {
    this.#conversations = conversations;
    this.#requests = requests;
    this.#delivery = delivery;
    this.#sync = sync;
    this.#world = world;
    this.#changed = changed;
    this.#told = told;
  }

  // open joins a room, and makes it if need be. Its promise is rejected with what the server
  // has against it.
  async open(name) {
    const ack = await this.#requests.ask({ type: 'join', receiver_id: name });
    return this.#joined(name, ack);
  }

  // join joins a room in the background, as soon as there is a connection; where the server
  // cannot for now, again and again.
  join(room) {
    room.joining = true;
    this.#conversations.save(room);
    const asking = this.#asking;
    if (!this.#requests.open || asking.has(room)) {
      return;
    }
    asking.add(room);
    const delayed = (error) => {
      room.error = `${error.message} The page tries again by itself.`;
      this.#changed();
    };
    this.#sync.run(async () => {
      try {
        const ack = await this.#requests.ask({ type: 'join', receiver_id: room.id }, { delayed });
        room.error = '';
        this.#joined(room.id, ack);
      } catch (error) {
        room.joining = error instanceof Disconnected; // then it is tried again
        this.#conversations.save(room);
        throw error;
      } finally {
        asking.delete(room);
      }
    }, room);
  }

  #joined(name, ack) {
    const room = this.entered(name, ack);
    this.#unsure.add(room);
    this.#world.setTimeout(() => this.#unsure.delete(room), UNSURE);
    return room;
  }

  // end is called when the connection is lost.
  end() {
    this.#asking = new Set();
    this.#unsure.forEach((room) => (room.joining = true));
  }

  // leave ends the membership, on all devices. It reports whether that was done: not while
  // there is something that was not sent, which is not dropped in passing.
  async leave(room) {
    const waiting = this.#delivery.to(room.id).length;
    if (waiting > 0) {
      this.#told(`${waiting === 1 ? 'A message' : `${waiting} messages`} to #${room.id} could not be sent yet. Wait, or discard what was not sent, before you leave.`);
      return false;
    }
    try {
      await this.#requests.ask({ type: 'leave', receiver_id: room.id });
    } catch (error) {
      const nowhere = error.reason === 'unknown_room' || (error instanceof Disconnected && !room.joined);
      if (!nowhere) {
        this.#told(`You are still in #${room.id}. ${error.message}`);
        return false;
      }
    }
    this.#unsure.delete(room);
    this.#conversations.delete(room);
    return true;
  }

  // entered takes that one is in a room, and where the room's messages that are delivered
  // begin. It returns the room.
  entered(name, place) {
    const room = this.#conversations.open(name);
    room.joined = true;
    room.joining = false;
    this.#sync.placed(room, place);
    return room;
  }

  // missing takes rooms that the server did not name as ours. sure says that this is not
  // because of a session that has ended.
  missing(rooms, { sure }) {
    if (sure) {
      rooms.forEach((room) => this.ended(room));
      return;
    }
    rooms.forEach((room) => (room.joined = false));
    this.#world.setTimeout(() => {
      rooms.filter((room) => !room.joined && !room.joining).forEach((room) => this.ended(room));
      this.#changed();
    }, UNSURE);
  }

  // rejoin takes rooms whose memberships have ended with the session.
  rejoin(rooms) {
    for (const room of rooms) {
      room.joined = false;
      this.join(room);
    }
  }

  // ended takes that one is not in a room any more. It is kept only for what was not sent.
  ended(room) {
    const words = `You are no longer in #${room.id}: you have left it somewhere else.`;
    room.joined = room.joining = false;
    this.#unsure.delete(room);
    room.members = null;
    if (this.#delivery.abandon(room.id, 'You have left this room. If you send this again, you are in it again.')) {
      room.error = words;
      this.#conversations.save(room);
      return;
    }
    if (this.#conversations.current === room) {
      this.#told(words);
    }
    if (this.#conversations.get(room.id) === room) {
      this.#conversations.delete(room);
    }
  }
}
