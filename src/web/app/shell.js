// The frame around every view: the bar on top with the state of the connection, the main navigation (a rail beside the
// content, a bar below it on narrow screens) and the tree of communities.

import { avatar } from './avatar.js';
import { fill, h, icon, removeKeepingPlace } from './dom.js';
import { currentLanguage, labelled, t } from './i18n.js';
import { nameOf } from './model.js';
import { openAuth } from './authdialog.js';
import { communityTree, openCommunityDialog } from './tree.js';
import { keepingFocus } from './views.js';
import { remember, remembered } from './storage.js';

/** The close code of an operator (SPEC §8). */
const OPERATOR = 4507;
/** What the server writes where the operator gave no reason. */
const UNSAID = 'closed by an operator';
const THEMES = ['auto', 'light', 'dark'];

export class Shell {
  element;
  main = h('main', { id: 'content', tabindex: '-1', testid: 'content' });
  #site;
  #state;
  #banner = h('section', { class: 'banner', hidden: true, 'aria-label': t('connection.offline'), testid: 'connection-banner' });
  #badge = h('span', { class: 'badge', hidden: true, testid: 'unread-badge' });
  #onAir = h('span', { class: 'badge badge-air', hidden: true, testid: 'on-air' }, t('live.on.air'));
  #tree = h('div', { class: 'rail-tree' });
  #links;
  #ends = [];
  #place = {};

