// The place that is read and the keyboard's focus stay, in engines that anchor scrolling
// themselves and in those that do not. P03

import { equal } from './check.js';
import { message, messages, Stage, unmoved } from './stage.js';

const MOST = 200; // messages in the document, in a window of this height

export default {
  async 'older messages do not move what is read'() {
    const stage = await Stage.open(300, 50);
    stage.late = true;
    await stage.scroll(0);
    while (stage.conversation.first > 1) {
      equal(stage.asked, true,  `before ${stage.conversation.first}`);
      const before = stage.inSight;
      stage.bringOlder();
      unmoved(stage.inSight.slice(-before.length), before, `before ${stage.conversation.first}`);
      await stage.scroll(0);
    }
  },

  async 'the place does not creep in many small steps'() {
    const stage = await Stage.open(500);
    await stage.scroll(stage.log.scrollHeight / 2);
    const row = stage.row(Number(stage.inSight[0].split(' ')[0]));
    const before = row.getBoundingClientRect().top;
    for (let i = 0; i < 100; i++) {
      // Something above becomes higher by a fraction of a pixel.
      stage.list.style.paddingTop = `${i * 0.37}px`;
      stage.timeline.render();
      const moved = row.getBoundingClientRect().top - before;
      equal(Math.abs(moved) <= 1, true, `step ${i}: ${moved} pixels`);
    }
  },

  async 'a reader who has scrolled a little still gets the next messages below'() {
    const stage = await Stage.open(100, 100);
    await stage.scroll(stage.log.scrollHeight - stage.log.clientHeight - 60);
    const before = stage.inSight.slice(0, 3);
    stage.deliver(message(101), message(102));
    unmoved(stage.inSight.slice(0, 3), before);
    equal(stage.seqs.at(-1), 102);
  },

  async 'a gap that is closed where one reads does not move it'() {
    const stage = await Stage.open(300, 300);
    await stage.scroll(stage.log.scrollHeight / 2);
    stage.deliver(message(340, { sender_id: 'u_ada' })); // ours, before others' are here
    const before = stage.inSight;
    stage.conversation.append(messages(301, 339));
    stage.timeline.render();
    unmoved(stage.inSight, before);
    equal(stage.seqs, Array.from(stage.seqs, (_, i) => stage.seqs[0] + i), 'in order');
  },

  async 'the focus stays, and so does its row'() {
    const stage = await Stage.open(300, 300);
    const name = stage.list.querySelector('.message:last-of-type').querySelector('.name') ?? stage.list.querySelector('.name');
    name.focus();
    stage.flood(messages(301, 500));
    stage.flood(messages(501, 800));
    equal(document.activeElement === name && name.isConnected, true, 'at the end, after 500 messages');
    equal([stage.rows.length <= MOST + 1, stage.atEnd, stage.seqs.at(-1)], [true, true, 800]);
    name.click();
    equal(stage.opened.length, 1);
    stage.log.focus();
    stage.deliver(message(801));
    equal([name.isConnected, document.activeElement === stage.log], [false, true]);
  },

  async 'the focus is not lost with its button'() {
    const stage = await Stage.open(5, 5);
    const failed = { ref: 'r1', content: 'Hello', at: Date.now(), state: 'failed', error: 'No' };
    for (const end of [[], [{ ...failed, state: 'sending', error: '' }]]) {
      stage.entries = [failed];
      stage.timeline.render();
      stage.list.querySelector('.retry').focus();
      stage.entries = end;
      stage.timeline.render();
      equal(document.activeElement.id, 'log');
    }
  },

  async 'a change of size leaves the end and the place where they are'() {
    const stage = await Stage.open(300, 300);
    const frames = async () => {
      for (let i = 0; i < 3; i++) {
        await new Promise(requestAnimationFrame);
      }
    };
    const composer = document.getElementById('composer');
    composer.style.height = '200px';
    await frames();
    equal(stage.atEnd, true, 'the end');
    await stage.scroll(stage.log.scrollHeight / 2);
    const [first] = stage.inSight;
    stage.log.style.paddingInline = '150px'; // every row gets higher
    await frames();
    unmoved([stage.inSight[0]], [first], 'the place');
  },
};
