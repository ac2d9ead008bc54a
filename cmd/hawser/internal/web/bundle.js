// Made from the modules in page by go generate. Change those.

// page/chat/conversation.js
function isRoom(id) {
  return !id.startsWith("u_");
}
var Conversation = class {
  id;
  joined = false;
  // rooms only: whether one is a member, as far as is known
  joining = false;
  // rooms only: whether one is to be, as soon as there is a connection
  members = null;
  // rooms only: Map of user_id → name, another after any change; null if not known
  crowded = false;
  // rooms only: whether there are others, beyond those the server names
  online = null;
  // people only: whether they are connected, or null if not known
  epoch;
  // of the data that seq counts in; undefined if not known
  position;
  // the last one that the server named, for resuming; undefined if not known
  messages = [];
  // in ascending order of seq; another array after a reset, and only then
  head = 0;
  // the highest seq known to be committed
  readTo;
  // the highest seq that was read; null in a room that was never joined
  active = 0;
  // server_ts of the last message known
  loaded = false;
  // whether messages holds a part of the history at all
  complete = false;
  // whether there is nothing before the first message
  begin = 1;
  // the lowest seq that the server keeps: those before it were dropped
  fetching = null;
  // the request for history that is under way; reset makes it void
  error = "";
  // why fetching failed
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
    const changed = this.epoch !== void 0 && epoch !== void 0 && epoch !== this.epoch;
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
      this.reset();
      this.adopt(epoch);
      this.committed(seq);
    }
    if (this.readTo === null || this.readTo > seq) {
      this.readTo = seq;
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
      this.messages.unshift(...older);
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
    this.epoch = void 0;
    this.active = 0;
    this.readTo = this.isRoom ? null : 0;
    this.forget();
  }
  // forget drops the messages, which are to be read again. What was read once stays read.
  forget() {
    this.position = void 0;
    this.messages = [];
    this.head = this.#first = this.#held = 0;
    this.loaded = this.complete = false;
    this.begin = 1;
    this.fetching = null;
    this.error = "";
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
};

// page/chat/names.js
var ROOM = /^[A-Za-z0-9_.-]{1,64}$/;
function roomProblem(name) {
  if (name === "") {
    return "Give the room a name.";
  }
  if (name.startsWith("u_")) {
    return "A room name cannot begin with u_.";
  }
  if (!ROOM.test(name)) {
    return "A room name has 1 to 64 letters (A–Z), digits, and _ - . without spaces.";
  }
  return "";
}
var LONGEST_NAME = 32;
function nameProblem(name) {
  const length = [...name.normalize("NFC").trim().replace(/\s+/g, " ")].length;
  if (length === 0) {
    return "Choose a name.";
  }
  return length > LONGEST_NAME ? `A name has at most ${LONGEST_NAME} characters, and this one has ${length}.` : "";
}
var Names = class {
  changes = 0;
  // how often anything changed
  #names = /* @__PURE__ */ new Map();
  // user_id → { name, look }
  #since = /* @__PURE__ */ new Map();
  // user_id → server_ts at which that was the name
  #latest = 0;
  // of these
  #ids = /* @__PURE__ */ new Map();
  // name as it looks → Set of user_id
  // set notes somebody's name. at is the server_ts of the message that carried it, which
  // may be an old one with an old name; without it, the name is the present one.
  set(id, name, at = this.#latest) {
    if (!id || !name || at < this.#since.get(id)) {
      return;
    }
    this.#since.set(id, at);
    this.#latest = Math.max(this.#latest, at);
    const before = this.#names.get(id);
    if (before?.name === name) {
      return;
    }
    const now = { name, look: look(name) };
    this.#ids.get(before?.look)?.delete(id);
    this.#names.set(id, now);
    if (!this.#ids.has(now.look)) {
      this.#ids.set(now.look, /* @__PURE__ */ new Set());
    }
    this.#ids.get(now.look).add(id);
    this.changes++;
  }
  // get returns the bare name, if it is known.
  get(id) {
    return this.#names.get(id)?.name;
  }
  // parts returns what to show: the name, which may hold anything, and what tells its
  // owner from others, or ''. Somebody without a name that can be seen goes by the id.
  parts(id) {
    const known = this.#names.get(id);
    if (!known?.look) {
      return { name: id, tag: "" };
    }
    const alone = this.#ids.get(known.look).size === 1;
    return { name: known.name, tag: alone ? "" : `(${id.slice(2, 6)})` };
  }
  // of returns the same as text, which can stand within other text.
  of(id) {
    const { name, tag } = this.parts(id);
    return tag ? `${isolate(name)} ${tag}` : isolate(name);
  }
};
function look(name) {
  return name.normalize("NFKC").replace(INVISIBLE, "").toLowerCase();
}
function isBlank(text) {
  return text.replace(INVISIBLE, "") === "";
}
var INVISIBLE = /[\p{Default_Ignorable_Code_Point}\p{White_Space}\p{Cc}\p{Cf}\p{Cs}\u2800]/gu;
function isolate(text) {
  if (!RIGHT_TO_LEFT.test(text)) {
    return text;
  }
  const inner = [];
  let open = 0;
  for (const character of text.replace(/[\n\r\x1c-\x1e\x85\u2029]/g, " ")) {
    if (character === PDI && open === 0) {
      continue;
    }
    open += ISOLATES.test(character) ? 1 : character === PDI ? -1 : 0;
    inner.push(character);
  }
  return FSI + inner.join("") + PDI.repeat(open + 1);
}
var FSI = "⁨";
var PDI = "⁩";
var ISOLATES = /[\u2066-\u2068]/;
var RIGHT_TO_LEFT = /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

// page/address.js
var USER = /^u_[A-Za-z0-9_.-]{1,62}$/;
var Address = class {
  #visited;
  #shown;
  // what the address named when it was last written or read
  // visited is called with the id of a room or user when an address is followed.
  constructor(visited) {
    this.#visited = visited;
    addEventListener("popstate", () => this.#follow());
    addEventListener("hashchange", () => this.#follow());
  }
  // id is what the address names, or '' if it names nothing that there can be.
  get id() {
    let id = location.hash.slice(1);
    try {
      id = decodeURIComponent(id);
    } catch {
    }
    return USER.test(id) || !roomProblem(id) ? id : "";
  }
  // room is the same if it is a room.
  get room() {
    return isRoom(this.id) ? this.id : "";
  }
  // show makes the address name a conversation, '' for none. The one before is what Back
  // leads to, unless replace is set.
  show(id, { replace = false } = {}) {
    if (id === this.#shown && id === this.id) {
      return;
    }
    const url = id ? `#${id}` : location.pathname + location.search;
    const first = this.#shown === void 0 || this.id === "";
    if (id !== this.id || location.hash.slice(1) !== id) {
      history[replace || first ? "replaceState" : "pushState"](null, "", url);
    }
    this.#shown = id;
  }
  #follow() {
    const { id } = this;
    if (id !== this.#shown) {
      const before = this.#shown;
      this.#shown = id;
      if (id) {
        this.#visited(id);
      } else if (before) {
        this.show(before);
      }
    }
  }
};

// page/chat/conversations.js
var KEY = "talk.";
var Conversations = class {
  current = null;
  // the one that is shown
  epoch;
  // of the server's data; undefined before the first connection
  #memory;
  #tab;
  #names;
  #byID = /* @__PURE__ */ new Map();
  #saved = /* @__PURE__ */ new Map();
  // id → what the memory holds, as text
  // memory is the browser's, tab that of the tab.
  constructor(memory, tab2, names) {
    this.#memory = memory;
    this.#tab = tab2;
    this.#names = names;
    this.epoch = memory.load("epoch") ?? void 0;
    for (const key of memory.keys(KEY)) {
      this.#merge(key.slice(KEY.length), memory.load(key));
    }
    this.current = this.get(tab2.load("current") ?? memory.load("current")) ?? null;
  }
  [Symbol.iterator]() {
    return this.#byID.values();
  }
  get(id) {
    return this.#byID.get(id);
  }
  // open returns the conversation, a new one if need be.
  open(id) {
    if (!this.#byID.has(id)) {
      this.#byID.set(id, new Conversation(id));
    }
    return this.#byID.get(id);
  }
  delete(conversation) {
    this.#forget(conversation);
    this.#memory.remove(KEY + conversation.id);
  }
  // adopt notes the epoch of the server's data. If it is another one than before, all that
  // is held is forgotten, but for conversations that have an epoch of their own.
  adopt(epoch) {
    if (epoch === void 0 || epoch === this.epoch) {
      return;
    }
    if (this.epoch !== void 0) {
      const old = [...this].filter((conversation) => (conversation.epoch ?? this.epoch) === this.epoch);
      old.forEach((conversation) => conversation.reset());
    }
    this.epoch = epoch;
    this.#memory.save("epoch", epoch);
  }
  save(conversation) {
    const { id, joined, joining, readTo, epoch = this.epoch } = conversation;
    const record = { joined, joining, readTo, epoch, name: this.#names.get(id) };
    const text = JSON.stringify(record);
    if (this.get(id) === conversation && this.#saved.get(id) !== text) {
      this.#saved.set(id, text);
      this.#memory.save(KEY + id, record);
    }
  }
  // saveCurrent notes which one is shown, for a reload and for the next new tab.
  saveCurrent() {
    this.#tab.save("current", this.current?.id ?? null);
    this.#memory.save("current", this.current?.id ?? null);
  }
  // stored is told what another tab saved under a key, null if it removed that. Which rooms
  // there are is what the server says; online is false while it says nothing.
  stored(key, record, { online }) {
    if (!key.startsWith(KEY)) {
      return;
    }
    const id = key.slice(KEY.length);
    const known = this.get(id);
    if (!online || !isRoom(id)) {
      record ? this.#merge(id, record) : known && this.#forget(known);
    } else if (known) {
      this.#saved.delete(id);
      this.#mergeRead(known, record);
    }
  }
  // merge takes over what was saved.
  #merge(id, record) {
    if (!record) {
      return;
    }
    const conversation = this.open(id);
    conversation.joined ||= record.joined === true;
    conversation.joining ||= record.joining === true;
    this.#mergeRead(conversation, record);
    this.#names.set(id, record.name);
    this.#saved.set(id, JSON.stringify(record));
  }
  // mergeRead takes over how much was read; what was read once stays read.
  #mergeRead(conversation, record) {
    conversation.epoch ??= record?.epoch;
    if (Number.isInteger(record?.readTo) && record.epoch === conversation.epoch) {
      conversation.readTo = Math.max(conversation.readTo ?? 0, record.readTo);
    }
  }
  #forget(conversation) {
    this.#byID.delete(conversation.id);
    this.#saved.delete(conversation.id);
    if (this.current === conversation) {
      this.current = null;
    }
  }
};

// page/chat/backoff.js
var Backoff = class {
  #attempt = 0;
  #first;
  #most;
  #random;
  // first and most are milliseconds, random is a function like Math.random.
  constructor({ first = 500, most = 3e4, random = Math.random } = {}) {
    this.#first = first;
    this.#most = most;
    this.#random = random;
  }
  next() {
    const full2 = Math.min(this.#most, this.#first * 2 ** this.#attempt);
    this.#attempt++;
    return full2 * (0.5 + this.#random() / 2);
  }
  reset() {
    this.#attempt = 0;
  }
};

// page/chat/refused.js
var PASSING = /* @__PURE__ */ new Set(["outcome_unknown", "store_unavailable", "overloaded", "shutting_down"]);
var SHORT = 15e3;
var PAUSE = 1e3;
var WORDS = {
  outcome_unknown: "The server does not know yet whether it has stored this.",
  store_unavailable: "The server cannot store or read messages at the moment.",
  overloaded: "The server has too much to do at the moment.",
  shutting_down: "The server is about to stop.",
  rate_limited: "You, or others at your network address, are sending too much at once.",
  room_busy: "More is said in this room than the server lets through.",
  too_many_connections: "You are connected too often, from other tabs or devices.",
  quota_exceeded: "You, or others at your network address, have sent as much as this server stores in a day.",
  too_many_new_rooms: "You, or others at your network address, have made as many rooms as this server allows for now.",
  banned: "You may not take part here (any more): this server has banned you.",
  session_ended: "You were logged out here, from another tab or device.",
  session_refused: "The server does not know this session (any more).",
  user_deleted: "The server has deleted this user.",
  too_many_rooms: "You are in as many rooms as this server allows. Leave one first."
};
function pause({ code, reason, retry_after_ms: wait }) {
  if (PASSING.has(reason)) {
    return wait > 0 ? wait : 0;
  }
  if (code === 429 && (wait > 0 || reason === "rate_limited")) {
    return wait > SHORT ? null : wait > 0 ? wait : PAUSE;
  }
  return null;
}
function words({ reason, message }) {
  return WORDS[reason] ?? (sentence(message || reason) || "The server refused this.");
}
function sentence(text) {
  if (typeof text !== "string") {
    return "";
  }
  const [first = "", ...rest] = text;
  return first.toUpperCase() + rest.join("") + (/[\p{L}\p{N}]$/u.test(text) ? "." : "");
}
function again(wait) {
  if (!(wait > -Infinity)) {
    return "";
  }
  return wait <= 0 ? "You can try again now." : `Try again in ${inWords(wait)}.`;
}
function inWords(milliseconds) {
  const seconds = Math.ceil(milliseconds / 1e3);
  for (const [unit, length] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (seconds > 1.5 * length) {
      return `about ${Math.ceil(seconds / length)} ${unit}s`;
    }
    if (seconds >= length) {
      return `about ${unit === "hour" ? "an" : "a"} ${unit}`;
    }
  }
  return `${seconds} ${seconds === 1 ? "second" : "seconds"}`;
}

// page/chat/delivery.js
var PAUSES = { first: 1e3, most: 6e4 };
var Delivery = class {
  #outbox;
  #requests;
  #world;
  #changed;
  #begun = false;
  #flying = /* @__PURE__ */ new Map();
  // ref → conversation, of what is sent and not answered
  #held = /* @__PURE__ */ new Map();
  // conversation → { timer, backoff, reason }, where nothing is sent for now
  // changed is called after something changed by itself.
  constructor({ outbox, requests, world, changed }) {
    this.#outbox = outbox;
    this.#requests = requests;
    this.#world = world;
    this.#changed = changed;
  }
  // begin is called when a connection stands and what was missed is known, and sends what
  // waits; end when it is lost.
  begin() {
    this.end();
    this.#begun = true;
    this.#outbox.sending().forEach((entry) => this.#send(entry));
  }
  end() {
    this.#begun = false;
    for (const { timer } of this.#held.values()) {
      this.#world.clearTimeout(timer);
    }
    this.#held.clear();
    this.#flying.clear();
  }
  // post sends an entry when those before it have been sent.
  post(entry) {
    if (this.#begun && !this.#held.has(entry.to)) {
      this.#send(entry);
    }
  }
  // to returns what waits for a conversation. Where nothing is sent for now, waiting says
  // for what reason.
  to(conversation) {
    const entries = this.#outbox.to(conversation);
    const waiting = this.#held.get(conversation)?.reason;
    return waiting ? entries.map((entry) => ({ ...entry, waiting })) : entries;
  }
  // abandon sends nothing more to a conversation before the user asks for it, and says why.
  // It reports whether there was anything.
  abandon(conversation, why2) {
    const waiting = this.#outbox.to(conversation);
    waiting.forEach(({ ref }) => this.#outbox.fail(ref, why2));
    return waiting.length > 0;
  }
  // acknowledged returns the entry, if it is still one.
  acknowledged({ ref }) {
    const to = this.#landed(ref);
    const entry = this.#outbox.remove(ref);
    if (this.#held.get(to)?.timer === null) {
      this.#held.delete(to);
      this.#waiting(to).forEach((e) => this.#send(e));
    }
    return entry;
  }
  // refused reports whether the error was about a message.
  refused(error) {
    const to = this.#landed(error.ref) ?? this.#outbox.get(error.ref)?.to;
    if (to === void 0) {
      return false;
    }
    const wait = pause(error);
    if (wait !== null) {
      this.#hold(to, wait, error.reason);
      return true;
    }
    const until = error.retry_after_ms > 0 ? Date.now() + error.retry_after_ms : null;
    this.#outbox.fail(error.ref, words(error), until);
    this.#next(to);
    return true;
  }
  #send(entry) {
    this.#flying.set(entry.ref, entry.to);
    this.#requests.tell(wire(entry));
  }
  #landed(ref) {
    const to = this.#flying.get(ref);
    this.#flying.delete(ref);
    return to;
  }
  // hold sends nothing to a conversation for a while. What comes later would overtake.
  #hold(to, wait, reason) {
    const held = this.#held.get(to) ?? { timer: null, backoff: new Backoff(PAUSES) };
    this.#held.set(to, held);
    if (held.timer !== null) {
      return;
    }
    this.#requests.withdraw(({ ref }) => this.#flying.get(ref) === to).forEach(({ ref }) => this.#landed(ref));
    held.reason = reason;
    held.timer = this.#world.setTimeout(() => {
      held.timer = null;
      this.#next(to);
      this.#changed();
    }, wait || held.backoff.next());
  }
  // next sends the first of what is held. It is refused again, or else the others follow.
  #next(to) {
    if (this.#held.get(to)?.timer !== null) {
      return;
    }
    const [first] = this.#waiting(to);
    if (first) {
      this.#send(first);
    } else {
      this.#held.delete(to);
    }
  }
  #waiting(to) {
    return this.#outbox.to(to).filter(({ ref, state }) => state === "sending" && !this.#flying.has(ref));
  }
};
function wire({ ref, to, content, at }) {
  return {
    type: isRoom(to) ? "group" : "message",
    timestamp: at / 1e3,
    receiver_id: to,
    content,
    metadata: { ref },
    ref
  };
}

