// The elements of the rows that rowsOf returns.

import { el, setAttribute, setText } from './dom.js';
import { avatarElement, nameElement, setAvatar, setName } from './person.js';
import { formatFull, formatTime } from './text.js';

// makeRow makes an element; updateRow fills it. actions are openPerson(id), retry(ref)
// and discard(ref).
export function makeRow(row, actions) {
  if (row.kind === 'day') {
    return el('li', { class: 'day', 'data-day': row.key }, el('span', {}));
  }
  const body = el('p', { class: 'body', dir: 'auto' });
  const time = el('time', { class: 'time' });
  const bubble = el('div', { class: 'bubble' }, body, time);
  const header = el('div', { class: 'sender' });
  if (row.mine) {
    header.append('You:');
  } else {
    const open = () => actions.openPerson(row.sender);
    header.append(avatarElement(row.sender), nameElement('button', { type: 'button', class: 'name', onclick: open }));
  }
  return el('li', { class: 'message' }, header, bubble);
}

export function updateRow(node, row, actions) {
  if (row.kind === 'day') {
    setText(node.firstElementChild, row.label);
    return;
  }
  setAttribute(node, 'data-key', row.key);
  setAttribute(node, 'data-seq', row.seq ?? null);
  setAttribute(node, 'data-state', row.state);
  node.classList.toggle('mine', row.mine);
  node.classList.toggle('first', row.first);
  updateSender(node.querySelector('.sender'), row);
  setText(node.querySelector('.body'), row.content);
  updateTime(node.querySelector('.time'), row.at);
  updateDelivery(node, row, actions);
}

function updateTime(time, at) {
  const iso = new Date(at).toISOString();
  if (time.dateTime !== iso) {
    time.dateTime = iso;
    time.title = formatFull(at);
    setText(time, formatTime(at));
  }
}

function updateSender(header, row) {
  // Rows that go on with the same sender show no name, but still say it.
  const seen = row.first && !row.mine;
  setAttribute(header, 'class', seen ? 'sender' : 'sender visually-hidden');
  if (row.mine) {
    return;
  }
  const [avatar, button] = header.children;
  setAvatar(avatar, row);
  setName(button, row);
  setAttribute(button, 'aria-label', `${row.fullName}, write privately`);
  setAttribute(button, 'tabindex', row.first ? null : -1);
}

// updateDelivery shows whether a message of ours has arrived.
function updateDelivery(node, row, actions) {
  let delivery = node.querySelector('.delivery');
  if (row.state === 'sent') {
    delivery?.remove();
    return;
  }
  if (!delivery) {
    delivery = el('div', { class: 'delivery' });
    node.append(delivery);
  }
  if (delivery.dataset.state !== row.state) {
    delivery.dataset.state = row.state;
    delivery.replaceChildren(...deliveryParts(row, actions));
  }
  const [problem, hint] = delivery.querySelectorAll('.problem, .next');
  setText(problem, row.problem || 'Sending…');
  setText(hint, row.hint);
  delivery.querySelector('.discard').hidden = !row.discardable;
}

function deliveryParts(row, actions) {
  const button = (name, label, act) =>
    el('button', { type: 'button', class: `link ${name}`, onclick: () => act(row.ref) }, label);
  const problem = el('bdi', { class: 'problem' });
  const next = el('span', { class: 'next' });
  const discard = button('discard', 'Discard', actions.discard);
  if (row.state === 'sending') {
    return [problem, ' ', next, ' ', discard];
  }
  const alert = el('span', { role: 'alert' }, 'Not sent: ', problem);
  return [alert, ' ', next, ' ', button('retry', 'Retry', actions.retry), ' ', discard];
}
