// The lives that this page knows: one copy of each, brought up to date by whatever channel or reply tells of it. What the
// newest news makes of a live is pure (`withNews`) and tested in tests/web/.

import { Signal } from '../signal.js';

/** Lives kept; the longest untouched are forgotten first. */
const CAPACITY = 200;

/** A live after an event of its channel or of a feed; `at` is when that was said. */
export function withNews(live, event, data, at) {
  // Nothing comes after the end, whatever arrives late; but a reply may have told of it before, and told less.
  if (live.state === 'ended' && (event !== 'live.ended' || live.result)) return live;
  switch (event) {
    case 'live.started':
      return { ...data.live, viewers: live.viewers };
    case 'live.interrupted':
      return { ...live, state: 'interrupted', reason: data.reason, interrupted_at: at };
    case 'live.resumed':
      return { ...live, state: 'live', reason: undefined, interrupted_at: undefined };
    case 'live.ended':
      return { ...live, state: 'ended', reason: data.reason, ended_at: at, viewers: { current: 0, peak: data.viewers.peak }, result: { duration_ms: data.duration_ms, unique: data.viewers.unique } };
    default:
      return live;
  }
}

/** A live as a reply tells it, which knows less of some things than the events before it. */
export function withReply(known, live) {
  if (!known) return live;
  return known.state === 'ended' && live.state !== 'ended' ? known : { ...known, reason: undefined, ...live };
}

export class Lives {
  /** Emits the id of a live that has changed. */
  changed = new Signal();
  #connection;
  #known = new Map();
  #asked = new Map();
  /** live id -> {listeners, open, stop} */
  #followed = new Map();

  constructor(connection) {
    this.#connection = connection;
  }

  get(id) {
    return this.#known.get(id);
  }

  /** Takes in a live from a reply. */
  put(live) {
    this.#keep(withReply(this.#known.get(live.id), live));
    return this.#known.get(live.id);
  }

  /** Asks for a live; at most once at a time. */
  load(id) {
    if (!this.#asked.has(id)) {
      const asking = this.#connection.ask('live.get', { live_id: id }).then(({ live }) => this.put(live)).finally(() => this.#asked.delete(id));
      this.#asked.set(id, asking);
    }
    return this.#asked.get(id);
  }

  async list(body) {
    const { lives, cursor } = await this.#connection.ask('live.list', body);
    return { lives: lives.map((live) => this.put(live)), cursor };
  }

  /** A publication that may be about a live; true if it was. */
  heard({ event, data, at }) {
    if (!event.startsWith('live.')) return false;
    const id = data.live?.id ?? data.live_id;
    const known = this.#known.get(id);
    if (known) this.#keep(withNews(known, event, data, at));
    else if (data.live) this.#keep(data.live);
    return true;
  }

  /**
   * Follows the channel of a live for as many as want to: `publication(item)`, `signal(event, data)`, `opened()` (also to
   * those who come later), `reset()`, `closed(reason)`. Returns a function that ends it.
   */
  follow(id, listener = {}) {
    let entry = this.#followed.get(id);
    if (!entry) {
      entry = { listeners: new Set(), open: false };
      this.#followed.set(id, entry);
      entry.stop = this.#connection.follow(`live:${id}`, this.#hub(id, entry));
    }
    entry.listeners.add(listener);
    if (entry.open) queueMicrotask(() => entry.listeners.has(listener) && listener.opened?.());
    return () => {
      entry.listeners.delete(listener);
      if (entry.listeners.size > 0 || this.#followed.get(id) !== entry) return;
      this.#followed.delete(id);
      entry.stop();
    };
  }

  #hub(id, entry) {
    const tell = (method, ...news) => {
      for (const listener of [...entry.listeners]) listener[method]?.(...news);
    };
    return {
      publication: (item) => {
        this.heard(item);
        tell('publication', item);
      },
      state: (state) => this.#state(id, state),
      signal: (event, data) => tell('signal', event, data),
      opened: () => {
        entry.open = true;
        tell('opened');
      },
      reset: () => {
        this.load(id).catch(() => {});
        tell('reset');
      },
      closed: (reason) => {
        this.#followed.delete(id);
        tell('closed', reason);
      },
    };
  }

  #state(id, { event, data }) {
    const known = this.#known.get(id);
    if (!known) return;
    if (event === 'live.viewers') this.#keep({ ...known, viewers: { current: data.current, peak: data.peak } });
    else if (event === 'chat.slow_mode') this.#keep({ ...known, slow_seconds: data.seconds });
  }

  #keep(live) {
    this.#known.delete(live.id);
    this.#known.set(live.id, live);
    if (this.#known.size > CAPACITY) this.#known.delete(this.#known.keys().next().value);
    this.changed.emit(live.id);
  }
}
