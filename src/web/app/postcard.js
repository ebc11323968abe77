// One post as it is shown in a feed or on its own page. It is built once and then brought up to date in place, so that
// neither focus nor an open menu is lost when news arrive.

import { avatar } from './avatar.js';
import { nameWords } from './communityname.js';
import { confirmed, menu } from './dialogs.js';
import { fill, h, icon, timeTag, written } from './dom.js';
import { openPostEditor } from './posteditor.js';
import { number, t } from './i18n.js';
import { editable, nameOf, oneLine } from './model.js';
import { LivePanel } from './live/panel.js';
import { pictures } from './pictures.js';
import { ReactionBar } from './reactions.js';
import { ShareButton } from './sharing.js';
import { complain, toast } from './toasts.js';

/** Texts longer than this are folded in feeds. */
const FOLD_CHARACTERS = 700;
const FOLD_LINES = 12;
/** Titles longer than this are set smaller: they are read, not looked at. */
const LONG_TITLE = 90;

export class PostCard {
  element;
  #site;
  #detail;
  #post;
  #parts = {};
  #reactions;
  #sharing;

  constructor(site, post, { detail = false } = {}) {
    this.#site = site;
    this.#detail = detail;
    this.#post = post;
    const parts = this.#parts;
    parts.head = h('header', { class: 'post-head' });
    parts.title = h(detail ? 'h1' : 'h2', { class: 'post-title', dir: 'auto', testid: 'post-title' });
    parts.body = h('div', { class: 'post-body', dir: 'auto', testid: 'post-content' });
    parts.pictures = h('div', { hidden: true });
    parts.fold = h('a', { class: 'post-fold', href: `#/p/${post.id}` }, t('post.more'));
    parts.comments = h('span', { testid: 'comment-count' });
    parts.views = h('span', { 'aria-hidden': 'true', testid: 'view-count' });
    parts.viewWords = h('span', { class: 'unseen' });
    parts.foot = h('footer', { class: 'post-foot' });
    this.element = h('article', { class: `post${detail ? ' post-detail' : ''}`, testid: 'post-card' },
      parts.head, parts.title, parts.body, parts.fold, parts.pictures, post.live_id && new LivePanel(site, post.live_id).element, parts.foot);
    this.#become(post);
  }

  get post() {
    return this.#post;
  }

