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

// List keeps the children of an element in step with a list of items. An item's
// element stays as long as its key does, so that focus and scroll position stay, too.
export class List {
  #parent;
  #make;
  #update;
  #nodes = new Map();

  // make returns an element for an item, update(element, item) brings it up to date.
  constructor(parent, make, update) {
    this.#parent = parent;
    this.#make = make;
    this.#update = update;
  }

  // show takes items that have a key each, which is unique among them.
  show(items) {
    const before = this.#nodes;
    this.#nodes = new Map();
    let place = this.#parent.firstElementChild;
    for (const item of items) {
      const node = before.get(item.key) ?? this.#make(item);
      before.delete(item.key);
      this.#nodes.set(item.key, node);
      this.#update(node, item);
      if (node === place) {
        place = place.nextElementSibling;
      } else {
        this.#parent.insertBefore(node, place);
      }
    }
    before.forEach((node) => node.remove());
  }
}
