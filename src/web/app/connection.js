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

export class Connection {
  /** Emits one of `connecting`, `online`, `reconnecting`, `offline`, `closed`. */
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
  #account;
  #client;
  #followed = new Map();
  #wasOnline = false;
  #refusals = 0;

  constructor(account) {
    this.#account = account;
    const address = new URL('/v1/ws', location.href);
    address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
    this.#client = new Client({
      url: address.href,
      client: { name: 'page', version: '1' },
      token: (wish) => account.token(wish),
      onStatus: (status) => this.#status(status),
      onWelcome: (body) => this.#welcome(body),
      onMessage: (event, data) => this.signalling.message(event, data),
    });
    addEventListener('online', () => this.#client.check());
    addEventListener('offline', () => this.#client.check());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.#client.check();
    });
  }

  start() {
    this.#client.start();
  }

  /** Comes back as whoever the account says; all following ends. */
  restart() {
    this.#followed.clear();
    this.#wasOnline = false;
    this.#client.restart();
  }

  /** Asks for a connection now instead of after the wait. */
  tryNow() {
    this.#client.check();
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
    this.#refusals = 0;
    const returned = this.#wasOnline;
    this.#wasOnline = true;
    this.welcomed.emit(body, returned);
    this.signalling.welcomed();
  }

  #status({ phase, attempt = 0, code, reason }) {
    if (phase === 'stopped' && reason === 'left') return;
    if (phase === 'stopped' && code === 4501 && this.#refusals < REFUSALS) {
      this.#refusals += 1;
      this.#loginEnded();
      return;
    }
    const away = navigator.onLine === false || attempt >= OFFLINE_AFTER;
    let state = phase === 'online' ? 'online' : phase === 'stopped' ? 'closed' : away ? 'offline' : 'reconnecting';
    if (state === 'reconnecting' && !this.#wasOnline && attempt === 0) state = 'connecting';
    if (state === this.state) return;
    this.state = state;
    if (state === 'closed') this.farewell = { code, reason };
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
