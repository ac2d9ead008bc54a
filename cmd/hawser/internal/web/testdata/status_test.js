// What the page says of messages that wait, of people and of the connection.

import { nameProblem } from '/chat/names.js';
import { Chat } from '/view/chat.js';
import { trouble } from '/view/trouble.js';
import { equal } from './check.js';
import { furnish } from './stage.js';
import { Table } from './table.js';

const one = (selector) => document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];
const frame = () => new Promise((resolve) => setTimeout(() => requestAnimationFrame(resolve), 120));

let last = { client: {} };

// open shows the page of somebody who is in a room.
async function open() {
  last.client.onchange = () => {}; // the page that was there before is gone
  await furnish();
  const t = new Table();
  await t.enter(1);
  const chat = new Chat(t.client, { reconnect() {}, openProfile() {} });
  t.client.onchange = () => chat.render();
  last = t;
  return t;
}

export default {
  async 'a message that waits says why, and can be discarded'() {
    const t = await open();
    t.client.send(t.client.current, 'x');
    const sent = t.take('group');
    await frame();
    equal(one('.delivery').innerText.trim(), 'Sending…');
    t.refuse(sent, 'outcome_unknown');
    await frame();
    equal(one('.delivery').innerText.trim(), 'The server does not know yet whether it has stored this. It is sent again by itself.');
    t.world.pass(1000);
    t.refuse(t.take('group'), 'overloaded');
    await frame();
    equal([one('.delivery .problem').textContent, one('.discard').hidden], ['The server has too much to do at the moment.', false]);
    one('.discard').click();
    await frame();
    equal([all('.delivery').length, t.client.unsent], [0, 0]);
  },

  async 'the keyboard stays where it is while the time until one can try again passes'() {
    const t = await open();
    const refuse = (ref, retry_after_ms) => t.refuse({ ref }, 'quota_exceeded', { code: 429, retry_after_ms });
    t.client.send(t.client.current, 'x');
    const { ref } = t.take('group');
    refuse(ref, 7200_000);
    await frame();
    one('.retry').focus();
    const alert = one('[role=alert].delivery, .delivery [role=alert]').textContent;
    refuse(ref, 3600_000);
    await frame();
    equal([one('.next').textContent, document.activeElement === one('.retry')], ['Try again in about an hour.', true]);
    equal(one('.delivery [role=alert]').textContent, alert, 'nothing to be read aloud again');
    one('.retry').click();
    await frame();
    equal([one('.delivery').innerText.trim(), document.activeElement.id], ['Sending…', 'log']);
  },

  async 'a room with more people than the server names says so'() {
    const t = await open();
    t.client.select(t.client.current);
    t.client.current.members = null;
    t.client.select(t.client.current);
    await t.answer('presence', { users: [{ user_id: 'u_a', name: 'A' }, { user_id: 'u_b', name: 'B' }], has_more: true });
    await frame();
    equal([one('#subtitle').textContent, one('#members-count').textContent, one('#members-status').textContent],
      ['2+ people here', '2+', 'There are more people here than can be listed.']);
  },

  async 'a link to nobody leaves nothing behind'() {
    const t = await open();
    const room = t.client.current;
    t.client.openPerson('u_nobody');
    const question = t.take('history');
    t.refuse(question, 'unknown_user', { code: 404, message: 'there is no such user' });
    await frame();
    equal([one('#log-status bdi').textContent, all('#people li').length], ['There is no such user.', 1]);
    t.client.select(room);
    await frame();
    equal(all('#people li').length, 0);
    t.client.send(t.client.conversations.open('u_late'), 'x');
    await frame();
    equal(all('#people li').map((e) => e.dataset.id), ['u_late'], 'whom one has written to');
  },

  async 'a message does no work for the other rooms'() {
    const t = await open();
    let read = 0;
    const room = (i) => ({ receiver_id: `r${i}`, get online() {
      read++;
      return 1;
    } });
    t.client.directory.rooms = Array.from({ length: 300 }, (_, i) => room(i));
    t.client.onchange();
    await frame();
    equal(all('#other-rooms li').length, 300);
    read = 0;
    t.client.onchange();
    await frame();
    equal(read, 0);
    t.client.conversations.open('r7');
    t.client.onchange();
    await frame();
    equal([all('#other-rooms li').length, read > 0], [299, true], 'after one was joined');
  },

  async 'a field takes what is pasted, and says what is too long'() {
    await furnish();
    equal(all('[maxlength]').map((e) => e.id), [], 'fields that would cut it');
    equal(['', '  ', 'Ada', ` ${'é'.repeat(32)} `, 'a   '.repeat(16), '😀'.repeat(32)].map(nameProblem),
      ['Choose a name.', 'Choose a name.', '', '', '', '']);
    equal(nameProblem('x'.repeat(5000)), 'A name has at most 32 characters, and this one has 5000.');
  },

  'why the server ended the connection is said in plain words'() {
    const said = (reason, state = 'stopped') => trouble({ state, reason, words: '', silent: false }, true);
    equal(said('banned'), 'You may not take part here (any more): this server has banned you.');
    equal(said('too_many_errors'), 'The server ended the connection: too many errors.');
    equal(said('store_unavailable', 'waiting'), 'The server cannot store or read messages at the moment. What you write is kept, and sent later.');
  },
};