// page/chat/directory.js
var PAGE = 100;
var MOST = 500;
var SETTLED = 300;
var LONGEST = 64;
var Directory = class {
  search = "";
  // what is searched for
  searched = "";
  // and what the rooms were found by
  rooms = [];
  // as the server answered
  hasMore = false;
  asking = false;
  // whether the answer for the search is under way
  error = "";
  // why there is none
  #requests;
  #world;
  #changed;
  #next;
  // where the next page begins
  #generation = 0;
  // of the list: an answer that was asked for before it is void
  #timer = null;
  // changed is called after anything changed.
  constructor({ requests, world, changed }) {
    this.#requests = requests;
    this.#world = world;
    this.#changed = changed;
  }
  // find looks for rooms whose names contain a text, when no more is typed for a moment.
  find(text) {
    const search = text.trim().replace(/^#/, "");
    if (search === this.search) {
      return;
    }
    this.search = search;
    this.#begin();
    this.#world.clearTimeout(this.#timer);
    this.#timer = this.#world.setTimeout(() => this.#fetch(PAGE), SETTLED);
    this.#changed();
  }
  // refresh asks again for as many as are known, unless an answer is under way.
  refresh() {
    if (!this.asking) {
      this.#begin();
      return this.#fetch(Math.min(MOST, Math.max(PAGE, this.rooms.length)));
    }
  }
  // more asks for those that follow.
  more() {
    if (this.hasMore && !this.asking) {
      this.#begin();
      return this.#fetch(PAGE, this.#next);
    }
  }
  // forget is called when the connection is lost.
  forget() {
    this.#generation++;
    this.asking = false;
  }
  #begin() {
    this.#generation++;
    this.asking = true;
    this.error = "";
  }
  // fetch puts an answer in the list's place, or after it where a place is given.
  async #fetch(limit, after) {
    const generation = this.#generation;
    try {
      const { rooms, has_more, next } = await this.#ask(limit, after, generation);
      if (generation === this.#generation) {
        const known = new Set(after === void 0 ? [] : this.rooms.map((r) => r.receiver_id));
        const before = after === void 0 ? [] : this.rooms;
        this.rooms = [...before, ...rooms.filter((r) => !known.has(r.receiver_id))];
        this.searched = this.search;
        this.hasMore = has_more;
        this.#next = next;
      }
    } catch (error) {
      if (generation === this.#generation) {
        this.error = error.message;
      }
    }
    if (generation === this.#generation) {
      this.asking = false;
      this.#changed();
    }
  }
  // ask asks on while answers are empty: the server looks through many rooms in steps.
  async #ask(limit, after, generation) {
    const { search } = this;
    if (new TextEncoder().encode(search).length > LONGEST) {
      return { rooms: [], has_more: false };
    }
    for (; ; ) {
      const { rooms, has_more, next } = await this.#requests.ask({ type: "rooms", limit, search: search || void 0, after });
      after = next ?? rooms.at(-1)?.receiver_id;
      if (rooms.length > 0 || !has_more || after === void 0 || generation !== this.#generation) {
        return { rooms, has_more: has_more && after !== void 0, next: after };
      }
    }
  }
};

// page/chat/events.js
var Events = class {
  #client;
  #presence;
  #membership;
  #sync;
  constructor({ client: client2, presence, membership, sync }) {
    this.#client = client2;
    this.#presence = presence;
    this.#membership = membership;
    this.#sync = sync;
  }
  take({ event, receiver_id, user_id, name, content, ...place }) {
    const client2 = this.#client;
    const room = client2.conversations.get(receiver_id);
    switch (event) {
      case "joined":
        this.#presence.joined(receiver_id, user_id, name);
        break;
      case "left":
        this.#left(receiver_id, user_id);
        break;
      case "renamed":
        client2.names.set(user_id, name);
        room?.joinedBy(user_id, name);
        if (user_id === client2.me.user_id) {
          client2.onname(name);
        }
        break;
      case "reload":
        if (room && (room.joined || !room.isRoom)) {
          this.#sync.placed(room, place);
        }
        break;
      case "subscribed":
        this.#membership.entered(receiver_id, place);
        break;
      case "unsubscribed":
        if (room) {
          this.#membership.ended(room);
          client2.refreshRooms();
        }
        break;
      case "shutting_down":
        client2.notice = content;
        break;
      case "token_expiring":
        client2.onexpiry();
        break;
    }
  }
  #left(room, id) {
    const person = this.#presence.left(room, id);
    if (person) {
      this.#sync.askAgain(person);
    }
  }
};

// page/chat/history.js
var PAGE2 = 50;
var CATCH_UP = 100;
var History = class {
  #requests;
  #arrived;
  #renewed;
  // arrived is called with the messages of each answer before they are put in, renewed
  // with a conversation whose data turned out to be other data, when it was reset. The
  // methods return promises, which are rejected as those of Requests are.
  constructor(requests, arrived, renewed) {
    this.#requests = requests;
    this.#arrived = arrived;
    this.#renewed = renewed;
  }
  // load fetches the last messages of a conversation that holds none.
  async load(conversation) {
    if (conversation.loaded) {
      return;
    }
    const answer = await this.#ask(conversation, { limit: PAGE2 });
    if (answer) {
      conversation.load(answer.messages, answer.has_more, answer.first_seq);
      await this.catchUp(conversation);
    }
  }
  // older fetches the messages before the first one.
  async older(conversation) {
    if (!conversation.loaded || conversation.complete) {
      return;
    }
    const answer = await this.#ask(conversation, { before_seq: conversation.first, limit: PAGE2 });
    if (answer) {
      conversation.prepend(answer.messages, answer.has_more, answer.first_seq);
      await this.catchUp(conversation);
    }
  }
  // catchUp fetches what is missing, up to the end.
  async catchUp(conversation) {
    for (let more = conversation.behind; more; ) {
      const { held } = conversation;
      const answer = await this.#ask(conversation, { after_seq: held, limit: CATCH_UP });
      if (!answer) {
        return;
      }
      conversation.append(answer.messages, answer.first_seq);
      more = conversation.held > held && (answer.has_more || conversation.behind);
    }
  }
  // ask returns null if somebody else is asking, who looks for gaps when he is done,
  // or if the conversation was reset before the answer came.
  async #ask(conversation, range) {
    if (conversation.fetching) {
      return null;
    }
    const fetching = {};
    conversation.fetching = fetching;
    try {
      const question = { type: "history", receiver_id: conversation.id, ...range };
      const answer = await this.#requests.ask(question);
      if (conversation.fetching !== fetching) {
        return null;
      }
      if (conversation.adopt(answer.messages[0]?.epoch)) {
        this.#renewed(conversation);
        return null;
      }
      this.#arrived(answer.messages);
      conversation.error = "";
      return answer;
    } finally {
      if (conversation.fetching === fetching) {
        conversation.fetching = null;
      }
    }
  }
};

// page/chat/pacer.js
var RATE_SHARE = 0.9;
var BURST_RESERVE = 2;
var Pacer = class {
  #send;
  #world;
  #queue = [];
  #timer = null;
  #rate = 0;
  // per second; 0: no limit
  #burst = 0;
  #tokens = 0;
  #filled = 0;
  // when #tokens was right
  // send is called with each item. world holds setTimeout, clearTimeout and
  // performance.
  constructor(send, world = globalThis) {
    this.#send = send;
    this.#world = world;
  }
  // begin forgets what waits, and starts with a full allowance. 0 means no limit.
  begin(perSecond, burst) {
    this.clear();
    this.#rate = (perSecond || 0) * RATE_SHARE;
    this.#burst = Math.max(1, (burst || perSecond || 0) - BURST_RESERVE);
    this.#tokens = this.#burst;
    this.#filled = this.#world.performance.now();
  }
  push(item2) {
    this.#queue.push(item2);
    this.#drain();
  }
  // withdraw takes back the items that match and were not sent yet, and returns them.
  withdraw(matches) {
    const withdrawn = this.#queue.filter(matches);
    this.#queue = this.#queue.filter((item2) => !matches(item2));
    return withdrawn;
  }
  clear() {
    this.#queue = [];
    this.#world.clearTimeout(this.#timer);
    this.#timer = null;
  }
  #drain() {
    if (this.#timer !== null) {
      return;
    }
    while (this.#queue.length > 0) {
      const wait = this.#take();
      if (wait > 0) {
        this.#timer = this.#world.setTimeout(() => {
          this.#timer = null;
          this.#drain();
        }, wait);
        return;
      }
      this.#send(this.#queue.shift());
    }
  }
  // take takes one token, or returns the milliseconds until there is one.
  #take() {
    if (this.#rate === 0) {
      return 0;
    }
    const now = this.#world.performance.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#filled) / 1e3 * this.#rate);
    this.#filled = now;
    if (this.#tokens >= 1) {
      this.#tokens--;
      return 0;
    }
    return Math.max(1, Math.ceil((1 - this.#tokens) / this.#rate * 1e3));
  }
};

// page/chat/requests.js
var Disconnected = class extends Error {
  constructor() {
    super("There is no connection to the server right now.");
  }
};
var Refused = class extends Error {
  constructor(error) {
    super(`${words(error)} ${again(error.retry_after_ms)}`.trim());
    this.code = error.code;
    this.reason = error.reason;
    this.field = error.field;
  }
};
function newRef() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}
var Requests = class {
  #open = false;
  #world;
  #pacer;
  #waiting = /* @__PURE__ */ new Map();
  // ref → { message, resolve, reject, delayed, backoff }
  #repeats = /* @__PURE__ */ new Set();
  // timers
  constructor(send, world = globalThis) {
    this.#world = world;
    this.#pacer = new Pacer(send, world);
  }
  // open says whether there is a connection to ask on.
  get open() {
    return this.#open;
  }
  // begin is called when a connection stands, with the limits it grants.
  begin(limits) {
    this.#open = true;
    this.#pacer.begin(limits?.messages_per_second, limits?.burst);
  }
  // end is called when it is lost.
  end() {
    this.#open = false;
    this.#pacer.clear();
    for (const timer of this.#repeats) {
      this.#world.clearTimeout(timer);
    }
    this.#repeats.clear();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) {
      reject(new Disconnected());
    }
  }
  // ask sends a message and returns a promise of its answer. It is rejected with
  // Disconnected or Refused. With delayed it is asked again, until a connection ends,
  // when the server does not work for now; delayed(error) is called each time.
  ask(message, { delayed } = {}) {
    if (!this.#open) {
      return Promise.reject(new Disconnected());
    }
    const question = { ...message, ref: newRef() };
    return new Promise((resolve, reject) => {
      this.#waiting.set(question.ref, { message: question, resolve, reject, delayed, backoff: new Backoff({ first: 1e3 }) });
      this.#pacer.push(question);
    });
  }
  // tell sends a message for whose answer somebody else cares.
  tell(message) {
    if (this.#open) {
      this.#pacer.push(message);
    }
  }
  // withdraw takes back what was told and still waits for its turn, and returns it.
  withdraw(matches) {
    return this.#pacer.withdraw(matches);
  }
  // settle reports whether the answer was to a question asked here.
  settle(answer) {
    const question = this.#waiting.get(answer.ref);
    if (!question) {
      return false;
    }
    if (answer.type !== "error") {
      this.#waiting.delete(answer.ref);
      question.resolve(answer);
      return true;
    }
    const wait = pause(answer);
    if (wait !== null && (answer.code === 429 || question.delayed)) {
      question.delayed?.(new Refused(answer));
      this.#repeat(question.message, wait || question.backoff.next());
      return true;
    }
    this.#waiting.delete(answer.ref);
    question.reject(new Refused(answer));
    return true;
  }
  #repeat(message, milliseconds) {
    const timer = this.#world.setTimeout(() => {
      this.#repeats.delete(timer);
      this.#pacer.push(message);
    }, milliseconds);
    this.#repeats.add(timer);
  }
};

