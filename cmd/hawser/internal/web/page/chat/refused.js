// What the server refuses: whether that is for now or for good, and what to say of it.

// Reasons that pass by themselves. After outcome_unknown the message may have been
// stored all the same; sent again with its ref, it is there once.
const PASSING = new Set(['outcome_unknown', 'store_unavailable', 'overloaded', 'shutting_down']);

const SHORT = 15_000; // milliseconds that the page waits by itself when there is too much of something
const PAUSE = 1000; // and how long, if the server does not say

const WORDS = {
  outcome_unknown: 'The server does not know yet whether it has stored this.',
  store_unavailable: 'The server cannot store or read messages at the moment.',
  overloaded: 'The server has too much to do at the moment.',
  shutting_down: 'The server is about to stop.',
  rate_limited: 'You, or others at your network address, are sending too much at once.',
  room_busy: 'More is said in this room than the server lets through.',
  too_many_connections: 'You are connected too often, from other tabs or devices.',
  quota_exceeded: 'You, or others at your network address, have sent as much as this server stores in a day.',
  too_many_new_rooms: 'You, or others at your network address, have made as many rooms as this server allows for now.',
  banned: 'You may not take part here (any more): this server has banned you.',
  session_ended: 'You were logged out here, from another tab or device.',
  session_refused: 'The server does not know this session (any more).',
  user_deleted: 'The server has deleted this user.',
  too_many_rooms: 'You are in as many rooms as this server allows. Leave one first.',
};

// pause returns after how many milliseconds the same may be sent again without asking
// the user: 0 if the server does not say, null if it is not for the page to decide.
export function pause({ code, reason, retry_after_ms: wait }) {
  if (PASSING.has(reason)) {
    return wait > 0 ? wait : 0;
  }
  if (code === 429 && (wait > 0 || reason === 'rate_limited')) {
    return wait > SHORT ? null : wait > 0 ? wait : PAUSE;
  }
  return null;
}

// words is a sentence for people. message, the server's own, is for reasons that the page
// does not know.
export function words({ reason, message }) {
  return WORDS[reason] ?? (sentence(message || reason) || 'The server refused this.');
}

// sentence is text of the server's, which says it without a capital letter and full stop.
// A proxy may have put anything in its place.
export function sentence(text) {
  if (typeof text !== 'string') {
    return '';
  }
  const [first = '', ...rest] = text;
  return first.toUpperCase() + rest.join('') + (/[\p{L}\p{N}]$/u.test(text) ? '.' : '');
}

// again is a sentence about when to try again, in milliseconds from now; '' if nobody
// has said.
export function again(wait) {
  if (!(wait > -Infinity)) {
    return '';
  }
  return wait <= 0 ? 'You can try again now.' : `Try again in ${inWords(wait)}.`;
}

// inWords is a time as people say it, never shorter than it is.
export function inWords(milliseconds) {
  const seconds = Math.ceil(milliseconds / 1000);
  for (const [unit, length] of [['day', 86_400], ['hour', 3600], ['minute', 60]]) {
    if (seconds > 1.5 * length) {
      return `about ${Math.ceil(seconds / length)} ${unit}s`;
    }
    if (seconds >= length) {
      return `about ${unit === 'hour' ? 'an' : 'a'} ${unit}`;
    }
  }
  return `${seconds} ${seconds === 1 ? 'second' : 'seconds'}`;
}
