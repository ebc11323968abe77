// The media core of CommuniConnect: one publishes or watches a live over the commands `rtc.*` of an open socket, and
// stays connected. It needs `RTCPeerConnection` and nothing else of a page, so other projects can lift it together with
// client.js. It knows nothing of elements, devices or words.
//
//     import { Client } from './client.js';
//     import { Publisher, Signalling, Viewer } from './live.js';
//
//     const signalling = new Signalling((type, body) => client.command(type, body));
//     const client = new Client({ …, onMessage: (...news) => signalling.message(...news), onWelcome: (body) => signalling.welcomed(body) });
//
//     const viewer = new Viewer({ signalling, liveId, onTrack: (track) => show(track), onStatus: ({ phase }) => tell(phase) });
//     viewer.start();
//
//     const publisher = new Publisher({ signalling, liveId, iceServers, audio, video, encodings: encodingsFor({ height: 720 }) });
//     publisher.start();
//
//     if ((await tryPath({ signalling })) === 'blocked') tell('No media gets through here.');
//
// What it promises (protocol/SPEC.md §Peers has the wire):
// - a path that breaks is mended on the same peer connection by an ICE restart; where that fails a new peer is made;
// - a peer that the server has closed is made anew, now or after a growing wait, unless the reason says that it is over;
// - what was begun over a lost socket is taken up as soon as the socket is back, and the server is asked then whether it
//   still knows the peer: unless another node answers now, which could not know it, while media flows to its own;
// - a viewer joins again after each new session, and their wish for quality outlives the peer.
//
// Our candidates are not sent: the server is ICE-lite (RFC 8445 §2.5), it answers to wherever checks come from.

import { backoffMs } from './client.js';

/** How long a path may stay silent before it is mended: browsers say `disconnected` of every short gap. */
const PATIENCE_MS = 1_500;
/** From an answer to a secured connection: the server allows a handshake 10 s. */
const CONNECT_MS = 10_000;
/** A restart needs no handshake. */
const RESTART_MS = 5_000;
/** Restarts in a row before a new peer is made. */
const RESTARTS = 2;
/** A connection that has ended without a word is given this long for the word that says why. */
const FAREWELL_MS = 700;
/** A connection that lasted this long was a good one: the next waits start small again. */
const GOOD_CONNECTION_MS = 10_000;
const LONGEST_WAIT_MS = 10_000;
/**
 * Tries of the way before it is called blocked. The first is shorter than the server lets its peer live, and long enough for
 * a slow network's handshake. The second is for those whose other tab tried meanwhile: the server keeps one peer of a person
 * and drops the earlier in silence, which looks like a way that carries nothing.
 */
const TRIES_MS = [8_000, 4_000];

