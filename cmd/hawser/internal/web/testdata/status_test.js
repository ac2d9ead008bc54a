// What the page says of messages that wait, of people and of the connection.

import { deviceName } from '/chat/device.js';
import { nameProblem } from '/chat/names.js';
import { Chat } from '/view/chat.js';
import { Profile } from '/view/profile.js';
import { trouble } from '/view/trouble.js';
import { equal, settle } from './check.js';
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

  async 'the sessions are listed, each can be ended, and all of them at once'() {
    const t = await open();
    const all = [
      { session_id: 's_1', device: 'Firefox on Linux', address: '127.0.0.1', began: 1, seen: Date.now(), connections: 1, current: true },
      { session_id: 's_2', device: '<b>', address: '::1', began: 1, seen: Date.now(), connections: 1, current: false },
      { session_id: 's_3', device: '', address: '', began: 1, seen: Date.now(), connections: 0, current: false },
    ];
    let over = 0;
    const profile = new Profile({
      current: () => 'Ada', rename() {}, unsent: () => 0, signOut() {},
      sessions: { load: () => t.client.sessions(), end: (id) => t.client.logOut(id) },
      logOutEverywhere: async () => {
        await t.client.logOutEverywhere();
        over++;
      },
    });
    const shown = () => [...document.querySelectorAll('#sessions li')].map((e) => e.innerText.replaceAll(/\s+/g, ' ').trim());
    profile.open();
    await t.answer('sessions', { sessions: all });
    const [mine, other, idle] = shown();
    equal([mine, other], ['Firefox on Linux 127.0.0.1, connected now This tab', '<b> ::1, connected now Log out']);
    equal([idle.startsWith('Unknown device last seen: Today, '), one('#sessions-status').textContent], [true, '']);

    one('#sessions li[data-id=s_2] button').click();
    equal((await t.answer('logout', { type: 'ack', op: 'logout', sessions: 1 })).session_id, 's_2');
    await t.answer('sessions', { sessions: [all[0], all[2]] });
    one('#sessions li[data-id=s_3] button').click();
    await t.answer('logout', { type: 'error', code: 404, reason: 'unknown_session', message: 'no such session' });
    await t.answer('sessions', { sessions: [all[0]] });
    equal([shown().length, one('#sessions-status').textContent], [1, '']);

    one('#logout-all').click();
    one('#signout-confirm').click();
    await t.answer('logout', { type: 'error', code: 503, reason: 'store_unavailable', message: 'No' });
    equal([over, one('#signout-error').textContent], [0, 'The server cannot store or read messages at the moment.']);
    one('#signout-confirm').click();
    equal(t.take('logout').all, true);
    t.reason = 'session_ended'; // before the answer
    t.lose();
    await settle();
    equal(over, 1);
    profile.open();
    await settle();
    equal([shown(), one('#sessions-status').textContent], [[], 'There is no connection to the server right now.']);
  },

  'a device has a short name'() {
    for (const [userAgent, name, maxTouchPoints] of [
      ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox on Linux'],
      ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0', 'Edge on Windows'],
      ['Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36', 'Chrome on Android'],
      ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/138.0.0.0 Safari/537.36', 'Chrome on Linux'],
      ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/138.0 Mobile/15E148 Safari/604.1', 'Chrome on iPhone'],
      ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15', 'Safari on macOS'],
      ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15', 'Safari on iPad', 5],
      ['x'.repeat(5000), 'Browser'],
    ]) {
      equal(deviceName({ userAgent, maxTouchPoints }), name);
    }
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
    equal(said('session_ended'), 'You were logged out here, from another tab or device.');
    equal(said('session_refused'), 'The server does not know this session (any more).');
    equal(said('user_deleted'), 'The server has deleted this user.');
    equal(said('too_many_errors'), 'The server ended the connection: too many errors.');
    equal(said('store_unavailable', 'waiting'), 'The server cannot store or read messages at the moment. What you write is kept, and sent later.');
  },
};
