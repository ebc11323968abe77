// The client core of CommuniConnect: one file, no dependency, usable outside this page (browsers, Node 22, anything
// with a WebSocket). It owns the connection: connecting and coming back, commands and their repetition, the position
// in each channel and its repair. It knows nothing of posts, pages or storage; tokens come from a function it is given.
//
//     import { Client, newOp } from './client.js';
//
//     const client = new Client({
//       url: 'wss://example.org/v1/ws',
//       token: async ({ force }) => (force ? await freshToken() : currentToken()), // null: a guest
//     });
//     client.start();
//     const leave = client.subscribe('feed:0199c82c-…', {
//       opened: () => loadPosts(),                             // the following begins here: read the state now
//       publication: ({ event, data }) => apply(event, data),
//       reset: () => loadPosts(),                              // something is lost for good: read the state anew
//     });
//     const { post } = await client.command('post.create', { op: newOp(), … }); // answered, whatever the network does
//
// What it promises (protocol/SPEC.md has the wire):
// - every publication of a subscribed channel is delivered once and in offset order; what can be fetched again
//   (a jump, a slow `gap`, a head in `ping`) is fetched, and what is gone (`expired`, another epoch) is a `reset`;
// - a state is delivered only if it is newer than the last of its key;
// - a command that carries an `op`, or is marked `repeat`, is sent again after a reconnect, and after `unavailable` or
//   `internal`, with the same body, until it is answered;
// - a token that runs out is replaced on the open connection; one that was refused as expired, before coming back;
// - waits are jittered, a server's `reconnect {after_ms, url}` is honoured, and close codes 4500-4999 end the attempts;
// - a handler that throws is told to `onError` and disturbs nothing else.
//
// The upper half is pure: time and chance are arguments. Only `Client` touches a socket or a timer.

export const SUBPROTOCOL = 'cc.v1.json';

/** Commands waiting for an answer or a connection; beyond this the page is broken, not busy. */
const MAX_PENDING = 256;
/** How many channels ride in `connect.resume`; the others follow by `sync`, the most important first. */
const RESUME_CHANNELS = 32;
/** Bytes of publications asked of one `sync`, so that catching up never starves what the user does meanwhile. */
const SYNC_BYTES = 256 * 1024;
/** A command without `op` that found no answer in this time is given up. */
const COMMAND_TIMEOUT_MS = 30_000;
/** The server allows 10 s for `connect`; so do we for the whole opening. */
const OPEN_TIMEOUT_MS = 12_000;
/** How long a connection may take to answer when its life is in doubt. */
const PROBE_MS = 4_000;
/** A server answers within milliseconds; what waits for longer than this is felt as a standstill, and is told. */
const ANSWER_MS = 1_000;
/** The id of the question whether the connection lives; no command has it. */
const PROBE_ID = 0x7fffffff;
/** A connection that lasted this long was a good one: the next waits start small again. */
const GOOD_CONNECTION_MS = 10_000;

/** A refusal by the server, or `offline`, `timeout`, `disconnected`, `cancelled`, `busy` from this side. */
export class CommandError extends Error {
  /** @param {{code: string, message?: string, field?: string, retry_after_ms?: number, node?: string, url?: string, silent?: boolean}} body */
  constructor(body) {
    super(body.message || body.code);
    this.name = 'CommandError';
    this.code = body.code;
    this.field = body.field;
    this.retryAfterMs = body.retry_after_ms;
    /** The node that carries what was asked of another: `{node, url, isSilent}`; null for whatever else was refused. */
    this.carrier = carrierOf(body);
  }
}

/** Who could do instead what a refusal is about (SPEC §Errors); `url` is null where nobody can be led there. */
function carrierOf({ node, url, silent }) {
  return node === undefined ? null : { node, url: url ?? null, isSilent: silent === true };
}

/** What a close code asks for: `again`, `token` (a fresh token first, then again) or `stop`. */
export function closeVerdict(code) {
  if (code === 4004) return 'token';
  return code >= 4500 && code <= 4999 ? 'stop' : 'again';
}

