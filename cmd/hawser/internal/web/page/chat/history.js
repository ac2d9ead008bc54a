// Fetching what a conversation does not hold: its end, what is older, what lies between.

const PAGE = 50; // messages at a time, scrolling up
const CATCH_UP = 100; // and where some are missing

export class History {
  #requests;
  #arrived;
  #renewed;

  // arrived is called with the messages of each answer before they are put in, renewed
  // with a conversation whose data turned out to be other data, when it was reset. The
  // methods return promises, which are rejected as those of Requests are.
  constructor(requests, arrived, renewed) {
    this.#requests = requests;
    this.#arrived = arrived;
    this.#renewed = renewed;
  }

  // load fetches the last messages of a conversation that holds none.
  async load(conversation) {
    if (conversation.loaded) {
      return;
    }
    const answer = await this.#ask(conversation, { limit: PAGE });
    if (answer) {
      conversation.load(answer.messages, answer.has_more, answer.first_seq);
      await this.catchUp(conversation);
    }
  }

  // older fetches the messages before the first one.
  async older(conversation) {
    if (!conversation.loaded || conversation.complete) {
      return;
    }
    const answer = await this.#ask(conversation, { before_seq: conversation.first, limit: PAGE });
    if (answer) {
      conversation.prepend(answer.messages, answer.has_more, answer.first_seq);
      await this.catchUp(conversation);
    }
  }

  // catchUp fetches what is missing, up to the end.
  async catchUp(conversation) {
    for (let more = conversation.behind; more; ) {
      const { held } = conversation;
      const answer = await this.#ask(conversation, { after_seq: held, limit: CATCH_UP });
      if (!answer) {
        return;
      }
      conversation.append(answer.messages, answer.first_seq);
      more = conversation.held > held && (answer.has_more || conversation.behind);
    }
  }

  // ask returns null if somebody else is asking, who looks for gaps when he is done,
  // or if the conversation was reset before the answer came.
  async #ask(conversation, range) {
    if (conversation.fetching) {
      return null;
    }
    const fetching = {};
    conversation.fetching = fetching;
    try {
      const question = { type: 'history', receiver_id: conversation.id, ...range };
      const answer = await this.#requests.ask(question);
      if (conversation.fetching !== fetching) {
        return null;
      }
      if (conversation.adopt(answer.messages[0]?.epoch)) {
        this.#renewed(conversation);
        return null;
      }
      this.#arrived(answer.messages);
      conversation.error = '';
      return answer;
    } finally {
      if (conversation.fetching === fetching) {
        conversation.fetching = null;
      }
    }
  }
}
