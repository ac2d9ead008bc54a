// Who one is: one user in all tabs of a browser, until one asks to be somebody else.

import { askGuest } from './guest.js';

const KEY = 'identity';

export class Identity {
  // { token, user_id, name, expires, since }, or null for nobody yet. expires and since,
  // when the token was received, are seconds.
  current;

  // Called when it changes, whichever tab changed it.
  onchange = () => {};

  #memory;
  #tabs;
  #world;

  // memory is the browser's; world holds fetch.
  constructor(memory, tabs, world = globalThis) {
    this.#memory = memory;
    this.#tabs = tabs;
    this.#world = world;
    this.current = memory.load(KEY);
  }

  // create makes a user with a name. If another tab was faster, one is its user. To be
  // asked only by somebody who is nobody yet, or whom the server does not know: of such
  // a user everything is forgotten. All methods may throw a GuestError.
  create(name) {
    const before = this.current?.user_id;
    const someoneElse = () => {
      const stored = this.#memory.load(KEY);
      return stored && stored.user_id !== before ? stored : null;
    };
    return this.#alone(async () => {
      const made = someoneElse() ?? (await askGuest({ name }, this.#world));
      const faster = someoneElse(); // where tabs cannot wait for each other
      if (!faster) {
        this.#memory.clear();
        this.#memory.save(KEY, received(made));
      }
      this.#become(faster ?? received(made));
    });
  }

  // rename gives the user another name.
  rename(name) {
    return this.#ask({ name });
  }

  // renew gets a new token, unless another tab has just done so.
  renew() {
    return this.#ask({});
  }

  // renewIfDue renews it when half of its time is over.
  async renewIfDue(now = Date.now() / 1000) {
    const { since, expires } = this.current;
    if (now < since || now > (since + expires) / 2) {
      await this.renew();
    }
  }

  // named notes the name that the server says we have.
  named(name) {
    if (this.current && name && name !== this.current.name) {
      this.#save({ ...this.current, name });
    }
  }

  // forget makes nobody of us, in all tabs, and drops all that was kept.
  forget() {
    this.#memory.clear();
    this.current = null;
  }

  // stored is told what another tab saved under a key.
  stored(key, value) {
    if (key === KEY) {
      this.#become(value);
    }
  }

  #ask(fields) {
    const { token } = this.current;
    return this.#alone(async () => {
      const stored = this.#memory.load(KEY);
      if (!fields.name && stored && stored.token !== token) {
        this.#become(stored);
        return;
      }
      this.#save(received(await askGuest({ ...fields, token: stored?.token ?? token }, this.#world)));
    });
  }

  #alone(run) {
    return this.#tabs.one(KEY, run);
  }

  #save(identity) {
    this.#memory.save(KEY, identity);
    this.#become(identity);
  }

  #become(identity) {
    this.current = identity;
    this.onchange();
  }
}

function received({ token, user_id, name, expires }) {
  return { token, user_id, name, expires, since: Math.floor(Date.now() / 1000) };
}
