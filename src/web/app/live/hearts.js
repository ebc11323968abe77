// Reactions to a running live: a tap floats up at once, those of others when the server tells of them, a few for many.

import { calm, h, icon } from '../dom.js';
import { number, t } from '../i18n.js';
import { REACTIONS } from '../model.js';

/** Floating at once; more would be a curtain. */
const AT_ONCE = 30;
/** Of one window of 250 ms. */
const OF_A_WINDOW = 8;
/** Taps sent in one second; the server takes ten. */
const TAPS_PER_SECOND = 8;

export class Hearts {
  element;
  #site;
  #liveId;
  #overlay;
  #total = 0;
  #count = h('span', { class: 'heart-total', testid: 'live-reaction-total', 'data-count': 0 });
  #taps = [];
  /** kind -> own taps that the server has not told of yet: they float already */
  #own = new Map();

  constructor(site, liveId, overlay) {
    this.#site = site;
    this.#liveId = liveId;
    this.#overlay = overlay;
    this.element = h('div', { class: 'hearts', role: 'group', 'aria-label': t('reaction.add') },
      ['love', ...REACTIONS.filter((kind) => kind !== 'love')].map((kind) => h('button', {
        class: 'reaction-choice', type: 'button', title: t(`reaction.${kind}`), testid: `live-react-${kind}`, onclick: () => this.#tap(kind),
      }, icon(`face-${kind}`, t(`reaction.${kind}`)))), this.#count);
  }

  /** What was tapped in one window, by kind. */
  burst(counts) {
    for (const [kind, count] of Object.entries(counts)) {
      const mine = Math.min(count, this.#own.get(kind) ?? 0);
      this.#own.set(kind, (this.#own.get(kind) ?? 0) - mine);
      for (let shown = 0; shown < Math.min(count - mine, OF_A_WINDOW); shown += 1) setTimeout(() => this.#float(kind), shown * 30);
      this.#add(count - mine);
    }
  }

  async #tap(kind) {
    if (!this.#site.loggedIn()) return;
    const now = performance.now();
    this.#taps = this.#taps.filter((at) => now - at < 1_000);
    if (this.#taps.length >= TAPS_PER_SECOND) return;
    this.#taps.push(now);
    this.#float(kind);
    this.#add(1);
    this.#own.set(kind, (this.#own.get(kind) ?? 0) + 1);
    // Not worth a complaint or a repetition: the next tap is sooner done than a message read.
    await this.#site.connection.signalling.ask('live.react', { live_id: this.#liveId, kind }).catch(() => this.#own.set(kind, Math.max(0, (this.#own.get(kind) ?? 0) - 1)));
  }

  #add(count) {
    this.#total += count;
    this.#count.dataset.count = this.#total;
    this.#count.textContent = this.#total === 0 ? '' : number(this.#total);
  }

  #float(kind) {
    if (calm() || this.#overlay.childElementCount >= AT_ONCE || document.visibilityState !== 'visible') return;
    const heart = h('span', { class: 'heart' }, icon(`face-${kind}`));
    heart.style.setProperty('--sway', `${Math.round(Math.random() * 60 - 30)}px`);
    heart.style.insetInlineEnd = `${Math.round(Math.random() * 18)}%`;
    heart.addEventListener('animationend', () => heart.remove());
    this.#overlay.append(heart);
  }
}
