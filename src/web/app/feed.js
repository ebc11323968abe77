// A list of posts that keeps itself up to date: newest first, older ones by pages, new ones inserted as they come. A
// reader who is further down is not moved by them, but is told by a button that leads to the top.

import { calm, fill, h, icon, removeKeepingPlace } from './dom.js';
import { t } from './i18n.js';
import { KINDS, nameOf, newestFirst } from './model.js';
import { PostCard } from './postcard.js';
import { announce, explain } from './toasts.js';

const PAGE = 20;
/** A reader who has scrolled further than this does not see what comes in at the top. */
const AT_TOP_PX = 160;
/** Channels open in swarms; the list is read anew once for all of them. */
const RELOAD_MS = 80;

export class Feed {
  element;
  #site;
  #options;
  #cards = new Map();
  #pending = new Map();
  /** New posts that came in above what is on screen. */
  #unseen = new Set();
  #following = new Map();
  #cursor = null;
  #kind = null;
  #loading = 0;
  #loaded = false;
  #reload = null;
  #active = false;
  #ends = [];
  #parts = {};

  /** `query()` is the body of `feed.list`, `channels()` those to follow; `empty` is said where there is nothing. */
  constructor(site, options) {
    this.#site = site;
    this.#options = options;
    const parts = this.#parts;
    parts.filter = h('div', { class: 'filter', role: 'group', 'aria-label': t('feed.filter') }, [null, ...KINDS, 'live'].map((kind) => this.#filterButton(kind)));
    parts.news = h('button', { class: 'button button-primary feed-news', type: 'button', hidden: true, testid: 'feed-new', onclick: () => this.#toTop() });
    parts.list = h('div', { class: 'feed-list', testid: 'feed', 'aria-busy': 'true' });
    parts.note = h('div', { class: 'feed-note' });
    parts.more = h('button', { class: 'button feed-more', type: 'button', hidden: true, testid: 'feed-more', onclick: () => this.#loadMore() }, t('feed.more'));
    this.element = h('section', { class: 'feed' }, parts.filter, h('div', { class: 'feed-news-place' }, parts.news), parts.list, parts.note, parts.more);
    this.#ends.push(
      site.posts.changed.listen((id) => this.#cards.get(id)?.update(site.posts.get(id))),
      site.posts.removed.listen((id) => this.#remove(id)),
      site.connection.welcomed.listen((_, returned) => {
        if (!this.#loaded && this.#parts.list.getAttribute('aria-busy') === 'false') this.load();
        else if (returned) this.#refreshCounts();
      }),
    );
    this.#follow();
    this.load();
  }

  enter() {
    this.#active = true;
    addEventListener('scroll', this.#scrolled, { passive: true });
    // Where one is back at the top, what came meanwhile is in sight, and nothing scrolls to say so.
    requestAnimationFrame(() => this.#active && this.#scrolled());
  }

  leave() {
    this.#active = false;
    removeEventListener('scroll', this.#scrolled);
  }

  destroy() {
    this.leave();
    this.#ends.forEach((end) => end());
    clearTimeout(this.#reload);
    for (const stop of this.#following.values()) stop();
    for (const card of this.#cards.values()) this.#site.views.forget(card.element);
  }

  /** The channels may have changed. */
  refollow() {
    this.#follow();
  }

  /** Loads the first page anew. */
  async load() {
    const turn = ++this.#loading;
    this.#parts.list.setAttribute('aria-busy', 'true');
    if (this.#cards.size === 0) fill(this.#parts.note, h('p', { class: 'empty' }, t('loading')));
    try {
      const { posts, cursor } = await this.#site.connection.ask('feed.list', { ...this.#query(), limit: PAGE });
      if (turn !== this.#loading) return;
      this.#loaded = true;
      this.#cursor = cursor ?? null;
      this.#unseen.clear();
      const kept = new Set(posts.map((post) => post.id));
      for (const id of [...this.#cards.keys()]) if (!kept.has(id)) this.#remove(id);
      for (const post of posts) this.#place(this.#site.posts.put(post));
      this.#options.loaded?.(posts);
      this.#say();
    } catch (error) {
      if (turn !== this.#loading || error.code === 'cancelled') return;
      if (this.#options.refused?.(error)) return;
      fill(this.#parts.note, h('div', { class: 'empty-place', testid: 'feed-failed' }, icon('info'), h('p', {}, `${t('feed.failed')} ${explain(error)}`),
        h('div', { class: 'empty-actions' }, h('button', { class: 'button', type: 'button', testid: 'feed-again', onclick: () => this.load() }, t('again')))));
    } finally {
      if (turn === this.#loading) this.#parts.list.setAttribute('aria-busy', 'false');
    }
  }

  /** For the composer: the optimistic copy of a post and what becomes of it. */
  sender() {
    return {
      show: (body, media = []) => {
        const post = {
          ...body, id: `op:${body.op}`, pending: true, author: body.anonymous ? null : this.#site.me, media, version: 1, created_at: Date.now(),
          counts: { version: 0, reactions: {}, comments: 0, shares: 0, external_shares: 0, views: 0 }, my: { author: true },
        };
        const card = new PostCard(this.#site, post);
        this.#pending.set(body.op, card);
        this.#parts.list.prepend(card.element);
        fill(this.#parts.note);
      },
      arrived: (post, op) => this.#arrived(this.#site.posts.put(post), op),
      refused: (op) => {
        this.#pending.get(op)?.element.remove();
        this.#pending.delete(op);
        this.#say();
      },
    };
  }

  // --- news -------------------------------------------------------------------------------------------------------

  publication(item) {
    const { event, data } = item;
    if (event === 'post.created') this.#arrived(this.#site.posts.put(data.post), data.op);
    else if (event === 'post.edited') {
      if (this.#site.posts.get(data.post.id)) this.#site.posts.put(data.post);
    } else if (event === 'post.deleted') this.#site.posts.remove(data.post_id);
    else this.#site.lives.heard(item);
  }

  state(state) {
    if (state.event === 'post.counts') this.#site.posts.counts(state);
    else if (state.event === 'community.counts') this.#site.communities.counts(state);
  }

  reset() {
    this.load();
  }

  /** A channel that opens after the list was read may have had news in between. */
  opened() {
    if (!this.#loaded || this.#reload !== null) return;
    this.#reload = setTimeout(() => {
      this.#reload = null;
      this.load();
    }, RELOAD_MS);
  }

  #arrived(post, op) {
    const pending = op && this.#pending.get(op);
    if (pending) {
      this.#pending.delete(op);
      if (this.#cards.has(post.id)) {
        pending.element.remove();
        return;
      }
      pending.update(post);
      this.#cards.set(post.id, pending);
      this.#site.views.watch(pending.element);
      return;
    }
    if (this.#cards.has(post.id) || !this.#wanted(post)) return;
    const height = document.documentElement.scrollHeight;
    this.#place(post).classList.add('post-new');
    const below = !this.#active || scrollY >= AT_TOP_PX;
    if (below && !post.my?.author) this.#unseen.add(post.id);
    if (this.#active && !post.my?.author) this.#announceNews(post);
    // Browsers that anchor the scroll position do this by themselves.
    if (below && this.#active && !CSS.supports('overflow-anchor', 'auto')) scrollBy(0, document.documentElement.scrollHeight - height);
    this.#say();
  }

  #wanted(post) {
    return (this.#kind === null || post.kind === this.#kind) && (this.#options.wanted?.(post) ?? true);
  }

  #announce() {
    const count = this.#unseen.size;
    this.#parts.news.hidden = count === 0;
    this.#parts.news.textContent = count === 0 ? '' : t('feed.new', { count });
  }

  #announceNews(post) {
    const count = this.#unseen.size;
    announce(count > 1 ? t('feed.new', { count }) : t('feed.arrived', { name: post.author ? nameOf(post.author) : t('post.someone') }));
  }

  #toTop() {
    this.#unseen.clear();
    this.#announce();
    scrollTo({ top: 0, behavior: calm() ? 'instant' : 'smooth' });
    this.#parts.list.querySelector('.post-author')?.focus({ preventScroll: true });
  }

  #scrolled = () => {
    if (this.#unseen.size === 0 || scrollY >= AT_TOP_PX) return;
    this.#unseen.clear();
    this.#announce();
  };

  // --- the list ---------------------------------------------------------------------------------------------------

  #place(post) {
    const known = this.#cards.get(post.id);
    if (known) return known.element;
    const card = new PostCard(this.#site, post);
    const next = [...this.#cards.values()].filter((other) => newestFirst(post, other.post) < 0).sort((a, b) => newestFirst(a.post, b.post))[0];
    this.#cards.set(post.id, card);
    if (next) next.element.before(card.element);
    else this.#parts.list.append(card.element);
    this.#site.views.watch(card.element);
    return card.element;
  }

  #remove(id) {
    const card = this.#cards.get(id);
    this.#unseen.delete(id);
    this.#announce();
    if (!card) return;
    this.#cards.delete(id);
    this.#site.views.forget(card.element);
    removeKeepingPlace(card.element);
    this.#say();
  }

  /** Words of an empty feed that depend on what else is known are said anew. */
  retell() {
    if (this.#parts.note.querySelector('[data-testid="feed-empty"]')) this.#say();
  }

  #say() {
    this.#parts.more.hidden = this.#cursor === null;
    const empty = this.#cards.size === 0 && this.#pending.size === 0;
    fill(this.#parts.note, empty ? this.#emptiness() : null);
    this.#announce();
  }

  /** What to do where there is nothing. */
  #emptiness() {
    const { text, actions } = this.#kind === null
      ? (this.#options.empty?.() ?? { text: t('feed.empty') })
      : { text: t('feed.empty.kind'), actions: [h('button', { class: 'button', type: 'button', testid: 'feed-show-all', onclick: () => this.#choose(null) }, t('feed.empty.all'))] };
    return h('div', { class: 'empty-place', testid: 'feed-empty' }, icon(this.#kind ?? 'discussion'), h('p', {}, text), actions && h('div', { class: 'empty-actions' }, actions));
  }

  async #loadMore() {
    const turn = this.#loading;
    this.#parts.more.disabled = true;
    try {
      const { posts, cursor } = await this.#site.connection.ask('feed.list', { ...this.#query(), limit: PAGE, cursor: this.#cursor });
      if (turn !== this.#loading) return;
      this.#cursor = cursor ?? null;
      for (const post of posts) this.#place(this.#site.posts.put(post));
      this.#options.loaded?.(posts);
      this.#say();
    } catch (error) {
      fill(this.#parts.note, h('p', { class: 'empty' }, explain(error)));
    } finally {
      this.#parts.more.disabled = false;
    }
  }

  #query() {
    return { ...this.#options.query(), ...(this.#kind && { kind: this.#kind }) };
  }

  #filterButton(kind) {
    return h('button', {
      class: `filter-chip${kind ? ` kind-${kind}` : ''}`, type: 'button', 'aria-pressed': String(kind === null), testid: `filter-${kind ?? 'all'}`,
      onclick: () => this.#choose(kind),
    }, t(kind ? `kind.${kind}` : 'feed.all'));
  }

  #choose(kind) {
    this.#kind = kind;
    for (const button of this.#parts.filter.children) {
      const chosen = button.dataset.testid === `filter-${kind ?? 'all'}`;
      button.setAttribute('aria-pressed', String(chosen));
      if (chosen) button.focus({ preventScroll: true });
    }
    for (const id of [...this.#cards.keys()]) this.#remove(id);
    this.load();
  }

  #follow() {
    const wanted = new Set(this.#options.channels());
    for (const [channel, stop] of this.#following) {
      if (wanted.has(channel)) continue;
      stop();
      this.#following.delete(channel);
    }
    for (const channel of wanted) {
      if (!this.#following.has(channel)) this.#following.set(channel, this.#site.connection.follow(channel, this));
    }
  }

  closed(reason, channel) {
    this.#following.delete(channel);
  }

  /** States are not in the log: after an absence the counts of what is shown are asked for. */
  async #refreshCounts() {
    const ids = [...this.#cards.keys()].slice(0, 100);
    if (ids.length === 0) return;
    const { states } = await this.#site.connection.ask('post.counts', { post_ids: ids }).catch(() => ({ states: [] }));
    states.forEach((state) => this.#site.posts.counts(state));
  }
}
