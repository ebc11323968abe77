// What the live stories stand on: a server with a live in it, peers of other people's making as child processes, and
// Chromium as broadcaster and viewer over WHIP and WHEP.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { chromium } from '../browser/node_modules/playwright-core/index.mjs';
import { PATIENCE } from '../browser/harness.mjs';

export { PATIENCE, Server } from '../browser/harness.mjs';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const here = (name) => new URL(name, import.meta.url).pathname;

/** How often a wait looks again, in milliseconds. */
const LOOK_EVERY = 100;

let runs = 0;

/** A person, a community and a live in it, made over HTTP. */
export class Live {
  static async start(server, title = 'Live') {
    const live = new Live();
    live.origin = `http://127.0.0.1:${server.port}`;
    const name = `caster${(runs += 1)}`;
    const account = await live.#post('/v1/auth/register', {
      username: name, email: `${name}@example.org`, password: `correct horse ${name}`, name,
    });
    live.token = account.access_token;
    const { community } = await live.command('community.create', { op: `${name}-c`, name: `Harbour ${runs}` });
    live.community = community.id;
    const started = await live.command('live.start', {
      op: `${name}-l`, title, community_id: community.id, visibility: 'public',
    });
    live.id = started.live.id;
    live.key = started.stream_key;
    return live;
  }

  get whip() {
    return `${this.origin}/v1/live/${this.id}/whip`;
  }

  get whep() {
    return `${this.origin}/v1/live/${this.id}/whep`;
  }

  command(type, body) {
    return this.#post(`/v1/commands/${type}`, body);
  }

  async get() {
    return (await this.command('live.get', { live_id: this.id })).live;
  }

  /** Waits until the live is in a state. */
  async becomes(state) {
    return until(`the live to become ${state}`, async () => {
      const live = await this.get();
      return live.state === state ? live : null;
    });
  }

  stop() {
    return this.command('live.stop', { live_id: this.id });
  }

  async #post(path, body) {
    const headers = { 'Content-Type': 'application/json' };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    const response = await fetch(this.origin + path, { method: 'POST', headers, body: JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
    return JSON.parse(text);
  }
}

/** Looks until `found` answers something; the error says what was waited for. */
export async function until(what, found, patience = PATIENCE) {
  const end = Date.now() + patience;
  for (;;) {
    const value = await found();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${patience} ms for ${what}`);
    await pause(LOOK_EVERY);
  }
}

/** A program that speaks WebRTC, as a child process. */
export class Peer {
  /** What it said last, by event. */
  said = {};
  /** Everything that it wrote, for a story that failed. */
  log = [];
  #child;

  static python(interpreter, script, flags) {
    return new Peer(interpreter, [here(script), ...flags]);
  }

  static aiortc(role, url, options = {}) {
    return Peer.python(process.env.PEERS_PYTHON ?? here('.venv/bin/python'), 'aiortc_peer.py', flags(role, url, options));
  }

  static gstreamer(role, url, options = {}) {
    return Peer.python('/usr/bin/python3', 'gst_peer.py', flags(role, url, options));
  }

  /** libdatachannel as OBS uses it: H264 and Opus, no trickle, deaf to key-frame requests. */
  static libdatachannel(url, { key, seconds = 60 }) {
    return new Peer(process.execPath, [here('libdatachannel_peer.mjs'), '--url', url, '--token', key, '--seconds', String(seconds)]);
  }

  /**
   * FFmpeg's own WHIP: offers `setup:passive`, knows neither trickle nor key-frame requests. Its picture has 30 frames a
   * second, `kbit` a second, and a key frame every `keyFrames` frames.
   */
  static ffmpeg(url, { key, seconds = 60, size = '640x360', kbit = 800, keyFrames = 60 }) {
    const source = ['-re', '-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=30`, '-re', '-f', 'lavfi', '-i', 'sine=frequency=440'];
    const video = ['-c:v', 'libx264', '-profile:v', 'baseline', '-preset', 'ultrafast', '-tune', 'zerolatency', '-g', String(keyFrames), '-keyint_min', String(keyFrames), '-sc_threshold', '0', '-bf', '0', '-b:v', `${kbit}k`, '-minrate', `${kbit}k`, '-maxrate', `${kbit}k`, '-bufsize', `${kbit}k`, '-pix_fmt', 'yuv420p'];
    const audio = ['-c:a', 'libopus', '-ar', '48000', '-ac', '2', '-b:a', '64k'];
    const whip = ['-f', 'whip', '-authorization', key, url];
    return new Peer(process.env.PEERS_FFMPEG ?? 'ffmpeg', ['-hide_banner', '-loglevel', 'warning', '-t', String(seconds), ...source, ...video, ...audio, ...whip]);
  }

  constructor(program, flags) {
    this.#child = spawn(program, flags, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => resolve(code ?? signal));
      this.#child.once('error', (error) => resolve(this.log.push(String(error))));
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => this.#hear(line));
    }
  }

  /** Waits until it has decoded so many pictures. */
  async decodes(pictures) {
    try {
      await until(`${pictures} pictures`, () => (this.said.frames?.video ?? 0) >= pictures);
    } catch (error) {
      throw new Error(`${error.message}; it said:\n${this.log.slice(-20).join('\n')}`, { cause: error });
    }
  }

  /** Asks it to say goodbye and end. */
  stop() {
    this.#child.kill('SIGTERM');
  }

  /** `kill -9`, as a power cut would. */
  async kill() {
    this.#child.kill('SIGKILL');
    await this.ended;
  }

  #hear(line) {
    this.log.push(line);
    try {
      const said = JSON.parse(line);
      this.said[said.event] = said;
    } catch {
      // Not a figure but a complaint; it stays in the log.
    }
  }
}

