// What is wrong with the connection, in words.

import { words as said } from '../chat/refused.js';

const KEPT = 'What you write is kept, and sent later.';

// trouble says it of a client that is not online, or not sure of it. wasOnline tells
// whether it ever was.
export function trouble({ state, reason, words, silent }, wasOnline) {
  if (state === 'stopped') {
    return ended(reason);
  }
  if (navigator.onLine === false) {
    return `This device is offline. ${KEPT}`;
  }
  if (silent) {
    return `The server does not answer. ${KEPT}`;
  }
  return `${cause(reason, words, wasOnline)} ${KEPT}`;
}

function cause(reason, words, wasOnline) {
  switch (reason) {
    case '':
      return wasOnline ? 'The connection is lost.' : 'There is no connection.';
    case 'silent':
      return 'The server does not answer.';
    case 'unreachable':
      return 'The server cannot be reached.';
    case 'refused':
      return `The server refuses connections at the moment${words ? `: ${words}` : ''}.`;
    case 'proxy':
      return 'The proxy in front of the server does not reach it.';
    case 'blocked':
      // A browser does not tell a page more.
      return `The server is there, but WebSocket connections to it do not come about. Something on the way may not let them pass, or the server may not allow the origin ${location.origin}.`;
    case 'http':
      return `The server does not take connections here: it answered with ${words}.`;
  }
  return ended(reason);
}

function ended(reason) {
  return said({ reason, message: `The server ended the connection: ${reason.replaceAll('_', ' ')}` });
}
