// The messages in the document: how many there are, what a message costs, and that
// nothing moves under a reader. P03

import { equal } from './check.js';
import { message, messages, Stage, unmoved } from './stage.js';

const MOST = 200; // the bound in a window of this height

export default {
  async 'a message goes in by itself, whatever is shown'() {
    for (const held of [10, 200, 600]) {
      const stage = await Stage.open(held, held);
      const inserted = await stage.inserted(() => stage.deliver(...messages(held + 1, held + 10)));
      equal(inserted, 10, `with ${held} messages`);
      equal(stage.rows.length <= MOST, true, `${stage.rows.length} rows with ${held} messages`);
      equal([stage.seqs.at(-1), stage.atEnd], [held + 10, true]);
    }
  },

  async 'a flood goes in once'() {
    const stage = await Stage.open(3000);
    const inserted = await stage.inserted(() => {
      stage.flood(messages(3001, 6000));
    });
    equal([inserted - MOST <= 5, stage.rows.length, stage.seqs.at(-1), stage.atEnd], [true, MOST, 6000, true]);
    equal(stage.conversation.messages.length <= 600, true, 'held at the end');
  },

  async 'what a message costs does not depend on how many are held'() {
    const cost = async (up, more) => {
      const stage = await Stage.open(10_000, 500);
      if (up) {
        await stage.scroll(stage.log.scrollHeight / 2);
        stage.bringOlder(more);
      }
      const begin = performance.now();
      stage.deliver(...messages(10_001, 10_050));
      return performance.now() - begin;
    };
    await cost(false, 0); // the first time, everything is slower
    // Work that grows with what is held takes 20 times as long, each time. Other programs
    // run meanwhile, and make a single measurement mean little.
    let [measured, good] = [[], false];
    for (let attempt = 1; attempt <= 3 && !good; attempt++) {
      const [end, few, many] = [await cost(false, 0), await cost(true, 50), await cost(true, 9500)];
      measured.push(`${end} ms at the end, ${few} ms with 550 messages, ${many} ms with 10,000`);
      good = many < 5 * (few + end) + 20;
    }
    equal(good, true, measured.join('; '));
  },

  async 'one can scroll through everything, there and back'() {
    const stage = await Stage.open(700);
    const seen = new Set(stage.seqs);
    for (let step = 0; stage.seqs[0] > 1 && step < 300; step++) {
      await stage.scroll(0);
      equal(stage.rows.length <= MOST, true);
      equal(stage.inSight.length > 0, true, 'never an empty log');
      stage.seqs.forEach((seq) => seen.add(seq));
    }
    equal([stage.seqs[0], seen.size], [1, 700]);
    equal(stage.seqs, Array.from(stage.seqs, (_, i) => i + 1), 'without a gap');
    for (let step = 0; !stage.atEnd && step < 300; step++) {
      await stage.scroll(stage.log.scrollHeight);
      equal(stage.rows.length <= MOST, true);
    }
    equal([stage.seqs.at(-1), stage.seqs[0]], [700, 701 - stage.rows.length]);
    stage.deliver(message(701));
    equal([stage.seqs.at(-1), stage.atEnd], [701, true], 'and follows again');
  },

  async 'rows that come and go do not move what is read'() {
    const stage = await Stage.open(10_000);
    await stage.scroll(stage.log.scrollHeight / 2);
    stage.bringOlder(9500);
    await stage.scrollTo(9600);
    const before = stage.inSight;
    equal(before.length > 2, true);
    const rows = stage.rows.length;
    const inserted = await stage.inserted(() => {
      for (let first = 10_001; first <= 10_500; first += 10) {
        stage.flood(messages(first, first + 9));
      }
    });
    unmoved(stage.inSight, before, 'messages at the end');
    equal([inserted, stage.rows.length], [0, rows], 'nobody sees them');
    equal(document.getElementById('jump').textContent, '↓ 500 new');
  },

  async 'End goes to the end of the conversation, and so does the button'() {
    const stage = await Stage.open(3000);
    for (const go of [
      () => stage.log.dispatchEvent(new KeyboardEvent('keydown', { key: 'End', bubbles: true, cancelable: true })),
      () => document.getElementById('jump').click(),
    ]) {
      await stage.scrollTo(2700);
      equal([stage.atEnd, document.getElementById('jump').hidden], [false, false]);
      go();
      equal([stage.atEnd, stage.seqs.at(-1), document.getElementById('jump').hidden], [true, 3000, true]);
    }
  },

  async 'a message of ours keeps its element when it has arrived'() {
    const stage = await Stage.open(300, 300);
    stage.entries = [{ ref: 'r1', content: 'Hello', at: Date.now(), state: 'sending', error: '' }];
    stage.timeline.follow();
    stage.timeline.render();
    const row = stage.list.lastElementChild;
    stage.entries = [];
    const inserted = await stage.inserted(() =>
      stage.deliver(message(301, { sender_id: 'u_ada', content: 'Hello', server_ts: Date.now(), metadata: { ref: 'r1' } })));
    equal([inserted, stage.row(301) === row, row.dataset.state], [0, true, 'sent']);
  },

  async 'rows of another conversation are others'() {
    const stage = await Stage.open(3, 3);
    const { conversation } = stage;
    stage.conversation = new conversation.constructor('quay');
    stage.conversation.load([1, 2, 3].map((seq) => message(seq, { sender_id: 'u_eve' })), false);
    stage.timeline.render();
    stage.list.querySelector('.name').click();
    equal(stage.opened, ['u_eve']);
    // The same, after the server has lost its data.
    stage.conversation.reset();
    stage.conversation.load([message(1, { sender_id: 'u_zoe' })], false);
    stage.timeline.render();
    stage.list.querySelector('.name').click();
    equal(stage.opened, ['u_eve', 'u_zoe']);
  },

  async 'what is announced is new, from others, and bounded'() {
    const stage = await Stage.open(300, 300);
    const said = () => [...document.getElementById('announcements').children].map((line) => line.textContent);
    equal([document.getElementById('log').ariaLive, said()], ['off', []]);
    await stage.scroll(0);
    await stage.scroll(stage.log.scrollHeight);
    equal(said(), [], 'rows that come back');
    stage.client.names.set('u_bob', 'Bob');
    stage.deliver(message(301, { sender_id: 'u_bob', content: 'Hello' }), message(302, { sender_id: 'u_ada' }));
    equal(said(), ['Bob: Hello']);
    stage.flood(messages(303, 800));
    stage.flood(messages(801, 1300));
    equal(said().length <= 6, true, `${said().length} lines for 1,000 messages`);
  },
};
