import { Backoff } from '/chat/backoff.js';
import { Connection } from '/chat/connection.js';
import { Memory } from '/chat/memory.js';
import { Pacer } from '/chat/pacer.js';
import { Session } from '/chat/session.js';
import { equal, settle, Storage, World } from './check.js';

const tabMemory = (storage) => new Memory(() => storage);

function connect(storage = new Storage()) {
  const world = new World();
  const connection = new Connection({
    url: 'ws://here/ws', token: 'secret', features: ['ack'],
    session: new Session(tabMemory(storage), 'u_ada'), device: 'Lynx on VMS',
    backoff: new Backoff({ random: () => 1 }), world,
  });
  const heard = [];
  connection.onready = (message) => heard.push(message);
  connection.onmessage = (message) => heard.push(message);
  connection.retry();
  return { world, connection, heard };
}

// refusal is a fetch that is answered so.
function refusal(status, body, headers = { 'Content-Type': 'text/plain; charset=utf-8' }) {
  return async (url) => {
    equal(url, 'http://here/ws');
    return { status, headers: new Headers(headers), text: async () => body };
  };
}

// reconnect loses the connection, and opens the next one.
function reconnect(world, connection, code = 1006, reason = '') {
  world.socket.end(code, reason);
  while (connection.state === 'waiting') {
    world.pass(100);
  }
  world.socket.open();
}

function online() {
  const all = connect();
  all.world.socket.open();
  all.world.socket.receive({ type: 'auth_ok', heartbeat_interval: 30 });
  return all;
}

