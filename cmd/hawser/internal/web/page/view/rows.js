// What stands below each other in a conversation: days, messages, and those of ours
// that are still on their way.

import { dayKey, formatDay } from './text.js';

const TOGETHER = 5 * 60_000; // messages of one sender within so many milliseconds

// rowsOf returns rows of two kinds, each with a key of its own:
//   { kind: 'day', key, label }
//   { kind: 'message', key, sender, mine, first, content, at, state, seq, ref, error }
// where first begins a group of messages of one sender, and state is 'sent',
// 'sending' or 'failed'.
export function rowsOf(conversation, pending, me) {
  const rows = [];
  const keys = new Set();
  let previous = null;
  const add = (row) => {
    if (!previous || dayKey(previous.at) !== dayKey(row.at)) {
      rows.push({ kind: 'day', key: `day ${dayKey(row.at)} ${row.key}`, label: formatDay(row.at) });
      previous = null;
    }
    row.first = !previous || previous.sender !== row.sender || row.at - previous.at > TOGETHER;
    keys.add(row.key);
    rows.push(row);
    previous = row;
  };
  for (const { seq, sender_id, content, server_ts, metadata } of conversation.messages) {
    const mine = sender_id === me;
    // A message of ours keeps the key, and so the element, that it had while pending.
    let key = mine && metadata?.ref ? `ref ${metadata.ref}` : `seq ${seq}`;
    if (keys.has(key)) {
      key = `seq ${seq}`;
    }
    add({ kind: 'message', key, sender: sender_id, mine, content, at: server_ts, state: 'sent', seq });
  }
  for (const { ref, content, at, state, error } of pending) {
    const key = `ref ${ref}`;
    if (!keys.has(key)) {
      add({ kind: 'message', key, sender: me, mine: true, content, at, state, ref, error });
    }
  }
  return rows;
}
