// Who is logged in, in this browser. Owns the tokens: they live in local storage, shared by all tabs, and a refresh token
// is used by one tab at a time, because the server takes the second use of one for theft and ends the login.

import { Signal } from './signal.js';
import { remember, remembered } from './storage.js';

const KEY = 'cc.session';
/** A token that ends sooner than this is replaced before it is used. */
const FRESH_MS = 20_000;

/** A refusal over HTTP: `code`, `field` and `retryAfterMs` as on the socket. */
export class HttpError extends Error {
  constructor(problem) {
    super(problem.message ?? problem.title ?? problem.code);
    this.code = problem.code;
    this.field = problem.field;
    this.retryAfterMs = problem.retry_after_ms;
  }
}

export class Account {
  /** Emits `reason` (`login`, `logout`, `expired`, `elsewhere`) when another person, or nobody, is logged in now. */
  changed = new Signal();
  #givenToken = null;
  #personId;

  constructor() {
    this.#personId = this.user?.id ?? null;
    globalThis.addEventListener('storage', (event) => {
      if (event.key === KEY || event.key === null) this.#notice('elsewhere');
    });
  }

  /** The person of this browser, or null for a guest. */
  get user() {
    return this.#session()?.user ?? null;
  }

  /** Remembers what the server says of this person, so that the next page begins with it. */
  learn({ id, name, photo }) {
    const session = this.#session();
    if (session?.user.id === id) this.#keep({ ...session, user: { ...session.user, name, photo } }, 'refresh');
  }

  async register(fields) {
    await this.#enter('v1/auth/register', fields);
  }

  async login(fields) {
    await this.#enter('v1/auth/login', fields);
  }

  async logout() {
    const session = this.#session();
    this.#keep(null, 'logout');
    // Forgotten here first: a server that cannot be reached must not keep anybody logged in.
    if (session) await post('v1/auth/logout', { refresh_token: session.refresh_token }).catch(() => {});
  }

  /**
   * A token to connect with, or null for a guest. `force` asks for another than the last one given.
   * Throws if the server cannot be reached; a login that the server has ended becomes a guest.
   */
  async token({ force = false } = {}) {
    const session = this.#session();
    if (!session) return this.#give(null);
    if (!force && isFresh(session)) return this.#give(session.access_token);
    return exclusively('cc.refresh', async () => {
      const current = this.#session();
      if (!current) return this.#give(null);
      // Another tab may have done it while this one waited.
      if (isFresh(current) && (!force || current.access_token !== this.#givenToken)) return this.#give(current.access_token);
      try {
        const fresh = await post('v1/auth/refresh', { refresh_token: current.refresh_token });
        this.#keep(fresh, 'refresh');
        return this.#give(fresh.access_token);
      } catch (error) {
        if (!(error instanceof HttpError) || error.code === 'unavailable' || error.code === 'internal' || error.code === 'rate_limited') throw error;
        this.#keep(null, 'expired');
        return this.#give(null);
      }
    });
  }

  async #enter(path, fields) {
    this.#keep(await post(path, fields), 'login');
  }

  #session() {
    try {
      return JSON.parse(remembered(KEY));
    } catch {
      return null;
    }
  }

  #keep(session, reason) {
    remember(KEY, session && JSON.stringify(session));
    this.#notice(reason);
  }

  #notice(reason) {
    const id = this.user?.id ?? null;
    if (id === this.#personId) return;
    this.#personId = id;
    this.changed.emit(reason);
  }

  #give(token) {
    this.#givenToken = token;
    return token;
  }
}

function isFresh(session) {
  return session.expires_at - Date.now() > FRESH_MS;
}

async function post(path, body) {
  const response = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw new HttpError({ code: response.status >= 500 ? 'unavailable' : 'other', ...answer });
}

/** Runs one of these at a time among all tabs. Without Web Locks (plain http beyond localhost) at least in this one. */
let queue = Promise.resolve();
function exclusively(name, run) {
  if (globalThis.navigator?.locks) return navigator.locks.request(name, run);
  const turn = queue.then(run, run);
  queue = turn.catch(() => {});
  return turn;
}