  /** Shows a newer version; a pending post that has arrived becomes an ordinary one. */
  update(post) {
    if (this.#post.pending && !post.pending) this.#become(post);
    else this.#show(post);
  }

  #become(post) {
    this.#post = post;
    const { element } = this;
    element.classList.toggle('post-pending', Boolean(post.pending));
    element.dataset.postId = post.pending ? '' : post.id;
    element.dataset.pending = String(Boolean(post.pending));
    this.#parts.fold.setAttribute('href', `#/p/${post.id}`);
    if (post.pending) {
      const { stands } = this.#site.connection;
      fill(this.#parts.foot, h('span', { class: 'post-state', testid: 'post-state' }, t(stands ? 'post.sending' : 'post.waiting')));
    } else {
      this.#reactions = new ReactionBar(this.#site, { post_id: post.id }, {
        read: () => ({ reactions: this.#post.counts.reactions, mine: this.#post.my?.reaction }),
        write: ({ reactions, mine }) => this.#site.posts.update(post.id, (known) => ({
          counts: { ...known.counts, reactions },
          my: { ...known.my, reaction: mine },
        })),
      });
      this.#sharing = new ShareButton(this.#site, () => this.#post);
      fill(this.#parts.foot, this.#reactions.element,
        h('a', { class: 'chip chip-quiet', href: `#/p/${post.id}`, testid: 'post-comments' }, icon('comment'), this.#parts.comments),
        this.#sharing.element,
        h('span', { class: 'post-views' }, icon('eye'), this.#parts.views, this.#parts.viewWords));
    }
    this.#show(post);
  }

  #show(post) {
    this.#post = post;
    const { title, body, fold, comments, views, viewWords } = this.#parts;
    this.element.dataset.kind = post.kind;
    this.element.dataset.version = post.version;
    this.#showHead(post);
    title.hidden = !post.title;
    const words = oneLine(post.title ?? '');
    title.classList.toggle('post-title-long', words.length > LONG_TITLE);
    if (title.dataset.shown !== words) {
      title.dataset.shown = words;
      fill(title, this.#detail || post.pending ? words : h('a', { href: `#/p/${post.id}` }, words));
    }
    if (body.dataset.version !== `${post.version} ${post.content.length}`) {
      body.dataset.version = `${post.version} ${post.content.length}`;
      fill(body, written(post.content));
      body.hidden = post.content === '';
    }
    const { pictures: place } = this.#parts;
    const named = (post.media ?? []).map(({ id }) => id).join(' ');
    if ((place.dataset.shown ?? '') !== named) {
      place.dataset.shown = named;
      fill(place, pictures(this.#site, post));
      place.hidden = named === '';
    }
    const long = !this.#detail && (post.content.length > FOLD_CHARACTERS || post.content.split('\n').length > FOLD_LINES);
    body.classList.toggle('post-folded', long);
    fold.hidden = !long;
    if (post.pending) return;
    this.#reactions.update();
    this.#sharing.update();
    comments.textContent = number(post.counts.comments);
    comments.dataset.count = post.counts.comments;
    comments.parentElement.setAttribute('aria-label', t('post.comments', { count: post.counts.comments }));
    views.textContent = number(post.counts.views);
    viewWords.textContent = t('post.views', { count: post.counts.views });
    views.parentElement.title = viewWords.textContent;
    views.dataset.count = post.counts.views;
  }

  #showHead(post) {
    const community = this.#site.communities.get(post.community_id);
    const shown = JSON.stringify([post.author, post.kind, post.visibility, post.edited_at, post.pending, post.my?.author, community && nameWords(this.#site.communities, community)]);
    if (this.#parts.head.dataset.shown === shown) return;
    this.#parts.head.dataset.shown = shown;
    const author = post.author;
    const name = author
      ? h('a', { class: 'post-author', href: `#/u/${author.id}`, dir: 'auto', testid: 'post-author' }, nameOf(author))
      : h('span', { class: 'post-author', testid: 'post-author' }, t('post.someone'));
    fill(this.#parts.head,
      author ? h('a', { href: `#/u/${author.id}`, tabindex: '-1', 'aria-hidden': 'true' }, avatar(author)) : avatar(null),
      h('div', { class: 'post-who' },
        h('div', { class: 'post-names' }, name, author && h('span', { class: 'post-username' }, `@${author.username}`)),
        h('div', { class: 'post-where' },
          this.#communityLink(post),
          h('a', { class: 'quiet-link', href: `#/p/${post.id}` }, timeTag(post.created_at)),
          post.edited_at && h('span', { testid: 'post-edited' }, t('post.edited')),
          post.visibility !== 'public' && h('span', { class: 'post-visibility', testid: 'post-visibility' }, icon(post.visibility === 'private' ? 'lock' : 'people'), t(`visibility.${post.visibility}`)))),
      h('span', { class: `kind kind-${post.kind}`, testid: 'post-kind' }, icon(post.kind), h('span', {}, t(`kind.${post.kind}`))),
      post.pending ? null : this.#menu());
  }

  #communityLink(post) {
    const community = this.#site.communities.get(post.community_id);
    if (!community) {
      this.#site.communities.load(post.community_id).then(() => this.#showHead(this.#post), () => {});
      return null;
    }
    return h('a', { class: 'post-community', href: `#/c/${community.id}`, title: community.path.join(' › '), dir: 'auto', testid: 'post-community' }, nameWords(this.#site.communities, community));
  }

  #menu() {
    const { my, author, id } = this.#post;
    const items = [{ text: t('post.link'), symbol: 'link', testid: 'post-link', run: () => this.#copyLink() }];
    if (my?.author && editable(this.#post, Date.now())) {
      items.push({ text: t('post.edit'), symbol: 'edit', testid: 'post-edit', run: () => openPostEditor(this.#site, this.#site.posts.get(id) ?? this.#post) });
    }
    if (my?.author || this.#site.moderates(this.#post.community_id)) {
      items.push({ text: t('post.delete'), symbol: 'trash', testid: 'post-delete', danger: true, run: () => this.#delete() });
    } else if (author && this.#site.me) {
      items.push({ text: t('profile.block'), symbol: 'block', testid: 'post-block', danger: true, run: () => this.#site.block(author, true) });
    }
    return menu({ label: t('post.menu'), testid: 'post-menu', items });
  }

  async #copyLink() {
    const address = `${location.origin}${location.pathname}#/p/${this.#post.id}`;
    try {
      await navigator.clipboard.writeText(address);
      toast(t('post.link.done'));
    } catch {
      toast(address); // without leave to use the clipboard it can still be read
    }
  }

  async #delete() {
    if (!(await confirmed(t('post.delete.sure'), t('post.delete')))) return;
    try {
      await this.#site.connection.ask('post.delete', { post_id: this.#post.id });
      this.#site.posts.remove(this.#post.id);
    } catch (error) {
      if (error.code === 'not_found') this.#site.posts.remove(this.#post.id);
      else complain(error);
    }
  }
}
