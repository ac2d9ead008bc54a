// What the page remembers. The browser's memory is shared by all tabs of one server's
// page and survives them; a tab's own survives a reload.

export class Memory {
  // lasting says whether anything is kept at all. Where it is not, because the user has
  // forbidden it or it is full, the page works, and forgets when it is closed.
  lasting = false;

  #storage;
  #prefix;

  // storage is a function, because even to touch localStorage throws where it is
  // forbidden. prefix tells apart the pages of several servers on one host.
  constructor(storage, prefix = 'hawser.') {
    this.#prefix = prefix;
    try {
      this.#storage = storage();
      this.save('probe', 1);
      this.lasting = this.load('probe') === 1;
      this.remove('probe');
    } catch {
      // Forbidden.
    }
    if (!this.lasting) {
      this.#storage = new Transient();
    }
  }

  load(key) {
    return parse(this.#storage.getItem(this.#prefix + key));
  }

  // save reports whether it is kept.
  save(key, value) {
    try {
      this.#storage.setItem(this.#prefix + key, JSON.stringify(value));
      return true;
    } catch {
      return false; // full; nothing that is on the screen is lost by it
    }
  }

  remove(key) {
    this.#storage.removeItem(this.#prefix + key);
  }

  // keys returns the keys that begin with a text.
  keys(start = '') {
    const from = this.#prefix + start;
    return Object.keys(this.#storage).filter((k) => k.startsWith(from)).map((k) => k.slice(this.#prefix.length));
  }

  clear() {
    this.keys().forEach((key) => this.remove(key));
  }

  // watch calls changed(key, value) for what other tabs save; value is null for what
  // they remove. target is the window.
  watch(target, changed) {
    target.addEventListener('storage', ({ storageArea, key, newValue }) => {
      if (storageArea === this.#storage && key?.startsWith(this.#prefix)) {
        changed(key.slice(this.#prefix.length), parse(newValue));
      }
    });
  }
}

// Transient is a Storage that lasts as long as the page.
class Transient {
  getItem(key) {
    return this[key] ?? null;
  }

  setItem(key, value) {
    this[key] = value;
  }

  removeItem(key) {
    delete this[key];
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
