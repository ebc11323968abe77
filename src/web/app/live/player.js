// The picture of a live: a viewer's peer, the element that shows it, and the buttons below. What it is doing is said over
// the picture in plain words, and in `data-` figures for tests.

import { Viewer } from '../../live.js';
import { fill, h, icon } from '../dom.js';
import { t } from '../i18n.js';
import { announce } from '../toasts.js';
import { explainLive } from './refusal.js';
import { qualities } from './rules.js';

/** A picture that has not moved for so long stands still. A still screen is repeated once a second at least. */
const STILL_SECONDS = 3;

/** Whether this person has asked for sound since the page was loaded. */
let soundWanted = false;

export class Player {
  element;
  /** Where hearts float. */
  overlay = h('div', { class: 'player-float', 'aria-hidden': 'true' });
  #site;
  #live;
  #options;
  #viewer;
  #stream = new MediaStream();
  #video = h('video', { class: 'player-video', playsinline: true, autoplay: true, testid: 'live-video' });
  #note = h('div', { class: 'player-note', role: 'status', testid: 'live-note' });
  #mute;
  #quality;
  #buttons;
  #status = { phase: 'connecting' };
  #asked = performance.now();
  #connections = 0;
  #lastConnection = null;
  #hasPicture = false;
  #isWaitingForKeyFrame = false;
  #frames = 0;
  #still = 0;
  #timer;