const CONFIGURATION = { bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require' };

/**
 * What a reason of `rtc.closed` asks for: a new peer `now`, `again` after a wait, or `over`. Reasons of a later server are
 * worth another try: if it is over, the answer to that says so.
 */
export function verdictOnClose(reason) {
  if (reason === 'renegotiate') return 'now';
  return ['replaced', 'stopped', 'ended', 'banned', 'forbidden', 'bitrate', 'duration'].includes(reason) ? 'over' : 'again';
}

/** What a refused command asks for: `socket` (wait until it is back), `again` after a wait, or `over`. */
export function verdictOnError(error) {
  switch (typeof error.code === 'string' ? error.code : 'unsupported') {
    case 'disconnected':
    case 'offline':
    case 'cancelled':
      return 'socket';
    case 'unavailable': // a live does not move; only of a node that fell silent may another say soon that it is over
      return error.carrier && !error.carrier.isSilent ? 'over' : 'again';
    case 'timeout':
    case 'busy':
    case 'internal':
    case 'rate_limited':
      return 'again';
    case 'conflict': // what has not begun, or changes hands too fast, says when to ask again; what has ended does not
      return error.retryAfterMs === undefined ? 'over' : 'again';
    default:
      return 'over';
  }
}

/**
 * Waits before a live is asked for again whose node has not said where it is: one that has just started says so within some
 * seconds. Fifteen of them in all; whoever has not by then has no address to tell.
 */
const PLACE_WAITS_MS = [1_000, 2_000, 4_000, 8_000];

/** Whether a live runs on another node, and nothing is known yet of where that is or that it is gone. */
function isUnplaced({ carrier }) {
  return Boolean(carrier) && carrier.url === null && !carrier.isSilent;
}

/** Why a refusal ends it: `elsewhere` where another node carries the live, else its code, or `unsupported` by the browser. */
function reasonOf(error) {
  if (error.carrier) return 'elsewhere';
  return typeof error.code === 'string' ? error.code : 'unsupported';
}

/** Bits per second that a picture of so many lines is worth at 30 frames a second. */
export function bitrateFor(height) {
  const steps = [[180, 180_000], [360, 600_000], [540, 1_100_000], [720, 1_800_000], [1080, 3_200_000]];
  return (steps.find(([lines]) => height <= lines) ?? steps.at(-1))[1];
}

/** Lines from which on browsers send three layers, and two: of more layers than they deem worth it they drop the best. */
const THREE_LAYERS = 540;
const TWO_LAYERS = 270;

/**
 * `sendEncodings` for a picture of `height` lines, the smallest first: up to three layers, or one where `simulcast` is
 * false (a shared screen is read, and small text is none). VP9 and AV1 are told not to put layers inside an encoding, since a
 * server that forwards whole encodings could not take them apart.
 */
export function encodingsFor({ height, simulcast = true, codec = 'auto' }) {
  const flat = codec === 'VP9' || codec === 'AV1' ? { scalabilityMode: 'L1T1' } : {};
  if (!simulcast || height < TWO_LAYERS) return [{ maxBitrate: bitrateFor(height), ...flat }];
  return [['q', 4], ['h', 2], ['f', 1]].slice(height < THREE_LAYERS ? 1 : 0).map(([rid, scaleResolutionDownBy]) => (
    { rid, scaleResolutionDownBy, maxBitrate: bitrateFor(Math.ceil(height / scaleResolutionDownBy)), ...flat }));
}

/** Codecs in the order to offer them: the wished one first; `auto` leaves the browser's own order (null). */
export function codecOrder(codecs, wished) {
  const isWished = ({ mimeType }) => mimeType.toLowerCase() === `video/${wished.toLowerCase()}`;
  if (wished === 'auto' || !codecs.some(isWished)) return null;
  return [...codecs.filter(isWished), ...codecs.filter((codec) => !isWished(codec))];
}

/**
 * Figures out of a `getStats` report: sums since the connection began, and rates since `before` (an earlier answer).
 * `sent` or received: bytes, packets, lost (packets), frames, width, height, fps, freezes, rtt_ms, bitrate, loss (per cent).
 */
export function summarize(report, before = null) {
  const now = { at: 0, bytes: 0, packets: 0, lost: 0, frames: 0, width: 0, height: 0, fps: 0, freezes: 0, rtt_ms: null, bitrate: 0, loss: 0 };
  for (const stats of report.values()) {
    if (stats.type === 'inbound-rtp' || stats.type === 'outbound-rtp') {
      now.at = Math.max(now.at, stats.timestamp);
      now.bytes += stats.bytesReceived ?? stats.bytesSent ?? 0;
      now.packets += stats.packetsReceived ?? stats.packetsSent ?? 0;
      now.lost += Math.max(0, stats.packetsLost ?? 0);
      if (stats.kind !== 'video') continue;
      now.frames += stats.framesDecoded ?? stats.framesEncoded ?? 0;
      now.freezes += stats.freezeCount ?? 0;
      if ((stats.frameHeight ?? 0) >= now.height) {
        now.width = stats.frameWidth ?? now.width;
        now.height = stats.frameHeight ?? now.height;
        now.fps = Math.round(stats.framesPerSecond ?? 0);
      }
    } else if (stats.type === 'remote-inbound-rtp') {
      now.lost += Math.max(0, stats.packetsLost ?? 0);
    } else if (stats.type === 'candidate-pair' && stats.nominated && stats.currentRoundTripTime !== undefined) {
      now.rtt_ms = Math.round(stats.currentRoundTripTime * 1_000);
    }
  }
  const seconds = before ? (now.at - before.at) / 1_000 : 0;
  if (seconds > 0 && now.bytes >= before.bytes) {
    const [packets, lost] = [now.packets - before.packets, Math.max(0, now.lost - before.lost)];
    now.bitrate = Math.round(((now.bytes - before.bytes) * 8) / seconds);
    now.loss = packets + lost > 0 ? (100 * lost) / (packets + lost) : 0;
  }
  return now;
}

/** What peers need of a socket. `ask(type, body)` resolves to the body of `ok`, rejects with `{code, retryAfterMs?, carrier?}`. */
export class Signalling {
  ask;
  /** Who answers what is asked now; undefined until a session told it. */
  node;
  #listeners = new Set();

  constructor(ask) {
    this.ask = ask;
  }

  /** The push `message` has arrived. */
  message(event, data) {
    for (const { message } of [...this.#listeners]) message(event, data);
  }

  /** A new session stands; its `node` is the one that serves it. */
  welcomed({ node } = {}) {
    this.node = node;
    for (const { welcomed } of [...this.#listeners]) welcomed();
  }

  /** Tells `message(event, data)` and `welcomed()`; returns a function that ends it. */
  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

const realClock = {
  setTimeout: (run, ms) => globalThis.setTimeout(run, ms),
  clearTimeout: (timer) => globalThis.clearTimeout(timer),
};

/**
 * One way of media that keeps itself up. `role` has `command` (`rtc.publish` or `rtc.watch`), `furnish(pc)`, which
 * adds transceivers, `iceServers()`, and may have `welcomed()` and `opened()`.
 */
class Peer {
  #options;
  #role;
  #clock;
  #random;
  #pc = null;
  #peerId = null;
  /** The node that made the peer, and alone knows it. */
  #node;
  #phase = 'idle';
  /** Rises with every peer connection; what belongs to an older one is ignored. */
  #turn = 0;
  #attempt = 0;
  #restarts = 0;
  /** How often in a row it was not known where the node is that carries the live. */
  #placeAsked = 0;
  #restarting = false;
  #hasFlowed = false;
  /** Whether this very peer has been connected. */
  #hasConnected = false;
  /** Why the last attempt came to nothing; told along while the next one runs. */
  #trouble = {};
  /** What to do when the socket is back. */
  #resume = null;
  #timers = new Map();
  #endListening = null;
  #figures = null;

  constructor(options, role) {
    this.#options = options;
    this.#role = role;
    this.#clock = options.clock ?? realClock;
    this.#random = options.random ?? Math.random;
  }

  get phase() {
    return this.#phase;
  }

  get peerId() {
    return this.#peerId;
  }

  get connection() {
    return this.#pc;
  }

  start() {
    if (this.#endListening) return;
    this.#endListening = this.#options.signalling.listen({
      message: (event, data) => this.#message(event, data),
      welcomed: () => this.#welcomed(),
    });
    this.#attempt = 0;
    this.#placeAsked = 0;
    this.#hasFlowed = false;
    this.#trouble = {};
    this.#open();
  }

  /** Leaves: the server hears of it, nothing is said of it here. */
  stop() {
    if (this.#peerId !== null) this.ask('rtc.close', { peer_id: this.#peerId }).catch(() => {});
    this.#end();
    this.#phase = 'idle';
  }

  /** The network may have changed: mend what is not well now instead of after a wait. */
  check() {
    if (this.#phase !== 'reconnecting' && this.#phase !== 'waiting') return;
    if (this.#timers.has('again')) this.#open();
    else if (!this.#restarting && this.#resume === null && this.#pc?.connectionState !== 'connected') this.#restart();
  }

  /** @returns figures as `summarize` says, or null without a connection */
  async figures() {
    const pc = this.#pc;
    if (!pc) return null;
    const figures = summarize(await pc.getStats(), this.#figures);
    if (pc === this.#pc) this.#figures = figures;
    return figures;
  }

  ask(type, body) {
    return this.#options.signalling.ask(type, body);
  }

  // --- making a connection ----------------------------------------------------------------------------------------

  async #open() {
    this.#drop();
    const turn = this.#turn;
    this.#become(this.#hasFlowed ? 'reconnecting' : 'connecting', this.#trouble);
    try {
      const pc = this.#build(turn);
      const [iceServers, offer] = await Promise.all([this.#role.iceServers(), pc.createOffer()]);
      if (turn !== this.#turn) return;
      if (iceServers.length > 0) pc.setConfiguration({ ...CONFIGURATION, iceServers });
      await pc.setLocalDescription(offer);
      const answer = await this.ask(this.#role.command, { live_id: this.#options.liveId, sdp: pc.localDescription.sdp });
      if (turn !== this.#turn) {
        this.ask('rtc.close', { peer_id: answer.peer_id }).catch(() => {}); // nobody waits for it any more
        return;
      }
      this.#peerId = answer.peer_id;
      this.#node = this.#options.signalling.node;
      this.#timer('connect', CONNECT_MS, () => this.#again({ reason: 'unreachable' }));
      await pc.setRemoteDescription({ type: 'answer', sdp: answer.sdp });
      if (turn !== this.#turn) return;
      this.#watchSecurity(pc, turn);
      this.#role.opened?.();
    } catch (error) {
      if (turn === this.#turn) this.#refused(error);
    }
  }

  #build(turn) {
    const Connection = this.#options.RTCPeerConnection ?? globalThis.RTCPeerConnection;
    const pc = new Connection(CONFIGURATION);
    this.#pc = pc;
    pc.ontrack = ({ track }) => turn === this.#turn && this.#options.onTrack?.(track);
    pc.onconnectionstatechange = () => {
      if (turn !== this.#turn) return;
      if (pc.connectionState === 'connected') this.#flows();
      else if (pc.connectionState === 'disconnected') this.#falters();
      else if (pc.connectionState === 'failed' || pc.connectionState === 'closed') this.#broke(pc);
    };
    this.#role.furnish(pc);
    return pc;
  }

  /** The server's farewell closes the secure transport, and some browsers show that nowhere else. */
  #watchSecurity(pc, turn) {
    const [transceiver] = pc.getTransceivers();
    const transport = transceiver?.sender.transport ?? transceiver?.receiver.transport;
    if (!transport) return;
    transport.onstatechange = () => {
      if (turn === this.#turn && (transport.state === 'closed' || transport.state === 'failed')) this.#ended();
    };
  }

  #flows() {
    this.#stopTimers();
    this.#hasFlowed = true;
    this.#hasConnected = true;
    this.#trouble = {};
    this.#timer('good', GOOD_CONNECTION_MS, () => {
      this.#attempt = 0;
      this.#placeAsked = 0;
      this.#restarts = 0;
    });
    this.#become('flowing', {});
  }

  // --- what goes wrong --------------------------------------------------------------------------------------------

  #falters() {
    this.#stopTimer('good');
    this.#become('reconnecting', {});
    this.#timer('patience', PATIENCE_MS, () => this.#restart());
  }

  #broke(pc) {
    const secure = pc.getTransceivers()[0]?.sender.transport?.state;
    if (pc.connectionState === 'closed' || secure === 'closed' || secure === 'failed') this.#ended();
    else this.#restart();
  }

  #ended() {
    this.#stopTimers();
    this.#timer('farewell', FAREWELL_MS, () => this.#again({ reason: 'closed' }));
  }

  async #restart() {
    if (this.#restarting) return;
    this.#stopTimers();
    if (this.#peerId === null || this.#restarts >= RESTARTS) return this.#again({ reason: 'unreachable' });
    const [pc, turn] = [this.#pc, this.#turn];
    this.#restarts += 1;
    this.#restarting = true;
    this.#become('reconnecting', {});
    try {
      await pc.setLocalDescription(await pc.createOffer({ iceRestart: true }));
      const { sdp } = await this.ask('rtc.restart', { peer_id: this.#peerId, sdp: pc.localDescription.sdp });
      if (turn !== this.#turn) return;
      this.#restarting = false;
      if (this.#phase !== 'flowing') this.#timer('connect', RESTART_MS, () => this.#restart());
      await pc.setRemoteDescription({ type: 'answer', sdp });
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#restarting = false;
      await this.#takeBack(pc);
      if (turn === this.#turn) this.#restartFailed(error);
    }
  }

  #restartFailed(error) {
    if (this.#phase === 'flowing') return; // the path came back by itself
    if (verdictOnError(error) !== 'socket') return this.#again({ reason: 'unreachable', error, wait: 0 });
    this.#restarts -= 1; // it was never tried
    this.#resume = () => this.#restart();
  }

  /** Without this an unanswered offer would stay open for ever. */
  async #takeBack(pc) {
    if (pc.signalingState === 'have-local-offer') await pc.setLocalDescription({ type: 'rollback' }).catch(() => {});
  }

  #refused(error) {
    const verdict = verdictOnError(error);
    if (isUnplaced(error) && this.#placeAsked < PLACE_WAITS_MS.length) {
      this.#placeAsked += 1;
      return this.#again({ reason: reasonOf(error), error, wait: PLACE_WAITS_MS[this.#placeAsked - 1] });
    }
    if (verdict === 'over') return this.#over(reasonOf(error), error);
    if (verdict === 'again') return this.#again({ reason: error.code, error, wait: error.retryAfterMs });
    this.#drop();
    this.#resume = () => this.#open();
    this.#become(this.#hasFlowed ? 'reconnecting' : 'waiting', { reason: 'offline', error });
  }

  /** Makes a new peer after a wait. */
  #again({ reason, error, wait }) {
    this.#drop();
    const pause = wait ?? backoffMs(this.#attempt, this.#random, { capMs: LONGEST_WAIT_MS });
    this.#attempt += 1;
    this.#trouble = { reason, error, attempt: this.#attempt };
    this.#become(this.#hasFlowed ? 'reconnecting' : 'waiting', this.#trouble);
    this.#timer('again', pause, () => this.#open());
  }

  #over(reason, error) {
    this.#end();
    this.#become('over', { reason, error });
  }

  #message(event, data) {
    if (this.#peerId === null || data.peer_id !== this.#peerId) return;
    if (event === 'rtc.closed') this.#closed(data.reason);
    else if (event === 'rtc.layers') this.#options.onLayers?.(data);
    else if (event === 'rtc.warning') this.#options.onWarning?.(data);
  }

  #closed(reason) {
    this.#peerId = null;
    const verdict = verdictOnClose(reason);
    if (verdict === 'over') this.#over(reason);
    else if (verdict === 'now') this.#open();
    // The server and we wait equally long for a first packet to get through: whoever says it first, it means the same.
    else this.#again({ reason: reason === 'timeout' && !this.#hasConnected ? 'unreachable' : reason });
  }

  #welcomed() {
    this.#role.welcomed?.();
    const resume = this.#resume;
    this.#resume = null;
    if (resume) resume();
    else if (this.#phase === 'flowing') this.#askAfterAtHome();
    else this.check();
  }

  /** Balancers lead a socket that comes back to any node: another than the peer's knows nothing of it, and has no say while media flows. */
  #askAfterAtHome() {
    if (this.#options.signalling.node === this.#node || this.#pc.connectionState !== 'connected') this.#askAfter();
  }

  /** A server that was restarted knows nothing of us, and would let us wait for the silence to be noticed. */
  async #askAfter() {
    const turn = this.#turn;
    try {
      await this.ask('rtc.trickle', { peer_id: this.#peerId, candidate: null });
    } catch (error) {
      if (turn === this.#turn && error.code === 'not_found') this.#again({ reason: 'closed', wait: 0 });
    }
  }

  // --- ends and timers --------------------------------------------------------------------------------------------

  #end() {
    this.#drop();
    this.#endListening?.();
    this.#endListening = null;
  }

  #drop() {
    this.#turn += 1;
    this.#stopTimers();
    this.#resume = null;
    this.#restarting = false;
    this.#restarts = 0;
    this.#hasConnected = false;
    this.#peerId = null;
    this.#figures = null;
    this.#pc?.close();
    this.#pc = null;
  }

  #become(phase, detail) {
    if (phase === this.#phase && Object.keys(detail).length === 0) return;
    this.#phase = phase;
    this.#options.onStatus?.({ phase, ...detail });
  }

  #timer(name, ms, run) {
    this.#stopTimer(name);
    this.#timers.set(name, this.#clock.setTimeout(() => {
      this.#timers.delete(name);
      run();
    }, ms));
  }

  #stopTimer(name) {
    if (!this.#timers.has(name)) return;
    this.#clock.clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  #stopTimers() {
    for (const name of [...this.#timers.keys()]) this.#stopTimer(name);
  }
}

/**
 * Sends one picture and one sound into a live, for as long as it runs.
 *
 * `options`: `signalling`; `liveId`; `iceServers` of `live.start`; tracks `audio` and `video` (either may be null);
 * `encodings` (`encodingsFor`); `codec` (`auto`, `VP8`, `H264`, `VP9`, `AV1`); `onStatus({phase, reason?, error?, attempt?})`
 * with phase `connecting`, `flowing`, `reconnecting`, `waiting` or `over`; `onWarning({code, text})`.
 * For tests also `RTCPeerConnection`, `codecs`, `clock` {setTimeout, clearTimeout} and `random`.
 */
export class Publisher {
  #options;
  #tracks;
  #senders = {};
  #peer;

  constructor(options) {
    this.#options = options;
    this.#tracks = { audio: options.audio ?? null, video: options.video ?? null };
    this.#peer = new Peer(options, {
      command: 'rtc.publish',
      furnish: (pc) => this.#furnish(pc),
      iceServers: async () => options.iceServers ?? [],
    });
  }

  get phase() {
    return this.#peer.phase;
  }

  get connection() {
    return this.#peer.connection;
  }

  start() {
    this.#peer.start();
  }

  stop() {
    this.#peer.stop();
  }

  check() {
    this.#peer.check();
  }

  figures() {
    return this.#peer.figures();
  }

  /** Sends another track of the same kind from now on; viewers notice nothing but the picture. */
  async replace(track) {
    this.#tracks[track.kind] = track;
    await this.#senders[track.kind]?.replaceTrack(track);
  }

  #furnish(pc) {
    const { audio, video } = this.#tracks;
    this.#senders = {};
    // One stream for both says that they belong together (RFC 8830); what it holds here does not matter.
    const streams = globalThis.MediaStream ? [new MediaStream()] : [];
    if (audio) this.#senders.audio = pc.addTransceiver(audio, { direction: 'sendonly', streams }).sender;
    if (!video) return;
    const transceiver = pc.addTransceiver(video, { direction: 'sendonly', streams, sendEncodings: this.#options.encodings ?? [{}] });
    const order = codecOrder(this.#options.codecs ?? sendableCodecs(), this.#options.codec ?? 'auto');
    if (order) transceiver.setCodecPreferences(order);
    this.#senders.video = transceiver.sender;
  }
}

/**
 * Receives a live, for as long as it runs.
 *
 * `options`: `signalling`; `liveId`; `onTrack(track)` for each track of each new peer; `onJoined(body)` of `live.join`;
 * `onLayers({layers, current, cause})`; `onStatus`, `onWarning` and what is for tests as for a Publisher.
 */
export class Viewer {
  #options;
  #peer;
  #wish = 'auto';

  constructor(options) {
    this.#options = options;
    this.#peer = new Peer(options, {
      command: 'rtc.watch',
      furnish: (pc) => {
        pc.addTransceiver('audio', { direction: 'recvonly' });
        pc.addTransceiver('video', { direction: 'recvonly' });
      },
      iceServers: async () => (await this.#join()).ice_servers,
      welcomed: () => {
        // The place among the viewers ended with the former session; whoever is still on the way in joins anyway.
        if (this.#peer.phase === 'flowing' || this.#peer.phase === 'reconnecting') this.#join().catch(() => {});
      },
      opened: () => {
        if (this.#wish !== 'auto') this.#tellWish().catch(() => {});
      },
    });
  }

  get phase() {
    return this.#peer.phase;
  }

  get connection() {
    return this.#peer.connection;
  }

  start() {
    this.#peer.start();
  }

  /** Looks no more. The place among the viewers and the subscription to the live's channel stay: `leave` ends them. */
  stop() {
    this.#peer.stop();
  }

  leave() {
    this.#peer.stop();
    this.#peer.ask('live.leave', { live_id: this.#options.liveId }).catch(() => {});
  }

  check() {
    this.#peer.check();
  }

  figures() {
    return this.#peer.figures();
  }

  /** The quality wished at most: lines, or `auto`. */
  async wish(maxHeight) {
    this.#wish = maxHeight;
    await this.#tellWish();
  }

  async #tellWish() {
    const peerId = this.#peer.peerId;
    if (peerId === null) return; // told once there is a peer
    const reply = await this.#peer.ask('rtc.layer', { peer_id: peerId, max_height: this.#wish });
    if (peerId === this.#peer.peerId) this.#options.onLayers?.({ peer_id: peerId, cause: 'wish', ...reply });
  }

  async #join() {
    const body = await this.#peer.ask('live.join', { live_id: this.#options.liveId });
    this.#options.onJoined?.(body);
    return body;
  }
}

/**
 * Tries whether media would get through, before anything is begun: a peer that carries nothing. Resolves to `open`,
 * `blocked` (the server answers, and its media port does not), or `unknown` (it could not be tried). `options`: `signalling`;
 * for tests also `RTCPeerConnection` and `clock`.
 */
export async function tryPath({ signalling, RTCPeerConnection = globalThis.RTCPeerConnection, clock = realClock }) {
  let found;
  for (const patience of TRIES_MS) {
    found = await tryOnce({ signalling, Connection: RTCPeerConnection, clock, patience });
    if (found !== 'blocked') break;
  }
  return found;
}

async function tryOnce({ signalling, Connection, clock, patience }) {
  let pc;
  try {
    pc = new Connection(CONFIGURATION);
    pc.addTransceiver('audio', { direction: 'recvonly' });
    const offer = await pc.createOffer();
    const { sdp, ice_servers: iceServers } = await signalling.ask('rtc.probe', { sdp: offer.sdp });
    // Gathering begins with the description, and may need servers that only the answer names.
    if (iceServers.length > 0) pc.setConfiguration({ ...CONFIGURATION, iceServers });
    await pc.setLocalDescription(offer);
    const connected = connects(pc, clock, patience);
    await pc.setRemoteDescription({ type: 'answer', sdp });
    return (await connected) ? 'open' : 'blocked';
  } catch {
    return 'unknown';
  } finally {
    pc?.close();
  }
}

/** Resolves to whether a connection stands within `patience` milliseconds. */
function connects(pc, clock, patience) {
  return new Promise((resolve) => {
    const timer = clock.setTimeout(() => resolve(false), patience);
    pc.onconnectionstatechange = () => {
      if (pc.connectionState !== 'connected' && pc.connectionState !== 'failed') return;
      clock.clearTimeout(timer);
      resolve(pc.connectionState === 'connected');
    };
  });
}

function sendableCodecs() {
  return globalThis.RTCRtpSender?.getCapabilities?.('video')?.codecs ?? [];
}
