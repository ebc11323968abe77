// A live inside the card of its post: its state, how many watch, and the way in. While the card is on screen the live is
// followed, so that the number is true; nothing is asked for those further down.

import { fill, h, icon } from '../dom.js';
import { t } from '../i18n.js';
import { stateBadge, viewersBadge } from './badge.js';
import { clockText, lasted } from './rules.js';

/** Lives followed at once for what is on screen. */
const FOLLOWED = 4;
let followed = 0;

export class LivePanel {
  element;
  #site;
  #id;
  #ends = [];
  #isFollowing = false;

  constructor(site, id) {
    this.#site = site;
    this.#id = id;
    this.element = h('a', { class: 'live-panel', href: `#/l/${id}`, testid: 'live-open', 'data-live-id': id });
    this.#show();
    // An element that was taken out of the page is not on screen either, so this ends by itself.
    new IntersectionObserver(([{ isIntersecting }]) => (isIntersecting ? this.#enter() : this.#leave())).observe(this.element);
  }

  #enter() {
    if (this.#ends.length > 0) return;
    this.#ends.push(this.#site.lives.changed.listen((id) => id === this.#id && this.#show()));
    this.#site.lives.load(this.#id).then(() => this.#follow(), () => {});
    this.#show();
  }

  #leave() {
    this.#ends.splice(0).forEach((end) => end());
    if (this.#isFollowing) followed -= 1;
    this.#isFollowing = false;
  }

  #follow() {
    const live = this.#site.lives.get(this.#id);
    if (this.#ends.length === 0 || this.#isFollowing || followed >= FOLLOWED || live?.state === 'ended') return;
    followed += 1;
    this.#isFollowing = true;
    this.#ends.push(this.#site.lives.follow(this.#id));
  }

  #show() {
    const live = this.#site.lives.get(this.#id);
    const shown = JSON.stringify([live?.state, live?.viewers]);
    if (this.element.dataset.shown === shown) return;
    this.element.dataset.shown = shown;
    this.element.dataset.state = live?.state ?? '';
    if (!live) return void fill(this.element, h('span', { class: 'live-panel-play' }, icon('play')), h('span', { class: 'live-panel-words' }, t('live.watch')));
    const over = live.state === 'ended';
    const duration = lasted(live);
    const mine = live.owner.id === this.#site.me?.id;
    fill(this.element,
      h('span', { class: 'live-panel-top' }, stateBadge(live), !over && viewersBadge(live)),
      h('span', { class: 'live-panel-play' }, icon(over ? 'comment' : 'play')),
      h('span', { class: 'live-panel-words' }, over
        ? [duration > 0 ? t('live.panel.over', { duration: clockText(duration), count: live.viewers.peak }) : t('live.over.ended')]
        : t(mine ? 'live.panel.mine' : 'live.watch')));
    return undefined;
  }
}
