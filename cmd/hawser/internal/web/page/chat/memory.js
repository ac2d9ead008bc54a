// What the page remembers. A session's memory survives a reload and belongs to the
// tab, so that two windows are two people; the browser's survives the tab.

const PREFIX = 'hawser.';

export class Memory {
  #storage;

  // storage is a function, because even to touch localStorage throws where a user
  // has forbidden it. The page then works, and forgets.
  constructor(storage) {
    try {
      this.#storage = storage();
    } catch {
      this.#storage = null;
    }
  }

  load(key) {
    try {
      return JSON.parse(this.#storage.getItem(PREFIX + key));
    } catch {
      return null;
    }
  }

  save(key, value) {
    try {
      this.#storage.setItem(PREFIX + key, JSON.stringify(value));
    } catch {
      // Full or forbidden. Nothing that is on the screen is lost by it.
    }
  }

  clear() {
    try {
      for (const key of Object.keys(this.#storage)) {
        if (key.startsWith(PREFIX)) {
          this.#storage.removeItem(key);
        }
      }
    } catch {
      // There is nothing to clear.
    }
  }
}
