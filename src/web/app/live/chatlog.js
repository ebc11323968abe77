// The messages of a chat in the order of their channel, whatever order replies, pushes and pages of history arrive in.
// Pure, and tested in tests/web/.

/** Messages kept; the oldest are let go while new ones come. */
const CAPACITY = 400;

export class ChatLog {
  /** offset -> message */
  #messages = new Map();
  #gone = new Set();

  /** Sorted: the oldest first. */
  entries() {
    return [...this.#messages].sort(([a], [b]) => a - b).map(([offset, message]) => ({ offset, message }));
  }

  get size() {
    return this.#messages.size;
  }

  oldest() {
    return this.#messages.size === 0 ? null : Math.min(...this.#messages.keys());
  }

  /**
   * Takes in publications of the channel, or history of it. Returns `{added: [{offset, message}], removed: [id]}`: what is
   * to be shown and to be taken away.
   */
  take(publications) {
    const added = [];
    const removed = [];
    for (const { offset, event, data } of publications) {
      if (event === 'chat.deleted') {
        this.#gone.add(data.message_id);
        removed.push(data.message_id);
        for (const [at, { id }] of this.#messages) if (id === data.message_id) this.#messages.delete(at);
      } else if (event === 'chat.message' && !this.#messages.has(offset) && !this.#gone.has(data.id)) {
        this.#messages.set(offset, data);
        added.push({ offset, message: data });
      }
    }
    return { added, removed: removed.concat(this.#shrink()) };
  }

  /** All messages of somebody. */
  by(userId) {
    return [...this.#messages.values()].filter(({ user }) => user.id === userId);
  }

  find(id) {
    return [...this.#messages.values()].find((message) => message.id === id);
  }

  #shrink() {
    const removed = [];
    while (this.#messages.size > CAPACITY) {
      const oldest = this.oldest();
      removed.push(this.#messages.get(oldest).id);
      this.#messages.delete(oldest);
    }
    return removed;
  }
}
