// Tells the server which posts were really seen: on screen for a second, in a tab that is looked at.

const SEEN_MS = 1_000;
/** Commands are spread out, so that scrolling fast does not use up what the user's own commands need. */
const PACE_MS = 250;
const REMEMBERED = 1_000;

export class ViewCounter {
  #connection;
  #observer;
  #waiting = new Map();
  #told = new Set();
  #queue = [];
  #running = false;
  /** On screen while nobody looked at the tab. */
  #unseen = new Set();

  constructor(connection) {
    this.#connection = connection;
    // Several thresholds, because a post higher than the screen never shows all of itself.
    this.#observer = new IntersectionObserver((entries) => entries.forEach((entry) => this.#look(entry)), { threshold: [0, 0.25, 0.5, 0.75, 1] });
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState !== 'visible') return;
      for (const element of this.#unseen) {
        this.#observer.unobserve(element);
        this.#observer.observe(element);
      }
      this.#unseen.clear();
    });
  }

  watch(element) {
    this.#observer.observe(element);
  }

  forget(element) {
    this.#observer.unobserve(element);
    this.#cancel(element);
  }

  #look({ target, intersectionRatio, intersectionRect }) {
    const seen = intersectionRatio >= 0.5 || intersectionRect.height >= innerHeight / 2;
    if (!seen) return this.#cancel(target);
    if (this.#waiting.has(target)) return;
    this.#waiting.set(target, setTimeout(() => {
      this.#waiting.delete(target);
      const id = target.dataset.postId;
      if (document.visibilityState !== 'visible') this.#unseen.add(target);
      else if (id && !this.#told.has(id)) this.#tell(id);
    }, SEEN_MS));
  }

  #cancel(element) {
    this.#unseen.delete(element);
    clearTimeout(this.#waiting.get(element));
    this.#waiting.delete(element);
  }

  #tell(id) {
    this.#told.add(id);
    if (this.#told.size > REMEMBERED) this.#told.delete(this.#told.values().next().value);
    this.#queue.push(id);
    if (!this.#running) this.#run();
  }

  async #run() {
    this.#running = true;
    while (this.#queue.length > 0) {
      const id = this.#queue.shift();
      await this.#connection.ask('post.view', { post_id: id }).catch(() => {}); // a view that is not counted harms nobody
      await new Promise((resolve) => setTimeout(resolve, PACE_MS));
    }
    this.#running = false;
  }
}
