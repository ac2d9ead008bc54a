// A conversation over every type of message, by a client that nobody of this
// project wrote: usage: node conversation.mjs http://HOST:PORT
import assert from "node:assert/strict";
import WebSocket from "ws";

const base = process.argv[2];

async function guest(name) {
  const resp = await fetch(`${base}/api/guest`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name }),
  });
  assert.ok(resp.ok, `POST /api/guest: ${resp.status}`);
  return resp.json();
}

// Client keeps what arrives until somebody asks for it.
class Client {
  constructor(path) {
    this.received = [];
    this.waiting = [];
    this.socket = new WebSocket(base.replace("http", "ws") + path);
    this.opened = new Promise((ok, fail) => {
      this.socket.on("open", ok);
      this.socket.on("error", fail);
    });
    this.closed = new Promise((ok) => this.socket.on("close", (code, reason) => ok([code, String(reason)])));
    this.socket.on("message", (data, binary) => {
      assert.equal(binary, false);
      const m = JSON.parse(data);
      const next = this.waiting.shift();
      if (next) next(m);
      else this.received.push(m);
    });
  }
  send(m) {
    this.socket.send(JSON.stringify(m));
  }
  next() {
    if (this.received.length > 0) return Promise.resolve(this.received.shift());
    return new Promise((ok) => this.waiting.push(ok));
  }
  // expect takes the next message and compares the fields given.
  async expect(want) {
    const m = await this.next();
    for (const [k, v] of Object.entries(want)) assert.deepEqual(m[k], v, `${k} in ${JSON.stringify(m)}`);
    return m;
  }
}

const [a, b] = [await guest("Ada"), await guest("Bob")];
const ada = new Client("/ws");
const bob = new Client("/chat");
await Promise.all([ada.opened, bob.opened]);

// auth, pipelined with what follows it
ada.send({ type: "auth", token: a.token, features: ["ack", "presence", "system"], ref: "auth" });
ada.send({ type: "join", receiver_id: "lobby", ref: "join" });
const ok = await ada.expect({ type: "auth_ok", user_id: a.user_id, ref: "auth" });
assert.equal(typeof ok.session_id, "string");
assert.equal(typeof ok.limits, "object");
await ada.expect({ type: "ack", op: "join", receiver_id: "lobby", seq: 0, epoch: ok.epoch, ref: "join" });
await ada.expect({ type: "system", event: "joined", user_id: a.user_id });
bob.send({ type: "auth", token: b.token });
await bob.expect({ type: "auth_ok", user_id: b.user_id, features: [] });

// heartbeat
bob.send({ type: "heartbeat", timestamp: Date.now() / 1000 });
assert.ok(Math.abs((await bob.expect({ type: "heartbeat" })).server_ts - Date.now()) < 60_000);

// group: the first one joins; text beyond ASCII, split into fragments
const hello = { type: "group", timestamp: 12.5, sender_id: b.user_id, to: "lobby", content: "Grüße 👋 世界", metadata: { n: 1 } };
const bytes = Buffer.from(JSON.stringify(hello));
for (let i = 0; i < bytes.length; i++) {
  bob.socket.send(bytes.subarray(i, i + 1), { binary: false, fin: i === bytes.length - 1 });
}
await ada.expect({ type: "system", event: "joined", user_id: b.user_id });
const delivered = { type: "group", timestamp: 12.5, sender_id: b.user_id, receiver_id: "lobby", content: "Grüße 👋 世界", metadata: { n: 1 }, seq: 1 };
const { id } = await ada.expect(delivered);
await bob.expect({ ...delivered, id });

// message, its ack, and the same ref again
for (let i = 0; i < 2; i++) ada.send({ type: "message", receiver_id: b.user_id, content: "psst", ref: "m1" });
const ack = await ada.expect({ type: "ack", op: "message", seq: 1, ref: "m1" });
await ada.expect({ type: "message", content: "psst", id: ack.id });
assert.deepEqual(await ada.next(), ack);
await bob.expect({ type: "message", sender_id: a.user_id, content: "psst", id: ack.id });

// history: by seq, by time, around an id
ada.send({ type: "history", receiver_id: "lobby", after_seq: 0, limit: 10, ref: "h" });
let h = await ada.expect({ type: "history", receiver_id: "lobby", has_more: false, ref: "h" });
assert.deepEqual(h.messages.map((m) => m.id), [id]);
bob.send({ type: "history", receiver_id: a.user_id, since: 0 });
h = await bob.expect({ type: "history", has_more: false });
assert.deepEqual(h.messages.map((m) => m.content), ["psst"]);
bob.send({ type: "history", receiver_id: "lobby", id });
h = await bob.expect({ type: "history" });
assert.deepEqual(h.messages.map((m) => m.seq), [1]);

// presence, rooms, peers
ada.send({ type: "presence", receiver_id: "lobby" });
const { users } = await ada.expect({ type: "presence", receiver_id: "lobby" });
assert.deepEqual(users.map((u) => u.name).sort(), ["Ada", "Bob"]);
ada.send({ type: "rooms" });
const { rooms } = await ada.expect({ type: "rooms" });
assert.deepEqual(rooms.map((r) => [r.receiver_id, r.seq, r.online]), [["lobby", 1, 2]]);
bob.send({ type: "peers" });
const { peers } = await bob.expect({ type: "peers" });
assert.deepEqual(peers.map((p) => [p.user_id, p.seq, p.online]), [[a.user_id, 1, true]]);

// error: each keeps the connection open
for (const [bad, want] of [
  ["{", { code: 400, reason: "not_json" }],
  ["[]", { code: 400, reason: "not_object" }],
  [{ type: "system", content: "x" }, { code: 400, reason: "unknown_type", field: "type" }],
  [{ type: "group", receiver_id: "lobby", ref: "e" }, { code: 400, reason: "missing_field", field: "content", ref: "e" }],
  [{ type: "group", receiver_id: "lobby", content: "😀".repeat(501) }, { code: 400, reason: "content_too_long", field: "content" }],
  [{ type: "group", receiver_id: "lobby", content: "x", sender_id: b.user_id }, { code: 403, field: "sender_id" }],
  [{ type: "message", receiver_id: "u_nobody", content: "x" }, { code: 404 }],
]) {
  ada.socket.send(typeof bad === "string" ? bad : JSON.stringify(bad));
  await ada.expect({ type: "error", ...want });
}
ada.send({ type: "group", receiver_id: "lobby", content: "😀".repeat(500), ref: "long" });
await ada.expect({ type: "ack", seq: 2, ref: "long" });
await ada.expect({ type: "group", seq: 2 });
await bob.expect({ type: "group", seq: 2 });

// RFC 6455's own: a ping is answered, a close too
const pong = new Promise((done) => bob.socket.on("pong", (p) => done(String(p))));
bob.socket.ping("are you there");
assert.equal(await pong, "are you there");

// leave, and a close that leaves
bob.send({ type: "leave", receiver_id: "lobby" });
await bob.expect({ type: "ack", op: "leave", seq: 2 });
await ada.expect({ type: "system", event: "left", user_id: b.user_id });
bob.socket.close(1000, "bye");
assert.deepEqual(await bob.closed, [1000, ""]);

// binary is not part of the protocol
ada.socket.send(Buffer.from([1, 2, 3]));
await ada.expect({ type: "error", reason: "binary_message" });
assert.equal((await ada.closed)[0], 1003);
console.log("every type of message was said and heard");
