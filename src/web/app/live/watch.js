// Watching a live: the picture, what is said of it, reactions and the chat; and what is left when it is over.

import { avatar } from '../avatar.js';
import { fill, h, icon, named, timeTag, written } from '../dom.js';
import { number, t } from '../i18n.js';
import { nameOf } from '../model.js';
import { runningClock, stateBadge, viewersBadge } from './badge.js';
import { Chat } from './chat.js';
import { Hearts } from './hearts.js';
import { openPeople } from './people.js';
import { Player } from './player.js';
import { explainLive } from './refusal.js';
import { addressThere, clockText, lasted } from './rules.js';

/** How long the channel's end waits for the peer's, which names the reason. */
const REASON_MS = 700;

export class Watch {
  element;
  #site;
  #live;
  #stage = h('div', { class: 'live-stage' });
  #facts = h('div', { class: 'live-facts' });
  #clock;
  #player = null;
  #hearts = null;
  #chat;
  #over = null;
  #onAgain;
  #ends = [];

  /** `onAgain()` is told that somebody who was taken out wants to look whether they may come back. */
  constructor(site, live, { onAgain }) {
    this.#site = site;
    this.#live = live;
    this.#onAgain = onAgain;
    this.#clock = runningClock(() => (this.#live.state === 'live' || this.#live.state === 'interrupted') && this.#live.started_at ? Date.now() - this.#live.started_at : null);
    this.#chat = new Chat(site, live);
    this.element = h('div', { class: 'live', testid: 'live-watch', 'data-live-id': live.id },
      h('div', { class: 'live-main' }, this.#stage, this.#head(), this.#facts), this.#chat.element);
    this.#ends.push(
      site.lives.changed.listen((id) => id === live.id && this.#update(site.lives.get(id))),
      site.lives.follow(live.id, {
        signal: (event, data) => event === 'live.reactions' && this.#hearts?.burst(data.counts),
        closed: (reason) => reason === 'forbidden' && this.#shutOut(),
      }),
      site.connection.welcomed.listen((_, returned) => returned && this.#returned()));
    if (live.state === 'ended') this.#end('ended');
    else this.#begin();
    this.#update(live);
  }

  destroy() {
    this.#ends.forEach((end) => end());
    this.#clock.stop();
    this.#player?.destroy();
    this.#chat.destroy();
    // After the chat: leaving ends the subscription that it lives on.
    if (this.#over === null || this.#over === 'failed') this.#site.connection.signalling.ask('live.leave', { live_id: this.#live.id }).catch(() => {});
  }

  #begin() {
    this.#over = null;
    this.#player?.destroy();
    this.#player = new Player(this.#site, this.#live, { label: this.#live.title, onOver: (reason, error) => this.#overAt(reason, error) });
    this.#hearts = new Hearts(this.#site, this.#live.id, this.#player.overlay);
    fill(this.#stage, this.#player.element, this.#hearts.element);
  }

  #head() {
    const { owner, title, description } = this.#live;
    return h('div', { class: 'live-head' },
      h('h1', { class: 'live-title', dir: 'auto', testid: 'live-title-shown' }, title),
      h('div', { class: 'live-owner' }, avatar(owner, 's'), h('a', { class: 'post-author', href: `#/u/${owner.id}` }, named(nameOf(owner))), h('a', { class: 'quiet-link', href: `#/p/${this.#live.post_id}` }, t('live.to.post'))),
      description && h('p', { class: 'hint', dir: 'auto' }, written(description)));
  }

  #update(live) {
    this.#live = live;
    this.#player?.update(live);
    this.#chat.update(live);
    this.element.dataset.state = live.state;
    const shown = JSON.stringify([live.state, live.viewers, live.slow_seconds]);
    if (this.#facts.dataset.shown !== shown) {
      this.#facts.dataset.shown = shown;
      fill(this.#facts, stateBadge(live), live.state !== 'ended' && this.#clock.element,
        live.state === 'ended'
          ? live.ended_at && timeTag(live.ended_at)
          : h('button', {
            class: 'chip chip-quiet', type: 'button', title: t('live.people'), testid: 'live-people-open',
            onclick: () => openPeople(this.#site, this.#live, { moderates: this.#site.keepsOrderIn(this.#live) }),
          }, viewersBadge(live)));
    }
    if (live.state === 'ended') this.#end('ended');
  }

  /** The peer says that it is over; only the live itself knows whether for all. */
  async #overAt(reason, error) {
    if (['ended', 'stopped', 'duration', 'conflict'].includes(reason)) {
      const live = await this.#site.lives.load(this.#live.id).catch(() => this.#live);
      return this.#end(live.state === 'ended' ? 'ended' : 'failed', error);
    }
    if (reason === 'not_found') return this.#end('gone');
    if (reason === 'elsewhere') this.#chat.shut('chat.elsewhere');
    return this.#end(['banned', 'forbidden', 'elsewhere'].includes(reason) ? reason : 'failed', error);
  }

  /** The connection may have come back to the very node that carries it. */
  #returned() {
    if (this.#over === 'elsewhere') this.#onAgain();
    else this.#site.lives.load(this.#live.id).catch(() => {});
  }

  /** The right is lost. The peer says why, and may say it a little later. */
  #shutOut() {
    setTimeout(() => this.#over ?? this.#end('forbidden'), REASON_MS);
  }

  #end(how, error) {
    if (this.#over === how && how !== 'ended') return;
    this.#over = how;
    this.#player?.destroy();
    this.#player = null;
    this.#hearts = null;
    fill(this.#stage, endCard(this.#live, how, { error, again: () => (how === 'failed' ? this.#begin() : this.#onAgain()) }));
  }
}

/** What stands where the picture was. `there` is the key of what the way to the node that carries the live is called. */
export function endCard(live, how, { error, again, there = 'live.there' } = {}) {
  const address = addressThere(error?.carrier, live.id);
  const duration = lasted(live);
  const fact = (key, value) => h('div', { class: 'fact-tile' }, h('strong', {}, value), h('span', {}, t(key)));
  return h('div', { class: 'live-card', testid: 'live-over', 'data-reason': how },
    icon(how === 'ended' ? 'live' : 'info'),
    h('p', { class: 'live-card-words' }, (how === 'failed' || how === 'elsewhere') && error ? explainLive(error) : t(`live.over.${how}`)),
    how === 'ended' && duration > 0 && h('div', { class: 'fact-tiles' },
      fact('live.figure.duration', clockText(duration)), fact('live.figure.peak', number(live.viewers.peak)),
      live.result && fact('live.figure.unique', number(live.result.unique))),
    address && [h('a', { class: 'button button-primary', href: address, testid: 'live-there' }, t(there)), h('p', { class: 'hint' }, t('live.there.login'))],
    again && !address && ['failed', 'banned', 'forbidden', 'elsewhere'].includes(how) && h('button', { class: 'button', type: 'button', testid: 'live-again', onclick: again }, t('again')),
    h('a', { class: 'button', href: '#/live', testid: 'live-to-list' }, t('live.list')));
}