// page/chat/membership.js
var UNSURE = 2e3;
var Membership = class {
  #conversations;
  #requests;
  #delivery;
  #sync;
  #changed;
  #told;
  #world;
  #asking = /* @__PURE__ */ new Set();
  // rooms that are being joined
  #unsure = /* @__PURE__ */ new Set();
  // that were joined a moment ago
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
    const ack = await this.#requests.ask({ type: "join", receiver_id: name });
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
        const ack = await this.#requests.ask({ type: "join", receiver_id: room.id }, { delayed });
        room.error = "";
        this.#joined(room.id, ack);
      } catch (error) {
        room.joining = error instanceof Disconnected;
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
    this.#asking = /* @__PURE__ */ new Set();
    this.#unsure.forEach((room) => room.joining = true);
  }
  // leave ends the membership, on all devices. It reports whether that was done: not while
  // there is something that was not sent, which is not dropped in passing.
  async leave(room) {
    const waiting = this.#delivery.to(room.id).length;
    if (waiting > 0) {
      this.#told(`${waiting === 1 ? "A message" : `${waiting} messages`} to #${room.id} could not be sent yet. Wait, or discard what was not sent, before you leave.`);
      return false;
    }
    try {
      await this.#requests.ask({ type: "leave", receiver_id: room.id });
    } catch (error) {
      const nowhere = error.reason === "unknown_room" || error instanceof Disconnected && !room.joined;
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
    rooms.forEach((room) => room.joined = false);
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
    const words2 = `You are no longer in #${room.id}: you have left it somewhere else.`;
    room.joined = room.joining = false;
    this.#unsure.delete(room);
    room.members = null;
    if (this.#delivery.abandon(room.id, "You have left this room. If you send this again, you are in it again.")) {
      room.error = words2;
      this.#conversations.save(room);
      return;
    }
    if (this.#conversations.current === room) {
      this.#told(words2);
    }
    if (this.#conversations.get(room.id) === room) {
      this.#conversations.delete(room);
    }
  }
};

// page/chat/outbox.js
var KEY2 = "outbox.";
var DAY = 86400;
var SHARE = 0.95;
var Outbox = class {
  // Called after entries were taken over from a tab that is gone.
  onadopt = () => {
  };
  // For how many seconds the server knows a ref again. What is older may be stored twice if
  // it is sent again, so that is left to the user.
  lifetime = DAY;
  #memory;
  #tabs;
  #entries = /* @__PURE__ */ new Map();
  // ref → entry, in the order of writing
  #written = 0;
  // An entry is { ref, to, content, at, n, tab, state, error, until }. to is a
  // conversation, at milliseconds, n counts those of one tab, state is 'sending' or
  // 'failed'. until is when it may be sent again, null if nobody has said.
  constructor(memory, tabs2) {
    this.#memory = memory;
    this.#tabs = tabs2;
    for (const key of memory.keys(KEY2)) {
      this.#watch(memory.load(key)?.tab);
    }
  }
  add(to, content) {
    const entry = {
      ref: newRef(),
      to,
      content,
      at: Date.now(),
      n: this.#written++,
      tab: this.#tabs.id,
      state: "sending",
      error: "",
      until: null
    };
    this.#entries.set(entry.ref, entry);
    this.#save(entry);
    return entry;
  }
  get size() {
    return this.#entries.size;
  }
  get(ref) {
    return this.#entries.get(ref);
  }
  // fail marks what the server refused; it is not sent again by itself.
  fail(ref, error, until = null) {
    this.#mark(ref, { state: "failed", error, until });
  }
  // retry marks it as to be sent again, and returns it.
  retry(ref) {
    this.#mark(ref, { state: "sending", error: "", until: null });
    return this.get(ref);
  }
  // remove returns the entry, if there was one.
  remove(ref) {
    const entry = this.#entries.get(ref);
    if (entry) {
      this.#entries.delete(ref);
      this.#memory.remove(KEY2 + ref);
    }
    return entry;
  }
  // forget drops everything to a conversation.
  forget(to) {
    this.to(to).forEach(({ ref }) => this.remove(ref));
  }
  // to returns what waits for a conversation, in the order of writing.
  to(conversation) {
    return [...this.#entries.values()].filter((e) => e.to === conversation);
  }
  // sending returns what is to be sent again after a reconnect.
  sending() {
    const old = 1e3 * SHARE * this.lifetime;
    for (const { ref, at, state } of this.#entries.values()) {
      if (state === "sending" && Date.now() - at > old) {
        this.fail(ref, "It was written so long ago that the server cannot tell whether it has arrived. Send it again?");
      }
    }
    return [...this.#entries.values()].filter((e) => e.state === "sending");
  }
  // stored is told what another tab saved under a key, null if it removed that.
  stored(key, entry) {
    if (!key.startsWith(KEY2)) {
      return;
    }
    if (entry) {
      this.#watch(entry.tab, { heardOf: true });
    } else {
      this.#entries.delete(key.slice(KEY2.length));
    }
  }
  // watch takes over what a tab leaves behind.
  #watch(tab2, options) {
    this.#tabs.whenGone(tab2, () => this.#adopt(tab2), options);
  }
  #adopt(tab2) {
    const left = this.#memory.keys(KEY2).map((key) => this.#memory.load(key)).filter((e) => e?.tab === tab2);
    if (left.length === 0) {
      return;
    }
    left.sort((a, b) => a.at - b.at || a.n - b.n);
    for (const entry of left) {
      entry.tab = this.#tabs.id;
      this.#entries.set(entry.ref, entry);
      this.#save(entry);
    }
    this.onadopt(left);
  }
  #mark(ref, marks) {
    const entry = this.#entries.get(ref);
    if (entry) {
      Object.assign(entry, marks);
      this.#save(entry);
    }
  }
  #save(entry) {
    this.#memory.save(KEY2 + entry.ref, entry);
  }
};
function unsent(memory) {
  return memory.keys(KEY2).length;
}

// page/chat/presence.js
var Presence = class {
  #requests;
  #names;
  #conversations;
  #asking = /* @__PURE__ */ new Set();
  // conversations
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
      const { users, has_more } = await this.#requests.ask({ type: "presence", receiver_id: conversation.id });
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
      const { peers, has_more } = await this.#requests.ask({ type: "peers", limit: 100, after });
      peers.forEach((peer) => this.#learn(peer));
      after = peers.at(-1)?.user_id;
      more = has_more && after !== void 0;
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
};

// page/chat/resume.js
var MOST2 = 1e3;
var MARGIN = 3e5;
var Resume = class {
  #conversations;
  #membership;
  #sync;
  #deliver;
  #done;
  #other = true;
  // whether the session is another one than when the rooms were settled last
  #named = [];
  // conversations whose positions the server was told
  #rooms = /* @__PURE__ */ new Set();
  // in which one is, for all that the server has said
  #complete = false;
  // whether it has said all
  #since = 0;
  // the highest server_ts since then
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
    this.#named = held.sort((a, b) => b.active - a.active).slice(0, MOST2);
    return {
      positions: Object.fromEntries(this.#named.map(({ id, position }) => [id, position])),
      since: this.#since > 0 ? Math.max(0, this.#since - MARGIN) : void 0
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
      case "missed":
        messages.forEach((message) => this.#deliver(message));
        break;
      case "reload":
        if (conversation) {
          conversation.forget();
          this.#sync.placed(conversation, place);
        }
        break;
      case "new":
        this.#opened(receiver_id, place);
        break;
      case "gone":
        this.#rooms.delete(conversation);
        break;
      case "done":
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
};

// page/chat/sync.js
var Sync = class {
  #conversations;
  #history;
  #presence;
  #online;
  #changed;
  #told;
  // online reports whether there is a connection. changed is called after anything
  // changed, told with what went wrong and concerns no conversation.
  constructor({ conversations, history: history2, presence, online, changed, told }) {
    this.#conversations = conversations;
    this.#history = history2;
    this.#presence = presence;
    this.#online = online;
    this.#changed = changed;
    this.#told = told;
  }
  // begin is called when a connection stands, and resumed when what was missed is known.
  begin() {
    this.run(() => this.#presence.refresh());
  }
  resumed() {
    const { current } = this.#conversations;
    if (current?.joining === false) {
      this.show(current);
    }
  }
  // end is called when the connection is lost.
  end() {
    this.#presence.forget();
    for (const conversation of this.#conversations) {
      conversation.fetching = null;
    }
  }
  // placed takes where the server says that a conversation stands.
  placed(conversation, place) {
    conversation.place(place);
    this.#conversations.save(conversation);
    this.show(conversation);
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
    work.catch(() => {
    }).then(() => this.#changed());
  }
};

// page/chat/tabs.js
var Tabs = class {
  id = newRef();
  // of this tab, until it is reloaded
  #locks;
  #prefix;
  // locks is navigator.locks, or undefined.
  constructor(locks, prefix2 = "hawser.") {
    this.#locks = locks;
    this.#prefix = prefix2;
    this.#hold(`tab.${this.id}`, () => new Promise(() => {
    }));
  }
  // one runs something of which only one may run at a time in all tabs, and returns its
  // result.
  one(name, run) {
    return this.#locks ? this.#hold(name, run) : run();
  }
  // whenGone calls gone when another tab is closed or reloaded; at once, if it was.
  // Where that cannot be known, a tab counts as gone unless it was just heard of.
  whenGone(id, gone, { heardOf = false } = {}) {
    if (id === this.id) {
      return;
    }
    if (this.#locks) {
      this.#hold(`tab.${id}`, gone);
    } else if (!heardOf) {
      gone();
    }
  }
  #hold(name, run) {
    return this.#locks?.request(this.#prefix + name, run);
  }
};

// page/chat/client.js
var FEATURES = ["ack", "presence", "system"];
var Client = class {
  me;
  // { user_id, name }
  names = new Names();
  conversations;
  directory;
  // of the rooms on the server
  limits = {};
  // of the server, which auth_ok tells
  notice = "";
  // something about the service itself, to be shown
  // Called after anything changed, also several times in a row.
  onchange = () => {
  };
  // onname is called with the name that the server knows us by, onexpiry when our token
  // is about to expire.
  onname = () => {
  };
  onexpiry = () => {
  };
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
  constructor({ me, connection: connection2, memory, tab: tab2 = memory, tabs: tabs2 = new Tabs(), world = globalThis }) {
    this.me = me;
    this.names.set(me.user_id, me.name);
    this.#memory = memory;
    this.conversations = new Conversations(memory, tab2, this.names);
    this.#outbox = new Outbox(memory, tabs2);
    this.#outbox.onadopt = (entries) => this.#adopted(entries);
    this.#connection = connection2;
    const requests = new Requests((message) => connection2.send(message), world);
    const changed = () => this.onchange();
    const told = (words2) => {
      this.notice = words2;
      this.onchange();
    };
    this.#requests = requests;
    this.#delivery = new Delivery({ outbox: this.#outbox, requests, world, changed });
    this.directory = new Directory({ requests, world, changed });
    this.#presence = new Presence(requests, this.names, this.conversations);
    this.#sync = new Sync({
      conversations: this.conversations,
      presence: this.#presence,
      changed,
      history: new History(requests, (messages) => this.#learn(messages), (conversation) => this.#sync.show(conversation)),
      online: () => this.state === "online",
      told
    });
    this.#membership = new Membership({
      conversations: this.conversations,
      requests,
      delivery: this.#delivery,
      sync: this.#sync,
      world,
      changed,
      told
    });
    this.#resume = new Resume({
      conversations: this.conversations,
      membership: this.#membership,
      sync: this.#sync,
      deliver: (message) => this.#deliver(message),
      done: () => this.#resumed()
    });
    this.#events = new Events({ client: this, presence: this.#presence, membership: this.#membership, sync: this.#sync });
    connection2.held = () => this.#resume.held();
    connection2.onstate = () => this.#stateChanged();
    connection2.onready = (authOK) => this.#ready(authOK);
    connection2.onmessage = (message) => this.#receive(message);
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
    conversation.online = null;
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
    this.#membership.join(room);
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
    if (!await this.#membership.leave(room)) {
      return false;
    }
    this.saveDraft(room, "");
    this.conversations.saveCurrent();
    this.directory.refresh();
    this.onchange();
    return true;
  }
  // draft is what was written in a conversation, and not sent, perhaps days ago.
  draft(conversation) {
    return this.#memory.load(`draft.${conversation.id}`) ?? "";
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
    this.conversations.stored(key, value, { online: this.state === "online" });
    this.onchange();
  }
  // send says something in a conversation.
  send(conversation, content) {
    this.saveDraft(conversation, "");
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
    this.notice = "";
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
    conversation.error = "";
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
    const { sessions } = await this.#requests.ask({ type: "sessions" });
    return sessions;
  }
  logOut(id) {
    return this.#requests.ask({ type: "logout", session_id: id });
  }
  // logOutEverywhere ends all sessions, this one too, and the tokens of this user.
  async logOutEverywhere() {
    try {
      await this.#requests.ask({ type: "logout", all: true });
    } catch (error) {
      if (this.reason !== "session_ended") {
        throw error;
      }
    }
  }
  // refreshRooms asks again which rooms there are.
  refreshRooms() {
    if (this.state === "online") {
      this.directory.refresh();
    }
  }
  // refreshPerson asks again whether the person one writes with is there, refreshPeople
  // the same about all of them.
  refreshPerson() {
    if (this.state === "online" && this.current?.isRoom === false) {
      this.#sync.askAgain(this.current);
    }
  }
  refreshPeople() {
    if (this.state === "online") {
      this.#sync.refreshPeople();
      this.refreshPerson();
    }
  }
  #stateChanged() {
    if (this.state !== "online") {
      this.#requests.end();
      this.#delivery.end();
      this.directory.forget();
      this.#sync.end();
      this.#membership.end();
    }
    this.onchange();
  }
  #ready({ epoch, limits, name, resumed, ref_lifetime }) {
    this.notice = "";
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
    if (message.ref !== void 0 && this.#requests.settle(message)) {
      return;
    }
    switch (message.type) {
      case "group":
      case "message":
        this.#online(this.#deliver(message), message);
        break;
      case "resume":
        this.#resume.take(message);
        break;
      case "ack":
        this.#acknowledged(message);
        break;
      case "error":
        this.#refused(message);
        break;
      case "system":
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
      return null;
    }
    const conversation = this.conversations.open(id);
    if (conversation.isRoom && !conversation.joined) {
      conversation.joined = true;
      conversation.joining = false;
    }
    this.#learn([message]);
    this.#put(conversation, message, mine);
    if (message.seq > conversation.held) {
      this.#sync.catchUp(conversation);
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
    if (this.state === "online") {
      entries.filter((e) => e.state === "sending").forEach((e) => this.#delivery.post(e));
    }
    this.onchange();
  }
};

// page/chat/refusal.js
var TIMEOUT = 4e3;
var LONGEST_WAIT = 300;
var LONGEST_WORDS = 200;
async function explain(url, world = globalThis) {
  let response;
  try {
    response = await world.fetch(url.replace(/^ws/, "http"), {
      cache: "no-store",
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT)
    });
  } catch {
    return { reason: "unreachable", words: "", wait: 0 };
  }
  const { status } = response;
  switch (status) {
    case 429:
    case 503:
      return { reason: "refused", words: await wordsOf(response), wait: waitOf(response) };
    case 502:
    case 504:
      return { reason: "proxy", words: "", wait: waitOf(response) };
    case 400:
    // it was no handshake, which is all that it lacked
    case 426:
      return { reason: "blocked", words: "", wait: 0 };
  }
  return { reason: "http", words: `HTTP status ${status}`, wait: waitOf(response) };
}
async function wordsOf(response) {
  if (!response.headers.get("Content-Type")?.startsWith("text/plain")) {
    return `HTTP status ${response.status}`;
  }
  const text = (await response.text().catch(() => "")).trim();
  return text.length <= LONGEST_WORDS ? text : "";
}
function waitOf(response) {
  const value = response.headers.get("Retry-After");
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1e3;
  return seconds > 0 ? Math.min(seconds, LONGEST_WAIT) : 0;
}

