// What people are called of whom only the id is told. Everybody is asked for once.

import { nameOf } from '../model.js';

/** Questions under way at most: a crowd must not use up what the page may ask in a second. */
const AT_ONCE = 8;

export class Names {
  #ask;
  /** user id -> name; null while it is asked for, and of whom nobody knows */
  #names = new Map();
  #asking = 0;

  /** `ask(id)` promises the person. */
  constructor(ask) {
    this.#ask = ask;
  }

  /** The name of a person; undefined as long as it is not known. */
  of(id) {
    return this.#names.get(id) ?? undefined;
  }

  /** Asks for those who have not been asked for, as many as may be now; promises whether a name was learnt. */
  async learn(ids) {
    const unknown = ids.filter((id) => !this.#names.has(id)).slice(0, AT_ONCE - this.#asking);
    return (await Promise.all(unknown.map((id) => this.#learn(id)))).includes(true);
  }

  async #learn(id) {
    this.#names.set(id, null);
    this.#asking += 1;
    try {
      this.#names.set(id, nameOf(await this.#ask(id)));
      return true;
    } catch (error) {
      // Whom the server does not know, it will not know in a moment either; anything else may go better next time.
      if (error.code !== 'not_found') this.#names.delete(id);
      return false;
    } finally {
      this.#asking -= 1;
    }
  }
}
