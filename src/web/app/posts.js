// The posts that this page knows: one copy of each, whichever channel or list it came from.

import { mergePost, newerCounts } from './model.js';
import { Signal } from './signal.js';

/** Posts kept; the longest untouched are forgotten first. */
const CAPACITY = 2000;

export class Posts {
  /** Emits the id of a post that has changed. */
  changed = new Signal();
  /** Emits the id of a post that is gone. */
  removed = new Signal();
  #posts = new Map();
  #myId;

  constructor(myId) {
    this.#myId = myId;
  }

  get(id) {
    return this.#posts.get(id);
  }

  /** Takes in a post from a reply or a publication; returns the merged one. */
  put(news) {
    const known = this.#posts.get(news.id);
    const post = mergePost(known, news, this.#myId);
    this.#posts.delete(post.id);
    this.#posts.set(post.id, post);
    if (this.#posts.size > CAPACITY) this.#posts.delete(this.#posts.keys().next().value);
    if (known) this.changed.emit(post.id);
    return post;
  }

  /** Changes what is known of a post, as `reaction.set` or a `state` says. */
  update(id, change) {
    const known = this.#posts.get(id);
    if (!known) return;
    this.#posts.set(id, { ...known, ...change(known) });
    this.changed.emit(id);
  }

  /** A `post.counts` state. */
  counts({ key, version, data }) {
    this.update(key, (post) => ({ counts: newerCounts(post.counts, { ...data, version }) }));
  }

  remove(id) {
    this.#posts.delete(id);
    this.removed.emit(id);
  }

  /** Ids of all known posts, the most recently touched last. */
  ids() {
    return [...this.#posts.keys()];
  }
}
