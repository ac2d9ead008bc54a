// What stands below each other in a conversation: days, messages, and those of ours
// that are still on their way.

import { again, words } from '../chat/refused.js';
import { dayKey, formatDay } from './text.js';

const TOGETHER = 5 * 60_000; // messages of one sender within so many milliseconds

export const keyOf = (message) => `seq ${message.seq}`;
export const pendingKey = (entry) => `ref ${entry.ref}`;

// rowsOf returns rows of two kinds, each with a key of its own:
//   { kind: 'day', key, formerKey, label }
//   { kind: 'message', key, formerKey, sender, mine, first, content, at, state, seq, ref, problem, hint, discardable }
// where first begins a group of messages of one sender, and state is 'sent',
// 'sending' or 'failed', problem says what is in its way and hint what happens next. discardable
// is what the server does not have, for all that is known. A message of ours has as formerKey the key that it had while it
// was pending.
//
// They are those from one place to another in the messages of a conversation, followed
// by pending. A row is the same wherever its part begins: what stands before the part
// decides whether its first row begins a day and a group.
export function rowsOf({ messages, pending, me, from = 0, to = messages.length + pending.length }) {
  const rows = [];
  const refs = new Set(); // of our own that have arrived
  let previous = from > 0 ? rowAt(from - 1) : null;
  for (let place = from; place < to; place++) {
    const row = rowAt(place);
    if (row.state !== 'sent' && refs.has(row.key)) {
      continue; // it has arrived already
    }
    if (row.formerKey) {
      refs.add(row.formerKey);
    }
    add(row);
  }
  return rows;

  function rowAt(place) {
    const { length } = messages;
    return place < length ? sent(messages[place], me) : unsent(pending[place - length], me);
  }

  function add(row) {
    const sameDay = previous && dayKey(previous.at) === dayKey(row.at);
    if (!sameDay) {
      const formerKey = row.formerKey && `day ${row.formerKey}`;
      rows.push({ kind: 'day', key: `day ${row.key}`, formerKey, label: formatDay(row.at) });
    }
    row.first = !sameDay || previous.sender !== row.sender || row.at - previous.at > TOGETHER;
    rows.push(row);
    previous = row;
  }
}

function sent(message, me) {
  const { sender_id: sender, content, server_ts: at, metadata, seq } = message;
  const mine = sender === me;
  const formerKey = mine && metadata?.ref ? pendingKey(metadata) : undefined;
  return { kind: 'message', key: keyOf(message), formerKey, sender, mine, content, at, state: 'sent', seq };
}

function unsent(entry, me) {
  const { content, at, state, ref } = entry;
  return { kind: 'message', key: pendingKey(entry), sender: me, mine: true, content, at, state, ref, ...obstacle(entry) };
}

function obstacle({ state, error, until, waiting }) {
  if (state === 'failed') {
    return { problem: error, hint: until ? again(until - Date.now()) : '', discardable: true };
  }
  if (waiting) {
    const discardable = waiting !== 'outcome_unknown';
    return { problem: words({ reason: waiting }), hint: 'It is sent again by itself.', discardable };
  }
  return { problem: '', hint: '', discardable: false };
}