  /**
   * `onOver(reason, error)` is told that watching has ended for good. `interrupted` is the key of what is said while nothing
   * comes from the broadcaster.
   */
  constructor(site, live, { onOver, label, interrupted = 'live.note.interrupted' }) {
    this.#site = site;
    this.#live = live;
    this.#options = { onOver, interrupted };
    this.#video.muted = !soundWanted;
    this.#video.srcObject = this.#stream;
    this.#video.setAttribute('aria-label', label);
    this.#video.addEventListener('loadeddata', () => this.#sees());
    this.#video.addEventListener('volumechange', () => this.#showSound());
    this.#mute = h('button', { class: 'button player-sound', type: 'button', testid: 'live-unmute', onclick: () => this.#toggleSound() });
    this.#quality = h('select', { class: 'player-quality', hidden: true, 'aria-label': t('live.quality'), testid: 'live-quality', onchange: ({ target }) => this.#choose(target.value) });
    this.#buttons = h('div', { class: 'player-buttons' }, this.#mute, h('span', { class: 'player-gap' }), this.#quality,
      document.pictureInPictureEnabled && this.#button('pip', 'live.pip', 'live-pip', () => this.#pictureInPicture()),
      (document.fullscreenEnabled || this.#video.webkitEnterFullscreen) && this.#button('fullscreen', 'live.fullscreen', 'live-fullscreen', () => this.#fullscreen()));
    this.element = h('div', { class: 'player', testid: 'live-player' }, this.#video, this.overlay, this.#note, this.#buttons);
    this.element.addEventListener('keydown', (event) => this.#key(event));
    this.#viewer = new Viewer({
      signalling: site.connection.signalling,
      liveId: live.id,
      onTrack: (track) => this.#show(track),
      onJoined: ({ live: now }) => site.lives.put(now),
      onLayers: (news) => this.#offer(news),
      onStatus: (status) => this.#became(status),
      onWarning: ({ code }) => this.#warned(code),
    });
    this.#timer = setInterval(() => this.#look(), 1_000);
    addEventListener('online', this.#check);
    document.addEventListener('visibilitychange', this.#check);
    addEventListener('pagehide', this.#pageLeft);
    addEventListener('pageshow', this.#pageReturned);
    this.#showSound();
    this.#say();
    this.#viewer.start();
  }

  /** The node that carries the live, where this one has last said that it is another: `{node, url, isSilent}` or null. */
  get carrier() {
    return this.#status.error?.carrier ?? null;
  }

  /** The live has changed: what is said over the picture may have, too. */
  update(live) {
    const came = this.#live.state !== 'live' && live.state === 'live';
    this.#live = live;
    // A viewer who waits for the beginning need not wait any longer.
    if (came) this.#viewer.check();
    this.#say();
  }

  destroy() {
    clearInterval(this.#timer);
    removeEventListener('online', this.#check);
    document.removeEventListener('visibilitychange', this.#check);
    removeEventListener('pagehide', this.#pageLeft);
    removeEventListener('pageshow', this.#pageReturned);
    if (document.pictureInPictureElement === this.#video) document.exitPictureInPicture().catch(() => {});
    this.#viewer.stop();
    this.#video.srcObject = null;
  }

  #check = () => {
    if (document.visibilityState === 'visible') this.#viewer.check();
  };

  /** Whoever closes the tab watches no more; the server would find out by itself, but later. */
  #pageLeft = () => this.#viewer.stop();

  #pageReturned = ({ persisted }) => persisted && this.#viewer.start();

  #show(track) {
    for (const old of this.#stream.getTracks()) if (old.kind === track.kind) this.#stream.removeTrack(old);
    this.#stream.addTrack(track);
    this.#play();
  }

  async #play() {
    try {
      await this.#video.play();
    } catch (error) {
      if (error.name !== 'NotAllowedError') return; // a newer stream has taken over
      this.#video.muted = true;
      await this.#video.play().catch(() => {});
    }
  }

  #warned(code) {
    this.element.dataset.warning = code;
    this.#isWaitingForKeyFrame = code === 'waiting_for_key_frame';
    this.#say();
  }

  #became(status) {
    this.#status = status;
    this.element.dataset.phase = status.phase;
    if (status.reason) this.element.dataset.reason = status.reason;
    if (status.phase === 'over') this.#options.onOver(status.reason, status.error);
    // Where the picture gets through again, the socket need not wait for its next turn.
    if (status.phase === 'flowing' && this.#site.connection.state !== 'online') this.#site.connection.tryNow();
    this.#say();
  }

  // --- what is said -----------------------------------------------------------------------------------------------

  #say() {
    const words = this.#words();
    this.element.dataset.state = this.#live.state;
    this.#note.hidden = words === null;
    if (this.#note.textContent === (words ?? '')) return;
    fill(this.#note, words && h('span', {}, words));
    if (words) announce(words);
  }

  #words() {
    const { phase, reason, error } = this.#status;
    if (phase === 'over') return null; // the card below says more
    if (this.#live.state === 'created' || this.#live.state === 'connecting') return t('live.note.soon');
    if (this.#live.state === 'interrupted') return t(this.#options.interrupted);
    if (error?.carrier) return explainLive(error, { asking: true });
    if (phase === 'reconnecting') return t('live.note.reconnecting');
    if (reason === 'unreachable') return t('live.note.unreachable');
    if (phase === 'waiting') return error && error.code !== 'conflict' ? explainLive(error) : t('live.note.soon');
    if (phase === 'connecting' || !this.#hasPicture) return t(this.#isWaitingForKeyFrame ? 'live.note.keyframe' : 'live.note.connecting');
    return this.#still >= STILL_SECONDS ? t('live.note.still') : null;
  }

  /** The first picture of all stands. */
  #sees() {
    if (this.#hasPicture || this.#video.videoWidth === 0) return;
    this.#hasPicture = true;
    this.element.dataset.firstFrameMs = Math.round(performance.now() - this.#asked);
    this.#say();
  }

  /** Once a second: does it move, and over how many connections has it come? */
  #look() {
    const { connection } = this.#viewer;
    if (connection && connection !== this.#lastConnection) {
      this.#lastConnection = connection;
      this.#connections += 1;
    }
    const frames = this.#video.getVideoPlaybackQuality().totalVideoFrames;
    this.#still = frames === this.#frames && this.#hasPicture ? this.#still + 1 : 0;
    this.#frames = frames;
    this.#sees(); // sound may have been there first
    Object.assign(this.element.dataset, { frames, connections: this.#connections, width: this.#video.videoWidth, height: this.#video.videoHeight });
    this.#say();
  }

  // --- buttons ----------------------------------------------------------------------------------------------------

  #button(symbol, key, testid, run) {
    return h('button', { class: 'icon-button', type: 'button', 'aria-label': t(key), title: t(key), testid, onclick: run }, icon(symbol));
  }

  #showSound() {
    const { muted } = this.#video;
    this.#mute.setAttribute('aria-pressed', String(!muted));
    fill(this.#mute, icon(muted ? 'muted' : 'sound'), h('span', {}, t(muted ? 'live.unmute' : 'live.mute')));
  }

  #toggleSound() {
    this.#video.muted = !this.#video.muted;
    soundWanted = !this.#video.muted;
    void this.#play();
  }

  #offer({ layers, current }) {
    const heights = qualities(layers);
    this.element.dataset.layer = current ?? '';
    this.#quality.hidden = heights.length < 2;
    const chosen = this.#quality.value || 'auto';
    fill(this.#quality, h('option', { value: 'auto', selected: chosen === 'auto' }, t('live.quality.auto')),
      heights.map((height) => h('option', { value: height, selected: chosen === String(height) }, `${height}p`)));
  }

  async #choose(value) {
    await this.#viewer.wish(value === 'auto' ? 'auto' : Number(value)).catch(() => {});
  }

  #pictureInPicture() {
    const leaving = document.pictureInPictureElement === this.#video;
    (leaving ? document.exitPictureInPicture() : this.#video.requestPictureInPicture()).catch(() => {});
  }

  #fullscreen() {
    // A phone that knows no full screen for parts of a page has one for its videos.
    if (!document.fullscreenEnabled) return this.#video.webkitEnterFullscreen?.();
    return (document.fullscreenElement ? document.exitFullscreen() : this.element.requestFullscreen()).catch(() => {});
  }

  #key(event) {
    if (event.target instanceof HTMLSelectElement || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'm') this.#toggleSound();
    else if (event.key === 'f') this.#fullscreen();
  }
}
