// Making and updating elements. Text gets into the page in one way only, as text.

// el makes an element. A property beginning with "on" is a listener, "class", "role",
// "for" and whatever has a dash is an attribute; children are nodes or strings.
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith('on')) {
      node.addEventListener(name.slice(2), value);
    } else if (name.includes('-') || ['class', 'role', 'for'].includes(name)) {
      node.setAttribute(name, value);
    } else {
      node[name] = value;
    }
  }
  node.append(...children);
  return node;
}

// setText changes a node's text if it is another one. Screen readers take notice of
// every change, even of one to the same text.
export function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

// setAttribute likewise; a value of null or false removes it.
export function setAttribute(node, name, value) {
  if (value === null || value === false) {
    node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) {
    node.setAttribute(name, value);
  }
}

// composes says whether a key belongs to an input method that is composing text, such
// as the Enter that accepts a Japanese word. Chromium and Firefox send that key before
// the composition ends and set isComposing. Safari sends it afterwards, when only the
// key code tells: 229 is the one that UI Events gives to keys an input method handled.
export function composes(event) {
  return event.isComposing || event.keyCode === 229;
}

// List keeps the children of an element in step with a list of items, and touches only
// what has changed. An item's element stays as long as its key does, so that focus and
// scroll position stay, too.
export class List {
  #parent;
  #make;
  #update;
  #refocus;
  #entries = new Map(); // key → { node, item }

  // make returns an element for an item, update(element, item) brings it up to date. It
  // is called when a field of the item has another value than before. refocus(place) is
  // called when the child at that place had the focus and is gone.
  constructor(parent, make, update, refocus = (place) => focusNear(parent, place)) {
    this.#parent = parent;
    this.#make = make;
    this.#update = update;
    this.#refocus = refocus;
  }

  // item returns what a child of the element shows.
  item(node) {
    for (const entry of this.#entries.values()) {
      if (entry.node === node) {
        return entry.item;
      }
    }
    return undefined;
  }

  // show takes items that have a key each, which is unique among them. An item may name
  // a formerKey: under that key it was shown before it got its present one.
  show(items) {
    const active = this.#parent.contains(document.activeElement) ? document.activeElement : null;
    const place = active && [...this.#parent.children].findIndex((child) => child.contains(active));
    const gone = this.#match(items);
    // What goes must go first. It would be in the way of all that stays.
    gone.forEach(({ node }) => node.remove());
    this.#arrange();
    if (active && document.activeElement !== active) {
      if (active.isConnected) {
        active.focus({ preventScroll: true }); // it was moved
      } else {
        this.#refocus(place);
      }
    }
  }

  // match finds or makes an entry for each item, and returns those without an item.
  #match(items) {
    const before = this.#entries;
    this.#entries = new Map();
    for (const item of items) {
      const key = before.has(item.key) ? item.key : item.formerKey;
      const { node, item: old } = before.get(key) ?? { node: this.#make(item), item: {} };
      before.delete(key);
      if (differ(old, item)) {
        this.#update(node, item);
      }
      this.#entries.set(item.key, { node, item });
    }
    return before;
  }

  #arrange() {
    let place = this.#parent.firstElementChild;
    for (const { node } of this.#entries.values()) {
      if (place !== node && place?.nextElementSibling === node) {
        this.#parent.append(place); // one has moved down: the others stay
        place = node;
      }
      if (place === node) {
        place = node.nextElementSibling;
      } else {
        this.#parent.insertBefore(node, place);
      }
    }
  }
}

function differ(a, b) {
  for (const field in b) {
    if (a[field] !== b[field]) {
      return true;
    }
  }
  return Object.keys(a).length !== Object.keys(b).length;
}

// focusNear gives the focus to the nearest button that is left, so that the keyboard
// goes on from there, or to the list itself if it has none.
function focusNear(parent, place) {
  const children = [...parent.children];
  const near = [...children.slice(place), ...children.slice(0, place).reverse()];
  const button = near.map((child) => child.querySelector('button')).find(Boolean);
  if (!button) {
    parent.tabIndex = -1;
  }
  (button ?? parent).focus({ preventScroll: true });
}
