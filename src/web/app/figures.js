// How a post is received, for its author: figures that move while they are looked at, and what came on which day.

import { fill, h, svgElement } from './dom.js';
import { number, t } from './i18n.js';
import { REACTIONS } from './model.js';
import { explain } from './toasts.js';

/** Days that are drawn: the latest that something came on. */
const DAYS = 30;
const WIDTH = 640;
const HEIGHT = 90;
/** Viewers and days are asked for again so long after a change, however many follow. */
const ASK_AGAIN_MS = 5_000;

export class PostFigures {
  element;
  #site;
  #id;
  #told = null;
  #body = h('div', { class: 'figures-body' });
  #stop = null;
  #again = null;

  constructor(site, id) {
    this.#site = site;
    this.#id = id;
    this.element = h('details', { class: 'sheet figures', testid: 'post-figures', ontoggle: () => (this.element.open ? this.#open() : this.destroy()) },
      h('summary', {}, t('figures.title')), this.#body);
  }

  destroy() {
    clearTimeout(this.#again);
    this.#again = null;
    this.#stop?.();
    this.#stop = null;
  }

  /** A `post.figures`: of the counts alone. */
  state({ event, data }) {
    if (event !== 'post.figures' || !this.#told || data.version <= this.#told.version) return;
    const { shares, external_shares: elsewhere, ...rest } = data;
    this.#told = { ...this.#told, ...rest, sums: { shares, elsewhere } };
    this.#show();
    this.#again ??= setTimeout(() => {
      this.#again = null;
      void this.#load();
    }, ASK_AGAIN_MS);
  }

  opened() {
    void this.#load();
  }

  reset() {
    void this.#load();
  }

  #open() {
    if (!this.#told) fill(this.#body, h('p', { class: 'hint' }, t('loading')));
    this.#stop ??= this.#site.connection.follow(`analytics:post:${this.#id}`, this);
  }

  async #load() {
    try {
      const told = await this.#site.connection.ask('analytics.post', { post_id: this.#id });
      if (this.#told && told.version < this.#told.version) return;
      const elsewhere = Object.values(told.external_shares).reduce((sum, count) => sum + count, 0);
      this.#told = { ...told, sums: { shares: told.shares.share + told.shares.repost, elsewhere } };
      this.#show();
    } catch (error) {
      if (!this.#told) fill(this.#body, h('p', { class: 'empty' }, explain(error)));
    }
  }

  #show() {
    const { views, unique_viewers: unique, reactions, comments, sums, engagement_rate: rate, label, external_shares: platforms, series } = this.#told;
    const tile = (id, value, words = number(value)) => h('div', { class: 'tile' }, h('dt', {}, t(`figures.${id}`)), h('dd', { testid: `figures-${id}`, 'data-value': value }, words));
    const liked = REACTIONS.reduce((sum, kind) => sum + (reactions[kind] ?? 0), 0);
    fill(this.#body,
      h('dl', { class: 'tiles' },
        tile('views', views), tile('unique', unique), tile('reactions', liked), tile('comments', comments), tile('shares', sums.shares), tile('elsewhere', sums.elsewhere),
        tile('rate', rate, `${number(rate)} %`), tile('label', label, t(`figures.label.${label}`))),
      platformWords(platforms),
      bars(series.slice(-DAYS)));
  }
}

function platformWords(platforms) {
  const parts = Object.entries(platforms).map(([platform, count]) => `${t(platform === 'copy_link' ? 'post.link' : `share.${platform}`)} ${number(count)}`);
  return parts.length > 0 && h('p', { class: 'hint', testid: 'figures-platforms' }, `${t('figures.platforms')} ${parts.join(' · ')}`);
}

/** A bar for the views of each day that something came on. */
function bars(days) {
  if (days.length < 2) return null; // one bar has nothing to be measured by
  const top = Math.max(1, ...days.map(({ views }) => views));
  const step = WIDTH / days.length;
  const picture = svgElement('svg', { class: 'figures-bars', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': t('figures.days', { count: days.length, top }), 'data-testid': 'figures-bars' });
  for (const [place, { day, views }] of days.entries()) {
    const height = (Math.max(0, views) / top) * HEIGHT;
    const bar = svgElement('rect', { x: place * step + 1, y: HEIGHT - height, width: Math.max(1, step - 2), height });
    const title = svgElement('title', {});
    title.textContent = `${day}: ${t('post.views', { count: views })}`;
    bar.append(title);
    picture.append(bar);
  }
  return h('figure', { class: 'figures-days' }, picture, h('figcaption', { class: 'hint' }, `${days[0].day} – ${days.at(-1).day}`));
}
