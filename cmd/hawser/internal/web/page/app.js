// The page: become somebody, then chat.

import { Address } from './address.js';
import { Client, FEATURES } from './chat/client.js';
import { Connection } from './chat/connection.js';
import { isRoom } from './chat/conversation.js';
import { deviceName } from './chat/device.js';
import { Identity } from './chat/identity.js';
import { Memory } from './chat/memory.js';
import { unsent } from './chat/outbox.js';
import { words } from './chat/refused.js';
import { Session } from './chat/session.js';
import { Tabs } from './chat/tabs.js';
import { Chat } from './view/chat.js';
import { Profile } from './view/profile.js';
import { SignIn } from './view/signin.js';
import { count } from './view/text.js';

const UNKNOWN = new Set(['token_refused', 'token_expired']); // reasons
const ENDED = new Set(['session_ended', 'user_deleted']); // likewise
const ASK_AGAIN = 60_000; // milliseconds after which a server that does not know us is asked again
const RENEW_EVERY = 3600_000; // how often it is looked whether the token is to be renewed

// What is kept is told apart by the path: there may be other servers on this host.
const prefix = `hawser${new URL('.', location.href).pathname.slice(0, -1)}.`;
const browser = new Memory(() => localStorage, prefix);
const tab = new Memory(() => sessionStorage, prefix);
const tabs = new Tabs(navigator.locks, prefix);

const identity = new Identity(browser, tabs);
const address = new Address(visit);
const signIn = new SignIn({ enter: (name) => identity.create(name), again: () => connection.retry() });

let client = null; // once one is somebody
let connection;
let view;
let renewing = false;
let leaving = false;

function main() {
  const start = document.getElementById('start');
  start.hidden = start.dataset.failed === undefined;
  identity.onchange = identityChanged;
  browser.watch(window, (key, value) => {
    identity.stored(key, value);
    client?.stored(key, value);
  });
  if (identity.current) {
    chat();
  } else {
    signIn.show({ name: '', room: address.room || 'lobby', remembers: browser.lasting });
  }
}

// chat begins as the user that one is. room is what was chosen with the name.
function chat(room = '') {
  const url = new URL('ws', location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  const { token, user_id } = identity.current;
  const session = new Session(tab, user_id);
  connection = new Connection({ url: url.href, token, features: FEATURES, session, device: deviceName(navigator) });
  client = new Client({ me: identity.current, connection, memory: browser, tab, tabs });
  visit(room || address.id);
  connection.watch(document.visibilityState === 'visible');
  connection.retry();
  const profile = new Profile({
    current: () => client.me.name,
    rename: (name) => identity.rename(name),
    sessions: { load: () => client.sessions(), end: (id) => client.logOut(id) },
    unsent: () => unsent(browser),
    signOut,
    logOutEverywhere,
  });
  view = new Chat(client, { reconnect: () => connection.retry(), openProfile: () => profile.open() });
  client.onname = (name) => identity.named(name);
  client.onexpiry = () => identity.renew().catch(() => {}); // without it one is asked at the end
  client.onchange = clientChanged;
  clientChanged();
  listen();
  renewIfDue();
  setInterval(renewIfDue, RENEW_EVERY);
}

function listen() {
  addEventListener('online', () => connection.probe());
  addEventListener('offline', () => connection.state === 'online' && connection.probe());
  document.addEventListener('visibilitychange', () => {
    const seen = document.visibilityState === 'visible';
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
  if (connection.state === 'online' && signIn.visible) {
    signIn.hide();
    document.getElementById('app').hidden = false;
  }
  if (connection.state === 'stopped' && UNKNOWN.has(connection.reason) && !renewing && !leaving) {
    renew(connection.reason);
  } else if (connection.state === 'stopped' && ENDED.has(connection.reason) && !leaving) {
    askForName(connection.reason);
  }
  // A page that may ask is kept out of some browsers' memory for Back: ask only if needed.
  (client.unsent > 0 && !leaving ? addEventListener : removeEventListener)('beforeunload', askToStay);
}

function askToStay(event) {
  event.preventDefault();
}

// showAddress names the conversation in the address. That of a room that was left is not
// what Back leads to.
let shown = null;
function showAddress() {
  const { current, conversations } = client;
  const left = shown !== null && !conversations.get(shown.id);
  address.show(current?.id ?? '', { replace: left });
  shown = current;
}

// visit shows the conversation with a room or user.
function visit(id) {
  if (!client) {
    signIn.room = isRoom(id) ? id : signIn.room;
  } else if (id && id !== client.current?.id) {
    isRoom(id) ? client.enter(id) : client.openPerson(id);
  } else if (id && isRoom(id) && !client.current.joined && !client.current.joining) {
    client.enter(id);
  }
}

// renew asks for a new token after the server has refused ours. It may be wrong about
// that, as with a wrong clock, so nothing is forgotten. If it insists, the user is asked
// to be somebody else, and it is asked again from time to time.
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
  identity.renewIfDue().catch(() => {}); // it is tried again before it is too late
}

// askForName hides the chat, and shows why, what may help, and how to be somebody new.
let asked = ''; // the reason for which that was done last
function askForName(reason) {
  if (signIn.visible && reason === asked) {
    return;
  }
  asked = reason;
  const waiting = unsent(browser);
  const lost = waiting > 0 ? ` Then ${count(waiting, 'message that was not sent is', 'messages that were not sent are')} lost.` : '';
  document.getElementById('app').hidden = true;
  const room = client.current?.isRoom ? client.current.id : 'lobby';
  signIn.show({
    name: client.me.name, room, remembers: browser.lasting,
    problem: `${why(reason)} Try again, or choose a name, and be somebody new.${lost}`,
  });
}

function why(reason) {
  switch (reason) {
    case 'token_expired':
      return 'It has been too long.';
    case 'token_refused':
      return 'This server does not know you (any more).';
  }
  return words({ reason });
}

function signOut() {
  identity.forget();
  restart();
}

async function logOutEverywhere() {
  leaving = true; // what the server says of the end is no surprise
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

// restart begins anew as somebody else, or nobody.
function restart() {
  leaving = true;
  removeEventListener('beforeunload', askToStay);
  connection.send({ type: 'logout' }); // if it can; otherwise the session ends in a while
  connection.stop();
  tab.clear();
  location.reload();
}

main();
