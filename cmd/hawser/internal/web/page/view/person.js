// How a person is shown: a name as they chose it, which may hold anything, and what the
// page adds to it. The name is isolated from the rest, cannot leave its box, and does
// not push the addition out of sight.

import { el, setText } from './dom.js';
import { hue, initial } from './text.js';

// nameElement makes an element for a name.
export function nameElement(tag, properties) {
  return el(tag, properties, el('bdi', { class: 'who' }), el('span', { class: 'tag' }));
}

// setName shows a name, as Names.parts returns it.
export function setName(node, { name, tag }) {
  setText(node.firstElementChild, name);
  setText(node.lastElementChild, tag && ` ${tag}`);
}

// avatarElement makes the disc with the first letter of a name.
export function avatarElement(id, size = '') {
  const properties = { class: `avatar ${size}`.trim(), 'aria-hidden': 'true', 'data-hue': hue(id) };
  return el('span', properties, el('span', { class: 'initial' }));
}

export function setAvatar(node, { name, online = false }) {
  setText(node.firstElementChild, initial(name));
  node.classList.toggle('online', online === true);
}
