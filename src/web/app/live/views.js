// The places of lives: one live, and those that run now.

import { avatar } from '../avatar.js';
import { fill, h, icon, named } from '../dom.js';
import { t } from '../i18n.js';
import { nameOf } from '../model.js';
import { explain } from '../toasts.js';
import { gone } from '../views.js';
import { runningClock, stateBadge, viewersBadge } from './badge.js';
import { Chat } from './chat.js';
import { Cockpit } from './cockpit.js';
import { Report } from './report.js';
import { endWords } from './rules.js';
import { Watch, endCard } from './watch.js';

/** The list is read anew so often while it is looked at: lives elsewhere tell nobody here of their beginning. */
const REFRESH_MS = 10_000;

/** One live: its owner's cockpit or report, and the picture for everybody else. */
export class LiveView {
  title = t('live.view');
  element = h('div', { class: 'view live-view' });
  #site;
  #id;
  #part = null;
  #ends = [];

  constructor(site, id) {
    this.#site = site;
    this.#id = id;
    this.#ends.push(site.posts.removed.listen((postId) => postId === site.lives.get(id)?.post_id && this.#show({ element: gone(t('live.over.gone')) })));
    this.#load();
  }

  destroy() {
    this.#ends.forEach((end) => end());
    this.#part?.destroy?.();
    this.#part = { destroyed: true };
  }