// page/chat/connection.js
var ANSWER_TIMEOUT = 1e4;
var DOUBT_AFTER = 2500;
var OPENING_DOUBT_AFTER = 4500;
var ASK_AFTER = 2e3;
var STABLE_AFTER = 1e4;
var WATCHED_HEARTBEAT = 2e3;
var DEFAULT_HEARTBEAT = 30;
var SIGNED_OUT = /* @__PURE__ */ new Set(["token_refused", "token_expired"]);
var ENDED = /* @__PURE__ */ new Set(["session_ended", "session_refused", "user_deleted", "banned"]);
var Connection = class {
  // state is 'connecting', 'online', 'waiting' (until the next attempt) or
  // 'stopped' (until retry or later is called). reason says why: what the server said,
  // or what explain found out; words are the server's own.
  state = "stopped";
  reason = "";
  words = "";
  // silent says that an answer is overdue, though the connection is not given up yet.
  silent = false;
  // Goes with every auth from now on.
  token;
  // Set by the owner. held returns what auth says that this client holds; onready is given
  // the server's auth_ok, onmessage everything that follows it except for answers to
  // heartbeats.
  held = () => ({});
  onstate = () => {
  };
  onready = () => {
  };
  onmessage = () => {
  };
  #url;
  #features;
  #session;
  #device;
  #backoff;
  #world;
  #socket = null;
  #opened = false;
  #used = "";
  // the token that the connection depends on
  #began = "";
  // the token with which the session began
  #refusal = "";
  #interval = 0;
  #watched = false;
  #unanswered = /* @__PURE__ */ new Set();
  // refs
  #timers = /* @__PURE__ */ new Map();
  // session is a Session, device what this device is called. world holds WebSocket, fetch,
  // setTimeout, clearTimeout and performance.
  constructor({ url, token, features, session, device, backoff = new Backoff(), world = globalThis }) {
    this.#url = url;
    this.token = token;
    this.#features = features;
    this.#session = session;
    this.#device = device;
    this.#backoff = backoff;
    this.#world = world;
  }
  // retry connects at once, unless a connection stands or is being made.
  retry() {
    if (this.state === "waiting" || this.state === "stopped") {
      this.#open();
    }
  }
  // later connects after a while, at least so many milliseconds. A connection that
  // stands is given up.
  later(least = 0, reason = this.reason) {
    this.#abandon();
    this.#after("retry", Math.max(least, this.#backoff.next()), () => this.#open());
    this.#become("waiting", reason);
  }
  // probe finds out at once whether the line is alive, after the device slept or
  // changed its network.
  probe() {
    if (this.state === "waiting") {
      this.#open();
    } else if (this.state === "online" && !this.#timers.has("answer")) {
      this.#beat();
    }
  }
  // watch is told whether the page can be seen.
  watch(seen) {
    const was = this.#watched;
    this.#watched = seen;
    if (seen && !was && this.#timers.has("beat")) {
      this.#beat();
    }
  }
  // send reports whether the message could be handed to a connection. That it
  // arrives is another matter.
  send(message) {
    if (this.state !== "online") {
      return false;
    }
    this.#write(message);
    if (message.ref !== void 0) {
      this.#unanswered.add(message.ref);
      this.#expect();
    }
    return true;
  }
  // stop ends the connection for good.
  stop() {
    this.#abandon();
    this.#become("stopped", "");
  }
  #open() {
    this.#abandon();
    this.#refusal = "";
    this.#opened = false;
    this.#become("connecting", this.reason, this.words);
    const socket = new this.#world.WebSocket(this.#url);
    this.#socket = socket;
    const current = (handle) => (event) => this.#socket === socket && handle(event);
    socket.onopen = current(() => {
      this.#opened = true;
      this.#used = this.token;
      this.#write({
        type: "auth",
        token: this.token,
        ...this.#session.proof,
        features: this.#features,
        device: this.#device,
        resume: this.held()
      });
    });
    socket.onmessage = current((event) => this.#receive(event.data));
    socket.onclose = current((event) => this.#lost(event.code, event.reason));
    this.#await(OPENING_DOUBT_AFTER);
  }
  // await gives the connection up if no answer comes, and says so before that.
  #await(doubtAfter) {
    this.#after("answer", ANSWER_TIMEOUT, () => this.#lost(0, "silent"));
    this.#after("doubt", doubtAfter, () => this.#doubt(true));
  }
  #answered() {
    this.#cancel("answer");
    this.#cancel("doubt");
    this.#doubt(false);
  }
  #doubt(silent) {
    if (this.silent !== silent) {
      this.silent = silent;
      this.onstate();
    }
  }
  #receive(data) {
    const message = parse(data);
    if (!message) {
      return;
    }
    switch (message.type) {
      case "heartbeat":
        this.#answered();
        this.#schedule();
        this.#expect();
        return;
      case "auth_ok":
        this.#session.took(message);
        this.#began = message.resumed ? this.#began : this.#used;
        this.#used = this.#began;
        this.#interval = 1e3 * (message.heartbeat_interval > 0 ? message.heartbeat_interval : DEFAULT_HEARTBEAT);
        this.#answered();
        this.#schedule();
        this.#after("stable", STABLE_AFTER, () => this.#backoff.reset());
        this.#become("online", "");
        this.onready(message);
        return;
    }
    if (this.#unanswered.delete(message.ref)) {
      this.#cancel("quiet");
      this.#expect();
    }
    const isLast = message.type === "error" && (SIGNED_OUT.has(message.reason) || ENDED.has(message.reason));
    if (this.state === "online" && !isLast) {
      this.onmessage(message);
    } else if (message.type === "error") {
      this.#refusal = message.reason;
    }
  }
  // expect asks the server for a sign of life unless what was said is answered soon.
  #expect() {
    if (this.#unanswered.size > 0 && !this.#timers.has("quiet") && !this.#timers.has("answer")) {
      this.#after("quiet", ASK_AFTER, () => this.probe());
    }
  }
  #schedule() {
    const interval = this.#watched ? Math.min(WATCHED_HEARTBEAT, this.#interval) : this.#interval;
    this.#after("beat", interval, () => this.#beat());
  }
  #beat() {
    this.#cancel("beat");
    this.#cancel("quiet");
    this.#write({ type: "heartbeat", timestamp: Date.now() / 1e3 });
    this.#await(DOUBT_AFTER);
  }
  #lost(code, closeReason) {
    const reason = closeReason || this.#refusal;
    const opened = this.#opened;
    const newToken = this.token !== this.#used;
    this.#abandon();
    const signedOut = SIGNED_OUT.has(reason);
    const ended2 = ENDED.has(reason);
    if (ended2) {
      this.#session.forget();
    }
    if ((signedOut || ended2 || code === 1008 && reason !== "auth_timeout") && !(signedOut && newToken)) {
      this.#become("stopped", reason || "policy");
      return;
    }
    this.later(0, reason);
    if (!opened) {
      this.#explain();
    }
  }
  // explain finds out why it was not let in, and stays away for as long as the server
  // asks for.
  async #explain() {
    const since = this.#now();
    const attempt = this.#timers.get("retry");
    const { reason, words: words2, wait } = await explain(this.#url, this.#world);
    if (this.state === "waiting" && this.#timers.get("retry") === attempt) {
      const left = 1e3 * wait - (this.#now() - since);
      if (left > 0) {
        this.later(left * (1 + Math.random() / 4), reason);
      }
      this.#become("waiting", reason, words2);
    } else if (this.state === "connecting") {
      this.#become("connecting", reason, words2);
    }
  }
  #abandon() {
    for (const name of [...this.#timers.keys()]) {
      this.#cancel(name);
    }
    this.#unanswered.clear();
    this.silent = false;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }
  #write(message) {
    this.#socket.send(JSON.stringify(message));
  }
  #become(state, reason, words2 = "") {
    this.state = state;
    this.reason = reason;
    this.words = words2;
    this.onstate();
  }
  #now() {
    return this.#world.performance.now();
  }
  #after(name, milliseconds, run) {
    this.#cancel(name);
    const expire = () => {
      this.#timers.delete(name);
      run();
    };
    this.#timers.set(name, this.#world.setTimeout(expire, milliseconds));
  }
  #cancel(name) {
    this.#world.clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
};
function parse(data) {
  try {
    const message = JSON.parse(data);
    return message !== null && typeof message === "object" ? message : null;
  } catch {
    return null;
  }
}

// page/chat/device.js
var BROWSERS = [
  [/\bEdg(?:A|iOS)?\//, "Edge"],
  [/\bOPR\//, "Opera"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\b(?:Firefox|FxiOS)\//, "Firefox"],
  [/(?:Chrome|CriOS|Chromium)\//, "Chrome"],
  [/\bSafari\//, "Safari"]
];
var SYSTEMS = [
  [/\bAndroid\b/, "Android"],
  [/\biPhone\b/, "iPhone"],
  [/\biPad\b/, "iPad"],
  [/\bWindows\b/, "Windows"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bMac OS X\b/, "macOS"],
  [/\bLinux\b/, "Linux"]
];
function deviceName({ userAgent, maxTouchPoints = 0 }) {
  const among = (list) => list.find(([pattern]) => pattern.test(userAgent))?.[1];
  const browser2 = among(BROWSERS) ?? "Browser";
  const system = among(SYSTEMS);
  const shown2 = system === "macOS" && maxTouchPoints > 1 ? "iPad" : system;
  return shown2 ? `${browser2} on ${shown2}` : browser2;
}

// page/chat/guest.js
var TIMEOUT2 = 15e3;
var GuestError = class extends Error {
  refused;
  constructor(message, { refused = false } = {}) {
    super(message);
    this.refused = refused;
  }
};
async function askGuest(fields, world = globalThis) {
  let response;
  try {
    response = await world.fetch("api/guest", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(fields),
      signal: AbortSignal.timeout(TIMEOUT2)
    });
  } catch {
    throw new GuestError("The server cannot be reached. Is it running?");
  }
  const answer = await response.json().catch(() => null);
  if (response.ok && answer?.token) {
    return answer;
  }
  if (response.status === 404) {
    throw new GuestError("This server takes no guests.");
  }
  const refused = response.status === 401 && ["token_refused", "token_expired"].includes(answer?.reason);
  const retryAfter = Number(response.headers.get("Retry-After"));
  const problem = sentence(answer?.message) || `The server answered with HTTP status ${response.status}.`;
  throw new GuestError(retryAfter > 0 ? `${problem} ${again(1e3 * retryAfter)}` : problem, { refused });
}

// page/chat/identity.js
var KEY3 = "identity";
var Identity = class {
  // { token, user_id, name, expires, since }, or null for nobody yet. expires and since,
  // when the token was received, are seconds.
  current;
  // Called when it changes, whichever tab changed it.
  onchange = () => {
  };
  #memory;
  #tabs;
  #world;
  // memory is the browser's; world holds fetch.
  constructor(memory, tabs2, world = globalThis) {
    this.#memory = memory;
    this.#tabs = tabs2;
    this.#world = world;
    this.current = memory.load(KEY3);
  }
  // create makes a user with a name. If another tab was faster, one is its user. To be
  // asked only by somebody who is nobody yet, or whom the server does not know: of such
  // a user everything is forgotten. All methods may throw a GuestError.
  create(name) {
    const before = this.current?.user_id;
    const someoneElse = () => {
      const stored = this.#memory.load(KEY3);
      return stored && stored.user_id !== before ? stored : null;
    };
    return this.#alone(async () => {
      const made = someoneElse() ?? await askGuest({ name }, this.#world);
      const faster = someoneElse();
      if (!faster) {
        this.#memory.clear();
        this.#memory.save(KEY3, received(made));
      }
      this.#become(faster ?? received(made));
    });
  }
  // rename gives the user another name.
  rename(name) {
    return this.#ask({ name });
  }
  // renew gets a new token, unless another tab has just done so.
  renew() {
    return this.#ask({});
  }
  // renewIfDue renews it when half of its time is over.
  async renewIfDue(now = Date.now() / 1e3) {
    const { since, expires } = this.current;
    if (now < since || now > (since + expires) / 2) {
      await this.renew();
    }
  }
  // named notes the name that the server says we have.
  named(name) {
    if (this.current && name && name !== this.current.name) {
      this.#save({ ...this.current, name });
    }
  }
  // forget makes nobody of us, in all tabs, and drops all that was kept.
  forget() {
    this.#memory.clear();
    this.current = null;
  }
  // stored is told what another tab saved under a key.
  stored(key, value) {
    if (key === KEY3) {
      this.#become(value);
    }
  }
  #ask(fields) {
    const { token } = this.current;
    return this.#alone(async () => {
      const stored = this.#memory.load(KEY3);
      if (!fields.name && stored && stored.token !== token) {
        this.#become(stored);
        return;
      }
      this.#save(received(await askGuest({ ...fields, token: stored?.token ?? token }, this.#world)));
    });
  }
  #alone(run) {
    return this.#tabs.one(KEY3, run);
  }
  #save(identity2) {
    this.#memory.save(KEY3, identity2);
    this.#become(identity2);
  }
  #become(identity2) {
    this.current = identity2;
    this.onchange();
  }
};
function received({ token, user_id, name, expires }) {
  return { token, user_id, name, expires, since: Math.floor(Date.now() / 1e3) };
}

