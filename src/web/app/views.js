// What fills the middle of the page: one class per place. Each has an `element`, a `title`, and may have `enter`,
// `leave` and `destroy`; the router builds them and keeps feeds alive while a post is looked at.

import { avatar } from './avatar.js';
import { Comments } from './comments.js';
import { Composer } from './composer.js';
import { sinceWords } from './communityname.js';
import { fill, h, icon, named } from './dom.js';
import { Feed } from './feed.js';
import { PostFigures } from './figures.js';
import { number, t } from './i18n.js';
import { nameOf, oneLine } from './model.js';
import { PHOTO_BYTES, PICTURE_TYPES, flawOf } from './picturerules.js';
import { openAuth } from './authdialog.js';
import { PostCard } from './postcard.js';
import { communityTree, joinButton, openCommunityDialog } from './tree.js';
import { complain, explain, toast } from './toasts.js';
import { upload } from './upload.js';

/** Channels of a home feed: well below the subscriptions that a session may have, so that other views find room. */
const FOLLOWED_COMMUNITIES = 120;
const FOLLOWED_AUTHORS = 60;

/** Home: the posts of one's communities and of the people one follows. */
export class HomeView {
  keep = true;
  title = t('feed.title');
  element;
  #site;
  #feed;
  #composer;
  #authors = new Set();
  #end;

  constructor(site) {
    this.#site = site;
    this.#feed = new Feed(site, {
      query: () => ({ home: true }),
      channels: () => [
        `user:${site.me.id}`,
        ...site.communities.joined().slice(0, FOLLOWED_COMMUNITIES).map(({ id }) => `feed:${id}`),
        ...[...this.#authors].slice(-FOLLOWED_AUTHORS).map((id) => `author:${id}`),
      ],
      empty: () => {
        const alone = site.communities.joined().length === 0;
        return {
          text: t(alone ? 'feed.empty.home' : 'feed.empty.member'),
          actions: alone && [
            h('a', { class: 'button button-primary', href: '#/communities', testid: 'home-communities' }, t('feed.empty.look')),
            h('button', { class: 'button', type: 'button', testid: 'home-community-create', onclick: () => openCommunityDialog(site) }, icon('plus'), t('community.new')),
          ],
        };
      },
      loaded: (posts) => {
        // There is no list of whom one follows; those whose posts came are followed live from here on.
        const before = this.#authors.size;
        for (const { author } of posts) if (author?.my?.following) this.#authors.add(author.id);
        if (this.#authors.size !== before) this.#feed.refollow();
      },
    });
    this.#composer = new Composer(site, { community: () => null, send: this.#feed.sender() });
    this.element = h('div', { class: 'view' }, h('h1', { class: 'view-title' }, t('feed.title')), this.#composer.element, this.#feed.element);
    this.#end = site.communities.changed.listen(() => {
      this.#composer.update();
      this.#feed.refollow();
    });
  }

  enter() {
    this.#feed.enter();
  }

  leave() {
    this.#feed.leave();
  }

  destroy() {
    this.#end();
    this.#feed.destroy();
  }
}

/** What a guest meets first. */
export class WelcomeView {
  title = t('nav.home');
  element;
  #end;

  constructor(site) {
    const tree = h('div', {});
    const show = () => fill(tree, communityTree(site, { full: true }));
    this.#end = site.communities.changed.listen(show);
    show();
    this.element = h('div', { class: 'view' },
      h('section', { class: 'welcome' },
        h('h1', {}, t('welcome.title')),
        h('p', {}, t('welcome.text')),
        h('div', { class: 'welcome-actions' },
          h('button', { class: 'button button-primary', type: 'button', testid: 'welcome-register', onclick: () => openAuth(site.account, 'register') }, t('auth.register')),
          h('button', { class: 'button', type: 'button', testid: 'welcome-login', onclick: () => openAuth(site.account, 'login') }, t('auth.login')))),
      h('h2', { class: 'section-title' }, t('welcome.look')),
      h('section', { class: 'sheet' }, tree));
  }

  destroy() {
    this.#end();
  }
}

/** The whole tree. */
export class CommunitiesView {
  title = t('community.title');
  element;
  #end;

