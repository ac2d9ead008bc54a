// Keeps what is held of conversations in step with the server: the end of each one that is
// shown, what is older, what lies between.

import { Disconnected } from './requests.js';

export class Sync {
  #conversations;
  #history;
  #presence;
  #online;
  #changed;
  #told;

  // online reports whether there is a connection. changed is called after anything
  // changed, told with what went wrong and concerns no conversation.
  constructor({ conversations, history, presence, online, changed, told }) {
    this.#conversations = conversations;
    this.#history = history;
    this.#presence = presence;
    this.#online = online;
    this.#changed = changed;
    this.#told = told;
  }

  // begin is called when a connection stands, and resumed when what was missed is known.
  begin() {
    this.run(() => this.#presence.refresh());
  }

  resumed() {
    const { current } = this.#conversations;
    if (current?.joining === false) {
      this.show(current);
    }
  }

  // end is called when the connection is lost.
  end() {
    this.#presence.forget();
    for (const conversation of this.#conversations) {
      conversation.fetching = null;
    }
  }

  // placed takes where the server says that a conversation stands.
  placed(conversation, place) {
    conversation.place(place);
    this.#conversations.save(conversation);
    this.show(conversation);
  }

  // show fetches what is needed to show a conversation, if it is to be shown, and
  // what it missed in any case.
  show(conversation) {
    if (!this.#online()) {
      return;
    }
    this.catchUp(conversation);
    if (conversation !== this.#conversations.current) {
      return;
    }
    this.run(() => this.#history.load(conversation), conversation);
    if (conversation.members === null && conversation.online === null) {
      this.run(() => this.#presence.load(conversation), conversation);
    }
  }

  catchUp(conversation) {
    this.run(() => this.#history.catchUp(conversation), conversation);
  }

  // older fetches the messages before the first one held, if that makes sense.
  older(conversation) {
    const { loaded, complete, fetching, error } = conversation;
    if (this.#online() && loaded && !complete && !fetching && !error) {
      this.run(() => this.#history.older(conversation), conversation);
    }
  }

  // askAgain asks whether a person is there, and refreshPeople about all of them. Nobody
  // is told if that fails.
  askAgain(person) {
    this.#quietly(this.#presence.load(person));
  }

  refreshPeople() {
    this.#quietly(this.#presence.refresh());
  }

  // run lets something happen in the background. Without a connection it is done
  // again when there is one; any other failure is shown with the conversation.
  async run(work, conversation) {
    try {
      await work();
    } catch (error) {
      if (error instanceof Disconnected) {
        return;
      }
      if (conversation) {
        conversation.error = error.message;
      } else {
        this.#told(error.message);
      }
    }
    this.#changed();
  }

  #quietly(work) {
    work.catch(() => {}).then(() => this.#changed());
  }
}