// page/chat/memory.js
var Memory = class {
  // lasting says whether anything is kept at all. Where it is not, because the user has
  // forbidden it or it is full, the page works, and forgets when it is closed.
  lasting = false;
  #storage;
  #prefix;
  // storage is a function, because even to touch localStorage throws where it is
  // forbidden. prefix tells apart the pages of several servers on one host.
  constructor(storage, prefix2 = "hawser.") {
    this.#prefix = prefix2;
    try {
      this.#storage = storage();
      this.save("probe", 1);
      this.lasting = this.load("probe") === 1;
      this.remove("probe");
    } catch {
    }
    if (!this.lasting) {
      this.#storage = new Transient();
    }
  }
  load(key) {
    return parse2(this.#storage.getItem(this.#prefix + key));
  }
  // save reports whether it is kept.
  save(key, value) {
    try {
      this.#storage.setItem(this.#prefix + key, JSON.stringify(value));
      return true;
    } catch {
      return false;
    }
  }
  remove(key) {
    this.#storage.removeItem(this.#prefix + key);
  }
  // keys returns the keys that begin with a text.
  keys(start = "") {
    const from = this.#prefix + start;
    return Object.keys(this.#storage).filter((k) => k.startsWith(from)).map((k) => k.slice(this.#prefix.length));
  }
  clear() {
    this.keys().forEach((key) => this.remove(key));
  }
  // watch calls changed(key, value) for what other tabs save; value is null for what
  // they remove. target is the window.
  watch(target, changed) {
    target.addEventListener("storage", ({ storageArea, key, newValue }) => {
      if (storageArea === this.#storage && key?.startsWith(this.#prefix)) {
        changed(key.slice(this.#prefix.length), parse2(newValue));
      }
    });
  }
};
var Transient = class {
  getItem(key) {
    return this[key] ?? null;
  }
  setItem(key, value) {
    this[key] = value;
  }
  removeItem(key) {
    delete this[key];
  }
};
function parse2(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// page/chat/session.js
var KEY4 = "session";
var Session = class {
  #tab;
  #userID;
  #kept;
  // tab is the tab's own memory. It may hold a session of somebody whom one is no more.
  constructor(tab2, userID) {
    this.#tab = tab2;
    this.#userID = userID;
    const kept = tab2.load(KEY4);
    this.#kept = kept?.user_id === userID ? kept : null;
  }
  // proof is what auth needs to resume it, and nothing if there is none.
  get proof() {
    return this.#kept ? { session_id: this.#kept.session_id, resume_key: this.#kept.resume_key } : {};
  }
  // took keeps the newest key, which an auth_ok has brought. The server takes the one before
  // until it was used, so it is good to lose an answer.
  took({ session_id, resume_key }) {
    this.#kept = { session_id, resume_key, user_id: this.#userID };
    this.#tab.save(KEY4, this.#kept);
  }
  forget() {
    this.#kept = null;
    this.#tab.remove(KEY4);
  }
};

// page/view/dom.js
function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) {
      node.addEventListener(name.slice(2), value);
    } else if (name.includes("-") || ["class", "role", "for"].includes(name)) {
      node.setAttribute(name, value);
    } else {
      node[name] = value;
    }
  }
  node.append(...children);
  return node;
}
function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}
function setAttribute(node, name, value) {
  if (value === null || value === false) {
    node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) {
    node.setAttribute(name, value);
  }
}
function composes(event) {
  return event.isComposing || event.keyCode === 229;
}
var List = class {
  #parent;
  #make;
  #update;
  #refocus;
  #entries = /* @__PURE__ */ new Map();
  // key → { node, item }
  // make returns an element for an item, update(element, item) brings it up to date. It
  // is called when a field of the item has another value than before. refocus(place) is
  // called when the child at that place had the focus and is gone.
  constructor(parent, make, update, refocus = (place) => focusNear(parent, place)) {
    this.#parent = parent;
    this.#make = make;
    this.#update = update;
    this.#refocus = refocus;
  }
  // item returns what a child of the element shows.
  item(node) {
    for (const entry of this.#entries.values()) {
      if (entry.node === node) {
        return entry.item;
      }
    }
    return void 0;
  }
  // show takes items that have a key each, which is unique among them. An item may name
  // a formerKey: under that key it was shown before it got its present one.
  show(items) {
    const active = this.#parent.contains(document.activeElement) ? document.activeElement : null;
    const place = active && [...this.#parent.children].findIndex((child) => child.contains(active));
    const gone = this.#match(items);
    gone.forEach(({ node }) => node.remove());
    this.#arrange();
    if (active && document.activeElement !== active) {
      if (active.isConnected) {
        active.focus({ preventScroll: true });
      } else {
        this.#refocus(place);
      }
    }
  }
  // match finds or makes an entry for each item, and returns those without an item.
  #match(items) {
    const before = this.#entries;
    this.#entries = /* @__PURE__ */ new Map();
    for (const item2 of items) {
      const key = before.has(item2.key) ? item2.key : item2.formerKey;
      const { node, item: old } = before.get(key) ?? { node: this.#make(item2), item: {} };
      before.delete(key);
      if (differ(old, item2)) {
        this.#update(node, item2);
      }
      this.#entries.set(item2.key, { node, item: item2 });
    }
    return before;
  }
  #arrange() {
    let place = this.#parent.firstElementChild;
    for (const { node } of this.#entries.values()) {
      if (place !== node && place?.nextElementSibling === node) {
        this.#parent.append(place);
        place = node;
      }
      if (place === node) {
        place = node.nextElementSibling;
      } else {
        this.#parent.insertBefore(node, place);
      }
    }
  }
};
function differ(a, b) {
  for (const field in b) {
    if (a[field] !== b[field]) {
      return true;
    }
  }
  return Object.keys(a).length !== Object.keys(b).length;
}
function focusNear(parent, place) {
  const children = [...parent.children];
  const near = [...children.slice(place), ...children.slice(0, place).reverse()];
  const button = near.map((child) => child.querySelector("button")).find(Boolean);
  if (!button) {
    parent.tabIndex = -1;
  }
  (button ?? parent).focus({ preventScroll: true });
}

// page/view/text.js
function codePoints(text) {
  let n = 0;
  for (const _ of text) {
    n++;
  }
  return n;
}
var time = new Intl.DateTimeFormat(void 0, { hour: "numeric", minute: "2-digit" });
var day = new Intl.DateTimeFormat(void 0, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
var full = new Intl.DateTimeFormat(void 0, { dateStyle: "full", timeStyle: "medium" });
function formatTime(milliseconds) {
  return time.format(milliseconds);
}
function formatFull(milliseconds) {
  return full.format(milliseconds);
}
function formatDay(milliseconds, now = Date.now()) {
  switch (dayKey(milliseconds)) {
    case dayKey(now):
      return "Today";
    case dayKey(previousDay(now)):
      return "Yesterday";
  }
  return day.format(milliseconds);
}
function dayKey(milliseconds) {
  if (!(milliseconds >= lastDay.begin && milliseconds < lastDay.end)) {
    const date = new Date(milliseconds);
    const [y, m, d] = [date.getFullYear(), date.getMonth(), date.getDate()];
    lastDay = { key: `${y}-${m + 1}-${d}`, begin: +new Date(y, m, d), end: +new Date(y, m, d + 1) };
  }
  return lastDay.key;
}
var lastDay = {};
function previousDay(milliseconds) {
  const date = new Date(milliseconds);
  return date.setDate(date.getDate() - 1);
}
function hue(id) {
  let sum = 0;
  for (const character of id) {
    sum = (sum * 31 + character.codePointAt(0)) % 4099;
  }
  return sum % 8;
}
var segmenter = new Intl.Segmenter();
function initial(name) {
  const [first] = segmenter.segment(name);
  return first?.segment.toUpperCase() ?? "?";
}
function count(n, one, many) {
  return `${n} ${n === 1 ? one : many}`;
}

// page/view/composer.js
var COUNTER_FROM = 100;
var SAID_AT = [COUNTER_FROM, 20, 0];
var Composer = class {
  #client;
  #sent;
  #form = document.getElementById("composer");
  #text = document.getElementById("text");
  #counter = document.getElementById("counter");
  #error = document.getElementById("composer-error");
  #limit = document.getElementById("composer-limit");
  #said;
  // of SAID_AT, the one last passed
  #conversation = null;
  // sent is called before something is sent.
  constructor(client2, sent2) {
    this.#client = client2;
    this.#sent = sent2;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !composes(event)) {
        event.preventDefault();
        this.#submit();
      }
    });
    this.#text.addEventListener("input", () => {
      setText(this.#error, "");
      this.#measure();
      this.#client.saveDraft(this.#conversation, this.#text.value);
    });
  }
  focus() {
    this.#text.focus();
  }
  render() {
    const conversation = this.#client.current;
    if (conversation !== this.#conversation) {
      this.#conversation = conversation;
      this.#text.value = conversation ? this.#client.draft(conversation) : "";
      setText(this.#error, "");
      this.#form.hidden = !conversation;
      this.#measure();
    }
    if (conversation) {
      const to = conversation.isRoom ? `#${conversation.id}` : this.#client.names.of(conversation.id);
      setAttribute(this.#text, "placeholder", `Message ${to}`);
      setAttribute(this.#text, "aria-label", `Message ${to}`);
    }
  }
  // left returns how many code points may still be written.
  #left() {
    const limit = this.#client.limits.content_code_points || Infinity;
    return limit - codePoints(this.#text.value);
  }
  #measure() {
    const left = this.#left();
    setText(this.#counter, left < COUNTER_FROM ? String(left) : "");
    setAttribute(this.#counter, "title", left < COUNTER_FROM ? "characters left" : null);
    setAttribute(this.#text, "aria-invalid", left < 0 ? "true" : null);
    const passed = SAID_AT.filter((n) => left <= n).at(-1);
    if (passed !== this.#said) {
      this.#said = passed;
      setText(this.#limit, passed === void 0 ? "" : remaining(left));
    }
    this.#text.style.height = "auto";
    this.#text.style.height = `${this.#text.scrollHeight + 2}px`;
  }
  #submit() {
    const content = this.#text.value;
    if (!content || !this.#conversation) {
      return;
    }
    const left = this.#left();
    const problem = left < 0 ? tooLong(-left) : isBlank(content) ? "There is nothing to see yet. Write a letter, a digit or a sign." : "";
    setText(this.#error, problem);
    if (problem) {
      return;
    }
    this.#sent();
    this.#client.send(this.#conversation, content.toWellFormed?.() ?? content);
    this.#text.value = "";
    this.#measure();
    this.focus();
  }
};
var tooLong = (n) => `This is ${count(n, "character", "characters")} too long.`;
function remaining(left) {
  return left < 0 ? tooLong(-left) : `${count(left, "character", "characters")} left.`;
}

// page/view/person.js
function nameElement(tag, properties) {
  return el(tag, properties, el("bdi", { class: "who" }), el("span", { class: "tag" }));
}
function setName(node, { name, tag }) {
  setText(node.firstElementChild, name);
  setText(node.lastElementChild, tag && ` ${tag}`);
}
function avatarElement(id, size = "") {
  const properties = { class: `avatar ${size}`.trim(), "aria-hidden": "true", "data-hue": hue(id) };
  return el("span", properties, el("span", { class: "initial" }));
}
function setAvatar(node, { name, online = false }) {
  setText(node.firstElementChild, initial(name));
  node.classList.toggle("online", online === true);
}

// page/view/members.js
var byName = new Intl.Collator();
var Members = class {
  #client;
  #list;
  #status = document.getElementById("members-status");
  #members;
  // as they were shown last: another Map after any change
  #changes;
  // of names, until then
  #silent;
  // whether the server owed an answer
  // chosen is called after a person was chosen.
  constructor(client2, chosen) {
    this.#client = client2;
    this.#list = new List(document.getElementById("members"), (member) => {
      const avatar = avatarElement(member.key, "small");
      const name = nameElement("span", { class: "label" });
      if (member.me) {
        return el("li", { class: "member", "data-id": member.key }, avatar, name, el("span", { class: "note" }, "you"));
      }
      const open = () => {
        client2.openPerson(member.key);
        chosen();
      };
      const label = el("span", { class: "visually-hidden" }, ", write privately");
      const button = el("button", { type: "button", class: "conversation", onclick: open }, avatar, name, label);
      return el("li", { "data-id": member.key }, button);
    }, (node, { name, tag, online }) => {
      setAvatar(node.querySelector(".avatar"), { name, online });
      setName(node.querySelector(".label"), { name, tag });
    });
  }
  // render returns how many people are there as text, or null if that is not known.
  render() {
    const { current, me, names, silent } = this.#client;
    const members = current?.members ?? null;
    if (members !== this.#members || names.changes !== this.#changes || silent !== this.#silent) {
      this.#members = members;
      this.#silent = silent;
      this.#changes = names.changes;
      const people = [...members?.keys() ?? []].map((id) => ({ key: id, ...names.parts(id), me: id === me.user_id, online: !silent }));
      people.sort((a, b) => b.me - a.me || byName.compare(a.name, b.name) || (a.key < b.key ? -1 : 1));
      this.#list.show(people);
      const others = current?.crowded ? "There are more people here than can be listed." : "";
      setText(this.#status, members ? others : "Not known without a connection.");
    }
    return members && `${members.size}${current.crowded ? "+" : ""}`;
  }
};

// page/view/panels.js
var Panel = class {
  #panel;
  #toggle;
  #rest;
  #open = false;
  // toggle is the button that opens the panel, rest what lies under it then. query is
  // the media query of a window that is too narrow.
  constructor({ panel, toggle, rest, query }) {
    this.#panel = panel;
    this.#toggle = toggle;
    this.#rest = rest;
    toggle.addEventListener("click", () => this.#open ? this.close() : this.open());
    panel.querySelector(".close").addEventListener("click", () => this.close());
    panel.addEventListener("keydown", (event) => event.key === "Escape" && !composes(event) && this.close());
    matchMedia(query).addEventListener("change", () => this.close({ focus: false }));
    document.getElementById("backdrop").addEventListener("click", () => this.close());
  }
  open() {
    this.#set(true);
    this.#panel.querySelector(".close").focus();
  }
  // close gives the focus back, unless it has gone elsewhere.
  close({ focus = true } = {}) {
    if (this.#open) {
      this.#set(false);
      if (focus) {
        this.#toggle.focus();
      }
    }
  }
  #set(open) {
    this.#open = open;
    this.#panel.classList.toggle("open", open);
    this.#toggle.setAttribute("aria-expanded", String(open));
    this.#rest.forEach((element) => element.inert = open);
    document.getElementById("backdrop").hidden = !open;
  }
};

// page/view/otherrooms.js
var byID = (id) => document.getElementById(id);
var OtherRooms = class {
  #client;
  #list;
  #shown;
  // rooms
  #section = byID("other-rooms-section");
  #search = byID("room-search");
  #status = byID("other-rooms-status");
  #more = byID("more-rooms");
  // choose is called with the name of a room.
  constructor(client2, choose) {
    this.#client = client2;
    this.#list = buttons("other-rooms", choose);
    this.#search.addEventListener("input", () => client2.directory.find(this.#search.value));
    this.#search.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#search.value && !composes(event)) {
        event.preventDefault();
        event.stopPropagation();
        this.clear();
      }
    });
    this.#more.addEventListener("click", () => client2.directory.error ? client2.directory.refresh() : client2.directory.more());
  }
  // clear shows all rooms again.
  clear() {
    this.#search.value = "";
    this.#client.directory.find("");
  }
  // used says whether somebody is about to choose: what moves then is hit by mistake.
  get used() {
    return byID("other-rooms").matches(":hover, :focus-within");
  }
  render() {
    const { directory, conversations } = this.#client;
    const { search, rooms, hasMore, error } = directory;
    const others = rooms.filter((r) => !conversations.get(r.receiver_id));
    const hidden = !search && others.length === 0 && !hasMore && !this.#section.contains(document.activeElement);
    this.#section.hidden = hidden;
    this.#show(others);
    this.#renderStatus(directory, others.length);
    const wanted = hasMore || error !== "" && !hidden;
    if (!wanted && document.activeElement === this.#more) {
      (byID("other-rooms").querySelector("li:last-child button") ?? this.#search).focus();
    }
    setText(this.#more, error ? "Try again" : "More rooms");
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
      tag: "",
      note: r.online > 0 ? count(r.online, "person", "people") : ""
    })));
  }
  #renderStatus({ search, searched, rooms, hasMore, error }, found) {
    if (error) {
      this.#say(error);
    } else if (search !== searched) {
      this.#say("Searching…");
    } else if (!search || hasMore && found === 0) {
      this.#say("");
    } else if (found > 0) {
      this.#say(`${hasMore ? `The first ${found}` : found} found.`);
    } else {
      const begin = rooms.length > 0 ? "You are in every room whose name contains “" : "Nothing found: no room’s name contains “";
      this.#say(begin, el("bdi", {}, search), "”.");
    }
  }
  #say(...parts) {
    const text = parts.map((part) => part.textContent ?? part).join("");
    if (this.#status.textContent !== text) {
      this.#status.replaceChildren(...parts);
    }
  }
};

