// The rooms that exist on the server, in its order: the last active ones first.

const PAGE = 100; // rooms at a time
const MOST = 500; // asked for at once; the answer may hold fewer
const SETTLED = 300; // milliseconds after which what is typed is searched for
const LONGEST = 64; // bytes of a search, and of a room's name

export class Directory {
  search = ''; // what is searched for
  searched = ''; // and what the rooms were found by
  rooms = []; // as the server answered
  hasMore = false;
  asking = false; // whether the answer for the search is under way
  error = ''; // why there is none

  #requests;
  #world;
  #changed;
  #next; // where the next page begins
  #generation = 0; // of the list: an answer that was asked for before it is void
  #timer = null;

  // changed is called after anything changed.
  constructor({ requests, world, changed }) {
    this.#requests = requests;
    this.#world = world;
    this.#changed = changed;
  }

  // find looks for rooms whose names contain a text, when no more is typed for a moment.
  find(text) {
    const search = text.trim().replace(/^#/, '');
    if (search === this.search) {
      return;
    }
    this.search = search;
    this.#begin();
    this.#world.clearTimeout(this.#timer);
    this.#timer = this.#world.setTimeout(() => this.#fetch(PAGE), SETTLED);
    this.#changed();
  }

  // refresh asks again for as many as are known, unless an answer is under way.
  refresh() {
    if (!this.asking) {
      this.#begin();
      return this.#fetch(Math.min(MOST, Math.max(PAGE, this.rooms.length)));
    }
  }

  // more asks for those that follow.
  more() {
    if (this.hasMore && !this.asking) {
      this.#begin();
      return this.#fetch(PAGE, this.#next);
    }
  }

  // forget is called when the connection is lost.
  forget() {
    this.#generation++;
    this.asking = false;
  }

  #begin() {
    this.#generation++;
    this.asking = true;
    this.error = '';
  }

  // fetch puts an answer in the list's place, or after it where a place is given.
  async #fetch(limit, after) {
    const generation = this.#generation;
    try {
      const { rooms, has_more, next } = await this.#ask(limit, after, generation);
      if (generation === this.#generation) {
        const known = new Set(after === undefined ? [] : this.rooms.map((r) => r.receiver_id));
        const before = after === undefined ? [] : this.rooms;
        this.rooms = [...before, ...rooms.filter((r) => !known.has(r.receiver_id))];
        this.searched = this.search;
        this.hasMore = has_more;
        this.#next = next;
      }
    } catch (error) {
      if (generation === this.#generation) {
        this.error = error.message;
      }
    }
    if (generation === this.#generation) {
      this.asking = false;
      this.#changed();
    }
  }

  // ask asks on while answers are empty: the server looks through many rooms in steps.
  async #ask(limit, after, generation) {
    const { search } = this;
    if (new TextEncoder().encode(search).length > LONGEST) {
      return { rooms: [], has_more: false };
    }
    for (;;) {
      const { rooms, has_more, next } = await this.#requests.ask({ type: 'rooms', limit, search: search || undefined, after });
      after = next ?? rooms.at(-1)?.receiver_id;
      if (rooms.length > 0 || !has_more || after === undefined || generation !== this.#generation) {
        return { rooms, has_more: has_more && after !== undefined, next: after };
      }
    }
  }
}
