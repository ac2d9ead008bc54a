import { Backoff } from '/chat/backoff.js';
import { Connection } from '/chat/connection.js';
import { Pacer } from '/chat/pacer.js';
import { equal, World } from './check.js';

function connect() {
  const world = new World();
  const connection = new Connection({
    url: 'ws://here/ws', token: 'secret', features: ['ack'],
    backoff: new Backoff({ random: () => 1 }), world,
  });
  const heard = [];
  connection.onready = (message) => heard.push(message);
  connection.onmessage = (message) => heard.push(message);
  connection.retry();
  return { world, connection, heard };
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
    equal(world.socket.sent, [{ type: 'auth', token: 'secret', features: ['ack'] }]);
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
