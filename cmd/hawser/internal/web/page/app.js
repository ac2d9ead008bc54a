// The page: become somebody, then chat.

import { Client, FEATURES } from './chat/client.js';
import { Connection } from './chat/connection.js';
import { Memory } from './chat/memory.js';
import { roomProblem } from './chat/names.js';
import { Chat } from './view/chat.js';
import { signIn } from './view/signin.js';

const tab = new Memory(() => sessionStorage);
const browser = new Memory(() => localStorage);

const SIGNED_OUT = {
  token_refused: 'This server does not know you (any more). Choose a name again.',
  token_expired: 'It has been too long. Choose a name again.',
};

function chat(identity, room) {
  const connection = new Connection({
    url: `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}/ws`,
    token: identity.token,
    features: FEATURES,
  });
  const client = new Client({ me: identity, connection, memory: tab });
  if (room) {
    client.enter(room);
  }
  connection.retry();
  const view = new Chat(client, {
    reconnect: () => connection.retry(),
    signOut: () => {
      connection.stop();
      become('');
    },
  });
  client.onchange = () => {
    view.render();
    if (connection.state === 'stopped' && SIGNED_OUT[connection.reason]) {
      become(connection.reason);
    }
  };

  addEventListener('online', () => connection.probe());
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') {
      connection.probe();
      client.refreshRooms();
      view.render();
    }
  });
}

// become starts from the beginning, without an identity. reason says why.
function become(reason) {
  tab.clear();
  tab.save('signed-out', reason);
  location.reload();
}

async function main() {
  const identity = tab.load('identity');
  if (identity) {
    chat(identity, roomOfAddress());
    return;
  }
  const chosen = await signIn({
    name: browser.load('name') ?? '',
    room: roomOfAddress() || 'lobby',
    problem: SIGNED_OUT[tab.load('signed-out')],
  });
  tab.clear();
  tab.save('identity', chosen.identity);
  browser.save('name', chosen.identity.name);
  chat(chosen.identity, chosen.room);
}

// roomOfAddress takes from the address the room that a link such as /#lobby names,
// or ''. It must not bring one back there at every reload.
function roomOfAddress() {
  const name = location.hash.slice(1);
  history.replaceState(null, '', location.pathname);
  return roomProblem(name) ? '' : name;
}

main();
