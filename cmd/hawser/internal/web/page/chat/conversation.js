// A room or a private conversation: its messages in the order of seq, each once, and
// what is known about those that are not held.

export function isRoom(id) {
  return !id.startsWith('u_');
}

export class Conversation {
  id;
  joined = false; // rooms only: whether one is a member, as far as is known
  joining = false; // rooms only: whether one is to be, as soon as there is a connection
  members = null; // rooms only: Map of user_id → name, another after any change; null if not known
  crowded = false; // rooms only: whether there are others, beyond those the server names
  online = null; // people only: whether they are connected, or null if not known

  epoch; // of the data that seq counts in; undefined if not known
  position; // the last one that the server named, for resuming; undefined if not known
  messages = []; // in ascending order of seq; another array after a reset, and only then
  head = 0; // the highest seq known to be committed
  readTo; // the highest seq that was read; null in a room that was never joined
  active = 0; // server_ts of the last message known

  loaded = false; // whether messages holds a part of the history at all
  complete = false; // whether there is nothing before the first message
  begin = 1; // the lowest seq that the server keeps: those before it were dropped
  fetching = null; // the request for history that is under way; reset makes it void
  error = ''; // why fetching failed

  // Messages are held without gaps from #first to #held. Beyond there may be some
  // of our own, acknowledged before what others wrote meanwhile was delivered.
  #first = 0;
  #held = 0;

  constructor(id) {
    this.id = id;
    this.reset();
  }

  get isRoom() {
    return isRoom(this.id);
  }

  get first() {
    return this.#first;
  }

  get held() {
    return this.#held;
  }

  get unread() {
    return this.readTo === null ? 0 : Math.max(0, this.head - this.readTo);
  }

  // behind says whether messages are known to be missing at the end.
  get behind() {
    return this.loaded && this.#held < this.head;
  }

  // joinedBy and leftBy note who has come and gone, if it is known who is there.
  joinedBy(id, name) {
    if (this.members) {
      this.members = new Map(this.members).set(id, name);
    }
  }

  leftBy(id) {
    if (this.members?.has(id)) {
      this.members = new Map(this.members);
      this.members.delete(id);
    }
  }

  // committed notes the last committed seq that the server named. It reports false
  // if what is held goes beyond it: then the server has lost data.
  committed(seq) {
    if (seq < this.#held) {
      return false;
    }
    this.head = Math.max(this.head, seq);
    return true;
  }

  // adopt notes the epoch of the conversation's data. If it is another one than before,
  // everything that is held is forgotten, and it reports true.
  adopt(epoch) {
    const changed = this.epoch !== undefined && epoch !== undefined && epoch !== this.epoch;
    if (changed) {
      this.reset();
    }
    this.epoch = epoch ?? this.epoch;
    return changed;
  }

  // place notes where the server says that the conversation stands: everything after that
  // is delivered. What is held and cannot be a part of it is forgotten.
  place({ seq, epoch, position }) {
    this.adopt(epoch);
    if (!this.committed(seq)) {
      this.reset(); // the same epoch, and yet messages are gone
      this.adopt(epoch);
      this.committed(seq);
    }
    if (this.readTo === null || this.readTo > seq) {
      this.readTo = seq; // what was there before us is not unread
    }
    this.position = position;
  }

  // load puts in the last messages of the history.
  load(messages, hasMore, begin = 1) {
    this.loaded = true;
    this.begin = begin;
    this.complete = !hasMore;
    this.#first = messages.length > 0 ? messages[0].seq : begin;
    this.#held = messages.length > 0 ? messages.at(-1).seq : begin - 1;
    messages.forEach((m) => this.#insert(m));
    this.#extend();
  }

  // prepend puts in those before first.
  prepend(messages, hasMore, begin = 1) {
    this.complete = !hasMore;
    this.begin = begin;
    const older = messages.filter((m) => m.seq < this.#first);
    if (older.length > 0) {
      this.#first = older[0].seq;
      this.messages.unshift(...older); // at once: each by itself would move all the others
    }
  }

  // append puts in the first messages after held, as history returned them. If some between were
  // dropped meanwhile, those before are dropped, too: what is held has no gaps.
  append(messages, begin = 1) {
    if (begin > this.#held + 1) {
      this.messages.splice(0, this.messages.filter((m) => m.seq < begin).length);
      this.#first = begin;
      this.#held = begin - 1;
      this.complete = true;
      this.begin = begin;
    }
    messages.forEach((m) => this.#insert(m));
    if (messages.length > 0) {
      this.#held = Math.max(this.#held, messages.at(-1).seq);
    }
    this.#extend();
  }

  // deliver puts in one message that was received or acknowledged. It reports
  // whether it was new.
  deliver(message) {
    this.position = message.position ?? this.position;
    this.head = Math.max(this.head, message.seq);
    this.active = Math.max(this.active, message.server_ts);
    if (!this.loaded || message.seq < this.#first) {
      return false;
    }
    const isNew = this.#insert(message);
    this.#extend();
    return isNew;
  }

  // trim drops the oldest messages beyond a number; they can be fetched again. Not
  // while some are being fetched: they would not join up with the rest.
  trim(most) {
    const excess = this.messages.length - most;
    if (excess > 0 && !this.fetching && this.messages[excess].seq <= this.#held) {
      this.messages.splice(0, excess);
      this.#first = this.messages[0].seq;
      this.complete = false;
    }
  }

  // reset forgets everything that seq gave an order to.
  reset() {
    this.epoch = undefined;
    this.active = 0;
    this.readTo = this.isRoom ? null : 0;
    this.forget();
  }

  // forget drops the messages, which are to be read again. What was read once stays read.
  forget() {
    this.position = undefined;
    this.messages = [];
    this.head = this.#first = this.#held = 0;
    this.loaded = this.complete = false;
    this.begin = 1;
    this.fetching = null;
    this.error = '';
  }

  #insert(message) {
    let at = this.messages.length;
    while (at > 0 && this.messages[at - 1].seq > message.seq) {
      at--;
    }
    if (at > 0 && this.messages[at - 1].seq === message.seq) {
      return false;
    }
    this.messages.splice(at, 0, message);
    this.head = Math.max(this.head, message.seq);
    this.active = Math.max(this.active, message.server_ts);
    return true;
  }

  #extend() {
    let at = this.messages.findLastIndex((m) => m.seq <= this.#held) + 1;
    while (at < this.messages.length && this.messages[at].seq === this.#held + 1) {
      this.#held++;
      at++;
    }
  }
}
