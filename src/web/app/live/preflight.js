// Whether what is sent from here would arrive: the server is asked how it does, and a peer that carries nothing tries the way.

import { tryPath } from '../../live.js';
import { Signal } from '../signal.js';

/** A server that has just started tries itself for a few seconds. */
const ASK_AGAIN_MS = 1_000;

export class Preflight {
  /** Emits when anything of the following has changed. */
  changed = new Signal();
  /** Whether the server takes commands. */
  serverReady = true;
  /** How its own test stream came out: `running`, `passed`, `failed` or `off`; null until it has said so. */
  selftest = null;
  /** What the way of media is: `trying`, `open`, `blocked`, or `unknown` where it could not be tried. */
  path = 'trying';
  #signalling;
  #turn = 0;
  #timer;

  constructor(signalling) {
    this.#signalling = signalling;
  }

  /** Asks and tries anew; what an earlier call finds out counts no more. */
  async run() {
    const turn = (this.#turn += 1);
    clearTimeout(this.#timer);
    this.path = 'trying';
    this.changed.emit();
    void this.#askServer(turn);
    const path = await tryPath({ signalling: this.#signalling });
    if (turn !== this.#turn) return;
    this.path = path;
    this.changed.emit();
  }

  stop() {
    this.#turn += 1;
    clearTimeout(this.#timer);
  }

  async #askServer(turn) {
    const { ready, selftest } = await readiness();
    if (turn !== this.#turn) return;
    this.serverReady = ready;
    this.selftest = selftest;
    this.changed.emit();
    if (selftest === 'running') this.#timer = setTimeout(() => this.#askServer(turn), ASK_AGAIN_MS);
  }
}

async function readiness() {
  try {
    const reply = await fetch('readyz');
    const body = await reply.json();
    return { ready: reply.ok, selftest: body.live?.state ?? null };
  } catch {
    return { ready: false, selftest: null };
  }
}