// page/view/sidebar.js
var Sidebar = class {
  #client;
  #chosen;
  #rooms;
  #others;
  #people;
  #form = document.getElementById("join-form");
  #input = document.getElementById("join-name");
  #error = document.getElementById("join-error");
  // chosen is called after a conversation was chosen.
  constructor(client2, chosen) {
    this.#client = client2;
    this.#chosen = chosen;
    const choose = (id) => {
      client2.select(client2.conversations.open(id));
      chosen();
    };
    this.#rooms = buttons("rooms", choose);
    this.#people = buttons("people", choose);
    this.#others = new OtherRooms(client2, (name) => this.#join(name));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#join(this.#input.value.trim().replace(/^#/, ""));
    });
    this.#input.addEventListener("input", () => this.#complain(""));
  }
  // choosing says whether somebody is about to choose one of the other rooms.
  get choosing() {
    return this.#others.used;
  }
  render() {
    const { conversations, current, names } = this.#client;
    const all = [...conversations];
    const rooms = all.filter((c) => c.isRoom).sort((a, b) => a.id < b.id ? -1 : 1);
    const exists = (c) => c === current || c.head > 0 || names.get(c.id) !== void 0 || this.#client.pending(c).length > 0;
    const people = all.filter((c) => !c.isRoom && exists(c)).sort((a, b) => b.active - a.active);
    this.#rooms.show(rooms.map((c) => this.#item(c, { name: `# ${c.id}`, tag: "" })));
    this.#people.show(people.map((c) => this.#item(c, names.parts(c.id))));
    document.getElementById("people-none").hidden = people.length > 0;
    this.#others.render();
  }
  #item(conversation, { name, tag }) {
    return {
      key: conversation.id,
      name,
      tag,
      person: !conversation.isRoom,
      online: conversation.online && !this.#client.silent,
      current: conversation === this.#client.current,
      unread: conversation.unread
    };
  }
  async #join(name) {
    const problem = roomProblem(name);
    this.#complain(problem);
    if (problem) {
      this.#input.focus();
      return;
    }
    try {
      await this.#client.openRoom(name);
      this.#input.value = "";
      this.#others.clear();
      this.#chosen();
    } catch (error) {
      this.#complain(error.message);
    }
  }
  #complain(problem) {
    setText(this.#error, problem);
    setAttribute(this.#input, "aria-invalid", problem ? "true" : null);
  }
};
function buttons(id, choose) {
  return new List(document.getElementById(id), (item2) => {
    const label = nameElement("span", { class: "label" });
    const button = el("button", { type: "button", class: "conversation", onclick: () => choose(item2.key) }, label);
    if (item2.person) {
      button.prepend(avatarElement(item2.key, "small"));
    }
    button.append(el("span", { class: "note" }), el("span", { class: "badge", hidden: true }));
    return el("li", { "data-id": item2.key }, button);
  }, (node, { name, tag, note = "", current, unread, person, online }) => {
    const button = node.firstElementChild;
    setName(button.querySelector(".label"), { name, tag });
    setText(button.querySelector(".note"), note);
    setAttribute(button, "aria-current", current ? "true" : null);
    if (person) {
      setAvatar(button.querySelector(".avatar"), { name, online });
    }
    const badge = button.querySelector(".badge");
    badge.hidden = !unread;
    if (unread && badge.dataset.unread !== String(unread)) {
      badge.dataset.unread = unread;
      badge.replaceChildren(unread > 99 ? "99+" : String(unread), el("span", { class: "visually-hidden" }, " unread"));
    }
  });
}

// page/view/announcer.js
var AT_ONCE = 5;
var PAUSE2 = 3e3;
var HELD = 10;
var Announcer = class {
  #region;
  #world;
  #allowance = AT_ONCE;
  #filled;
  // when #allowance was right
  #counted = 0;
  // messages whose number is to be said
  #timer = null;
  // region is a live region; world holds setTimeout, clearTimeout and performance.
  constructor(region, world = globalThis) {
    this.#region = region;
    this.#world = world;
    this.#filled = world.performance.now();
  }
  // announce takes new messages as text.
  announce(texts) {
    for (const text of texts) {
      if (this.#counted === 0 && this.#take()) {
        this.#read(text);
      } else {
        this.#counted++;
      }
    }
    if (this.#counted > 0) {
      this.#timer ??= this.#world.setTimeout(() => this.#summarise(), PAUSE2);
    }
  }
  // clear forgets everything, as when another conversation is shown.
  clear() {
    this.#world.clearTimeout(this.#timer);
    this.#timer = null;
    this.#counted = 0;
    this.#region.replaceChildren();
  }
  #summarise() {
    const n = this.#counted;
    this.#timer = null;
    this.#counted = 0;
    this.#read(n === 1 ? "1 more message" : `${n} more messages`);
  }
  #read(text) {
    const line = this.#region.ownerDocument.createElement("p");
    line.textContent = text;
    this.#region.append(line);
    while (this.#region.children.length > HELD) {
      this.#region.firstElementChild.remove();
    }
  }
  #take() {
    const now = this.#world.performance.now();
    this.#allowance = Math.min(AT_ONCE, this.#allowance + (now - this.#filled) / PAUSE2);
    this.#filled = now;
    if (this.#allowance < 1) {
      return false;
    }
    this.#allowance--;
    return true;
  }
};

// page/view/rows.js
var TOGETHER = 5 * 6e4;
var keyOf = (message) => `seq ${message.seq}`;
var pendingKey = (entry) => `ref ${entry.ref}`;
function rowsOf({ messages, pending, me, from = 0, to = messages.length + pending.length }) {
  const rows = [];
  const refs = /* @__PURE__ */ new Set();
  let previous = from > 0 ? rowAt(from - 1) : null;
  for (let place = from; place < to; place++) {
    const row = rowAt(place);
    if (row.state !== "sent" && refs.has(row.key)) {
      continue;
    }
    if (row.formerKey) {
      refs.add(row.formerKey);
    }
    add(row);
  }
  return rows;
  function rowAt(place) {
    const { length } = messages;
    return place < length ? sent(messages[place], me) : unsent2(pending[place - length], me);
  }
  function add(row) {
    const sameDay = previous && dayKey(previous.at) === dayKey(row.at);
    if (!sameDay) {
      const formerKey = row.formerKey && `day ${row.formerKey}`;
      rows.push({ kind: "day", key: `day ${row.key}`, formerKey, label: formatDay(row.at) });
    }
    row.first = !sameDay || previous.sender !== row.sender || row.at - previous.at > TOGETHER;
    rows.push(row);
    previous = row;
  }
}
function sent(message, me) {
  const { sender_id: sender, content, server_ts: at, metadata, seq } = message;
  const mine = sender === me;
  const formerKey = mine && metadata?.ref ? pendingKey(metadata) : void 0;
  return { kind: "message", key: keyOf(message), formerKey, sender, mine, content, at, state: "sent", seq };
}
function unsent2(entry, me) {
  const { content, at, state, ref } = entry;
  return { kind: "message", key: pendingKey(entry), sender: me, mine: true, content, at, state, ref, ...obstacle(entry) };
}
function obstacle({ state, error, until, waiting }) {
  if (state === "failed") {
    return { problem: error, hint: until ? again(until - Date.now()) : "", discardable: true };
  }
  if (waiting) {
    const discardable = waiting !== "outcome_unknown";
    return { problem: words({ reason: waiting }), hint: "It is sent again by itself.", discardable };
  }
  return { problem: "", hint: "", discardable: false };
}

