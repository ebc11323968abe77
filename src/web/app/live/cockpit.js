// What the broadcaster looks at: their own picture, whether it arrives, who is there, and the ways to change or end it.

import { confirmed, openDialog } from '../dialogs.js';
import { fill, h, icon } from '../dom.js';
import { number, t } from '../i18n.js';
import { announce, complain, toast } from '../toasts.js';
import { runningClock, stateBadge } from './badge.js';
import { Chat } from './chat.js';
import { keyCard } from './keys.js';
import { openPeople } from './people.js';
import { Player } from './player.js';
import { explainLive } from './refusal.js';
import { Hearts } from './hearts.js';
import { bitrateText, deviceProblem, healthWords, pictureText, pictureWait } from './rules.js';
import { SourcePicker } from './sourcepicker.js';
import { Viewers } from './viewers.js';
import { endCard } from './watch.js';

/** A warning that is not repeated for so long is over. */
const WARNING_MS = 15_000;

export class Cockpit {
  element;
  #site;
  #live;
  #onOver;
  #onAgain;
  #screen = h('div', { class: 'cockpit-screen' });
  #overlay = h('div', { class: 'player-float', 'aria-hidden': 'true' });
  #own = h('video', { class: 'player-video', playsinline: true, autoplay: true, muted: true, testid: 'live-own-video' });
  #note = h('div', { class: 'banner banner-live', role: 'status', hidden: true, testid: 'cockpit-note' });
  #bar = h('div', { class: 'cockpit-bar', role: 'group', 'aria-label': t('live.controls') });
  #facts = h('div', { class: 'live-facts' });
  #tiles = h('dl', { class: 'tiles', testid: 'cockpit-figures' });
  #health = h('p', { class: 'health', testid: 'cockpit-health' });
  #key = h('div', {});
  #viewers;
  #clock;
  #chat;
  #hearts;
  #player = null;
  /** Another node carries it, so nothing can be sent from here; `{node, url, isSilent}`, or null. */
  #carrier = null;
  #figures = null;
  #sent = null;
  #timer;
  #ends = [];

