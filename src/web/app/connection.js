// The page's one connection: the client core bound to the account, to the browser's own news about the network, and to
// the many parts of the page that may follow one channel at once.

import { Client } from '../client.js';
import { Signalling } from '../live.js';
import { Signal } from './signal.js';

/** After so many failed attempts the page says "offline" rather than "reconnecting". */
const OFFLINE_AFTER = 4;
/** Refused logins in a row after which a fresh token is not tried any more. */
const REFUSALS = 3;
const REFUSAL_WAIT_MS = 2_000;

/** What the page says of its connection, out of what the client says of itself and the browser of the network. Pure. */
export function stateOf({ phase, attempt = 0, late = false }, { hasNetwork, wasOnline }) {
  if (phase === 'stopped') return 'closed';
  if (phase === 'online' && !late) return 'online';
  if (!hasNetwork || attempt >= OFFLINE_AFTER) return 'offline';
  if (phase === 'online') return 'unanswered';
  return wasOnline || attempt > 0 ? 'reconnecting' : 'connecting';
}

export class Connection {
  /** Emits one of `connecting`, `online`, `unanswered` (it stands, but something waits for its answer), `reconnecting`, `offline`, `closed`. */
  changed = new Signal();
  /** Emits the body of `connect`'s reply, and whether it was a return. */
  welcomed = new Signal();
  /** For peers that send or receive a live. Repeats nothing: they know themselves what to do about a lost answer. */
  signalling = new Signalling((type, body) => this.#client.command(type, body));
  state = 'connecting';
  /** `{code, reason}` of the close after which this does not come back by itself. */
  farewell = {};
  /** Characters of texts, and how deep replies nest; the server tells its own with every welcome. */
  limits = { post_title: 200, post_content: 5000, comment_content: 2000, community_name: 80, replies_depth: 3 };
  /** `user`, `moderator` or `admin`, as the server says of whoever is connected; null for a guest, and until it has said so. */
  role = null;
  #account;
  #client;
  #followed = new Map();
  #wasOnline = false;
  #refusals = 0;
  /** What the client said last of itself. */
  #status = { phase: 'connecting' };

  constructor(account) {
    this.#account = account;
    const address = new URL('v1/ws', location.href);
    address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
    this.#client = new Client({
      url: address.href,
      client: { name: 'page', version: '1' },
      token: (wish) => account.token(wish),
      onStatus: (status) => this.#became(status),
      onWelcome: (body) => this.#welcome(body),
      onMessage: (event, data) => this.signalling.message(event, data),
    });
    addEventListener('online', () => {
      this.#client.check();
      this.#show();
    });
    addEventListener('offline', () => {
      // A browser without any network may still reach a server on its own machine: an answer within a second shows it.
      this.#client.hurry();
      this.#show();
    });
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.#client.check();
    });
  }

  start() {
    this.#client.start();
  }

  /** Whether what is asked now goes out now: also while something else waits for its answer. */
  get stands() {
    return this.state === 'online' || this.state === 'unanswered';
  }

  /** Comes back as whoever the account says; all following ends. */
  restart() {
    this.#followed.clear();
    this.#wasOnline = false;
    this.role = null;
    this.#client.restart();
  }

  /** Asks for a connection now instead of after the wait; one that is being opened keeps its time. */
  tryNow() {
    this.#client.hurry();
  }

  /** A command that reads, sets a state or carries its `op`: it may be repeated until it is answered. */
  ask(type, body) {
    return this.#client.command(type, body, { repeat: true });
  }

  /**
   * Tells `listener` what happens in a channel: any of `publication(item, channel)`, `state(state)`, `signal(event, data)`,
   * `opened()`, `reset()`, `closed(reason)`. Returns a function that ends it.
   */
  follow(channel, listener) {
    let entry = this.#followed.get(channel);
    if (!entry) {
      const listeners = new Set();
      const tell = (method) => (...news) => {
        for (const each of [...listeners]) each[method]?.(...news, channel);
      };
      entry = { listeners };
      this.#followed.set(channel, entry);
      listeners.add(listener);
      entry.stop = this.#client.subscribe(channel, {
        publication: tell('publication'),
        state: tell('state'),
        signal: tell('signal'),
        opened: tell('opened'),
        reset: tell('reset'),
        closed: (reason) => {
          this.#followed.delete(channel);
          tell('closed')(reason);
        },
      });
    }
    entry.listeners.add(listener);
    return () => {
      entry.listeners.delete(listener);
      if (entry.listeners.size > 0 || this.#followed.get(channel) !== entry) return;
      this.#followed.delete(channel);
      entry.stop();
    };
  }

  #welcome(body) {
    this.limits = { ...this.limits, ...body.limits };
    this.role = body.user?.role ?? null;
    this.#refusals = 0;
    const returned = this.#wasOnline;
    this.#wasOnline = true;
    this.welcomed.emit(body, returned);
    this.signalling.welcomed(body);
  }

  #became(status) {
    const { phase, code, reason } = status;
    if (phase === 'stopped' && reason === 'left') return;
    if (phase === 'stopped' && code === 4501 && this.#refusals < REFUSALS) {
      this.#refusals += 1;
      this.#loginEnded();
      return;
    }
    this.#status = status;
    if (phase === 'stopped') this.farewell = { code, reason };
    this.#show();
  }

  #show() {
    const state = stateOf(this.#status, { hasNetwork: navigator.onLine !== false, wasOnline: this.#wasOnline });
    if (state === this.state) return;
    this.state = state;
    this.changed.emit(state);
  }

  /** 4501: this login was ended, or only this token. A refresh tells which; with none left the account says so itself. */
  async #loginEnded() {
    const before = this.#account.user;
    try {
      const token = await this.#account.token({ force: true });
      if (token !== null || !before) this.#client.start();
    } catch {
      setTimeout(() => this.#client.start(), REFUSAL_WAIT_MS); // the server cannot be asked just now
    }
  }
}
