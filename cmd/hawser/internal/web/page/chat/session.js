// The session of this tab on the server: a log-in that outlives its connections, and a
// reload of the tab. Its key is kept where no other tab reads it. A tab that is duplicated
// takes the key along; of the two, the server then refuses it to the slower one, which
// begins a session of its own with the token.

const KEY = 'session';

export class Session {
  #tab;
  #userID;
  #kept;

  // tab is the tab's own memory. It may hold a session of somebody whom one is no more.
  constructor(tab, userID) {
    this.#tab = tab;
    this.#userID = userID;
    const kept = tab.load(KEY);
    this.#kept = kept?.user_id === userID ? kept : null;
  }

  // proof is what auth needs to resume it, and nothing if there is none.
  get proof() {
    return this.#kept ? { session_id: this.#kept.session_id, resume_key: this.#kept.resume_key } : {};
  }

  // took keeps the newest key, which an auth_ok has brought. The server takes the one before
  // until it was used, so it is good to lose an answer.
  took({ session_id, resume_key }) {
    this.#kept = { session_id, resume_key, user_id: this.#userID };
    this.#tab.save(KEY, this.#kept);
  }

  forget() {
    this.#kept = null;
    this.#tab.remove(KEY);
  }
}