  /**
   * `onOver(report)` is told that the live has ended, with its report if this page ended it; `onAgain()` that a live which
   * another node carries may be carried by the one that the page is connected to now.
   */
  constructor(site, live, { onOver, onAgain }) {
    this.#site = site;
    this.#live = live;
    this.#onOver = onOver;
    this.#onAgain = onAgain;
    this.#own.muted = true;
    this.#clock = runningClock(() => (this.#live.started_at ? Date.now() - this.#live.started_at : null));
    this.#chat = new Chat(site, live);
    this.#viewers = new Viewers(site);
    this.#hearts = new Hearts(site, live.id, this.#overlay);
    this.element = h('div', { class: 'live', testid: 'cockpit', 'data-live-id': live.id },
      h('div', { class: 'live-main' },
        this.#note, h('div', { class: 'live-stage' }, this.#screen, this.#bar),
        h('div', { class: 'live-head' }, h('h1', { class: 'live-title', dir: 'auto' }, live.title), this.#facts),
        this.#health, this.#tiles, this.#viewers.element, this.#key),
      this.#chat.element);
    this.#ends.push(
      site.onAir.changed.listen(() => this.#show()),
      site.lives.changed.listen((id) => id === live.id && this.#update(site.lives.get(id))),
      site.lives.follow(live.id, { signal: (event, data) => event === 'live.reactions' && this.#hearts.burst(data.counts) }),
      site.connection.follow(`analytics:live:${live.id}`, { state: ({ event, data }) => event === 'live.figures' && this.#showFigures(data) }),
      site.connection.changed.listen(() => site.connection.stands || this.#forgetFigures()),
      site.connection.welcomed.listen((_, returned) => returned && this.#returned()));
    this.#timer = setInterval(() => this.#look(), 1_000);
    this.#update(live);
    this.#show();
    this.#showTiles();
  }

  destroy() {
    this.#ends.forEach((end) => end());
    clearInterval(this.#timer);
    this.#clock.stop();
    this.#own.srcObject = null;
    this.#player?.destroy();
    this.#chat.destroy();
  }

  /** The connection may have come back to the very node that carries it. */
  #returned() {
    if (this.#carrier) this.#onAgain();
    else this.#site.lives.load(this.#live.id).catch(() => {});
  }

  #update(live) {
    this.#live = live;
    this.element.dataset.state = live.state;
    this.#chat.update(live);
    this.#player?.update(live);
    fill(this.#facts, stateBadge(live), this.#clock.element,
      h('button', { class: 'chip chip-quiet', type: 'button', testid: 'live-people-open', onclick: () => openPeople(this.#site, this.#live, { moderates: true }) }, icon('people'), t('live.people')));
    if (live.state === 'ended') this.#onOver(null);
    this.#showNote();
    if (!this.#figures) this.#showTiles();
  }

  // --- the picture and its buttons --------------------------------------------------------------------------------

  #show() {
    const { onAir } = this.#site;
    const here = onAir.is(this.#live.id);
    this.element.dataset.here = String(here);
    this.element.dataset.phase = here ? onAir.status.phase : 'elsewhere';
    if (here) {
      this.#player?.destroy();
      this.#player = null;
      const stream = onAir.source.hidden ? new MediaStream([onAir.source.video]) : onAir.source.stream;
      if (!(onAir.source.hidden && this.#own.dataset.hidden === 'true')) this.#own.srcObject = stream;
      this.#own.dataset.hidden = String(onAir.source.hidden);
      this.#own.classList.toggle('mirrored', onAir.source.kind === 'camera' && !onAir.source.hidden);
      if (this.#own.parentElement !== this.#screen) fill(this.#screen, this.#own, this.#overlay);
    } else {
      this.#showElsewhere();
    }
    this.#showBar(here);
    this.#showKey();
    this.#showNote();
  }

  /** It runs on another device, or nobody sends any more: the picture comes as it does to everybody. */
  #showElsewhere() {
    this.#own.srcObject = null;
    if (this.#player || this.#live.state === 'ended') return;
    this.#player = new Player(this.#site, this.#live, {
      label: this.#live.title, interrupted: 'live.note.nobody', onOver: (reason, error) => reason === 'elsewhere' && this.#isElsewhere(error),
    });
    fill(this.#screen, this.#player.element, this.#overlay);
  }

  /** Nothing of what one could do here would come to anything: what stands instead leads there. */
  #isElsewhere(error) {
    this.#carrier = error.carrier;
    this.#chat.shut('chat.elsewhere');
    const card = endCard(this.#live, 'elsewhere', { error, again: this.#onAgain, there: 'live.there.mine' });
    fill(this.#screen, card);
    announce(explainLive(error));
    this.#showBar(false);
    this.#showNote();
  }

  /** A node that has fallen silent is found out about while the picture is waited for. */
  #heedCarrier() {
    const carrier = this.#player?.carrier ?? null;
    if (this.#player === null || carrier?.isSilent === this.#carrier?.isSilent) return;
    this.#carrier = carrier;
    this.#showBar(false);
    this.#showNote();
  }

  #showBar(here) {
    const { source } = this.#site.onAir;
    const button = (symbol, key, testid, run, more = {}) => h('button', { class: 'button', type: 'button', title: t(key), testid, 'data-focus': testid, onclick: run, ...more }, icon(symbol), h('span', {}, t(key)));
    // A live that another node carries is neither sent nor ended here; where that node is gone, it can still be ended.
    this.#bar.hidden = !here && this.#carrier !== null && !this.#carrier.isSilent;
    const focused = this.#bar.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
    fill(this.#bar,
      here && source.sound && button(source.muted ? 'microphone-off' : 'microphone', source.muted ? 'live.unmute.me' : 'live.mute.me', 'cockpit-mute', () => this.#site.onAir.mute(!source.muted), { 'aria-pressed': String(source.muted) }),
      here && source.kind !== 'screen' && button(source.hidden ? 'camera-off' : 'camera', source.hidden ? 'live.camera.on' : 'live.camera.off', 'cockpit-camera', () => this.#hide(!source.hidden), { 'aria-pressed': String(source.hidden) }),
      here
        ? button('switch', 'live.switch', 'cockpit-switch', () => this.#choose('live.switch', (picked) => this.#site.onAir.switchTo(picked)))
        : this.#carrier === null && button('live', 'live.take', 'cockpit-take', () => this.#choose('live.take', (picked) => this.#site.onAir.take(this.#live, picked)), { class: 'button button-live' }),
      h('span', { class: 'player-gap' }),
      button('stop', 'live.stop', 'cockpit-stop', () => this.#stop(), { class: 'button button-danger' }));
    if (focused) this.#bar.querySelector(`[data-focus=${focused}]`)?.focus();
  }

  #showKey() {
    const { key } = this.#site.onAir;
    if (!key || !this.#site.onAir.is(this.#live.id) || this.#key.firstChild) return;
    fill(this.#key, h('details', { class: 'sheet more encoder', testid: 'cockpit-encoder' }, h('summary', {}, icon('encoder'), t('live.encoder.this')),
      h('div', { class: 'more-inside' }, h('p', { class: 'hint' }, t('live.encoder.this.text')), keyCard(key))));
  }

  #showNote() {
    const { key, values, action } = this.#trouble() ?? {};
    if (this.#note.dataset.key === (key ?? '') && Boolean(action) === (this.#note.querySelector('button') !== null)) return; // a live region speaks of every change
    this.#note.hidden = key === undefined;
    this.#note.dataset.key = key ?? '';
    if (key) fill(this.#note, h('span', {}, t(key, values)), action && h('button', { class: 'button button-small', type: 'button', testid: 'cockpit-mend', onclick: action.run }, t(action.key)));
  }

  /** The one thing that is worst now, and what can be done about it. */
  #trouble() {
    const { onAir } = this.#site;
    const { phase, reason } = onAir.status;
    if (!onAir.is(this.#live.id)) {
      if (phase === 'over' && reason === 'replaced') return { key: 'cockpit.replaced' };
      if (phase === 'over' && reason === 'bitrate') return { key: 'cockpit.bitrate' };
      if (this.#carrier) return null; // what stands where the picture would be says more
      return { key: this.#live.state === 'live' ? 'cockpit.elsewhere' : 'cockpit.nobody' };
    }
    if (onAir.lostSource) return { key: 'cockpit.source', action: { key: 'live.switch', run: () => this.#choose('live.switch', (picked) => onAir.switchTo(picked)) } };
    if (phase === 'reconnecting') return { key: 'cockpit.reconnecting' };
    if (reason === 'conflict') return { key: 'cockpit.conflict' };
    if (reason === 'unreachable') return { key: 'cockpit.unreachable', action: !this.#live.started_at && { key: 'cockpit.give.up', run: () => this.#giveUp() } };
    if (phase === 'connecting' || phase === 'waiting') return { key: 'cockpit.connecting' };
    if (this.#live.state === 'interrupted') return { key: 'cockpit.interrupted' };
    if (onAir.warning?.code === 'bitrate' && Date.now() - onAir.warning.at < WARNING_MS) return { key: 'cockpit.warning.bitrate' };
    return null;
  }

  #choose(key, use) {
    const picker = new SourcePicker(this.#site.onAir.source?.wish.height ?? 720, 'live.preview.take');
    const dialog = openDialog({
      title: t(key),
      testid: 'source-dialog',
      build: (close) => {
        const yes = h('button', {
          class: 'button button-primary', type: 'button', disabled: true, testid: 'source-use',
          onclick: async () => {
            const source = picker.release();
            close();
            try {
              await use(source);
            } catch (error) {
              source.stop();
              await this.#refused(error);
            }
          },
        }, t('live.use'));
        picker.changed.listen(() => (yes.disabled = picker.source === null));
        return h('div', { class: 'dialog-body' }, picker.element, h('div', { class: 'dialog-actions' }, yes));
      },
    });
    dialog.addEventListener('close', () => picker.destroy());
  }

  /** What cannot be gone on with may have ended meanwhile; then that is the news. */
  async #refused(error) {
    const live = error.code === 'conflict' ? await this.#site.lives.load(this.#live.id).catch(() => null) : null;
    if (live?.state !== 'ended') return void toast(explainLive(error), 'error');
    return void toast(t(live.reason === 'timeout' ? 'live.over.late' : 'live.over.ended'), 'error');
  }

  async #hide(on) {
    try {
      await this.#site.onAir.hide(on);
    } catch (error) {
      toast(t(`live.check.${deviceProblem(error)}`), 'error');
    }
  }

  async #stop() {
    if (!(await confirmed(t('live.stop.sure'), t('live.stop')))) return;
    try {
      const report = this.#site.onAir.is(this.#live.id)
        ? await this.#site.onAir.stop()
        : (await this.#site.connection.ask('live.stop', { live_id: this.#live.id })).report;
      this.#onOver(report);
    } catch (error) {
      await this.#refused(error);
    }
  }

  /** Nothing ever arrived: nobody shall find a live that never was. */
  async #giveUp() {
    this.#site.onAir.leave();
    await this.#site.connection.ask('post.delete', { post_id: this.#live.post_id }).catch(complain);
    location.hash = '#/live/start';
  }

  // --- figures ----------------------------------------------------------------------------------------------------

  async #look() {
    this.#sent = this.#site.onAir.is(this.#live.id) ? await this.#site.onAir.figures() : null;
    this.#heedCarrier();
    this.#showNote();
    if (this.#sent) Object.assign(this.element.dataset, { sentFrames: this.#sent.frames, sentBytes: this.#sent.bytes });
    this.#showTiles();
  }

  #showFigures(figures) {
    this.#figures = figures;
    const { onAir } = this.#site;
    const isStill = onAir.is(this.#live.id) && (onAir.source.hidden || onAir.source.kind === 'screen');
    const { key, values } = healthWords(figures.upload, { isStill });
    const words = t(key, values);
    const level = key === 'live.health.good' ? 'good' : figures.upload.level;
    // Said aloud when it turns: the figures in the words change each second.
    if (level !== (this.#health.dataset.level ?? 'good')) announce(words);
    this.#health.dataset.level = level;
    if (this.#health.textContent !== words) fill(this.#health, icon(level === 'good' ? 'check' : 'info'), h('span', {}, words));
    this.#viewers.show(figures.peers, figures.upload.layers);
    this.#showTiles();
  }

  /** What was counted before the connection went says nothing of now. */
  #forgetFigures() {
    this.#figures = null;
    fill(this.#health);
    this.#viewers.show([], []);
    this.#showTiles();
  }

  #showTiles() {
    const { viewers = this.#live.viewers, joins, chat, reactions, upload, join_ms: join } = this.#figures ?? {};
    const bitrate = upload?.bitrate ?? this.#sent?.bitrate;
    const best = (upload?.layers ?? []).reduce((top, layer) => (layer.height > (top?.height ?? 0) ? layer : top), null);
    const tile = (key, value, id) => value !== undefined && h('div', { class: 'tile' }, h('dt', {}, t(key)), h('dd', { testid: `figure-${id}`, 'data-value': value }, typeof value === 'number' ? number(value) : value));
    fill(this.#tiles,
      tile('live.figure.current', viewers.current, 'current'), tile('live.figure.peak', viewers.peak, 'peak'), tile('live.figure.unique', viewers.unique, 'unique'),
      tile('live.figure.joins', joins, 'joins'), join && joinTile(pictureWait(join)), tile('live.figure.chat', chat?.per_minute, 'chat'), tile('live.figure.reactions', reactions?.per_minute, 'reactions'),
      bitrate !== undefined && uploadTile(bitrate, pictureText(best ?? this.#sent)));
  }
}

/** How soon viewers had a picture, the middle one and the slowest of twenty; nothing where nobody has had one. */
function joinTile(wait) {
  return wait && h('div', { class: 'tile' },
    h('dt', {}, t('live.figure.join'), ' · ', t('live.figure.join.slow', { ms: wait.p95 })),
    h('dd', { testid: 'figure-join', 'data-value': wait.p50 }, `${number(wait.p50)} ms`));
}

/** What is sent: how much a second, and which picture. */
function uploadTile(bitrate, picture) {
  return h('div', { class: 'tile' },
    h('dt', {}, t('live.figure.bitrate'), picture && [' · ', h('span', { testid: 'figure-picture', 'data-value': picture }, picture)]),
    h('dd', { testid: 'figure-bitrate', 'data-value': bitrate }, bitrateText(bitrate, number)));
}