/**
 * Milliseconds to wait before attempt number `attempt` (0 is the first after a loss): doubling from 500 ms to 30 s,
 * half of it fixed and half by chance, so that a restarted server is not met by everybody at once.
 */
export function backoffMs(attempt, random, { baseMs = 500, capMs = 30_000 } = {}) {
  const ceiling = Math.min(capMs, baseMs * 2 ** Math.min(attempt, 16));
  return Math.round(ceiling / 2 + (random() * ceiling) / 2);
}

/** How long a connection may say nothing before it counts as lost: the server pings every `pingMs`, jittered. */
export function silenceLimitMs(pingMs) {
  return Math.round(pingMs * 1.5) + 2_000;
}

/** When to come back after a close: never before the slot that a `reconnect` push gave. */
export function returnDelayMs({ attempt, notBefore = 0 }, now, random) {
  const wait = backoffMs(attempt, random);
  return notBefore > now ? notBefore - now + Math.round(random() * 250) : wait;
}

/**
 * When to replace a token that is about to expire: half of its rest away, 20 s at most, so that tokens of a short life
 * are not replaced without pause. A clock that is wrong can only make it sooner, or those 20 s.
 */
export function refreshDelayMs(expiresAt, now) {
  return Math.min(20_000, Math.max(0, Math.round((expiresAt - now) / 2)));
}

/**
 * An operation id: the time in milliseconds and 80 random bits, as hexadecimal text. Ids that begin with the time lie beside
 * each other in the server's index, which costs it half of what random ones do. `crypto.randomUUID` would need a secure context.
 */
export function newOp(now = Date.now()) {
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(10));
  const random = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return now.toString(16).padStart(12, '0') + random;
}

/**
 * The position in one channel and the order of what arrives there. Pure: each method returns what to do, in order:
 *   `{do: 'apply', item}`        deliver this publication or skip
 *   `{do: 'fetch', after}`       ask `history {channel, after}` and hand the answer to `page`
 *   `{do: 'lost', from, to}`     these are gone for good: load the state anew, then go on
 *   `{do: 'opened'}` / `{do: 'reset'}`   load the state; what follows comes after it
 *   `{do: 'resubscribe'}`        the position is worthless: subscribe without one
 */
export class ChannelCursor {
  epoch = null;
  offset = null;
  /** A history page is on its way; live publications are held meanwhile. */
  filling = false;
  #held = new Map();
  #holdCount;
  /** The highest offset heard of; what lies between `offset` and it is still owed. */
  #heard = 0;
  #offsetAtFetch = -1;

  constructor({ holdCount = 1024 } = {}) {
    this.#holdCount = holdCount;
  }

  /** @returns {{epoch: string, offset: number} | null} what to send on `resume`, `sync` and `subscribe` */
  position() {
    return this.epoch === null ? null : { epoch: this.epoch, offset: this.offset };
  }