  async #load() {
    // What is known already is shown at once: a picture need not wait for an answer that says the same.
    const known = this.#site.lives.get(this.#id);
    if (known && known.owner.id !== this.#site.me?.id) this.#begin(known);
    else fill(this.element, h('p', { class: 'empty' }, t('loading')));
    try {
      const live = await this.#site.lives.load(this.#id);
      if (!this.#part) this.#begin(live);
    } catch (error) {
      if (this.#part?.destroyed || error.code === 'cancelled') return;
      if (error.code === 'not_found' || error.code === 'invalid') this.#show({ element: gone() });
      else if (!this.#part) fill(this.element, h('div', { class: 'empty-place' }, icon('info'), h('p', {}, explain(error)), h('button', { class: 'button', type: 'button', testid: 'live-reload', onclick: () => this.#load() }, t('again'))));
    }
  }

  #begin(live) {
    this.title = live.title;
    this.#site.entitle();
    // Also where it is known: one's role in it may have changed since.
    this.#site.communities.load(live.community_id).catch(() => {});
    const mine = live.owner.id === this.#site.me?.id;
    const onAgain = () => this.#begin(this.#site.lives.get(this.#id) ?? live);
    if (!mine) this.#show(new Watch(this.#site, live, { onAgain }));
    else if (live.state === 'ended') this.#show(new Past(this.#site, live));
    else this.#show(new Cockpit(this.#site, live, { onOver: (report) => this.#over(report), onAgain }));
  }

  #over(report) {
    if (this.#part instanceof Past) return;
    if (this.#site.onAir.live?.id === this.#id) this.#site.onAir.leave();
    const known = this.#site.lives.get(this.#id);
    // The reason that is known may be that of an interruption.
    this.#show(new Past(this.#site, known.state === 'ended' ? known : { ...known, state: 'ended', reason: undefined }, report));
  }

  #show(part) {
    if (this.#part?.destroyed) return part.destroy?.();
    this.#part?.destroy?.();
    this.#part = part;
    fill(this.element, part.element);
    return undefined;
  }
}

/** One's own live that is over. */
class Past {
  element;
  #chat;
  #end;

  constructor(site, live, report) {
    this.#chat = new Chat(site, live);
    const what = live.started_at || report?.duration_ms ? new Report(site, live, report) : new Never(live);
    this.#end = site.lives.changed.listen((id) => id === live.id && site.lives.get(id).state === 'ended' && what.update(site.lives.get(id)));
    this.element = h('div', { class: 'live', testid: 'live-past', 'data-live-id': live.id },
      h('div', { class: 'live-main' },
        h('div', { class: 'live-head' }, h('h1', { class: 'live-title', dir: 'auto' }, live.title), h('div', { class: 'live-facts' }, stateBadge(live), h('a', { class: 'quiet-link', href: `#/p/${live.post_id}` }, t('live.to.post')))),
        what.element),
      this.#chat.element);
  }

  destroy() {
    this.#end();
    this.#chat.destroy();
  }
}

/** What stands in place of a report where there was nothing to see. */
class Never {
  element;
  #end = h('p', { class: 'hint', testid: 'report-end' });

  constructor(live) {
    this.element = endCard(live, 'never');
    this.element.querySelector('.live-card-words').after(this.#end);
    this.update(live);
  }

  update(live) {
    this.#end.dataset.reason = live.reason ?? '';
    this.#end.textContent = endWords(live).map(({ key }) => t(key)).join(' ');
  }
}

/** The lives that run now. */
export class LiveListView {
  title = t('live.list');
  element;
  #site;
  #list = h('div', { class: 'live-grid', testid: 'live-list' });
  /** Lives that are not on the air yet, under words of their own. */
  #soon = h('div', { class: 'live-grid', testid: 'live-list-soon' });
  #soonTitle = h('h2', { class: 'section-title', hidden: true }, t('live.list.soon'));
  #note = h('div', { class: 'feed-note' });
  #more;
  #cards = new Map();
  #timer;
  #ends = [];

  constructor(site) {
    this.#site = site;
    this.#more = h('button', { class: 'button feed-more', type: 'button', hidden: true, testid: 'live-list-more' }, t('live.list.more'));
    this.element = h('div', { class: 'view' },
      h('div', { class: 'view-head' }, h('h1', { class: 'view-title' }, t('live.list')),
        h('a', {
          class: 'button button-live', href: '#/live/start', testid: 'go-live',
          onclick: (event) => site.loggedIn() || event.preventDefault(),
        }, icon('live'), t('live.go'))),
      this.#list, this.#note, this.#soonTitle, this.#soon, this.#more);
    this.#timer = setInterval(() => document.visibilityState === 'visible' && this.#load(), REFRESH_MS);
    this.#ends.push(
      site.lives.changed.listen((id) => this.#cards.has(id) && this.#place(site.lives.get(id))),
      site.connection.welcomed.listen(() => this.#load()));
    this.#load();
  }

  destroy() {
    clearInterval(this.#timer);
    this.#ends.forEach((end) => end());
    for (const card of this.#cards.values()) card.stop();
  }

  async #load(cursor) {
    try {
      const page = await this.#site.lives.list({ ...(cursor && { cursor }) });
      const seen = new Set(page.lives.map(({ id }) => id));
      if (!cursor) {
        for (const [id, card] of this.#cards) {
          if (seen.has(id)) continue;
          card.stop();
          card.element.remove();
          this.#cards.delete(id);
        }
        this.#soonTitle.hidden = this.#soon.childElementCount === 0;
      }
      for (const live of page.lives) this.#place(live);
      this.#more.hidden = !page.cursor;
      this.#more.onclick = () => this.#load(page.cursor);
      fill(this.#note, this.#list.childElementCount === 0 ? h('div', { class: 'empty-place', testid: 'live-list-empty' }, icon('live'), h('p', {}, t('live.list.none'))) : null);
    } catch (error) {
      if (error.code !== 'cancelled') fill(this.#note, h('p', { class: 'empty' }, explain(error)));
    }
  }

  #place(live) {
    const card = this.#cards.get(live.id) ?? listCard(live);
    this.#cards.set(live.id, card);
    card.update(live);
    const grid = isSoon(live) ? this.#soon : this.#list;
    if (card.element.parentElement !== grid) grid.append(card.element);
    this.#soonTitle.hidden = this.#soon.childElementCount === 0;
  }
}

function isSoon({ state }) {
  return state === 'created' || state === 'connecting';
}

function listCard(live) {
  let now = live;
  const clock = runningClock(() => (now.started_at && now.state !== 'ended' ? Date.now() - now.started_at : null));
  const facts = h('span', { class: 'live-facts' });
  const update = (news) => {
    now = news;
    fill(facts, stateBadge(now), clock.element, !isSoon(now) && viewersBadge(now));
  };
  update(live);
  return {
    element: h('a', { class: 'live-tile', href: `#/l/${live.id}`, testid: 'live-item', 'data-live-id': live.id },
      h('span', { class: 'live-tile-face' }, avatar(live.owner, 'l')), h('span', { class: 'live-tile-main' }, facts, h('strong', { class: 'live-tile-title', dir: 'auto' }, live.title), h('span', { class: 'hint' }, named(nameOf(live.owner))))),
    update,
    stop: clock.stop,
  };
}
