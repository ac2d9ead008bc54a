// What may be a room's name, and what people are called.

const ROOM = /^[A-Za-z0-9_.-]{1,64}$/;

// roomProblem says what is wrong with a room's name, or returns ''.
export function roomProblem(name) {
  if (name === '') {
    return 'Give the room a name.';
  }
  if (name.startsWith('u_')) {
    return 'A room name cannot begin with u_.';
  }
  if (!ROOM.test(name)) {
    return 'A room name has 1 to 64 letters (A–Z), digits, and _ - . without spaces.';
  }
  return '';
}

// Names knows who is called what. Names need not be unique, so two people of one name
// are shown with the beginning of their id.
export class Names {
  #names = new Map(); // user_id → name
  #ids = new Map(); // name → Set of user_id

  set(id, name) {
    if (!id || !name || this.#names.get(id) === name) {
      return;
    }
    this.#ids.get(this.#names.get(id))?.delete(id);
    this.#names.set(id, name);
    if (!this.#ids.has(name)) {
      this.#ids.set(name, new Set());
    }
    this.#ids.get(name).add(id);
  }

  // get returns the bare name, if it is known.
  get(id) {
    return this.#names.get(id);
  }

  // of returns what to show.
  of(id) {
    const name = this.#names.get(id);
    if (!name) {
      return id;
    }
    return this.#ids.get(name).size > 1 ? `${name} (${id.slice(2, 6)})` : name;
  }
}