  constructor(site) {
    const tree = h('div', {});
    const show = () => keepingFocus(tree, () => fill(tree, communityTree(site, { full: true })));
    this.#end = site.communities.changed.listen(show);
    show();
    site.communities.explore().catch(complain);
    this.element = h('div', { class: 'view' },
      h('div', { class: 'view-head' },
        h('h1', { class: 'view-title' }, t('community.title')),
        site.me && h('button', { class: 'button button-primary', type: 'button', testid: 'community-create', onclick: () => openCommunityDialog(site) }, icon('plus'), t('community.new'))),
      h('section', { class: 'sheet' }, tree));
  }

  destroy() {
    this.#end();
  }
}

/** One community: what it is, what lies in it, what is said in it. */
export class CommunityView {
  keep = true;
  title = t('nav.communities');
  element;
  #site;
  #id;
  #head = h('header', { class: 'community-head' });
  #feed;
  #composer;
  #end;

  constructor(site, id) {
    this.#site = site;
    this.#id = id;
    this.#feed = new Feed(site, {
      query: () => ({ community_id: id }),
      channels: () => [`feed:${id}`],
      empty: () => {
        if (!site.me) return { text: t('feed.empty.guest'), actions: [h('button', { class: 'button button-primary', type: 'button', onclick: () => openAuth(site.account, 'register') }, t('auth.register'))] };
        return { text: t(site.communities.get(id)?.my?.member ? 'feed.empty.member' : 'feed.empty.join') };
      },
      refused: (error) => {
        if (error.code !== 'not_found' && error.code !== 'invalid') return false;
        fill(this.element, gone());
        return true;
      },
    });
    this.#composer = new Composer(site, { community: () => site.communities.get(id) ?? { id, path: [], name: '' }, send: this.#feed.sender() });
    this.element = h('div', { class: 'view' }, this.#head, this.#composer.element, this.#feed.element);
    this.#end = site.communities.changed.listen(() => this.#show());
    this.#show();
    site.communities.load(id).catch(() => {});
    site.communities.loadChildren(id).catch(() => {});
  }

  enter() {
    this.#feed.enter();
  }

  leave() {
    this.#feed.leave();
  }

  destroy() {
    this.#end();
    this.#feed.destroy();
  }

  #show() {
    const community = this.#site.communities.get(this.#id);
    if (!community) return;
    this.title = community.name;
    this.#site.entitle();
    // Whoever has joined is no longer asked to.
    this.#feed.retell();
    const parent = community.parent_id && this.#site.communities.get(community.parent_id);
    if (community.parent_id && !parent) this.#site.communities.load(community.parent_id).catch(() => {});
    const children = this.#site.communities.children(this.#id) ?? [];
    const since = (each) => {
      const words = sinceWords(this.#site.communities, each);
      return words && h('span', { class: 'tree-since' }, words);
    };
    const role = community.my?.role === 'moderator' ? t('community.moderator') : community.my?.member ? t('community.member') : null;
    keepingFocus(this.#head, () => fill(this.#head,
      h('div', { class: 'community-path' }, parent
        ? [h('a', { href: `#/c/${parent.id}` }, community.path.slice(0, -1).join(' › ')), ' ›']
        : h('a', { href: '#/communities' }, t('nav.communities'))),
      h('div', { class: 'view-head' },
        h('h1', { class: 'view-title', dir: 'auto', testid: 'community-title' }, community.name),
        joinButton(this.#site, community, 'community-join')),
      h('p', { class: 'community-facts' }, h('span', { testid: 'community-members' }, t('community.members', { count: community.members })), since(community) && [', ', since(community)], role && [h('span', { class: 'unseen' }, ', '), h('span', { class: 'badge-soft', testid: 'community-role' }, role)]),
      h('div', { class: 'community-inside' },
        children.map((child) => h('a', { class: 'filter-chip', href: `#/c/${child.id}`, 'data-focus': `child-${child.id}`, testid: 'community-child' }, icon('tree'), named(child.name), since(child))),
        community.my?.member && h('a', { class: 'filter-chip', href: `#/live/start/${this.#id}`, 'data-focus': 'live', testid: 'community-go-live' }, icon('live'), t('live.go')),
        this.#site.me && h('button', { class: 'filter-chip', type: 'button', testid: 'community-create-inside', 'data-focus': 'inside', title: t('community.new.inside', { name: community.name }), onclick: () => openCommunityDialog(this.#site, community) }, icon('plus'), t('community.new'))),
      this.#site.me && !community.my?.member && h('p', { class: 'hint' }, t('community.join.to.post'))));
    this.#composer.update();
  }
}

/** One post with its comments. */
export class PostView {
  title = t('post.view');
  element = h('div', { class: 'view' });
  #site;
  #id;
  #card = null;
  #comments = null;
  #figures = null;
  #failed = false;
  #ends = [];

  constructor(site, id) {
    this.#site = site;
    this.#id = id;
    this.#ends.push(
      site.posts.changed.listen((changed) => changed === id && this.#card?.update(site.posts.get(id))),
      site.posts.removed.listen((removed) => removed === id && this.#gone(t('post.deleted'))),
      site.connection.follow(`post:${id}`, this),
      site.connection.welcomed.listen(() => (this.#failed ? this.#load() : this.#comments?.returned())));
    this.#load();
  }

  destroy() {
    this.#ends.forEach((end) => end());
    this.#figures?.destroy();
    if (this.#card) this.#site.views.forget(this.#card.element);
  }

  publication(item) {
    if (item.event === 'post.edited') this.#site.posts.put(item.data.post);
    else if (item.event === 'post.deleted') this.#site.posts.remove(this.#id);
    else this.#comments?.publication(item);
  }

  state(state) {
    if (state.event === 'post.counts') this.#site.posts.counts(state);
    else this.#comments?.state(state);
  }

  opened() {
    this.#comments?.opened();
  }

  reset() {
    this.#load();
    this.#comments?.load();
  }

  closed(reason) {
    if (reason === 'deleted' || reason === 'not_found' || reason === 'forbidden') this.#gone(reason === 'deleted' ? t('post.deleted') : t('post.gone'));
  }

  async #load() {
    this.#failed = false;
    try {
      const post = this.#site.posts.put((await this.#site.connection.ask('post.get', { post_id: this.#id })).post);
      if (this.#card) return;
      this.title = oneLine(post.title ?? '') || t('post.view');
      this.#site.entitle();
      this.#card = new PostCard(this.#site, post, { detail: true });
      this.#comments = new Comments(this.#site, post);
      this.#figures = post.my?.author ? new PostFigures(this.#site, post.id) : null;
      fill(this.element,
        h('button', { class: 'back', type: 'button', testid: 'back', onclick: () => this.#site.back(`#/c/${post.community_id}`) }, icon('back'), t('nav.back')),
        h('section', { class: 'sheet sheet-flush' }, this.#card.element), this.#figures?.element, this.#comments.element);
      this.#site.views.watch(this.#card.element);
    } catch (error) {
      if (error.code === 'not_found' || error.code === 'invalid') this.#gone(t('post.gone'));
      else if (error.code !== 'cancelled') {
        this.#failed = true;
        if (!this.#card) fill(this.element, h('p', { class: 'empty' }, explain(error)));
      }
    }
  }

  #gone(words) {
    fill(this.element, gone(words));
  }
}

/** One person and what they post under their name. */
export class ProfileView {
  keep = true;
  title = t('nav.me');
  element;
  #site;
  #id;
  #profile = null;
  #head = h('header', { class: 'profile-head', testid: 'profile' });
  #feed;

  constructor(site, id) {
    this.#site = site;
    this.#id = id;
    this.#feed = new Feed(site, {
      query: () => ({ user_id: id }),
      channels: () => {
        if (site.me?.id === id) return [`author:${id}`, `user:${id}`];
        return this.#profile?.my?.following ? [`author:${id}`] : [];
      },
      empty: () => ({ text: t(site.me?.id === id ? 'feed.empty.mine' : 'feed.empty.person') }),
      wanted: (post) => (post.author ? post.author.id === id : post.my?.author === true && site.me?.id === id),
    });
    this.element = h('div', { class: 'view' }, this.#head, this.#feed.element);
    this.#load();
  }

  enter() {
    this.#feed.enter();
  }

  leave() {
    this.#feed.leave();
  }

  destroy() {
    this.#feed.destroy();
  }

  async #load() {
    try {
      this.#profile = (await this.#site.connection.ask('profile.get', { user_id: this.#id })).profile;
      this.title = nameOf(this.#profile);
      this.#site.entitle();
      this.#feed.refollow();
      this.#show();
    } catch (error) {
      if (error.code === 'not_found' || error.code === 'invalid') fill(this.element, gone());
      else complain(error);
    }
  }

  #photoButtons() {
    const input = h('input', { type: 'file', accept: PICTURE_TYPES.join(','), class: 'unseen', tabindex: '-1', 'aria-label': t('photo.change'), testid: 'profile-photo-file' });
    input.addEventListener('change', () => {
      if (input.files.length > 0) this.#changePhoto(input.files[0]);
    });
    return [
      h('button', { class: 'button', type: 'button', testid: 'profile-photo', 'data-focus': 'photo', onclick: () => input.click() }, icon('picture'), t('photo.change')), input,
      this.#profile.photo && h('button', { class: 'button', type: 'button', testid: 'profile-photo-remove', onclick: () => this.#editPhoto(null) }, t('photo.remove')),
    ];
  }

  async #changePhoto(file) {
    const flaw = flawOf(file, PHOTO_BYTES);
    if (flaw) {
      toast(t(flaw === 'type' ? 'picture.flaw.type' : 'photo.flaw.size'), 'error');
      return;
    }
    try {
      const { id } = await upload(this.#site.account, file, { purpose: 'profile' });
      await this.#editPhoto(id);
    } catch (error) {
      if (error.code === 'unsupported_type') toast(t('picture.flaw.type'), 'error');
      else complain(error);
    }
  }

  async #editPhoto(id) {
    try {
      const { profile } = await this.#site.connection.ask('profile.edit', { photo_media_id: id, version: this.#profile.version });
      this.#profile = profile;
      this.#site.account.learn(profile);
      this.#site.me.photo = profile.photo;
      this.#show();
    } catch (error) {
      if (error.code === 'conflict') await this.#load();
      complain(error);
    }
  }

  #show() {
    const person = this.#profile;
    const mine = this.#site.me?.id === person.id;
    const fact = (key, count) => h('span', { class: 'fact' }, h('strong', {}, number(count)), ' ', t(key, { count }));
    keepingFocus(this.#head, () => fill(this.#head,
      avatar(person, 'l'),
      h('div', { class: 'profile-main' },
        h('h1', { class: 'view-title', dir: 'auto', testid: 'profile-name' }, nameOf(person)),
        h('p', { class: 'post-username' }, `@${person.username}`, person.role !== 'user' && h('span', { class: 'badge-soft' }, t(`profile.role.${person.role}`))),
        person.bio && h('p', { class: 'profile-bio', dir: 'auto' }, person.bio),
        person.counts && h('p', { class: 'facts' }, fact('profile.posts', person.counts.posts), fact('profile.followers', person.counts.followers), fact('profile.following', person.counts.following)),
        person.my?.blocked && h('p', { class: 'hint' }, t('profile.blocked', { name: nameOf(person) }))),
      h('div', { class: 'profile-actions' }, mine
        ? [this.#photoButtons(), h('button', { class: 'button', type: 'button', testid: 'profile-logout', onclick: () => this.#site.account.logout() }, icon('out'), t('nav.logout'))]
        : this.#site.me && [
          !person.my?.blocked && h('button', {
            class: `button${person.my?.following ? '' : ' button-primary'}`, type: 'button', testid: 'follow', 'aria-pressed': String(person.my?.following ?? false), 'data-focus': 'follow',
            onclick: () => this.#follow(!person.my?.following),
          }, t(person.my?.following ? 'profile.unfollow' : 'profile.follow')),
          h('button', {
            class: 'button', type: 'button', testid: 'block', 'aria-pressed': String(person.my?.blocked ?? false), 'data-focus': 'block',
            onclick: async () => {
              if (await this.#site.block(person, !person.my?.blocked)) await this.#reload();
            },
          }, t(person.my?.blocked ? 'profile.unblock' : 'profile.block')),
        ])));
  }

  async #follow(on) {
    try {
      await this.#site.connection.ask('follow.set', { user_id: this.#id, on });
      await this.#reload();
      this.#site.forgetViews();
    } catch (error) {
      complain(error);
    }
  }

  async #reload() {
    await this.#load();
    await this.#feed.load();
  }
}

/** What a place that is not there looks like. */
export function gone(words = t('post.gone')) {
  return h('div', { class: 'empty-page' }, icon('tree'), h('h1', { class: 'empty-title', testid: 'gone' }, words), h('a', { class: 'button', href: '#/' }, t('nav.home')));
}

/** Rebuilds something without taking the focus away from the one who uses the keyboard. */
export function keepingFocus(element, rebuild) {
  const key = element.contains(document.activeElement) ? document.activeElement.dataset.focus ?? document.activeElement.dataset.testid : null;
  rebuild();
  if (key) element.querySelector(`[data-focus="${CSS.escape(key)}"], [data-testid="${CSS.escape(key)}"]`)?.focus();
}