  constructor(site) {
    this.#site = site;
    this.#state = h('span', { class: 'connection', role: 'status', 'aria-live': 'polite', testid: 'connection-state' });
    this.#links = new Map([
      ['home', this.#link('#/', 'home', 'nav.home')],
      ['communities', this.#link('#/communities', 'tree', 'nav.communities')],
      ['live', this.#link('#/live', 'live', 'nav.live', this.#onAir)],
      ...(site.me ? [
        ['notifications', this.#link('#/notifications', 'bell', 'nav.notifications', this.#badge)],
        ['me', this.#link(`#/u/${site.me.id}`, 'person', 'nav.me')],
      ] : []),
    ]);
    this.element = h('div', { class: 'shell' },
      h('a', { class: 'skip-link', href: '#content', onclick: (event) => this.#skip(event) }, t('skip')),
      h('header', { class: 'topbar' },
        h('div', { class: 'topbar-inner' },
          h('a', { class: 'brand', href: '#/', 'aria-label': 'CommuniConnect' }, brandMark(), h('span', { class: 'brand-name' }, 'Communi', h('b', {}, 'Connect'))),
          this.#state,
          h('div', { class: 'topbar-tools' }, this.#themeSwitch(), this.#languageSwitch(), ...this.#who()))),
      h('div', { class: 'columns' },
        h('div', { class: 'rail' },
          h('nav', { class: 'main-nav', 'aria-label': t('nav.label') }, [...this.#links.values()]),
          h('nav', { class: 'rail-communities', 'aria-label': t('nav.communities') },
            h('div', { class: 'rail-head' },
              h('h2', {}, t('nav.communities')),
              site.me && h('button', { class: 'icon-button', type: 'button', 'aria-label': t('community.new'), title: t('community.new'), testid: 'rail-community-create', onclick: () => openCommunityDialog(site) }, icon('plus'))),
            this.#tree)),
        h('div', { class: 'middle' }, this.#banner, site.forgotten && this.#forgotten(), this.main)));
    this.#ends.push(
      site.connection.changed.listen(() => this.#showState()),
      site.onAir.changed.listen(() => this.#showOnAir()),
      site.communities.changed.listen(() => this.#showTree()));
    if (site.notices) this.#ends.push(site.notices.changed.listen((unread) => this.#showUnread(unread)));
    this.#showState();
    this.#showTree();
    this.#showOnAir();
  }

  destroy() {
    this.#ends.forEach((end) => end());
    this.element.remove();
  }

  /** Marks where we are: `name` of a link, `id` of what is shown there. */
  at(place) {
    this.#place = place;
    const mine = place.name === 'user' && place.id === this.#site.me?.id;
    for (const [name, link] of this.#links) {
      if (name === place.name || (name === 'me' && mine)) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    this.#site.notices?.look();
    this.#showTree();
  }

  #link(href, symbol, key, extra) {
    return h('a', { class: 'nav-link', href, testid: key.replace('.', '-') }, icon(symbol), h('span', {}, t(key)), extra);
  }

  #showTree() {
    keepingFocus(this.#tree, () => fill(this.#tree, communityTree(this.#site, { current: this.#place.name === 'community' ? this.#place.id : null })));
  }

  /** Whoever is on air finds the way back to it, wherever they look. */
  #showOnAir() {
    const { sending, live } = this.#site.onAir;
    this.#onAir.hidden = !sending;
    this.#links.get('live').setAttribute('href', sending ? `#/l/${live.id}` : '#/live');
  }

  #showUnread(unread) {
    this.#badge.hidden = unread === 0;
    this.#badge.textContent = unread > 99 ? '99+' : String(unread);
    this.#badge.dataset.count = unread;
    this.#links.get('notifications').setAttribute('aria-label', `${t('nav.notifications')}, ${t('nav.unread', { count: unread })}`);
  }

  #showState() {
    const { state } = this.#site.connection;
    this.#state.dataset.state = state;
    const words = state === 'closed' ? t('connection.offline') : t(`connection.${state}`);
    fill(this.#state, h('span', { class: 'connection-light' }), h('span', { class: 'connection-words' }, words));
    this.#state.title = words;
    const behind = state === 'reconnecting' || state === 'offline' || state === 'closed';
    this.#banner.hidden = !behind;
    fill(this.#banner,
      h('span', {}, state === 'closed' ? closedWords(this.#site.connection.farewell) : t('connection.behind')),
      state === 'closed'
        ? h('button', { class: 'button button-small', type: 'button', testid: 'connection-reload', onclick: () => location.reload() }, t('connection.reload'))
        : h('button', { class: 'button button-small', type: 'button', testid: 'connection-try', onclick: () => this.#site.connection.tryNow() }, t('connection.try')));
  }

  #themeSwitch() {
    const current = () => remembered('cc.theme') ?? 'auto';
    const show = () => {
      const theme = current();
      const words = labelled(t('theme'), t(`theme.${theme}`));
      fill(button, icon({ auto: 'auto', light: 'sun', dark: 'moon' }[theme]));
      button.setAttribute('aria-label', words);
      button.title = words;
      button.dataset.theme = theme;
    };
    const button = h('button', {
      class: 'icon-button', type: 'button', testid: 'theme-switch',
      onclick: () => {
        const next = THEMES[(THEMES.indexOf(current()) + 1) % THEMES.length];
        remember('cc.theme', next === 'auto' ? null : next);
        if (next === 'auto') delete document.documentElement.dataset.theme;
        else document.documentElement.dataset.theme = next;
        show();
      },
    });
    show();
    return button;
  }

  #languageSwitch() {
    const other = currentLanguage() === 'en' ? 'fr' : 'en';
    const label = { fr: 'FR: passer en français', en: 'EN: switch to English' }[other];
    return h('button', { class: 'icon-button language', type: 'button', testid: 'language-switch', lang: other, 'aria-label': label, title: label, onclick: () => this.#site.speak(other) }, other.toUpperCase());
  }

  #who() {
    const { me, account } = this.#site;
    if (!me) {
      return [
        h('button', { class: 'button topbar-login', type: 'button', testid: 'login-open', onclick: () => openAuth(account, 'login') }, t('nav.login')),
        h('button', { class: 'button button-primary topbar-register', type: 'button', testid: 'register-open', onclick: () => openAuth(account, 'register') }, t('auth.register')),
      ];
    }
    return [
      h('a', { class: 'who', href: `#/u/${me.id}`, testid: 'me', title: `${nameOf(me)} (@${me.username})`, 'data-user-id': me.id }, avatar(me, 's'), h('span', { class: 'who-name', dir: 'auto', testid: 'me-name' }, nameOf(me))),
      h('button', { class: 'icon-button', type: 'button', 'aria-label': t('nav.logout'), title: t('nav.logout'), testid: 'logout', onclick: () => account.logout() }, icon('out')),
    ];
  }

  /** Why somebody is a guest all of a sudden, for as long as it takes them to read it. */
  #forgotten() {
    const { account, forgotten } = this.#site;
    const known = { username: forgotten.username, name: nameOf(forgotten) };
    const notice = h('section', { class: 'banner banner-forgotten', role: 'alert', testid: 'login-forgotten' },
      h('span', {}, t('auth.forgotten', { name: nameOf(forgotten) })),
      h('span', { class: 'banner-actions' },
        h('button', { class: 'button button-small', type: 'button', testid: 'forgotten-login', onclick: () => openAuth(account, 'login', known) }, t('auth.login')),
        h('button', { class: 'button button-small', type: 'button', testid: 'forgotten-register', onclick: () => openAuth(account, 'register', known) }, t('auth.register')),
        h('button', {
          class: 'icon-button', type: 'button', 'aria-label': t('toast.dismiss'), title: t('toast.dismiss'), testid: 'forgotten-dismiss',
          onclick: () => {
            this.#site.forgotten = null;
            removeKeepingPlace(notice);
          },
        }, icon('close'))));
    return notice;
  }

  #skip(event) {
    event.preventDefault(); // the hash belongs to the router
    this.main.focus();
  }
}

/** Why the server has closed for good. What an operator gives as a reason is meant to be read; other reasons are for developers. */
function closedWords({ code, reason }) {
  return code === OPERATOR && reason && reason !== UNSAID ? t('connection.closed.by', { reason }) : t('connection.closed');
}

function brandMark() {
  const mark = icon('brand');
  mark.setAttribute('viewBox', '0 0 32 32');
  return mark;
}
