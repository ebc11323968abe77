// The live that is sent from this page. It belongs to no view: whoever broadcasts may read a post meanwhile. Owns the
// source, the publisher and the key, and ends all of it when the person leaves.

import { newOp } from '../../client.js';
import { Publisher, encodingsFor } from '../../live.js';
import { Signal } from '../signal.js';

/** The server waits half a minute for a broadcaster, so their socket tries this often, instead of ever more rarely. */
const HURRY_MS = 2_000;

export class OnAir {
  /** Emits when anything that is shown of it has changed. */
  changed = new Signal();
  live = null;
  source = null;
  /** `{phase, reason?, error?}` of the publisher. */
  status = { phase: 'idle' };
  /** `{stream_key, whip_url}` of this live, for an encoder. */
  key = null;
  /** The last `rtc.warning`, and when it came. */
  warning = null;
  /** `video` or `audio`, once the source has ended by itself. */
  lostSource = null;
  #connection;
  #publisher = null;
  #choice = { codec: 'auto' };
  /** Keeps the screen of whoever films with a phone from going dark. */
  #awake = null;

  constructor(connection) {
    this.#connection = connection;
    addEventListener('online', () => this.#publisher?.check());
    addEventListener('beforeunload', (event) => {
      if (this.sending) event.preventDefault();
    });
    document.addEventListener('visibilitychange', () => this.#stayAwake());
    setInterval(() => this.status.phase === 'reconnecting' && this.#hurry(), HURRY_MS);
  }

  /** Whether media is sent from here, or is meant to be. */
  get sending() {
    return this.#publisher !== null && this.status.phase !== 'over';
  }

  is(liveId) {
    return this.sending && this.live?.id === liveId;
  }

  /**
   * Starts a live with `source` and answers it. Where one of this person runs already, that is the one, and what it shows is
   * replaced only if `mayTake(live)` says so: it may come from a camera that was set up with care. One that another node
   * carries cannot be taken from here, so nobody is asked.
   */
  async start(source, body, choice, mayTake) {
    const answer = await this.#connection.ask('live.start', { op: newOp(), ...body });
    const taken = answer.changed || ((await this.#isCarriedHere(answer.live)) && (await mayTake(answer.live)));
    if (taken) {
      this.key = { stream_key: answer.stream_key, whip_url: answer.whip_url };
      this.#send(answer.live, source, answer.ice_servers, choice);
    }
    return { live: answer.live, taken };
  }

  async #isCarriedHere(live) {
    try {
      await this.#connection.ask('live.join', { live_id: live.id });
      return true;
    } catch (error) {
      if (error.carrier) return false;
      throw error;
    }
  }

  /** Sends into a live of this person that runs already, from wherever. */
  async take(live, source, choice) {
    const { live: now, ice_servers: iceServers } = await this.#connection.ask('live.join', { live_id: live.id });
    if (this.live?.id !== live.id) this.key = null;
    this.#send(now, source, iceServers, choice);
  }

  /** Sends another source instead; viewers notice nothing but the picture. */
  async switchTo(source) {
    const former = this.source;
    this.#own(source);
    source.mute(former?.muted ?? false);
    for (const track of [source.sound, source.video]) if (track) await this.#publisher?.replace(track);
    former?.stop();
    this.changed.emit();
  }

  mute(on) {
    this.source.mute(on);
    this.changed.emit();
  }

  async hide(on) {
    await this.#publisher.replace(await this.source.hide(on));
    this.changed.emit();
  }

  figures() {
    return this.#publisher?.figures() ?? Promise.resolve(null);
  }

  /**
   * Ends the live for everybody; resolves to its report. Where the connection has come back at another node than the live's,
   * that refuses: nothing is sent any more all the same, and without anybody who goes on the live ends by itself.
   */
  async stop() {
    try {
      const { report } = await this.#connection.ask('live.stop', { live_id: this.live.id });
      this.leave();
      return report;
    } catch (error) {
      if (error.carrier && !error.carrier.isSilent) this.leave();
      throw error;
    }
  }

  /** Sends no more. The live itself waits for somebody to go on, and ends if nobody does. */
  leave() {
    this.#publisher?.stop();
    this.#publisher = null;
    this.source?.stop();
    this.source = null;
    this.status = { phase: 'idle' };
    this.key = null;
    this.live = null;
    void this.#stayAwake();
    this.changed.emit();
  }

  #send(live, source, iceServers, choice = this.#choice) {
    this.#publisher?.stop();
    this.#choice = choice;
    this.live = live;
    this.warning = null;
    this.#own(source);
    this.#publisher = new Publisher({
      signalling: this.#connection.signalling,
      liveId: live.id,
      iceServers,
      audio: source.sound,
      video: source.video,
      encodings: encodingsFor({ height: source.height, simulcast: source.kind !== 'screen', codec: choice.codec }),
      codec: choice.codec,
      onStatus: (status) => {
        this.status = status;
        if (status.phase === 'over') this.#letGo(source);
        // Where pictures get through again, the socket need not wait for its next turn.
        if (status.phase === 'flowing') this.#hurry();
        void this.#stayAwake();
        this.changed.emit();
      },
      onWarning: (warning) => {
        this.warning = { ...warning, at: Date.now() };
        this.changed.emit();
      },
    });
    this.#publisher.start();
  }

  #hurry() {
    if (this.#connection.state !== 'online') this.#connection.tryNow();
  }

  /** What is not sent any more needs no camera. */
  #letGo(source) {
    source.stop();
    if (this.source === source) this.source = null;
    this.#publisher = null;
  }

  /** A lock ends by itself when the page is hidden, so it is taken anew when it is shown again. */
  async #stayAwake() {
    if (!this.sending) {
      this.#awake?.release();
      this.#awake = null;
    } else if (document.visibilityState === 'visible' && (this.#awake?.released ?? true)) {
      this.#awake = (await navigator.wakeLock?.request('screen').catch(() => null)) ?? null; // a saving of power may forbid it
    }
  }

  #own(source) {
    this.source = source;
    this.lostSource = null;
    source.onended = (kind) => {
      this.lostSource = kind;
      this.changed.emit();
    };
  }
}