function flags(role, url, { key, codec, seconds = 60 }) {
  const words = [role, '--url', url, '--seconds', String(seconds)];
  if (key) words.push('--token', key);
  if (codec) words.push('--codec', codec);
  return words;
}

/** One Chromium with a camera, of 20 pictures a second or as many as are said, and a microphone that are not there. */
export async function launchBrowser({ fps = 20 } = {}) {
  return chromium.launch({
    executablePath: CHROMIUM,
    timeout: 60_000,
    args: [
      '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update',
      '--disable-sync', '--disable-dev-shm-usage', '--use-fake-ui-for-media-stream', `--use-fake-device-for-media-stream=fps=${fps}`,
      '--autoplay-policy=no-user-gesture-required',
    ],
  });
}

/** A page of the server's own origin that publishes or watches. */
export class Tab {
  /** `mediaPath`: what the packets are led through. */
  static async open(browser, live, { mediaPath } = {}) {
    const tab = new Tab();
    tab.page = await browser.newPage();
    await mediaPath?.lead(tab.page);
    tab.page.setDefaultTimeout(PATIENCE);
    await tab.page.goto(`${live.origin}/healthz`);
    await tab.page.evaluate(speakWhip);
    return tab;
  }

  /**
   * Broadcasts the fake camera, or the page's `ownMedia`, with this codec: `layers` of simulcast, `maxBitrate` at most. With `tells`, `encoded` in the page
   * is what the encoder made, as `{timestamp, type}` of each frame.
   */
  async publish(live, { codec, layers = 1, maxBitrate, tells = false }) {
    await this.page.evaluate((wish) => window.publish(wish), { url: live.whip, key: live.key, codec, layers, maxBitrate, tells });
  }

  async watch(live) {
    await this.page.evaluate((url) => window.watch(url), live.whep);
  }

  /** Whether this browser can send a codec at all. */
  can(codec) {
    return this.page.evaluate((name) => window.codecs(name).length > 0, codec);
  }

  /** Restarts ICE; its new name. */
  restart() {
    return this.page.evaluate(() => window.restart());
  }

  /** Wishes for a layer, as `{maxHeight}` or `{rid}`. */
  async chooseLayer(wish) {
    await this.page.evaluate((layer) => window.chooseLayer(layer), wish);
  }

  /** What the viewer decoded. */
  figures() {
    return this.page.evaluate(() => window.figures());
  }

  /** Waits until so many pictures are decoded; the figures then. */
  async decodes(pictures) {
    return until(`${pictures} pictures in Chromium`, async () => {
      const figures = await this.figures();
      return figures.framesDecoded >= pictures ? figures : null;
    });
  }

  async close() {
    await this.page.close();
  }
}

