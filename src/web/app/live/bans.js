// Whom this person has taken out of their lives, so that they can be let back in. The server lists no bans: those made on
// another device, or by somebody else, are not known here.

import { Signal } from '../signal.js';
import { remember, remembered } from '../storage.js';

/** Of so many lives, the latest. */
const LIVES = 5;
/** Of one live, the latest. */
const PEOPLE = 200;

export class Bans {
  /** Emits the id of the live. */
  changed = new Signal();
  #key;
  /** live id -> people, the latest first */
  #people;

  constructor(ownId) {
    this.#key = `cc.bans.${ownId}`;
    this.#people = parsed(remembered(this.#key));
  }

  of(liveId) {
    return this.#people.get(liveId) ?? [];
  }

  /** Somebody was taken out (`on`), or let back in. */
  set(liveId, { id, username, name }, on) {
    const others = this.of(liveId).filter((person) => person.id !== id);
    const people = on ? [{ id, username, name }, ...others].slice(0, PEOPLE) : others;
    this.#people.delete(liveId);
    if (people.length > 0) this.#people.set(liveId, people);
    if (this.#people.size > LIVES) this.#people.delete(this.#people.keys().next().value);
    remember(this.#key, JSON.stringify([...this.#people]));
    this.changed.emit(liveId);
  }
}

/** What was remembered; whatever else lies there is no reason to fail. */
function parsed(text) {
  try {
    const lives = JSON.parse(text);
    return new Map(lives.filter(([, people]) => Array.isArray(people)));
  } catch {
    return new Map();
  }
}