// page/view/excerpt.js
var STEP = 50;
var Excerpt = class {
  #most;
  #messages = [];
  #pending = [];
  #first = null;
  // key of the first one, null for the first there is
  #last = null;
  // and of the last
  from = 0;
  // the place of the first one in messages, followed by pending
  to = 0;
  // and the place after the last one
  // most returns the bound.
  constructor(most) {
    this.#most = most;
  }
  // complete says whether nothing comes after it.
  get complete() {
    return this.to === this.#length;
  }
  // end makes it the end of what is held.
  end(messages, pending) {
    this.#hold(messages, pending);
    this.#set(this.#length - this.#most(), this.#length);
  }
  // stay keeps it where it is in what is held now. If more has come in between than
  // there is room for, it keeps what is around a key.
  stay(messages, pending, around) {
    this.#hold(messages, pending);
    const from = this.#first === null ? 0 : this.#find(this.#first);
    const to = this.#last === null ? this.#length : Math.min(this.#length, this.#find(this.#last) + 1);
    const most = this.#most();
    if (to - from <= most) {
      this.#set(from, Math.max(from, to));
      return;
    }
    const middle = around === null ? from : this.#find(around) - Math.floor(most / 2);
    const begin = Math.max(from, Math.min(middle, to - most));
    this.#set(begin, begin + most);
  }
  // older moves it up, and reports whether there was anything to move to.
  older() {
    const { from } = this;
    const begin = Math.max(0, from - STEP);
    this.#set(begin, Math.min(this.to, begin + this.#most()));
    return begin < from;
  }
  // newer moves it down, likewise.
  newer() {
    const { to } = this;
    const end = Math.min(this.#length, to + STEP);
    this.#set(Math.max(this.from, end - this.#most()), end);
    return end > to;
  }
  get #length() {
    return this.#messages.length + this.#pending.length;
  }
  #hold(messages, pending) {
    this.#messages = messages;
    this.#pending = pending;
  }
  #set(from, to) {
    this.from = Math.max(0, from);
    this.to = to;
    this.#first = this.#key(this.from);
    this.#last = this.#key(to - 1);
  }
  #key(place) {
    const { length } = this.#messages;
    if (place < length) {
      return place < 0 ? null : keyOf(this.#messages[place]);
    }
    return place < this.#length ? pendingKey(this.#pending[place - length]) : null;
  }
  // find returns the place of a key, or where it would be. A message on its way is
  // found under its old key when it has arrived.
  #find(key) {
    const [kind, value] = key.split(" ");
    if (kind === "seq") {
      return lowerBound(this.#messages, Number(value));
    }
    const waiting = this.#pending.findIndex((entry) => entry.ref === value);
    if (waiting >= 0) {
      return this.#messages.length + waiting;
    }
    const arrived = this.#messages.findLastIndex((m) => m.metadata?.ref === value);
    return arrived >= 0 ? arrived : this.#messages.length;
  }
};
function lowerBound(messages, seq) {
  let [low, high] = [0, messages.length];
  while (low < high) {
    const middle = low + high >> 1;
    if (messages[middle].seq < seq) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// page/view/message.js
function makeRow(row, actions) {
  if (row.kind === "day") {
    return el("li", { class: "day", "data-day": row.key }, el("span", {}));
  }
  const body = el("p", { class: "body", dir: "auto" });
  const time2 = el("time", { class: "time" });
  const bubble = el("div", { class: "bubble" }, body, time2);
  const header = el("div", { class: "sender" });
  if (row.mine) {
    header.append("You:");
  } else {
    const open = () => actions.openPerson(row.sender);
    header.append(avatarElement(row.sender), nameElement("button", { type: "button", class: "name", onclick: open }));
  }
  return el("li", { class: "message" }, header, bubble);
}
function updateRow(node, row, actions) {
  if (row.kind === "day") {
    setText(node.firstElementChild, row.label);
    return;
  }
  setAttribute(node, "data-key", row.key);
  setAttribute(node, "data-seq", row.seq ?? null);
  setAttribute(node, "data-state", row.state);
  node.classList.toggle("mine", row.mine);
  node.classList.toggle("first", row.first);
  updateSender(node.querySelector(".sender"), row);
  setText(node.querySelector(".body"), row.content);
  updateTime(node.querySelector(".time"), row.at);
  updateDelivery(node, row, actions);
}
function updateTime(time2, at) {
  const iso = new Date(at).toISOString();
  if (time2.dateTime !== iso) {
    time2.dateTime = iso;
    time2.title = formatFull(at);
    setText(time2, formatTime(at));
  }
}
function updateSender(header, row) {
  const seen = row.first && !row.mine;
  setAttribute(header, "class", seen ? "sender" : "sender visually-hidden");
  if (row.mine) {
    return;
  }
  const [avatar, button] = header.children;
  setAvatar(avatar, row);
  setName(button, row);
  setAttribute(button, "aria-label", `${row.fullName}, write privately`);
  setAttribute(button, "tabindex", row.first ? null : -1);
}
function updateDelivery(node, row, actions) {
  let delivery = node.querySelector(".delivery");
  if (row.state === "sent") {
    delivery?.remove();
    return;
  }
  if (!delivery) {
    delivery = el("div", { class: "delivery" });
    node.append(delivery);
  }
  if (delivery.dataset.state !== row.state) {
    delivery.dataset.state = row.state;
    delivery.replaceChildren(...deliveryParts(row, actions));
  }
  const [problem, hint] = delivery.querySelectorAll(".problem, .next");
  setText(problem, row.problem || "Sending…");
  setText(hint, row.hint);
  delivery.querySelector(".discard").hidden = !row.discardable;
}
function deliveryParts(row, actions) {
  const button = (name, label, act) => el("button", { type: "button", class: `link ${name}`, onclick: () => act(row.ref) }, label);
  const problem = el("bdi", { class: "problem" });
  const next = el("span", { class: "next" });
  const discard = button("discard", "Discard", actions.discard);
  if (row.state === "sending") {
    return [problem, " ", next, " ", discard];
  }
  const alert = el("span", { role: "alert" }, "Not sent: ", problem);
  return [alert, " ", next, " ", button("retry", "Retry", actions.retry), " ", discard];
}

// page/view/place.js
var AT_END = 40;
var Place = class {
  atEnd = true;
  #log;
  #rows;
  #mark;
  #marks = [];
  // { row, mark, top } of the rows in sight, from the top
  // What the log was like after it was last scrolled from here.
  #scrollTop = 0;
  #scrollHeight = 0;
  #clientHeight = 0;
  // log is what scrolls, rows the element within it whose children are the rows. mark
  // returns the part of a row that must not move.
  constructor(log, rows, mark) {
    this.#log = log;
    this.#rows = rows;
    this.#mark = mark;
  }
  // key is the data-key of the first row in sight that has one, or null.
  get key() {
    return this.#marks.find(({ row }) => row.dataset.key)?.row.dataset.key ?? null;
  }
  // above and below are the pixels that can be scrolled in each direction.
  get above() {
    return this.#log.scrollTop;
  }
  get below() {
    const { scrollTop, scrollHeight, clientHeight } = this.#log;
    return scrollHeight - clientHeight - scrollTop;
  }
  // look takes notice of the log having been scrolled, and reports whether somebody did
  // that. It must be called before rows change, as the event that tells of scrolling may
  // come later. complete says whether the log ends with the end of the conversation.
  look(complete) {
    if (this.#log.scrollTop === this.#scrollTop || this.#resized) {
      return false;
    }
    this.atEnd = complete && this.below < AT_END;
    this.#note();
    this.#measure();
    return true;
  }
  // follow goes to the end at the next restore.
  follow() {
    this.atEnd = true;
    this.#note();
  }
  // resize restores the place if sizes have changed.
  resize() {
    if (this.#resized) {
      this.restore();
    }
  }
  get #resized() {
    const { scrollHeight, clientHeight } = this.#log;
    return scrollHeight !== this.#scrollHeight || clientHeight !== this.#clientHeight;
  }
  // restore scrolls to the place after the rows or their sizes have changed.
  restore() {
    if (this.atEnd) {
      this.#log.scrollTop = this.#log.scrollHeight;
      this.#note();
      return;
    }
    this.#marks = this.#marks.filter(({ row }) => row.isConnected);
    if (this.#marks.length === 0) {
      this.#measure();
    }
    const [anchor] = this.#marks;
    const moved = anchor ? top(anchor.mark) - anchor.top : 0;
    if (moved !== 0) {
      this.#log.scrollTop += moved;
    }
    this.#note();
  }
  #note() {
    const { scrollTop, scrollHeight, clientHeight } = this.#log;
    this.#scrollTop = scrollTop;
    this.#scrollHeight = scrollHeight;
    this.#clientHeight = clientHeight;
  }
  #measure() {
    this.#marks = [];
    if (this.atEnd) {
      return;
    }
    const { top: begin, bottom: end } = this.#log.getBoundingClientRect();
    const rows = this.#rows.children;
    for (let i = firstBelow(rows, begin); i < rows.length && top(rows[i]) < end; i++) {
      const mark = this.#mark(rows[i]);
      this.#marks.push({ row: rows[i], mark, top: top(mark) });
    }
  }
};
function top(element) {
  return element.getBoundingClientRect().top;
}
function firstBelow(rows, height) {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = low + high >> 1;
    if (rows[middle].getBoundingClientRect().bottom <= height) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// page/view/timeline.js
var HELD2 = 500;
var SLACK = 100;
var ROWS = 200;
var LOWEST = 20;
var Timeline = class {
  #client;
  #log = document.getElementById("log");
  #status = document.getElementById("log-status");
  #jump = document.getElementById("jump");
  #messages = document.getElementById("messages");
  #announcer = new Announcer(document.getElementById("announcements"));
  #list;
  #place;
  #excerpt = new Excerpt(() => Math.max(ROWS, Math.ceil(4 * this.#log.clientHeight / LOWEST)));
  #shown = null;
  // the conversation
  #history = null;
  // its messages: another array after it was reset
  #loaded = false;
  // whether it was when it was last rendered
  #lastSeen = 0;
  // the highest seq when one was last at the end
  #announced = 0;
  // the highest seq that was read aloud, or need not be
  constructor(client2) {
    this.#client = client2;
    const actions = {
      openPerson: (id) => client2.openPerson(id),
      retry: (ref) => {
        client2.retry(ref);
        this.#focus();
      },
      discard: (ref) => client2.discard(ref)
    };
    const make = (row) => makeRow(row, actions);
    const update = (node, row) => updateRow(node, row, actions);
    this.#list = new List(this.#messages, make, update, () => this.#focus());
    this.#place = new Place(this.#log, this.#messages, (row) => row.querySelector(".bubble") ?? row);
    this.#log.addEventListener("scroll", () => this.#scrolled());
    this.#log.addEventListener("keydown", (event) => {
      if (event.key === "End" && event.target === this.#log) {
        event.preventDefault();
        this.#toEnd();
      }
    });
    this.#jump.addEventListener("click", () => {
      this.#toEnd();
      this.#focus();
    });
    const observer = new ResizeObserver(() => this.#place.resize());
    observer.observe(this.#log);
    observer.observe(this.#messages);
  }
  // follow makes the next render show the end, as after one has written something.
  follow() {
    this.#place.follow();
  }
  // read marks as read what is on the screen of somebody who looks at it.
  read() {
    const conversation = this.#client.current;
    if (conversation && this.#place.atEnd && !this.#isOther(conversation)) {
      this.#lastSeen = conversation.head;
      if (document.visibilityState === "visible" && conversation.loaded) {
        this.#client.markRead(conversation);
      }
    }
  }
  render() {
    const conversation = this.#client.current;
    if (!conversation) {
      this.#begin(null);
      this.#jump.hidden = true;
      setText(this.#status, "");
      return;
    }
    if (this.#isOther(conversation)) {
      this.#begin(conversation);
    }
    this.#place.look(this.#excerpt.complete);
    if (this.#place.atEnd && conversation.messages.length > HELD2 + SLACK) {
      conversation.trim(HELD2);
    }
    this.#renderStatus(conversation);
    const pending = this.#client.pending(conversation);
    if (this.#place.atEnd) {
      this.#excerpt.end(conversation.messages, pending);
    } else {
      this.#excerpt.stay(conversation.messages, pending, this.#place.key);
    }
    this.#show(conversation, pending);
    this.#fill(conversation, pending);
    this.#announce(conversation);
    this.read();
    this.#renderJump(conversation);
  }
  // isOther says whether a conversation is not the one that is shown, or not as it was.
  #isOther(conversation) {
    return conversation !== this.#shown || conversation.messages !== this.#history || conversation.loaded !== this.#loaded;
  }
  // begin shows another conversation. Its rows have the keys of the former one's.
  #begin(conversation) {
    this.#shown = conversation;
    this.#history = conversation?.messages;
    this.#loaded = conversation?.loaded;
    this.#announced = Infinity;
    this.#announcer.clear();
    this.#list.show([]);
    this.#place.follow();
  }
  // show brings the rows of the excerpt into the document.
  #show(conversation, pending) {
    const { messages } = conversation;
    const { from, to } = this.#excerpt;
    const { me, names } = this.#client;
    const rows = rowsOf({ messages, pending, me: me.user_id, from, to });
    for (const row of rows) {
      if (row.kind === "message" && !row.mine) {
        Object.assign(row, names.parts(row.sender), { fullName: names.of(row.sender) });
      }
    }
    this.#list.show(this.#withFocused(rows, pending));
    this.#place.restore();
  }
  // withFocused adds the row that has the keyboard's focus, if it would go: whoever
  // works with the keyboard would be thrown back to the beginning of the page.
  #withFocused(rows, pending) {
    const node = document.activeElement?.closest("#messages > .message");
    const row = node && this.#list.item(node);
    const there = row && rows.some((r) => r.key === row.key || r.formerKey === row.key);
    const exists = row && (row.state === "sent" || pending.some((entry) => entry.ref === row.ref));
    if (!row || there || !exists) {
      return rows;
    }
    const first = rows.find((r) => r.kind === "message");
    const before = row.state === "sent" && (first?.seq ?? Infinity) > row.seq;
    return before ? [row, ...rows] : [...rows, row];
  }
  // fill moves the excerpt, and fetches messages, so that one can scroll on.
  #fill(conversation, pending) {
    const near = this.#log.clientHeight;
    for (let step = 0; step < 4 && !this.#place.atEnd; step++) {
      if (!(this.#place.above < near && this.#excerpt.older()) && !(this.#place.below < near && this.#excerpt.newer())) {
        break;
      }
      this.#show(conversation, pending);
    }
    if (this.#place.above < near && this.#excerpt.from === 0) {
      this.#client.loadOlder(conversation);
    }
  }
  #toEnd() {
    this.follow();
    this.render();
    this.read();
  }
  #focus() {
    this.#log.focus({ preventScroll: true });
  }
  #scrolled() {
    const conversation = this.#client.current;
    this.#place.resize();
    if (conversation && !this.#isOther(conversation) && this.#place.look(this.#excerpt.complete)) {
      this.#fill(conversation, this.#client.pending(conversation));
      this.read();
      this.#renderJump(conversation);
    }
  }
  // announce reads aloud what others say now, and neither a conversation that is opened
  // nor what one scrolls to.
  #announce({ messages, held, loaded }) {
    if (!loaded || this.#announced === Infinity || document.visibilityState !== "visible") {
      this.#announced = loaded ? held : Infinity;
      return;
    }
    const { me, names } = this.#client;
    const fresh = messages.slice(lowerBound(messages, this.#announced + 1), lowerBound(messages, held + 1));
    this.#announced = Math.max(this.#announced, held);
    this.#announcer.announce(fresh.filter((m) => m.sender_id !== me.user_id).map((m) => `${names.of(m.sender_id)}: ${m.content}`));
  }
  // renderJump says how much is not on the screen.
  #renderJump(conversation) {
    const below = this.#place.atEnd ? 0 : conversation.head - this.#lastSeen;
    this.#jump.hidden = this.#place.atEnd;
    setText(this.#jump, below > 0 ? `↓ ${below} new` : "↓ Latest");
  }
  #renderStatus(conversation) {
    const { error, loaded, complete, messages, begin } = conversation;
    const nothing = messages.length === 0 && this.#client.pending(conversation).length === 0;
    const focused = this.#status.contains(document.activeElement);
    if (error) {
      if (this.#status.dataset.error !== error) {
        const again2 = el("button", { type: "button", class: "link", onclick: () => this.#client.reload(conversation) }, "Try again");
        this.#status.replaceChildren(el("bdi", {}, error), " ", again2);
      }
    } else if (!loaded) {
      setText(this.#status, this.#client.state === "online" ? "Loading messages…" : "Messages appear as soon as there is a connection.");
    } else if (complete && begin > 1) {
      setText(this.#status, "Older messages are no longer kept.");
    } else if (nothing) {
      setText(this.#status, "Nothing here yet. Say something!");
    } else {
      setText(this.#status, complete ? "This is where the conversation begins." : "Loading older messages…");
    }
    setAttribute(this.#status, "data-error", error || null);
    setAttribute(this.#status, "aria-live", error ? "polite" : "off");
    if (focused && !this.#status.contains(document.activeElement)) {
      this.#focus();
    }
  }
};

// page/view/trouble.js
var KEPT = "What you write is kept, and sent later.";
function trouble({ state, reason, words: words2, silent }, wasOnline) {
  if (state === "stopped") {
    return ended(reason);
  }
  if (navigator.onLine === false) {
    return `This device is offline. ${KEPT}`;
  }
  if (silent) {
    return `The server does not answer. ${KEPT}`;
  }
  return `${cause(reason, words2, wasOnline)} ${KEPT}`;
}
function cause(reason, words2, wasOnline) {
  switch (reason) {
    case "":
      return wasOnline ? "The connection is lost." : "There is no connection.";
    case "silent":
      return "The server does not answer.";
    case "unreachable":
      return "The server cannot be reached.";
    case "refused":
      return `The server refuses connections at the moment${words2 ? `: ${words2}` : ""}.`;
    case "proxy":
      return "The proxy in front of the server does not reach it.";
    case "blocked":
      return `The server is there, but WebSocket connections to it do not come about. Something on the way may not let them pass, or the server may not allow the origin ${location.origin}.`;
    case "http":
      return `The server does not take connections here: it answered with ${words2}.`;
  }
  return ended(reason);
}
function ended(reason) {
  return words({ reason, message: `The server ended the connection: ${reason.replaceAll("_", " ")}` });
}

// page/view/chat.js
var byID2 = (id) => document.getElementById(id);
var NO_FRAME = 100;
var PERSON = 5e3;
var PEOPLE = 2e4;
var STATES = { connecting: "Connecting…", online: "Connected", waiting: "Reconnecting…", stopped: "Disconnected" };
var Chat = class {
  #client;
  #timeline;
  #composer;
  #sidebar;
  #members;
  #myAvatar;
  #name;
  // the element within the title
  #wanted = false;
  // whether a render is under way
  #wasOnline = false;
  #lost = false;
  // whether a connection is to come (back)
  // reconnect and openProfile are called when the user asks for it.
  constructor(client2, { reconnect, openProfile }) {
    this.#client = client2;
    this.#timeline = new Timeline(client2);
    this.#composer = new Composer(client2, () => this.#timeline.follow());
    const menu = new Panel({
      panel: byID2("sidebar"),
      toggle: byID2("menu"),
      query: "(max-width: 719px)",
      rest: [byID2("conversation"), byID2("members-panel")]
    });
    const people = new Panel({
      panel: byID2("members-panel"),
      toggle: byID2("members-toggle"),
      query: "(max-width: 999px)",
      rest: [byID2("conversation"), byID2("sidebar")]
    });
    const chosen = () => {
      menu.close({ focus: false });
      people.close({ focus: false });
      this.#composer.focus();
    };
    this.#sidebar = new Sidebar(client2, chosen);
    this.#members = new Members(client2, chosen);
    byID2("menu").addEventListener("click", () => client2.refreshRooms());
    byID2("leave").addEventListener("click", () => this.#leave());
    byID2("reconnect").addEventListener("click", reconnect);
    byID2("dismiss").addEventListener("click", () => client2.dismissNotice());
    byID2("profile-open").addEventListener("click", openProfile);
    document.querySelector(".skip").addEventListener("click", (event) => {
      event.preventDefault();
      this.#composer.focus();
    });
    this.#myAvatar = avatarElement(client2.me.user_id);
    byID2("my-name").before(this.#myAvatar);
    this.#name = nameElement("span", {});
    byID2("title").append(this.#name);
    this.#watchPeople();
    byID2("app").hidden = false;
    this.#render();
    this.#composer.focus();
  }
  // watchPeople keeps the marks of people right while somebody sees them.
  #watchPeople() {
    const whenSeen = (ask) => () => document.visibilityState === "visible" && ask();
    setInterval(whenSeen(() => this.#client.refreshPerson()), PERSON);
    setInterval(whenSeen(() => {
      this.#client.refreshPeople();
      if (!this.#sidebar.choosing) {
        this.#client.refreshRooms();
      }
    }), PEOPLE);
    document.addEventListener("visibilitychange", whenSeen(() => this.#client.refreshPeople()));
  }
  // render shows how things are, soon, and once for all changes until then.
  render() {
    if (!this.#wanted) {
      this.#wanted = true;
      inNextFrame(() => this.#render());
    }
  }
  #render() {
    this.#timeline.read();
    this.#wanted = false;
    this.#composer.render();
    this.#sidebar.render();
    this.#renderMe();
    this.#renderHeader(this.#members.render());
    this.#renderConnection();
    this.#timeline.render();
    const unread = [...this.#client.conversations].reduce((sum, c) => sum + c.unread, 0);
    const { current, names } = this.#client;
    const name = current && !current.isRoom ? names.of(current.id) : this.#title().name;
    const title = `${unread > 0 ? `(${unread}) ` : ""}${name} · hawser`;
    if (document.title !== title) {
      document.title = title;
    }
  }
  #renderMe() {
    const { name } = this.#client.me;
    setText(byID2("my-name"), name);
    setAvatar(this.#myAvatar, { name });
  }
  // title returns the parts of what stands above the messages.
  #title() {
    const { current, names } = this.#client;
    if (!current) {
      return { name: "Choose a conversation", tag: "" };
    }
    return current.isRoom ? { name: `# ${current.id}`, tag: "" } : names.parts(current.id);
  }
  #renderHeader(people) {
    const { current } = this.#client;
    const inRoom = current?.isRoom === true;
    setName(this.#name, this.#title());
    setText(byID2("subtitle"), subtitle(current, people, !this.#client.silent));
    byID2("leave").hidden = !inRoom;
    byID2("members-toggle").hidden = byID2("members-panel").hidden = !inRoom;
    setText(byID2("members-count"), people ?? "–");
  }
  #renderConnection() {
    const { state, silent, notice } = this.#client;
    this.#lost = silent || state === "waiting" || state === "stopped" || this.#lost && state === "connecting";
    const shown2 = this.#lost && state !== "stopped" ? "waiting" : state;
    const connection2 = byID2("connection");
    setAttribute(connection2, "data-state", shown2);
    setText(connection2.lastElementChild, STATES[shown2]);
    this.#wasOnline ||= state === "online";
    byID2("banner").hidden = !this.#lost;
    setText(byID2("banner-text"), this.#lost ? trouble(this.#client, this.#wasOnline) : "");
    setText(byID2("reconnect"), state === "stopped" ? "Connect again" : "Try now");
    byID2("notice").hidden = notice === "";
    setText(byID2("notice-text"), notice);
  }
  async #leave() {
    const { current, conversations } = this.#client;
    if (!await this.#client.leave(current) || this.#client.current) {
      return;
    }
    const next = [...conversations][0];
    if (next) {
      this.#client.select(next);
      this.#composer.focus();
    } else {
      const menu = byID2("menu");
      (menu.offsetParent ? menu : byID2("join-name")).focus();
    }
  }
};
function inNextFrame(run) {
  const either = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    run();
  };
  const frame = requestAnimationFrame(either);
  const timer = setTimeout(either, NO_FRAME);
}
function subtitle(conversation, people, sure) {
  if (!conversation) {
    return "";
  }
  if (conversation.isRoom) {
    return people === null || !sure ? "" : `${people} ${people === "1" ? "person" : "people"} here`;
  }
  switch (sure ? conversation.online : null) {
    case true:
      return "Private · online";
    case false:
      return "Private · away, will find it later";
  }
  return "Private";
}

// page/view/sessions.js
var byID3 = (id) => document.getElementById(id);
var Sessions = class {
  #load;
  #end;
  #status = byID3("sessions-status");
  #list;
  // load returns the sessions, as the server lists them; end ends the one with an id. Both
  // may throw an Error that can be shown.
  constructor({ load, end }) {
    this.#load = load;
    this.#end = end;
    this.#list = new List(byID3("sessions"), ({ key, current }) => {
      const what = el("div", { class: "session" }, el("bdi", { class: "device" }), el("span", { class: "note" }));
      const button = el("button", { type: "button", class: "quiet", onclick: () => this.#logOut(key) }, "Log out");
      return el("li", { "data-id": key }, what, current ? el("strong", {}, "This tab") : button);
    }, (node, { device, note, current }) => {
      setText(node.querySelector(".device"), device);
      setText(node.querySelector(".note"), note);
      if (!current) {
        setAttribute(node.querySelector("button"), "aria-label", `Log out ${device}, ${note}`);
      }
    });
  }
  // show asks for the sessions. What was shown before is not true any more.
  async show() {
    this.#list.show([]);
    setText(this.#status, "Asking the server…");
    await this.#refresh();
  }
  async #refresh() {
    try {
      const sessions = await this.#load();
      this.#list.show(sessions.map(item));
      setText(this.#status, "");
    } catch (error) {
      setText(this.#status, error.message);
    }
  }
  async #logOut(id) {
    try {
      await this.#end(id);
    } catch (error) {
      if (error.reason !== "unknown_session") {
        setText(this.#status, error.message);
        return;
      }
    }
    await this.#refresh();
  }
};
function item({ session_id: key, device, address: address2, seen, connections, current }) {
  const when = connections > 0 ? "connected now" : `last seen: ${formatDay(seen)}, ${formatTime(seen)}`;
  return { key, device: device || "Unknown device", note: address2 ? `${address2}, ${when}` : when, current };
}

// page/view/profile.js
var byID4 = (id) => document.getElementById(id);
var Profile = class {
  #dialog = byID4("profile");
  #name = byID4("profile-name");
  #sessions;
  #current;
  #unsent;
  #confirmed;
  // what is done when the question is answered
  // current returns the name, rename takes another; sessions are { load, end } of a Sessions.
  // unsent counts the messages that are lost by signOut and logOutEverywhere. All but current
  // and unsent may throw an Error that can be shown.
  constructor({ current, rename, sessions, unsent: unsent3, signOut: signOut2, logOutEverywhere: logOutEverywhere2 }) {
    this.#current = current;
    this.#unsent = unsent3;
    this.#sessions = new Sessions(sessions);
    byID4("profile-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save(rename);
    });
    this.#name.addEventListener("input", () => this.#complain(""));
    byID4("profile-cancel").addEventListener("click", () => this.#dialog.close());
    byID4("signout").addEventListener("click", () => this.#ask({
      what: "This browser then forgets who you are",
      button: "Sign out",
      confirmed: signOut2
    }));
    byID4("logout-all").addEventListener("click", () => this.#ask({
      what: "All your tabs and devices are logged out, and this browser forgets who you are",
      button: "Log out everywhere",
      confirmed: logOutEverywhere2
    }));
    byID4("signout-stay").addEventListener("click", () => this.#dialog.close());
    byID4("signout-confirm").addEventListener("click", () => this.#confirm());
  }
  open() {
    this.#name.value = this.#current();
    this.#complain("");
    byID4("profile-part").hidden = false;
    byID4("signout-question").hidden = true;
    this.#dialog.showModal();
    this.#name.select();
    this.#sessions.show();
  }
  async #save(rename) {
    const name = this.#name.value.trim();
    const problem = nameProblem(name);
    if (problem) {
      this.#complain(problem);
      return;
    }
    byID4("profile-save").disabled = true;
    try {
      await rename(name);
      this.#dialog.close();
    } catch (error) {
      this.#complain(error.message);
    } finally {
      byID4("profile-save").disabled = false;
    }
  }
  #ask({ what, button, confirmed }) {
    const unsent3 = this.#unsent();
    const lost = unsent3 === 0 ? "" : ` ${count(unsent3, "message that was not sent yet is", "messages that were not sent yet are")} lost.`;
    setText(byID4("signout-text"), `${what}, and nobody can be this user again: not even you, under the same name. Private conversations end with it.${lost}`);
    setText(byID4("signout-confirm"), button);
    setText(byID4("signout-error"), "");
    this.#confirmed = confirmed;
    byID4("profile-part").hidden = true;
    byID4("signout-question").hidden = false;
    byID4("signout-stay").focus();
  }
  async #confirm() {
    try {
      await this.#confirmed();
    } catch (error) {
      setText(byID4("signout-error"), error.message);
    }
  }
  #complain(problem) {
    setText(byID4("profile-error"), problem);
    setAttribute(this.#name, "aria-invalid", problem ? "true" : null);
  }
};

// page/view/signin.js
var byID5 = (id) => document.getElementById(id);
var SignIn = class {
  #form = byID5("signin-form");
  #fields = { name: byID5("name"), room: byID5("room") };
  // enter is called with a name and a room, and may throw an Error that can be shown.
  // again is called where one may hope still to be known.
  constructor({ enter, again: again2 }) {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(enter);
    });
    byID5("again-known").addEventListener("click", again2);
  }
  get visible() {
    return !byID5("signin").hidden;
  }
  get room() {
    return this.#fields.room.value.trim().replace(/^#/, "");
  }
  set room(room) {
    this.#fields.room.value = room;
  }
  // show shows the form. name and room are what the fields hold at first, remembers says
  // whether the browser will know who one is; problem is why one is here again.
  show({ name, room, remembers, problem = "" }) {
    byID5("signin").hidden = false;
    byID5("not-remembered").hidden = remembers;
    byID5("again-known").hidden = !problem;
    this.#fields.name.value = name;
    this.room = room;
    this.#complain("name", problem);
    this.#fields.name.focus();
    this.#fields.name.select();
  }
  hide() {
    byID5("signin").hidden = true;
  }
  async #submit(enter) {
    const name = this.#fields.name.value.trim();
    const problems = { name: nameProblem(name), room: roomProblem(this.room) };
    this.#complain("name", problems.name);
    this.#complain("room", problems.room);
    if (problems.name || problems.room) {
      this.#fields[problems.name ? "name" : "room"].focus();
      return;
    }
    byID5("enter").disabled = true;
    try {
      await enter(name, this.room);
    } catch (error) {
      this.#complain("name", error.message);
      this.#fields.name.focus();
    } finally {
      byID5("enter").disabled = false;
    }
  }
  #complain(field, text) {
    setText(byID5(`${field}-error`), text);
    setAttribute(this.#fields[field], "aria-invalid", text ? "true" : null);
  }
};

// page/app.js
var UNKNOWN = /* @__PURE__ */ new Set(["token_refused", "token_expired"]);
var ENDED2 = /* @__PURE__ */ new Set(["session_ended", "user_deleted"]);
var ASK_AGAIN = 6e4;
var RENEW_EVERY = 36e5;
var prefix = `hawser${new URL(".", location.href).pathname.slice(0, -1)}.`;
var browser = new Memory(() => localStorage, prefix);
var tab = new Memory(() => sessionStorage, prefix);
var tabs = new Tabs(navigator.locks, prefix);
var identity = new Identity(browser, tabs);
var address = new Address(visit);
var signIn = new SignIn({ enter: (name) => identity.create(name), again: () => connection.retry() });
var client = null;
var connection;
var view;
var renewing = false;
var leaving = false;
function main() {
  const start = document.getElementById("start");
  start.hidden = start.dataset.failed === void 0;
  identity.onchange = identityChanged;
  browser.watch(window, (key, value) => {
    identity.stored(key, value);
    client?.stored(key, value);
  });
  if (identity.current) {
    chat();
  } else {
    signIn.show({ name: "", room: address.room || "lobby", remembers: browser.lasting });
  }
}
function chat(room = "") {
  const url = new URL("ws", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const { token, user_id } = identity.current;
  const session = new Session(tab, user_id);
  connection = new Connection({ url: url.href, token, features: FEATURES, session, device: deviceName(navigator) });
  client = new Client({ me: identity.current, connection, memory: browser, tab, tabs });
  visit(room || address.id);
  connection.watch(document.visibilityState === "visible");
  connection.retry();
  const profile = new Profile({
    current: () => client.me.name,
    rename: (name) => identity.rename(name),
    sessions: { load: () => client.sessions(), end: (id) => client.logOut(id) },
    unsent: () => unsent(browser),
    signOut,
    logOutEverywhere
  });
  view = new Chat(client, { reconnect: () => connection.retry(), openProfile: () => profile.open() });
  client.onname = (name) => identity.named(name);
  client.onexpiry = () => identity.renew().catch(() => {
  });
  client.onchange = clientChanged;
  clientChanged();
  listen();
  renewIfDue();
  setInterval(renewIfDue, RENEW_EVERY);
}
function listen() {
  addEventListener("online", () => connection.probe());
  addEventListener("offline", () => connection.state === "online" && connection.probe());
  document.addEventListener("visibilitychange", () => {
    const seen = document.visibilityState === "visible";
    connection.watch(seen);
    if (seen) {
      connection.probe();
      client.refreshRooms();
      view.render();
    }
  });
}
function clientChanged() {
  view.render();
  showAddress();
  if (connection.state === "online" && signIn.visible) {
    signIn.hide();
    document.getElementById("app").hidden = false;
  }
  if (connection.state === "stopped" && UNKNOWN.has(connection.reason) && !renewing && !leaving) {
    renew(connection.reason);
  } else if (connection.state === "stopped" && ENDED2.has(connection.reason) && !leaving) {
    askForName(connection.reason);
  }
  (client.unsent > 0 && !leaving ? addEventListener : removeEventListener)("beforeunload", askToStay);
}
function askToStay(event) {
  event.preventDefault();
}
var shown = null;
function showAddress() {
  const { current, conversations } = client;
  const left = shown !== null && !conversations.get(shown.id);
  address.show(current?.id ?? "", { replace: left });
  shown = current;
}
function visit(id) {
  if (!client) {
    signIn.room = isRoom(id) ? id : signIn.room;
  } else if (id && id !== client.current?.id) {
    isRoom(id) ? client.enter(id) : client.openPerson(id);
  } else if (id && isRoom(id) && !client.current.joined && !client.current.joining) {
    client.enter(id);
  }
}
async function renew(reason) {
  renewing = true;
  let wait = 0;
  try {
    await identity.renew();
  } catch (error) {
    if (error.refused) {
      askForName(reason);
      wait = ASK_AGAIN;
    }
  }
  renewing = false;
  if (!leaving) {
    connection.later(wait, reason);
  }
}
function renewIfDue() {
  identity.renewIfDue().catch(() => {
  });
}
var asked = "";
function askForName(reason) {
  if (signIn.visible && reason === asked) {
    return;
  }
  asked = reason;
  const waiting = unsent(browser);
  const lost = waiting > 0 ? ` Then ${count(waiting, "message that was not sent is", "messages that were not sent are")} lost.` : "";
  document.getElementById("app").hidden = true;
  const room = client.current?.isRoom ? client.current.id : "lobby";
  signIn.show({
    name: client.me.name,
    room,
    remembers: browser.lasting,
    problem: `${why(reason)} Try again, or choose a name, and be somebody new.${lost}`
  });
}
function why(reason) {
  switch (reason) {
    case "token_expired":
      return "It has been too long.";
    case "token_refused":
      return "This server does not know you (any more).";
  }
  return words({ reason });
}
function signOut() {
  identity.forget();
  restart();
}
async function logOutEverywhere() {
  leaving = true;
  try {
    await client.logOutEverywhere();
  } catch (error) {
    leaving = false;
    throw error;
  }
  signOut();
}
function identityChanged() {
  const { current } = identity;
  if (!client) {
    if (current) {
      const { room } = signIn;
      signIn.hide();
      chat(room);
    }
    return;
  }
  if (current?.user_id === client.me.user_id) {
    connection.token = current.token;
    client.rename(current.name);
    return;
  }
  if (signIn.visible) {
    address.show(signIn.room, { replace: true });
  }
  restart();
}
function restart() {
  leaving = true;
  removeEventListener("beforeunload", askToStay);
  connection.send({ type: "logout" });
  connection.stop();
  tab.clear();
  location.reload();
}
main();