  /** The body of a SUBSCRIBED: from `subscribe`, `sync`, `connect.subscriptions` or a `subscribed` push. */
  opened(body) {
    const fresh = this.epoch === null;
    this.filling = false;
    if (body.recovered === 'new' || body.recovered === 'reset') {
      this.#restart(body);
      const steps = [{ do: fresh ? 'opened' : 'reset' }];
      return steps.concat(this.#drain());
    }
    this.epoch = body.epoch;
    this.#hear(body.offset);
    return this.#absorb(body);
  }

  /** The answer to a `fetch`. */
  page(body) {
    this.filling = false;
    if (body.epoch !== undefined && body.epoch !== this.epoch) {
      this.forget();
      return [{ do: 'resubscribe' }];
    }
    this.#hear(body.offset);
    return this.#absorb(body);
  }

  /** A live `publication` or `skip`: anything with an offset. */
  push(item) {
    this.#hear(item.offset);
    if (this.filling || this.offset === null) {
      this.#hold(item);
      return [];
    }
    if (item.offset <= this.offset) return [];
    if (item.offset > this.offset + 1) {
      this.#hold(item);
      return this.#fetch();
    }
    this.offset = item.offset;
    return [{ do: 'apply', item }, ...this.#drain()];
  }

  /** A `gap` push: `slow` can still be fetched, `expired` is gone. */
  gap({ from, to, reason }) {
    if (this.offset === null || to <= this.offset) return [];
    if (reason !== 'expired') return this.head(to);
    const steps = from > this.offset + 1 && !this.filling ? this.head(from - 1) : [];
    if (steps.length > 0) return steps; // what comes before the loss first; the page that follows names the loss
    return [this.#lose(to), ...this.#drain()];
  }

  /** A head from `ping.heads`: finds the publication that was lost at the very end. */
  head(offset) {
    this.#hear(offset);
    if (this.offset === null || this.filling || offset <= this.offset) return [];
    return this.#fetch();
  }

  /** The connection is gone, and with it every page on its way. `resume` covers what was held. */
  interrupted() {
    this.filling = false;
    this.#held.clear();
    this.#heard = this.offset ?? 0;
    this.#offsetAtFetch = -1;
  }

  /** Drops the position, so that the next subscribing starts afresh but still counts as a reset. */
  forget() {
    this.interrupted();
    this.epoch = '';
    this.offset = null;
  }

  #restart(body) {
    this.epoch = body.epoch;
    this.offset = body.offset;
    this.#heard = body.offset;
    this.#offsetAtFetch = -1;
  }

  #absorb({ gap, publications = [], more = false }) {
    const before = this.offset;
    const steps = [];
    if (gap && (this.offset === null || gap.to > this.offset)) steps.push(this.#lose(gap.to));
    for (const item of publications) {
      if (this.offset !== null && item.offset <= this.offset) continue;
      // Inside a page there are no holes but named ones; were there one, its content could not be had.
      if (this.offset !== null && item.offset > this.offset + 1) steps.push(this.#lose(item.offset - 1));
      this.offset = item.offset;
      steps.push({ do: 'apply', item });
    }
    if (more && this.offset !== before) {
      steps.push(...this.#fetch());
      return steps;
    }
    steps.push(...this.#drain());
    return steps;
  }

  #drain() {
    const steps = [];
    for (;;) {
      for (const offset of this.#held.keys()) if (offset <= this.offset) this.#held.delete(offset);
      const item = this.#held.get(this.offset + 1);
      if (!item) break;
      this.#held.delete(item.offset);
      this.offset = item.offset;
      steps.push({ do: 'apply', item });
    }
    if (this.#heard <= this.offset) return steps;
    if (this.#offsetAtFetch !== this.offset) return steps.concat(this.#fetch());
    // History was asked from exactly here and had nothing: the hole will never be filled.
    const next = this.#held.size > 0 ? Math.min(...this.#held.keys()) : this.#heard + 1;
    return steps.concat(this.#lose(next - 1), this.#drain());
  }

  #fetch() {
    this.filling = true;
    this.#offsetAtFetch = this.offset;
    return [{ do: 'fetch', after: this.offset }];
  }

  #lose(to) {
    const from = (this.offset ?? 0) + 1;
    this.offset = to;
    return { do: 'lost', from, to };
  }

  #hear(offset) {
    if (offset > this.#heard) this.#heard = offset;
  }

  #hold(item) {
    // What does not fit is not lost: it was heard of, so it will be fetched.
    if (this.#held.size < this.#holdCount) this.#held.set(item.offset, item);
  }
}

/** Lets a `state` pass only if it is newer than the last of its key. Bounded: the longest unchanged keys are forgotten. */
export class StateVersions {
  #versions = new Map();
  #capacity;

  constructor(capacity = 4096) {
    this.#capacity = capacity;
  }

  /** True if this state is news. */
  accept({ event, key, version }) {
    const name = `${event}\n${key}`;
    const last = this.#versions.get(name);
    if (last !== undefined && version <= last) return false;
    this.#versions.delete(name);
    this.#versions.set(name, version);
    if (this.#versions.size > this.#capacity) this.#versions.delete(this.#versions.keys().next().value);
    return true;
  }

  clear() {
    this.#versions.clear();
  }
}

/** Whether an error may be met by sending the same again, and after how long; `null` if not. */
export function repeatDelayMs(error, command, random) {
  if (!command.repeat || command.tries >= 5) return null;
  // What another node carries does not come here by waiting.
  if (error.node !== undefined && error.silent !== true) return null;
  if (error.code === 'unavailable' || error.code === 'internal') {
    return error.retry_after_ms ?? backoffMs(command.tries, random);
  }
  // A short rate limit is waited out; a long one is for the user to know.
  if (error.code === 'rate_limited' && error.retry_after_ms <= 3_000) return error.retry_after_ms + random() * 200;
  return null;
}

const realClock = {
  now: () => Date.now(),
  setTimeout: (run, ms) => globalThis.setTimeout(run, ms),
  clearTimeout: (timer) => globalThis.clearTimeout(timer),
};

/**
 * One connection that comes back by itself.
 *
 * `options`: `url`; `token({force})` resolving to a JWT or null for a guest (`force`: the last one was refused or
 * expires); `client` {name, version}; `onStatus({phase, attempt, retryAt, code, reason})` with phase `connecting`,
 * `online` (told again with `late`: true when something waits for its answer for over a second, false when nothing does any more),
 * `waiting` or `stopped`; `onWelcome(body)` after each connect; `onMessage(event, data)`; `onFlow(body)`;
 * `onError(error)` for what a handler threw (without it, it goes the way of any uncaught error).
 * For tests also `WebSocket`, `clock` {now, setTimeout, clearTimeout} and `random`.
 */
export class Client {
  #options;
  #clock;
  #random;
  #socket = null;
  #phase = 'stopped';
  /** Rises with every socket; what belongs to an older one is ignored. */
  #generation = 0;
  #attempt = 0;
  #notBefore = 0;
  #nextUrl = null;
  #forceToken = false;
  #onlineSince = 0;
  #lastHeard = 0;
  #openedAt = 0;
  /** When the question whether the connection lives was sent that nothing has come after. */
  #probedAt = null;
  /** Whether something waits for its answer for longer than an answer takes, as was told. */
  #late = false;
  #pingMs = 25_000;
  #timers = new Map();
  #nextId = 1;
  #connectId = 0;
  #pending = new Map();
  /** channel -> {cursor, states, handler, open} in order of importance */
  #channels = new Map();

  constructor(options) {
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.#random = options.random ?? Math.random;
  }

  get phase() {
    return this.#phase;
  }

  /** Connects, and stays connected until `stop`. */
  start() {
    if (this.#phase !== 'stopped') return;
    this.#attempt = 0;
    this.#open();
  }

  /** Leaves for good; unanswered commands are `cancelled`, subscriptions forgotten. */
  stop() {
    this.#leave();
    this.#cancelAll();
    this.#channels.clear();
    this.#become('stopped', { reason: 'left' });
  }

  /** Comes back as somebody else: nothing of the former person is repeated or kept. */
  restart() {
    this.stop();
    this.start();
  }

  /** The world has changed (network back, page visible again): as `hurry`, and an attempt from before it is made anew. */
  check() {
    if (this.#phase !== 'connecting') this.hurry();
    else if (this.#clock.now() - this.#openedAt >= PROBE_MS) this.#open(); // begun in a network that was not there it may hang for long
  }

  /** Somebody is impatient: come back now instead of after the wait, or prove that the connection lives. What is being opened keeps its time. */
  hurry() {
    if (this.#phase === 'waiting') {
      if (this.#notBefore <= this.#clock.now()) {
        this.#attempt = 0;
        this.#open();
      }
    } else if (this.#phase === 'online') {
      if (this.#probedAt !== null) return; // asking again must not put off the verdict
      this.#probedAt = this.#clock.now();
      this.#send(PROBE_ID, 'sync', { channels: [] }); // any answer will do, an error too
      this.#heedAnswers();
      this.#timer('probe', PROBE_MS, () => this.#lost(1006, 'no answer'));
    }
  }

  /**
   * Sends a command; resolves to the body of its `ok`, rejects with a CommandError.
   * With `op` in the body, or `repeat`, it outlives a lost connection. `timeoutMs` 0 waits for ever.
   */
  command(type, body = {}, { repeat = body.op !== undefined, timeoutMs = body.op === undefined ? COMMAND_TIMEOUT_MS : 0 } = {}) {
    if (this.#pending.size >= MAX_PENDING) return Promise.reject(new CommandError({ code: 'busy' }));
    if (this.#phase === 'stopped') return Promise.reject(new CommandError({ code: 'offline' }));
    return new Promise((resolve, reject) => {
      const command = { id: this.#takeId(), type, body, repeat, resolve, reject, tries: 0, sent: false, timer: null };
      if (timeoutMs > 0) {
        command.timer = this.#clock.setTimeout(() => {
          this.#fail(command, { code: this.#phase === 'online' ? 'timeout' : 'offline' });
        }, timeoutMs);
      }
      this.#pending.set(command.id, command);
      if (this.#phase === 'online') this.#dispatch(command);
    });
  }

  /**
   * Follows a channel; there is one handler for each, the latest. It has any of `opened()` (once, when the following
   * begins), `publication({offset, event, data, at})`, `state({event, key, version, data})`, `signal(event, data)`,
   * `reset()` (load anew: also called when publications were lost), `closed(reason)` (the following has ended by itself).
   * Returns a function that ends the following.
   */
  subscribe(channel, handler) {
    const entry = { channel, handler, cursor: new ChannelCursor(), states: new StateVersions(), open: false };
    this.#forgetChannel(channel);
    this.#channels.set(channel, entry);
    if (this.#phase === 'online') this.#askSubscribe(entry);
    return () => {
      if (this.#channels.get(channel) !== entry) return;
      this.#forgetChannel(channel);
      if (this.#phase === 'online') this.command('unsubscribe', { channel }).catch(() => {});
    };
  }

  // --- coming and going -------------------------------------------------------------------------------------------

  async #open() {
    this.#leave();
    const generation = this.#generation;
    this.#openedAt = this.#clock.now();
    this.#become('connecting', { attempt: this.#attempt });
    this.#timer('open', OPEN_TIMEOUT_MS, () => this.#lost(1006, 'no answer'));
    let token;
    try {
      token = await this.#options.token({ force: this.#forceToken });
    } catch (error) {
      if (generation === this.#generation) this.#lost(1006, error.message);
      return;
    }
    if (generation !== this.#generation) return;
    this.#forceToken = false;
    const Socket = this.#options.WebSocket ?? globalThis.WebSocket;
    const socket = new Socket(this.#nextUrl ?? this.#options.url, [SUBPROTOCOL]);
    this.#nextUrl = null;
    this.#socket = socket;
    const current = (run) => (event) => {
      if (generation === this.#generation) run(event);
    };
    socket.onopen = current(() => this.#greet(token));
    socket.onmessage = current((event) => this.#receive(event.data));
    socket.onclose = current((event) => this.#lost(event.code, event.reason));
    socket.onerror = () => {}; // a close follows, and says more
  }

  #greet(token) {
    const resume = {};
    for (const entry of [...this.#channels.values()].slice(0, RESUME_CHANNELS)) {
      const position = knownPosition(entry);
      if (position) resume[entry.channel] = position;
    }
    const body = { client: this.#options.client, resume };
    if (token) body.token = token;
    this.#connectId = this.#takeId();
    this.#send(this.#connectId, 'connect', body);
  }

  #welcome(body) {
    this.#stopTimer('open');
    this.#pingMs = body.ping_ms ?? this.#pingMs;
    this.#onlineSince = this.#clock.now();
    this.#become('online', {});
    this.#watchSilence();
    // What the application subscribes or sends from within `onWelcome` takes its own way.
    const entries = [...this.#channels.values()];
    const commands = [...this.#pending.values()].filter((command) => !command.sent && !command.resting);
    this.#tell(this.#options, 'onWelcome', body);
    const rest = [];
    for (const entry of entries) {
      const result = body.subscriptions?.[entry.channel];
      if (result) this.#subscribed(entry, result);
      else rest.push(entry);
    }
    this.#syncAll(rest.filter(knownPosition));
    for (const entry of rest) if (!knownPosition(entry)) this.#askSubscribe(entry);
    for (const command of commands) if (this.#pending.has(command.id)) this.#dispatch(command);
  }

  #lost(code, reason = '') {
    const verdict = closeVerdict(code);
    const now = this.#clock.now();
    if (this.#phase === 'online' && now - this.#onlineSince >= GOOD_CONNECTION_MS) this.#attempt = 0;
    this.#leave();
    if (verdict === 'stop') {
      this.#cancelAll();
      return this.#become('stopped', { code, reason });
    }
    if (verdict === 'token') this.#forceToken = true;
    const wait = returnDelayMs({ attempt: this.#attempt, notBefore: this.#notBefore }, now, this.#random);
    this.#attempt += 1;
    this.#become('waiting', { code, reason, attempt: this.#attempt, retryAt: now + wait });
    this.#timer('return', wait, () => {
      this.#notBefore = 0;
      this.#open();
    });
  }

  /** Lets go of the socket without waiting for its farewell: a dead network never says it. */
  #leave() {
    this.#generation += 1;
    for (const name of [...this.#timers.keys()]) this.#stopTimer(name);
    if (this.#socket?.readyState <= 1) this.#socket.close(1000);
    this.#socket = null;
    this.#probedAt = null;
    this.#late = false;
    for (const entry of this.#channels.values()) {
      entry.open = false;
      entry.cursor.interrupted();
    }
    for (const command of [...this.#pending.values()]) {
      if (!command.sent) continue;
      command.sent = false;
      if (!command.repeat) this.#fail(command, { code: 'disconnected' });
    }
  }

  #become(phase, detail) {
    this.#phase = phase;
    this.#tell(this.#options, 'onStatus', { phase, ...detail });
  }

  #watchSilence() {
    const limit = silenceLimitMs(this.#pingMs);
    this.#lastHeard = this.#clock.now();
    const look = () => {
      const silent = this.#clock.now() - this.#lastHeard;
      if (silent >= limit) this.#lost(1006, 'silent');
      else this.#timer('silence', limit - silent, look);
    };
    this.#timer('silence', limit, look);
  }

  // --- messages ---------------------------------------------------------------------------------------------------

  #send(id, type, body) {
    this.#socket.send(JSON.stringify([id, type, body]));
  }

  #receive(text) {
    this.#lastHeard = this.#clock.now();
    if (this.#probedAt !== null) {
      this.#probedAt = null;
      this.#stopTimer('probe');
      this.#heedAnswers();
    }
    let envelope;
    try {
      envelope = JSON.parse(text);
    } catch {
      return this.#lost(1007, 'not JSON');
    }
    if (!Array.isArray(envelope) || envelope.length < 3) return;
    const [id, type, body] = envelope;
    if (typeof body !== 'object' || body === null) return;
    if (id === 0 && type !== 'error') this.#push(type, body);
    else if (id === this.#connectId) this.#connected(type, body);
    else this.#answer(id, type, body);
  }

  #connected(type, body) {
    if (type === 'ok') return this.#welcome(body);
    // The close that follows says whether to come back; should it not follow, the open timer does.
    if (body.code === 'token_expired') this.#forceToken = true;
  }

  #answer(id, type, body) {
    const command = this.#pending.get(id);
    if (!command) return;
    if (type === 'ok') {
      this.#finish(command);
      command.resolve(body);
      return;
    }
    const delay = repeatDelayMs(body, command, this.#random);
    if (delay === null) {
      this.#fail(command, body);
      return;
    }
    command.sent = false;
    command.resting = true;
    this.#heedAnswers();
    this.#clock.setTimeout(() => {
      command.resting = false;
      if (this.#pending.has(command.id) && !command.sent && this.#phase === 'online') this.#dispatch(command);
    }, delay);
  }

  #push(type, body) {
    const entry = this.#channels.get(body.channel);
    switch (type) {
      case 'publication':
      case 'skip':
        if (entry) this.#follow(entry, entry.cursor.push(type === 'skip' ? { offset: body.offset, skip: true } : body));
        break;
      case 'state':
        if (entry && entry.states.accept(body)) this.#tell(entry.handler, 'state', body);
        break;
      case 'signal':
        if (entry) this.#tell(entry.handler, 'signal', body.event, body.data);
        break;
      case 'gap':
        if (entry) this.#follow(entry, entry.cursor.gap(body));
        break;
      case 'ping':
        for (const [channel, offset] of Object.entries(body.heads ?? {})) {
          const behind = this.#channels.get(channel);
          if (behind?.open) this.#follow(behind, behind.cursor.head(offset));
        }
        break;
      case 'subscribed':
        if (entry && body.epoch !== undefined) this.#subscribed(entry, body);
        break;
      case 'unsubscribed':
        if (entry) this.#closeChannel(entry, body.reason);
        break;
      case 'reconnect':
        this.#notBefore = this.#clock.now() + (body.after_ms ?? 0);
        this.#nextUrl = body.url ?? null;
        break;
      case 'token.expiring':
        this.#timer('refresh', refreshDelayMs(body.expires_at, this.#clock.now()), () => this.#refreshToken());
        break;
      case 'message':
        this.#tell(this.#options, 'onMessage', body.event, body.data);
        break;
      case 'flow':
        this.#tell(this.#options, 'onFlow', body);
        break;
      default: // a later server may say more than we know
    }
  }

  async #refreshToken() {
    const generation = this.#generation;
    try {
      const token = await this.#options.token({ force: true });
      if (token && generation === this.#generation) await this.command('refresh', { token });
    } catch {
      // The server will close with 4004, and the way back asks for a token again.
    }
  }

  // --- channels ---------------------------------------------------------------------------------------------------

  #askSubscribe(entry) {
    const body = { channel: entry.channel, ...knownPosition(entry) };
    this.#command('subscribe', body, (reply) => this.#subscribed(entry, reply), (error) => this.#subscribed(entry, { error }));
  }

  #syncAll(entries) {
    for (let start = 0; start < entries.length; start += RESUME_CHANNELS) {
      const group = entries.slice(start, start + RESUME_CHANNELS);
      const channels = group.map((entry) => ({ channel: entry.channel, ...entry.cursor.position() }));
      this.#command(
        'sync',
        { channels, bytes: SYNC_BYTES },
        (reply) => group.forEach((entry, index) => this.#subscribed(entry, reply.subscriptions[index] ?? { error: { code: 'internal' } })),
        () => group.forEach((entry) => this.#askSubscribe(entry)),
      );
    }
  }

  #subscribed(entry, result) {
    if (this.#channels.get(entry.channel) !== entry) return;
    const error = result.error;
    if (error) {
      const passing = ['unavailable', 'internal', 'rate_limited', 'timeout'].includes(error.code);
      if (!passing) return this.#closeChannel(entry, error.code);
      const wait = error.retryAfterMs ?? error.retry_after_ms ?? backoffMs(2, this.#random);
      this.#timer(repetitionOf(entry.channel), wait, () => this.#askSubscribe(entry));
      return;
    }
    entry.open = true;
    this.#follow(entry, entry.cursor.opened(result));
    for (const state of result.states ?? []) if (entry.states.accept(state)) this.#tell(entry.handler, 'state', { channel: entry.channel, ...state });
  }

  #closeChannel(entry, reason) {
    this.#forgetChannel(entry.channel);
    this.#tell(entry.handler, 'closed', reason);
  }

  /** Whoever follows no more must not be subscribed by a repetition that still waits. */
  #forgetChannel(channel) {
    this.#channels.delete(channel);
    this.#stopTimer(repetitionOf(channel));
  }

  /** Does what a cursor decided. */
  #follow(entry, steps) {
    for (const step of steps) {
      if (this.#channels.get(entry.channel) !== entry) return; // a handler has ended the following
      if (step.do === 'opened') {
        this.#tell(entry.handler, 'opened');
      } else if (step.do === 'apply') {
        if (!step.item.skip) this.#tell(entry.handler, 'publication', step.item);
      } else if (step.do === 'fetch') {
        this.#fetch(entry, step.after);
      } else if (step.do === 'resubscribe') {
        this.#askSubscribe(entry);
      } else if (step.do === 'reset' || step.do === 'lost') {
        if (step.do === 'reset') entry.states.clear();
        this.#tell(entry.handler, 'reset', step);
      }
    }
  }

  #fetch(entry, after) {
    this.#command(
      'history',
      { channel: entry.channel, after, limit: 256 },
      (reply) => this.#follow(entry, entry.cursor.page(reply)),
      (error) => {
        if (this.#channels.get(entry.channel) !== entry) return;
        if (error.code === 'not_found' || error.code === 'forbidden') return this.#closeChannel(entry, error.code);
        this.#timer(repetitionOf(entry.channel), error.retryAfterMs ?? 1_000, () => this.#fetch(entry, after));
      },
    );
  }

  // --- commands ---------------------------------------------------------------------------------------------------

  /** A command of the core itself, answered in the same turn as the message: no push may slip in between. */
  #command(type, body, resolve, reject) {
    const refused = (error) => {
      // A lost connection is no answer: the next welcome asks for what is still wanted.
      if (error.code !== 'disconnected' && error.code !== 'cancelled') reject(error);
    };
    const command = { id: this.#takeId(), type, body, repeat: false, tries: 0, sent: false, timer: null, resolve, reject: refused };
    this.#pending.set(command.id, command);
    this.#dispatch(command);
  }

  #dispatch(command) {
    command.sent = true;
    command.tries += 1;
    command.sentAt = this.#clock.now();
    this.#send(command.id, command.type, command.body);
    this.#heedAnswers();
  }

  /** Tells when something has waited for its answer for too long, and when nothing does any more. */
  #heedAnswers() {
    if (this.#phase !== 'online' || this.#socket === null) return;
    const waiting = [...this.#pending.values()].filter(({ sent }) => sent).map(({ sentAt }) => sentAt);
    if (this.#probedAt !== null) waiting.push(this.#probedAt);
    const waited = waiting.length > 0 ? this.#clock.now() - Math.min(...waiting) : 0;
    const late = waited >= ANSWER_MS;
    if (waiting.length === 0 || late) this.#stopTimer('answer');
    else if (!this.#timers.has('answer')) this.#timer('answer', ANSWER_MS - waited, () => this.#heedAnswers());
    if (late === this.#late) return;
    this.#late = late;
    this.#tell(this.#options, 'onStatus', { phase: 'online', late });
  }

  #takeId() {
    const id = this.#nextId;
    this.#nextId = id >= 0x7ffffffe ? 1 : id + 1;
    return id;
  }

  #finish(command) {
    this.#pending.delete(command.id);
    if (command.timer !== null) this.#clock.clearTimeout(command.timer);
    this.#heedAnswers();
  }

  #fail(command, body) {
    if (!this.#pending.has(command.id)) return;
    this.#finish(command);
    command.reject(new CommandError(body));
  }

  #cancelAll() {
    for (const command of [...this.#pending.values()]) this.#fail(command, { code: 'cancelled' });
  }

  /** Calls what the application gave. What it throws is its own affair: the position in a channel goes on. */
  #tell(handler, method, ...news) {
    try {
      handler[method]?.(...news);
    } catch (error) {
      (this.#options.onError ?? uncaught)(error);
    }
  }

  // --- timers: one of each name, none outlives its connection ------------------------------------------------------

  #timer(name, ms, run) {
    this.#stopTimer(name);
    this.#timers.set(
      name,
      this.#clock.setTimeout(() => {
        this.#timers.delete(name);
        run();
      }, ms),
    );
  }

  #stopTimer(name) {
    if (!this.#timers.has(name)) return;
    this.#clock.clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}

function uncaught(error) {
  queueMicrotask(() => { throw error; });
}

/** The timer that asks for a channel, or for a page of it, once more: never both at a time. */
function repetitionOf(channel) {
  return `repetition ${channel}`;
}

/** The position of a channel that has one; one that was forgotten has none to offer. */
function knownPosition(entry) {
  const position = entry.cursor.position();
  return position && position.offset !== null ? position : null;
}