/** Runs in the page: the smallest WHIP and WHEP clients. */
export function speakWhip() {
  // What is known of a session stands on its connection.
  const post = async (connection, url, key) => {
    await connection.setLocalDescription(await connection.createOffer());
    connection.bearer = key && { Authorization: `Bearer ${key}` };
    const headers = { 'Content-Type': 'application/sdp', ...connection.bearer };
    for (;;) {
      const response = await fetch(url, { method: 'POST', headers, body: connection.localDescription.sdp });
      if (response.status === 409 && response.headers.get('Retry-After')) {
        await new Promise((resolve) => setTimeout(resolve, 200));
        continue;
      }
      if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`);
      connection.session = new URL(response.headers.get('Location'), url).href;
      connection.links = response.headers.get('Link') ?? '';
      connection.answer = await response.text();
      connection.answered = performance.now();
      await connection.setRemoteDescription({ type: 'answer', sdp: connection.answer });
      return;
    }
  };
  const line = (sdp, name) => sdp.match(new RegExp(`^a=${name}:(.*)$`, 'm'))[1];
  /** Restarts ICE by PATCH; the new name of this side. */
  window.restart = async () => {
    const { connection } = window;
    connection.restartIce();
    await connection.setLocalDescription(await connection.createOffer());
    const own = ['ice-ufrag', 'ice-pwd'].map((name) => `a=${name}:${line(connection.localDescription.sdp, name)}\r\n`);
    const headers = { 'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': '*', ...connection.bearer };
    const response = await fetch(connection.session, { method: 'PATCH', headers, body: own.join('') });
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
    const fragment = await response.text();
    for (const name of ['ice-ufrag', 'ice-pwd']) {
      connection.answer = connection.answer.replace(new RegExp(`^a=${name}:.*$`, 'gm'), `a=${name}:${line(fragment, name)}`);
    }
    await connection.setRemoteDescription({ type: 'answer', sdp: connection.answer });
    return line(connection.localDescription.sdp, 'ice-ufrag');
  };
  /** Wishes for a layer by WHEP's extension, which a link of the answer leads to. */
  window.chooseLayer = async (wish) => {
    const { connection } = window;
    const [, target] = /<([^>]*)>[^<]*urn:ietf:params:whep:ext:core:layer/.exec(connection.links);
    const headers = { 'Content-Type': 'application/json' };
    const response = await fetch(new URL(target, connection.session), { method: 'POST', headers, body: JSON.stringify(wish) });
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  };
  window.codecs = (name) =>
    RTCRtpSender.getCapabilities('video').codecs.filter(
      ({ mimeType, sdpFmtpLine = '' }) =>
        mimeType.toLowerCase() === `video/${name}`.toLowerCase() && !/packetization-mode=0/.test(sdpFmtpLine),
    );
  const tell = (sender) => {
    window.encoded = [];
    const { readable, writable } = sender.createEncodedStreams();
    const noting = new TransformStream({
      transform(frame, next) {
        if (frame.type) window.encoded.push({ timestamp: frame.getMetadata().rtpTimestamp, type: frame.type });
        next.enqueue(frame);
      },
    });
    readable.pipeThrough(noting).pipeTo(writable);
  };
  /** Has the broadcaster's next frame be one that decoding can start with. */
  window.askForKeyFrame = async () => {
    const sender = window.connection.getSenders().find(({ track }) => track?.kind === 'video');
    const parameters = sender.getParameters();
    await sender.setParameters(parameters, { encodingOptions: parameters.encodings.map(() => ({ keyFrame: true })) });
  };
  window.publish = async ({ url, key, codec, layers, maxBitrate, tells }) => {
    const media = window.ownMedia ?? (await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 1280, height: 720, frameRate: 30 } }));
    const connection = (window.connection = new RTCPeerConnection({ encodedInsertableStreams: tells }));
    connection.addTransceiver(media.getAudioTracks()[0], { direction: 'sendonly', streams: [media] });
    const scales = [4, 2, 1].slice(3 - layers);
    const mode = /VP9|AV1/.test(codec) ? { scalabilityMode: 'L1T1' } : {};
    const sendEncodings = scales.map((scaleResolutionDownBy, at) => ({ ...(layers > 1 && { rid: 'lmh'[at + 3 - layers] }), scaleResolutionDownBy, ...mode, ...(maxBitrate && { maxBitrate }) }));
    const video = connection.addTransceiver(media.getVideoTracks()[0], { direction: 'sendonly', streams: [media], sendEncodings });
    const repair = RTCRtpSender.getCapabilities('video').codecs.filter(({ mimeType }) => mimeType === 'video/rtx');
    video.setCodecPreferences([...window.codecs(codec), ...repair]);
    if (tells) for (const sender of connection.getSenders()) tell(sender);
    await post(connection, url, key);
  };
  window.watch = async (url) => {
    const connection = (window.connection = new RTCPeerConnection());
    const stream = new MediaStream();
    connection.ontrack = ({ track }) => stream.addTrack(track);
    connection.addTransceiver('audio', { direction: 'recvonly' });
    connection.addTransceiver('video', { direction: 'recvonly' });
    const screen = document.createElement('video');
    Object.assign(screen, { muted: true, autoplay: true, srcObject: stream });
    document.body?.append(screen);
    window.asked = performance.now();
    screen.requestVideoFrameCallback((now) => (window.firstPicture = now - window.asked));
    await post(connection, url);
  };
  window.figures = async () => {
    const found = { framesDecoded: 0, state: window.connection.connectionState, firstPicture: window.firstPicture };
    const stats = await window.connection.getStats();
    const selected = [...stats.values()].find(({ type }) => type === 'transport')?.selectedCandidatePairId;
    for (const report of stats.values()) {
      if (report.type === 'candidate-pair' && (report.selected || report.id === selected)) {
        found.remoteAddress = stats.get(report.remoteCandidateId)?.address;
        found.ufrag = stats.get(report.localCandidateId)?.usernameFragment;
      }
      if (report.type === 'inbound-rtp' && report.kind === 'video') {
        const { framesDecoded = 0, freezeCount = 0, packetsLost = 0, frameWidth, frameHeight, codecId } = report;
        Object.assign(found, { framesDecoded, freezeCount, packetsLost, frameWidth, frameHeight });
        found.codec = stats.get(codecId)?.mimeType;
      }
      if (report.type === 'inbound-rtp' && report.kind === 'audio') found.audioPackets = report.packetsReceived;
    }
    return found;
  };
}