export default {
  'back-off doubles up to a maximum'() {
    const backoff = new Backoff({ random: () => 1 });
    const delays = Array.from({ length: 9 }, () => backoff.next());
    equal(delays, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
    backoff.reset();
    equal(backoff.next(), 500);
  },

  'back-off stays finite and jitters over the upper half'() {
    const low = new Backoff({ random: () => 0 });
    for (let i = 0; i < 2000; i++) {
      low.next();
    }
    equal(low.next(), 15000);
  },

  'auth is the first message'() {
    const { world, connection, heard } = connect();
    equal(connection.state, 'connecting');
    equal(connection.send({ type: 'join' }), false);
    world.socket.open();
    equal(world.socket.sent, [{ type: 'auth', token: 'secret', features: ['ack'], device: 'Lynx on VMS', resume: {} }]);
    world.socket.receive({ type: 'auth_ok', heartbeat_interval: 30 });
    equal(connection.state, 'online');
    world.socket.receive({ type: 'group' });
    equal(heard.map((m) => m.type), ['auth_ok', 'group']);
    equal(connection.send({ type: 'join' }), true);
  },

  'what is no message is ignored'() {
    const { world, heard } = online();
    for (const data of ['nonsense', 'null', '7', '"text"']) {
      world.socket.receive(data);
    }
    equal(heard.length, 1);
  },

  'a heartbeat is sent every interval, while it is answered'() {
    const { world, connection } = online();
    const beats = () => world.socket.sent.filter((m) => m.type === 'heartbeat').length;
    world.pass(29_999);
    equal(beats(), 0);
    world.pass(1);
    equal(beats(), 1);
    world.pass(9_999);
    world.socket.receive({ type: 'heartbeat' });
    world.pass(29_999);
    equal(beats(), 1);
    world.pass(1);
    equal(beats(), 2);
    equal(connection.state, 'online');
  },

  'without an answer for 10 s it connects again'() {
    const { world, connection } = online();
    const dead = world.socket;
    world.pass(39_999);
    equal([connection.state, dead.closed], ['online', false]);
    world.pass(1);
    equal([connection.state, dead.closed], ['waiting', true]);
    world.pass(500);
    equal([connection.state, world.sockets.length], ['connecting', 2]);
    dead.end(); // what the old one still has to say is not heard
    dead.receive({ type: 'group' });
    equal(connection.state, 'connecting');
  },

  'a connection that does not come about is given up after 10 s'() {
    const { world, connection } = connect();
    world.pass(10_000);
    equal([connection.state, world.socket.closed], ['waiting', true]);
  },

  'delays grow until a connection has been good for 10 s'() {
    const { world, connection } = online();
    const delay = () => {
      world.socket.end();
      const before = world.now;
      while (connection.state === 'waiting') {
        world.pass(100);
      }
      world.socket.open();
      world.socket.receive({ type: 'auth_ok', heartbeat_interval: 30 });
      return world.now - before;
    };
    equal([delay(), delay(), delay()], [500, 1000, 2000]);
    world.pass(10_000);
    equal(delay(), 500);
  },

  'a refused token stops it, with or without a close frame'() {
    for (const code of [1008, 1006]) {
      const { world, connection } = connect();
      world.socket.open();
      world.socket.receive({ type: 'error', code: 401, reason: 'token_refused' });
      world.socket.end(code, code === 1008 ? 'token_refused' : '');
      equal([connection.state, connection.reason, world.timers.size], ['stopped', 'token_refused', 0]);
    }
  },

  'a violated policy stops it until it is told to retry'() {
    const { world, connection } = online();
    world.socket.end(1008, 'too_many_errors');
    equal([connection.state, connection.reason], ['stopped', 'too_many_errors']);
    connection.probe();
    equal(connection.state, 'stopped');
    connection.retry();
    equal(connection.state, 'connecting');
  },

  'being late with auth does not stop it'() {
    const { world, connection } = connect();
    world.socket.open();
    world.socket.end(1008, 'auth_timeout');
    equal(connection.state, 'waiting');
  },

  'probe asks at once, and not twice'() {
    const { world, connection } = online();
    connection.probe();
    connection.probe();
    equal(world.socket.sent.map((m) => m.type), ['auth', 'heartbeat']);
    world.pass(10_000);
    equal(connection.state, 'waiting');
    connection.probe();
    equal(connection.state, 'connecting');
  },

  'silence is said before the connection is given up'() {
    const { world, connection } = online();
    const changes = [];
    connection.onstate = () => changes.push([world.now, connection.state, connection.silent]);
    connection.probe(); // as when the device goes offline
    world.pass(2499);
    equal(changes, []);
    world.pass(1);
    world.socket.receive({ type: 'heartbeat' });
    equal([connection.state, connection.silent], ['online', false]);
    connection.probe();
    world.pass(10_000);
    equal(changes, [[2500, 'online', true], [2500, 'online', false], [5000, 'online', true], [12500, 'waiting', false]]);
  },

  'silence is said of a connection that does not open, too'() {
    const { world, connection } = connect();
    world.pass(4500);
    equal([connection.state, connection.silent], ['connecting', true]);
    world.socket.open();
    world.socket.receive({ type: 'auth_ok', heartbeat_interval: 30 });
    equal([connection.state, connection.silent], ['online', false]);
  },

  'a message that is not answered is followed by a heartbeat'() {
    const { world, connection } = online();
    const beats = () => world.socket.sent.filter((m) => m.type === 'heartbeat').length;
    connection.send({ type: 'group', ref: 'a' });
    connection.send({ type: 'group', ref: 'b' });
    world.pass(1999);
    world.socket.receive({ type: 'ack', ref: 'a' });
    world.socket.receive({ type: 'group' }); // somebody else's is no answer
    world.pass(1999);
    equal([beats(), connection.silent], [0, false]);
    world.pass(1);
    equal(beats(), 1);
    world.pass(2500);
    equal(connection.silent, true);
    world.socket.receive({ type: 'heartbeat' }); // the line is alive, the store is slow
    equal(connection.silent, false);
    world.socket.receive({ type: 'ack', ref: 'b' });
    world.pass(20_000);
    equal([beats(), connection.state], [1, 'online']);
  },

  'while the page can be seen, silence is said within 5 s of its beginning'() {
    const { world, connection } = online();
    const beats = () => world.socket.sent.filter((m) => m.type === 'heartbeat').length;
    world.pass(20_000);
    connection.watch(true);
    equal(beats(), 1, 'the line was not looked at for 20 s');
    for (let i = 0; i < 300; i++) {
      world.socket.receive({ type: 'heartbeat' });
      world.pass(2000);
    }
    equal([beats(), connection.silent], [301, false], 'for ten minutes without a key pressed');
    connection.watch(false);
    world.socket.receive({ type: 'heartbeat' });
    world.pass(20_000);
    equal(beats(), 301, 'in the background');
    connection.watch(true);
    world.socket.receive({ type: 'heartbeat' });
    world.pass(4500);
    equal([connection.state, connection.silent], ['online', true]);
  },

  async 'the reason of a refusal is asked for by HTTP'() {
    for (const [answer, reason, words] of [
      [refusal(429, 'too many connections from this address\n'), 'refused', 'too many connections from this address'],
      [refusal(503, 'the server is shutting down'), 'refused', 'the server is shutting down'],
      [refusal(503, '<h1>Busy</h1>', { 'Content-Type': 'text/html' }), 'refused', 'HTTP status 503'],
      [refusal(502, ''), 'proxy', ''],
      [refusal(426, 'Upgrade Required'), 'blocked', ''],
      [refusal(400, 'missing Upgrade header'), 'blocked', ''],
      [refusal(403, ''), 'http', 'HTTP status 403'],
      [() => Promise.reject(new TypeError('failed')), 'unreachable', ''],
    ]) {
      const { world, connection } = connect();
      world.fetch = answer;
      world.socket.end();
      await settle();
      equal([connection.state, connection.reason, connection.words], ['waiting', reason, words]);
      world.pass(500);
      equal([connection.state, connection.reason], ['connecting', reason], 'it stays while one tries again');
      world.socket.open();
      world.socket.receive({ type: 'auth_ok', heartbeat_interval: 30 });
      equal([connection.state, connection.reason, connection.words], ['online', '', '']);
    }
  },

  async 'nobody comes back before the server wants it'() {
    const date = new Date(Date.now() + 20_500).toUTCString();
    for (const [after, least, most] of [['20', 20_000, 25_000], [date, 18_000, 26_000], ['86400', 300_000, 375_000], ['soon', 0, 1000]]) {
      const { world, connection } = connect();
      world.fetch = refusal(503, 'full', { 'Content-Type': 'text/plain', 'Retry-After': after });
      world.socket.end();
      await settle();
      world.pass(least);
      equal([world.sockets.length, connection.state, connection.reason], [1, 'waiting', 'refused'], after);
      world.pass(most - least);
      equal(world.sockets.length > 1, true, after);
    }
    const { world, connection } = connect();
    world.fetch = refusal(503, 'full', { 'Retry-After': '20' });
    world.socket.end();
    await settle();
    connection.retry(); // unless the user asks for it
    equal(connection.state, 'connecting');
  },

  'after a newer token has come, the end of an older one stops nothing'() {
    for (const reason of ['token_expired', 'token_refused']) {
      const { world, connection } = online();
      connection.token = 'newer';
      world.socket.end(1008, reason);
      equal(connection.state, 'waiting');
      world.pass(500);
      world.socket.open();
      equal(world.socket.sent[0].token, 'newer');
      world.socket.end(1008, reason);
      equal([connection.state, connection.reason], ['stopped', reason]);
      connection.later(60_000);
      world.pass(59_999);
      equal([connection.state, connection.reason], ['waiting', reason]);
      world.pass(1);
      equal(connection.state, 'connecting');
    }
  },

  'a session is resumed with its newest key, also after an answer was lost or the tab reloaded'() {
    const storage = new Storage();
    const { world, connection } = connect(storage);
    connection.held = () => ({ positions: { lobby: 'p1' } });
    const proof = ({ token, session_id, resume_key, resume }) => [token, session_id, resume_key, resume.positions.lobby];
    const admit = (n, resumed) => world.socket.receive({ type: 'auth_ok', heartbeat_interval: 30, session_id: 's_1', resume_key: `KEY-${n}`, resumed });
    const again = () => {
      reconnect(world, connection);
      return proof(world.socket.sent[0]);
    };
    world.socket.open();
    equal(proof(world.socket.sent[0]), ['secret', undefined, undefined, 'p1']);
    admit(1, false);
    equal(again(), ['secret', 's_1', 'KEY-1', 'p1']);
    equal(again(), ['secret', 's_1', 'KEY-1', 'p1'], 'without an answer');
    admit(3, true);
    equal(again(), ['secret', 's_1', 'KEY-3', 'p1']);

    const after = connect(storage);
    after.world.socket.open();
    equal([after.world.socket.sent[0].session_id, after.world.socket.sent[0].resume_key], ['s_1', 'KEY-3']);
    equal(new Session(tabMemory(storage), 'u_eve').proof, {}, 'of somebody else');
    equal(Object.keys(storage), ['hawser.session']);
  },

  'a session that was ended stops it, with or without a close frame, and is forgotten'() {
    for (const reason of ['session_ended', 'user_deleted']) {
      for (const code of [1008, 1006]) {
        const { world, connection, heard } = connect();
        world.socket.open();
        world.socket.receive({ type: 'auth_ok', heartbeat_interval: 30, session_id: 's_1', resume_key: 'KEY-1', resumed: false });
        world.socket.receive({ type: 'error', code: 401, reason });
        world.socket.end(code, code === 1008 ? reason : '');
        equal([connection.state, connection.reason, heard.map((m) => m.type)], ['stopped', reason, ['auth_ok']]);
        connection.retry();
        world.socket.open();
        equal([world.socket.sent[0].token, world.socket.sent[0].session_id], ['secret', undefined]);
      }
    }
  },

  'a session ends with the token that it began with, and another one begins'() {
    const { world, connection } = connect();
    const admit = (resumed) => {
      world.socket.receive({ type: 'auth_ok', heartbeat_interval: 30, session_id: 's_1', resume_key: 'KEY', resumed });
    };
    world.socket.open();
    admit(false);
    connection.token = 'newer';
    reconnect(world, connection);
    admit(true);
    reconnect(world, connection, 1008, 'token_expired');
    admit(false);
    world.socket.end(1008, 'token_expired');
    equal(connection.state, 'stopped');
  },

  'stop leaves nothing behind'() {
    const { world, connection } = online();
    connection.stop();
    equal([connection.state, world.socket.closed, world.timers.size], ['stopped', true, 0]);
  },

  'the pacer stays within the allowance and keeps the order'() {
    const world = new World();
    const sent = [];
    const pacer = new Pacer((item) => sent.push(item), world);
    pacer.begin(10, 20);
    const items = Array.from({ length: 60 }, (_, i) => i);
    items.forEach((item) => pacer.push(item));
    equal(sent.length, 18, 'at once');
    world.pass(1000);
    equal(sent.length, 27, 'after one second');
    world.pass(10_000);
    equal(sent, items, 'in the end');
    world.pass(60_000);
    items.forEach((item) => pacer.push(item));
    equal(sent.length, 60 + 18, 'time does not add up to more than a burst');
    pacer.clear();
    world.pass(60_000);
    equal(sent.length, 60 + 18, 'after clear');
  },

  'the pacer does not hold up anything without a limit'() {
    const sent = [];
    const pacer = new Pacer((item) => sent.push(item), new World());
    pacer.begin(0, 0);
    Array.from({ length: 1000 }, (_, i) => pacer.push(i));
    equal(sent.length, 1000);
  },
};
