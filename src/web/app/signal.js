// One thing that happens, and those who want to know.

export class Signal {
  #listeners = new Set();

  /** @returns {() => void} ends the listening */
  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(...news) {
    for (const listener of [...this.#listeners]) listener(...news);
  }
}
